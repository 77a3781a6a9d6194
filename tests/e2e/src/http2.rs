//! HTTP/2 frame by frame (RFC 9113), for what no HTTP/2 client would say: floods, resets, broken heads, shut windows.
//!
//! It writes what it is told, reads frames, and can tell the status of an answer. It keeps no state of streams, obeys no
//! window and answers nothing by itself: a test decides that. Heads are written without Huffman and without the dynamic
//! table, which the peer is told not to use either.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long one read or one write of a whole flood may take.
const BOUND: Duration = Duration::from_secs(60);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD_BYTES: usize = 9;
const READ_BYTES: usize = 64 * 1024;

/// The numbers of frame types.
pub mod kind {
    /// A part of a body.
    pub const DATA: u8 = 0;
    /// The beginning of a head.
    pub const HEADERS: u8 = 1;
    /// Means nothing any more.
    pub const PRIORITY: u8 = 2;
    /// A stream is broken off.
    pub const RST_STREAM: u8 = 3;
    /// What the peer may do.
    pub const SETTINGS: u8 = 4;
    /// Is somebody there?
    pub const PING: u8 = 6;
    /// No new streams; the connection ends.
    pub const GOAWAY: u8 = 7;
    /// More may be sent.
    pub const WINDOW_UPDATE: u8 = 8;
    /// More of a head.
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    /// Of DATA and HEADERS: nothing follows on this stream.
    pub const END_STREAM: u8 = 1;
    /// Of SETTINGS and PING: it is an answer to one.
    pub const ACK: u8 = 1;
    /// Of HEADERS and CONTINUATION: the head is whole.
    pub const END_HEADERS: u8 = 4;
}

/// Numbers of settings.
pub mod setting {
    /// How large the table for compressed heads may become.
    pub const HEADER_TABLE_SIZE: u16 = 1;
    /// The window of each new stream, and of those that there are.
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
}

/// One frame's bytes.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A whole head in one HEADERS frame.
#[must_use]
pub fn headers(stream: u32, fields: &[(&str, &[u8])], end_stream: bool) -> Vec<u8> {
    let end = if end_stream { flag::END_STREAM } else { 0 };
    frame(
        kind::HEADERS,
        flag::END_HEADERS | end,
        stream,
        &block(fields),
    )
}

/// The fields of a request of the API for a path below `/reward-points`, with a JSON body when it is a `POST`.
#[must_use]
pub fn request<'a>(
    method: &'a str,
    path: &'a str,
    bearer: &'a str,
) -> Vec<(&'static str, &'a [u8])> {
    let mut fields = vec![
        (":method", method.as_bytes()),
        (":scheme", &b"http"[..]),
        (":authority", b"gateway"),
        (":path", path.as_bytes()),
        ("authorization", bearer.as_bytes()),
    ];
    if method == "POST" {
        fields.push(("content-type", b"application/json"));
    }
    fields
}

/// A part of a body.
#[must_use]
pub fn data(stream: u32, bytes: &[u8], end_stream: bool) -> Vec<u8> {
    let end = if end_stream { flag::END_STREAM } else { 0 };
    frame(kind::DATA, end, stream, bytes)
}

/// A stream is broken off: CANCEL.
#[must_use]
pub fn reset(stream: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

/// Settings.
#[must_use]
pub fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let pairs = pairs.iter().flat_map(|(name, value)| {
        let (name, value) = (name.to_be_bytes(), value.to_be_bytes());
        name.into_iter().chain(value)
    });
    frame(kind::SETTINGS, 0, 0, &pairs.collect::<Vec<u8>>())
}

/// More may be sent on a stream, or on all of them (0).
#[must_use]
pub fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

/// A head compressed without compression: literal fields that are not remembered (RFC 7541, 6.2.2).
#[must_use]
pub fn block(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name.as_bytes(), value] {
            bytes.extend(integer(text.len()));
            bytes.extend_from_slice(text);
        }
    }
    bytes
}

/// An integer after a prefix of seven bits, the eighth being 0 (RFC 7541, 5.1).
fn integer(value: usize) -> Vec<u8> {
    const FULL: usize = 127;
    let Some(mut rest) = value.checked_sub(FULL) else {
        return vec![value as u8];
    };
    let mut bytes = vec![FULL as u8];
    while rest >= 128 {
        bytes.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    bytes.push(rest as u8);
    bytes
}

/// A frame that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream, 0 for the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Received {
    /// The status of the answer that begins with this frame.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        (self.kind == kind::HEADERS)
            .then(|| status(&self.payload))
            .flatten()
    }

    /// Whether the peer says with it that it ends the connection for something that we did.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let code = self.payload.get(4..8).unwrap_or_default();
        self.kind == kind::GOAWAY && code.iter().any(|byte| *byte != 0)
    }

    /// Whether it is the last one of its stream.
    #[must_use]
    pub fn ends_stream(&self) -> bool {
        match self.kind {
            kind::DATA | kind::HEADERS => self.flags & flag::END_STREAM != 0,
            kind::RST_STREAM => true,
            _ => false,
        }
    }
}

/// The status that a head begins with, from a peer that was told to remember nothing (RFC 7541).
fn status(block: &[u8]) -> Option<u16> {
    // Servers may say again how large their table is.
    let block = block
        .split_at(block.iter().position(|byte| byte >> 5 != 1)?)
        .1;
    match *block {
        [first @ 0x88..=0x8e, ..] => {
            const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
            KNOWN.get(usize::from(first - 0x88)).copied()
        }
        // A literal whose name is `:status`, the eighth of the table.
        [0x08 | 0x18 | 0x48, length, ref text @ ..] => {
            let bytes = text.get(..usize::from(length & 127))?;
            if length & 128 == 0 {
                std::str::from_utf8(bytes).ok()?.parse().ok()
            } else {
                digits(bytes)
            }
        }
        _ => None,
    }
}

/// Three digits in the Huffman code of RFC 7541, appendix B: 0 to 2 take five bits, the others six.
fn digits(bytes: &[u8]) -> Option<u16> {
    let bit = |place: usize| Some(u16::from(bytes.get(place / 8)? >> (7 - place % 8) & 1));
    let (mut place, mut number) = (0, 0);
    for _ in 0..3 {
        let mut code = 0;
        for _ in 0..5 {
            code = code << 1 | bit(place)?;
            place += 1;
        }
        let digit = if code <= 2 {
            code
        } else {
            let code = code << 1 | bit(place)?;
            place += 1;
            code.checked_sub(0b01_1001)?.checked_add(3)?
        };
        number = number * 10 + digit;
    }
    Some(number)
}

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

/// The first frame and how many bytes it takes, when it is whole.
fn first(bytes: &[u8]) -> Option<(Received, usize)> {
    let head: [u8; HEAD_BYTES] = bytes.get(..HEAD_BYTES)?.try_into().ok()?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let end = HEAD_BYTES + u32::from_be_bytes([0, a, b, c]) as usize;
    let received = Received {
        kind,
        flags,
        stream: u32::from_be_bytes(stream) & 0x7FFF_FFFF,
        payload: bytes.get(HEAD_BYTES..end)?.to_vec(),
    };
    Some((received, end))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_heads_are_those_of_the_standards() {
        assert_eq!(
            frame(kind::PING, flag::ACK, 0, b"12345678"),
            b"\x00\x00\x08\x06\x01\x00\x00\x00\x0012345678"
        );
        assert_eq!(block(&[("a", b"bc")]), b"\x00\x01a\x02bc");
        assert_eq!(integer(127), [127, 0]);
        // RFC 7541, C.1.2, with a prefix of seven bits instead of five.
        assert_eq!(integer(1337), [127, 0b1011_1010, 0b0000_1001]);
        assert_eq!(settings(&[(4, 0)])[9..], [0, 4, 0, 0, 0, 0]);
    }

    #[test]
    fn a_status_is_read_in_each_of_its_forms() {
        for (block, expected) in [
            (&b"\x88"[..], Some(200)),
            (b"\x20\x8d", Some(404)),
            (b"\x08\x03201", Some(201)),
            // RFC 7541, C.6.1: 302 in Huffman code.
            (b"\x48\x82\x64\x02", Some(302)),
            // 503: 011011 00000 011001, filled up with ones.
            (b"\x48\x83\x6c\x0c\xff", Some(503)),
            (b"\x00\x01a\x01b", None),
            (b"", None),
        ] {
            assert_eq!(status(block), expected, "{block:x?}");
        }
    }
}
