//! A reference for strict JSON: everything is read first, by serde_json's grammar, and judged afterwards, slowly.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A value with its objects' members as they stand, repeated ones among them.
#[derive(Debug)]
pub enum Plain {
    /// Neither object nor array.
    Leaf(Value),
    /// An array.
    Array(Vec<Plain>),
    /// An object.
    Object(Vec<(String, Plain)>),
}

impl Plain {
    /// The deepest nesting of arrays and objects; 0: a leaf.
    #[must_use]
    pub fn depth(&self) -> usize {
        let below = match self {
            Self::Leaf(_) => return 0,
            Self::Array(values) => values.iter().map(Self::depth).max(),
            Self::Object(members) => members.iter().map(|(_, it)| it.depth()).max(),
        };
        below.unwrap_or(0) + 1
    }

    /// Whether an object in it names a member twice.
    #[must_use]
    pub fn repeats(&self) -> bool {
        match self {
            Self::Leaf(_) => false,
            Self::Array(values) => values.iter().any(Self::repeats),
            Self::Object(members) => {
                let mut names: Vec<&String> = members.iter().map(|(name, _)| name).collect();
                names.sort();
                names.windows(2).any(|pair| pair[0] == pair[1])
                    || members.iter().any(|(_, it)| it.repeats())
            }
        }
    }
}

/// Whether these bytes are one strict JSON object that nests no deeper than this.
#[must_use]
pub fn is_strict_object(bytes: &[u8], max_nesting: usize) -> bool {
    serde_json::from_slice::<Plain>(bytes).is_ok_and(|plain| {
        matches!(plain, Plain::Object(_)) && plain.depth() <= max_nesting && !plain.repeats()
    })
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Plain, E> {
        Ok(Plain::Leaf(Value::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain::Leaf(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain::Leaf(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain::Leaf(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain::Leaf(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain::Leaf(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Plain, A::Error> {
        let mut array = Vec::new();
        while let Some(value) = values.next_element()? {
            array.push(value);
        }
        Ok(Plain::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Plain, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Plain::Object(object))
    }
}
