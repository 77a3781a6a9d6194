//! What the VMs of one gateway share about one feed.
//!
//! Only its holder changes it, and whoever takes over; every change is a compare-and-set, so a holder that was replaced
//! while it slept finds out with its next one. The name carries the layout: two generations of the filter that run side by
//! side each have a feed of their own.

use crate::engine::StoreId;
use crate::host::{Host, Shared, When};

/// Layout of the record; another number is another generation of the filter.
const FORMAT: u8 = 1;

/// For how long the lease is held without being renewed, in milliseconds: after a trap the feed stands still for so long.
pub const LEASE_MS: i64 = 1_000;

/// A VM that may hold the feed: random, drawn once in its life. All zeros: nobody.
pub(super) type Holder = [u8; 16];

/// The shared record of one feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub(super) holder: Holder,
    /// Until when only the holder may change the record, in milliseconds of the wall clock.
    pub(super) lease_until_ms: i64,
    /// Which copies are current: those of this epoch. 0: none is, the feed has not begun.
    pub(super) epoch: u32,
    pub(super) store: StoreId,
    /// Events up to here may have been brought to the copies already.
    pub(super) working_to: i64,
    /// Events up to here have been.
    pub(super) seen: i64,
    /// What was committed before this moment is in the copies of this epoch; milliseconds of the wall clock, 0 is never.
    pub(super) confirmed_ms: i64,
    /// The name of the heartbeat's key, the same for the record's whole life.
    pub(super) beat: [u8; 16],
    /// The heartbeat's revision, as last heard; 0: there is no such key.
    pub(super) beat_revision: i64,
}

impl Record {
    /// The record of a feed that has not begun.
    pub(super) const fn new(beat: [u8; 16]) -> Self {
        Self {
            holder: [0; 16],
            lease_until_ms: 0,
            epoch: 0,
            store: StoreId(0),
            working_to: 0,
            seen: 0,
            confirmed_ms: 0,
            beat,
            beat_revision: 0,
        }
    }

    /// Whether another VM may take over.
    pub(super) const fn has_lapsed(&self, now_ms: i64) -> bool {
        // A lease that reaches further was written before the clock was set back; it counts for nothing.
        self.lease_until_ms <= now_ms || self.lease_until_ms > now_ms.saturating_add(LEASE_MS)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&self.holder);
        bytes.extend_from_slice(&self.beat);
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.store.0.to_be_bytes());
        for number in [
            self.lease_until_ms,
            self.working_to,
            self.seen,
            self.confirmed_ms,
            self.beat_revision,
        ] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&format, rest) = bytes.split_first()?;
        let (&holder, rest) = rest.split_first_chunk()?;
        let (&beat, rest) = rest.split_first_chunk()?;
        let (&epoch, rest) = rest.split_first_chunk()?;
        let (&store, rest) = rest.split_first_chunk()?;
        let (numbers, rest) = rest.as_chunks();
        let numbers: &[[u8; 8]; 5] = numbers.try_into().ok()?;
        if format != FORMAT || !rest.is_empty() {
            return None;
        }
        let [
            lease_until_ms,
            working_to,
            seen,
            confirmed_ms,
            beat_revision,
        ] = numbers.map(i64::from_be_bytes);
        Some(Self {
            holder,
            lease_until_ms,
            epoch: u32::from_be_bytes(epoch),
            store: StoreId(u64::from_be_bytes(store)),
            working_to,
            seen,
            confirmed_ms,
            beat,
            beat_revision,
        })
    }
}

/// Under which name the record of a cluster's feed is shared.
pub(super) fn name(cluster: &str) -> String {
    format!("reward-points/feed/{FORMAT}/{cluster}")
}

/// The record as it is now, and what a change of it depends on. One that cannot be read counts as none.
pub(super) fn read(host: &impl Host, name: &str) -> (Option<Record>, When) {
    match host.shared_get(name) {
        Shared::Absent => (None, When::Absent),
        Shared::Erased(version) => (None, When::Version(version)),
        Shared::Held(bytes, version) => (Record::decode(&bytes), When::Version(version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_nothing_else_is() {
        let record = Record {
            holder: [1; 16],
            lease_until_ms: 1_750_000_000_000,
            epoch: u32::MAX,
            store: StoreId(u64::MAX),
            working_to: i64::MAX,
            seen: 3,
            confirmed_ms: -1,
            beat: [2; 16],
            beat_revision: 4,
        };
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Some(record));
        for length in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..length]), None);
        }
        assert_eq!(Record::decode(&[&bytes[..], &[0]].concat()), None);
        assert_eq!(Record::decode(&[&[FORMAT + 1], &bytes[1..]].concat()), None);
    }

    #[test]
    fn a_lease_lapses_in_time_and_one_from_the_future_has() {
        let record = Record {
            lease_until_ms: 5_000,
            ..Record::new([0; 16])
        };
        assert!(!record.has_lapsed(4_999));
        assert!(record.has_lapsed(5_000));
        assert!(!record.has_lapsed(5_000 - LEASE_MS));
        assert!(record.has_lapsed(5_000 - LEASE_MS - 1));
    }
}
