//! The engine as tests need it: etcd's `Range`, `Txn` and `Watch` over real messages, in memory and deterministic.
//!
//! It decides what a call answers and what a watch is told, and nothing else: no time, no thread, no socket, no fault. Who
//! delays, loses or repeats calls does it around this model. Of the API it takes what the gateway uses and refuses
//! everything else with `INVALID_ARGUMENT`, so that a request that a real etcd would read differently does not pass here.
//! Every change is kept, in the order of commits, until it is compacted away: the order that a test may take for the truth.
//! As in etcd, all compares of a transaction, nested ones too, are decided before it writes anything.

mod range;
mod txn;
mod watch;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use etcd_wire::{KeyValue, RangeRequest, ResponseHeader, TxnRequest};
use prost::Message;

pub use watch::Watch;

/// gRPC status of a request that the model does not take.
pub const INVALID_ARGUMENT: u32 = 3;
/// gRPC status of a revision that was compacted away or has not happened.
pub const OUT_OF_RANGE: u32 = 11;

/// The revision of a store to which nothing was written yet, as etcd's.
const FIRST_REVISION: i64 = 1;

/// Which of the two calls a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `KV/Range`
    Range,
    /// `KV/Txn`
    Txn,
}

impl Method {
    /// The method of that name, if it is one of the two.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            etcd_wire::RANGE => Some(Self::Range),
            etcd_wire::TXN => Some(Self::Txn),
            _ => None,
        }
    }
}

/// One key's change. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The revision that made it. All changes of one transaction have the same one.
    pub revision: i64,
    /// Whose.
    pub key: Bytes,
    /// What stands there since; none: the key was deleted.
    pub value: Option<Bytes>,
    /// The revision at which the key came into being; 0 of a deletion.
    create_revision: i64,
    /// How many puts since then; 0 of a deletion.
    version: i64,
}

impl Change {
    fn message(&self, key_only: bool) -> KeyValue {
        KeyValue {
            key: self.key.clone(),
            value: match (&self.value, key_only) {
                (Some(value), false) => value.clone(),
                _ => Bytes::new(),
            },
            create_revision: self.create_revision,
            mod_revision: self.revision,
            version: self.version,
            lease: 0,
        }
    }
}

/// The store.
#[derive(Debug)]
pub struct Model {
    cluster_id: u64,
    /// The changes of each key, oldest first. Never empty.
    keys: BTreeMap<Bytes, Vec<Change>>,
    /// Every change that is not compacted away, oldest first.
    log: VecDeque<Change>,
    revision: i64,
    compacted: i64,
}

impl Model {
    /// An empty store with this identity, which must not be 0.
    #[must_use]
    pub fn new(cluster_id: u64) -> Self {
        Self {
            cluster_id,
            keys: BTreeMap::new(),
            log: VecDeque::new(),
            revision: FIRST_REVISION,
            compacted: 0,
        }
    }

    /// Carries out one call.
    ///
    /// # Errors
    /// The gRPC status with which it is refused; nothing has changed then.
    pub fn execute(&mut self, method: Method, message: Bytes) -> Result<Vec<u8>, u32> {
        let bad = |_| INVALID_ARGUMENT;
        match method {
            Method::Range => {
                let request = RangeRequest::decode(message).map_err(bad)?;
                Ok(self.range(&request)?.encode_to_vec())
            }
            Method::Txn => {
                let request = TxnRequest::decode(message).map_err(bad)?;
                Ok(self.txn(&request)?.encode_to_vec())
            }
        }
    }

    /// The revision of the newest change.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// The oldest revision that can still be read at; 0 before the first compaction.
    #[must_use]
    pub const fn compacted(&self) -> i64 {
        self.compacted
    }

    /// All changes after this revision that are not compacted away, oldest first.
    pub fn changes_after(&self, revision: i64) -> impl Iterator<Item = &Change> {
        let from = self.log.partition_point(|it| it.revision <= revision);
        self.log.range(from..)
    }

    /// Forgets what was superseded at or before `revision`, which must be one that has happened and was not forgotten:
    /// otherwise nothing happens.
    pub fn compact(&mut self, revision: i64) {
        if revision <= self.compacted || revision > self.revision {
            return;
        }
        self.compacted = revision;
        while self.log.front().is_some_and(|it| it.revision < revision) {
            self.log.pop_front();
        }
        self.keys.retain(|_, changes| {
            let kept = changes.partition_point(|it| it.revision <= revision);
            changes.drain(..kept.saturating_sub(1));
            let gone = changes
                .first()
                .is_some_and(|it| it.value.is_none() && it.revision <= revision);
            !(gone && changes.len() == 1)
        });
    }

    fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader {
            cluster_id: self.cluster_id,
            member_id: 1,
            revision: self.revision,
            raft_term: 2,
        })
    }

    fn newest(&self, key: &[u8]) -> Option<&Change> {
        self.keys.get(key)?.last()
    }

    fn write(&mut self, revision: i64, key: Bytes, value: Option<Bytes>) {
        let changes = self.keys.entry(key.clone()).or_default();
        let before = changes.last().filter(|it| it.value.is_some());
        let (create_revision, version) = match (&value, before) {
            (None, _) => (0, 0),
            (Some(_), Some(before)) => (before.create_revision, before.version + 1),
            (Some(_), None) => (revision, 1),
        };
        let change = Change {
            revision,
            key,
            value,
            create_revision,
            version,
        };
        changes.push(change.clone());
        self.log.push_back(change);
        self.revision = revision;
    }
}
