//! Strict JSON (RFC 8259): one value, no object that names a key twice, bounded nesting.
//!
//! Two parsers that disagree on a repeated name are a classic way around a check, so a repeat is refused instead of
//! resolved. Decides on form only, for tokens and for bodies; what a member means is known to whoever asked. The size of
//! the input is bounded by its callers.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A JSON value. Texts are borrowed from what was parsed, unless an escape stood in them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number written without sign, fraction or exponent, up to 2^64-1.
    Unsigned(u64),
    /// A whole number below zero written without fraction or exponent, down to -2^63.
    Negative(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// The members of a JSON object, in the order they stand; no name twice.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Object<'a> {
    /// The member called `name`, also when it is `null`.
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0
            .iter()
            .find_map(|(member, value)| (member == name).then_some(value))
    }

    /// The member called `name`, unless it is `null`.
    pub(crate) fn get_non_null(&self, name: &str) -> Option<&Json<'a>> {
        self.get(name).filter(|value| !matches!(value, Json::Null))
    }
}

impl From<Json<'_>> for serde_json::Value {
    fn from(value: Json<'_>) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Bool(value) => value.into(),
            Json::Unsigned(value) => value.into(),
            Json::Negative(value) => value.into(),
            Json::Float(value) => value.into(),
            Json::String(text) => text.into(),
            Json::Array(values) => values.into_iter().collect(),
            Json::Object(object) => object.into(),
        }
    }
}

impl From<Object<'_>> for serde_json::Value {
    fn from(object: Object<'_>) -> Self {
        let members = object.0.into_iter();
        members
            .map(|(name, value)| (name.into_owned(), Self::from(value)))
            .collect()
    }
}

/// Parses `bytes` as exactly one JSON object, itself the first of at most `max_nesting` levels.
///
/// # Errors
/// serde_json's error with line and column: syntax, invalid UTF-8, a name twice, too deep, anything behind the object.
pub(crate) fn parse_object(
    bytes: &[u8],
    max_nesting: usize,
) -> Result<Object<'_>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict {
        levels_left: max_nesting,
    }
    .deserialize(&mut deserializer)?;
    deserializer.end()?;
    match value {
        Json::Object(object) => Ok(object),
        _ => Err(serde_json::Error::custom("not an object")),
    }
}

/// Reads one value with `levels_left` levels of nesting allowed.
#[derive(Clone, Copy)]
struct Strict {
    levels_left: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Self { levels_left }),
            None => Err(E::custom("nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Unsigned(value))
    }

    // serde_json calls this for negative numbers only.
    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Negative(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }

    fn visit_string<E>(self, value: String) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            array.push(element);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut seen = Names::default();
        let mut object = Vec::new();
        while let Some(Name(name)) = members.next_key()? {
            if !seen.insert(&name, &object) {
                return Err(A::Error::custom("an object names a key twice"));
            }
            let value = members.next_value_seed(inner)?;
            object.push((name, value));
        }
        Ok(Json::Object(Object(object)))
    }
}

/// The name of a member.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The names of an object that have been read: looked through while they are few, as they are in every token and almost
/// every body, and kept in order when they become many.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// Up to so many members are looked through one by one.
    const FEW: usize = 24;

    /// Takes note of `name`, after all of `members`. Whether it is new.
    fn insert(&mut self, name: &str, members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
        if members.len() < Self::FEW {
            return members.iter().all(|(member, _)| member != name);
        }
        if self.0.is_empty() {
            self.0 = members
                .iter()
                .map(|(member, _)| member.clone().into_owned())
                .collect();
        }
        self.0.insert(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: usize = 16;

    fn parse(text: &[u8]) -> Option<Object<'_>> {
        parse_object(text, LEVELS).ok()
    }

    #[test]
    fn only_one_plain_object_is_accepted() {
        let deep = |n: usize| format!("{{\"a\":{}1{}}}", "[".repeat(n), "]".repeat(n));
        let table: &[(&str, bool)] = &[
            ("{}", true),
            (" {\"a\" : [1, -1, 1.5, null, true, \"x\", {}]}\r\n", true),
            (&deep(LEVELS - 1), true),
            (&deep(LEVELS), false),
            (&deep(30_000), false),
            ("{\"a\":1,\"a\":1}", false),
            ("{\"a\":1,\"\\u0061\":1}", false),
            ("{\"o\":{\"a\":1,\"a\":2}}", false),
            ("{\"l\":[{\"a\":1,\"a\":2}]}", false),
            ("{} {}", false),
            ("{}x", false),
            ("{\"a\":1,}", false),
            ("{\"a\":01}", false),
            ("{\"a\":+1}", false),
            ("{\"a\":1e999}", false),
            ("{\"a\":NaN}", false),
            ("{'a':1}", false),
            ("{\"a\":\"\u{1}\"}", false),
            ("{\"a\":\"\\ud800\"}", false),
            ("\u{feff}{}", false),
            ("[]", false),
            ("\"a\"", false),
            ("null", false),
            ("{", false),
            (" ", false),
            ("", false),
        ];
        for (text, accepted) in table {
            assert_eq!(parse(text.as_bytes()).is_some(), *accepted, "{text}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn a_name_is_noticed_twice_among_few_and_among_many() {
        for count in [1, 2, 23, 24, 25, 26, 100] {
            for twice in [0, count / 2, count - 1] {
                let members: Vec<String> = (0..count).map(|it| format!("\"n{it}\":{it}")).collect();
                let once = members.join(",");
                assert!(parse(format!("{{{once}}}").as_bytes()).is_some(), "{count}");
                let again = format!("{{{once},\"n{twice}\":0}}");
                assert!(parse(again.as_bytes()).is_none(), "{twice} of {count}");
            }
        }
    }

    #[test]
    fn a_member_that_is_null_is_still_there() {
        let object = parse(b"{\"a\":null}").unwrap();
        assert_eq!(object.get("a"), Some(&Json::Null));
        assert_eq!(object.get_non_null("a"), None);
        assert_eq!(object.get("b"), None);
    }

    #[test]
    fn numbers_keep_apart_what_is_written_as_a_plain_whole_one() {
        for (text, expected) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("-0", None),
            ("1.0", None),
            ("1e3", None),
            ("1E0", None),
        ] {
            let text = format!("{{\"n\":{text}}}");
            let object = parse(text.as_bytes()).unwrap();
            let found = match object.get("n") {
                Some(Json::Unsigned(number)) => Some(*number),
                _ => None,
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
