//! Waiting to be told to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Returns on SIGTERM or Ctrl-C.
///
/// # Errors
/// When the signals cannot be listened for.
pub async fn stop_asked() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
