//! What a request says of how current its answer must be: `Cache-Control` (RFC 9111, section 5.2.1) and
//! `x-points-revision`.

use super::bad_input::BadInput;
use super::head::Once;

/// What a client accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recency {
    /// Nothing but the engine's own answer.
    pub no_cache: bool,
    /// A copy of at most this age, in seconds.
    pub max_age_s: Option<u32>,
    /// An answer that has all changes up to this revision; 0: any.
    pub at_least: i64,
}

/// Reads `cache-control` (all values joined by a comma; empty: not sent) and `x-points-revision`.
///
/// Directives that make no sense are passed over (RFC 9111, section 5.2), but a `max-age` that cannot be read counts as 0:
/// a client that names a bound is never answered with more than that.
///
/// # Errors
/// [`BadInput::RepeatedHeader`], [`BadInput::Revision`]
pub fn recency(cache_control: &[u8], revision: &Once<'_>) -> Result<Recency, BadInput> {
    let mut recency = Recency {
        at_least: at_least(revision)?,
        ..Recency::default()
    };
    for directive in cache_control.split(|&byte| byte == b',') {
        let mut parts = directive.splitn(2, |&byte| byte == b'=');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let value = parts.next().map(<[u8]>::trim_ascii);
        if name.eq_ignore_ascii_case(b"no-cache") || name.eq_ignore_ascii_case(b"no-store") {
            recency.no_cache = true;
        } else if name.eq_ignore_ascii_case(b"max-age") {
            let most = seconds(value.unwrap_or_default());
            recency.max_age_s = Some(recency.max_age_s.unwrap_or(u32::MAX).min(most));
        }
    }
    Ok(recency)
}

/// A number of seconds, in quotes or not. More than fits is for ever (RFC 9111, section 1.2.2).
fn seconds(value: &[u8]) -> u32 {
    let value = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(value);
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).unwrap_or_default();
    match digits {
        true => text.parse().unwrap_or(u32::MAX),
        false => 0,
    }
}

fn at_least(header: &Once<'_>) -> Result<i64, BadInput> {
    match header {
        Once::Absent => Ok(0),
        Once::Repeated => Err(BadInput::RepeatedHeader("x-points-revision")),
        Once::Sent(value) => {
            let digits = value.iter().all(u8::is_ascii_digit);
            let text = std::str::from_utf8(value).unwrap_or_default();
            let number = text.parse().ok().filter(|&number: &i64| number > 0);
            number.filter(|_| digits).ok_or(BadInput::Revision)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control() {
        for (value, no_cache, max_age_s) in [
            ("", false, None),
            ("no-cache", true, None),
            ("No-Cache", true, None),
            (" no-store ", true, None),
            ("no-cache=\"x\"", true, None),
            ("max-stale=5, no-cache", true, None),
            ("no-cached", false, None),
            ("max-age=0", false, Some(0)),
            ("max-age=5", false, Some(5)),
            ("MAX-AGE = \"5\"", false, Some(5)),
            ("max-age=5,max-age=3,max-age=9", false, Some(3)),
            ("max-age=99999999999999999999", false, Some(u32::MAX)),
            ("max-age", false, Some(0)),
            ("max-age=", false, Some(0)),
            ("max-age=-1", false, Some(0)),
            ("max-age=1.5", false, Some(0)),
            ("max-age=+1", false, Some(0)),
            ("\u{ff}, only-if-cached", false, None),
        ] {
            let expected = Recency {
                no_cache,
                max_age_s,
                at_least: 0,
            };
            let read = recency(value.as_bytes(), &Once::Absent);
            assert_eq!(read, Ok(expected), "{value}");
        }
    }

    #[test]
    fn revisions() {
        let read = |value: &[u8]| recency(b"", &Once::Sent(value)).map(|it| it.at_least);
        assert_eq!(read(b"1"), Ok(1));
        assert_eq!(read(b"9223372036854775807"), Ok(i64::MAX));
        for bad in [
            &b""[..],
            b"0",
            b"-1",
            b"+1",
            b" 1",
            b"1.0",
            b"1,2",
            b"9223372036854775808",
            b"\xff",
        ] {
            assert_eq!(read(bad), Err(BadInput::Revision), "{bad:?}");
        }
        assert_eq!(
            recency(b"", &Once::Repeated),
            Err(BadInput::RepeatedHeader("x-points-revision"))
        );
    }
}
