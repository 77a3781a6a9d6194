//! What VMs share: data under compare-and-set, queues, metrics. One [`Shared`] stands for one Envoy process.
//!
//! Everything is namespaced by the `vm_id` text alone: other code with the same `vm_id` sees it, a reloaded VM finds it
//! again. The rules are Envoy's to the letter, including those that the ABI does not promise.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::abi::Status;
use crate::metrics::Metrics;

/// Names a VM's thread for as long as the process lives: a reloaded VM keeps the address of the one it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u32);

/// Who is to be woken when a queue receives something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registrant {
    /// The VM.
    pub address: Address,
    /// The root context that registered, or whose stream did.
    pub context: u32,
}

/// All that outlives a VM.
#[derive(Debug, Default)]
pub struct Shared {
    /// Keys and values.
    pub data: SharedData,
    /// Queues.
    pub queues: SharedQueues,
    /// Counters, gauges, histograms.
    pub metrics: Metrics,
}

/// Keys and values behind one lock.
#[derive(Debug, Default)]
pub struct SharedData(Mutex<DataInner>);

#[derive(Debug, Default)]
struct DataInner {
    last_cas: u32,
    entries: HashMap<(String, Vec<u8>), (Vec<u8>, u32)>,
}

impl SharedData {
    /// A copy of the value and its version, which is never 0.
    pub fn get(&self, vm_id: &str, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        let inner = lock(&self.0);
        inner
            .entries
            .get(&(vm_id.to_owned(), key.to_vec()))
            .cloned()
    }

    /// Writes. With `cas` 0 blindly; otherwise an existing key must hold that version. On an absent key `cas` is not
    /// looked at.
    ///
    /// # Errors
    /// [`Status::CasMismatch`] when the key holds another version; nothing is written then.
    pub fn set(&self, vm_id: &str, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        let mut inner = lock(&self.0);
        let full_key = (vm_id.to_owned(), key.to_vec());
        if let Some((_, version)) = inner.entries.get(&full_key)
            && cas != 0
            && cas != *version
        {
            return Err(Status::CasMismatch);
        }
        inner.last_cas = inner.last_cas.checked_add(1).unwrap_or(1);
        let version = inner.last_cas;
        inner.entries.insert(full_key, (value.to_vec(), version));
        Ok(())
    }

    /// Bytes of all keys and values. Looks at every entry.
    pub fn held_bytes(&self) -> usize {
        let inner = lock(&self.0);
        let sizes = inner.entries.iter();
        sizes
            .map(|((_, key), (value, _))| key.len() + value.len())
            .sum()
    }
}

/// Queues behind one lock. Ids start at 1.
#[derive(Debug, Default)]
pub struct SharedQueues(Mutex<QueuesInner>);

#[derive(Debug, Default)]
struct QueuesInner {
    ids: BTreeMap<(String, Vec<u8>), u32>,
    queues: BTreeMap<u32, Queue>,
}

#[derive(Debug)]
struct Queue {
    registrant: Registrant,
    items: VecDeque<Vec<u8>>,
}

impl SharedQueues {
    /// Creates the queue, or takes over the wake-ups of an existing one; what it holds stays.
    pub fn register(&self, vm_id: &str, name: &[u8], registrant: Registrant) -> u32 {
        let mut inner = lock(&self.0);
        let next = u32::try_from(inner.ids.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let id = *inner
            .ids
            .entry((vm_id.to_owned(), name.to_vec()))
            .or_insert(next);
        inner
            .queues
            .entry(id)
            .and_modify(|queue| queue.registrant = registrant)
            .or_insert_with(|| Queue {
                registrant,
                items: VecDeque::new(),
            });
        id
    }

    /// The id of a queue that somebody registered.
    pub fn resolve(&self, vm_id: &str, name: &[u8]) -> Option<u32> {
        lock(&self.0)
            .ids
            .get(&(vm_id.to_owned(), name.to_vec()))
            .copied()
    }

    /// Appends, and says whom to wake.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an id that nobody registered.
    pub fn enqueue(&self, id: u32, item: &[u8]) -> Result<Registrant, Status> {
        let mut inner = lock(&self.0);
        let queue = inner.queues.get_mut(&id).ok_or(Status::NotFound)?;
        queue.items.push_back(item.to_vec());
        Ok(queue.registrant)
    }

    /// Takes the oldest item.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an id that nobody registered, [`Status::Empty`] when it holds nothing.
    pub fn dequeue(&self, id: u32) -> Result<Vec<u8>, Status> {
        let mut inner = lock(&self.0);
        let queue = inner.queues.get_mut(&id).ok_or(Status::NotFound)?;
        queue.items.pop_front().ok_or(Status::Empty)
    }

    /// How many items wait, in all queues.
    pub fn waiting(&self) -> usize {
        let inner = lock(&self.0);
        inner.queues.values().map(|queue| queue.items.len()).sum()
    }
}

/// A thread that died while holding the lock left whole entries behind: each change is one insertion.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_decide_only_on_keys_that_exist() {
        let data = SharedData::default();
        assert_eq!(data.get("a", b"k"), None);
        assert_eq!(
            data.set("a", b"k", b"1", u32::MAX),
            Ok(()),
            "absent: created"
        );
        assert_eq!(
            data.set("a", b"k", b"2", u32::MAX),
            Err(Status::CasMismatch),
            "present: first wins"
        );
        let (value, version) = data.get("a", b"k").expect("set");
        assert_eq!(value, b"1");
        assert_ne!(version, 0);
        assert_eq!(data.set("a", b"k", b"3", version), Ok(()));
        assert_eq!(data.set("a", b"k", b"4", version), Err(Status::CasMismatch));
        assert_eq!(data.set("a", b"k", b"5", 0), Ok(()), "0 writes blindly");
        assert_eq!(
            data.get("a", b"k").map(|entry| entry.0),
            Some(b"5".to_vec())
        );
    }

    #[test]
    fn the_vm_id_alone_is_the_namespace() {
        let data = SharedData::default();
        data.set("a", b"k", b"1", 0).expect("set");
        assert_eq!(data.get("b", b"k"), None);
        data.set("a", b"k", b"", 0).expect("set");
        assert_eq!(data.get("a", b"k").map(|entry| entry.0), Some(Vec::new()));
    }

    #[test]
    fn the_last_registrant_gets_the_wake_ups_and_the_items_stay() {
        let queues = SharedQueues::default();
        let who = |n| Registrant {
            address: Address(n),
            context: 1,
        };
        assert_eq!(queues.resolve("a", b"q"), None);
        let id = queues.register("a", b"q", who(1));
        assert_eq!(queues.enqueue(id, b"x"), Ok(who(1)));
        assert_eq!(queues.register("a", b"q", who(2)), id);
        assert_eq!(queues.resolve("a", b"q"), Some(id));
        assert_ne!(queues.register("b", b"q", who(3)), id);
        assert_eq!(queues.enqueue(id, b"y"), Ok(who(2)));
        assert_eq!(queues.dequeue(id), Ok(b"x".to_vec()));
        assert_eq!(queues.dequeue(id), Ok(b"y".to_vec()));
        assert_eq!(queues.dequeue(id), Err(Status::Empty));
        assert_eq!(queues.dequeue(99), Err(Status::NotFound));
        assert_eq!(queues.enqueue(99, b""), Err(Status::NotFound));
    }
}
