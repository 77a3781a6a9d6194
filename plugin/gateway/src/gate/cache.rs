//! A bounded cache in two generations: what is used stays, what is not is gone after at most two turns.
//!
//! Entries are found by a keyed hash and then compared with all bytes of their key, so that nothing can be mistaken for
//! another. When the young generation is full it becomes the old one, and what the old one still held is dropped; whatever
//! is found in the old one moves to the young one. Knows nothing of what it holds, and keeps no clock.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};

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

/// Makes keys: hashes them once for all caches, with a secret of its own, so that nobody can choose what collides.
#[derive(Default)]
pub(super) struct Keys(RandomState);

impl Keys {
    /// The key of these bytes, whoever has chosen them.
    pub(super) fn of_any<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        let hash = self.0.hash_one(bytes);
        Key { bytes, hash }
    }

    /// The key of a token in a cache into which only verified ones come. There the end of its signature is hashed alone,
    /// which nobody can choose: two verified tokens end alike as rarely as they hash alike. Others may be looked for under
    /// any end, but they are compared whole and are not put in.
    pub(super) fn of_genuine<'a>(&self, token: &'a [u8]) -> Key<'a> {
        match token.last_chunk::<TAIL_BYTES>() {
            Some(tail) => Key {
                bytes: token,
                hash: self.0.hash_one(u128::from_le_bytes(*tail)),
            },
            None => self.of_any(token),
        }
    }
}

/// Characters at the end of a signature that are hashed: 96 bits of it.
const TAIL_BYTES: usize = 16;

/// A key with its hash.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    bytes: &'a [u8],
    hash: u64,
}

/// An entry with all bytes of its key.
struct Entry<V> {
    key: Box<[u8]>,
    value: V,
}

/// One generation. Of two keys with the same hash the later one is held.
struct Generation<V> {
    entries: HashMap<u64, Entry<V>, BuildHasherDefault<AlreadyHashed>>,
    bytes: usize,
}

/// A hasher of what is a good hash already.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<V> Default for Generation<V> {
    fn default() -> Self {
        Self {
            entries: HashMap::default(),
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
    pub(super) fn get(&mut self, key: Key<'_>) -> Option<&V> {
        if !self.young.holds(key) {
            let entry = self.old.remove(key)?;
            self.put(key.hash, entry);
        }
        self.young.entries.get(&key.hash).map(|entry| &entry.value)
    }

    /// Holds `value` under `key`, in the place of what was held there. A key that would not fit is not held.
    pub(super) fn insert(&mut self, key: Key<'_>, value: V) {
        let entry = Entry {
            key: key.bytes.into(),
            value,
        };
        self.old.remove(key);
        self.put(key.hash, entry);
    }

    /// Keeps only what `keeps` says.
    pub(super) fn retain(&mut self, keeps: impl Fn(&V) -> bool) {
        for generation in [&mut self.young, &mut self.old] {
            generation.entries.retain(|_, entry| keeps(&entry.value));
            generation.bytes = generation.entries.values().map(Entry::cost).sum();
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
    fn put(&mut self, hash: u64, entry: Entry<V>) {
        let cost = entry.cost();
        if cost > self.bounds.bytes / 2 || self.bounds.entries / 2 == 0 {
            return;
        }
        if let Some(replaced) = self.young.entries.remove(&hash) {
            self.young.bytes = self.young.bytes.saturating_sub(replaced.cost());
        }
        if self.young.entries.len() >= self.bounds.entries / 2
            || self.young.bytes.saturating_add(cost) > self.bounds.bytes / 2
        {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes = self.young.bytes.saturating_add(cost);
        self.young.entries.insert(hash, entry);
    }
}

impl<V> Generation<V> {
    fn holds(&self, key: Key<'_>) -> bool {
        let held = self.entries.get(&key.hash);
        held.is_some_and(|entry| is_same(&entry.key, key.bytes))
    }

    fn remove(&mut self, key: Key<'_>) -> Option<Entry<V>> {
        if !self.holds(key) {
            return None;
        }
        let entry = self.entries.remove(&key.hash)?;
        self.bytes = self.bytes.saturating_sub(entry.cost());
        Some(entry)
    }
}

/// Whether both are the same bytes. In a module the comparison of the standard library goes byte by byte, and every request
/// compares its token.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let ((ones, one_rest), (others, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut pairs = ones.iter().zip(others);
    one.len() == other.len()
        && pairs.all(|(one, other)| u64::from_le_bytes(*one) == u64::from_le_bytes(*other))
        && one_rest == other_rest
}

impl<V> Entry<V> {
    fn cost(&self) -> usize {
        self.key.len().saturating_add(ENTRY_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Vec<u8> {
        format!("token-{number:05}").into_bytes()
    }

    #[test]
    fn it_never_holds_more_than_its_bounds_and_keeps_what_is_used() {
        let keys = Keys::default();
        let entry = ENTRY_BYTES + name(0).len();
        for (entries, bytes, most) in [
            (10, usize::MAX, 10),
            (1_000_000, 10 * entry, 10),
            (1, usize::MAX, 0),
            (10, entry, 0),
        ] {
            let mut cache = Generations::new(Bounds { entries, bytes });
            for number in 0..1000 {
                cache.insert(keys.of_any(&name(number)), number);
                cache.get(keys.of_any(&name(0)));
                assert!(cache.len() <= most, "{} of {most}", cache.len());
                assert!(cache.young.bytes + cache.old.bytes <= bytes);
            }
            let held = (most > 0).then_some(&0);
            assert_eq!(
                cache.get(keys.of_any(&name(0))),
                held,
                "in use all the time"
            );
            assert_eq!(cache.get(keys.of_any(&name(500))), None, "long unused");
        }
    }

    #[test]
    fn an_entry_is_found_by_its_whole_key_and_replaced_in_place() {
        let bounds = Bounds {
            entries: 8,
            bytes: usize::MAX,
        };
        let mut cache = Generations::new(bounds);
        let keys = Keys::default();
        let abc = keys.of_any(b"abc");
        cache.insert(abc, 1);
        for other in [&b"ab"[..], b"abcd", b"abd", b""] {
            assert_eq!(cache.get(keys.of_any(other)), None);
            // Even with the same hash.
            let colliding = Key {
                bytes: other,
                hash: abc.hash,
            };
            assert_eq!(cache.get(colliding), None);
        }
        cache.insert(abc, 2);
        assert_eq!((cache.get(abc).copied(), cache.len()), (Some(2), 1));
        assert_eq!(cache.young.bytes, ENTRY_BYTES + 3);
    }

    #[test]
    fn what_is_let_go_is_gone_from_both_generations() {
        let bounds = Bounds {
            entries: 8,
            bytes: usize::MAX,
        };
        let mut cache = Generations::new(bounds);
        let keys = Keys::default();
        for number in 0..6 {
            cache.insert(keys.of_any(&name(number)), number);
        }
        cache.retain(|number| number % 2 == 0);
        for number in 0..6 {
            let held = cache.get(keys.of_any(&name(number))).is_some();
            assert_eq!(held, number % 2 == 0, "{number}");
        }
        cache.clear();
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn tokens_that_end_alike_are_not_mistaken_for_each_other() {
        let bounds = Bounds {
            entries: 8,
            bytes: usize::MAX,
        };
        let mut cache = Generations::new(bounds);
        let keys = Keys::default();
        let known = *b"header.claims.a-signature-of-some-length";
        cache.insert(keys.of_genuine(&known), 1);
        assert_eq!(cache.get(keys.of_genuine(&known)), Some(&1));
        for place in 0..known.len() {
            let mut other = known;
            other[place] ^= 1;
            assert_eq!(cache.get(keys.of_genuine(&other)), None, "{place}");
        }
        for other in [&known[1..], &known[8..], &known[known.len() - TAIL_BYTES..]] {
            assert_eq!(cache.get(keys.of_genuine(other)), None);
        }
        let longer = [b"x", &known[..]].concat();
        assert_eq!(cache.get(keys.of_genuine(&longer)), None);
        assert_eq!(cache.get(keys.of_genuine(b"short")), None);
    }
}
