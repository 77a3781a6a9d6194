//! A request's header block, read in one pass.
//!
//! Picks out what the gateway looks at and notes what was sent twice. Values stay bytes: a client may send any; and they
//! stay where they are, for most requests are judged while the host still holds their head.

use std::borrow::Cow;

/// The longest `:path` that is copied into an error body's `instance`; longer ones are cut there.
pub const MAX_ECHOED_PATH_BYTES: usize = 1024;

/// How a bearer's credentials begin.
const BEARER: &[u8] = b"Bearer ";

/// The headers of one request that the gateway looks at.
#[derive(Clone, Default)]
pub struct Head<'a> {
    /// `:method`
    pub method: &'a [u8],
    /// `:path`, with its query, as sent.
    pub path: &'a [u8],
    /// `authorization`
    pub authorization: Once<'a>,
    /// `idempotency-key`
    pub idempotency_key: Once<'a>,
    /// `content-type`
    pub content_type: Once<'a>,
    /// `content-length`
    pub content_length: Once<'a>,
    /// `emporix-tenant`
    pub tenant: Once<'a>,
    /// `x-total-count`
    pub total_count: Once<'a>,
    /// `x-request-id`, as the proxy has set it.
    pub request_id: Once<'a>,
    /// `origin`
    pub origin: Once<'a>,
    /// `access-control-request-method`
    pub preflight_method: Once<'a>,
    /// `x-points-revision`
    pub revision: Once<'a>,
    /// `cache-control`, all values joined by a comma.
    pub cache_control: Cow<'a, [u8]>,
    /// `accept`, all values joined by a comma (RFC 9110, section 5.3).
    pub accept: Cow<'a, [u8]>,
}

/// A header that makes sense only once.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Once<'a> {
    /// It was not sent.
    #[default]
    Absent,
    /// It was sent once, with this value.
    Sent(&'a [u8]),
    /// It was sent several times.
    Repeated,
}

impl<'a> Once<'a> {
    fn note(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Absent => Self::Sent(value),
            _ => Self::Repeated,
        };
    }

    /// Envoy hands over an `Authorization` that was sent twice as one value, joined by a comma (RFC 9110, section 5.3).
    /// A bearer token never holds a comma, so where one of the parts is of that scheme there were several.
    fn split_joined(&mut self) {
        let bearer = |part: &[u8]| {
            let scheme = part.trim_ascii_start().get(..BEARER.len());
            scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(BEARER))
        };
        if let Self::Sent(value) = self
            && value.contains(&b',')
            && value.split(|&byte| byte == b',').any(bearer)
        {
            *self = Self::Repeated;
        }
    }

    /// The value when it was sent exactly once.
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        match self {
            Self::Sent(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it was sent several times.
    #[must_use]
    pub const fn is_repeated(&self) -> bool {
        matches!(self, Self::Repeated)
    }
}

impl<'a> Head<'a> {
    /// Reads a header block. Names are compared without regard to case.
    pub fn read(headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut head = Self::default();
        for (name, value) in headers {
            let once = match name {
                b":method" => {
                    head.method = value;
                    continue;
                }
                b":path" => {
                    head.path = value;
                    continue;
                }
                name if name.eq_ignore_ascii_case(b"accept") => {
                    join(&mut head.accept, value);
                    continue;
                }
                name if name.eq_ignore_ascii_case(b"cache-control") => {
                    join(&mut head.cache_control, value);
                    continue;
                }
                name if name.eq_ignore_ascii_case(b"x-points-revision") => &mut head.revision,
                name if name.eq_ignore_ascii_case(b"authorization") => &mut head.authorization,
                name if name.eq_ignore_ascii_case(b"idempotency-key") => &mut head.idempotency_key,
                name if name.eq_ignore_ascii_case(b"content-type") => &mut head.content_type,
                name if name.eq_ignore_ascii_case(b"content-length") => &mut head.content_length,
                name if name.eq_ignore_ascii_case(b"emporix-tenant") => &mut head.tenant,
                name if name.eq_ignore_ascii_case(b"x-total-count") => &mut head.total_count,
                name if name.eq_ignore_ascii_case(b"x-request-id") => &mut head.request_id,
                name if name.eq_ignore_ascii_case(b"origin") => &mut head.origin,
                name if name.eq_ignore_ascii_case(b"access-control-request-method") => {
                    &mut head.preflight_method
                }
                _ => continue,
            };
            once.note(value);
        }
        head.authorization.split_joined();
        head
    }
}

/// Notes one more value of a header that is a list (RFC 9110, section 5.3).
fn join<'a>(joined: &mut Cow<'a, [u8]>, value: &'a [u8]) {
    if joined.is_empty() {
        *joined = Cow::Borrowed(value);
    } else {
        let joined = joined.to_mut();
        joined.push(b',');
        joined.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_were_joined_on_the_way_were_sent_twice() {
        for (value, repeated) in [
            ("Bearer a.b.c", false),
            ("Bearer a,Bearer b", true),
            ("Bearer a, bearer b", true),
            ("Basic YTpi,Bearer b", true),
            ("Bearer a,Basic YTpi", true),
            ("Bearer a,", true),
            ("Digest username=\"a\", realm=\"b\"", false),
            (",", false),
            ("", false),
        ] {
            let head = Head::read([(&b"authorization"[..], value.as_bytes())]);
            assert_eq!(head.authorization.is_repeated(), repeated, "{value}");
        }
    }

    #[test]
    fn keeps_bytes_and_notices_what_came_twice() {
        let head = Head::read([
            (&b":method"[..], &b"GET"[..]),
            (b":path", b"/x?y"),
            (b"authorization", b"Bearer \xff"),
            (b"Idempotency-Key", b"a"),
            (b"idempotency-key", b"a"),
            (b"accept", b"text/html"),
            (b"accept", b"*/*"),
            (b"x-other", b"\xff"),
        ]);
        assert_eq!(head.method, b"GET");
        assert_eq!(head.path, b"/x?y");
        assert_eq!(head.authorization.value(), Some(&b"Bearer \xff"[..]));
        assert!(head.idempotency_key.is_repeated());
        assert_eq!(head.idempotency_key.value(), None);
        assert!(head.content_type == Once::Absent);
        assert_eq!(&*head.accept, b"text/html,*/*");
    }
}
