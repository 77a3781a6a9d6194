//! What came against what was expected: a list of differences, each with its place, for people to read.
//!
//! Texts among expected values may hold forms (`${any.uuid}`), so an expected JSON value is compared member by member and
//! never as a whole.

use std::fmt;

use serde_json::Value;

use crate::template::{Names, Pattern, shown};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where: `status`, `header retry-after`, `body /summary/0/id`.
    pub place: String,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let long = |text: &str| text.contains('\n') || text.chars().count() > 60;
        if long(&self.expected) || long(&self.got) {
            write!(
                f,
                "{}\n  - {}\n  + {}",
                self.place,
                indented(&self.expected),
                indented(&self.got)
            )
        } else {
            write!(
                f,
                "{}: expected {}, got {}",
                self.place, self.expected, self.got
            )
        }
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

/// Notes a difference.
pub fn differ(
    differences: &mut Vec<Difference>,
    place: impl Into<String>,
    expected: impl fmt::Display,
    got: impl fmt::Display,
) {
    differences.push(Difference {
        place: place.into(),
        expected: expected.to_string(),
        got: got.to_string(),
    });
}

/// How strictly objects are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// They have exactly the expected members.
    Exactly,
    /// They have at least these.
    AtLeast,
}

/// Compares JSON values. `place` is where they stand.
///
/// # Errors
/// What is wrong with a text among the expected ones, for people.
pub fn json(
    place: &str,
    expected: &Value,
    got: &Value,
    members: Members,
    names: &impl Names,
    differences: &mut Vec<Difference>,
) -> Result<(), String> {
    match (expected, got) {
        (Value::Object(wanted), Value::Object(there)) => {
            for (name, wanted) in wanted {
                let place = format!("{place}/{name}");
                match there.get(name) {
                    Some(there) => json(&place, wanted, there, members, names, differences)?,
                    None => differ(differences, place, wanted, "nothing"),
                }
            }
            if members == Members::Exactly {
                for (name, there) in there.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
                    differ(differences, format!("{place}/{name}"), "nothing", there);
                }
            }
        }
        (Value::Array(wanted), Value::Array(there)) => {
            for (number, wanted) in wanted.iter().enumerate() {
                let place = format!("{place}/{number}");
                match there.get(number) {
                    Some(there) => json(&place, wanted, there, members, names, differences)?,
                    None => differ(differences, place, wanted, "nothing"),
                }
            }
            for (number, there) in there.iter().enumerate().skip(wanted.len()) {
                differ(differences, format!("{place}/{number}"), "nothing", there);
            }
        }
        (Value::String(wanted), there) => {
            let pattern = Pattern::parse(wanted, names)?;
            let fits = match there {
                Value::String(there) => pattern.matches(there.as_bytes()),
                // A form may stand for a number too; a plain text is no number.
                Value::Number(there) if wanted.starts_with("${any") => {
                    pattern.matches(there.to_string().as_bytes())
                }
                _ => wanted == "${any}",
            };
            if !fits {
                differ(differences, place, format!("\"{pattern}\""), there);
            }
        }
        (wanted, there) if wanted == there => {}
        (wanted, there) => differ(differences, place, wanted, there),
    }
    Ok(())
}

/// Compares a text.
///
/// # Errors
/// What is wrong with the expected one, for people.
pub fn text(
    place: &str,
    expected: &str,
    got: &[u8],
    names: &impl Names,
    differences: &mut Vec<Difference>,
) -> Result<(), String> {
    let pattern = Pattern::parse(expected, names)?;
    if !pattern.matches(got) {
        differ(
            differences,
            place,
            quoted(&pattern.to_string()),
            quoted(&shown(got)),
        );
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        "nothing".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct NoNames;

    impl Names for NoNames {
        fn value(&self, name: &str) -> Result<Vec<u8>, String> {
            Err(format!("nothing is called {name}"))
        }
    }

    fn compared(expected: &Value, got: &Value, members: Members) -> Vec<String> {
        let mut differences = Vec::new();
        json("body ", expected, got, members, &NoNames, &mut differences).expect("good patterns");
        differences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_difference_has_its_place() {
        let got =
            json!({"a": 1, "b": [1, {"c": "x"}], "id": "0f8fad5b-d9cb-469f-a165-70867728950e"});
        let same = json!({"id": "${any.uuid}", "b": [1, {"c": "${any}"}], "a": "${any.integer}"});
        assert_eq!(compared(&same, &got, Members::Exactly), [""; 0]);
        let other = json!({"a": 2, "b": [1, {"c": "y"}, 3], "d": null});
        assert_eq!(
            compared(&other, &got, Members::AtLeast),
            [
                "body /a: expected 2, got 1",
                "body /b/1/c: expected \"y\", got \"x\"",
                "body /b/2: expected 3, got nothing",
                "body /d: expected null, got nothing",
            ]
        );
        assert_eq!(
            compared(&json!({"a": 1, "b": [1]}), &got, Members::Exactly),
            [
                "body /b/1: expected nothing, got {\"c\":\"x\"}",
                "body /id: expected nothing, got \"0f8fad5b-d9cb-469f-a165-70867728950e\"",
            ]
        );
        assert_eq!(compared(&json!("1"), &json!(1), Members::Exactly).len(), 1);
    }
}
