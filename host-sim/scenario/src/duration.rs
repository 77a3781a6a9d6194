//! Spans of time as scenarios write them: `250ms`, `30s`, `5m`, `24h`, `30d`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its length in milliseconds.
    pub ms: u64,
}

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

impl Span {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = UNITS.iter().find(|(name, _)| *name == unit);
        let ms = number
            .parse::<u64>()
            .ok()
            .zip(factor)
            .and_then(|(number, (_, factor))| number.checked_mul(*factor));
        match ms {
            Some(ms) => Ok(Self { ms }),
            None => Err(format!(
                "{text:?} is no span of time: write a number and ms, s, m, h or d, as in 30s"
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        for (text, ms) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("24h", 86_400_000),
            ("30d", 2_592_000_000),
        ] {
            assert_eq!(Span::parse(text), Ok(Span { ms }), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "3 s",
            "3w",
            "99999999999999999999d",
        ] {
            let refused = Span::parse(text).expect_err(text);
            assert!(refused.contains("30s"), "{refused}");
        }
    }
}
