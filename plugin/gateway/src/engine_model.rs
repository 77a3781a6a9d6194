//! A model of the engine: etcd's Range, Txn and Watch over real messages, with revisions, history and compaction.
//!
//! Takes from the API what the gateway uses and refuses everything else, so that a request that a real etcd would read
//! differently does not pass here. Every revision stays readable until it is compacted away. It is no part of the filter:
//! this crate's tests have it, and those who run the gateway under a simulated clock, by the feature `engine-model`.

pub mod watch;

use bytes::Bytes;
use etcd_wire::{
    Compare, DeleteRangeRequest, DeleteRangeResponse, KeyValue, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
    compare, request_op, response_op,
};
use prost::Message;
use std::collections::BTreeMap;

use crate::engine::Method;

/// gRPC status of a request that is not taken.
pub const INVALID_ARGUMENT: u32 = 3;
/// gRPC status of a revision that is not there, or no longer.
pub const OUT_OF_RANGE: u32 = 11;

/// One put that was made, or one deletion, with an empty value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// At which revision.
    pub revision: i64,
    /// Of what.
    pub key: Bytes,
    /// What; of a deletion nothing.
    pub value: Bytes,
    /// Whether the key went.
    pub is_deletion: bool,
}

/// One store. See the module's text.
#[derive(Default)]
pub struct Engine {
    /// Versions of each key by revision, deletions among them.
    keys: BTreeMap<Bytes, Vec<Put>>,
    /// Every put, oldest first.
    pub puts: Vec<Put>,
    /// Every put and every deletion, oldest first.
    pub changes: Vec<Put>,
    revision: i64,
    /// The revision of the transaction that is being carried out: all its puts have the same one.
    open: Option<i64>,
    compacted: i64,
    /// How many stores were here before this one.
    predecessors: u64,
}

impl Engine {
    /// Carries out one call.
    ///
    /// # Errors
    /// The gRPC status of one that is refused.
    pub fn execute(&mut self, method: Method, message: &Bytes) -> Result<Bytes, u32> {
        let bad = |_| INVALID_ARGUMENT;
        match method {
            Method::Range => {
                let request = RangeRequest::decode(message.clone()).map_err(bad)?;
                Ok(self.range(&request)?.encode_to_vec().into())
            }
            Method::Txn => {
                let request = TxnRequest::decode(message.clone()).map_err(bad)?;
                self.open = Some(self.revision + 1);
                let answer = self.txn(&request);
                self.open = None;
                Ok(answer?.encode_to_vec().into())
            }
        }
    }

    /// The newest value under `key`.
    pub fn get(&self, key: &[u8]) -> Option<&Put> {
        let newest = self.keys.get(key).and_then(|versions| versions.last());
        newest.filter(|put| !put.is_deletion)
    }

    /// The newest keys with this prefix.
    pub fn keys_below(&self, prefix: &[u8]) -> Vec<Bytes> {
        let all = self.keys.range(Bytes::copy_from_slice(prefix)..);
        let below = all
            .map(|(key, _)| key.clone())
            .take_while(|key| key.starts_with(prefix));
        below.filter(|key| self.get(key).is_some()).collect()
    }

    /// Writes past the API, as another program would.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.revision = self.open.unwrap_or(self.revision + 1);
        let put = Put {
            revision: self.revision,
            key: Bytes::copy_from_slice(key),
            value: Bytes::copy_from_slice(value),
            is_deletion: false,
        };
        self.puts.push(put.clone());
        self.changes.push(put.clone());
        self.keys.entry(put.key.clone()).or_default().push(put);
    }

    /// Removes a key past the API; nothing happens when it is not there.
    pub fn remove(&mut self, key: &[u8]) {
        self.delete(&DeleteRangeRequest {
            key: Bytes::copy_from_slice(key),
            ..DeleteRangeRequest::default()
        });
    }

    /// How often a key was written since it was created; 0 when it is not there.
    #[must_use]
    pub fn version(&self, key: &[u8]) -> u64 {
        let there = self.get(key).map(|put| self.key_value(put, true).version);
        there
            .and_then(|version| u64::try_from(version).ok())
            .unwrap_or(0)
    }

    fn delete(&mut self, request: &DeleteRangeRequest) -> i64 {
        let from = self.keys.range(request.key.clone()..);
        let within =
            from.map(|(key, _)| key.clone())
                .take_while(|key| match request.range_end.as_ref() {
                    b"" => *key == request.key,
                    end => key.as_ref() < end,
                });
        let keys: Vec<Bytes> = within.filter(|key| self.get(key).is_some()).collect();
        if !keys.is_empty() {
            self.revision = self.open.unwrap_or(self.revision + 1);
        }
        for key in &keys {
            let deletion = Put {
                revision: self.revision,
                key: key.clone(),
                value: Bytes::new(),
                is_deletion: true,
            };
            self.changes.push(deletion.clone());
            self.keys.entry(key.clone()).or_default().push(deletion);
        }
        i64::try_from(keys.len()).expect("few keys")
    }

    /// Forgets every revision before the newest.
    pub fn compact(&mut self) {
        self.compacted = self.revision;
    }

    /// A store that so many others came before.
    pub fn after(predecessors: u64) -> Self {
        Self {
            predecessors,
            ..Self::default()
        }
    }

    /// Another store, empty, in place of this one.
    pub fn replace(&mut self) {
        *self = Self::after(self.predecessors + 1);
    }

    /// Goes back to a backup: whatever came after this revision never was.
    pub fn restore(&mut self, revision: i64) {
        self.puts.retain(|put| put.revision <= revision);
        self.changes.retain(|put| put.revision <= revision);
        self.keys.retain(|_, versions| {
            versions.retain(|put| put.revision <= revision);
            !versions.is_empty()
        });
        self.revision = revision;
    }

    /// The revision of the newest change.
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader {
            cluster_id: self.predecessors + 1,
            member_id: 1,
            revision: self.revision,
            raft_term: 2,
        })
    }

    fn range(&self, request: &RangeRequest) -> Result<RangeResponse, u32> {
        let plain = RangeRequest {
            key: request.key.clone(),
            range_end: request.range_end.clone(),
            limit: request.limit,
            revision: request.revision,
            keys_only: request.keys_only,
            ..RangeRequest::default()
        };
        if *request != plain || request.key.is_empty() || request.limit < 0 {
            return Err(INVALID_ARGUMENT);
        }
        if request.revision > self.revision
            || (request.revision > 0 && request.revision < self.compacted)
        {
            return Err(OUT_OF_RANGE);
        }
        let at = match request.revision {
            0 => self.revision,
            revision => revision,
        };
        let matching: Vec<&Put> = self
            .keys
            .range(request.key.clone()..)
            .take_while(|(key, _)| match request.range_end.as_ref() {
                b"" => **key == request.key,
                b"\0" => true,
                end => key.as_ref() < end,
            })
            .filter_map(|(_, versions)| versions.iter().rev().find(|put| put.revision <= at))
            .filter(|put| !put.is_deletion)
            .collect();
        let limit = match request.limit {
            0 => usize::MAX,
            limit => usize::try_from(limit).map_err(|_| INVALID_ARGUMENT)?,
        };
        Ok(RangeResponse {
            header: self.header(),
            more: matching.len() > limit,
            count: i64::try_from(matching.len()).expect("few keys"),
            kvs: matching
                .into_iter()
                .take(limit)
                .map(|put| self.key_value(put, request.keys_only))
                .collect(),
        })
    }

    fn key_value(&self, put: &Put, key_only: bool) -> KeyValue {
        let until = self.keys[&put.key]
            .iter()
            .take_while(|it| it.revision <= put.revision);
        let until: Vec<&Put> = until.collect();
        // Since it was created anew, if it was.
        let deleted = until.iter().rposition(|it| it.is_deletion);
        let versions = &until[deleted.map_or(0, |place| place + 1)..];
        if put.is_deletion {
            return KeyValue {
                key: put.key.clone(),
                mod_revision: put.revision,
                ..KeyValue::default()
            };
        }
        KeyValue {
            key: put.key.clone(),
            value: match key_only {
                true => Bytes::new(),
                false => put.value.clone(),
            },
            create_revision: versions[0].revision,
            mod_revision: put.revision,
            version: i64::try_from(versions.len()).expect("few versions"),
            lease: 0,
        }
    }

    fn txn(&mut self, request: &TxnRequest) -> Result<TxnResponse, u32> {
        let mut succeeded = true;
        for compare in &request.compare {
            succeeded &= self.holds(compare)?;
        }
        let operations = match succeeded {
            true => &request.success,
            false => &request.failure,
        };
        let responses = operations
            .iter()
            .map(|operation| self.operate(operation))
            .collect::<Result<_, _>>()?;
        Ok(TxnResponse {
            header: self.header(),
            succeeded,
            responses,
        })
    }

    fn holds(&self, compare: &Compare) -> Result<bool, u32> {
        let equal = compare.result == i32::from(compare::CompareResult::Equal);
        let target = compare.target == i32::from(compare::CompareTarget::Mod);
        match compare.target_union {
            Some(compare::TargetUnion::ModRevision(revision))
                if equal && target && compare.range_end.is_empty() =>
            {
                let held = self.get(&compare.key).map_or(0, |put| put.revision);
                Ok(held == revision)
            }
            _ => Err(INVALID_ARGUMENT),
        }
    }

    fn operate(&mut self, operation: &RequestOp) -> Result<ResponseOp, u32> {
        let response = match &operation.request {
            Some(request_op::Request::RequestPut(put)) => {
                let plain = PutRequest {
                    key: put.key.clone(),
                    value: put.value.clone(),
                    ..PutRequest::default()
                };
                if *put != plain || put.key.is_empty() {
                    return Err(INVALID_ARGUMENT);
                }
                self.put(&put.key, &put.value);
                response_op::Response::ResponsePut(PutResponse {
                    header: self.header(),
                    prev_kv: None,
                })
            }
            Some(request_op::Request::RequestRange(range)) => {
                response_op::Response::ResponseRange(self.range(range)?)
            }
            Some(request_op::Request::RequestDeleteRange(delete)) => {
                // Not without an end: the gateway never means all keys.
                let unbounded = delete.range_end == Bytes::from_static(b"\0");
                if delete.key.is_empty() || delete.prev_kv || unbounded {
                    return Err(INVALID_ARGUMENT);
                }
                response_op::Response::ResponseDeleteRange(DeleteRangeResponse {
                    deleted: self.delete(delete),
                    header: self.header(),
                    prev_kvs: Vec::new(),
                })
            }
            // As etcd: nested once, and every part is what could be asked alone.
            Some(request_op::Request::RequestTxn(part)) => {
                let nested = part.success.iter().chain(&part.failure);
                let plain = |it: &RequestOp| {
                    !matches!(it.request, Some(request_op::Request::RequestTxn(_)) | None)
                };
                if !nested.clone().all(plain) || part.compare.is_empty() {
                    return Err(INVALID_ARGUMENT);
                }
                response_op::Response::ResponseTxn(self.txn(part)?)
            }
            _ => return Err(INVALID_ARGUMENT),
        };
        Ok(ResponseOp {
            response: Some(response),
        })
    }
}
