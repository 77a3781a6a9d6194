//! What a VM knows of how current the copies are, and when a copy that is put in may be called current.
//!
//! Both look at the feed's record and at nothing else. Why that is enough is argued in [`super`].

use super::record::{self, Record};
use crate::engine::StoreId;
use crate::host::Host;
use crate::planted::{Bug, is_planted};

/// How current the copies of one cluster's accounts are, as a VM last saw it. Take it before a copy is read, never after:
/// a copy that was read first may be older than what is known later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Copies of this epoch are current, others are not. Never 0, which marks a copy that was not confirmed.
    pub epoch: u32,
    /// The store that is watched.
    pub store: StoreId,
    /// Everything that was committed before this moment is in the copies; milliseconds of the wall clock, 0 is never.
    pub confirmed_at_ms: i64,
    /// The revision up to which every change is in the copies.
    pub seen: i64,
}

impl Freshness {
    /// What the record says; none when the feed has not begun.
    pub(super) fn of(record: &Record) -> Option<Self> {
        (record.epoch != 0).then_some(Self {
            epoch: record.epoch,
            store: record.store,
            confirmed_at_ms: record.confirmed_ms,
            seen: record.seen,
        })
    }

    /// How long ago, in milliseconds, whatever a current copy lacks was committed at most, as of `now_ms`; none when that is
    /// more than `most_ms`, or not known: no copy may be answered with then.
    #[must_use]
    pub fn age_ms(&self, now_ms: i64, most_ms: i64) -> Option<i64> {
        // A moment ahead of now was noted before the clock was set back, and says nothing.
        let age_ms = now_ms.saturating_sub(self.confirmed_at_ms);
        if is_planted(Bug::BoundIgnored) {
            return Some(age_ms.clamp(0, most_ms));
        }
        (0..=most_ms).contains(&age_ms).then_some(age_ms)
    }

    /// Whether a copy of this store and epoch is current.
    #[must_use]
    pub fn covers(&self, store: StoreId, epoch: u32) -> bool {
        store == self.store && epoch == self.epoch
    }
}

/// To which epoch a copy may be confirmed that `store` answered at `header_revision`. Only for one that is held already:
/// read back the slot first, then ask, then set the epoch with a compare-and-set against what was read back.
#[must_use]
pub fn may_confirm(
    host: &impl Host,
    cluster: &str,
    store: StoreId,
    header_revision: i64,
) -> Option<u32> {
    let (record, _) = record::read(host, &record::name(cluster));
    confirms(&record?, store, header_revision)
}

pub(super) fn confirms(record: &Record, store: StoreId, header_revision: i64) -> Option<u32> {
    let follows = record.epoch != 0 && record.store == store;
    let not_passed = record.working_to <= header_revision || is_planted(Bug::ConfirmedWithoutLook);
    (follows && not_passed).then_some(record.epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId(5);

    fn record() -> Record {
        Record {
            epoch: 3,
            store: STORE,
            working_to: 20,
            seen: 18,
            confirmed_ms: 1_000,
            ..Record::new([0; 16])
        }
    }

    #[test]
    fn a_copy_is_confirmed_only_when_the_feed_has_not_passed_it() {
        assert_eq!(confirms(&record(), STORE, 19), None);
        assert_eq!(confirms(&record(), STORE, 20), Some(3));
        assert_eq!(confirms(&record(), STORE, 21), Some(3));
        assert_eq!(confirms(&record(), StoreId(6), 21), None);
        let not_begun = Record {
            epoch: 0,
            ..record()
        };
        assert_eq!(confirms(&not_begun, STORE, 21), None);
    }

    #[test]
    fn copies_of_the_epoch_are_served_for_as_long_as_they_are_known_to_be_fresh() {
        let freshness = Freshness::of(&record()).expect("a feed that has begun");
        for (now_ms, expected) in [
            (999, None),
            (1_000, Some(0)),
            (1_500, Some(500)),
            (1_501, None),
            (i64::MIN, None),
            (i64::MAX, None),
        ] {
            assert_eq!(freshness.age_ms(now_ms, 500), expected, "{now_ms}");
        }
        for (store, epoch, expected) in [
            (STORE, 3, true),
            (STORE, 2, false),
            (STORE, 4, false),
            (STORE, 0, false),
            (StoreId(6), 3, false),
        ] {
            assert_eq!(
                freshness.covers(store, epoch),
                expected,
                "{store:?} {epoch}"
            );
        }
        assert_eq!(Freshness::of(&Record::new([0; 16])), None);
    }
}
