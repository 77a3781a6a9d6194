//! What every account must be, by what clients sent and what they were answered: plain sums and a list of operations, no
//! lots, no revisions.
//!
//! An operation is known to be done, known to be refused, or not known; only what is known counts for sure, and what is
//! not known may have happened or not. The books refuse to know gateways and engines.

mod sums;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(crate) use sums::Bounds;
use sums::Sum;

/// What an operation does to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// addPoints.
    Add,
    /// redeemPoints.
    Redeem,
}

/// How the gateway is told that two requests are one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By the `id` of the entry.
    Entry,
    /// By the header `Idempotency-Key`.
    Key,
}

/// One change that a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Its name in all of the run; also the description of the entry that it makes.
    pub(crate) name: String,
    pub(crate) effect: Effect,
    pub(crate) points: u64,
    pub(crate) identity: Identity,
}

/// What is known of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was sent, and may have been carried out or not, or may be yet.
    Unknown,
    /// Acknowledged by then.
    Done(Instant),
    /// Refused, with no other copy of it on the way.
    Refused,
}

/// One account.
#[derive(Debug)]
pub(crate) struct Book {
    /// Whose it is, by number.
    pub(crate) tenant: usize,
    pub(crate) customer: String,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    operations: HashMap<String, (Operation, Fate)>,
    /// Points of all adds that may have happened, and of all redemptions that may have.
    added_at_most: u64,
    redeemed_at_most: u64,
    added: Sum,
    redeemed: Sum,
}

impl Book {
    pub(crate) fn new(tenant: usize, customer: String) -> Self {
        Self {
            tenant,
            customer,
            pages: Mutex::default(),
        }
    }

    /// To be said before anything leaves.
    pub(crate) fn send(&self, operation: &Operation) {
        let mut pages = self.pages();
        match operation.effect {
            Effect::Add => pages.added_at_most += operation.points,
            Effect::Redeem => pages.redeemed_at_most += operation.points,
        }
        let entry = (operation.clone(), Fate::Unknown);
        pages.operations.insert(operation.name.clone(), entry);
    }

    /// The operation was acknowledged.
    pub(crate) fn done(&self, name: &str) {
        let mut pages = self.pages();
        // Taken under the lock: sums are in the order of time.
        let now = Instant::now();
        let Some((operation, fate)) = pages.operations.get_mut(name) else {
            return;
        };
        *fate = Fate::Done(now);
        let (effect, points) = (operation.effect, operation.points);
        match effect {
            Effect::Add => pages.added.add(now, points),
            Effect::Redeem => pages.redeemed.add(now, points),
        }
    }

    /// The operation was refused, and no request that carried it is without an answer: it never happens.
    pub(crate) fn refused(&self, name: &str) {
        let mut pages = self.pages();
        let Some((operation, fate)) = pages.operations.get_mut(name) else {
            return;
        };
        *fate = Fate::Refused;
        let (effect, points) = (operation.effect, operation.points);
        match effect {
            Effect::Add => pages.added_at_most -= points,
            Effect::Redeem => pages.redeemed_at_most -= points,
        }
    }

    /// What an answer may show that knows of everything that was acknowledged before `since`. To be asked when the answer
    /// is there, so that all that it may show has been sent.
    pub(crate) fn bounds(&self, since: Instant) -> Bounds {
        let pages = self.pages();
        Bounds::new(
            (pages.added.before(since), pages.added_at_most),
            (pages.redeemed.before(since), pages.redeemed_at_most),
        )
    }

    /// An operation and what is known of it.
    pub(crate) fn find(&self, name: &str) -> Option<(Operation, Fate)> {
        self.pages().operations.get(name).cloned()
    }

    /// The operations of which that is known.
    pub(crate) fn all(&self, is_so: impl Fn(Fate) -> bool) -> Vec<Operation> {
        let pages = self.pages();
        let found = pages.operations.values().filter(|(_, fate)| is_so(*fate));
        found.map(|(operation, _)| operation.clone()).collect()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(name: &str, effect: Effect, points: u64) -> Operation {
        Operation {
            name: name.to_owned(),
            effect,
            points,
            identity: Identity::Entry,
        }
    }

    #[test]
    fn only_what_is_known_counts_for_sure() {
        let book = Book::new(0, "a".to_owned());
        let bounds = |since| book.bounds(since).to_string();
        let begin = Instant::now();
        assert_eq!(bounds(begin), "0 to 0, or no account");
        book.send(&operation("add", Effect::Add, 10));
        assert_eq!(
            bounds(Instant::now()),
            "0 to 10, or no account",
            "on the way"
        );
        book.done("add");
        assert_eq!(
            bounds(begin),
            "0 to 10, or no account",
            "not yet, back then"
        );
        assert_eq!(bounds(Instant::now()), "10 to 10");
        book.send(&operation("redeem", Effect::Redeem, 4));
        assert_eq!(bounds(Instant::now()), "6 to 10", "on the way");
        book.refused("redeem");
        assert_eq!(bounds(Instant::now()), "10 to 10", "refused");
        book.send(&operation("again", Effect::Redeem, 4));
        book.done("again");
        assert_eq!(bounds(Instant::now()), "6 to 6");
        assert_eq!(book.find("redeem").map(|it| it.1), Some(Fate::Refused));
        assert_eq!(book.all(|fate| matches!(fate, Fate::Done(_))).len(), 2);
    }
}
