//! The writes of one account in one worker: one runs, the others wait in the order of their arrival.
//!
//! Two at the same time would only conflict. Who is still in time is the worker's to say.

use std::collections::VecDeque;

/// The tickets of one account's writes.
#[derive(Default)]
pub(super) struct Turns {
    running: Option<u64>,
    /// One that has run out of time stays until its turn and is skipped then.
    waiting: VecDeque<u64>,
}

/// What follows the end of a write.
pub(super) enum Next {
    /// This one begins.
    Begin(u64),
    /// Another one is running: the one that ended had only waited.
    StillRunning,
    /// None is left.
    Nothing,
}

impl Turns {
    /// Takes note of a write; whether it runs at once.
    pub(super) fn arrive(&mut self, ticket: u64) -> bool {
        if self.running.is_none() {
            self.running = Some(ticket);
            return true;
        }
        self.waiting.push_back(ticket);
        false
    }

    /// Takes note that a write has ended; the first of the waiting ones that is in time runs then.
    pub(super) fn end(&mut self, ended: u64, in_time: impl Fn(u64) -> bool) -> Next {
        if self.running != Some(ended) {
            return Next::StillRunning;
        }
        let waiting = &mut self.waiting;
        self.running = std::iter::from_fn(|| waiting.pop_front()).find(|&ticket| in_time(ticket));
        self.running.map_or(Next::Nothing, Next::Begin)
    }
}
