//! An entry: which tokens, and the key that says so.
//!
//! `/points/1/revoked/ISSUER/KIND/VALUE`, issuer and value percent-encoded (RFC 3986; everything but unreserved
//! characters), so that a part never holds a `/` and no entry can be mistaken for another. The value stored under it is
//! empty: that the key is there is all there is to it.

use chrono::DateTime;

/// What every entry's key begins with.
pub const PREFIX: &str = "/points/1/revoked/";
/// The first key after all entries: `/` exchanged for the character that follows it.
pub const PREFIX_END: &str = "/points/1/revoked0";
/// Bytes of an issuer, a `jti` or a `sub`: more than fits a token that a gateway takes would never be met.
const MAX_PART_BYTES: usize = 2048;
/// Seconds by which a time may lie ahead. A time in milliseconds, taken for seconds, would shut out everybody for ever.
const MAX_AHEAD_SECONDS: u64 = 24 * 3600;

/// Why there is no such entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A part is empty or too long.
    #[error("the {0} must be 1 to {MAX_PART_BYTES} bytes")]
    Part(&'static str),
    /// Not a time.
    #[error(
        "{0:?} is no time: expected RFC 3339, as in 2027-01-31T12:00:00Z, or seconds since 1970"
    )]
    Time(String),
    /// A time that must be a mistake.
    #[error(
        "{0:?} is more than a day ahead (are these milliseconds?): later tokens would be refused too"
    )]
    Ahead(String),
}

/// Which tokens of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The one with this `jti`.
    Token(String),
    /// Those with this `sub`.
    Subject(String),
    /// Those with a smaller `iat`, seconds since 1970.
    IssuedBefore(u64),
}

/// Tokens that are good no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    issuer: String,
    what: What,
}

impl Entry {
    /// An entry.
    ///
    /// # Errors
    /// [`EntryError::Part`] when a part is empty or over 2,048 bytes.
    pub fn new(issuer: &str, what: What) -> Result<Self, EntryError> {
        let fits = |part: &str| (1..=MAX_PART_BYTES).contains(&part.len());
        if !fits(issuer) {
            return Err(EntryError::Part("issuer"));
        }
        match &what {
            What::Token(id) if !fits(id) => Err(EntryError::Part("jti")),
            What::Subject(subject) if !fits(subject) => Err(EntryError::Part("sub")),
            _ => Ok(Self {
                issuer: issuer.to_owned(),
                what,
            }),
        }
    }

    /// Its key in the engine.
    pub fn key(&self) -> Vec<u8> {
        let (kind, value) = self.parts();
        let (issuer, value) = (
            encode(&self.issuer, is_unreserved),
            encode(&value, is_unreserved),
        );
        format!("{PREFIX}{issuer}/{kind}/{value}").into_bytes()
    }

    /// The entry with that key.
    pub fn read(key: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(key).ok()?;
        let mut parts = text.strip_prefix(PREFIX)?.split('/');
        let (issuer, kind, value) = (parts.next()?, parts.next()?, decode(parts.next()?)?);
        let what = match kind {
            "jti" => What::Token(value),
            "sub" => What::Subject(value),
            "issued-before" => What::IssuedBefore(value.parse().ok()?),
            _ => return None,
        };
        let entry = Self::new(&decode(issuer)?, what).ok()?;
        // Another spelling of the same key is a key that no gateway looks at.
        (entry.key() == key).then_some(entry)
    }

    /// The entry for people and scripts: three words. Spaces, control characters and `%` are percent-encoded.
    pub fn line(&self) -> String {
        let (kind, value) = self.parts();
        let is_plain = |byte: u8| byte > b' ' && byte != b'%' && byte != 0x7f;
        format!(
            "{} {kind} {}",
            encode(&self.issuer, is_plain),
            encode(&value, is_plain)
        )
    }

    fn parts(&self) -> (&'static str, String) {
        match &self.what {
            What::Token(id) => ("jti", id.clone()),
            What::Subject(subject) => ("sub", subject.clone()),
            What::IssuedBefore(seconds) => ("issued-before", seconds.to_string()),
        }
    }
}

/// Seconds since 1970, given as such or as RFC 3339. A fraction counts as a whole second: tokens of that second are older.
///
/// # Errors
/// [`EntryError::Time`] and [`EntryError::Ahead`].
pub fn seconds(text: &str, now: u64) -> Result<u64, EntryError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = if is_number {
        text.parse().ok()
    } else {
        DateTime::parse_from_rfc3339(text).ok().and_then(|time| {
            let whole = u64::try_from(time.timestamp()).ok()?;
            whole.checked_add(u64::from(time.timestamp_subsec_nanos() > 0))
        })
    };
    let seconds = seconds.ok_or_else(|| EntryError::Time(text.to_owned()))?;
    if seconds > now.saturating_add(MAX_AHEAD_SECONDS) {
        return Err(EntryError::Ahead(text.to_owned()));
    }
    Ok(seconds)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Encodes the bytes that are not plain. Multi-byte characters are either all plain or all encoded.
fn encode(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut buffer = [0; 4];
    for character in text.chars() {
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        // Line separators and the like are no characters for a line.
        if bytes.iter().copied().all(&is_plain)
            && !character.is_control()
            && !character.is_whitespace()
        {
            out.push(character);
        } else {
            for byte in bytes {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let hex = |digit: Option<u8>| {
        let value = char::from(digit?).to_digit(16)?;
        u8::try_from(value).ok()
    };
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next())? << 4 | hex(rest.next())?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_lines_are_exact_and_read_back() {
        let issuer = "https://issuer.localhost/dev";
        for (issuer, what, key, line) in [
            (
                issuer,
                What::Token("a1-B2._~".to_owned()),
                "/points/1/revoked/https%3A%2F%2Fissuer.localhost%2Fdev/jti/a1-B2._~",
                "https://issuer.localhost/dev jti a1-B2._~",
            ),
            (
                issuer,
                What::Subject("Jürgen K/100%\n".to_owned()),
                "/points/1/revoked/https%3A%2F%2Fissuer.localhost%2Fdev/sub/J%C3%BCrgen%20K%2F100%25%0A",
                "https://issuer.localhost/dev sub Jürgen%20K/100%25%0A",
            ),
            (
                "a b\u{2028}",
                What::IssuedBefore(1_800_000_000),
                "/points/1/revoked/a%20b%E2%80%A8/issued-before/1800000000",
                "a%20b%E2%80%A8 issued-before 1800000000",
            ),
        ] {
            let entry = Entry::new(issuer, what).expect("an entry");
            assert_eq!(String::from_utf8(entry.key()).expect("text"), key);
            assert_eq!(entry.line(), line);
            assert_eq!(Entry::read(&entry.key()), Some(entry));
        }
    }

    #[test]
    fn what_is_no_entry_is_not_read_as_one() {
        for key in [
            "/points/1/revoked/",
            "/points/1/revoked/i/jti",
            "/points/1/revoked/i/jti/",
            "/points/1/revoked//jti/a",
            "/points/1/revoked/i/jti/a/b",
            "/points/1/revoked/i/JTI/a",
            "/points/1/revoked/i/jti/%61",
            "/points/1/revoked/i/jti/%2f",
            "/points/1/revoked/i/jti/%2",
            "/points/1/revoked/i/jti/%FF",
            "/points/1/revoked/i/issued-before/01",
            "/points/1/revoked/i/issued-before/+1",
            "/points/1/revoked/i/issued-before/x",
            "/points/2/revoked/i/jti/a",
        ] {
            assert_eq!(Entry::read(key.as_bytes()), None, "{key}");
        }
        let long = "x".repeat(MAX_PART_BYTES + 1);
        assert_eq!(
            Entry::new("", What::IssuedBefore(1)),
            Err(EntryError::Part("issuer"))
        );
        assert_eq!(
            Entry::new(&long, What::IssuedBefore(1)),
            Err(EntryError::Part("issuer"))
        );
        assert_eq!(
            Entry::new("i", What::Token(String::new())),
            Err(EntryError::Part("jti"))
        );
        assert_eq!(
            Entry::new("i", What::Subject(long)),
            Err(EntryError::Part("sub"))
        );
    }

    #[test]
    fn times_are_seconds_or_rfc_3339_and_not_far_ahead() {
        let now = 1_800_000_000;
        for (text, expected) in [
            ("0", Some(0)),
            ("1799999999", Some(1_799_999_999)),
            ("2027-01-15T08:00:00Z", Some(1_800_000_000)),
            ("2027-01-15T09:00:00+01:00", Some(1_800_000_000)),
            ("2027-01-15T08:00:00.001Z", Some(1_800_000_001)),
            ("1800086400", Some(1_800_086_400)),
            ("1800086401", None),
            ("1800000000000", None),
            ("2027-01-15", None),
            ("1969-12-31T23:59:59Z", None),
            ("-1", None),
            ("99999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(seconds(text, now).ok(), expected, "{text}");
        }
        let said = seconds("1800000000000", now)
            .expect_err("ahead")
            .to_string();
        assert!(said.contains("milliseconds"), "{said}");
    }
}
