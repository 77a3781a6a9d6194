//! Frames as they are read, and the status that an answer's head begins with.

use super::frames::{flag, kind};

const HEAD_BYTES: usize = 9;

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

/// The first frame and how many bytes it takes, when it is whole.
pub(super) fn first(bytes: &[u8]) -> Option<(Received, usize)> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
