//! What is known of one operation: how often it was tried, what was told of it, how often it was done.

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// When it was first asked for.
    pub(super) first_us: u64,
    /// How often it was asked for.
    pub(super) attempts: u32,
    /// Requests that are under way.
    open: u32,
    /// Requests of which nobody knows what became of them.
    unknown: u32,
    /// How often it was answered, with anything but 503.
    pub(super) answered: u32,
    /// It was answered 2xx.
    pub(super) acknowledged: bool,
    /// How often the engine has done it.
    pub(super) done: u32,
    /// When last.
    pub(super) done_revision: i64,
}

impl Told {
    pub(super) fn begin(&mut self, at_us: u64) {
        if self.attempts == 0 {
            self.first_us = at_us;
        }
        self.attempts += 1;
        self.open += 1;
    }

    pub(super) fn end_unknown(&mut self) {
        self.open = self.open.saturating_sub(1);
        self.unknown += 1;
    }

    pub(super) fn end(&mut self, status: u16) {
        self.open = self.open.saturating_sub(1);
        self.answered += 1;
        self.acknowledged |= (200..300).contains(&status);
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open > 0
    }

    /// Whether it may be done at this moment: somebody waits for it, or went away without knowing. What came of an attempt
    /// that nobody heard of is never known, so one such attempt is enough for ever; to be done twice is not, whatever came.
    pub(super) const fn may_be_done(&self) -> bool {
        self.open > 0 || self.unknown > 0
    }
}
