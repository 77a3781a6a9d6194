//! Strict base64url: no padding, no whitespace, no spare bits. What is refused here has no second spelling.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The bytes that `text` stands for. `None` when it is not canonical base64url without padding.
pub(crate) fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::base64url;

    #[test]
    fn only_the_canonical_spelling_is_read() {
        assert_eq!(base64url(b"").unwrap(), b"");
        assert_eq!(base64url(b"-_8").unwrap(), [0xfb, 0xff]);
        assert_eq!(base64url(b"AA").unwrap(), [0]);
        for text in [
            "AA==", "AA=", "AB", "AAB", "A", "AAAAA", "+/8", " AA", "AA ", "A A", "AA\n", "AA.",
            "\u{e4}A",
        ] {
            assert!(base64url(text.as_bytes()).is_none(), "{text}");
        }
    }
}
