//! How much of a worker's time tokens may take that turn out to be worth nothing.
//!
//! A look at a token that is not remembered is paid for in advance by having credit at all, and charged afterwards only when
//! the token was refused: so any number of good tokens is verified, and a flood of bad ones costs no more than the share
//! that is configured. Without credit nothing new is looked at. Knows no token and keeps no clock.

/// One unit of cost is about this much of a worker's time, in microseconds. An estimate, from measurements on one machine:
/// it gives the shares below their size and nothing else.
pub const UNIT_MICROSECONDS: u32 = 20;

/// Units for a token that was refused before its signature was looked at.
pub(super) const CHEAP_UNITS: u32 = 1;
/// Units for one whose signature the host checked.
pub(super) const NATIVE_UNITS: u32 = 5;
/// Units for one whose signature was checked here.
pub(super) const COMPUTED_UNITS: u32 = 25;

/// For how long credit may be saved up, in milliseconds.
const MOST_SAVED_MS: i64 = 1_000;

/// Credit in thousandths of a unit, so that a millisecond always brings a whole number.
#[derive(Debug)]
pub(super) struct Budget {
    units_per_second: i64,
    /// May be overdrawn by the last look.
    credit: i64,
    last_ms: i64,
}

impl Budget {
    /// A full one. `percent` of the worker's time is what refused tokens may take.
    pub(super) fn new(percent: u32) -> Self {
        let units_per_second = i64::from(percent)
            .saturating_mul(10_000)
            .checked_div(i64::from(UNIT_MICROSECONDS))
            .unwrap_or(1);
        Self {
            units_per_second,
            credit: units_per_second.saturating_mul(MOST_SAVED_MS),
            last_ms: 0,
        }
    }

    /// Whether another look may be taken. `now_ms` is of a clock that never goes back.
    pub(super) fn has_credit(&mut self, now_ms: i64) -> bool {
        let passed_ms = now_ms.saturating_sub(self.last_ms).clamp(0, MOST_SAVED_MS);
        self.last_ms = now_ms;
        let most = self.units_per_second.saturating_mul(MOST_SAVED_MS);
        let earned = self.units_per_second.saturating_mul(passed_ms);
        self.credit = self.credit.saturating_add(earned).min(most);
        self.credit > 0
    }

    /// Pays for a look at a token that was refused.
    pub(super) fn charge(&mut self, units: u32) {
        self.credit = self
            .credit
            .saturating_sub(i64::from(units).saturating_mul(1000));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks_until_empty(budget: &mut Budget, units: u32, now_ms: i64) -> u32 {
        let mut looks = 0;
        while budget.has_credit(now_ms) {
            budget.charge(units);
            looks += 1;
            assert!(looks < 1_000_000, "it never ends");
        }
        looks
    }

    #[test]
    fn refused_tokens_take_the_configured_share_and_no_more() {
        // 4 % of a second is 40 ms, 2,000 units of 20 us.
        for (units, per_second) in [(1, 2000), (5, 400), (25, 80)] {
            let mut budget = Budget::new(4);
            looks_until_empty(&mut budget, units, 5_000);
            let mut looks = 0;
            for ms in 5_001..=15_000 {
                looks += looks_until_empty(&mut budget, units, ms);
            }
            let most = per_second * 10 + 1;
            assert!((most - 12..=most).contains(&looks), "{units}: {looks}");
        }
    }

    #[test]
    fn credit_is_saved_for_a_while_only_and_a_clock_that_jumps_gives_no_more() {
        let mut budget = Budget::new(1);
        let first = looks_until_empty(&mut budget, 1, 0);
        assert_eq!(first, 500);
        assert_eq!(looks_until_empty(&mut budget, 1, 3_600_000), 500);
        assert_eq!(looks_until_empty(&mut budget, 1, 0), 0);
        assert_eq!(looks_until_empty(&mut budget, 1, 1_000), 500);
    }
}
