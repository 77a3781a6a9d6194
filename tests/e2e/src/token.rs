//! Tokens that no issuer would give: claims of the test's choosing, and segments put together by hand.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testbed::DEV_ISSUER;

/// Seconds since 1970.
#[must_use]
pub fn now_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// What a usual token of the development issuer says, for an hour.
#[must_use]
pub fn claims(tenant: &str, scope: &str) -> Value {
    let now = now_seconds();
    json!({
        "iss": DEV_ISSUER,
        "sub": format!("subject-of-{tenant}"),
        "iat": now,
        "exp": now + 3600,
        "tenant": tenant,
        "scope": scope,
    })
}

/// The same claims with some of them replaced, and those that are null left out.
#[must_use]
pub fn with(mut claims: Value, changes: Value) -> Value {
    if let (Value::Object(claims), Value::Object(changes)) = (&mut claims, changes) {
        for (name, value) in changes {
            if value.is_null() {
                claims.remove(&name);
            } else {
                claims.insert(name, value);
            }
        }
    }
    claims
}

/// The same token under a signature of the same length that is not its own.
#[must_use]
pub fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    // The first character holds no padding bits: another one is another signature.
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let rest: String = signature.chars().skip(1).collect();
    format!("{signed}.{first}{rest}")
}

/// A token of these two documents and a signature that is made up.
#[must_use]
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let signature = base64url(&[0x5A; 64]);
    let (header, claims) = (header.to_string(), claims.to_string());
    format!(
        "{}.{}.{signature}",
        base64url(header.as_bytes()),
        base64url(claims.as_bytes())
    )
}

/// RFC 4648, section 5, without padding.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..=chunk.len() {
            let six = bits >> (18 - 6 * place) & 63;
            text.push(char::from(ALPHABET[six as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_those_of_the_standard() {
        // RFC 4648, section 10, without padding; the last for the two characters of its own.
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (b"\xfb\xff", "-_8"),
        ] {
            assert_eq!(base64url(bytes), text);
        }
    }

    #[test]
    fn a_forged_token_differs_in_its_signature_alone() {
        assert_eq!(forged("a.b.Acd"), "a.b.Bcd");
        assert_eq!(forged("a.b.xcd"), "a.b.Acd");
    }
}
