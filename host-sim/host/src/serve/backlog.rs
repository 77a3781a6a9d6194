//! How many bytes were handed to a peer that has not taken them yet: what bounds a body that passes through.
//!
//! Counts only; whoever hands bytes over looks at the count and waits.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

/// One direction of one stream; clones count together.
#[derive(Clone, Debug)]
pub struct Backlog {
    bytes: Rc<Cell<usize>>,
    progress: Rc<Notify>,
}

impl Backlog {
    /// Nothing yet. `progress` is told whenever bytes were taken.
    pub fn new(progress: Rc<Notify>) -> Self {
        Self {
            bytes: Rc::default(),
            progress,
        }
    }

    /// Handed over and not taken.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// So many more were handed over.
    pub fn add(&self, count: usize) {
        self.bytes.set(self.bytes.get().saturating_add(count));
    }

    /// So many were taken.
    pub fn take(&self, count: usize) {
        self.bytes.set(self.bytes.get().saturating_sub(count));
        self.progress.notify_waiters();
    }
}
