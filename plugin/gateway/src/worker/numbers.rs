//! One series of numbers for all that a worker names: requests, calls, fetches. What is smaller came first.

use crate::engine::CallId;

/// The last number given.
#[derive(Debug, Default)]
pub(super) struct Numbers(u64);

impl Numbers {
    /// The next number. None is given twice.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }

    /// The name of the next call.
    pub(super) const fn call(&mut self) -> CallId {
        CallId(self.next())
    }
}
