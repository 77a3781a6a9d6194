//! Points that were acknowledged, by when: what was certain at any earlier moment can still be told.

use std::time::Instant;

use super::Effect;

/// A growing sum with its past.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// In the order of time, each with all before it.
    steps: Vec<(Instant, u64)>,
}

impl Sum {
    /// Adds `points` at `when`, which is no earlier than the last time.
    pub(super) fn add(&mut self, when: Instant, points: u64) {
        let so_far = self.steps.last().map_or(0, |(_, sum)| *sum);
        self.steps.push((when, so_far + points));
    }

    /// What it was just before `when`.
    pub(super) fn before(&self, when: Instant) -> u64 {
        let count = self.steps.partition_point(|(then, _)| *then < when);
        let last = count.checked_sub(1).and_then(|last| self.steps.get(last));
        last.map_or(0, |(_, sum)| *sum)
    }
}

/// What a balance may be. The sums of what is known and of what is not are those of different moments, so the lower bound
/// may be below nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    low: i128,
    high: i128,
    /// Whether there must be an account.
    exists: bool,
}

impl Bounds {
    pub(super) fn new(added: (u64, u64), redeemed: (u64, u64)) -> Self {
        let (added, added_at_most) = (i128::from(added.0), i128::from(added.1));
        let (redeemed, redeemed_at_most) = (i128::from(redeemed.0), i128::from(redeemed.1));
        Self {
            low: added - redeemed_at_most,
            high: added_at_most - redeemed,
            exists: added > 0,
        }
    }

    /// The same where that operation is known to count, too.
    pub(crate) fn knowing(mut self, effect: Effect, points: u64) -> Self {
        match effect {
            Effect::Add => self.low += i128::from(points),
            Effect::Redeem => self.high -= i128::from(points),
        }
        self.exists = true;
        self
    }

    /// Whether that may be the balance; `None`: there is no account.
    pub(crate) fn allow(self, balance: Option<u64>) -> bool {
        match balance {
            Some(balance) => (self.low..=self.high).contains(&i128::from(balance)),
            None => !self.exists,
        }
    }

    /// Whether a redemption that is itself among what may have happened may be refused: for want of points, or
    /// (`is_unknown`) because there is no account.
    pub(crate) fn may_refuse(self, is_unknown: bool) -> bool {
        // Its own points are taken off the lower bound already.
        if is_unknown {
            !self.exists
        } else {
            self.low < 0
        }
    }
}

impl std::fmt::Display for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let must = if self.exists { "" } else { ", or no account" };
        write!(f, "{} to {}{must}", self.low.max(0), self.high)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_sum_knows_its_past() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut sum = Sum::default();
        assert_eq!(sum.before(at(9)), 0);
        sum.add(at(1), 5);
        sum.add(at(3), 2);
        sum.add(at(3), 1);
        let cases = [(0, 0), (1, 0), (2, 5), (3, 5), (4, 8)];
        for (when, expected) in cases {
            assert_eq!(sum.before(at(when)), expected, "at {when}");
        }
    }

    #[test]
    fn bounds_hold_what_is_possible_and_nothing_else() {
        // 10 of at most 12 added, 3 of at most 8 redeemed.
        let bounds = Bounds::new((10, 12), (3, 8));
        let allowed = [Some(1), Some(2), Some(9), Some(10), None].map(|it| bounds.allow(it));
        assert_eq!(allowed, [false, true, true, false, false]);
        assert!(Bounds::new((0, 5), (0, 0)).allow(None));
        // What may have been redeemed of what was not yet known to be added lowers the bound below nothing.
        let bounds = Bounds::new((0, 9), (0, 4)).knowing(Effect::Add, 3);
        assert_eq!([Some(0), None].map(|it| bounds.allow(it)), [true, false]);
        let bounds = Bounds::new((9, 9), (0, 4)).knowing(Effect::Redeem, 4);
        assert_eq!(
            [4, 5, 6].map(|it| bounds.allow(Some(it))),
            [false, true, false]
        );
    }

    #[test]
    fn a_refusal_is_right_only_where_the_points_may_be_missing() {
        // Of 10 points one redemption of 4 is on the way besides, then one of 6, then one of 7.
        for (points, expected) in [(4, false), (6, false), (7, true)] {
            let bounds = Bounds::new((10, 10), (0, 4 + points));
            assert_eq!(bounds.may_refuse(false), expected, "{points}");
            assert!(!bounds.may_refuse(true), "there is an account");
        }
    }
}
