//! Something that one worker fetches for all: who fetches when, and how the others hear of it.
//!
//! Two entries of shared data for each such thing: a small record (when it was fetched, when it is due, who is at it) and
//! the value. Any VM may fetch when the record says that it is time, by taking the lease in the record; a lease ends by
//! itself, so a VM that dies in the middle holds up nobody for long. Fetches are spread by jitter, failures are repeated
//! at growing pauses, and what was fetched last stays until something newer comes. Knows neither what is fetched nor how.

pub(crate) mod record;
#[cfg(test)]
mod tests;

pub(super) use self::record::Ending;
use self::record::Record;
use crate::host::{Host, Shared, When};

/// The pause after a first failure, in milliseconds; it doubles from failure to failure.
const FIRST_PAUSE_MS: i64 = 1_000;

/// The longest such pause, in milliseconds.
pub(super) const MAX_PAUSE_MS: i64 = 30_000;

/// How often a conditional write is tried again when other workers write the same entry at the same time.
const MAX_WRITE_ATTEMPTS: usize = 8;

/// When it is fetched. All in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// The time from one fetch to the next; the next comes up to a quarter earlier, by chance.
    pub(super) refresh_ms: i64,
    /// The least time between two fetches out of turn.
    pub(super) ask_gap_ms: i64,
    /// After how long a fetch that nobody finished may be begun by another VM.
    pub(super) lease_ms: i64,
}

/// One thing that is fetched, as one VM sees it.
#[derive(Debug)]
pub(super) struct Polled {
    record_name: String,
    value_name: String,
    schedule: Schedule,
    /// As last seen.
    record: Record,
    /// Which value this VM has taken over; 0 is none.
    taken: u64,
    /// Since when this VM wants a fetch out of turn, in milliseconds since the epoch.
    asked_ms: Option<i64>,
}

/// A fetch of this VM's has begun: carry it out and tell how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    /// Its number in the record: what it brings counts only while this stands there.
    lease: u64,
    /// Whether somebody asked for it out of turn.
    pub(super) out_of_turn: bool,
}

/// Why a fetch may begin.
#[derive(PartialEq, Eq)]
enum Turn {
    Due,
    Asked,
}

impl Polled {
    /// What is fetched of this `kind` for this `identity`: shared by all VMs that name both the same, and by nobody else.
    /// Shared data outlives a configuration, so an identity says everything that what is fetched depends on.
    pub(super) fn new(kind: &str, identity: &str, schedule: Schedule) -> Self {
        let digest = hmac_sha256::Hash::hash(identity.as_bytes());
        let number = digest
            .first_chunk()
            .map_or(0, |&bytes| u128::from_be_bytes(bytes));
        let name = format!("{kind}/{number:032x}");
        Self {
            record_name: format!("reward-points/polled/{name}/record"),
            value_name: format!("reward-points/polled/{name}/value"),
            schedule,
            record: Record::default(),
            taken: 0,
            asked_ms: None,
        }
    }

    /// Looks at what the other VMs did. Some: a value that this VM has not seen yet.
    pub(super) fn look(&mut self, host: &impl Host) -> Option<Vec<u8>> {
        self.record = self.read(host).0;
        if self.record.generation == self.taken {
            return None;
        }
        let Shared::Held(value, _) = host.shared_get(&self.value_name) else {
            return None;
        };
        let (generation, value) = value.split_first_chunk()?;
        self.taken = u64::from_be_bytes(*generation);
        Some(value.to_vec())
    }

    /// Asks for a fetch out of turn, for something that was missed at `now_ms`.
    pub(super) fn ask(&mut self, now_ms: i64) {
        if self.asked_ms.is_none_or(|asked| asked < now_ms) {
            self.asked_ms = Some(now_ms);
        }
    }

    /// Forgets who asked: what was asked for may be there now. Whoever still misses something asks again.
    pub(super) fn forget_asks(&mut self) {
        self.asked_ms = None;
    }

    /// Takes the lease when it is time to fetch and nobody else is at it.
    pub(super) fn begin(&mut self, now_ms: i64, host: &impl Host) -> Option<Begun> {
        // An ask from before the clock was set back would otherwise be newer than every fetch until that time comes again.
        self.asked_ms = self.asked_ms.map(|asked| asked.min(now_ms));
        // What was last seen decides whether a closer look is worth it; the entry as it is now decides.
        self.turn(&self.record, now_ms)?;
        let (record, when) = self.read(host);
        self.record = record;
        let out_of_turn = self.turn(&self.record, now_ms)? == Turn::Asked;
        let mut lease = [0; 8];
        // A number that others could guess is enough: it tells our own fetch from a later one, and guards no secret.
        let lease = match host.random(&mut lease) {
            Ok(()) => u64::from_be_bytes(lease),
            Err(_) => now_ms.unsigned_abs(),
        };
        let record = Record {
            began_ms: now_ms,
            asked_began_ms: match out_of_turn {
                true => now_ms,
                false => self.record.asked_began_ms,
            },
            lease,
            lease_until_ms: now_ms.saturating_add(self.schedule.lease_ms),
            ..self.record.clone()
        };
        // Lost to another VM: that one fetches.
        host.shared_set(&self.record_name, &record.encode(), when)
            .ok()?;
        self.record = record;
        Some(Begun { lease, out_of_turn })
    }

    /// Why a fetch may begin now, if one may.
    fn turn(&self, record: &Record, now_ms: i64) -> Option<Turn> {
        // Times far ahead were written before the clock was set back; they count for nothing.
        let leased = record.lease_until_ms > now_ms
            && record.lease_until_ms <= now_ms.saturating_add(self.schedule.lease_ms);
        if leased {
            return None;
        }
        // A lease that ran out: whoever began never told how it ended. What that fetch was for still waits.
        let unfinished = record.lease != 0;
        let longest_ms = self.schedule.refresh_ms.max(MAX_PAUSE_MS);
        let due = unfinished
            || record.next_ms <= now_ms
            || record.next_ms > now_ms.saturating_add(longest_ms);
        if due {
            return Some(Turn::Due);
        }
        let asked = self
            .asked_ms
            .is_some_and(|asked| record.began_ms < asked || record.began_ms > now_ms);
        let in_gap = self.gap_ends_ms(record, now_ms) > now_ms;
        // After a failure the pauses alone decide.
        (asked && !in_gap && record.failures == 0).then_some(Turn::Asked)
    }

    /// When the next fetch out of turn may begin at the earliest.
    fn gap_ends_ms(&self, record: &Record, now_ms: i64) -> i64 {
        if record.asked_began_ms > now_ms {
            return now_ms;
        }
        record
            .asked_began_ms
            .saturating_add(self.schedule.ask_gap_ms)
    }

    /// A fetch of this VM's brought `value`. Whoever looks sees it from now on. Nothing happens when the lease has ended
    /// and another VM has taken over.
    pub(super) fn succeeded(&mut self, begun: Begun, value: &[u8], now_ms: i64, host: &impl Host) {
        let (record, _) = self.read(host);
        if record.lease != begun.lease {
            return;
        }
        // A value that cannot be written leaves the lease to run out, and the next holder tries again.
        let Some(generation) = self.install(value, record.generation, host) else {
            return;
        };
        let next_ms = now_ms.saturating_add(self.jittered(self.schedule.refresh_ms, host));
        self.finish(begun, host, |record| Record {
            generation,
            fetched_ms: now_ms,
            settled_ms: now_ms,
            next_ms,
            failures: 0,
            ending: Ending::Success,
            ..record
        });
    }

    /// A fetch of this VM's brought nothing.
    pub(super) fn failed(&mut self, begun: Begun, ending: Ending, now_ms: i64, host: &impl Host) {
        let most_ms = MAX_PAUSE_MS.min(self.schedule.refresh_ms.max(FIRST_PAUSE_MS));
        let pause_ms = FIRST_PAUSE_MS
            .checked_shl(self.record.failures.min(16))
            .map_or(most_ms, |pause| pause.min(most_ms));
        let next_ms = now_ms.saturating_add(self.jittered(pause_ms, host));
        self.finish(begun, host, |record| Record {
            settled_ms: now_ms,
            next_ms,
            failures: record.failures.saturating_add(1),
            ending,
            ..record
        });
    }

    /// Writes the value unless it is held already; the generation that it has then.
    fn install(&self, value: &[u8], generation: u64, host: &impl Host) -> Option<u64> {
        let next = generation.checked_add(1)?;
        let mut bytes = next.to_be_bytes().to_vec();
        bytes.extend_from_slice(value);
        for _ in 0..MAX_WRITE_ATTEMPTS {
            let when = match host.shared_get(&self.value_name) {
                Shared::Absent => When::Absent,
                Shared::Erased(version) => When::Version(version),
                Shared::Held(held, version) => {
                    let current = held.split_first_chunk();
                    if current == Some((&generation.to_be_bytes(), value)) {
                        return Some(generation);
                    }
                    When::Version(version)
                }
            };
            if host.shared_set(&self.value_name, &bytes, when).is_ok() {
                return Some(next);
            }
        }
        None
    }

    /// A fetch of this VM's goes on: it has the whole time of a lease again. False: another VM has taken over.
    pub(super) fn renew(&self, begun: Begun, now_ms: i64, host: &impl Host) -> bool {
        let lease_until_ms = now_ms.saturating_add(self.schedule.lease_ms);
        self.change(begun, host, |record| Record {
            lease_until_ms,
            ..record
        })
    }

    /// Ends the fetch in the record, unless another VM has taken over.
    fn finish(&self, begun: Begun, host: &impl Host, change: impl Fn(Record) -> Record) {
        self.change(begun, host, |record| Record {
            lease: 0,
            lease_until_ms: 0,
            ..change(record)
        });
    }

    /// Changes the record while the fetch holds it. False: another VM has taken over.
    fn change(&self, begun: Begun, host: &impl Host, change: impl Fn(Record) -> Record) -> bool {
        for _ in 0..MAX_WRITE_ATTEMPTS {
            let (record, when) = self.read(host);
            if record.lease != begun.lease {
                return false;
            }
            let record = change(record).encode();
            if host.shared_set(&self.record_name, &record, when).is_ok() {
                break;
            }
        }
        true
    }

    fn read(&self, host: &impl Host) -> (Record, When) {
        match host.shared_get(&self.record_name) {
            Shared::Absent => (Record::default(), When::Absent),
            Shared::Erased(version) => (Record::default(), When::Version(version)),
            // What cannot be read was written by another generation of the filter: it counts as nothing.
            Shared::Held(bytes, version) => (
                Record::decode(&bytes).unwrap_or_default(),
                When::Version(version),
            ),
        }
    }

    /// Three quarters of `span_ms` and up to a quarter more.
    fn jittered(&self, span_ms: i64, host: &impl Host) -> i64 {
        let mut random = [0; 2];
        let share = match host.random(&mut random) {
            Ok(()) => i64::from(u16::from_be_bytes(random)),
            Err(_) => 0,
        };
        let quarter_ms = span_ms / 4;
        let random_ms = quarter_ms.saturating_mul(share) >> u16::BITS;
        span_ms
            .saturating_sub(quarter_ms)
            .saturating_add(random_ms)
            .max(1)
    }

    /// Whether a fetch that began at or after `since_ms` has ended, as far as this VM has seen. One that began ahead of
    /// `now_ms` began before the clock was set back, and says nothing.
    pub(super) fn settled_since(&self, since_ms: i64, now_ms: i64) -> bool {
        let record = &self.record;
        (since_ms..=now_ms).contains(&record.began_ms)
            && record.lease == 0
            && record.settled_ms >= record.began_ms
    }

    /// When the next fetch may begin at the earliest, if somebody asks for one.
    pub(super) fn next_possible_ms(&self, now_ms: i64) -> i64 {
        let record = &self.record;
        if self.turn(record, now_ms).is_some() || record.lease_until_ms > now_ms {
            return now_ms;
        }
        match record.failures {
            0 => self.gap_ends_ms(record, now_ms).min(record.next_ms),
            _ => record.next_ms,
        }
    }

    /// How the last fetch ended.
    pub(super) const fn ending(&self) -> Ending {
        self.record.ending
    }

    /// How old the value is, in milliseconds. None: there is none.
    pub(super) fn age_ms(&self, now_ms: i64) -> Option<i64> {
        (self.record.generation > 0).then(|| now_ms.saturating_sub(self.record.fetched_ms).max(0))
    }
}
