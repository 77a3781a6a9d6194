//! Reading the store at a revision: now, or any revision that is not compacted.
//!
//! One view works over a read snapshot and over the tables of a write in progress, so that a Range inside a
//! transaction follows the same code as a Range on its own. Knows nothing of requests.

use std::ops::Bound;

use redb::{ReadableTable, StorageError};

use super::keys::Keys;
use super::record::Version;

/// Key of `superseded`: whose version ended, at which main revision, as which change of it.
pub type FormerKey = (&'static [u8], i64, u32);

/// A moment in the store's life: a main revision and how many changes of it had happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The main revision.
    pub revision: i64,
    /// The last change of it that is included.
    pub sub: u32,
}

impl Moment {
    /// When `revision` was complete.
    pub fn after(revision: i64) -> Moment {
        Moment {
            revision,
            sub: u32::MAX,
        }
    }
}

/// Whether a scan goes on after a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// Next row.
    Continue,
    /// Enough.
    Stop,
}

/// The two tables that know every version of every key since the compacted revision.
pub struct View<'t, C, F> {
    current: &'t C,
    superseded: &'t F,
}

impl<'t, C, F> View<'t, C, F>
where
    C: ReadableTable<&'static [u8], &'static [u8]>,
    F: ReadableTable<FormerKey, &'static [u8]>,
{
    /// A view over these tables.
    pub fn new(current: &'t C, superseded: &'t F) -> Self {
        View {
            current,
            superseded,
        }
    }

    /// The newest version of `key`, handed to `read` while it lies on its page.
    pub fn newest<R>(
        &self,
        key: &[u8],
        read: impl FnOnce(Version<'_>) -> R,
    ) -> Result<Option<R>, StorageError> {
        let Some(row) = self.current.get(key)? else {
            return Ok(None);
        };
        Ok(Some(read(Version::decode(row.value())?)))
    }

    /// The version of `key` at `moment`, which must not lie before the compacted revision.
    pub fn at<R>(
        &self,
        key: &[u8],
        moment: Moment,
        read: impl FnOnce(Version<'_>) -> R,
    ) -> Result<Option<R>, StorageError> {
        // The first version that ended after the moment was the one in force at the moment.
        let after = (
            Bound::Excluded((key, moment.revision, moment.sub)),
            Bound::Included((key, i64::MAX, u32::MAX)),
        );
        let first = self.superseded.range::<(&[u8], i64, u32)>(after)?.next();
        match first.transpose()? {
            Some((_, row)) => Ok(Version::decode_former(row.value())?.map(read)),
            None => self.newest(key, read),
        }
    }

    /// Every key of `keys` with its newest version, ascending.
    pub fn scan_newest(
        &self,
        keys: &Keys,
        mut row: impl FnMut(&[u8], Version<'_>) -> Scan,
    ) -> Result<(), StorageError> {
        if let Some(key) = keys.single() {
            self.newest(key, |version| row(key, version))?;
            return Ok(());
        }
        if keys.is_empty() {
            return Ok(());
        }
        for found in self.current.range::<&[u8]>(bounds(keys))? {
            let (key, value) = found?;
            if row(key.value(), Version::decode(value.value())?) == Scan::Stop {
                break;
            }
        }
        Ok(())
    }

    /// Every key of `keys` with its version at the end of `revision`, ascending.
    pub fn scan_at(
        &self,
        keys: &Keys,
        revision: i64,
        mut row: impl FnMut(&[u8], Version<'_>) -> Scan,
    ) -> Result<(), StorageError> {
        if let Some(key) = keys.single() {
            self.at(key, Moment::after(revision), |version| row(key, version))?;
            return Ok(());
        }
        if keys.is_empty() {
            return Ok(());
        }
        // Two ascending lists are merged: keys that live now, and keys of which a version ended.
        let mut living = self.current.range::<&[u8]>(bounds(keys))?;
        let end = match keys.end() {
            Some(end) => Bound::Excluded((end, i64::MIN, 0)),
            None => Bound::Unbounded,
        };
        let start = Bound::Included((keys.start(), i64::MIN, 0));
        let mut ended = self.superseded.range::<(&[u8], i64, u32)>((start, end))?;
        let mut next_living = living.next().transpose()?;
        let mut next_ended = ended.next().transpose()?;
        loop {
            let (key, decided, lives) = match (&next_living, &next_ended) {
                (None, None) => return Ok(()),
                (Some((living_key, _)), None) => (living_key.value().to_vec(), false, true),
                (None, Some((ended_key, _))) => (ended_key.value().0.to_vec(), true, false),
                (Some((living_key, _)), Some((ended_key, _))) => {
                    let (lives, ends) = (living_key.value(), ended_key.value().0);
                    let first = lives.min(ends);
                    (first.to_vec(), ends == first, lives == first)
                }
            };
            let mut found = None;
            if decided {
                while let Some((former, version)) = &next_ended {
                    let (former_key, ended_at, _) = former.value();
                    if former_key != key {
                        break;
                    }
                    if found.is_none() && ended_at > revision {
                        found = Some(version.value().to_vec());
                    }
                    next_ended = ended.next().transpose()?;
                }
            }
            let go_on = match &found {
                Some(former) => match Version::decode_former(former)? {
                    Some(version) => row(&key, version),
                    None => Scan::Continue,
                },
                None => match &next_living {
                    Some((_, version)) if lives => row(&key, Version::decode(version.value())?),
                    _ => Scan::Continue,
                },
            };
            if go_on == Scan::Stop {
                return Ok(());
            }
            if lives {
                next_living = living.next().transpose()?;
            }
        }
    }
}

fn bounds(keys: &Keys) -> (Bound<&[u8]>, Bound<&[u8]>) {
    let end = match keys.end() {
        Some(end) => Bound::Excluded(end),
        None => Bound::Unbounded,
    };
    (Bound::Included(keys.start()), end)
}
