//! A bounded cache in two generations: what is used stays, what is not is gone after at most two turns.
//!
//! Entries are found by all bytes of their key, never by a digest of it, so that nothing can be mistaken for another. When
//! the young generation is full it becomes the old one, and what the old one still held is dropped; whatever is found in the
//! old one moves to the young one. Knows nothing of what it holds, and keeps no clock.

use std::collections::HashMap;

/// Bytes that one entry costs besides its key: the value, and the table's own.
const ENTRY_BYTES: usize = 512;

/// How much a cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Entries.
    pub(super) entries: usize,
    /// Bytes: of the keys, and [`ENTRY_BYTES`] for each entry.
    pub(super) bytes: usize,
}

/// One generation.
struct Generation<V> {
    entries: HashMap<Box<[u8]>, V>,
    bytes: usize,
}

impl<V> Default for Generation<V> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            bytes: 0,
        }
    }
}

/// A cache that holds at most what its [`Bounds`] say.
pub(super) struct Generations<V> {
    young: Generation<V>,
    old: Generation<V>,
    bounds: Bounds,
}

impl<V> Generations<V> {
    /// An empty cache.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            bounds,
        }
    }

    /// What is held under exactly this key.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<&V> {
        if !self.young.entries.contains_key(key) {
            let (key, value) = self.old.remove(key)?;
            self.put(key, value);
        }
        self.young.entries.get(key)
    }

    /// Holds `value` under `key`, in the place of what was held there. A key that would not fit is not held.
    pub(super) fn insert(&mut self, key: &[u8], value: V) {
        self.remove(key);
        self.put(key.into(), value);
    }

    /// Forgets what is held under this key.
    pub(super) fn remove(&mut self, key: &[u8]) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Keeps only what `keeps` says.
    pub(super) fn retain(&mut self, keeps: impl Fn(&V) -> bool) {
        for generation in [&mut self.young, &mut self.old] {
            generation.entries.retain(|_, value| keeps(value));
            generation.bytes = generation.entries.keys().map(|key| cost(key)).sum();
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.young = Generation::default();
        self.old = Generation::default();
    }

    /// How many entries are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.entries.len() + self.old.entries.len()
    }

    /// Each generation may hold half of the bounds, so both together hold no more than all.
    fn put(&mut self, key: Box<[u8]>, value: V) {
        let cost = cost(&key);
        if cost > self.bounds.bytes / 2 || self.bounds.entries / 2 == 0 {
            return;
        }
        if self.young.entries.len() >= self.bounds.entries / 2
            || self.young.bytes.saturating_add(cost) > self.bounds.bytes / 2
        {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes = self.young.bytes.saturating_add(cost);
        self.young.entries.insert(key, value);
    }
}

impl<V> Generation<V> {
    fn remove(&mut self, key: &[u8]) -> Option<(Box<[u8]>, V)> {
        let (key, value) = self.entries.remove_entry(key)?;
        self.bytes = self.bytes.saturating_sub(cost(&key));
        Some((key, value))
    }
}

fn cost(key: &[u8]) -> usize {
    key.len().saturating_add(ENTRY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Vec<u8> {
        format!("token-{number:05}").into_bytes()
    }

    #[test]
    fn it_never_holds_more_than_its_bounds_and_keeps_what_is_used() {
        let entry = ENTRY_BYTES + key(0).len();
        for (entries, bytes, most) in [
            (10, usize::MAX, 10),
            (1_000_000, 10 * entry, 10),
            (1, usize::MAX, 0),
            (10, entry, 0),
        ] {
            let mut cache = Generations::new(Bounds { entries, bytes });
            for number in 0..1000 {
                cache.insert(&key(number), number);
                cache.get(&key(0));
                assert!(cache.len() <= most, "{} of {most}", cache.len());
                assert!(cache.young.bytes + cache.old.bytes <= bytes);
            }
            let held = (most > 0).then_some(&0);
            assert_eq!(cache.get(&key(0)), held, "in use all the time");
            assert_eq!(cache.get(&key(500)), None, "long unused");
        }
    }

    #[test]
    fn an_entry_is_found_by_its_whole_key_and_replaced_in_place() {
        let bounds = Bounds {
            entries: 8,
            bytes: usize::MAX,
        };
        let mut cache = Generations::new(bounds);
        cache.insert(b"abc", 1);
        for other in [&b"ab"[..], b"abcd", b"abd", b""] {
            assert_eq!(cache.get(other), None);
        }
        cache.insert(b"abc", 2);
        assert_eq!((cache.get(b"abc").copied(), cache.len()), (Some(2), 1));
        cache.remove(b"abc");
        assert_eq!((cache.get(b"abc").copied(), cache.len()), (None, 0));
        assert_eq!(cache.young.bytes + cache.old.bytes, 0);
    }

    #[test]
    fn what_is_let_go_is_gone_from_both_generations() {
        let bounds = Bounds {
            entries: 8,
            bytes: usize::MAX,
        };
        let mut cache = Generations::new(bounds);
        for number in 0..6 {
            cache.insert(&key(number), number);
        }
        cache.retain(|number| number % 2 == 0);
        for number in 0..6 {
            let held = cache.get(&key(number)).is_some();
            assert_eq!(held, number % 2 == 0, "{number}");
        }
        cache.clear();
        assert_eq!(cache.len(), 0);
    }
}
