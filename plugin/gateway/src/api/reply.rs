//! A reply as data: status, headers, body. What it says is decided by its makers, [`super::failure`] and [`super::render`].

use std::borrow::Cow;

/// Headers of most replies.
const TYPICAL_HEADERS: usize = 4;

/// One complete reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case and values, in the order in which they are sent. Values hold visible ASCII and spaces only.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body; empty means none.
    pub body: Vec<u8>,
}

impl Reply {
    /// A reply without a body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A reply with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self::typed(status, "application/json", body)
    }

    /// A reply with a body of this media type.
    #[must_use]
    pub fn typed(status: u16, media_type: &'static str, body: Vec<u8>) -> Self {
        let mut headers = Vec::with_capacity(TYPICAL_HEADERS);
        headers.push(("content-type", Cow::Borrowed(media_type)));
        Self {
            status,
            headers,
            body,
        }
    }

    /// The same reply with one header more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
