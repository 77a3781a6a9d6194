//! Embedded single-node engine: the four etcd calls that the gateway makes, durable, in this process.
//!
//! `KV/Range`, `KV/Txn`, `Watch/Watch` and `Maintenance/Status` of the etcd v3 API, as a client sees them, over one
//! `redb` file. Nothing is answered before it is on disk; transactions that wait together share one sync. What etcd has
//! beyond that (leases, authentication, members) is not here. How it is laid out is told in `docs/engine.md`.
//!
//! [`start`] opens a data directory, listens and serves; [`Engine`] is the same in two steps, for callers that bring
//! their own listener.

mod ending;
mod limits;
mod reads;
mod refusal;
mod service;
mod store;
mod txn;
mod writer;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;

pub use refusal::{Fault, Refusal};
pub use store::OpenError;

use ending::Ending;
use reads::Reads;
use store::{Retention, Store};
use writer::Writer;

/// The gRPC services and their clients, on the messages of `etcd-wire`.
#[allow(
    missing_docs,
    reason = "generated; the calls are documented in etcd.proto"
)]
#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub mod rpc {
    tonic::include_proto!("etcdserverpb");
}

/// Revisions that stay readable and watchable by default.
pub const DEFAULT_RETAINED_REVISIONS: u32 = 100_000;
/// Bytes that the past may take by default: what overwritten and deleted versions leave behind.
pub const DEFAULT_RETAINED_BYTES: u64 = 512 * 1024 * 1024;
/// Bytes of the file kept in memory by default.
pub const DEFAULT_CACHE_BYTES: usize = 256 * 1024 * 1024;
/// How often an idle watch that asked for it hears of progress, by default. etcd's value.
pub const DEFAULT_PROGRESS_INTERVAL: Duration = Duration::from_secs(600);

/// What an engine needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Created when missing; one engine at a time.
    pub data_dir: PathBuf,
    /// Revisions kept for reads in the past and for watches that fell behind; older ones are compacted by and by.
    pub retained_revisions: u32,
    /// Bytes that old revisions may take; over it the oldest are compacted even if they are among the retained ones.
    /// The newest revision stays readable whatever its size.
    pub retained_bytes: u64,
    /// Bytes of the file kept in memory.
    pub cache_bytes: usize,
    /// How often a watch with `progress_notify` and no events hears of progress.
    pub progress_interval: Duration,
}

impl Config {
    /// The defaults for everything but address and directory.
    pub fn new(listen: SocketAddr, data_dir: impl Into<PathBuf>) -> Config {
        Config {
            listen,
            data_dir: data_dir.into(),
            retained_revisions: DEFAULT_RETAINED_REVISIONS,
            retained_bytes: DEFAULT_RETAINED_BYTES,
            cache_bytes: DEFAULT_CACHE_BYTES,
            progress_interval: DEFAULT_PROGRESS_INTERVAL,
        }
    }
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address cannot be listened on.
    #[error("listening on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// No thread for the writer.
    #[error("starting the writer: {0}")]
    Thread(std::io::Error),
}

/// Why an engine stopped serving by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nothing can be written any more: the disk failed or is full, or a defect ended the writer. What is on disk is
    /// whole and is found again by the next start.
    #[error("nothing can be written any more: {0}")]
    Writer(String),
    /// The transport failed.
    #[error("serving: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// Serving came to an end that nobody asked for.
    #[error("serving ended by itself")]
    Ended,
    /// The serving task was ended from outside.
    #[error("serving was ended before it had stopped")]
    Aborted,
}

/// An open store with its writer, not yet listening.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    released: oneshot::Receiver<()>,
}

/// What every call needs.
#[derive(Debug)]
pub(crate) struct Shared {
    reads: Reads,
    writer: Writer,
    writer_ending: Ending,
    newest: watch::Receiver<i64>,
    progress_interval: Duration,
    watch_streams: Arc<Semaphore>,
}

impl Engine {
    /// Opens the data directory. Blocks on the disk, after a crash for as long as checking the file takes.
    pub fn open(config: &Config) -> Result<Engine, StartError> {
        let (store, released) = Store::open(&config.data_dir, config.cache_bytes)?;
        let store = Arc::new(store);
        let revision = store
            .snapshot()
            .map_err(|fault| OpenError::Storage {
                path: store.path().to_owned(),
                reason: fault.to_string(),
            })?
            .progress()
            .revision;
        let (told, newest) = watch::channel(revision);
        let (writer, writer_ending) = Writer::start(
            Arc::clone(&store),
            told,
            Retention {
                revisions: i64::from(config.retained_revisions),
                bytes: config.retained_bytes,
            },
        )
        .map_err(StartError::Thread)?;
        Ok(Engine {
            shared: Arc::new(Shared {
                reads: Reads::new(store),
                writer,
                writer_ending,
                newest,
                progress_interval: config.progress_interval,
                watch_streams: Arc::new(Semaphore::new(limits::MAX_WATCH_STREAMS)),
            }),
            released,
        })
    }

    /// The newest revision that is on disk.
    pub fn revision(&self) -> i64 {
        *self.shared.newest.borrow()
    }

    /// Forgets what only revisions before `revision` need: etcd's compaction, which clients of this engine cannot ask for.
    pub async fn compact(&self, revision: i64) -> Result<(), Fault> {
        self.shared.writer.compact(revision).await
    }

    /// Serves on `listener` until `shutdown` completes or the writer fails, then lets open calls end within a grace
    /// period.
    ///
    /// # Errors
    /// [`ServeError::Writer`] after the writer failed, else what the transport said.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        service::serve(Arc::clone(&self.shared), listener, shutdown).await
    }

    /// Waits until the data directory is free for another engine, or a grace period has passed.
    pub async fn close(self) {
        drop(self.shared);
        // The sender is never used: its end means that the file was released.
        let _ = tokio::time::timeout(limits::STOP_GRACE, self.released).await;
    }
}

/// A listening engine. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Running {
    engine: Option<Engine>,
    local_addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), ServeError>>,
}

/// Opens the data directory, listens, and serves in the background.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let listen_error = |source| StartError::Listen {
        address: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(listen_error)?;
    let local_addr = listener.local_addr().map_err(listen_error)?;
    let opening = tokio::task::spawn_blocking(move || Engine::open(&config));
    let engine = match opening.await {
        Ok(engine) => engine?,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn({
        let shared = Arc::clone(&engine.shared);
        async move {
            let shutdown = async move {
                // A dropped sender means stop, too.
                let _ = stopped.await;
            };
            service::serve(shared, listener, shutdown).await
        }
    });
    Ok(Running {
        engine: Some(engine),
        local_addr,
        stop: Some(stop),
        serving,
    })
}

impl Running {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The newest revision that is on disk.
    pub fn revision(&self) -> i64 {
        self.engine.as_ref().map_or(0, |engine| engine.revision())
    }

    /// See [`Engine::compact`].
    pub async fn compact(&self, revision: i64) -> Result<(), Fault> {
        match &self.engine {
            Some(engine) => engine.compact(revision).await,
            None => Err(Refusal::Stopped.into()),
        }
    }

    /// Completes when serving ends by itself, which only a failure makes it do: the result is never `Ok`.
    ///
    /// # Errors
    /// Why it ended, first of all [`ServeError::Writer`].
    pub async fn failed(&mut self) -> Result<(), ServeError> {
        self.served().await?;
        Err(ServeError::Ended)
    }

    async fn served(&mut self) -> Result<(), ServeError> {
        (&mut self.serving)
            .await
            .unwrap_or(Err(ServeError::Aborted))
    }

    /// Stops listening, lets open calls end, and returns when the data directory is free again.
    pub async fn stop(mut self) -> Result<(), ServeError> {
        drop(self.stop.take());
        let served = if self.serving.is_finished() {
            Ok(())
        } else {
            self.served().await
        };
        if let Some(engine) = self.engine.take() {
            engine.close().await;
        }
        served
    }
}
