//! gRPC's message frame: one byte for compression, four for the length, then the message.
//!
//! Modules see messages without it, the network only with it.

use bytes::{Buf as _, Bytes, BytesMut};

/// Envoy's cap on what a callout may bring, bytes.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

const HEADER_BYTES: usize = 5;

/// Puts a message into its frame.
pub fn encode(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + message.len());
    frame.extend_from_slice(&[0]);
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame.freeze()
}

/// Why bytes are no frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Nobody asked for compression.
    #[error("compressed gRPC message")]
    Compressed,
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("gRPC message of {0} bytes")]
    TooLarge(usize),
}

/// Takes messages out of a byte stream that is cut anywhere.
#[derive(Debug, Default)]
pub struct Decoder(BytesMut);

impl Decoder {
    /// More bytes.
    pub fn push(&mut self, data: &[u8]) {
        self.0.extend_from_slice(data);
    }

    /// The next whole message, if there is one.
    ///
    /// # Errors
    /// [`FrameError`]: the stream is broken from here on.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let Some(header) = self.0.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [compressed, a, b, c, d] = *header;
        if compressed != 0 {
            return Err(FrameError::Compressed);
        }
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE_BYTES {
            return Err(FrameError::TooLarge(length));
        }
        if self.0.len() - HEADER_BYTES < length {
            return Ok(None);
        }
        self.0.advance(HEADER_BYTES);
        Ok(Some(self.0.split_to(length).to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_wherever_the_bytes_are_cut() {
        let mut bytes = encode(b"one").to_vec();
        bytes.extend(encode(b""));
        bytes.extend(encode(b"three"));
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                decoder.push(part);
                while let Some(message) = decoder.next_message().expect("sound") {
                    got.push(message);
                }
            }
            assert_eq!(got, [&b"one"[..], b"", b"three"], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let mut decoder = Decoder::default();
        decoder.push(&[1, 0, 0, 0, 0]);
        assert_eq!(decoder.next_message(), Err(FrameError::Compressed));
        let mut decoder = Decoder::default();
        decoder.push(&[0, 255, 255, 255, 255]);
        assert!(matches!(
            decoder.next_message(),
            Err(FrameError::TooLarge(_))
        ));
    }
}
