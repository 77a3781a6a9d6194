//! Frames as they are written, and what their numbers mean.

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
}
