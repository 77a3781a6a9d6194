//! Checks a document against the schema of scenarios, in words for people.
//!
//! It knows the keywords of JSON Schema (2020-12) that this schema uses and no others, which a test sees to. A whole validator
//! would bring thirty-six crates to say "not valid under any of the given schemas"; here a wrong name is told with the
//! one that was meant.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use regex::Regex;
use serde_json::{Map, Value};

/// How many letters may differ between a name and the one that was meant.
const NEAR: usize = 2;

/// What is said of lists and maps with nothing in them.
const EMPTY: &str = "is empty, but must hold something";

/// Everything that is wrong, by JSON pointer.
pub(super) fn check(schema: &str, document: &Value) -> Vec<(String, String)> {
    let root: Value = serde_json::from_str(schema).expect("the schema is JSON");
    let mut check = Check {
        root: &root,
        complaints: Vec::new(),
    };
    check.value(&root, document, "");
    check.complaints
}

struct Check<'a> {
    root: &'a Value,
    complaints: Vec<(String, String)>,
}

impl<'a> Check<'a> {
    fn complain(&mut self, pointer: &str, words: String) {
        self.complaints.push((pointer.to_owned(), words));
    }

    fn value(&mut self, schema: &'a Value, value: &Value, pointer: &str) {
        let Some(schema) = schema.as_object() else {
            return;
        };
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let referred = self.root.pointer(name.trim_start_matches('#'));
            self.value(
                referred.expect("the schema refers to itself"),
                value,
                pointer,
            );
        }
        if let Some(wanted) = schema.get("type")
            && !names_of(wanted).iter().any(|name| is_of(value, name))
        {
            let wanted: Vec<&str> = names_of(wanted).into_iter().map(said).collect();
            let words = format!(
                "is {}, but must be {}",
                said(type_of(value)),
                wanted.join(" or ")
            );
            return self.complain(pointer, words);
        }
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let all: Vec<String> = allowed.iter().map(Value::to_string).collect();
            self.complain(pointer, format!("{value} is none of {}", all.join(", ")));
        }
        match value {
            Value::Number(_) => self.number(schema, value, pointer),
            Value::String(text) => self.text(schema, text, pointer),
            Value::Array(items) => {
                let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
                if (items.len() as u64) < least {
                    self.complain(pointer, EMPTY.to_owned());
                }
                if let Some(schema) = schema.get("items") {
                    for (number, item) in items.iter().enumerate() {
                        self.value(schema, item, &format!("{pointer}/{number}"));
                    }
                }
            }
            Value::Object(members) => self.object(schema, members, pointer),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn number(&mut self, schema: &Map<String, Value>, value: &Value, pointer: &str) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let number = value.as_f64().unwrap_or_default();
        if bound("minimum").is_some_and(|least| number < least)
            || bound("maximum").is_some_and(|most| number > most)
        {
            let words = match (bound("minimum"), bound("maximum")) {
                (Some(least), Some(most)) => format!("{value} is not within {least} to {most}"),
                (Some(least), None) => format!("{value} is less than {least}"),
                (_, most) => format!("{value} is more than {}", most.unwrap_or_default()),
            };
            self.complain(pointer, words);
        }
    }

    fn text(&mut self, schema: &Map<String, Value>, text: &str, pointer: &str) {
        let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
        if (text.chars().count() as u64) < least {
            self.complain(pointer, "is empty, but must say something".to_owned());
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && !fits(pattern, text)
        {
            let meant = match schema.get("description").and_then(Value::as_str) {
                Some(meant) => lower_first(meant.trim_end_matches('.')),
                None => format!("of the form {pattern}"),
            };
            self.complain(pointer, format!("{text:?} is not as it must be: {meant}"));
        }
    }

    fn object(
        &mut self,
        schema: &'a Map<String, Value>,
        members: &Map<String, Value>,
        pointer: &str,
    ) {
        for name in schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let name = name.as_str().unwrap_or_default();
            if !members.contains_key(name) {
                self.complain(pointer, format!("the field {name:?} is missing"));
            }
        }
        let least = schema
            .get("minProperties")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        if (members.len() as u64) < least {
            self.complain(pointer, EMPTY.to_owned());
        }
        let known = schema.get("properties").and_then(Value::as_object);
        for (name, member) in members {
            let place = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            if let Some(pattern) = schema
                .get("propertyNames")
                .and_then(|it| it["pattern"].as_str())
                && !fits(pattern, name)
            {
                self.complain(
                    &place,
                    format!("the name {name:?} is not of the form {pattern}"),
                );
            }
            match (
                known.and_then(|known| known.get(name)),
                schema.get("additionalProperties"),
            ) {
                (Some(schema), _) => self.value(schema, member, &place),
                (None, Some(Value::Bool(false))) => {
                    let known = known.into_iter().flat_map(Map::keys).map(String::as_str);
                    self.complain(&place, no_such("field", name, known));
                }
                (None, Some(schema)) => self.value(schema, member, &place),
                (None, None) => {}
            }
        }
    }
}

/// What is said of a name that there is not: the one that was meant, or all that there are.
pub(super) fn no_such<'n>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> String {
    let nearest = known.clone().map(|it| (distance(name, it), it)).min();
    match nearest {
        Some((away, meant)) if away <= NEAR => {
            format!("there is no such {what}; did you mean {meant:?}?")
        }
        _ => {
            let all: Vec<&str> = known.collect();
            format!("there is no such {what}; there are {}", all.join(", "))
        }
    }
}

/// How many letters have to be put in, taken away, exchanged or swapped with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut least = (rows[i][j] + usize::from(a != b))
                .min(rows[i][j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

fn names_of(types: &Value) -> Vec<&str> {
    match types {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    type_of(value) == name || (name == "number" && value.is_number())
}

fn said(name: &str) -> &'static str {
    match name {
        "null" => "nothing (null)",
        "boolean" => "true or false",
        "number" => "a number",
        "integer" => "a whole number",
        "string" => "a text",
        "array" => "a list",
        _ => "a map of fields",
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

fn fits(pattern: &str, text: &str) -> bool {
    static READ: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = read.get(pattern) {
        return known.is_match(text);
    }
    let made = Regex::new(pattern).expect("the schema's patterns are ones");
    let fits = made.is_match(text);
    read.insert(pattern.to_owned(), made);
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is looked at here, and what is for readers alone.
    const KEYWORDS: [&str; 19] = [
        "$schema",
        "$defs",
        "$ref",
        "title",
        "description",
        "type",
        "enum",
        "minimum",
        "maximum",
        "minLength",
        "minItems",
        "minProperties",
        "pattern",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "propertyNames",
        "default",
    ];

    fn every_keyword_is_known(schema: &Value, place: &str) {
        let Some(schema) = schema.as_object() else {
            return;
        };
        for (keyword, value) in schema {
            let place = format!("{place}/{keyword}");
            assert!(
                KEYWORDS.contains(&keyword.as_str()),
                "{place} would not be checked"
            );
            match keyword.as_str() {
                "properties" | "$defs" => {
                    for (name, schema) in value.as_object().expect("schemas by name") {
                        every_keyword_is_known(schema, &format!("{place}/{name}"));
                    }
                }
                "items" | "additionalProperties" | "propertyNames" => {
                    every_keyword_is_known(value, &place)
                }
                "pattern" => drop(Regex::new(value.as_str().expect("a text")).expect("a pattern")),
                _ => {}
            }
        }
    }

    #[test]
    fn the_schema_says_nothing_that_is_not_checked() {
        let schema: Value = serde_json::from_str(super::super::SCHEMA).expect("JSON");
        every_keyword_is_known(&schema, "");
    }

    #[test]
    fn names_that_were_meant_are_found() {
        for (name, meant, away) in [
            ("staus", "status", 1),
            ("sned", "send", 1),
            ("evnoy", "envoy", 1),
            ("", "as", 2),
            ("json", "body", 4),
        ] {
            assert_eq!(distance(name, meant), away, "{name} {meant}");
        }
        let known = ["send", "pass"].into_iter();
        assert!(no_such("field", "quite_other", known).ends_with("there are send, pass"));
    }
}
