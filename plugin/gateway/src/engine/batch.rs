//! Several one-key requests in one call, and what its answer says of each.
//!
//! A batch is an optimisation and nothing else: each of its parts is the very request that could be made alone, succeeds
//! or fails by its own compare, and may be repeated alone or in another batch. Reads travel as plain ranges of a
//! transaction without compares, which an engine answers without its log; commits as nested transactions. A batch of one
//! is the request itself, so that an engine that refuses batches is served by batches of one.

use bytes::Bytes;
use etcd_wire::{
    Compare, PutRequest, RequestOp, ResponseHeader, TxnRequest, TxnResponse, compare, request_op,
    response_op,
};
use prost::Message;

use crate::planted::{Bug, is_planted};

use super::call::Method;
use super::messages::{
    CommitAnswer, Found, MalformedAnswer, StoreId, commit_answer, only_document, range_of_one,
    read_document,
};

/// One key's compare-and-put: it puts the value if the key's revision is the one that it was made for (0: if there is no
/// such key), else it reads what is there. Clones are cheap.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    key: Bytes,
    request: TxnRequest,
}

impl Commit {
    /// Puts `value` under `key` if the key's revision is `base`.
    #[must_use]
    pub fn new(key: &[u8], base: i64, value: Bytes) -> Self {
        let key = Bytes::copy_from_slice(key);
        let mut request = TxnRequest {
            compare: vec![Compare {
                result: compare::CompareResult::Equal.into(),
                target: compare::CompareTarget::Mod.into(),
                key: key.clone(),
                target_union: Some(compare::TargetUnion::ModRevision(base)),
                ..Compare::default()
            }],
            success: vec![RequestOp {
                request: Some(request_op::Request::RequestPut(PutRequest {
                    key: key.clone(),
                    value,
                    ..PutRequest::default()
                })),
            }],
            failure: vec![RequestOp {
                request: Some(request_op::Request::RequestRange(range_of_one(&key))),
            }],
        };
        if is_planted(Bug::BlindWrite) {
            request.compare.clear();
        }
        Self { key, request }
    }

    /// The size of the request, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.request.encoded_len()
    }

    /// The request, for a call that carries nothing else.
    #[must_use]
    pub fn message(&self) -> Bytes {
        self.request.encode_to_vec().into()
    }
}

/// The call that carries these commits. The same bytes for the same commits, every time.
#[must_use]
pub fn commit_all(commits: &[Commit]) -> (Method, Bytes) {
    if let [commit] = commits {
        return (Method::Txn, commit.message());
    }
    let nest = |commit: &Commit| RequestOp {
        request: Some(request_op::Request::RequestTxn(commit.request.clone())),
    };
    (Method::Txn, transaction(commits.iter().map(nest)))
}

/// Reads the answer to [`commit_all`]: what became of each commit, in their order.
///
/// # Errors
/// [`MalformedAnswer`] when the answer does not fit the request as a whole.
pub fn read_commits(
    commits: &[Commit],
    message: Bytes,
) -> Result<Vec<Result<CommitAnswer, MalformedAnswer>>, MalformedAnswer> {
    if let [commit] = commits {
        return Ok(vec![read_commit(&commit.key, message)]);
    }
    let answer = TxnResponse::decode(message).map_err(|_| MalformedAnswer)?;
    let header = answer.header.ok_or(MalformedAnswer)?;
    if answer.responses.len() != commits.len() {
        return Err(MalformedAnswer);
    }
    let parts = answer.responses.into_iter().zip(commits);
    let mut parts: Vec<_> = parts
        .map(|(op, commit)| match op.response {
            // The parts share the revision of the whole.
            Some(response_op::Response::ResponseTxn(part)) => {
                commit_answer(&commit.key, &header, part)
            }
            _ => Err(MalformedAnswer),
        })
        .collect();
    if is_planted(Bug::FirstSpeaksForAll)
        && let Some(first @ Ok(CommitAnswer::Applied { .. })) = parts.first().cloned()
    {
        parts.fill(first);
    }
    Ok(parts)
}

/// Reads the answer to the [`Commit::message`] of `key`.
///
/// # Errors
/// [`MalformedAnswer`]
pub fn read_commit(key: &[u8], message: Bytes) -> Result<CommitAnswer, MalformedAnswer> {
    let answer = TxnResponse::decode(message).map_err(|_| MalformedAnswer)?;
    let header = answer.header.ok_or(MalformedAnswer)?;
    commit_answer(key, &header, answer)
}

/// The call that reads these keys, linearizably, all at one revision.
#[must_use]
pub fn read_all(keys: &[Bytes]) -> (Method, Bytes) {
    if let [key] = keys {
        return (Method::Range, range_of_one(key).encode_to_vec().into());
    }
    let read = |key: &Bytes| RequestOp {
        request: Some(request_op::Request::RequestRange(range_of_one(key))),
    };
    (Method::Txn, transaction(keys.iter().map(read)))
}

/// Reads the answer to [`read_all`]: what stands under each key, in their order.
///
/// # Errors
/// [`MalformedAnswer`] when the answer does not fit the request as a whole.
pub fn read_found(
    keys: &[Bytes],
    message: Bytes,
) -> Result<Vec<Result<Found, MalformedAnswer>>, MalformedAnswer> {
    if let [key] = keys {
        return Ok(vec![read_document(key, message)]);
    }
    let answer = TxnResponse::decode(message).map_err(|_| MalformedAnswer)?;
    let header = answer.header.ok_or(MalformedAnswer)?;
    if answer.responses.len() != keys.len() {
        return Err(MalformedAnswer);
    }
    let parts = answer.responses.into_iter().zip(keys);
    Ok(parts
        .map(|(op, key)| found(key, &header, op.response))
        .collect())
}

fn found(
    key: &[u8],
    header: &ResponseHeader,
    response: Option<response_op::Response>,
) -> Result<Found, MalformedAnswer> {
    let Some(response_op::Response::ResponseRange(range)) = response else {
        return Err(MalformedAnswer);
    };
    Ok(Found {
        document: only_document(key, range.kvs, range.more)?,
        store: StoreId(header.cluster_id),
        revision: header.revision,
    })
}

fn transaction(operations: impl Iterator<Item = RequestOp>) -> Bytes {
    TxnRequest {
        compare: Vec::new(),
        success: operations.collect(),
        failure: Vec::new(),
    }
    .encode_to_vec()
    .into()
}

#[cfg(test)]
mod tests {
    use etcd_wire::{KeyValue, PutResponse, RangeResponse, ResponseOp};

    use super::*;

    fn header() -> Option<ResponseHeader> {
        Some(ResponseHeader {
            cluster_id: 5,
            revision: 9,
            ..ResponseHeader::default()
        })
    }

    fn answer(responses: Vec<Option<response_op::Response>>) -> Bytes {
        let responses = responses
            .into_iter()
            .map(|response| ResponseOp { response });
        TxnResponse {
            header: header(),
            succeeded: true,
            responses: responses.collect(),
        }
        .encode_to_vec()
        .into()
    }

    fn part(succeeded: bool, response: response_op::Response) -> Option<response_op::Response> {
        Some(response_op::Response::ResponseTxn(TxnResponse {
            header: None,
            succeeded,
            responses: vec![ResponseOp {
                response: Some(response),
            }],
        }))
    }

    fn range(kvs: Vec<KeyValue>) -> response_op::Response {
        response_op::Response::ResponseRange(RangeResponse {
            kvs,
            ..RangeResponse::default()
        })
    }

    fn document(key: &'static str) -> KeyValue {
        KeyValue {
            key: Bytes::from_static(key.as_bytes()),
            value: Bytes::from_static(b"v"),
            mod_revision: 7,
            ..KeyValue::default()
        }
    }

    fn commits() -> [Commit; 2] {
        ["a", "b"].map(|key| Commit::new(key.as_bytes(), 3, Bytes::from_static(b"value")))
    }

    #[test]
    fn a_batch_of_one_is_the_request_itself() {
        let [commit, _] = commits();
        let (method, message) = commit_all(std::slice::from_ref(&commit));
        assert_eq!((method, message), (Method::Txn, commit.message()));
        let (method, message) = read_all(&[Bytes::from_static(b"a")]);
        assert_eq!(method, Method::Range);
        assert_eq!(message, range_of_one(b"a").encode_to_vec());
    }

    #[test]
    fn each_part_of_a_batch_is_the_request_that_could_be_made_alone() {
        let commits = commits();
        let (method, message) = commit_all(&commits);
        assert_eq!(method, Method::Txn);
        let outer = TxnRequest::decode(message).expect("a transaction");
        assert!(outer.compare.is_empty() && outer.failure.is_empty());
        for (op, commit) in outer.success.into_iter().zip(&commits) {
            let Some(request_op::Request::RequestTxn(part)) = op.request else {
                panic!("no nested transaction");
            };
            assert_eq!(part.encode_to_vec(), commit.message());
        }
    }

    #[test]
    fn each_commit_of_a_batch_has_its_own_end() {
        let put = response_op::Response::ResponsePut(PutResponse::default());
        let message = answer(vec![
            part(true, put.clone()),
            part(false, range(vec![document("b")])),
        ]);
        let store = StoreId(5);
        let read = read_commits(&commits(), message).expect("a fitting answer");
        assert_eq!(read[0], Ok(CommitAnswer::Applied { revision: 9, store }));
        let Ok(CommitAnswer::Conflict(found)) = &read[1] else {
            panic!("{read:?}");
        };
        assert_eq!(found.document, Some(document("b").into()));
        // One part that makes no sense takes nothing from the other.
        for nonsense in [
            None,
            Some(put.clone()),
            part(true, range(vec![])),
            part(false, put.clone()),
            part(false, range(vec![document("a")])),
        ] {
            let message = answer(vec![part(true, put.clone()), nonsense]);
            let read = read_commits(&commits(), message).expect("a fitting answer");
            assert!(read[0].is_ok());
            assert_eq!(read[1], Err(MalformedAnswer));
        }
    }

    #[test]
    fn each_read_of_a_batch_has_its_own_answer() {
        let keys = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let message = answer(vec![Some(range(vec![document("a")])), Some(range(vec![]))]);
        let read = read_found(&keys, message).expect("a fitting answer");
        let found = |document| {
            Ok(Found {
                document,
                store: StoreId(5),
                revision: 9,
            })
        };
        assert_eq!(read, [found(Some(document("a").into())), found(None)]);
        let message = answer(vec![Some(range(vec![document("b")])), Some(range(vec![]))]);
        let read = read_found(&keys, message).expect("a fitting answer");
        assert_eq!(read, [Err(MalformedAnswer), found(None)]);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_none_for_anybody() {
        let keys = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let put = response_op::Response::ResponsePut(PutResponse::default());
        for message in [
            Bytes::new(),
            Bytes::from_static(b"\xff"),
            answer(vec![part(true, put.clone())]),
            answer(vec![part(true, put.clone()); 3]),
        ] {
            assert_eq!(
                read_commits(&commits(), message.clone()),
                Err(MalformedAnswer)
            );
            assert_eq!(read_found(&keys, message), Err(MalformedAnswer));
        }
    }
}
