//! `${...}` in a scenario's texts: what it stands for when something is sent, and what it lets pass when something is compared.
//!
//! A text is cut into pieces once; a piece that stands for a value is looked up by its name, one that stands for a form
//! (`${any.uuid}`) is for comparisons alone. `$${` writes a plain `${`.

use std::fmt;

/// Looks up what a name stands for.
pub trait Names {
    /// The bytes, or what is wrong with the name.
    ///
    /// # Errors
    /// What is wrong, for people.
    fn value(&self, name: &str) -> Result<Vec<u8>, String>;
}

/// What a piece of an expected text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Anything.
    Any,
    /// A random UUID in lower case.
    Uuid,
    /// A time as the API writes it.
    Time,
    /// Digits.
    Integer,
    /// Anything but nothing.
    Text,
}

impl Form {
    const ALL: [(&'static str, Self); 5] = [
        ("any", Self::Any),
        ("any.uuid", Self::Uuid),
        ("any.time", Self::Time),
        ("any.integer", Self::Integer),
        ("any.text", Self::Text),
    ];

    fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|it| it.0 == name).map(|it| it.1)
    }

    /// Whether it is exactly this.
    fn is(self, bytes: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Text => !bytes.is_empty(),
            Self::Integer => !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit),
            // `d` is a digit, `x` a lower-case hexadecimal one, `v` one of 8, 9, a and b.
            Self::Uuid => fits(bytes, b"xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx"),
            Self::Time => fits(bytes, b"dddd-dd-ddTdd:dd:dd.ddd+00:00"),
        }
    }
}

fn fits(bytes: &[u8], form: &[u8]) -> bool {
    let is = |(byte, wanted): (&u8, &u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
        b'v' => matches!(byte, b'8' | b'9' | b'a' | b'b'),
        other => byte == other,
    };
    bytes.len() == form.len() && bytes.iter().zip(form).all(is)
}

/// A part of an expected text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    Form(Form),
}

/// A text to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str, names: &impl Names) -> Result<Self, String> {
        let mut pieces = Vec::new();
        cut(text, |part| {
            let piece = match part {
                Part::Plain(plain) => Piece::Bytes(plain.as_bytes().to_vec()),
                Part::Name(name) => match Form::of(name) {
                    Some(form) => Piece::Form(form),
                    None => Piece::Bytes(names.value(name)?),
                },
            };
            match (pieces.last_mut(), piece) {
                (Some(Piece::Bytes(last)), Piece::Bytes(more)) => last.extend(more),
                (_, piece) => pieces.push(piece),
            }
            Ok(())
        })?;
        Ok(Self(pieces))
    }

    /// Whether `bytes` are such a text.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        matches(&self.0, bytes)
    }

    /// Whether such a text stands somewhere in `bytes`.
    #[must_use]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        let mut pieces = vec![Piece::Form(Form::Any)];
        pieces.extend(self.0.iter().cloned());
        pieces.push(Piece::Form(Form::Any));
        matches(&pieces, bytes)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Bytes(bytes) => write!(f, "{}", shown(bytes))?,
                Piece::Form(form) => {
                    let name = Form::ALL.iter().find(|it| it.1 == *form);
                    write!(f, "${{{}}}", name.map_or("any", |it| it.0))?;
                }
            }
        }
        Ok(())
    }
}

/// Bytes for people: text as it is, other bytes as `\xHH`.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && c != '\n') => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}

fn matches(pieces: &[Piece], bytes: &[u8]) -> bool {
    match pieces.split_first() {
        None => bytes.is_empty(),
        Some((Piece::Bytes(plain), rest)) => bytes
            .strip_prefix(plain.as_slice())
            .is_some_and(|bytes| matches(rest, bytes)),
        Some((Piece::Form(form), rest)) => (0..=bytes.len())
            .filter(|&end| form.is(&bytes[..end]))
            .any(|end| matches(rest, &bytes[end..])),
    }
}

/// Puts in what a text's names stand for.
///
/// # Errors
/// What is wrong with it, for people.
pub fn expand(text: &str, names: &impl Names) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    cut(text, |part| {
        match part {
            Part::Plain(plain) => bytes.extend_from_slice(plain.as_bytes()),
            Part::Name(name) if Form::of(name).is_some() => {
                return Err(format!(
                    "`${{{name}}}` is for what is compared, not for what is sent"
                ));
            }
            Part::Name(name) => bytes.extend(names.value(name)?),
        }
        Ok(())
    })?;
    Ok(bytes)
}

/// The same in every text of a JSON value, the names of members among them.
///
/// # Errors
/// As [`expand`], and when a text that is no UTF-8 comes of it.
pub fn expand_json(
    value: &serde_json::Value,
    names: &impl Names,
) -> Result<serde_json::Value, String> {
    use serde_json::Value;
    let text = |text: &str| {
        let bytes = expand(text, names)?;
        String::from_utf8(bytes).map_err(|_| format!("{text:?} becomes bytes that are no text"))
    };
    Ok(match value {
        Value::String(it) => Value::String(text(it)?),
        Value::Array(items) => items
            .iter()
            .map(|it| expand_json(it, names))
            .collect::<Result<_, _>>()?,
        Value::Object(members) => members
            .iter()
            .map(|(name, it)| Ok((text(name)?, expand_json(it, names)?)))
            .collect::<Result<_, String>>()?,
        other => other.clone(),
    })
}

enum Part<'a> {
    Plain(&'a str),
    Name(&'a str),
}

fn cut<'a>(
    text: &'a str,
    mut take: impl FnMut(Part<'a>) -> Result<(), String>,
) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            take(Part::Plain(before))?;
            take(Part::Plain("${"))?;
            rest = &rest[at + 2..];
            continue;
        }
        take(Part::Plain(&rest[..at]))?;
        let inside = &rest[at + 2..];
        let end = inside
            .find('}')
            .ok_or_else(|| format!("`${{` without `}}` in {text:?}"))?;
        take(Part::Name(&inside[..end]))?;
        rest = &inside[end + 1..];
    }
    take(Part::Plain(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OneName;

    impl Names for OneName {
        fn value(&self, name: &str) -> Result<Vec<u8>, String> {
            match name {
                "token.a" => Ok(b"abc".to_vec()),
                "hex:ff" => Ok(vec![0xff]),
                other => Err(format!("nothing is called {other}")),
            }
        }
    }

    #[test]
    fn names_are_put_in_and_bad_ones_told() {
        let expanded = |text| expand(text, &OneName);
        assert_eq!(expanded("Bearer ${token.a}!"), Ok(b"Bearer abc!".to_vec()));
        assert_eq!(expanded("a${hex:ff}b"), Ok(b"a\xffb".to_vec()));
        assert_eq!(expanded("$${token.a}"), Ok(b"${token.a}".to_vec()));
        assert_eq!(expanded("plain $ { }"), Ok(b"plain $ { }".to_vec()));
        for (text, word) in [
            ("${b}", "nothing is called b"),
            ("${token.a", "without"),
            ("${any}", "compared"),
        ] {
            let refused = expanded(text).expect_err(text);
            assert!(refused.contains(word), "{refused}");
        }
    }

    #[test]
    fn patterns_let_forms_pass_and_nothing_else() {
        let cases: [(&str, &str, bool); 12] = [
            ("plain", "plain", true),
            ("plain", "plain ", false),
            ("${any}", "", true),
            ("${any.text}", "", false),
            ("a${any}c", "abbc", true),
            ("a${any}c", "abbcd", false),
            ("${any.integer}", "12", true),
            ("${any.integer}", "-1", false),
            (
                "id ${any.uuid}.",
                "id 0f8fad5b-d9cb-469f-a165-70867728950e.",
                true,
            ),
            ("${any.uuid}", "0f8fad5b-d9cb-169f-a165-70867728950e", false),
            ("${any.time}", "2023-05-11T18:32:18.591+00:00", true),
            ("${any.time}", "2023-05-11T18:32:18.591Z", false),
        ];
        for (pattern, text, expected) in cases {
            let parsed = Pattern::parse(pattern, &OneName).expect(pattern);
            assert_eq!(
                parsed.matches(text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
            assert_eq!(parsed.to_string(), pattern);
        }
        let parsed = Pattern::parse("b${any.integer}c", &OneName).expect("a pattern");
        assert!(parsed.is_in(b"ab12cd") && !parsed.is_in(b"abcd"));
    }
}
