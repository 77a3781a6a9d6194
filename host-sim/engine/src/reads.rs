//! Running reads of the store away from the threads that serve the network.
//!
//! A read takes a snapshot after it was asked for, so it sees every write that was acknowledged before. How many run
//! and how many wait is bounded; past that they are refused at once, which costs a client less than waiting.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{MAX_RUNNING_READS, MAX_WAITING_READS};
use crate::refusal::{Fault, Refusal};
use crate::store::{Identity, Snapshot, Store};

/// The way to the store for everyone who only reads.
#[derive(Debug)]
pub struct Reads {
    store: Arc<Store>,
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Reads {
    /// Reads of this store.
    pub fn new(store: Arc<Store>) -> Reads {
        Reads {
            store,
            waiting: Arc::new(Semaphore::new(MAX_WAITING_READS)),
            running: Arc::new(Semaphore::new(MAX_RUNNING_READS)),
        }
    }

    /// Who answers.
    pub fn identity(&self) -> Identity {
        self.store.identity()
    }

    /// The database file.
    pub fn path(&self) -> PathBuf {
        self.store.path().to_owned()
    }

    /// Runs `read` on a snapshot that holds every write acknowledged before this call.
    pub async fn run<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| Refusal::TooManyRequests)?;
        self.run_with(Some(waiting), read).await
    }

    /// The same for those who must not be refused and whose number is bounded elsewhere: watch streams.
    pub async fn run_patiently<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        self.run_with(None, read).await
    }

    async fn run_with<R: Send + 'static>(
        &self,
        waiting: Option<OwnedSemaphorePermit>,
        read: impl FnOnce(&Snapshot) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, Fault> {
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| Refusal::Stopped)?;
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            // A client that leaves drops its call, not the read under way: what counts reads goes with the read.
            let _counted = (waiting, running);
            read(&store.snapshot()?)
        })
        .await
        .map_err(|error| Fault::Storage(error.to_string()))?
    }
}
