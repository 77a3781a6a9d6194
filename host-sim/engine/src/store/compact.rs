//! Forgetting: which rows of the past are dropped, how many at once, and how many bytes the rest take.
//!
//! The past is bounded by revisions and by bytes, because documents differ in size a thousandfold. The work rides on
//! commits that happen anyway: at most a fixed amount, and twice what the commit itself wrote, so that forgetting keeps
//! up with any writer and no commit waits long for it. A revision is never forgotten in part.

use redb::ReadableTable;

use super::{Change, Group};
use crate::limits::{COMPACTION_STEP, MIN_COMPACTION_BYTES, MIN_COMPACTION_ROWS};
use crate::refusal::{Fault, Refusal};

/// What a row of history and its row of `superseded` take beside key and value, in bytes: two moments and a mark.
const ROW_BYTES: u64 = 2 * 12 + 1;

/// How much of the past is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Revisions before the newest one.
    pub revisions: i64,
    /// Bytes of their rows. The newest revision is kept whatever its size.
    pub bytes: u64,
}

/// Rows of the past, counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Amount {
    rows: u64,
    bytes: u64,
}

impl Amount {
    /// The rows of one change of `key` that ended a version whose row has `former` bytes.
    pub(super) fn of_change(key: &[u8], former: usize) -> Amount {
        let length = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let bytes = ROW_BYTES
            .saturating_add(length(key.len()).saturating_mul(2))
            .saturating_add(length(former));
        Amount { rows: 1, bytes }
    }

    fn plus(self, other: Amount) -> Amount {
        Amount {
            rows: self.rows.saturating_add(other.rows),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn reaches(self, bound: Amount) -> bool {
        self.rows >= bound.rows || self.bytes >= bound.bytes
    }
}

impl Group<'_> {
    /// Counts what this group adds to the past.
    pub(super) fn remember(&mut self, change: Amount) {
        self.written = self.written.plus(change);
        self.retained_bytes = self.retained_bytes.saturating_add(change.bytes);
    }

    /// Forgets what only revisions before `revision` need, however much it is. Refused as etcd does when that has
    /// happened already or the revision has not.
    pub fn compact(&mut self, revision: i64) -> Result<(), Fault> {
        if revision <= self.progress.compacted {
            return Err(Refusal::Compacted.into());
        }
        if revision > self.progress.revision {
            return Err(Refusal::FutureRevision.into());
        }
        self.forget_before(revision)?;
        self.progress.compacted = revision;
        Ok(())
    }

    /// Forgets what is past `keep`, as far as the work of this commit allows.
    pub fn trim(&mut self, keep: Retention) -> Result<(), Fault> {
        let newest = self.progress.revision;
        let oldest = newest.saturating_sub(keep.revisions);
        let aged = oldest.saturating_sub(self.progress.compacted) >= COMPACTION_STEP;
        let bound = Amount {
            rows: MIN_COMPACTION_ROWS,
            bytes: MIN_COMPACTION_BYTES,
        }
        .plus(self.written)
        .plus(self.written);
        let mut done = Amount::default();
        while (aged || self.retained_bytes > keep.bytes) && !done.reaches(bound) {
            let Some(next) = self.oldest()? else { break };
            let due = next < oldest || self.retained_bytes > keep.bytes;
            if !due || next >= newest {
                break;
            }
            let kept = next.saturating_add(1);
            done = done.plus(self.forget_before(kept)?);
            self.progress.compacted = self.progress.compacted.max(kept);
        }
        Ok(())
    }

    /// The oldest revision with a row.
    fn oldest(&self) -> Result<Option<i64>, Fault> {
        Ok(self.history.first()?.map(|(moment, _)| moment.value().0))
    }

    fn forget_before(&mut self, revision: i64) -> Result<Amount, Fault> {
        let mut done = Amount::default();
        let gone = self.history.extract_from_if(..(revision, 0), |_, _| true)?;
        for row in gone {
            let (moment, line) = row?;
            let (ended_at, sub) = moment.value();
            let (_, key) = Change::decode(line.value())?;
            let former = self.superseded.remove((key, ended_at, sub))?;
            let former = former.map_or(0, |row| row.value().len());
            done = done.plus(Amount::of_change(key, former));
        }
        self.retained_bytes = self.retained_bytes.saturating_sub(done.bytes);
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use redb::{ReadableDatabase, ReadableTable};
    use tempfile::TempDir;

    use super::*;
    use crate::store::{HISTORY, META, Progress, SUPERSEDED, Store, meta};

    const KEEP_ALL: Retention = Retention {
        revisions: i64::MAX,
        bytes: u64::MAX,
    };

    fn store() -> (TempDir, Store) {
        let data = TempDir::new().unwrap();
        let (store, _free) = Store::open(data.path(), 1024 * 1024).unwrap();
        (data, store)
    }

    /// One revision that puts each of `keys` with a value of `bytes`, then trims.
    fn put(store: &Store, keys: &[String], bytes: usize, keep: Retention) -> Progress {
        let work = |group: &mut Group<'_>| {
            let mut writing = group.begin();
            for key in keys {
                writing.put(key.as_bytes(), &vec![b'x'; bytes])?;
            }
            writing.end();
            group.trim(keep)
        };
        store.commit(work).unwrap().1
    }

    /// (rows, bytes) of the past as they are found, after a look at the counter and at which revisions are there.
    fn past(store: &Store) -> (u64, u64) {
        let transaction = store.database().begin_read().unwrap();
        let superseded = transaction.open_table(SUPERSEDED).unwrap();
        let mut found = Amount::default();
        for row in superseded.iter().unwrap() {
            let (key, former) = row.unwrap();
            found = found.plus(Amount::of_change(key.value().0, former.value().len()));
        }
        let history = transaction.open_table(HISTORY).unwrap();
        let mut lines = 0;
        for row in history.iter().unwrap() {
            assert!(row.unwrap().0.value().0 >= store.snapshot().unwrap().progress().compacted);
            lines += 1;
        }
        assert_eq!(lines, found.rows);
        let meta = transaction.open_table(META).unwrap();
        let counter = meta.get(meta::RETAINED_BYTES).unwrap().unwrap().value();
        assert_eq!(counter.cast_unsigned(), found.bytes);
        (found.rows, found.bytes)
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("k{number:06}")).collect()
    }

    #[test]
    fn the_counter_is_what_is_there() {
        let (data, store) = store();
        for round in 0..30 {
            let keep = Retention {
                revisions: i64::MAX,
                bytes: 20_000,
            };
            put(&store, &names(1 + round % 5), 100 * round, keep);
            past(&store);
        }
        let done = store.commit(|group| {
            let mut writing = group.begin();
            writing.delete(b"k000000")?;
            writing.end();
            group.compact(15.max(group.progress.compacted + 1))
        });
        done.unwrap();
        let before = past(&store);
        drop(store);
        let (store, _free) = Store::open(data.path(), 1024 * 1024).unwrap();
        assert_eq!(past(&store), before);
    }

    #[test]
    fn bytes_bound_the_past_and_the_newest_revision_stays() {
        let (_data, store) = store();
        for _ in 0..100 {
            let keep = Retention {
                revisions: i64::MAX,
                bytes: 10_000,
            };
            let progress = put(&store, &names(1), 1_000, keep);
            let (rows, bytes) = past(&store);
            assert!(bytes <= 10_000, "{bytes}");
            if progress.compacted > 0 {
                let kept = progress.revision - progress.compacted + 1;
                assert_eq!(rows, kept.cast_unsigned());
                assert!(bytes > 8_000, "more is forgotten than has to be: {bytes}");
            }
        }
        let nothing = Retention {
            revisions: i64::MAX,
            bytes: 0,
        };
        let progress = put(&store, &names(1), 1_000, nothing);
        assert_eq!(progress.compacted, progress.revision);
        assert_eq!(past(&store).0, 1);
    }

    #[test]
    fn one_commit_forgets_a_bounded_part() {
        let (_data, store) = store();
        let per_revision = 500;
        let revisions = 20;
        for _ in 0..revisions {
            put(&store, &names(per_revision), 10, KEEP_ALL);
        }
        let (mut before, _) = past(&store);
        assert_eq!(before, (per_revision * revisions) as u64);
        let nothing = Retention {
            revisions: 0,
            bytes: 0,
        };
        let mut commits = 0;
        while before > 1 {
            let progress = put(&store, &names(1), 10, nothing);
            let (after, _) = past(&store);
            assert!(after < before, "no headway");
            // The bound is looked at between revisions.
            let most = MIN_COMPACTION_ROWS + 2 + per_revision as u64;
            assert!(before + 1 - after <= most, "{before} to {after}");
            assert!(progress.compacted <= progress.revision);
            before = after;
            commits += 1;
        }
        assert!(commits > 1, "the bound was never reached");
    }
}
