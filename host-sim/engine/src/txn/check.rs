//! Refusing what is malformed, before the store is looked at.
//!
//! The order of the checks is etcd's, and so is the precedence of the refusals when several apply.

use std::collections::HashSet;

use bytes::Bytes;
use etcd_wire::range_request::{SortOrder, SortTarget};
use etcd_wire::request_op::Request;
use etcd_wire::{PutRequest, RangeRequest, RequestOp, TxnRequest};
use prost::Message;

use super::intervals::Intervals;
use crate::limits::{MAX_REQUEST_BYTES, MAX_TXN_OPERATIONS};
use crate::refusal::Refusal;

/// Checks a Range on its own or inside a transaction.
pub fn check_range(request: &RangeRequest) -> Result<(), Refusal> {
    if request.key.is_empty() {
        return Err(Refusal::EmptyKey);
    }
    if SortOrder::try_from(request.sort_order).is_err()
        || SortTarget::try_from(request.sort_target).is_err()
    {
        return Err(Refusal::InvalidSortOption);
    }
    Ok(())
}

/// Checks a whole transaction, nested ones included.
pub fn check_txn(request: &TxnRequest) -> Result<(), Refusal> {
    check_operations(request, MAX_TXN_OPERATIONS)?;
    check_writes(&request.success)?;
    check_writes(&request.failure)?;
    if !is_read_only(request) && request.encoded_len() > MAX_REQUEST_BYTES {
        return Err(Refusal::RequestTooLarge);
    }
    Ok(())
}

/// Whether no branch of the transaction can write.
pub fn is_read_only(request: &TxnRequest) -> bool {
    request
        .success
        .iter()
        .chain(&request.failure)
        .all(|operation| match &operation.request {
            Some(Request::RequestRange(_)) => true,
            Some(Request::RequestTxn(nested)) => is_read_only(nested),
            _ => false,
        })
}

/// The longest of the three lists counts; nested transactions may use what it leaves over.
fn check_operations(request: &TxnRequest, allowed: usize) -> Result<(), Refusal> {
    let longest = request
        .compare
        .len()
        .max(request.success.len())
        .max(request.failure.len());
    let left = allowed.checked_sub(longest).ok_or(Refusal::TooManyOps)?;
    if request.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(Refusal::EmptyKey);
    }
    for operation in request.success.iter().chain(&request.failure) {
        match &operation.request {
            Some(Request::RequestRange(range)) => check_range(range)?,
            Some(Request::RequestPut(put)) => check_put(put)?,
            Some(Request::RequestDeleteRange(delete)) if delete.key.is_empty() => {
                return Err(Refusal::EmptyKey);
            }
            Some(Request::RequestDeleteRange(_)) => {}
            Some(Request::RequestTxn(nested)) => check_operations(nested, left)?,
            None => return Err(Refusal::KeyNotFound),
        }
    }
    Ok(())
}

fn check_put(put: &PutRequest) -> Result<(), Refusal> {
    if put.key.is_empty() {
        return Err(Refusal::EmptyKey);
    }
    if put.ignore_value && !put.value.is_empty() {
        return Err(Refusal::ValueProvided);
    }
    if put.ignore_lease && put.lease != 0 {
        return Err(Refusal::LeaseProvided);
    }
    Ok(())
}

/// No key is put twice, nor put where a delete of the same list, or of a transaction nested before it, removes it.
/// The two branches of one nested transaction exclude each other and may put the same key.
fn check_writes(operations: &[RequestOp]) -> Result<(HashSet<Bytes>, Intervals), Refusal> {
    let mut deleted = Intervals::default();
    for operation in operations {
        if let Some(Request::RequestDeleteRange(delete)) = &operation.request {
            deleted.add_request(delete);
        }
    }
    let mut put: HashSet<Bytes> = HashSet::new();
    for operation in operations {
        let Some(Request::RequestTxn(nested)) = &operation.request else {
            continue;
        };
        let (put_then, deleted_then) = check_writes(&nested.success)?;
        let (put_else, deleted_else) = check_writes(&nested.failure)?;
        if put_then
            .union(&put_else)
            .any(|key| put.contains(key) || deleted.contains(key))
        {
            return Err(Refusal::DuplicateKey);
        }
        put.extend(put_then);
        put.extend(put_else);
        deleted.add_all(deleted_then);
        deleted.add_all(deleted_else);
    }
    for operation in operations {
        if let Some(Request::RequestPut(request)) = &operation.request
            && (deleted.contains(&request.key) || !put.insert(request.key.clone()))
        {
            return Err(Refusal::DuplicateKey);
        }
    }
    Ok((put, deleted))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// etcd refuses these from 3.5 on and sorts somehow before; so they have no place in the conformance suite.
    #[test]
    fn unknown_sort_options_are_refused() {
        let range = |sort_order, sort_target| RangeRequest {
            key: "k".into(),
            sort_order,
            sort_target,
            ..Default::default()
        };
        assert_eq!(check_range(&range(2, 4)), Ok(()));
        assert_eq!(check_range(&range(3, 0)), Err(Refusal::InvalidSortOption));
        assert_eq!(check_range(&range(0, 5)), Err(Refusal::InvalidSortOption));
    }

    #[test]
    fn what_can_write_is_not_read_only() {
        let operation = |request| RequestOp {
            request: Some(request),
        };
        let nested = |success| TxnRequest {
            success,
            ..Default::default()
        };
        let read = operation(Request::RequestRange(RangeRequest::default()));
        let put = operation(Request::RequestPut(PutRequest::default()));
        let reads = nested(vec![read.clone(), read]);
        let writes = nested(vec![put]);
        assert!(is_read_only(&reads));
        assert!(is_read_only(&nested(vec![operation(Request::RequestTxn(
            reads
        ))])));
        assert!(!is_read_only(&writes));
        assert!(!is_read_only(&nested(vec![operation(
            Request::RequestTxn(writes)
        )])));
    }
}
