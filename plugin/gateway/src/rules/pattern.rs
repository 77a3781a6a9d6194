//! The pattern of a rule's paths: literal segments, single wildcards, and an open end.
//!
//! Decides what a pattern means and whether it makes sense. There is no backtracking: `**` stands last or not at all, so a
//! path is matched in one pass. Which of several patterns counts is decided in [`super::table`].

use super::config::{MAX_PATTERN_BYTES, MAX_PATTERN_SEGMENTS};
use super::path::{Path, check_segment};
use crate::api::route::PREFIX;

/// Longest name in `{}`, in bytes.
const MAX_PLACEHOLDER_BYTES: usize = 64;

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    segments: Vec<Segment>,
    /// Whether it ends in `**`.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// `*` or `{name}`: one segment, whatever it is.
    Any,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, for an operator.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut segments = Vec::new();
        let mut open = false;
        for part in split(text)? {
            if open {
                return Err("`**` may only be the last segment".to_owned());
            }
            match part {
                "**" => open = true,
                "*" => segments.push(Segment::Any),
                part if is_placeholder(part) => segments.push(Segment::Any),
                part => segments.push(Segment::Literal(literal(part)?)),
            }
        }
        let pattern = Self { segments, open };
        if pattern.first_literal() == Some(own_segment()) {
            return Err(format!("paths below {PREFIX} have rules of their own"));
        }
        Ok(pattern)
    }

    /// The first segment where that is a literal: no path with another first segment matches.
    pub(super) fn first_literal(&self) -> Option<&str> {
        match self.segments.first() {
            Some(Segment::Literal(literal)) => Some(literal),
            _ => None,
        }
    }

    pub(super) fn matches(&self, path: &Path<'_>) -> bool {
        let mut given = path.segments();
        for segment in &self.segments {
            let fits = match (segment, given.next()) {
                (Segment::Literal(literal), Some(given)) => literal == given,
                (Segment::Any, Some(_)) => true,
                (_, None) => false,
            };
            if !fits {
                return false;
            }
        }
        self.open || given.next().is_none()
    }
}

/// Reads a guarded prefix: a pattern of literals only. Yields it without its first slash; the root is empty.
///
/// # Errors
/// What is wrong with it, for an operator.
pub(super) fn parse_prefix(text: &str) -> Result<String, String> {
    let parts = split(text)?;
    for part in &parts {
        literal(part)?;
    }
    if parts.first() == Some(&own_segment()) {
        return Err(format!("paths below {PREFIX} are guarded always"));
    }
    Ok(parts.join("/"))
}

fn split(text: &str) -> Result<Vec<&str>, String> {
    if text.len() > MAX_PATTERN_BYTES {
        return Err(format!("must be at most {MAX_PATTERN_BYTES} bytes long"));
    }
    let Some(below_root) = text.strip_prefix('/') else {
        return Err("must begin with `/`".to_owned());
    };
    if below_root.is_empty() {
        return Ok(Vec::new());
    }
    if below_root.ends_with('/') {
        return Err("must not end in `/`: a path's trailing slash means nothing".to_owned());
    }
    let parts: Vec<&str> = below_root.split('/').collect();
    if parts.len() > MAX_PATTERN_SEGMENTS {
        return Err(format!("must have at most {MAX_PATTERN_SEGMENTS} segments"));
    }
    Ok(parts)
}

fn literal(part: &str) -> Result<String, String> {
    if part.contains(['*', '{', '}']) {
        return Err(format!(
            "`{part}` is neither a literal nor a wildcard that may stand here"
        ));
    }
    match check_segment(part) {
        Ok(()) => Ok(part.to_owned()),
        Err(why) => Err(format!(
            "`{part}` can match no path ({why}); segments are written without escapes"
        )),
    }
}

fn is_placeholder(part: &str) -> bool {
    let name = part
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| {
        (1..=MAX_PLACEHOLDER_BYTES).contains(&name.len())
            && name
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-'))
    })
}

/// The API's prefix, which is a single segment.
fn own_segment() -> &'static str {
    PREFIX.trim_start_matches('/')
}
