//! The batches of one kind that one worker sends to one engine cluster: what waits, what is under way, how large a batch
//! may be.
//!
//! There is no timer: a batch leaves as soon as one may, with all that waits then; while as many are under way as may be,
//! what arrives gathers. An account stands in the queue once, and at its end again after each batch that it was part of:
//! a busy one is never served twice before a quiet one is served.

use std::collections::{BTreeMap, VecDeque};

use super::lines::LineId;
use crate::engine::CallId;

/// Well-answered batches after which a limit that was lowered is doubled again.
const GOOD_BATCHES: u32 = 8;

/// Bytes of the requests in one batch after which no further one is added. With one more document of the largest size it
/// stays below the 1.5 MiB that etcd takes in a request.
pub(super) const FULL_BATCH_BYTES: usize = 256 * 1024;

/// What is waiting and under way.
pub(super) struct Pipe<R> {
    waiting: VecDeque<LineId>,
    in_flight: BTreeMap<CallId, Batch<R>>,
    most_in_flight: usize,
    most_in_batch: usize,
    /// How many a batch may hold at the moment: less than configured after one whose outcome is not known, because the
    /// engine may refuse large ones and a refusal cannot be told from other failures.
    batch_limit: usize,
    good_batches: u32,
}

/// One batch under way.
pub(super) struct Batch<R> {
    /// Each part: whose it is, and the request.
    pub parts: Vec<(LineId, R)>,
    /// When its answer cannot come any more, in milliseconds of the steady clock.
    pub gone_ms: i64,
}

impl<R> Pipe<R> {
    pub(super) fn new(most_in_batch: usize, most_in_flight: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            in_flight: BTreeMap::new(),
            most_in_flight,
            most_in_batch,
            batch_limit: most_in_batch,
            good_batches: 0,
        }
    }

    /// A line has something to send. Its caller sees to it that it stands here once.
    pub(super) fn queue(&mut self, line: LineId) {
        self.waiting.push_back(line);
    }

    /// The next line that has something to send.
    pub(super) fn next(&mut self) -> Option<LineId> {
        self.waiting.pop_front()
    }

    /// Whether a batch may leave now.
    pub(super) fn is_ready(&self) -> bool {
        !self.waiting.is_empty() && self.in_flight.len() < self.most_in_flight
    }

    /// How many parts the next batch may have.
    pub(super) const fn batch_limit(&self) -> usize {
        self.batch_limit
    }

    /// A batch leaves.
    pub(super) fn sent(&mut self, call: CallId, batch: Batch<R>) {
        self.in_flight.insert(call, batch);
    }

    /// The batch that was sent with this call, which is over.
    pub(super) fn take(&mut self, call: CallId) -> Option<Batch<R>> {
        self.in_flight.remove(&call)
    }

    /// Batches whose answers cannot come any more.
    pub(super) fn overdue(&self, now_ms: i64) -> Vec<CallId> {
        let overdue = self.in_flight.iter().filter(|(_, it)| now_ms >= it.gone_ms);
        overdue.map(|(&call, _)| call).collect()
    }

    /// Learns from how a batch of this many parts ended.
    pub(super) fn learn(&mut self, parts: usize, well: bool) {
        if !well {
            if parts > 1 {
                self.batch_limit = parts.checked_div(2).unwrap_or(1).max(1);
            }
            self.good_batches = 0;
        } else if self.batch_limit < self.most_in_batch {
            self.good_batches = self.good_batches.saturating_add(1);
            if self.good_batches >= GOOD_BATCHES {
                self.good_batches = 0;
                let doubled = self.batch_limit.saturating_mul(2);
                self.batch_limit = doubled.min(self.most_in_batch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_fails_halves_the_limit_and_good_ones_bring_it_back() {
        let mut pipe: Pipe<()> = Pipe::new(64, 4);
        for expected in [32, 16, 8, 4, 2, 1, 1] {
            pipe.learn(pipe.batch_limit(), false);
            assert_eq!(pipe.batch_limit(), expected);
        }
        for expected in [2, 4, 8, 16, 32, 64, 64] {
            for _ in 0..GOOD_BATCHES {
                pipe.learn(1, true);
            }
            assert_eq!(pipe.batch_limit(), expected);
        }
        // One that failed alone says nothing about batches.
        pipe.learn(1, false);
        assert_eq!(pipe.batch_limit(), 64);
        // Nor does an old, large one raise what a small one has lowered.
        pipe.learn(8, false);
        pipe.learn(8, true);
        assert_eq!(pipe.batch_limit(), 4);
    }
}
