//! Removing keys, on condition that a document still stands as it was read.
//!
//! The one exception from the rule that the only write is a compare-and-put; what may be removed, and why, is decided in
//! `sweep`. The compare is of one key and the removal may be of others: it spares work that is out of date, and no
//! argument rests on both happening at one moment.

use bytes::Bytes;
use etcd_wire::{
    Compare, DeleteRangeRequest, RequestOp, TxnRequest, TxnResponse, compare, request_op,
    response_op,
};
use prost::Message;

use super::messages::MalformedAnswer;

/// What a removal came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It was made, and so many keys are gone.
    Keys(i64),
    /// The document stands otherwise by now; nothing was removed.
    Changed,
}

/// Removes the document under `key` if its revision is `base`, which is not 0.
#[must_use]
pub fn remove_document(key: &[u8], base: i64) -> Bytes {
    removal(key, base, key, &[])
}

/// Removes all keys from `start` to `end` (not included, not empty), if the revision of the document under `key` is
/// `base`, which is not 0.
#[must_use]
pub fn remove_range(key: &[u8], base: i64, start: &[u8], end: &[u8]) -> Bytes {
    removal(key, base, start, end)
}

fn removal(key: &[u8], base: i64, start: &[u8], end: &[u8]) -> Bytes {
    TxnRequest {
        compare: vec![Compare {
            result: compare::CompareResult::Equal.into(),
            target: compare::CompareTarget::Mod.into(),
            key: Bytes::copy_from_slice(key),
            target_union: Some(compare::TargetUnion::ModRevision(base)),
            ..Compare::default()
        }],
        success: vec![RequestOp {
            request: Some(request_op::Request::RequestDeleteRange(
                DeleteRangeRequest {
                    key: Bytes::copy_from_slice(start),
                    range_end: Bytes::copy_from_slice(end),
                    prev_kv: false,
                },
            )),
        }],
        failure: Vec::new(),
    }
    .encode_to_vec()
    .into()
}

/// Reads the answer to a removal.
///
/// # Errors
/// [`MalformedAnswer`]
pub fn read_removal(message: Bytes) -> Result<Removed, MalformedAnswer> {
    let answer = TxnResponse::decode(message).map_err(|_| MalformedAnswer)?;
    answer.header.ok_or(MalformedAnswer)?;
    let mut responses = answer.responses.into_iter().map(|op| op.response);
    match (answer.succeeded, responses.next(), responses.next()) {
        (true, Some(Some(response_op::Response::ResponseDeleteRange(range))), None) => {
            Ok(Removed::Keys(range.deleted))
        }
        (false, None, None) => Ok(Removed::Changed),
        _ => Err(MalformedAnswer),
    }
}

#[cfg(test)]
mod tests {
    use etcd_wire::{DeleteRangeResponse, PutResponse, ResponseHeader, ResponseOp};

    use super::*;
    use crate::engine::Method;
    use crate::test_support::engine::Engine;

    fn do_it(engine: &mut Engine, message: &Bytes) -> Result<Removed, MalformedAnswer> {
        read_removal(engine.execute(Method::Txn, message).expect("an answer"))
    }

    #[test]
    fn only_what_still_stands_as_it_was_read_is_removed() {
        let mut engine = Engine::default();
        for key in ["/d", "/h/1", "/h/2", "/h0"] {
            engine.put(key.as_bytes(), b"v");
        }
        let segments = remove_range(b"/d", 1, b"/h/", b"/h0");
        let changed = remove_range(b"/d", 2, b"/h/", b"/h0");
        assert_eq!(do_it(&mut engine, &changed), Ok(Removed::Changed));
        assert_eq!(do_it(&mut engine, &segments), Ok(Removed::Keys(2)));
        assert_eq!(do_it(&mut engine, &segments), Ok(Removed::Keys(0)));
        assert_eq!(engine.keys_below(b"/h").len(), 1);
        let changed = remove_document(b"/d", 4);
        assert_eq!(do_it(&mut engine, &changed), Ok(Removed::Changed));
        let document = remove_document(b"/d", 1);
        assert_eq!(do_it(&mut engine, &document), Ok(Removed::Keys(1)));
        assert_eq!(engine.get(b"/d"), None);
        // A copy that comes late finds nothing, or the next document.
        assert_eq!(do_it(&mut engine, &document), Ok(Removed::Changed));
        engine.put(b"/d", b"w");
        assert_eq!(do_it(&mut engine, &document), Ok(Removed::Changed));
    }

    #[test]
    fn what_is_no_answer_is_malformed() {
        let answer = |header, succeeded, responses: Vec<Option<response_op::Response>>| {
            let responses = responses.into_iter();
            let message = TxnResponse {
                header,
                succeeded,
                responses: responses.map(|response| ResponseOp { response }).collect(),
            };
            read_removal(message.encode_to_vec().into())
        };
        let header = Some(ResponseHeader::default());
        let deleted = DeleteRangeResponse::default();
        let deleted = Some(response_op::Response::ResponseDeleteRange(deleted));
        let put = Some(response_op::Response::ResponsePut(PutResponse::default()));
        for refused in [
            answer(None, true, vec![deleted.clone()]),
            answer(header, true, vec![]),
            answer(header, true, vec![None]),
            answer(header, true, vec![put]),
            answer(header, true, vec![deleted.clone(), deleted.clone()]),
            answer(header, false, vec![deleted]),
            read_removal(Bytes::from_static(b"\xff")),
        ] {
            assert_eq!(refused, Err(MalformedAnswer));
        }
    }
}
