//! The embedded engine as a process of its own, as `host-sim engine` runs it, but optimised: development builds are not
//! what anybody measures.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

/// Command line of `bench-native engine`; that of `host-sim engine`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Address to listen on.
    #[arg(long, value_name = "IP:PORT")]
    listen: SocketAddr,
    /// Folder that holds the data.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Runs until SIGTERM.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let config = engine::Config::new(arguments.listen, arguments.data);
    let mut running = engine::start(config).await.context("start the engine")?;
    crate::say(&format!("ready {}", running.local_addr()));
    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        failed = running.failed() => failed,
    };
    let stopped = running.stop().await;
    ended.and(stopped).context("the engine failed")
}
