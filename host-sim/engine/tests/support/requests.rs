//! Requests in few words, so that a table of cases reads as a table.

use bytes::Bytes;
use etcd_wire::compare::{CompareResult, CompareTarget, TargetUnion};
use etcd_wire::request_op::Request;
use etcd_wire::{Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};

/// The spelling of "every key from here on".
pub const ON: &str = "\0";

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn operation(request: Request) -> RequestOp {
    RequestOp {
        request: Some(request),
    }
}

/// One key.
pub fn key(key: &str) -> RangeRequest {
    keys(key, "")
}

/// A range of keys.
pub fn keys(key: &str, range_end: &str) -> RangeRequest {
    RangeRequest {
        key: bytes(key),
        range_end: bytes(range_end),
        ..Default::default()
    }
}

/// A read inside a transaction.
pub fn get(request: RangeRequest) -> RequestOp {
    operation(Request::RequestRange(request))
}

/// A put inside a transaction.
pub fn put(key: &str, value: &str) -> RequestOp {
    put_as(key, value, |_| {})
}

/// A put with flags.
pub fn put_as(key: &str, value: &str, flags: impl FnOnce(&mut PutRequest)) -> RequestOp {
    let mut request = PutRequest {
        key: bytes(key),
        value: bytes(value),
        ..Default::default()
    };
    flags(&mut request);
    operation(Request::RequestPut(request))
}

/// A delete inside a transaction.
pub fn delete(key: &str, range_end: &str, prev_kv: bool) -> RequestOp {
    operation(Request::RequestDeleteRange(DeleteRangeRequest {
        key: bytes(key),
        range_end: bytes(range_end),
        prev_kv,
    }))
}

/// A transaction inside a transaction.
pub fn nested(request: TxnRequest) -> RequestOp {
    operation(Request::RequestTxn(request))
}

/// An operation without content.
pub fn nothing() -> RequestOp {
    RequestOp { request: None }
}

/// If all of `compare` holds, `success`, else `failure`.
pub fn txn<const C: usize, const S: usize, const F: usize>(
    compare: [Compare; C],
    success: [RequestOp; S],
    failure: [RequestOp; F],
) -> TxnRequest {
    TxnRequest {
        compare: compare.into(),
        success: success.into(),
        failure: failure.into(),
    }
}

/// Operations without condition.
pub fn all<const S: usize>(success: [RequestOp; S]) -> TxnRequest {
    txn([], success, [])
}

/// The four results of a compare.
pub const RESULTS: [CompareResult; 4] = [
    CompareResult::Equal,
    CompareResult::Greater,
    CompareResult::Less,
    CompareResult::NotEqual,
];

/// A compare; the target follows from the kind of `wanted`.
pub fn when(key: &str, range_end: &str, result: CompareResult, wanted: TargetUnion) -> Compare {
    let target = match &wanted {
        TargetUnion::Version(_) => CompareTarget::Version,
        TargetUnion::CreateRevision(_) => CompareTarget::Create,
        TargetUnion::ModRevision(_) => CompareTarget::Mod,
        TargetUnion::Value(_) => CompareTarget::Value,
        TargetUnion::Lease(_) => CompareTarget::Lease,
    };
    Compare {
        result: result as i32,
        target: target as i32,
        key: bytes(key),
        range_end: bytes(range_end),
        target_union: Some(wanted),
    }
}

/// `mod_revision(key) == revision`: the compare that the gateway uses.
pub fn unchanged(key: &str, revision: i64) -> Compare {
    when(
        key,
        "",
        CompareResult::Equal,
        TargetUnion::ModRevision(revision),
    )
}
