//! The issuer's key server as a gateway sees it: what it is asked, how it answers, and what was fetched when.
//!
//! How a failure looks to the filter is Envoy's (`docs/host-facts.md`): no connection and no answer in time are answers of
//! Envoy's own, and only one that breaks off after its head is no answer at all.

use host::{CallResponse, Headers};
use serde_json::Value;

use crate::tokens::jwks;

/// A fetch that arrives at the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// When, in milliseconds since the start.
    pub elapsed_ms: u64,
    /// Which VM asks.
    pub vm: usize,
    /// `:authority`
    pub authority: String,
    /// `:path`
    pub path: String,
}

/// What the server does about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// An answer, after a while.
    Answer {
        /// After how many milliseconds it is whole.
        after_ms: u64,
        /// Its status.
        status: u16,
        /// Its body.
        body: Vec<u8>,
        /// Its headers besides.
        headers: Vec<(&'static str, &'static str)>,
    },
    /// Nobody listens.
    NoConnection,
    /// The connection is closed without an answer.
    Closed,
    /// The connection is closed in the middle of the answer's body.
    BrokenOff,
    /// Nothing happens until the asker gives up.
    Never,
}

impl Served {
    /// A key set, 20 milliseconds later.
    #[must_use]
    pub fn keys(keys: &[Value]) -> Self {
        Self::ok(jwks(keys).to_string())
    }

    /// A whole answer with status 200, 20 milliseconds later.
    #[must_use]
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200, body)
    }

    /// A whole answer, 20 milliseconds later.
    #[must_use]
    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer {
            after_ms: 20,
            status,
            body: body.into(),
            headers: Vec::new(),
        }
    }

    /// The same with this header too.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value));
        }
        self
    }

    /// The same after another while.
    #[must_use]
    pub fn after(mut self, ms: u64) -> Self {
        if let Self::Answer { after_ms, .. } = &mut self {
            *after_ms = ms;
        }
        self
    }

    /// After how long the filter hears what, when it waits for `timeout_ms`.
    pub(crate) fn heard(self, timeout_ms: u64) -> (u64, Option<CallResponse>) {
        const SOON_MS: u64 = 5;
        match self {
            Self::Answer {
                after_ms,
                status,
                body,
                headers,
            } if after_ms < timeout_ms => {
                let mut all = Headers::from_pairs([(":status", &status.to_string())]);
                all.add(b"x-envoy-upstream-service-time", b"20");
                for (name, value) in headers {
                    all.add(name.as_bytes(), value.as_bytes());
                }
                let response = CallResponse {
                    headers: all,
                    body,
                    ..CallResponse::default()
                };
                (after_ms, Some(response))
            }
            Self::Answer { .. } | Self::Never => (
                timeout_ms,
                Some(by_the_proxy(504, "upstream request timeout")),
            ),
            Self::NoConnection => (
                SOON_MS,
                Some(by_the_proxy(503, "remote connection failure")),
            ),
            Self::Closed => (SOON_MS, Some(by_the_proxy(503, "connection termination"))),
            Self::BrokenOff => (SOON_MS, None),
        }
    }
}

fn by_the_proxy(status: u16, reason: &str) -> CallResponse {
    CallResponse {
        headers: Headers::from_pairs([
            (":status", &status.to_string()),
            ("content-type", "text/plain"),
        ]),
        body: reason.as_bytes().to_vec(),
        ..CallResponse::default()
    }
}

/// One fetch, as it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchSeen {
    /// Which VM made it.
    pub vm: usize,
    /// When it began, in milliseconds since the start.
    pub began_ms: u64,
    /// When the VM heard how it ended. None: it has not yet, or the VM was lost before.
    pub ended_ms: Option<u64>,
}

/// How many fetches were under way at a time.
#[must_use]
pub fn most_at_once(fetches: &[FetchSeen]) -> usize {
    let under_way_at = |ms: u64| {
        let is_under_way =
            |it: &&FetchSeen| it.began_ms <= ms && it.ended_ms.is_none_or(|ended_ms| ms < ended_ms);
        fetches.iter().filter(is_under_way).count()
    };
    // The number only rises where one begins.
    fetches
        .iter()
        .map(|it| under_way_at(it.began_ms))
        .max()
        .unwrap_or(0)
}
