//! Running the operations of a transaction along the path that was decided for it.
//!
//! Each operation sees what the ones before it wrote; all of them share one revision.

use etcd_wire::request_op::Request;
use etcd_wire::response_op::Response;
use etcd_wire::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
    ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
};
use redb::ReadableTable;

use super::path::Path;
use super::range::range;
use crate::limits::MAX_ANSWER_BYTES;
use crate::refusal::{Fault, Refusal};
use crate::store::{FormerKey, Keys, Progress, Scan, View, Writing};

/// Runs `request`. On an error the caller must drop what the transaction wrote.
pub fn apply(
    request: &TxnRequest,
    path: &Path,
    writing: &mut Writing<'_, '_>,
) -> Result<TxnResponse, Fault> {
    let mut bytes = 0;
    run(request, path, &mut |operation| match operation {
        Request::RequestRange(range) => {
            let response = inner_range(range, writing)?;
            count(&mut bytes, &response)?;
            Ok(Response::ResponseRange(response))
        }
        Request::RequestPut(request) => put(request, writing).map(Response::ResponsePut),
        Request::RequestDeleteRange(request) => {
            delete(request, writing).map(Response::ResponseDeleteRange)
        }
        Request::RequestTxn(_) => Err(Refusal::KeyNotFound.into()),
    })
}

/// Answers a transaction that can only read.
pub fn answer<C, F>(
    request: &TxnRequest,
    view: &View<'_, C, F>,
    progress: Progress,
) -> Result<TxnResponse, Fault>
where
    C: ReadableTable<&'static [u8], &'static [u8]>,
    F: ReadableTable<FormerKey, &'static [u8]>,
{
    let path = Path::decide(request, view, progress)?;
    let mut bytes = 0;
    let mut response = run(request, &path, &mut |operation| match operation {
        Request::RequestRange(request) => {
            let response = range(request, view, progress)?;
            count(&mut bytes, &response)?;
            Ok(Response::ResponseRange(response))
        }
        // `is_read_only` lets nothing else through.
        _ => Err(Refusal::KeyNotFound.into()),
    })?;
    response.header = header(progress.revision);
    Ok(response)
}

/// Walks along `path`; `operate` does what is not a nested transaction.
fn run(
    request: &TxnRequest,
    path: &Path,
    operate: &mut dyn FnMut(&Request) -> Result<Response, Fault>,
) -> Result<TxnResponse, Fault> {
    let operations = path.operations(request);
    let mut nested_paths = path.nested.iter();
    let mut responses = Vec::with_capacity(operations.len());
    for operation in operations {
        let response = match &operation.request {
            Some(Request::RequestTxn(nested)) => match nested_paths.next() {
                Some(path) => Some(Response::ResponseTxn(run(nested, path, operate)?)),
                None => None,
            },
            Some(other) => Some(operate(other)?),
            None => None,
        };
        responses.push(ResponseOp { response });
    }
    Ok(TxnResponse {
        // Nested answers carry an empty header; the outermost one is filled by the caller.
        header: header(0),
        succeeded: path.succeeded,
        responses,
    })
}

fn inner_range(request: &RangeRequest, writing: &Writing<'_, '_>) -> Result<RangeResponse, Fault> {
    let progress = Progress {
        revision: writing.revision(),
        ..writing.before()
    };
    range(request, &writing.view(), progress)
}

fn put(request: &PutRequest, writing: &mut Writing<'_, '_>) -> Result<PutResponse, Fault> {
    let former = if request.prev_kv || request.ignore_value {
        writing
            .view()
            .newest(&request.key, |version| version.message(&request.key, false))?
    } else {
        None
    };
    let revision = match &former {
        Some(former) if request.ignore_value => writing.put(&request.key, &former.value)?,
        // The key was there when the path was decided; a sibling has removed it since.
        None if request.ignore_value => return Err(Refusal::KeyNotFound.into()),
        _ => writing.put(&request.key, &request.value)?,
    };
    Ok(PutResponse {
        header: header(revision),
        prev_kv: former.filter(|_| request.prev_kv),
    })
}

fn delete(
    request: &DeleteRangeRequest,
    writing: &mut Writing<'_, '_>,
) -> Result<DeleteRangeResponse, Fault> {
    let mut doomed = Vec::new();
    let mut bytes = 0;
    let keys = Keys::new(&request.key, &request.range_end);
    writing.view().scan_newest(&keys, |key, version| {
        let kv = version.message(key, !request.prev_kv);
        bytes += kv.key.len() + kv.value.len();
        doomed.push(kv);
        if bytes > MAX_ANSWER_BYTES {
            Scan::Stop
        } else {
            Scan::Continue
        }
    })?;
    if bytes > MAX_ANSWER_BYTES {
        return Err(Refusal::AnswerTooLarge.into());
    }
    for kv in &doomed {
        writing.delete(&kv.key)?;
    }
    Ok(DeleteRangeResponse {
        header: header(writing.revision()),
        deleted: i64::try_from(doomed.len()).unwrap_or(i64::MAX),
        prev_kvs: if request.prev_kv { doomed } else { Vec::new() },
    })
}

fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader {
        revision,
        ..Default::default()
    })
}

/// Adds a part of an answer to the size of the whole, which is bounded.
fn count(bytes: &mut usize, part: &RangeResponse) -> Result<(), Refusal> {
    for kv in &part.kvs {
        *bytes += kv.key.len() + kv.value.len();
    }
    if *bytes > MAX_ANSWER_BYTES {
        return Err(Refusal::AnswerTooLarge);
    }
    Ok(())
}
