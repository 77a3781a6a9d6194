//! HTTP/2 frame by frame (RFC 9113), for what no HTTP/2 client would say: floods, resets, broken heads, shut windows.
//!
//! It writes what it is told, reads frames, and can tell the status of an answer. It keeps no state of streams, obeys no
//! window and answers nothing by itself: a test decides that. Heads are written without Huffman and without the dynamic
//! table, which the peer is told not to use either.

mod frames;
mod received;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub use frames::{
    block, data, flag, frame, headers, kind, request, reset, setting, settings, window,
};
pub use received::Received;
use received::first;

/// How long one read or one write of a whole flood may take.
const BOUND: Duration = Duration::from_secs(60);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const READ_BYTES: usize = 64 * 1024;

/// A connection that speaks HTTP/2 by prior knowledge.
#[derive(Debug)]
pub struct Http2 {
    stream: TcpStream,
    incoming: Incoming,
}

/// What was read: frames, and the bytes of one that is not whole.
#[derive(Debug, Default)]
struct Incoming {
    ahead: Vec<u8>,
    frames: VecDeque<Received>,
}

impl Incoming {
    /// Takes more bytes in. Whether the peer still wants to hear: not when it said goodbye for a reason.
    fn take_in(&mut self, bytes: &[u8]) -> bool {
        self.ahead.extend_from_slice(bytes);
        let (mut start, mut welcome) = (0, true);
        while let Some((received, length)) = first(&self.ahead[start..]) {
            start += length;
            welcome &= !received.is_refusal();
            self.frames.push_back(received);
        }
        self.ahead.drain(..start);
        welcome
    }
}

impl Http2 {
    /// Connects and says the preface with these settings.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(to: SocketAddr, pairs: &[(u16, u32)]) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let mut http2 = Self {
            stream,
            incoming: Incoming::default(),
        };
        let pairs = [&[(setting::HEADER_TABLE_SIZE, 0)], pairs].concat();
        http2.send(&[PREFACE, &settings(&pairs)].concat()).await?;
        Ok(http2)
    }

    /// Breaks the connection off: a reset instead of an orderly end.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn abort(self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }

    /// Writes bytes and reads nothing meanwhile.
    ///
    /// # Errors
    /// When the peer has closed the connection, or takes nothing for a minute.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        bounded(self.stream.write_all(bytes)).await
    }

    /// Writes bytes and keeps what comes meanwhile, until all is written or the peer has closed the connection or said
    /// goodbye for a reason: then `false`.
    ///
    /// # Errors
    /// When the peer neither takes nor sends anything for a minute.
    pub async fn pour(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let (mut from, mut to) = self.stream.split();
        let incoming = &mut self.incoming;
        let reading = async {
            let mut part = vec![0; READ_BYTES];
            loop {
                match from.read(&mut part).await {
                    Ok(0) | Err(_) => return false,
                    Ok(length) if !incoming.take_in(&part[..length]) => return false,
                    Ok(_) => {}
                }
            }
        };
        let writing = async {
            if to.write_all(bytes).await.is_err() {
                // What it said before it closed is still to be read.
                std::future::pending::<()>().await;
            }
            true
        };
        let both = async {
            tokio::select! {
                biased;
                written = writing => Ok(written),
                open = reading => Ok(open),
            }
        };
        bounded(both).await
    }

    /// The next frame; none when the connection has ended.
    ///
    /// # Errors
    /// When nothing comes for a minute.
    pub async fn read(&mut self) -> io::Result<Option<Received>> {
        loop {
            if let Some(received) = self.incoming.frames.pop_front() {
                return Ok(Some(received));
            }
            let mut part = vec![0; READ_BYTES];
            // A peer that closes while bytes are on their way to it resets the connection.
            match bounded(self.stream.read(&mut part)).await {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
                Ok(0) | Err(_) => return Ok(None),
                Ok(length) => drop(self.incoming.take_in(&part[..length])),
            }
        }
    }

    /// These frames are read again before anything else: for whoever has looked for others.
    pub fn put_back(&mut self, frames: Vec<Received>) {
        for received in frames.into_iter().rev() {
            self.incoming.frames.push_front(received);
        }
    }

    /// Reads until the answer on `stream` is whole: its status, and its body. None when it was reset or the connection
    /// ended instead. Settings and pings are answered on the way, and both windows kept open.
    ///
    /// # Errors
    /// When nothing comes for a minute.
    pub async fn answer(&mut self, stream: u32) -> io::Result<Option<(u16, Vec<u8>)>> {
        let (mut status, mut body) = (None, Vec::new());
        while let Some(received) = self.read().await? {
            if received.is_refusal() {
                return Ok(None);
            }
            self.oblige(&received).await;
            if received.stream != stream {
                continue;
            }
            match received.kind {
                kind::RST_STREAM => return Ok(None),
                kind::HEADERS => status = received.status().or(status),
                kind::DATA => body.extend_from_slice(&received.payload),
                _ => {}
            }
            if received.ends_stream() {
                return Ok(status.map(|status| (status, body)));
            }
        }
        Ok(None)
    }

    /// Does what a peer expects after a frame. That it closed meanwhile is seen by the next read.
    async fn oblige(&mut self, received: &Received) {
        let reply = match received.kind {
            kind::SETTINGS if received.flags & flag::ACK == 0 => {
                frame(kind::SETTINGS, flag::ACK, 0, &[])
            }
            kind::PING if received.flags & flag::ACK == 0 => {
                frame(kind::PING, flag::ACK, 0, &received.payload)
            }
            kind::DATA if !received.payload.is_empty() => {
                let more = received.payload.len() as u32;
                let mut both = window(0, more);
                if !received.ends_stream() {
                    both.extend(window(received.stream, more));
                }
                both
            }
            _ => return,
        };
        let _ = self.send(&reply).await;
    }

    /// Reads until the peer ends the connection or says goodbye for a reason, which is the same with a word: it takes
    /// nothing more then, and waits only for its words to arrive.
    ///
    /// # Errors
    /// When it does neither, and nothing comes for a minute.
    pub async fn ended(&mut self) -> io::Result<()> {
        while let Some(received) = self.read().await? {
            if received.is_refusal() {
                break;
            }
        }
        Ok(())
    }
}

async fn bounded<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(BOUND, work)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
