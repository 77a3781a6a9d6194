//! How an Envoy is started, and when it serves.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::{Process, Request, Result};

/// How long it may take until it serves. Compiling the module for every worker counts in.
const READY_BOUND: Duration = Duration::from_secs(60);
/// One look at whether it does.
const LOOK_BOUND: Duration = Duration::from_secs(2);

/// The arguments of an Envoy with the configuration in that file.
#[must_use]
pub fn arguments(config: &Path, workers: usize) -> Vec<OsString> {
    vec![
        "-c".into(),
        config.into(),
        "--concurrency".into(),
        workers.to_string().into(),
        // Several run on this machine at once, and none takes over from another.
        "--use-dynamic-base-id".into(),
        "--disable-hot-restart".into(),
        "--log-level".into(),
        "warning".into(),
        "--component-log-level".into(),
        "wasm:info".into(),
    ]
}

/// Waits until it says that it is ready and takes connections.
///
/// # Errors
/// When it ends before, or takes longer than a minute.
pub fn wait_ready(process: &mut Process, address: SocketAddr, admin: SocketAddr) -> Result<()> {
    process.wait_until("it serves", READY_BOUND, |_| {
        let ready = Request::new("GET", "/ready")
            .io_bound(LOOK_BOUND)
            .send(admin)
            .ok()?;
        let listening = || TcpStream::connect_timeout(&address, LOOK_BOUND).is_ok();
        (ready.status == 200 && listening()).then_some(())
    })
}
