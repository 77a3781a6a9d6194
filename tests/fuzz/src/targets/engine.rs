//! What an engine answers, or whatever sits in its place: taken only as far as it fits what was asked.
//!
//! The first byte chooses what was asked; the rest is the message. What is taken says what prost sees in the message, is
//! about the keys that were asked for, and is the same when the message is written anew.

use bytes::Bytes;
use etcd_wire::{
    Event, KeyValue, PutResponse, RangeResponse, ResponseHeader, ResponseOp, TxnResponse,
    WatchResponse, response_op::Response,
};
use gateway::engine::{
    Commit, CommitAnswer, Removed, Watched, read_commits, read_documents, read_found, read_page,
    read_removal, read_watched,
};
use prost::Message;

use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "engine",
    about: "an engine's answers (range, txn, watch): about the keys that were asked for, as prost sees them, the same written anew",
    max_len: 4096,
    dictionary: "engine",
    seeds,
    run,
};

/// Keys that were asked for.
const KEYS: [&[u8]; 2] = [b"/k/1", b"/k/2"];

fn run(input: &[u8]) -> Seen {
    let Some((choice, message)) = input.split_first() else {
        return Seen::Refused;
    };
    let message = Bytes::copy_from_slice(message);
    match choice % 6 {
        0 => page(&message),
        1 => documents(&message),
        2 => found(&message),
        3 => commits(&message),
        4 => removal(&message),
        _ => watched(&message),
    }
}

fn read<T>(message: &Bytes, call: impl FnOnce(Bytes) -> T) -> T {
    bounded("answer", message.len(), 1_000, || call(message.clone()))
}

/// The message as prost sees it, and written anew.
fn view<M: Message + Default>(message: &Bytes) -> (M, Bytes) {
    let view = M::decode(message.clone()).expect("a message, since it was taken");
    let again = view.encode_to_vec().into();
    (view, again)
}

fn page(message: &Bytes) -> Seen {
    let Ok(page) = read(message, read_page) else {
        return Seen::Refused;
    };
    let (view, again) = view::<RangeResponse>(message);
    assert!(
        !page.more || !page.documents.is_empty(),
        "more behind nothing"
    );
    assert_eq!(page.documents.len(), view.kvs.len());
    for (document, kv) in page.documents.iter().zip(&view.kvs) {
        assert_eq!((&document.key, &document.value), (&kv.key, &kv.value));
        assert_eq!(document.revision, kv.mod_revision);
    }
    assert_eq!(
        Some(page.revision),
        view.header.as_ref().map(|it| it.revision)
    );
    assert_eq!(read_page(again), Ok(page));
    Seen::Accepted
}

fn documents(message: &Bytes) -> Seen {
    let Ok(read) = read(message, read_documents) else {
        return Seen::Refused;
    };
    let (view, again) = view::<TxnResponse>(message);
    let ranges = view.responses.iter().map(|op| match &op.response {
        Some(Response::ResponseRange(range)) => range.kvs.len(),
        other => panic!("{other:?} is no range"),
    });
    assert_eq!(read.1.len(), ranges.sum::<usize>());
    assert_eq!(read_documents(again), Ok(read));
    Seen::Accepted
}

fn found(message: &Bytes) -> Seen {
    let mut seen = Seen::Refused;
    for count in 1..=KEYS.len() {
        let keys: Vec<Bytes> = KEYS[..count]
            .iter()
            .map(|&key| Bytes::from_static(key))
            .collect();
        let Ok(all) = read(message, |message| read_found(&keys, message)) else {
            continue;
        };
        assert_eq!(all.len(), count, "one for each");
        for (key, found) in keys.iter().zip(&all) {
            let Ok(found) = found else {
                continue;
            };
            seen = Seen::Accepted;
            assert!(
                found.document.as_ref().is_none_or(|it| it.key == key),
                "another key's"
            );
        }
        if count > 1 {
            let (_, again) = view::<TxnResponse>(message);
            assert_eq!(read_found(&keys, again), Ok(all));
        }
    }
    seen
}

fn commits(message: &Bytes) -> Seen {
    let mut seen = Seen::Refused;
    let value = Bytes::from_static(b"v");
    for count in 1..=KEYS.len() {
        let of = |key: &&[u8]| Commit::new(key, 5, value.clone());
        let asked: Vec<Commit> = KEYS[..count].iter().map(of).collect();
        let Ok(all) = read(message, |message| read_commits(&asked, message)) else {
            continue;
        };
        assert_eq!(all.len(), count, "one for each");
        for (place, answer) in all.iter().enumerate() {
            let Ok(answer) = answer else {
                continue;
            };
            seen = Seen::Accepted;
            let (view, _) = view::<TxnResponse>(message);
            let part = match (count, view.responses.get(place).map(|op| &op.response)) {
                (1, _) => view.clone(),
                (_, Some(Some(Response::ResponseTxn(part)))) => part.clone(),
                (_, other) => panic!("{other:?} answers no commit"),
            };
            // Done only where the engine says so, and put.
            let first = part.responses.first().and_then(|op| op.response.as_ref());
            match answer {
                CommitAnswer::Applied { .. } => {
                    assert!(part.succeeded && matches!(first, Some(Response::ResponsePut(_))));
                }
                CommitAnswer::Conflict(found) => {
                    assert!(!part.succeeded, "done and not done");
                    let key = found.document.as_ref().map_or(KEYS[place], |it| &it.key);
                    assert_eq!(key, KEYS[place], "another key's");
                }
            }
        }
        if all.iter().any(Result::is_ok) {
            let (_, again) = view::<TxnResponse>(message);
            assert_eq!(read_commits(&asked, again), Ok(all));
        }
    }
    seen
}

fn removal(message: &Bytes) -> Seen {
    let Ok(removed) = read(message, read_removal) else {
        return Seen::Refused;
    };
    let (view, again) = view::<TxnResponse>(message);
    assert_eq!(matches!(removed, Removed::Keys(_)), view.succeeded);
    assert_eq!(read_removal(again), Ok(removed));
    Seen::Accepted
}

fn watched(message: &Bytes) -> Seen {
    let Ok(watched) = read(message, read_watched) else {
        return Seen::Refused;
    };
    let (view, again) = view::<WatchResponse>(message);
    match &watched {
        Watched::Created { .. } => assert!(view.created && !view.canceled),
        Watched::Canceled { .. } => assert!(view.canceled),
        Watched::Events { events, .. } => {
            assert_eq!(events.len(), view.events.len(), "nothing is left out");
            let mut last = 0;
            for (_, change) in events {
                assert!(
                    change.revision > 0 && change.revision >= last,
                    "out of order"
                );
                last = change.revision;
            }
        }
    }
    assert_eq!(read_watched(again), Ok(watched));
    Seen::Accepted
}

fn header() -> Option<ResponseHeader> {
    Some(ResponseHeader {
        cluster_id: 7,
        revision: 12,
        ..ResponseHeader::default()
    })
}

fn range(keys: &[&'static [u8]], more: bool) -> RangeResponse {
    let kv = |&key: &&'static [u8]| KeyValue {
        key: Bytes::from_static(key),
        mod_revision: 5,
        value: Bytes::from_static(b"document"),
        ..KeyValue::default()
    };
    RangeResponse {
        header: header(),
        kvs: keys.iter().map(kv).collect(),
        more,
        count: 9,
    }
}

fn txn(succeeded: bool, responses: Vec<Response>) -> TxnResponse {
    let op = |response| ResponseOp {
        response: Some(response),
    };
    TxnResponse {
        header: header(),
        succeeded,
        responses: responses.into_iter().map(op).collect(),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let with = |choice: u8, message: Vec<u8>| [&[choice], &message[..]].concat();
    let one = range(&KEYS[..1], false);
    let ranges = vec![
        Response::ResponseRange(one.clone()),
        Response::ResponseRange(range(&KEYS[1..], false)),
    ];
    let put = || Response::ResponsePut(PutResponse::default());
    let conflict = txn(false, vec![Response::ResponseRange(one.clone())]);
    let event = |revision, kind| Event {
        r#type: kind,
        kv: Some(KeyValue {
            key: Bytes::from_static(KEYS[0]),
            mod_revision: revision,
            ..KeyValue::default()
        }),
        ..Event::default()
    };
    let watch = |created, canceled, events| WatchResponse {
        header: header(),
        created,
        canceled,
        events,
        ..WatchResponse::default()
    };
    let nested = vec![
        Response::ResponseTxn(txn(true, vec![put()])),
        Response::ResponseTxn(txn(
            false,
            vec![Response::ResponseRange(range(&KEYS[1..], false))],
        )),
    ];
    let deleted = Response::ResponseDeleteRange(etcd_wire::DeleteRangeResponse {
        header: header(),
        deleted: 3,
        ..etcd_wire::DeleteRangeResponse::default()
    });
    vec![
        with(0, range(&KEYS, true).encode_to_vec()),
        with(0, range(&[], false).encode_to_vec()),
        with(0, range(&[], true).encode_to_vec()),
        with(1, txn(true, ranges.clone()).encode_to_vec()),
        with(2, one.encode_to_vec()),
        with(2, txn(true, ranges).encode_to_vec()),
        with(3, txn(true, vec![put()]).encode_to_vec()),
        with(3, conflict.encode_to_vec()),
        with(3, txn(true, nested).encode_to_vec()),
        with(4, txn(true, vec![deleted]).encode_to_vec()),
        with(4, txn(false, Vec::new()).encode_to_vec()),
        with(5, watch(true, false, Vec::new()).encode_to_vec()),
        with(5, watch(false, true, Vec::new()).encode_to_vec()),
        with(
            5,
            watch(false, false, vec![event(3, 0), event(4, 1)]).encode_to_vec(),
        ),
        with(
            5,
            watch(false, false, vec![event(4, 0), event(3, 0)]).encode_to_vec(),
        ),
    ]
}
