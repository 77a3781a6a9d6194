//! The engine in memory that simulations use (`engine-model`) answers what this engine answers.
//!
//! Random calls of the kinds that the gateway makes; every answer, and at the end every event of the history, must be the
//! same but for headers inside transactions, which nobody reads.

mod support;

use std::cell::Cell;

use engine_model::{Method, Model};
use etcd_wire::response_op::Response;
use etcd_wire::watch_request::RequestUnion;
use etcd_wire::{
    DeleteRangeRequest, PutRequest, RangeRequest, RangeResponse, RequestOp, TxnRequest,
    TxnResponse, WatchCreateRequest, WatchRequest, WatchResponse, compare, request_op,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use prost::Message as _;
use support::generate::Random;
use support::server::{Call, Outcome, Server};
use support::watching::Watching;
use tonic::Code;

const CALLS: usize = 200;
const KEYS: [&str; 6] = ["a", "b", "ba", "c", "d", "e"];
const ENDS: [&str; 5] = ["", "", "c", "e", "\0"];

fn operation(request: request_op::Request) -> RequestOp {
    RequestOp {
        request: Some(request),
    }
}

fn range(random: &mut Random, revision: i64) -> RangeRequest {
    let about = revision - random.below(14) as i64 + 1;
    RangeRequest {
        key: random.pick(&KEYS).into(),
        range_end: random.pick(&ENDS).into(),
        limit: random.below(4) as i64,
        revision: if random.below(2) == 0 {
            about.max(0)
        } else {
            0
        },
        keys_only: random.below(4) == 0,
        ..RangeRequest::default()
    }
}

/// A one-key compare-and-put, or a removal: what the gateway nests.
fn part(random: &mut Random, key: &str, known: i64) -> TxnRequest {
    let wanted = if random.below(3) == 0 { 0 } else { known };
    let write = match random.below(4) {
        0 => request_op::Request::RequestDeleteRange(DeleteRangeRequest {
            key: key.to_owned().into(),
            range_end: random.pick(&["", "", "c"]).into(),
            prev_kv: false,
        }),
        _ => request_op::Request::RequestPut(PutRequest {
            key: key.to_owned().into(),
            value: random.pick(&["x", "y", ""]).into(),
            ..PutRequest::default()
        }),
    };
    TxnRequest {
        compare: vec![etcd_wire::Compare {
            result: compare::CompareResult::Equal.into(),
            target: compare::CompareTarget::Mod.into(),
            key: key.to_owned().into(),
            target_union: Some(compare::TargetUnion::ModRevision(wanted)),
            ..etcd_wire::Compare::default()
        }],
        success: vec![operation(write)],
        failure: vec![operation(request_op::Request::RequestRange(RangeRequest {
            key: key.to_owned().into(),
            ..RangeRequest::default()
        }))],
    }
}

fn call(random: &mut Random, model: &Model) -> Call {
    let revision = model.revision();
    let known = |key: &str| {
        let changes = model.changes_after(0).filter(|it| it.key == key.as_bytes());
        let newest = changes.last();
        newest
            .filter(|it| it.value.is_some())
            .map_or(0, |it| it.revision)
    };
    match random.below(30) {
        0 => Call::Compact(revision - random.below(12) as i64 + 1),
        1..=9 => Call::Range(range(random, revision)),
        10..=17 => {
            let key = random.pick(&KEYS);
            let known = known(key);
            Call::Txn(part(random, key, known))
        }
        18..=21 => {
            let reads = (0..=random.below(3)).map(|_| range(random, revision));
            let reads = reads.map(request_op::Request::RequestRange).map(operation);
            Call::Txn(TxnRequest {
                success: reads.collect(),
                ..TxnRequest::default()
            })
        }
        _ => {
            let mut parts = Vec::new();
            for key in KEYS {
                if random.below(2) == 0 {
                    let known = known(key);
                    let part = part(random, key, known);
                    parts.push(operation(request_op::Request::RequestTxn(part)));
                }
            }
            Call::Txn(TxnRequest {
                success: parts,
                ..TxnRequest::default()
            })
        }
    }
}

fn without_inner_headers(txn: &mut TxnResponse) {
    for operation in &mut txn.responses {
        match operation.response.as_mut() {
            Some(Response::ResponseRange(it)) => it.header = None,
            Some(Response::ResponsePut(it)) => it.header = None,
            Some(Response::ResponseDeleteRange(it)) => it.header = None,
            Some(Response::ResponseTxn(it)) => {
                it.header = None;
                without_inner_headers(it);
            }
            None => {}
        }
    }
}

/// What the model answers, in the terms of the other suites.
fn modelled(model: &mut Model, call: &Call) -> Result<Outcome, u32> {
    let mut outcome = match call {
        Call::Range(request) => {
            let answer = model.execute(Method::Range, request.encode_to_vec().into())?;
            Outcome::Range(RangeResponse::decode(&*answer).expect("an answer"))
        }
        Call::Txn(request) => {
            let answer = model.execute(Method::Txn, request.encode_to_vec().into())?;
            Outcome::Txn(TxnResponse::decode(&*answer).expect("an answer"))
        }
        Call::Compact(revision) => {
            model.compact(*revision);
            Outcome::Compacted
        }
    };
    match &mut outcome {
        Outcome::Range(it) => support::server::anonymous(&mut it.header),
        Outcome::Txn(it) => {
            support::server::anonymous(&mut it.header);
            without_inner_headers(it);
        }
        _ => {}
    }
    Ok(outcome)
}

/// What was compared in one run.
struct Compared {
    calls: usize,
    events: usize,
}

async fn run(seed: u64) -> Compared {
    let server = Server::embedded().await;
    let mut model = Model::new(5);
    let mut random = Random::new(seed);
    let mut calls = 0;
    for _ in 0..CALLS {
        let call = call(&mut random, &model);
        let expected = modelled(&mut model, &call);
        if expected == Err(engine_model::INVALID_ARGUMENT) {
            continue;
        }
        let mut answered = server.call(&call).await;
        if let Outcome::Txn(it) = &mut answered {
            without_inner_headers(it);
        }
        match (expected, answered) {
            // The model takes a compaction of what is compacted, or not there yet, for nothing.
            (Ok(Outcome::Compacted), Outcome::Refused(..)) => {}
            (Err(status), answered) => {
                let refused = matches!(answered.code(), Code::OutOfRange);
                assert!(
                    refused && status == engine_model::OUT_OF_RANGE,
                    "{call:?}: {answered:?}"
                );
                calls += 1;
            }
            (Ok(expected), answered) => {
                assert_eq!(
                    answered, expected,
                    "engine (left) and model (right): {call:?}"
                );
                calls += 1;
            }
        }
    }
    let create = WatchCreateRequest {
        key: "a".into(),
        range_end: "d".into(),
        start_revision: model.compacted().max(2),
        fragment: true,
        ..WatchCreateRequest::default()
    };
    let request = WatchRequest {
        request_union: Some(RequestUnion::CreateRequest(create.clone())),
    };
    let (mut watch, _) = model
        .watch(request.encode_to_vec().into())
        .expect("a watch");
    let mut expected = Vec::new();
    while let Some(message) = model.tell(&mut watch) {
        let told = WatchResponse::decode(&*message).expect("an answer");
        expected.extend(told.events.into_iter().map(|it| (it.r#type, it.kv)));
    }
    // What was written there, told in another way.
    let written = model.changes_after(create.start_revision - 1);
    let written = written.filter(|it| (&b"a"[..]..&b"d"[..]).contains(&&it.key[..]));
    assert_eq!(expected.len(), written.count());
    let events = expected.len();
    if !expected.is_empty() {
        let mut watching = Watching::open(&server);
        watching.create(create).await;
        let told = watching.events(expected.len()).await;
        let told: Vec<_> = told.into_iter().map(|(_, it)| (it.r#type, it.kv)).collect();
        assert_eq!(told, expected);
    }
    server.stop().await;
    Compared { calls, events }
}

#[test]
fn the_model_is_the_engine() {
    const RUNS: u32 = 24;
    let config = ProptestConfig {
        cases: RUNS,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let watched = Cell::new(0);
    let one = |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let compared = runtime.block_on(run(seed));
        let calls = compared.calls;
        prop_assert!(calls >= CALLS / 2, "{calls} of {CALLS} calls were compared");
        watched.set(watched.get() + u32::from(compared.events > 0));
        Ok(())
    };
    let ran = TestRunner::new(config).run(&any::<u64>(), one);
    ran.unwrap_or_else(|failure| panic!("{failure}"));
    // A compaction at the end leaves a watch nothing to tell, but not often.
    assert!(watched.get() >= RUNS / 2, "{watched:?} of {RUNS} watches");
}
