//! The input of a request, and the engine that it plays.
//!
//! A part's first byte says what it is. For the next call about an account: `D` the rest stands as document under the key that
//! was asked for, a commit finds it instead of what it expected; `N` nothing stands there; `A` a commit is applied; `R` the
//! rest is the message; `U` no answer. Besides: `P` the rest stands in shared data under every key; `L` the rest is the answer
//! to the reading of the deny-list; `W` the rest comes on the watch. What is not said is not answered.

use std::collections::VecDeque;
use std::sync::LazyLock;

use bytes::Bytes;
use etcd_wire::{
    DeleteRangeResponse, KeyValue, PutResponse, RangeRequest, RangeResponse, RequestOp,
    ResponseHeader, ResponseOp, TxnRequest, TxnResponse, request_op::Request,
    response_op::Response,
};
use gateway::api::route::Target;
use gateway::engine::{Answer, Call, Method};
use prost::Message as _;

use crate::accounts::{documents, key};

const CUT: &[u8] = b"\n--\n";
const ACCOUNTS: &[u8] = b"/points/1/account/";
const HISTORIES: &[u8] = b"/points/1/history/";
const REVOKED: &[u8] = b"/points/1/revoked/";
/// What the keys of the token's tenant have behind the root.
const TENANT: &[u8] = b"acme/";
/// An account that a listing finds.
static LISTED: LazyLock<Bytes> = LazyLock::new(|| key("acme", "c").into());

/// One input, read.
pub(super) struct Script {
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) planted: Option<Vec<u8>>,
    /// Whether a genuine token was sent.
    pub(super) has_token: bool,
    pub(super) is_ours: bool,
    pub(super) is_write: bool,
    /// Whether an account was asked for.
    pub(super) touched: bool,
    /// Whether a call about an account had an answer.
    pub(super) answered: bool,
    answers: VecDeque<Vec<u8>>,
    denied: Option<Vec<u8>>,
    watched: Vec<Vec<u8>>,
}

impl Script {
    pub(super) fn read(input: &[u8], token: &str) -> Option<Self> {
        let mut parts = cut(input).into_iter();
        let head = parts.next()?;
        let mut lines = head.split(|&byte| byte == b'\n');
        let first = lines.next()?;
        let space = first.iter().position(|&byte| byte == b' ')?;
        let (method, path) = (&first[..space], &first[space + 1..]);
        let mut script = Self {
            headers: vec![
                (b":method".to_vec(), method.to_vec()),
                (b":path".to_vec(), path.to_vec()),
            ],
            body: parts.next().map(<[u8]>::to_vec),
            planted: None,
            has_token: false,
            is_ours: Target::of(path).is_some(),
            is_write: method != b"GET",
            touched: false,
            answered: false,
            answers: VecDeque::new(),
            denied: None,
            watched: Vec::new(),
        };
        for line in lines {
            let colon = line.windows(2).position(|it| it == b": ")?;
            let (name, value) = (&line[..colon], &line[colon + 2..]);
            let genuine = value == b"Bearer @";
            script.has_token |= genuine;
            let value = match genuine {
                true => format!("Bearer {token}").into_bytes(),
                false => value.to_vec(),
            };
            script.headers.push((name.to_vec(), value));
        }
        for part in parts {
            match part.split_first() {
                Some((b'P', rest)) => script.planted = Some(rest.to_vec()),
                Some((b'L', rest)) => script.denied = Some(rest.to_vec()),
                Some((b'W', rest)) => script.watched.push(rest.to_vec()),
                _ => script.answers.push_back(part.to_vec()),
            }
        }
        Some(script)
    }

    /// What comes on the watch that is opened first.
    pub(super) fn watched(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.watched)
            .into_iter()
            .map(Bytes::from)
            .collect()
    }

    pub(super) fn answer(&mut self, call: &Call) -> Answer {
        const UNKNOWN: Answer = Answer::Unknown { grpc_status: 14 };
        let keys = keys(call);
        if keys.iter().all(|key| key.starts_with(REVOKED)) {
            let none = RangeResponse {
                header: header(),
                ..RangeResponse::default()
            };
            let list = self.denied.clone().unwrap_or_else(|| none.encode_to_vec());
            return Answer::Message(list.into());
        }
        let of_account = |key: &Bytes| {
            let below = key
                .strip_prefix(ACCOUNTS)
                .or_else(|| key.strip_prefix(HISTORIES));
            below.map(|it| it.starts_with(TENANT))
        };
        let of_accounts: Vec<bool> = keys.iter().filter_map(of_account).collect();
        if of_accounts.is_empty() {
            // The feed's heartbeat.
            return UNKNOWN;
        }
        assert!(
            of_accounts.iter().all(|own| *own),
            "another tenant's account"
        );
        self.touched = true;
        let Some(part) = self.answers.pop_front() else {
            return UNKNOWN;
        };
        let (kind, rest) = part.split_first().unwrap_or((&b'U', &[]));
        let message = match kind {
            b'R' => rest.to_vec(),
            b'D' => played(call, Some(rest), false),
            b'N' => played(call, None, false),
            b'A' => played(call, None, true),
            _ => return UNKNOWN,
        };
        self.answered = true;
        Answer::Message(message.into())
    }
}

fn cut(input: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(CUT.len()).position(|it| it == CUT) {
        parts.push(&rest[..at]);
        rest = &rest[at + CUT.len()..];
    }
    parts.push(rest);
    parts
}

/// Every key that a call reads or writes.
fn keys(call: &Call) -> Vec<Bytes> {
    match call.method {
        Method::Range => {
            let asked = RangeRequest::decode(call.message.clone()).expect("the worker's message");
            vec![asked.key]
        }
        Method::Txn => {
            let asked = TxnRequest::decode(call.message.clone()).expect("the worker's message");
            keys_of(&asked)
        }
    }
}

fn keys_of(asked: &TxnRequest) -> Vec<Bytes> {
    let mut keys: Vec<Bytes> = asked.compare.iter().map(|it| it.key.clone()).collect();
    for op in asked.success.iter().chain(&asked.failure) {
        match &op.request {
            Some(Request::RequestRange(range)) => keys.push(range.key.clone()),
            Some(Request::RequestPut(put)) => keys.push(put.key.clone()),
            Some(Request::RequestDeleteRange(range)) => keys.push(range.key.clone()),
            Some(Request::RequestTxn(part)) => keys.extend(keys_of(part)),
            None => {}
        }
    }
    keys
}

fn header() -> Option<ResponseHeader> {
    Some(ResponseHeader {
        cluster_id: 1,
        revision: 100,
        ..ResponseHeader::default()
    })
}

/// The answer of an engine under whose keys this document stands, or which applies what it is asked.
fn played(call: &Call, document: Option<&[u8]>, applies: bool) -> Vec<u8> {
    match call.method {
        Method::Range => {
            let asked = RangeRequest::decode(call.message.clone()).expect("the worker's message");
            range(&asked, document).encode_to_vec()
        }
        Method::Txn => {
            let asked = TxnRequest::decode(call.message.clone()).expect("the worker's message");
            txn(&asked, document, applies).encode_to_vec()
        }
    }
}

fn range(asked: &RangeRequest, document: Option<&[u8]>) -> RangeResponse {
    let key = match asked.range_end.is_empty() {
        true => asked.key.clone(),
        false => LISTED.clone(),
    };
    let kv = document.map(|document| KeyValue {
        key,
        mod_revision: 90,
        value: Bytes::copy_from_slice(document),
        ..KeyValue::default()
    });
    let kvs: Vec<KeyValue> = kv.into_iter().collect();
    RangeResponse {
        header: header(),
        count: i64::from(!kvs.is_empty()),
        kvs,
        more: false,
    }
}

fn txn(asked: &TxnRequest, document: Option<&[u8]>, applies: bool) -> TxnResponse {
    let succeeded = asked.compare.is_empty() || applies;
    let ops = if succeeded {
        &asked.success
    } else {
        &asked.failure
    };
    let answer = |op: &RequestOp| {
        let response = match op.request.as_ref()? {
            Request::RequestRange(asked) => Response::ResponseRange(range(asked, document)),
            Request::RequestPut(_) => Response::ResponsePut(PutResponse::default()),
            Request::RequestDeleteRange(_) => {
                Response::ResponseDeleteRange(DeleteRangeResponse::default())
            }
            Request::RequestTxn(part) => Response::ResponseTxn(txn(part, document, applies)),
        };
        Some(ResponseOp {
            response: Some(response),
        })
    };
    TxnResponse {
        header: header(),
        succeeded,
        responses: ops.iter().filter_map(answer).collect(),
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let documents = documents();
    let seed = |head: &str, body: Option<&str>, answers: &[&[u8]]| {
        let mut input = head.as_bytes().to_vec();
        if body.is_some() || !answers.is_empty() {
            input.extend_from_slice(CUT);
            input.extend_from_slice(body.unwrap_or_default().as_bytes());
        }
        for answer in answers {
            input.extend_from_slice(CUT);
            input.extend_from_slice(answer);
        }
        input
    };
    let document = |place: usize| [b"D", &documents[place][..]].concat();
    let (nothing, applied, lost) = (b"N".to_vec(), b"A".to_vec(), b"U".to_vec());
    let of = |method: &str, path: &str| {
        format!("{method} /reward-points{path}\nauthorization: Bearer @")
    };
    let posted = |path: &str| format!("{}\ncontent-type: application/json", of("POST", path));
    let add = posted("/customer/c/addPoints?siteCode=main");
    let points = r#"{"points": 5, "id": "order-1"}"#;
    let mut seeds = vec![
        seed(&of("GET", "/customer/c"), None, &[&document(2)]),
        seed(&of("GET", "/customer/c"), None, &[&nothing]),
        seed(&of("GET", "/customer/c/summary"), None, &[&document(2)]),
        seed(
            &of("GET", "/customer/c/summary"),
            None,
            &[&document(5), &nothing],
        ),
        seed(&of("GET", "/summaryBatch?pageSize=10"), None, &[&nothing]),
        seed(&of("GET", "/summaryBatch"), None, &[&document(2)]),
        seed(
            &of("DELETE", "/customer/c"),
            None,
            &[&document(2), &applied],
        ),
        seed(&add, Some(points), &[&nothing, &applied]),
        seed(&add, Some(points), &[&document(2), &applied]),
        seed(&add, Some(points), &[&applied]),
        seed(&add, Some(points), &[&lost, &document(2), &applied]),
        seed(
            &posted("/customer/c/redeemPoints"),
            Some(r#"{"points": 1}"#),
            &[&document(1), &applied],
        ),
        seed(
            &posted("/customer/c"),
            Some("{}"),
            &[&document(3), &applied],
        ),
        seed("GET /shop/a\nauthorization: Bearer @", None, &[]),
        seed("GET /admin/a", None, &[]),
        seed("GET /reward-points/customer/c", None, &[]),
        seed(
            "GET /reward-points/customer/c\nauthorization: Bearer a.b.c\naccept: application/problem+json",
            None,
            &[],
        ),
        seed(
            "PUT /reward-points/customer/c\nauthorization: Bearer @",
            None,
            &[],
        ),
        seed("GET /elsewhere\nx-tenant: acme", None, &[]),
    ];
    let keyed = format!("{add}\nidempotency-key: k-1\ncache-control: no-cache");
    let denied = |entry: &str| {
        let kv = KeyValue {
            key: [REVOKED, entry.as_bytes()].concat().into(),
            mod_revision: 3,
            ..KeyValue::default()
        };
        let list = RangeResponse {
            header: header(),
            kvs: vec![kv],
            ..RangeResponse::default()
        };
        [b"L", &list.encode_to_vec()[..]].concat()
    };
    let balance = of("GET", "/customer/c");
    for entry in ["https%3A%2F%2Fissuer.test/jti/token-1", "i/kid/\r\u{1b}[2J"] {
        seeds.push(seed(&balance, None, &[&denied(entry), &document(2)]));
    }
    seeds.push(seed(&keyed, Some(points), &[&nothing]));
    seeds
}
