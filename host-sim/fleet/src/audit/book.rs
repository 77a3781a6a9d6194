//! The book of one account: every version that the engine ever held, and every life with its entries.

use std::collections::{BTreeMap, HashSet};

use ledger::State;

use super::deletions::Deletions;
use crate::random::mix;

/// Everything about one account.
#[derive(Debug)]
pub struct Book {
    /// By revision; the first one says that there was nothing.
    pub(super) versions: Vec<Version>,
    pub(super) lives: Vec<Life>,
    /// Requests for deletions, and lives that have ended.
    pub(super) deletions: Deletions,
    /// Moments at which a life ended: what was written in the same commit before that was never to be seen.
    pub(super) hidden_us: Vec<u64>,
    /// The newest revision that each gateway has told of.
    told_by: Vec<i64>,
    /// The engine holds something that this book cannot say: nothing about the account can be judged any more.
    pub(super) is_spoiled: bool,
    /// What the newest document says, and when it was written.
    pub(super) held: State,
    pub(super) updated_at_ms: i64,
    /// Segments by generation, then by first entry: the last entry of each, and a hash of all of it.
    pub(super) segments: BTreeMap<u64, BTreeMap<u64, (u64, u64)>>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            versions: vec![Version::default()],
            lives: Vec::new(),
            deletions: Deletions::default(),
            hidden_us: Vec::new(),
            told_by: Vec::new(),
            is_spoiled: false,
            held: State::Absent,
            updated_at_ms: 0,
            segments: BTreeMap::new(),
        }
    }
}

/// What the engine held from one moment on.
#[derive(Debug, Clone, Default)]
pub struct Version {
    /// Of the engine.
    pub revision: i64,
    /// When it was committed.
    pub at_us: u64,
    /// What there was.
    pub standing: Standing,
    /// Lives that ended in this commit.
    pub ended: u64,
}

/// What there is of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    /// Nothing.
    #[default]
    Absent,
    /// A tombstone.
    Erased,
    /// An account.
    Live {
        /// Which life, as a place in the book.
        life: usize,
        /// How many entries.
        entries: usize,
        /// What can be redeemed.
        amount: Amount,
    },
}

impl Version {
    pub(super) const fn is_live(&self) -> bool {
        matches!(self.standing, Standing::Live { .. })
    }

    /// Whether there was no account at one moment of this commit or after it.
    pub(super) const fn was_gone(&self) -> bool {
        !self.is_live() || self.ended > 0
    }
}

/// Points that may expire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Amount {
    /// Those that do not.
    pub lasting: u64,
    /// Until when, in milliseconds since 1970, and how many.
    pub expiring: Box<[(i64, u64)]>,
    /// No clock counts that shows less.
    pub updated_at_ms: i64,
}

impl Amount {
    /// How many they are for a clock that shows this.
    #[must_use]
    pub fn at(&self, clock_ms: i64) -> u64 {
        let now_ms = clock_ms.max(self.updated_at_ms);
        let valid = self.expiring.iter().filter(|it| it.0 > now_ms);
        self.lasting + valid.map(|it| it.1).sum::<u64>()
    }

    /// Whether they may be so many for a clock that shows something between these.
    #[must_use]
    pub fn may_be(&self, wanted: u64, clock_ms: (i64, i64)) -> bool {
        self.all_between(clock_ms).any(|it| it == wanted)
    }

    /// All numbers that they are between these.
    pub fn all_between(&self, (least, most): (i64, i64)) -> impl Iterator<Item = u64> {
        let ends = self.expiring.iter().map(|it| it.0);
        let between = ends.filter(move |end| (least..=most).contains(end));
        std::iter::once(least)
            .chain(between)
            .map(|clock| self.at(clock))
    }
}

/// One life of an account.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) generation: u64,
    /// When it ended, by its document, in milliseconds since 1970.
    pub(super) ended_ms: Option<i64>,
    pub(super) entries: Vec<Fact>,
    /// Hashes of the ids of all operations.
    pub(super) ids: HashSet<u64>,
    /// Open lots in the order of consumption: end, beginning, id.
    pub(super) lots: BTreeMap<(i64, i64, String), Lot>,
    pub(super) active: u64,
    pub(super) recorded_at_ms: i64,
    /// The newest entry that has left the document.
    pub(super) archived: u64,
}

/// What is left of a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lot {
    pub(super) sequence: u64,
    pub(super) left: u64,
}

/// What is kept of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fact {
    /// Of all of it.
    pub(super) hash: u64,
    /// The operation.
    pub(super) number: u32,
    /// When, by its document.
    pub(super) recorded_ms: i64,
    /// A hash of its id.
    pub(super) id: u64,
    pub(super) balance_after: u64,
    /// Of this entry and all before it, in any order.
    pub(super) sum: u64,
}

/// A hash of what a client is shown of an entry. Those of several may be added in any order.
pub(super) fn shown_hash(number: u32, points: u64, balance_after: u64, is_added: bool) -> u64 {
    mix(&[number.into(), points, balance_after, is_added.into()])
}

impl Book {
    pub(super) fn newest(&self) -> &Version {
        let last = self.versions.last();
        last.expect("a book begins with nothing, which is a version")
    }

    pub(super) fn life_of(&self, standing: &Standing) -> Option<&Life> {
        match standing {
            Standing::Live { life, .. } => self.lives.get(*life),
            _ => None,
        }
    }

    /// The versions that the engine held at some moment between these, the one that was there at the beginning among them,
    /// each with the revision of the next one.
    pub(super) fn between(
        &self,
        from_us: u64,
        to_us: u64,
    ) -> impl Iterator<Item = (&Version, i64)> {
        let first = self.versions.partition_point(|it| it.at_us < from_us);
        let end = self.versions.partition_point(|it| it.at_us <= to_us);
        let first = first.saturating_sub(1);
        let places = first..end.max(first + 1);
        places.filter_map(|place| {
            let next = self.versions.get(place + 1);
            let next = next.map_or(i64::MAX, |it| it.revision);
            self.versions.get(place).map(|version| (version, next))
        })
    }

    /// What the engine held at a revision.
    pub(super) fn at(&self, revision: i64) -> &Version {
        let place = self.versions.partition_point(|it| it.revision <= revision);
        let found = self.versions.get(place.saturating_sub(1));
        found.unwrap_or_else(|| self.newest())
    }

    /// The version that this revision made, with the moment at which it was replaced.
    pub(super) fn made_by(&self, revision: i64) -> Option<(&Version, u64)> {
        let found = self
            .versions
            .binary_search_by_key(&revision, |it| it.revision);
        let place = found.ok()?;
        let next = self.versions.get(place + 1);
        Some((
            self.versions.get(place)?,
            next.map_or(u64::MAX, |it| it.at_us),
        ))
    }

    /// The balances of moments within a commit: after each entry that it wrote.
    pub(super) fn within<'b>(&'b self, version: &Version, before: Option<&Version>) -> &'b [Fact] {
        let Standing::Live { life, entries, .. } = &version.standing else {
            return &[];
        };
        let from = match before.map(|it| &it.standing) {
            Some(Standing::Live {
                life: earlier,
                entries,
                ..
            }) if earlier == life => *entries,
            _ => 0,
        };
        let all = self.lives.get(*life).map(|it| it.entries.as_slice());
        all.and_then(|it| it.get(from..*entries))
            .unwrap_or_default()
    }

    /// The version before the one that this revision made.
    pub(super) fn before(&self, revision: i64) -> Option<&Version> {
        let place = self.versions.partition_point(|it| it.revision < revision);
        self.versions.get(place.checked_sub(1)?)
    }

    /// Whether something may have been written between these that was never to be seen.
    pub(super) fn may_hide(&self, from_us: u64, to_us: u64) -> bool {
        let from = self.hidden_us.partition_point(|it| *it < from_us);
        self.hidden_us.get(from).is_some_and(|it| *it <= to_us)
    }

    pub(super) fn told_by(&self, gateway: usize) -> i64 {
        self.told_by.get(gateway).copied().unwrap_or(0)
    }

    pub(super) fn tell(&mut self, gateway: usize, revision: i64) {
        if self.told_by.len() <= gateway {
            self.told_by.resize(gateway + 1, 0);
        }
        if let Some(told) = self.told_by.get_mut(gateway) {
            *told = revision.max(*told);
        }
    }
}
