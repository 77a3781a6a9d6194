//! Counts the answers in a stream of bytes: statuses and lengths, nothing else.
//!
//! It reads what a server says to requests that are answered with a constant: a status line, headers with a
//! `content-length`, a body. Anything else is an error, not a guess.

/// An answer's head is never longer; more means that the stream is out of step.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Found in every head, whatever the case of its letters.
const LENGTH: &[u8] = b"content-length:";

/// The answers of one connection.
#[derive(Debug, Default)]
pub(super) struct Answers {
    held: Vec<u8>,
    /// How much of the body under way is still to come.
    body_left: usize,
}

/// The stream holds what this client does not understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfStep;

impl Answers {
    /// Takes bytes as they came, and tells the status of each answer whose head is complete. An answer counts before the end
    /// of its body has come: with a constant of some bytes that is the same read.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        mut answered: impl FnMut(u16),
    ) -> Result<(), OutOfStep> {
        // Nearly always whole answers come, and nothing need be copied.
        let mut joined = std::mem::take(&mut self.held);
        let mut bytes = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            joined.as_slice()
        };
        loop {
            let skipped = self.body_left.min(bytes.len());
            self.body_left -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                if bytes.len() > MAX_HEAD_BYTES {
                    return Err(OutOfStep);
                }
                self.held = bytes.to_vec();
                return Ok(());
            };
            let (head, rest) = bytes.split_at(end + 4);
            answered(status(head).ok_or(OutOfStep)?);
            self.body_left = length(head).ok_or(OutOfStep)?;
            bytes = rest;
        }
    }
}

/// `HTTP/1.1 401 Unauthorized`.
fn status(head: &[u8]) -> Option<u16> {
    let code = head.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

fn length(head: &[u8]) -> Option<usize> {
    let at = head
        .windows(LENGTH.len())
        .position(|part| part.eq_ignore_ascii_case(LENGTH))?;
    let value = head.get(at + LENGTH.len()..)?;
    let end = value.iter().position(|byte| *byte == b'\r')?;
    let digits = value.get(..end)?.trim_ascii();
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_however_they_are_cut() {
        let stream = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nserver: envoy\r\n\r\nok\
            HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n\
            HTTP/1.1 503 Service Unavailable\r\nserver: envoy\r\ncontent-length:19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        for size in 1..stream.len() {
            let (mut answers, mut seen) = (Answers::default(), Vec::new());
            for part in stream.chunks(size) {
                let read = answers.read(part, |status| seen.push(status));
                assert_eq!(read, Ok(()), "in pieces of {size}");
            }
            assert_eq!(seen, [200, 401, 503], "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let cases: [&[u8]; 4] = [
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n",
            b"what is this\r\n\r\n",
            &[b'a'; MAX_HEAD_BYTES + 1],
        ];
        for bytes in cases {
            let read = Answers::default().read(bytes, |_| {});
            assert_eq!(read, Err(OutOfStep), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
