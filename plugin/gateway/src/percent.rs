//! Percent-encoding (RFC 3986, section 2.1), once and strictly.
//!
//! A malformed escape is an error, never data: two readers that guess differently is how one resource becomes another.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// A `%` that two hexadecimal digits do not follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MalformedEscape;

/// Decodes every escape once. `+` stays `+`.
///
/// # Errors
/// [`MalformedEscape`] when a `%` is not followed by two hexadecimal digits.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<u8>, MalformedEscape> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = rest.next().and_then(hex_value).ok_or(MalformedEscape)?;
            let low = rest.next().and_then(hex_value).ok_or(MalformedEscape)?;
            out.push(high << 4 | low);
        } else {
            out.push(byte);
        }
    }
    Ok(out)
}

/// Decodes one value of a query string, where `+` stands for a space (WHATWG URL, section 5).
///
/// # Errors
/// [`MalformedEscape`] as for [`decode`].
pub(crate) fn decode_query(bytes: &[u8]) -> Result<Vec<u8>, MalformedEscape> {
    let spaced: Vec<u8> = bytes
        .iter()
        .map(|&byte| if byte == b'+' { b' ' } else { byte })
        .collect();
    decode(&spaced)
}

/// Encodes everything but RFC 3986's unreserved characters, so that the result never holds a `/`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    encode_to(&mut out, bytes);
    out
}

/// The same behind what is there already.
pub(crate) fn encode_to(out: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.extend(HEX.get(usize::from(nibble)).copied().map(char::from));
            }
        }
    }
}

fn hex_value(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_each_escape_once() {
        for (given, expected) in [
            (&b"a%2Fb"[..], Ok(&b"a/b"[..])),
            (b"a%252Fb", Ok(b"a%2Fb")),
            (b"%41+b", Ok(b"A+b")),
            (b"%ff", Ok(b"\xff")),
            (b"", Ok(b"")),
            (b"%", Err(MalformedEscape)),
            (b"%4", Err(MalformedEscape)),
            (b"%4g", Err(MalformedEscape)),
            (b"%+1", Err(MalformedEscape)),
        ] {
            assert_eq!(decode(given), expected.map(<[u8]>::to_vec), "{given:?}");
        }
    }

    #[test]
    fn what_is_encoded_decodes_to_itself_and_holds_no_separator() {
        let all: Vec<u8> = (0..=255).collect();
        let encoded = encode(&all);
        assert!(!encoded.contains('/'));
        assert_eq!(decode(encoded.as_bytes()), Ok(all));
        assert_eq!(encode(b"customer-1_2.3~"), "customer-1_2.3~");
        assert_eq!(decode_query(b"a+b%2B"), Ok(b"a b+".to_vec()));
    }
}
