//! What travels together: batches without a timer, of many accounts; each client gets its own exact result.

use etcd_wire::{RequestOp, TxnRequest, request_op};
use prost::Message;
use serde_json::json;

use super::ledger_of_all::Audit;
use super::scene::{DELAYED, Scene, client};
use crate::engine::Method;
use crate::host::Counter;
use crate::test_support::fault::Fault;
use crate::test_support::world::Asked;
use crate::test_support::{Request, World, config, config_with};

const CUSTOMER: &str = "614";

fn add(customer: &str) -> Request {
    Request::add(customer, &json!({"points": 1}))
}

fn redeem(points: u64) -> Request {
    Request::redeem(CUSTOMER, &json!({"points": points}))
}

/// The parts of a call: 1 when it is no batch.
fn parts(call: &crate::engine::Call) -> usize {
    if call.method == Method::Range {
        return 1;
    }
    let request = TxnRequest::decode(call.message.clone()).expect("a transaction");
    match request.compare.is_empty() {
        true => request.success.len(),
        false => 1,
    }
}

fn all_parts(world: &World, from: usize) -> Vec<usize> {
    world.calls[from..]
        .iter()
        .map(|(_, call)| parts(call))
        .collect()
}

fn statuses(world: &World, asked: &[Asked]) -> Vec<u16> {
    asked
        .iter()
        .map(|it| world.only_reply(*it).status)
        .collect()
}

#[test]
fn a_batch_leaves_at_once_and_what_comes_meanwhile_goes_together() {
    let mut world = World::single(config());
    let customers: Vec<String> = (0..100).map(|number| format!("c{number}")).collect();
    let asked: Vec<Asked> = customers.iter().map(|it| world.ask(0, &add(it))).collect();
    // Nothing waits for a timer, and no more calls are under way than configured.
    assert_eq!(all_parts(&world, 0), [1, 1, 1, 1]);
    world.run();
    assert_eq!(statuses(&world, &asked), [201; 100]);
    let reads = |call: &&crate::engine::Call| {
        let request = TxnRequest::decode(call.message.clone()).unwrap_or_default();
        let is_read =
            |op: &RequestOp| matches!(op.request, Some(request_op::Request::RequestRange(_)));
        call.method == Method::Range || request.success.iter().all(is_read)
    };
    let calls: Vec<_> = world.calls.iter().map(|(_, call)| call).collect();
    let read_calls = calls.iter().filter(|call| reads(call)).count();
    // Four alone, the others together: reads by 24.
    assert_eq!(read_calls, 4 + 4);
    assert!(calls.len() - read_calls <= 8, "{:?}", all_parts(&world, 0));
    assert_eq!(world.engine.puts.len(), 100);
    // Now that their documents are known, the writes alone.
    let made = world.calls.len();
    let asked: Vec<Asked> = customers.iter().map(|it| world.ask(0, &add(it))).collect();
    world.run();
    assert_eq!(statuses(&world, &asked), [201; 100]);
    assert_eq!(all_parts(&world, made), [1, 1, 1, 1, 64, 32]);
}

#[test]
fn without_batches_every_account_has_its_own_call() {
    let engine = json!({"clusters": ["engine"], "max_batch": 1, "max_in_flight": 8});
    let mut world = World::single(config_with(&json!({"engine": engine})));
    let asked: Vec<Asked> = (0..50)
        .map(|number| world.ask(0, &add(&format!("c{number}"))))
        .collect();
    assert_eq!(world.calls.len(), 8);
    world.run();
    assert_eq!(statuses(&world, &asked), [201; 50]);
    assert_eq!(all_parts(&world, 0), [1; 100]);
}

#[test]
fn a_quiet_account_is_served_beside_a_busy_one() {
    let engine = json!({"clusters": ["engine"], "max_batch": 1, "max_in_flight": 1});
    let mut world = World::single(config_with(&json!({"engine": engine})));
    world.expect(201, &add(CUSTOMER));
    let busy: Vec<Asked> = (0..1000).map(|_| world.ask(0, &add(CUSTOMER))).collect();
    let quiet = world.ask(0, &add("quiet"));
    world.run_to(|world| !world.replies[&quiet].is_empty());
    let served = |asked: &&Asked| !world.replies[asked].is_empty();
    let before = busy.iter().filter(served).count();
    assert!(before <= 3 * 64, "{before} of the busy one came first");
    world.run();
    assert_eq!(statuses(&world, &busy), [201; 1000]);
    assert_eq!(Audit::of(&world, CUSTOMER).balance(), Some(1001));
}

#[test]
fn an_engine_that_refuses_large_batches_is_served_with_smaller_ones() {
    for most in [1, 3, 17] {
        let mut world = World::single(config());
        let customers: Vec<String> = (0..200).map(|number| format!("c{number}")).collect();
        world.faults = Box::new(move |_, call| match parts(call) > most {
            true => Fault::Refused(3),
            false => Fault::None,
        });
        let asked: Vec<Asked> = customers.iter().map(|it| world.ask(0, &add(it))).collect();
        world.run();
        assert_eq!(statuses(&world, &asked), [201; 200], "batches of {most}");
        assert_eq!(world.engine.puts.len(), 200, "batches of {most}");
    }
}

#[test]
fn a_batch_does_not_grow_over_what_an_engine_takes() {
    let mut world = World::single(config());
    let text = "x".repeat(4096);
    let large = |customer: &str| Request::add(customer, &json!({"points": 1, "description": text}));
    let customers: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
    for customer in &customers {
        for _ in 0..20 {
            world.expect(201, &large(customer));
        }
    }
    let made = world.calls.len();
    let asked: Vec<Asked> = customers.iter().map(|it| world.ask(0, &add(it))).collect();
    world.run();
    assert_eq!(statuses(&world, &asked), [201; 40]);
    for (_, call) in &world.calls[made..] {
        assert!(call.message.len() < 1536 * 1024, "{}", call.message.len());
    }
}

#[test]
fn readers_of_one_account_share_the_next_call_and_never_the_one_under_way() {
    let mut world = World::single(config());
    world.expect(201, &add(CUSTOMER));
    let made = world.calls.len();
    let get = Request::get("/customer/614");
    let first = world.ask(0, &get);
    // The engine has read before the others ask, and is asked again for them.
    world.go(0);
    let later: Vec<Asked> = (0..50).map(|_| world.ask(0, &get)).collect();
    world.run();
    assert_eq!(world.only_reply(first).body, b"1");
    assert_eq!(statuses(&world, &later), [200; 50]);
    assert_eq!(world.calls.len(), made + 2);
}

#[test]
fn each_of_many_has_its_own_result() {
    let mut world = World::single(config());
    world.expect(201, &Request::add(CUSTOMER, &json!({"points": 10})));
    let keyed = Request::add(CUSTOMER, &json!({"points": 5})).key("k");
    let asked = [
        redeem(4),
        redeem(7),
        redeem(6),
        redeem(1),
        keyed.clone(),
        keyed,
        Request::add(CUSTOMER, &json!({"points": 6})).key("k"),
        Request::add(CUSTOMER, &json!({"id": "x", "points": 1})),
        Request::add(CUSTOMER, &json!({"id": "x", "points": 1})),
        Request::add(CUSTOMER, &json!({"id": "x", "points": 2})),
        Request::create(CUSTOMER, &json!({})),
        Request::delete(CUSTOMER),
        redeem(1),
        Request::create(CUSTOMER, &json!({"startPoints": {"points": 3}})),
        redeem(3),
    ]
    .map(|request| world.ask(0, &request));
    world.run();
    let expected = [
        201, 400, 201, 400, 201, 201, 422, 201, 201, 409, 409, 200, 404, 200, 201,
    ];
    assert_eq!(statuses(&world, &asked), expected);
    let replayed = |asked: Asked| {
        let reply = world.only_reply(asked);
        reply
            .headers
            .iter()
            .any(|(name, _)| *name == "idempotency-replayed")
    };
    let replays: Vec<usize> = (0..asked.len()).filter(|&it| replayed(asked[it])).collect();
    assert_eq!(replays, [5]);
    // The first alone, then all the others in one commit.
    assert_eq!(world.engine.puts.len(), 3);
    assert_eq!(Audit::of(&world, CUSTOMER).balance(), Some(0));
}

#[test]
fn who_came_after_a_commit_had_left_is_not_refused_by_what_it_found() {
    let mut world = World::new(config(), &[1, 1]);
    world.expect(201, &Request::add(CUSTOMER, &json!({"points": 10})));
    // Elsewhere everything is redeemed; here nobody knows.
    assert_eq!(world.reply_of(1, &redeem(10)).status, 201);
    let first = world.ask(0, &redeem(5));
    // The commit reaches the engine and finds nothing left, ...
    world.go(0);
    // ... then there are points again, and somebody asks for them.
    assert_eq!(world.engine.puts.len(), 2);
    let filled = world.ask(1, &Request::add(CUSTOMER, &json!({"points": 10})));
    world.go(1);
    world.go(1);
    assert_eq!(world.only_reply(filled).status, 201);
    let second = world.ask(0, &redeem(7));
    world.run();
    assert_eq!(world.only_reply(second).status, 201);
    assert_eq!(world.only_reply(first).status, 400);
    assert_eq!(Audit::of(&world, CUSTOMER).balance(), Some(3));
    assert!(world.nodes[0].host.counted(Counter::CommitConflicts) >= 1);
}

#[test]
fn every_order_of_two_clients_at_one_worker_and_one_at_another() {
    for gateways in [&[2][..], &[1, 1]] {
        for late_answers in [false, true] {
            Scene {
                gateways,
                start: &[Request::add(CUSTOMER, &json!({"points": 100}))],
                clients: vec![
                    client(0, &[redeem(100)]),
                    client(0, &[redeem(60)]),
                    client(1, &[redeem(40)]),
                ],
                max_faults: usize::from(!late_answers),
                kinds: &[Fault::AnswerLost, DELAYED],
                late_answers,
            }
            .explore(|end| {
                let redeemed: u64 = end
                    .statuses
                    .iter()
                    .zip([100, 60, 40])
                    .filter(|(status, _)| status[0] == 201)
                    .map(|(_, points)| points)
                    .sum();
                // Whatever order they took: all of it is gone, and those who were refused could not have been served.
                assert_eq!(redeemed, 100, "{:?}", end.statuses);
                assert_eq!(end.audit.balance(), Some(0));
            });
        }
    }
}
