//! Requests that never repeat: bytes with a place for a running number, so that no server can remember one.

use anyhow::Context as _;

/// Digits of a stamp: what may stand in a token anyway.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Characters of a stamp: 60 bits never come round.
const STAMP_LENGTH: usize = 10;

/// A request with a place for a number that never repeats.
#[derive(Clone, Debug)]
pub struct Stamped {
    bytes: Vec<u8>,
    stamp_at: usize,
}

impl Stamped {
    /// A GET of `path` with that `Authorization`; the stamp replaces the characters before its last one. (The last of a
    /// base64url text may carry bits that must be zero.)
    ///
    /// # Errors
    /// When the header is too short for a stamp.
    pub fn new(path: &str, authorization: &str) -> anyhow::Result<Self> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: ");
        let stamp_at = authorization.len().checked_sub(STAMP_LENGTH + 1);
        let stamp_at = head.len() + stamp_at.context("a header too short for a stamp")?;
        Ok(Self {
            bytes: format!("{head}{authorization}\r\n\r\n").into_bytes(),
            stamp_at,
        })
    }

    /// Appends the request with the stamp `number`.
    pub(super) fn append(&self, number: u64, to: &mut Vec<u8>) {
        let start = to.len() + self.stamp_at;
        to.extend_from_slice(&self.bytes);
        let mut rest = number;
        for place in to.iter_mut().skip(start).take(STAMP_LENGTH) {
            *place = DIGITS[(rest % 64) as usize];
            rest /= 64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_requests_are_the_same() {
        let request = Stamped::new("/x", "Bearer aaaaaaaaaaaaaaaaaaaa.b.c").expect("a request");
        let mut seen = HashSet::new();
        for number in (0..5000).chain((1 << 36)..(1 << 36) + 5000) {
            let mut bytes = Vec::new();
            request.append(number, &mut bytes);
            assert!(bytes.ends_with(b"c\r\n\r\n") && bytes.starts_with(b"GET /x "));
            assert!(seen.insert(bytes), "{number}");
        }
        assert!(Stamped::new("/x", "short").is_err());
    }
}
