//! The requests that the gateway writes and the answers that it reads.
//!
//! The only write is a one-key compare-and-put whose failure branch hands back the document that stood in the way; what is
//! removed of deleted accounts is in `removal`.

use bytes::Bytes;
use etcd_wire::{
    KeyValue, RangeRequest, RangeResponse, RequestOp, ResponseHeader, TxnRequest, TxnResponse,
    request_op, response_op,
};
use prost::Message;

/// One key's newest value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// The revision of its last change: what a commit compares with.
    pub revision: i64,
}

impl From<KeyValue> for Document {
    fn from(kv: KeyValue) -> Self {
        Self {
            key: kv.key,
            value: kv.value,
            revision: kv.mod_revision,
        }
    }
}

/// Which store answered: an engine's data from its creation on. Another store behind the same name has another one, and
/// its revisions mean something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreId(pub u64);

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Nothing, or the newest document.
    pub document: Option<Document>,
    /// The store that was asked.
    pub store: StoreId,
    /// The store's revision at which this stood there.
    pub revision: i64,
}

/// One page of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangePage {
    /// The documents, by key ascending.
    pub documents: Vec<Document>,
    /// Whether the range goes on behind the last one.
    pub more: bool,
    /// How many documents the whole range holds from its start on, as the store says.
    pub count: i64,
    /// The store's revision: what the rest of a listing is pinned to.
    pub revision: i64,
    /// The store that was asked.
    pub store: StoreId,
}

/// What a commit came to, as far as the engine answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitAnswer {
    /// The put was made, at this revision.
    Applied {
        /// The document's new revision.
        revision: i64,
        /// The store that made it.
        store: StoreId,
    },
    /// The compare failed; this is what stands under the key now.
    Conflict(Found),
}

/// An answer with status 0 that does not fit its request. It counts as an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedAnswer;

/// Reads the answer to a read of `key` alone.
///
/// # Errors
/// [`MalformedAnswer`]
pub(super) fn read_document(key: &[u8], message: Bytes) -> Result<Found, MalformedAnswer> {
    let answer = RangeResponse::decode(message).map_err(|_| MalformedAnswer)?;
    // No bytes are a message too; only the header, which every answer has, tells them from "there is no such key".
    let header = answer.header.ok_or(MalformedAnswer)?;
    Ok(Found {
        document: only_document(key, answer.kvs, answer.more)?,
        store: StoreId(header.cluster_id),
        revision: header.revision,
    })
}

/// The answer about one key: nothing, or that key's document and no other's.
pub(super) fn only_document(
    key: &[u8],
    kvs: Vec<KeyValue>,
    more: bool,
) -> Result<Option<Document>, MalformedAnswer> {
    let mut kvs = kvs.into_iter();
    match (kvs.next(), kvs.next(), more) {
        (None, None, false) => Ok(None),
        (Some(kv), None, false) if kv.key == key => Ok(Some(kv.into())),
        _ => Err(MalformedAnswer),
    }
}

/// Reads several keys as the store was at `revision`, in one call.
#[must_use]
pub fn read_several<'a>(keys: impl IntoIterator<Item = &'a [u8]>, revision: i64) -> Bytes {
    let read = |key| RequestOp {
        request: Some(request_op::Request::RequestRange(RangeRequest {
            revision,
            ..range_of_one(key)
        })),
    };
    TxnRequest {
        compare: Vec::new(),
        success: keys.into_iter().map(read).collect(),
        failure: Vec::new(),
    }
    .encode_to_vec()
    .into()
}

/// Reads the answer to [`read_several`]: the store that was asked, and the documents that there are, in the order of the
/// keys.
///
/// # Errors
/// [`MalformedAnswer`]
pub fn read_documents(message: Bytes) -> Result<(StoreId, Vec<Document>), MalformedAnswer> {
    let answer = TxnResponse::decode(message).map_err(|_| MalformedAnswer)?;
    let header = answer.header.ok_or(MalformedAnswer)?;
    let mut documents = Vec::new();
    for op in answer.responses {
        let Some(response_op::Response::ResponseRange(range)) = op.response else {
            return Err(MalformedAnswer);
        };
        documents.extend(range.kvs.into_iter().map(Document::from));
    }
    Ok((StoreId(header.cluster_id), documents))
}

/// A page of the range from `start` to `end` (not included): at most `limit` documents, as the store was at `revision`
/// (0: now, linearizable).
#[must_use]
pub fn read_range(start: &[u8], end: &[u8], limit: i64, revision: i64) -> Bytes {
    RangeRequest {
        key: Bytes::copy_from_slice(start),
        range_end: Bytes::copy_from_slice(end),
        limit,
        revision,
        ..RangeRequest::default()
    }
    .encode_to_vec()
    .into()
}

/// As [`read_range`], without the values.
#[must_use]
pub fn read_keys(start: &[u8], end: &[u8], limit: i64, revision: i64) -> Bytes {
    RangeRequest {
        key: Bytes::copy_from_slice(start),
        range_end: Bytes::copy_from_slice(end),
        limit,
        revision,
        keys_only: true,
        ..RangeRequest::default()
    }
    .encode_to_vec()
    .into()
}

/// Reads the answer to [`read_range`] or [`read_keys`].
///
/// # Errors
/// [`MalformedAnswer`]
pub fn read_page(message: Bytes) -> Result<RangePage, MalformedAnswer> {
    let answer = RangeResponse::decode(message).map_err(|_| MalformedAnswer)?;
    let header = answer.header.ok_or(MalformedAnswer)?;
    if answer.more && answer.kvs.is_empty() {
        // Taken as the end, it would cut a list off.
        return Err(MalformedAnswer);
    }
    Ok(RangePage {
        documents: answer.kvs.into_iter().map(Document::from).collect(),
        more: answer.more,
        count: answer.count,
        revision: header.revision,
        store: StoreId(header.cluster_id),
    })
}

/// What became of the compare-and-put of `key` that the answer with this header holds.
///
/// # Errors
/// [`MalformedAnswer`]
pub(super) fn commit_answer(
    key: &[u8],
    header: &ResponseHeader,
    answer: TxnResponse,
) -> Result<CommitAnswer, MalformedAnswer> {
    let store = StoreId(header.cluster_id);
    let response = answer
        .responses
        .into_iter()
        .next()
        .and_then(|op| op.response);
    match (answer.succeeded, response) {
        (true, Some(response_op::Response::ResponsePut(_))) => Ok(CommitAnswer::Applied {
            revision: header.revision,
            store,
        }),
        (false, Some(response_op::Response::ResponseRange(range))) => {
            Ok(CommitAnswer::Conflict(Found {
                document: only_document(key, range.kvs, range.more)?,
                store,
                revision: header.revision,
            }))
        }
        _ => Err(MalformedAnswer),
    }
}

pub(super) fn range_of_one(key: &[u8]) -> RangeRequest {
    RangeRequest {
        key: Bytes::copy_from_slice(key),
        ..RangeRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcd_wire::{PutResponse, ResponseOp};

    fn read_commit(
        key: &[u8],
        succeeded: bool,
        response: Option<response_op::Response>,
    ) -> Result<CommitAnswer, MalformedAnswer> {
        let header = ResponseHeader {
            cluster_id: 5,
            revision: 9,
            ..ResponseHeader::default()
        };
        let answer = TxnResponse {
            header: None,
            succeeded,
            responses: vec![ResponseOp { response }],
        };
        commit_answer(key, &header, answer)
    }

    #[test]
    fn a_commit_is_applied_or_hands_back_what_stood_in_the_way() {
        let put = response_op::Response::ResponsePut(PutResponse::default());
        assert_eq!(
            read_commit(b"k", true, Some(put.clone())),
            Ok(CommitAnswer::Applied {
                revision: 9,
                store: StoreId(5)
            })
        );
        let range = |kvs| {
            response_op::Response::ResponseRange(RangeResponse {
                kvs,
                ..RangeResponse::default()
            })
        };
        assert_eq!(
            read_commit(b"k", false, Some(range(vec![]))),
            Ok(CommitAnswer::Conflict(Found {
                document: None,
                store: StoreId(5),
                revision: 9,
            }))
        );
        let kv = KeyValue {
            key: Bytes::from_static(b"k"),
            value: Bytes::from_static(b"v"),
            mod_revision: 7,
            ..KeyValue::default()
        };
        assert_eq!(
            read_commit(b"k", false, Some(range(vec![kv.clone()]))),
            Ok(CommitAnswer::Conflict(Found {
                document: Some(kv.clone().into()),
                store: StoreId(5),
                revision: 9,
            }))
        );
        // Anything else is no outcome at all.
        for (succeeded, response) in [
            (true, Some(range(vec![]))),
            // Another key's document, or two of them.
            (
                false,
                Some(range(vec![KeyValue {
                    key: Bytes::from_static(b"l"),
                    ..kv.clone()
                }])),
            ),
            (false, Some(range(vec![kv.clone(), kv.clone()]))),
            (false, Some(put)),
            (true, None),
        ] {
            assert_eq!(read_commit(b"k", succeeded, response), Err(MalformedAnswer));
        }
    }
}
