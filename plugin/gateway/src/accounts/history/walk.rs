//! Reading the segments of one life of an account, page by page, in the order of their entries.
//!
//! Reads no further than the history goes that is asked for, so a segment that no document refers to is never seen. What is
//! done with a page, and how much is kept, is the caller's.

use bytes::Bytes;

use crate::accounts::keys::HistoryKeys;
use crate::engine::{MalformedAnswer, Method, read_page, read_range};

/// Segments asked for in the first call, before their size is known: even if each is a single entry that takes from as
/// many lots as an account may have open (200 KiB), the answer fits Envoy's buffer for a call (32 MiB).
const FIRST_CALL_SEGMENTS: usize = 100;

/// Segments asked for in one call at most.
const MAX_CALL_SEGMENTS: usize = 1000;

/// The size of an answer that later calls aim at, in bytes.
const TARGET_ANSWER_BYTES: usize = 2 * 1024 * 1024;

/// A walk through the segments of one life.
#[derive(Debug)]
pub struct Walk {
    next_key: Vec<u8>,
    end: Vec<u8>,
    call_segments: usize,
    /// More than this is not asked for: less after a failed call, and growing again while all goes well.
    most_segments: usize,
}

/// Segments as they came.
#[derive(Debug)]
pub struct Page {
    /// Encoded, in the order of their entries.
    pub segments: Vec<Bytes>,
    /// Whether the walk goes on.
    pub more: bool,
}

impl Walk {
    /// Through the segments of the life `generation` that begin with entry `first` or later, up to `last`.
    #[must_use]
    pub fn new(keys: &HistoryKeys, generation: u64, first: u64, last: u64) -> Self {
        Self {
            next_key: keys.segment(generation, first),
            end: keys.segment(generation, last.saturating_add(1)),
            call_segments: FIRST_CALL_SEGMENTS,
            most_segments: MAX_CALL_SEGMENTS,
        }
    }

    /// The next call.
    #[must_use]
    pub fn next_call(&self) -> (Method, Bytes) {
        let limit = i64::try_from(self.call_segments).unwrap_or(1);
        (
            Method::Range,
            read_range(&self.next_key, &self.end, limit, 0),
        )
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// [`MalformedAnswer`]: the call is to be repeated.
    pub fn answered(&mut self, message: Bytes) -> Result<Page, MalformedAnswer> {
        let answer_bytes = message.len();
        let page = read_page(message)?;
        if let Some(last) = page.documents.last() {
            self.next_key = last.key.to_vec();
            self.next_key.push(0);
            let each = answer_bytes.checked_div(page.documents.len());
            self.call_segments = TARGET_ANSWER_BYTES
                .checked_div(each.unwrap_or(1).max(1))
                .unwrap_or(1)
                .clamp(1, self.most_segments);
            let doubled = self.most_segments.saturating_mul(2);
            self.most_segments = doubled.min(MAX_CALL_SEGMENTS);
        }
        Ok(Page {
            segments: page.documents.into_iter().map(|it| it.value).collect(),
            more: page.more,
        })
    }

    /// Asks for less after a failed call.
    pub fn failed(&mut self) {
        self.call_segments = self.call_segments.checked_div(2).unwrap_or(1).max(1);
        self.most_segments = self.call_segments;
    }
}
