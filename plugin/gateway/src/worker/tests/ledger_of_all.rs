//! An audit of one customer's account over every revision that the engine ever held.
//!
//! Knows nothing of how the documents came about: it reads each of them and sees whether one follows from the other.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Account, Entry, EntryKind, State, Timestamp};

use crate::access::test_support::permit;
use crate::accounts::document;
use crate::accounts::keys::{AccountKey, CustomerId};
use crate::test_support::World;

pub(super) struct Audit {
    states: Vec<State>,
    now: Timestamp,
}

impl Audit {
    pub(super) fn of(world: &World, customer: &str) -> Self {
        let customer = CustomerId::new(customer.as_bytes().to_vec()).expect("an id");
        let key = AccountKey::new(permit("acme").tenant(), &customer);
        let documents = world
            .engine
            .puts
            .iter()
            .filter(|put| put.key == key.as_bytes());
        Self {
            states: documents
                .map(|put| document::decode(&put.value).expect("a document"))
                .collect(),
            now: Timestamp::from_millis(world.clock.get()).expect("a time"),
        }
    }

    pub(super) fn account(&self) -> Option<&Account> {
        self.states.last().and_then(State::live)
    }

    pub(super) fn balance(&self) -> Option<u64> {
        self.account()
            .map(|account| account.balance(self.now).get())
    }

    /// How often each id was written, over all revisions.
    pub(super) fn written(&self) -> BTreeMap<String, usize> {
        let mut written = BTreeMap::new();
        let mut before: BTreeSet<(u64, String)> = BTreeSet::new();
        for state in &self.states {
            let ids = ids(state);
            for (_, id) in ids.difference(&before) {
                *written.entry(id.clone()).or_default() += 1;
            }
            before = ids;
        }
        written
    }

    /// How often the account was deleted.
    pub(super) fn deletions(&self) -> usize {
        let erased = |state: &&State| matches!(state, State::Erased(_));
        self.states.iter().filter(erased).count()
    }

    /// What must hold of any history: balances fold, entries never change, each revision goes on from the one before it.
    /// One revision may hold many operations; a whole life of the account may pass within one.
    pub(super) fn check(&self) {
        let mut before = State::Absent;
        for state in &self.states {
            let lives = (lives(&before), lives(state));
            match (&before, state) {
                (State::Live(earlier), State::Live(account)) if lives.0 == lives.1 => {
                    let kept: Vec<&Entry> =
                        account.entries().take(earlier.entries().len()).collect();
                    let entries: Vec<&Entry> = earlier.entries().collect();
                    assert_eq!(kept, entries, "history changed");
                    assert!(
                        account.entries().len() > earlier.entries().len(),
                        "a revision of nothing"
                    );
                }
                (State::Live(_), State::Erased(_)) if lives.0 == lives.1 => {}
                _ => assert!(lives.0 < lives.1, "{lives:?}"),
            }
            if let State::Live(account) = state {
                check_fold(account);
            }
            before = state.clone();
        }
    }
}

/// In which life an account is.
fn lives(state: &State) -> u64 {
    match state {
        State::Absent => 0,
        State::Live(account) => account.generation(),
        State::Erased(tombstone) => tombstone.generation(),
    }
}

fn ids(state: &State) -> BTreeSet<(u64, String)> {
    let Some(account) = state.live() else {
        return BTreeSet::new();
    };
    let entries = account.entries().map(|entry| entry.identity.id.as_str());
    let opened = account.opened_by().map(|identity| identity.id.as_str());
    let id = |id: &str| (account.generation(), id.to_owned());
    opened.into_iter().chain(entries).map(id).collect()
}

/// For accounts in which nothing expires.
fn check_fold(account: &Account) {
    let mut balance: i64 = 0;
    let mut left: BTreeMap<u64, i64> = BTreeMap::new();
    for entry in account.entries() {
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
