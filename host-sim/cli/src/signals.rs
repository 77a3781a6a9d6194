//! Being told to stop, or to do again what is done once in a while.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and Ctrl-C, caught from the moment this is made: before anybody is told that we are ready.
#[derive(Debug)]
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the signals cannot be listened for.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Returns when one of them came.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// SIGHUP, caught from the moment this is made.
#[derive(Debug)]
pub struct HangUp(Signal);

impl HangUp {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the signal cannot be listened for.
    pub fn listen() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Returns when it came.
    pub async fn came(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}
