//! `host-sim engine`: the embedded engine as a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::announce;
use crate::signals::Stop;

/// Command line of `host-sim engine`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:2379")]
    listen: SocketAddr,
    /// Folder that holds the data; made when missing.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Why the engine ended.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It did not start.
    #[error("the engine did not start: {0}")]
    Start(#[from] engine::StartError),
    /// It stopped by itself.
    #[error("the engine failed: {0}")]
    Serve(#[from] engine::ServeError),
    /// Signals or the runtime.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Runs until it is told to stop.
///
/// # Errors
/// [`Failure`].
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut stop = Stop::listen()?;
        let config = engine::Config::new(arguments.listen, arguments.data);
        let mut running = engine::start(config).await?;
        announce(&format!("ready {}", running.local_addr()));
        let ended = tokio::select! {
            () = stop.asked() => Ok(()),
            failed = running.failed() => failed,
        };
        // Also after a failure: the file is let go of in order.
        let stopped = running.stop().await;
        Ok(ended.and(stopped)?)
    })
}
