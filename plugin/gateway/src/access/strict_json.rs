//! JSON as a token may hold it: one value, no repeated member names at any level, bounded nesting.
//!
//! Two parsers that disagree on a repeated name are a classic way around a check, so a repeat is refused instead of resolved.
//! This module knows nothing of tokens; the size of its input is bounded by its callers.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Deepest nesting of arrays and objects in a token's header or claims.
pub(super) const MAX_DEPTH: usize = 16;

/// A JSON value.
pub(super) enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number that is not negative.
    Unsigned(u64),
    /// Any other number.
    Float(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Object),
}

/// The members of a JSON object, in the order they stand; no name twice.
pub(super) struct Object(Vec<(String, Json)>);

impl Object {
    /// Parses `bytes` as exactly one JSON object. `None` when they are anything else.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let value = Value {
            depth_left: MAX_DEPTH,
        }
        .deserialize(&mut deserializer)
        .ok()?;
        deserializer.end().ok()?;
        match value {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The member called `name`, also when it is `null`.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.0
            .iter()
            .find_map(|(member, value)| (member == name).then_some(value))
    }
}

/// Reads one value with `depth_left` levels of nesting allowed.
#[derive(Clone, Copy)]
struct Value {
    depth_left: usize,
}

impl Value {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left }),
            None => Err(E::custom("nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Unsigned(value))
    }

    // serde_json calls this for negative numbers only; all that is ever asked of one is that it be refused.
    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Float(f64::NEG_INFINITY))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            array.push(element);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut object: Vec<(String, Json)> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.len() >= MAX_MEMBERS || object.iter().any(|(seen, _)| *seen == name) {
                return Err(A::Error::custom("a repeated member, or too many"));
            }
            let value = members.next_value_seed(inner)?;
            object.push((name, value));
        }
        Ok(Json::Object(Object(object)))
    }
}

/// Most members of one object: the search for repeats is quadratic, and a token is at most a few kilobytes anyway.
pub(super) const MAX_MEMBERS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_plain_object_is_accepted() {
        let deep = |n: usize| format!("{{\"a\":{}1{}}}", "[".repeat(n), "]".repeat(n));
        let wide = |n: usize| {
            let members: Vec<_> = (0..n).map(|i| format!("\"m{i}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        let table: &[(&str, bool)] = &[
            ("{}", true),
            (" {\"a\" : [1, -1, 1.5, null, true, \"x\", {}]}\r\n", true),
            (&deep(MAX_DEPTH - 1), true),
            (&deep(MAX_DEPTH), false),
            (&deep(4000), false),
            (&wide(MAX_MEMBERS), true),
            (&wide(MAX_MEMBERS + 1), false),
            ("{\"a\":1,\"a\":1}", false),
            ("{\"a\":1,\"\\u0061\":1}", false),
            ("{\"o\":{\"a\":1,\"a\":2}}", false),
            ("{\"l\":[{\"a\":1,\"a\":2}]}", false),
            ("{} {}", false),
            ("{}x", false),
            ("{\"a\":1,}", false),
            ("{\"a\":01}", false),
            ("{\"a\":1e999}", false),
            ("{\"a\":NaN}", false),
            ("{\"a\":\"\u{1}\"}", false),
            ("{\"a\":\"\\ud800\"}", false),
            ("\u{feff}{}", false),
            ("[]", false),
            ("\"a\"", false),
            ("null", false),
            ("", false),
        ];
        for (text, accepted) in table {
            assert_eq!(
                Object::parse(text.as_bytes()).is_some(),
                *accepted,
                "{text}"
            );
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn a_member_that_is_null_is_still_there() {
        let object = Object::parse(b"{\"a\":null}").unwrap();
        assert!(matches!(object.get("a"), Some(Json::Null)));
        assert!(object.get("b").is_none());
    }
}
