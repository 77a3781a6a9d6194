//! A few requests one after the other on one connection, to see what a server says to each.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};

use super::answers::Answers;

/// How long each read or write may take.
const IO_BOUND: Duration = Duration::from_secs(5);
/// Bytes that one read may bring.
const READ_BYTES: usize = 16 * 1024;

/// The statuses that `server` answers to GETs of `path` with `authorizations`.
///
/// # Errors
/// When there is no answer, or one that is not understood.
pub fn statuses(
    server: SocketAddr,
    path: &str,
    authorizations: &[String],
) -> anyhow::Result<Vec<u16>> {
    let mut stream = TcpStream::connect_timeout(&server, IO_BOUND).context("connect")?;
    stream.set_read_timeout(Some(IO_BOUND))?;
    stream.set_write_timeout(Some(IO_BOUND))?;
    stream.set_nodelay(true)?;
    let mut answers = Answers::default();
    let mut seen = Vec::new();
    for (index, authorization) in authorizations.iter().enumerate() {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: {authorization}\r\n\r\n");
        stream.write_all(request.as_bytes()).context("write")?;
        while seen.len() == index {
            let mut bytes = [0_u8; READ_BYTES];
            let length = stream.read(&mut bytes).context("read")?;
            ensure!(length > 0, "the server closed the connection");
            answers
                .read(&bytes[..length], |status| seen.push(status))
                .map_err(|_| anyhow!("the server's answer is not understood"))?;
        }
    }
    Ok(seen)
}
