//! An audit of one customer's account over every revision that the engine ever held.
//!
//! Knows nothing of how the documents came about: it reads each of them, with the segments that were there before it, and
//! sees whether one follows from the other.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ledger::{Account, Entry, EntryKind, History, Segment, State, Timestamp};

use crate::access::test_support::permit;
use crate::accounts::document::{self, segment};
use crate::accounts::keys::{AccountKey, CustomerId, HistoryKeys};
use crate::test_support::World;

pub(super) struct Audit {
    held: Vec<Held>,
    now: Timestamp,
}

/// What the engine held at one revision.
struct Held {
    state: State,
    /// Of an account, from segments and document.
    entries: Vec<Entry>,
}

impl Audit {
    pub(super) fn of(world: &World, customer: &str) -> Self {
        let customer = CustomerId::new(customer.as_bytes().to_vec()).expect("an id");
        let key = AccountKey::new(permit("acme").tenant(), &customer);
        let keys = HistoryKeys::of(&key);
        let mut segments: BTreeMap<Bytes, Segment> = BTreeMap::new();
        let mut held = Vec::new();
        for put in &world.engine.puts {
            if put.key.starts_with(keys.all_lives().as_bytes()) {
                let kept = segment::decode(&put.value).expect("a segment");
                assert_eq!(put.key, keys.segment(kept.generation(), kept.first()));
                let earlier = segments.insert(put.key.clone(), kept);
                assert_eq!(earlier, None, "a segment is written once");
            } else if put.key == key.as_bytes() {
                let state = document::decode(&put.value).expect("a document");
                let entries = state
                    .live()
                    .map(|account| whole(account, segments.values()));
                held.push(Held {
                    state,
                    entries: entries.unwrap_or_default(),
                });
            }
        }
        Self {
            held,
            now: Timestamp::from_millis(world.clock.get()).expect("a time"),
        }
    }

    /// How many entries of the account are in segments.
    pub(super) fn archived(&self) -> u64 {
        let archived = self.account().and_then(|account| account.archived());
        archived.map_or(0, |archived| archived.sequence)
    }

    pub(super) fn account(&self) -> Option<&Account> {
        self.held.last().and_then(|held| held.state.live())
    }

    pub(super) fn balance(&self) -> Option<u64> {
        self.account()
            .map(|account| account.balance(self.now).get())
    }

    /// How often each id was written, over all revisions.
    pub(super) fn written(&self) -> BTreeMap<String, usize> {
        let mut written = BTreeMap::new();
        let mut before: BTreeSet<(u64, String)> = BTreeSet::new();
        for held in &self.held {
            let ids = ids(held);
            for (_, id) in ids.difference(&before) {
                *written.entry(id.clone()).or_default() += 1;
            }
            before = ids;
        }
        written
    }

    /// How often the account was deleted.
    pub(super) fn deletions(&self) -> usize {
        let erased = |held: &&Held| matches!(held.state, State::Erased(_));
        self.held.iter().filter(erased).count()
    }

    /// What must hold of any history: balances fold, entries never change, each revision goes on from the one before it.
    /// One revision may hold many operations; a whole life of the account may pass within one.
    pub(super) fn check(&self) {
        let mut before: Option<&Held> = None;
        for held in &self.held {
            let earlier = before.map_or(&State::Absent, |held| &held.state);
            let lives = (life(earlier), life(&held.state));
            match (earlier, &held.state) {
                (State::Live(_), State::Live(_)) if lives.0 == lives.1 => {
                    let earlier = before.map_or(&[][..], |held| &held.entries);
                    let (kept, new) = held.entries.split_at(earlier.len());
                    assert_eq!(kept, earlier, "history changed");
                    assert!(!new.is_empty(), "a revision of nothing");
                }
                (State::Live(_), State::Erased(_)) if lives.0 == lives.1 => {}
                _ => assert!(lives.0 < lives.1, "{lives:?}"),
            }
            if let State::Live(account) = &held.state {
                check_fold(account, &held.entries);
            }
            before = Some(held);
        }
    }
}

/// In which life an account is.
fn life(state: &State) -> u64 {
    match state {
        State::Absent => 0,
        State::Live(account) => account.generation(),
        State::Erased(tombstone) => tombstone.generation(),
    }
}

/// All entries of an account, of which what has left its document was put into segments before it.
fn whole<'a>(account: &Account, segments: impl Iterator<Item = &'a Segment>) -> Vec<Entry> {
    let own = segments.filter(|kept| kept.generation() == account.generation());
    let history = History::new(account.clone(), own.cloned()).expect("the whole history");
    history.entries().cloned().collect()
}

fn ids(held: &Held) -> BTreeSet<(u64, String)> {
    let Some(account) = held.state.live() else {
        return BTreeSet::new();
    };
    let entries = held.entries.iter().map(|entry| entry.identity.id.as_str());
    let opened = account.opened_by().map(|identity| identity.id.as_str());
    let id = |id: &str| (account.generation(), id.to_owned());
    opened.into_iter().chain(entries).map(id).collect()
}

/// For accounts in which nothing expires.
fn check_fold(account: &Account, entries: &[Entry]) {
    let mut balance: i64 = 0;
    let mut left: BTreeMap<u64, i64> = BTreeMap::new();
    for entry in entries {
        let points = entry.points.get() as i64;
        match &entry.kind {
            EntryKind::Added { .. } => {
                balance += points;
                left.insert(entry.sequence, points);
            }
            EntryKind::Redeemed { takes } => {
                balance -= points;
                let taken: u64 = takes.iter().map(|take| take.points.get()).sum();
                assert_eq!(taken, entry.points.get(), "takes add up");
                for take in takes {
                    let lot = left.get_mut(&take.lot).expect("a lot");
                    *lot -= take.points.get() as i64;
                    assert!(*lot >= 0, "a lot is used twice");
                }
            }
        }
        assert!(balance >= 0, "a negative balance");
        assert_eq!(entry.balance_after.get() as i64, balance);
    }
    assert_eq!(account.balance(account.updated_at()).get() as i64, balance);
}
