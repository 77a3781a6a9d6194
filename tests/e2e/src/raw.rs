//! A bare connection, for what no HTTP client would say: half a body, one byte at a time, a header that is not text.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::Answer;

/// How long each read and write may take.
const BOUND: Duration = Duration::from_secs(30);

/// A TCP connection to a gateway.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    // What was read and belongs to the next answer.
    ahead: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, BOUND)?;
        stream.set_read_timeout(Some(BOUND))?;
        stream.set_write_timeout(Some(BOUND))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            ahead: Vec::new(),
        })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the peer has closed the connection.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn end(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Breaks the connection off: a reset instead of an orderly end, whatever is still under way.
    ///
    /// # Errors
    /// When the connection is gone.
    ///
    /// # Panics
    /// Outside of a test's [`run`](crate::run).
    pub fn abort(self) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        tokio::net::TcpStream::from_std(self.stream)?.set_zero_linger()
    }

    /// Sends bytes while an answer is awaited, and ends the connection with it: for more than a peer cares to read before it
    /// refuses. `None`: the peer closed the connection instead.
    ///
    /// # Errors
    /// As [`Connection::read`].
    pub fn exchange(mut self, bytes: Vec<u8>) -> io::Result<Option<Answer>> {
        let mut writer = self.stream.try_clone()?;
        let writing = std::thread::spawn(move || writer.write_all(&bytes));
        let answer = self.read();
        // Whatever has not been sent by now is not wanted. That the peer has closed already is no error.
        let _ = self.stream.shutdown(Shutdown::Both);
        drop(writing.join());
        answer
    }

    /// Reads a few bytes of what comes and keeps nothing of them: how many there were, 0 at the end.
    ///
    /// # Errors
    /// When nothing comes within the bound.
    pub fn sip(&mut self, most: usize) -> io::Result<usize> {
        let mut part = vec![0; most];
        self.stream.read(&mut part)
    }

    /// Reads one final HTTP/1.1 answer. `None`: the peer closed the connection instead.
    ///
    /// # Errors
    /// When nothing comes within the bound, or what comes is no such answer.
    pub fn read(&mut self) -> io::Result<Option<Answer>> {
        let end = loop {
            if let Some(end) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if !self.read_more()? {
                return if self.ahead.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        };
        let head = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line.split(' ').nth(1).and_then(|it| it.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status in {head:?}")))?;
        if status == 100 {
            self.ahead.drain(..end + 4);
            return self.read();
        }
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = match length {
            Some((_, length)) => length.parse().map_err(io::Error::other)?,
            // Of an answer to what it cannot read, a server may leave out even that: it ends with the connection.
            None if headers
                .iter()
                .any(|(name, value)| name == "connection" && value == "close") =>
            {
                while self.read_more()? {}
                self.ahead.len() - end - 4
            }
            None => return Err(io::Error::other(format!("no length in {head:?}"))),
        };
        let whole = end + 4 + length;
        while self.ahead.len() < whole {
            if !self.read_more()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let answer: Vec<u8> = self.ahead.drain(..whole).collect();
        Ok(Some(Answer {
            status,
            headers,
            body: bytes::Bytes::copy_from_slice(&answer[end + 4..]),
        }))
    }

    fn read_more(&mut self) -> io::Result<bool> {
        let mut part = [0; 4096];
        match self.stream.read(&mut part) {
            Ok(0) => Ok(false),
            Ok(length) => {
                self.ahead.extend_from_slice(&part[..length]);
                Ok(true)
            }
            // The peer closed while bytes of ours were still on their way to it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The head of a `POST` to a path below `/reward-points`, with `more` header lines, each ended by CRLF.
#[must_use]
pub fn post_head(path: &str, token: &str, more: &str) -> String {
    format!(
        "POST /reward-points{path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n{more}\r\n"
    )
}
