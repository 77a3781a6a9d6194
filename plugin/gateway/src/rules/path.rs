//! A raw request path, decoded once into segments, or refused as ambiguous.
//!
//! What stands behind the gateway may decode, normalise or cut a path differently from us, and then a rule for one
//! resource would guard another. So nothing is normalised here: whatever two servers may read differently is refused, and
//! what is left has one reading. Letters are compared as they stand; that an upstream may ignore case or Unicode's forms
//! of normalisation is not known here. Sources: RFC 3986, sections 2 and 3.3; RFC 9112, section 3.2.

use std::borrow::Cow;
use std::fmt;

use crate::api::route::PREFIX;
use crate::percent;

/// Longest path without its query, in bytes.
pub const MAX_PATH_BYTES: usize = 8 * 1024;
/// Most segments of a path.
pub const MAX_PATH_SEGMENTS: usize = 128;

/// Why a path may be read in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ambiguity {
    /// It does not begin with `/`: another form of target (absolute, authority, `*`), or nothing at all.
    NotAbsolute,
    /// It is longer than [`MAX_PATH_BYTES`].
    TooLong,
    /// A raw byte that is no ASCII.
    NotAscii,
    /// A `%` that two hexadecimal digits do not follow.
    MalformedEscape,
    /// Escapes that decode to no UTF-8.
    NotUtf8,
    /// An escaped `/`.
    EscapedSlash,
    /// A `\`, which some servers take for `/`.
    Backslash,
    /// A `;`, from which on some servers drop a segment's rest.
    Semicolon,
    /// A control character or white space, at which some servers cut, and which others trim.
    ControlOrSpace,
    /// A `#`, or an escaped `?`: a server that decodes before it splits cuts there.
    Delimiter,
    /// A `%` that begins an escape even after decoding.
    DoubleEscape,
    /// `//`, which some servers merge.
    EmptySegment,
    /// A segment `.` or `..`, which some servers resolve.
    DotSegment,
    /// More than [`MAX_PATH_SEGMENTS`] segments.
    TooManySegments,
    /// Another spelling of a path of the API itself, which only its plain spelling reaches.
    OwnPrefix,
}

impl Ambiguity {
    /// A fixed word for the operator's log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotAbsolute => "path_not_absolute",
            Self::TooLong => "path_too_long",
            Self::NotAscii => "path_not_ascii",
            Self::MalformedEscape => "path_malformed_escape",
            Self::NotUtf8 => "path_not_utf8",
            Self::EscapedSlash => "path_escaped_slash",
            Self::Backslash => "path_backslash",
            Self::Semicolon => "path_semicolon",
            Self::ControlOrSpace => "path_control_or_space",
            Self::Delimiter => "path_delimiter",
            Self::DoubleEscape => "path_double_escape",
            Self::EmptySegment => "path_empty_segment",
            Self::DotSegment => "path_dot_segment",
            Self::TooManySegments => "path_too_many_segments",
            Self::OwnPrefix => "path_own_prefix",
        }
    }
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Ambiguity {}

/// A path with one reading. Borrows from the request when nothing was escaped.
///
/// One trailing slash is allowed and means nothing: servers differ on whether `/a/` is `/a`, so both are judged alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    /// Decoded, with its slashes; none of them was escaped.
    decoded: Cow<'a, str>,
}

impl<'a> Path<'a> {
    /// Reads `:path` up to its first `?`.
    pub(crate) fn read(raw: &'a [u8]) -> Result<Self, Ambiguity> {
        let path = raw.split(|&byte| byte == b'?').next().unwrap_or_default();
        if !path.starts_with(b"/") {
            return Err(Ambiguity::NotAbsolute);
        }
        if path.len() > MAX_PATH_BYTES {
            return Err(Ambiguity::TooLong);
        }
        if !path.is_ascii() {
            return Err(Ambiguity::NotAscii);
        }
        let path = std::str::from_utf8(path).map_err(|_| Ambiguity::NotAscii)?;
        let decoded = if path.contains('%') {
            Cow::Owned(decode(path)?)
        } else {
            Cow::Borrowed(path)
        };
        let path = Self { decoded };
        path.check()?;
        Ok(path)
    }

    /// The segments, none of them empty.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        // The root has no segment, and splitting nothing would yield an empty one.
        let bare = Some(self.bare()).filter(|bare| !bare.is_empty());
        bare.into_iter().flat_map(|bare| bare.split('/'))
    }

    /// Whether this is `prefix` or below it, segment by segment; `prefix` as [`Self::bare`] would give it.
    pub(super) fn is_within(&self, prefix: &str) -> bool {
        if prefix.is_empty() {
            return true;
        }
        let rest = self.bare().strip_prefix(prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The decoded path without the first slash and a trailing one.
    fn bare(&self) -> &str {
        let path: &str = &self.decoded;
        let path = path.strip_prefix('/').unwrap_or(path);
        path.strip_suffix('/').unwrap_or(path)
    }

    fn check(&self) -> Result<(), Ambiguity> {
        // A lone slash is the root, but of two the second is no trailing one: there is nothing that it could end.
        if self.decoded.starts_with("//") {
            return Err(Ambiguity::EmptySegment);
        }
        for (before, segment) in self.segments().enumerate() {
            if before >= MAX_PATH_SEGMENTS {
                return Err(Ambiguity::TooManySegments);
            }
            check_segment(segment)?;
        }
        if self.is_within(PREFIX.trim_start_matches('/')) {
            return Err(Ambiguity::OwnPrefix);
        }
        Ok(())
    }
}

fn decode(path: &str) -> Result<String, Ambiguity> {
    let decoded = percent::decode(path.as_bytes()).map_err(|_| Ambiguity::MalformedEscape)?;
    let slashes = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'/').count();
    if slashes(&decoded) != slashes(path.as_bytes()) {
        return Err(Ambiguity::EscapedSlash);
    }
    String::from_utf8(decoded).map_err(|_| Ambiguity::NotUtf8)
}

/// Whether a decoded segment has one reading. The literals of a pattern are held to the same, or they could never match.
pub(super) fn check_segment(segment: &str) -> Result<(), Ambiguity> {
    match segment {
        "" => return Err(Ambiguity::EmptySegment),
        "." | ".." => return Err(Ambiguity::DotSegment),
        _ => {}
    }
    for character in segment.chars() {
        match character {
            '/' => return Err(Ambiguity::EscapedSlash),
            '\\' => return Err(Ambiguity::Backslash),
            ';' => return Err(Ambiguity::Semicolon),
            '?' | '#' => return Err(Ambiguity::Delimiter),
            it if it.is_control() || it.is_whitespace() => return Err(Ambiguity::ControlOrSpace),
            _ => {}
        }
    }
    // `%uXXXX` is no escape of any standard, but some servers decode it.
    let is_escape = |window: &[u8]| match window {
        [b'%', high, low] => {
            (high.is_ascii_hexdigit() || matches!(high, b'u' | b'U')) && low.is_ascii_hexdigit()
        }
        _ => false,
    };
    if segment.as_bytes().windows(3).any(is_escape) {
        return Err(Ambiguity::DoubleEscape);
    }
    Ok(())
}
