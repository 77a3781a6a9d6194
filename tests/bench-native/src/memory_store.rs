//! Points in this process's memory: gone when it ends, and as fast as can be.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::{Owner, Redeemed};

/// So many locks: threads seldom want the same one.
const SHARDS: usize = 64;

type Shard = HashMap<Owner, u64>;

/// A map of balances in parts with a lock each.
#[derive(Debug)]
pub struct MemoryStore {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    pub fn balance(&self, owner: &Owner) -> Option<u64> {
        self.shard(owner).get(owner).copied()
    }

    pub fn add(&self, owner: Owner, points: u32) {
        let mut shard = self.shard(&owner);
        let balance = shard.entry(owner).or_default();
        *balance = balance.saturating_add(u64::from(points));
    }

    pub fn redeem(&self, owner: &Owner, points: u32) -> Redeemed {
        let mut shard = self.shard(owner);
        let Some(balance) = shard.get_mut(owner) else {
            return Redeemed::Unknown;
        };
        match balance.checked_sub(u64::from(points)) {
            None => Redeemed::TooFew,
            Some(left) => {
                *balance = left;
                Redeemed::Done
            }
        }
    }

    fn shard(&self, owner: &Owner) -> MutexGuard<'_, Shard> {
        let number = self.hasher.hash_one(owner) % SHARDS as u64;
        let shard = &self.shards[number as usize];
        // Nothing panics while it holds the lock, and a number is whole at any time.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_added_and_redeemed_by_owner() {
        let store = MemoryStore::new();
        let (ours, theirs) = (Owner::new("acme", "1"), Owner::new("other", "1"));
        assert_eq!(store.balance(&ours), None);
        assert_eq!(store.redeem(&ours, 1), Redeemed::Unknown);
        store.add(ours.clone(), 100);
        store.add(ours.clone(), 1);
        assert_eq!(store.redeem(&ours, 102), Redeemed::TooFew);
        assert_eq!(store.redeem(&ours, 101), Redeemed::Done);
        assert_eq!(store.balance(&ours), Some(0));
        assert_eq!(store.balance(&theirs), None);
    }
}
