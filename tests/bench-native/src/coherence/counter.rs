//! An account as the writer knows it: how many points were added to it, one at a time, and when each was acknowledged.
//!
//! Only one task adds to it, one add after the other, so a balance says exactly which adds it holds: the first so many. An
//! add with no answer may have been made or not; then the account is left for a new one, and nothing is guessed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The account of one place, and those that were there before it.
#[derive(Debug, Default)]
pub struct Counter {
    now: Mutex<Account>,
}

#[derive(Debug, Default)]
struct Account {
    generation: u64,
    acknowledged: Vec<Instant>,
}

/// What a balance says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// How long before the read the first add was acknowledged that the balance does not hold; zero: it holds them all.
    Stale(Duration),
    /// More was added than anybody asked for.
    Impossible,
    /// The account was left meanwhile.
    Left,
}

impl Counter {
    /// Which account is there now.
    pub fn generation(&self) -> u64 {
        self.with(|account| account.generation)
    }

    /// One more was added, as is known since `at`.
    pub fn acknowledge(&self, at: Instant) {
        self.with(|account| account.acknowledged.push(at));
    }

    /// Goes on with a new account.
    pub fn leave(&self) {
        self.with(|account| {
            account.generation += 1;
            account.acknowledged.clear();
        });
    }

    /// Judges a balance of that generation whose read was begun at `begun`.
    pub fn judge(&self, generation: u64, balance: u64, begun: Instant) -> Judgement {
        self.with(|account| {
            if account.generation != generation {
                return Judgement::Left;
            }
            let held = usize::try_from(balance).unwrap_or(usize::MAX);
            // One may be under way, made already and not acknowledged.
            if held > account.acknowledged.len() + 1 {
                return Judgement::Impossible;
            }
            let missing = account.acknowledged.get(held);
            Judgement::Stale(missing.map_or(Duration::ZERO, |at| {
                // Acknowledged after the read had begun: nobody could want it.
                begun.saturating_duration_since(*at)
            }))
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Account) -> T) -> T {
        act(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_is_as_stale_as_the_first_add_that_it_lacks() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let counter = Counter::default();
        for ms in [10, 20, 30] {
            counter.acknowledge(at(ms));
        }
        let stale = |ms| Judgement::Stale(Duration::from_millis(ms));
        let cases = [
            (3, 100, stale(0)),
            (2, 100, stale(70)),
            (1, 100, stale(80)),
            (0, 100, stale(90)),
            // Begun before the acknowledgement.
            (2, 25, stale(0)),
            (1, 25, stale(5)),
            // One on the way, but not two.
            (4, 100, stale(0)),
            (5, 100, Judgement::Impossible),
        ];
        for (balance, begun, expected) in cases {
            let judged = counter.judge(0, balance, at(begun));
            assert_eq!(judged, expected, "{balance} at {begun}");
        }
    }

    #[test]
    fn nothing_is_said_of_an_account_that_was_left() {
        let counter = Counter::default();
        counter.acknowledge(Instant::now());
        counter.leave();
        assert_eq!(counter.generation(), 1);
        let judge = |generation| counter.judge(generation, 0, Instant::now());
        assert_eq!(judge(0), Judgement::Left);
        assert_eq!(judge(1), Judgement::Stale(Duration::ZERO));
    }
}
