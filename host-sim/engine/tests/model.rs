//! The engine against a model so naive that it is plainly right: a list of whole states, one per revision.
//!
//! Random calls from random seeds; every answer, and at the end every event of the history, must be the model's.

mod support;

use std::collections::BTreeMap;

use etcd_wire::compare::{CompareResult, CompareTarget, TargetUnion};
use etcd_wire::request_op::Request;
use etcd_wire::response_op::Response;
use etcd_wire::{Compare, KeyValue, RangeRequest, TxnRequest, TxnResponse};
use proptest::prelude::*;
use support::generate::Random;
use support::requests::ON;
use support::server::{Call, Outcome, Server};
use support::watching::{Watching, on};
use tonic::Code;

const CALLS: usize = 120;

type State = BTreeMap<Vec<u8>, KeyValue>;

/// Every state that ever was; the index is the revision.
struct Model {
    states: Vec<State>,
    /// (revision, key, deleted), in the order of happening.
    log: Vec<(i64, Vec<u8>, bool)>,
}

impl Model {
    fn new() -> Model {
        Model {
            states: vec![State::new(), State::new()],
            log: Vec::new(),
        }
    }

    fn revision(&self) -> i64 {
        self.states.len() as i64 - 1
    }

    fn state(&self) -> &State {
        self.states.last().expect("there is always a state")
    }

    /// What an accepted transaction must answer, after carrying it out.
    fn txn(&mut self, request: &TxnRequest) -> TxnResponse {
        let before = self.state().clone();
        let mut now = before.clone();
        let mut changes = Vec::new();
        let revision = self.revision();
        let mut response = self.run(request, &before, &mut now, &mut changes, revision + 1);
        if !changes.is_empty() {
            self.states.push(now);
            let logged = changes
                .into_iter()
                .map(|(key, gone)| (revision + 1, key, gone));
            self.log.extend(logged);
        }
        response.header.as_mut().expect("a header").revision = self.revision();
        response
    }

    fn run(
        &self,
        request: &TxnRequest,
        before: &State,
        now: &mut State,
        changes: &mut Vec<(Vec<u8>, bool)>,
        writing: i64,
    ) -> TxnResponse {
        let succeeded = request.compare.iter().all(|compare| holds(compare, before));
        let operations = if succeeded {
            &request.success
        } else {
            &request.failure
        };
        let mut response = TxnResponse {
            header: Some(Default::default()),
            succeeded,
            responses: Vec::new(),
        };
        for operation in operations {
            let answer = match operation.request.as_ref().expect("an operation") {
                Request::RequestTxn(nested) => {
                    Response::ResponseTxn(self.run(nested, before, now, changes, writing))
                }
                Request::RequestPut(put) => {
                    let former = now.get(put.key.as_ref()).cloned();
                    let kv = KeyValue {
                        key: put.key.clone(),
                        value: put.value.clone(),
                        create_revision: former.as_ref().map_or(writing, |kv| kv.create_revision),
                        version: former.as_ref().map_or(1, |kv| kv.version + 1),
                        mod_revision: writing,
                        lease: 0,
                    };
                    now.insert(put.key.to_vec(), kv);
                    changes.push((put.key.to_vec(), false));
                    Response::ResponsePut(etcd_wire::PutResponse {
                        header: header(writing),
                        prev_kv: former.filter(|_| put.prev_kv),
                    })
                }
                Request::RequestDeleteRange(delete) => {
                    let gone: Vec<KeyValue> = select(now, &delete.key, &delete.range_end);
                    for kv in &gone {
                        now.remove(kv.key.as_ref());
                        changes.push((kv.key.to_vec(), true));
                    }
                    Response::ResponseDeleteRange(etcd_wire::DeleteRangeResponse {
                        header: header(writing - i64::from(changes.is_empty())),
                        deleted: gone.len() as i64,
                        prev_kvs: if delete.prev_kv { gone } else { Vec::new() },
                    })
                }
                Request::RequestRange(range) => {
                    let known = writing - i64::from(changes.is_empty());
                    Response::ResponseRange(self.range(range, now, known))
                }
            };
            response.responses.push(etcd_wire::ResponseOp {
                response: Some(answer),
            });
        }
        response
    }

    fn range(&self, request: &RangeRequest, now: &State, known: i64) -> etcd_wire::RangeResponse {
        let state = match request.revision {
            past if past > 0 && past < known => &self.states[past as usize],
            _ => now,
        };
        let mut kvs = select(state, &request.key, &request.range_end);
        let count = kvs.len() as i64;
        let within = |value, min, max| (min == 0 || value >= min) && (max == 0 || value <= max);
        kvs.retain(|kv| {
            within(
                kv.mod_revision,
                request.min_mod_revision,
                request.max_mod_revision,
            ) && within(
                kv.create_revision,
                request.min_create_revision,
                request.max_create_revision,
            )
        });
        if request.sort_order == 2 {
            kvs.reverse();
        }
        let mut more = false;
        if request.limit > 0 && kvs.len() as i64 > request.limit {
            kvs.truncate(request.limit as usize);
            more = true;
        }
        if request.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value.clear());
        }
        if request.count_only {
            (kvs, more) = (Vec::new(), false);
        }
        etcd_wire::RangeResponse {
            header: header(known),
            kvs,
            more,
            count,
        }
    }
}

fn header(revision: i64) -> Option<etcd_wire::ResponseHeader> {
    Some(etcd_wire::ResponseHeader {
        revision,
        ..Default::default()
    })
}

fn select(state: &State, key: &[u8], range_end: &[u8]) -> Vec<KeyValue> {
    let chosen = |other: &[u8]| match range_end {
        [] => other == key,
        [0] => other >= key,
        end => other >= key && other < end,
    };
    let found = state.iter().filter(|(other, _)| chosen(other));
    found.map(|(_, kv)| kv.clone()).collect()
}

fn holds(compare: &Compare, state: &State) -> bool {
    let mut kvs = select(state, &compare.key, &compare.range_end);
    if kvs.is_empty() {
        if compare.target == CompareTarget::Value as i32 {
            return false;
        }
        kvs.push(KeyValue::default());
    }
    kvs.iter().all(|kv| {
        let order = match compare.target_union.as_ref().expect("a wanted value") {
            TargetUnion::Version(wanted) => kv.version.cmp(wanted),
            TargetUnion::CreateRevision(wanted) => kv.create_revision.cmp(wanted),
            TargetUnion::ModRevision(wanted) => kv.mod_revision.cmp(wanted),
            TargetUnion::Value(wanted) => kv.value.cmp(wanted),
            TargetUnion::Lease(wanted) => kv.lease.cmp(wanted),
        };
        match CompareResult::try_from(compare.result).expect("a known result") {
            CompareResult::Equal => order.is_eq(),
            CompareResult::NotEqual => order.is_ne(),
            CompareResult::Greater => order.is_gt(),
            CompareResult::Less => order.is_lt(),
        }
    })
}

async fn run(seed: u64) {
    let server = Server::embedded().await;
    let mut model = Model::new();
    let mut random = Random::new(seed);
    for _ in 0..CALLS {
        let call = random.call(model.revision());
        // The model keeps everything; compaction is the other suites' matter.
        if matches!(call, Call::Compact(_)) {
            continue;
        }
        let answered = server.call(&call).await;
        let revision = model.revision();
        let expected = match (&call, answered.code()) {
            // What is refused changes nothing: the next answers tell.
            (_, Code::OutOfRange | Code::InvalidArgument) => continue,
            (Call::Range(request), _) => {
                Outcome::Range(model.range(request, model.state(), revision))
            }
            (Call::Txn(request), _) => Outcome::Txn(model.txn(request)),
            (Call::Compact(_), _) => continue,
        };
        assert_eq!(
            answered, expected,
            "engine (left) and model (right): {call:?}"
        );
    }
    if !model.log.is_empty() {
        let mut watching = Watching::open(&server);
        watching.create(on("a", ON, 2)).await;
        let told = watching.events(model.log.len()).await;
        let told: Vec<_> = told
            .into_iter()
            .map(|(_, event)| {
                let kv = event.kv.expect("every event has a key");
                (kv.mod_revision, kv.key.to_vec(), event.r#type == 1)
            })
            .collect();
        assert_eq!(told, model.log);
    }
    server.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_is_the_model(seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(run(seed));
    }
}
