//! Transactions: compares first, all of them, then the operations of the branches that they chose.

use bytes::Bytes;
use etcd_wire::{
    Compare, DeleteRangeResponse, PutRequest, PutResponse, RequestOp, ResponseOp, TxnRequest,
    TxnResponse, compare, request_op, response_op,
};

use super::{INVALID_ARGUMENT, Model, range};

/// Operations in one list, nested ones sharing what their parents leave: etcd's default.
const MAX_OPERATIONS: usize = 128;

/// The branch of a transaction, and those of the ones nested in that branch.
struct Path {
    succeeded: bool,
    nested: Vec<Path>,
}

impl Path {
    fn operations<'r>(&self, request: &'r TxnRequest) -> &'r [RequestOp] {
        match self.succeeded {
            true => &request.success,
            false => &request.failure,
        }
    }
}

impl Model {
    pub(super) fn txn(&mut self, request: &TxnRequest) -> Result<TxnResponse, u32> {
        check(request, MAX_OPERATIONS)?;
        let path = self.decide(request)?;
        let revision = self.revision + 1;
        let mut response = self.run(request, &path, revision);
        response.header = self.header();
        Ok(response)
    }

    fn decide(&self, request: &TxnRequest) -> Result<Path, u32> {
        let mut path = Path {
            succeeded: request.compare.iter().all(|it| self.holds(it)),
            nested: Vec::new(),
        };
        for operation in path.operations(request) {
            match &operation.request {
                Some(request_op::Request::RequestTxn(part)) => {
                    let part = self.decide(part)?;
                    path.nested.push(part);
                }
                Some(request_op::Request::RequestRange(range)) => {
                    self.check_revision(range.revision)?;
                }
                _ => {}
            }
        }
        Ok(path)
    }

    fn holds(&self, compare: &Compare) -> bool {
        let held = self
            .newest(&compare.key)
            .filter(|it| it.value.is_some())
            .map_or(0, |it| it.revision);
        compare.target_union == Some(compare::TargetUnion::ModRevision(held))
    }

    fn run(&mut self, request: &TxnRequest, path: &Path, revision: i64) -> TxnResponse {
        let mut nested = path.nested.iter();
        let mut responses = Vec::new();
        for operation in path.operations(request) {
            let response = match &operation.request {
                Some(request_op::Request::RequestTxn(part)) => nested
                    .next()
                    .map(|path| response_op::Response::ResponseTxn(self.run(part, path, revision))),
                Some(other) => self.operate(other, revision),
                None => None,
            };
            responses.push(ResponseOp { response });
        }
        TxnResponse {
            header: None,
            succeeded: path.succeeded,
            responses,
        }
    }

    fn operate(
        &mut self,
        operation: &request_op::Request,
        revision: i64,
    ) -> Option<response_op::Response> {
        Some(match operation {
            request_op::Request::RequestPut(put) => {
                self.write(revision, put.key.clone(), Some(put.value.clone()));
                response_op::Response::ResponsePut(PutResponse {
                    header: self.header(),
                    prev_kv: None,
                })
            }
            request_op::Request::RequestRange(range) => {
                response_op::Response::ResponseRange(self.range(range).ok()?)
            }
            request_op::Request::RequestDeleteRange(delete) => {
                let at = i64::MAX;
                let doomed: Vec<Bytes> = self
                    .standing(&delete.key, &delete.range_end, at)
                    .map(|it| it.key.clone())
                    .collect();
                for key in &doomed {
                    self.write(revision, key.clone(), None);
                }
                response_op::Response::ResponseDeleteRange(DeleteRangeResponse {
                    header: self.header(),
                    deleted: i64::try_from(doomed.len()).unwrap_or(i64::MAX),
                    prev_kvs: Vec::new(),
                })
            }
            request_op::Request::RequestTxn(_) => return None,
        })
    }
}

/// Only what the gateway asks for: comparing revisions for equality, plain puts and deletions, nested once.
fn check(request: &TxnRequest, allowed: usize) -> Result<(), u32> {
    let lists = [
        request.compare.len(),
        request.success.len(),
        request.failure.len(),
    ];
    let longest = lists.into_iter().max().unwrap_or(0);
    let left = allowed.checked_sub(longest).ok_or(INVALID_ARGUMENT)?;
    for compare in &request.compare {
        let equal = compare.result == i32::from(compare::CompareResult::Equal);
        let target = compare.target == i32::from(compare::CompareTarget::Mod);
        let of_one = compare.range_end.is_empty() && !compare.key.is_empty();
        let revision = matches!(
            compare.target_union,
            Some(compare::TargetUnion::ModRevision(_))
        );
        if !(equal && target && of_one && revision) {
            return Err(INVALID_ARGUMENT);
        }
    }
    for operation in request.success.iter().chain(&request.failure) {
        match &operation.request {
            Some(request_op::Request::RequestRange(asked)) => range::check(asked)?,
            Some(request_op::Request::RequestPut(put)) => {
                let plain = PutRequest {
                    key: put.key.clone(),
                    value: put.value.clone(),
                    ..PutRequest::default()
                };
                if *put != plain || put.key.is_empty() {
                    return Err(INVALID_ARGUMENT);
                }
            }
            Some(request_op::Request::RequestDeleteRange(delete)) => {
                // The gateway never means all keys.
                if delete.key.is_empty() || delete.prev_kv || delete.range_end == b"\0"[..] {
                    return Err(INVALID_ARGUMENT);
                }
            }
            Some(request_op::Request::RequestTxn(part)) => check(part, left)?,
            None => return Err(INVALID_ARGUMENT),
        }
    }
    check_keys(request)
}

/// No key is written twice by one transaction, as etcd has it. The branches of one transaction exclude each other. Stricter
/// than etcd: what removes a range of keys stands alone.
fn check_keys(request: &TxnRequest) -> Result<(), u32> {
    for operations in [&request.success, &request.failure] {
        let mut keys = Vec::new();
        let mut ranged = false;
        written(operations, &mut keys, &mut ranged);
        keys.sort_unstable();
        let twice = keys.windows(2).any(|pair| pair.first() == pair.last());
        if twice || ranged && operations.len() > 1 {
            return Err(INVALID_ARGUMENT);
        }
    }
    Ok(())
}

/// The keys that these operations may write, and whether they may remove a range of keys.
fn written<'r>(operations: &'r [RequestOp], keys: &mut Vec<&'r Bytes>, ranged: &mut bool) {
    for operation in operations {
        match &operation.request {
            Some(request_op::Request::RequestPut(put)) => keys.push(&put.key),
            Some(request_op::Request::RequestDeleteRange(delete)) => {
                keys.push(&delete.key);
                *ranged |= !delete.range_end.is_empty();
            }
            Some(request_op::Request::RequestTxn(part)) => {
                let before = keys.len();
                written(&part.success, keys, ranged);
                let then = keys.get(before..).unwrap_or_default().to_vec();
                let mut otherwise = Vec::new();
                written(&part.failure, &mut otherwise, ranged);
                keys.extend(otherwise.into_iter().filter(|it| !then.contains(it)));
            }
            _ => {}
        }
    }
}
