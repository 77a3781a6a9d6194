//! Strict JSON: what two parsers could read differently is refused.
//!
//! Decides on form only (duplicate keys, nesting, encoding). What a field means is decided by [`super::body`].

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// How deep arrays and objects may nest; the outermost counts as one. Our own bodies need three.
pub const MAX_NESTING: usize = 32;

/// A JSON value in which no object names a key twice.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number written without sign, fraction or exponent, up to 2^64-1.
    Unsigned(u64),
    /// Any other number.
    OtherNumber,
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object's members in the order in which they were written.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The member `name` of an object; `null` members count as absent.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)
                .filter(|value| !matches!(value, Self::Null)),
            _ => None,
        }
    }
}

/// Parses one JSON text (RFC 8259).
///
/// # Errors
/// serde_json's error with line and column: syntax, invalid UTF-8, a key named twice, nesting over [`MAX_NESTING`],
/// anything after the value.
pub fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict {
        levels_left: MAX_NESTING,
    }
    .deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    levels_left: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Self { levels_left }),
            None => Err(E::custom(format_args!(
                "nested over {MAX_NESTING} levels deep"
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Unsigned(value))
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Value, E> {
        Ok(Value::OtherNumber)
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Value, E> {
        Ok(Value::OtherNumber)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut out = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(de::Error::custom("an object names a key twice"));
            }
            out.push((key, members.next_value_seed(inner)?));
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_apart_what_counts_as_points() {
        for (text, expected) in [
            ("0", Value::Unsigned(0)),
            ("18446744073709551615", Value::Unsigned(u64::MAX)),
            ("18446744073709551616", Value::OtherNumber),
            ("-1", Value::OtherNumber),
            ("-0", Value::OtherNumber),
            ("1.0", Value::OtherNumber),
            ("1e3", Value::OtherNumber),
            ("1E0", Value::OtherNumber),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_two_parsers_could_read_differently() {
        for text in [
            &b""[..],
            b" ",
            b"{",
            b"{} {}",
            b"nul",
            b"01",
            b"+1",
            b"1e999",
            b"NaN",
            b"{\"a\":1,\"a\":1}",
            b"{\"x\":{\"a\":1,\"\\u0061\":2}}",
            b"\"\xff\"",
            b"\"\\ud800\"",
            b"'a'",
            b"[1,]",
            b"\xef\xbb\xbf{}",
        ] {
            assert!(parse(text).is_err(), "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn nesting_is_bounded_at_the_named_level() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_NESTING).as_bytes()).is_ok());
        assert!(parse(nested(MAX_NESTING + 1).as_bytes()).is_err());
        assert!(parse(nested(30_000).as_bytes()).is_err());
    }

    #[test]
    fn a_null_member_counts_as_absent() {
        let value = parse(br#"{"a":null,"b":"x"}"#).unwrap();
        assert_eq!(value.member("a"), None);
        assert_eq!(value.member("b"), Some(&Value::String("x".into())));
        assert_eq!(Value::Null.member("a"), None);
    }
}
