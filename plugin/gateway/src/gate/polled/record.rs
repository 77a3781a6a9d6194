//! The record that the VMs of one gateway share about a thing that one of them fetches for all.

/// Layout of the record; another number is another generation of the filter.
const FORMAT: u8 = 1;

/// How a fetch ended. The numbers are what the gauge shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(in crate::gate) enum Ending {
    /// None has ended yet.
    #[default]
    None = 0,
    /// It brought a usable value.
    Success = 1,
    /// No answer, or none in time.
    Unreachable = 2,
    /// An answer that says no.
    Refused = 3,
    /// More than is taken.
    TooLarge = 4,
    /// An answer that is not what was asked for.
    Malformed = 5,
    /// An answer in order with nothing in it that can be used.
    Unusable = 6,
}

impl Ending {
    const ALL: [Self; 7] = [
        Self::None,
        Self::Success,
        Self::Unreachable,
        Self::Refused,
        Self::TooLarge,
        Self::Malformed,
        Self::Unusable,
    ];

    /// The number in records and gauges.
    pub(in crate::gate) const fn number(self) -> u8 {
        self as u8
    }

    /// A fixed word for the operator's log.
    pub(in crate::gate) const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Success => "success",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Unusable => "unusable",
        }
    }
}

/// What is known of the thing. Times are milliseconds since the epoch, 0 is never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Which value is held; 0 is none.
    pub(super) generation: u64,
    /// When the last successful fetch ended.
    pub(super) fetched_ms: i64,
    /// When the last fetch began.
    pub(super) began_ms: i64,
    /// When the last fetch out of turn began.
    pub(super) asked_began_ms: i64,
    /// When the last fetch ended.
    pub(super) settled_ms: i64,
    /// When the next one is due.
    pub(super) next_ms: i64,
    /// The number of the fetch under way; 0 is none.
    pub(super) lease: u64,
    /// Until when only that one counts.
    pub(super) lease_until_ms: i64,
    /// Failures since the last success.
    pub(super) failures: u32,
    /// How the last fetch ended.
    pub(super) ending: Ending,
}

impl Record {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT, self.ending.number()];
        bytes.extend_from_slice(&self.failures.to_be_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.lease.to_be_bytes());
        for time_ms in [
            self.fetched_ms,
            self.began_ms,
            self.asked_began_ms,
            self.settled_ms,
            self.next_ms,
            self.lease_until_ms,
        ] {
            bytes.extend_from_slice(&time_ms.to_be_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[format, ending], rest) = bytes.split_first_chunk()?;
        let (failures, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (lease, rest) = rest.split_first_chunk()?;
        let (times, rest) = rest.as_chunks();
        let times: &[[u8; 8]; 6] = times.try_into().ok()?;
        if format != FORMAT || !rest.is_empty() {
            return None;
        }
        let [
            fetched_ms,
            began_ms,
            asked_began_ms,
            settled_ms,
            next_ms,
            lease_until_ms,
        ] = times.map(i64::from_be_bytes);
        Some(Self {
            generation: u64::from_be_bytes(*generation),
            fetched_ms,
            began_ms,
            asked_began_ms,
            settled_ms,
            next_ms,
            lease: u64::from_be_bytes(*lease),
            lease_until_ms,
            failures: u32::from_be_bytes(*failures),
            ending: Ending::ALL.into_iter().find(|it| it.number() == ending)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_nothing_else_is() {
        for ending in Ending::ALL {
            let record = Record {
                generation: 3,
                fetched_ms: 1_750_000_000_000,
                began_ms: -1,
                asked_began_ms: i64::MAX,
                settled_ms: 4,
                next_ms: 5,
                lease: u64::MAX,
                lease_until_ms: 6,
                failures: 7,
                ending,
            };
            let bytes = record.encode();
            assert_eq!(Record::decode(&bytes), Some(record));
            for length in 0..bytes.len() {
                assert_eq!(Record::decode(&bytes[..length]), None);
            }
            assert_eq!(Record::decode(&[&bytes[..], &[0]].concat()), None);
            assert_eq!(Record::decode(&[&[FORMAT + 1], &bytes[1..]].concat()), None);
            assert_eq!(Record::decode(&[&[FORMAT, 9], &bytes[2..]].concat()), None);
        }
    }
}
