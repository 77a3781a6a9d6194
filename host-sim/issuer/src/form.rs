//! `application/x-www-form-urlencoded` (RFC 6749, appendix B), read strictly.
//!
//! A malformed escape is an error, never data: two readers that guess differently see two requests.

use crate::limits::MAX_PARAMETERS;

/// What cannot be read as a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The parameters of a request that mean something here.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut pairs = Vec::new();
        let parts = body.split(|byte| *byte == b'&');
        for part in parts.filter(|part| !part.is_empty()) {
            if pairs.len() == MAX_PARAMETERS {
                return Err(Malformed);
            }
            let mut halves = part.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            pairs.push((name, decode(halves.next().unwrap_or_default())?));
        }
        Ok(Self { pairs })
    }

    /// Whether `name` is given more than once.
    pub fn repeats(&self, name: &str) -> bool {
        self.pairs.iter().filter(|(own, _)| own == name).count() > 1
    }

    /// The value of `name`. Without a value it counts as left out (RFC 6749, section 3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(own, _)| own == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// Decodes a name or value: `+` is a space, escapes are UTF-8.
pub(crate) fn decode(text: &[u8]) -> Result<String, Malformed> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next())? << 4 | hex(rest.next())?,
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| Malformed)
}

fn hex(digit: Option<u8>) -> Result<u8, Malformed> {
    let value = digit.and_then(|digit| char::from(digit).to_digit(16));
    value
        .and_then(|value| u8::try_from(value).ok())
        .ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_once_and_strictly() {
        let form = Form::parse(b"a=1&b=x+y%2B%26&c=&d&&a=2&%65=%C3%B6").expect("a form");
        assert_eq!(form.get("a"), Some("1"));
        assert!(form.repeats("a") && !form.repeats("b") && !form.repeats("z"));
        assert_eq!(form.get("b"), Some("x y+&"));
        assert_eq!(
            (form.get("c"), form.get("d"), form.get("z")),
            (None, None, None)
        );
        assert_eq!(form.get("e"), Some("ö"));
        for malformed in [
            &b"a=%"[..],
            b"a=%4",
            b"a=%4g",
            b"%zz=1",
            b"a=%+1",
            b"a=%ff",
            b"\xff=1",
        ] {
            assert_eq!(
                Form::parse(malformed).err(),
                Some(Malformed),
                "{malformed:?}"
            );
        }
        assert!(Form::parse("a=1&".repeat(MAX_PARAMETERS).as_bytes()).is_ok());
        assert!(Form::parse("a=1&".repeat(MAX_PARAMETERS + 1).as_bytes()).is_err());
    }
}
