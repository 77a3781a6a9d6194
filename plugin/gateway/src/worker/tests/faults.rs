//! One thing goes wrong: the answer is the same as if nothing had, or 503; nothing is lost and nothing is done twice.

use std::ops::Range;

use bytes::Bytes;
use serde_json::json;

use super::ledger_of_all::Audit;
use crate::engine::{Answer, CallId, Method};
use crate::host::Counter;
use crate::test_support::fault::{Fault, Nonsense};
use crate::test_support::request::show;
use crate::test_support::world::Asked;
use crate::test_support::{Request, World, config, config_with};

const CUSTOMER: &str = "614";

/// Every fault but none.
const FAULTS: [Fault; 14] = [
    Fault::NotDelivered,
    Fault::AnswerLost,
    Fault::AnswerLate,
    Fault::AnswerTwice,
    Fault::DeliveredAfter(1020),
    Fault::DeliveredAfter(1500),
    Fault::DeliveredAgainAfter(500),
    Fault::Malformed(Nonsense::Empty),
    Fault::Malformed(Nonsense::Garbage),
    Fault::Malformed(Nonsense::Hollow),
    Fault::Malformed(Nonsense::MoreOfNothing),
    Fault::Refused(13),
    Fault::Refused(8),
    Fault::Refused(0),
];

fn started() -> World {
    let mut world = World::new(config(), &[1, 1]);
    world.expect(
        201,
        &Request::add(CUSTOMER, &json!({"id": "a", "points": 60})),
    );
    world.expect(
        201,
        &Request::add(CUSTOMER, &json!({"id": "b", "points": 40})),
    );
    world
}

/// Fails the calls at these places, counted from now.
fn fail(world: &mut World, places: Range<usize>, fault: Fault) {
    let mut place = 0;
    world.faults = Box::new(move |_, _| {
        place += 1;
        match places.contains(&(place - 1)) {
            true => fault,
            false => Fault::None,
        }
    });
}

#[test]
fn any_one_fault_at_any_call_changes_no_answer() {
    let cases = [
        (Request::get("/customer/614"), 200),
        (Request::get("/customer/614/summary"), 200),
        (Request::get("/customer/nobody"), 404),
        (Request::get("/summaryBatch"), 200),
        (Request::add(CUSTOMER, &json!({"points": 5})), 201),
        (Request::add("nobody", &json!({"points": 5})), 201),
        (Request::redeem(CUSTOMER, &json!({"points": 100})), 201),
        (Request::redeem(CUSTOMER, &json!({"points": 101})), 400),
        (Request::redeem("nobody", &json!({"points": 1})), 404),
        (Request::create(CUSTOMER, &json!({})), 409),
        (
            Request::create("nobody", &json!({"startPoints": {"points": 2}})),
            200,
        ),
        (Request::create("nobody", &json!({})), 200),
        (Request::delete(CUSTOMER), 200),
        (Request::delete("nobody"), 200),
        // What the worker itself did before is not told as a replay.
        (Request::add(CUSTOMER, &json!({"points": 5})).key("k"), 201),
        (
            Request::redeem(CUSTOMER, &json!({"points": 5})).key("k"),
            201,
        ),
        (Request::create("nobody", &json!({})).key("k"), 200),
        (
            Request::add(CUSTOMER, &json!({"id": "a", "points": 60})),
            201,
        ),
        (
            Request::add(CUSTOMER, &json!({"id": "a", "points": 61})),
            409,
        ),
    ];
    // Node 0 starts from its shared data, node 1 has to read.
    for node in [0, 1] {
        for (request, status) in &cases {
            let mut plain = started();
            let before = plain.engine.puts.len();
            let expected = plain.reply_of(node, request);
            let puts = plain.engine.puts.len() - before;
            assert_eq!(expected.status, *status, "{}", show(&expected));
            for fault in FAULTS {
                for place in [0, 1] {
                    let mut world = started();
                    fail(&mut world, place..place + 1, fault);
                    let reply = world.reply_of(node, request);
                    let what = format!("{request:?}\n{fault:?} at {place}");
                    assert_eq!(show(&reply), show(&expected), "{what}");
                    assert_eq!(world.engine.puts.len() - before, puts, "{what}");
                    Audit::of(&world, CUSTOMER).check();
                }
            }
        }
    }
}

#[test]
fn two_faults_in_a_row_change_no_answer() {
    let (add, redeem) = (
        json!({"id": "c", "points": 5}),
        json!({"id": "d", "points": 100}),
    );
    for request in [
        Request::add(CUSTOMER, &add),
        Request::redeem(CUSTOMER, &redeem),
    ] {
        for first in FAULTS {
            for second in FAULTS {
                let mut world = started();
                let mut faults = vec![second, first];
                world.faults = Box::new(move |_, _| faults.pop().unwrap_or(Fault::None));
                let reply = world.reply(&request);
                // Two calls that run out of their time of a second leave none of the budget of two.
                let lost = |fault| {
                    matches!(
                        fault,
                        Fault::AnswerLost | Fault::AnswerLate | Fault::DeliveredAfter(_)
                    )
                };
                match reply.status {
                    503 => assert!(lost(first) && lost(second), "{first:?} {second:?}"),
                    status => assert_eq!(status, 201, "{first:?} {second:?}"),
                }
                assert_eq!(world.engine.puts.len(), 3, "{first:?} {second:?}");
                Audit::of(&world, CUSTOMER).check();
            }
        }
    }
}

#[test]
fn an_unknown_outcome_is_resent_with_identical_bytes() {
    for fault in [Fault::NotDelivered, Fault::Refused(14), Fault::AnswerLost] {
        let mut world = started();
        let made = world.calls.len();
        fail(&mut world, 0..2, fault);
        let asked = world.ask(0, &Request::add(CUSTOMER, &json!({"points": 5})));
        world.run();
        assert_eq!(world.replies[&asked].len(), 1);
        let calls = &world.calls[made..];
        assert!(calls.len() >= 2);
        for (_, call) in calls {
            assert_eq!(call.method, Method::Txn);
            assert_eq!(call.message, calls[0].1.message, "the same bytes");
        }
        let mut ids: Vec<CallId> = calls.iter().map(|(_, call)| call.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), calls.len(), "each under a name of its own");
        assert!(world.nodes[0].host.counted(Counter::CommitResends) >= 1);
    }
}

#[test]
fn a_spent_budget_is_503_and_the_write_may_still_be_done() {
    for (fault, done) in [(Fault::NotDelivered, false), (Fault::AnswerLost, true)] {
        let mut world = started();
        world.faults = Box::new(move |_, _| fault);
        let asked_at = world.clock.get();
        let body = json!({"id": "c", "points": 5});
        let reply = world.expect(503, &Request::add(CUSTOMER, &body));
        assert!(reply.headers.contains(&("retry-after", "1".into())));
        let took_ms = world.clock.get() - asked_at;
        assert!((2000..=2100).contains(&took_ms), "{took_ms} ms");
        assert_eq!(world.engine.puts.len() == 3, done);
        // Sent again, it is answered as done, and was done once.
        world.faults = Box::new(|_, _| Fault::None);
        world.expect(201, &Request::add(CUSTOMER, &body));
        assert_eq!(world.engine.puts.len(), 3);
        let balance = world.expect(200, &Request::get("/customer/614"));
        assert_eq!(balance.body, b"105");
    }
}

#[test]
fn an_engine_that_comes_back_within_the_budget_is_not_noticed() {
    for request in [
        Request::add(CUSTOMER, &json!({"points": 5})),
        Request::redeem(CUSTOMER, &json!({"points": 5})),
        Request::delete(CUSTOMER),
        Request::get("/customer/614"),
        Request::get("/summaryBatch"),
    ] {
        let mut world = started();
        let back_at = world.clock.get() + 1500;
        let clock = std::rc::Rc::clone(&world.clock);
        world.faults = Box::new(move |_, _| match clock.get() < back_at {
            true => Fault::NotDelivered,
            false => Fault::None,
        });
        let reply = world.reply(&request);
        assert!(reply.status < 300, "{}", show(&reply));
        // Pauses grow, so a second and a half takes few calls.
        assert!(world.nodes[0].host.counted(Counter::EngineFailures) <= 8);
    }
}

#[test]
fn late_unknown_and_repeated_answers_change_nothing() {
    let mut world = started();
    fail(&mut world, 0..1, Fault::AnswerLate);
    world.expect(201, &Request::add(CUSTOMER, &json!({"points": 5})));
    let last = world.calls.last().expect("a call").1.id;
    let (worker, host) = {
        let node = &mut world.nodes[0];
        (&mut node.worker, &node.host)
    };
    let late = host.counted(Counter::LateAnswers);
    for id in [last, CallId(1), CallId(u64::MAX)] {
        for answer in [
            Answer::Message(Bytes::new()),
            Answer::Unknown { grpc_status: 14 },
        ] {
            worker.answered(id, answer, host);
        }
    }
    assert!(!worker.has_calls() && worker.take_woken().is_empty() && worker.is_idle());
    assert_eq!(host.counted(Counter::LateAnswers), late + 6);
    assert!(world.replies.iter().all(|(_, replies)| replies.len() == 1));
}

#[test]
fn when_the_client_leaves_a_write_goes_on_and_a_read_ends() {
    let mut world = started();
    let write = world.ask(0, &Request::add(CUSTOMER, &json!({"points": 5})));
    world.leave(0, write);
    let queued = world.ask(0, &Request::add(CUSTOMER, &json!({"points": 6})));
    world.leave(0, queued);
    let read = world.ask(0, &Request::get("/customer/614"));
    let list = world.ask(0, &Request::get("/summaryBatch"));
    world.leave(0, read);
    world.leave(0, list);
    let stays = world.ask(0, &Request::get("/customer/614"));
    world.run();
    for gone in [write, queued, read, list] {
        assert_eq!(world.replies[&gone].len(), 0);
    }
    world.only_reply(stays);
    assert_eq!(world.engine.puts.len(), 4, "both writes were made");
    // The list's; what the read found serves the writes that wait.
    assert_eq!(world.nodes[0].host.counted(Counter::LateAnswers), 1);
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing_behind() {
    let mut world = started();
    let request = Request::add(CUSTOMER, &json!({"points": 5}));
    let asked: Asked = world.head(0, &request);
    world.leave(0, asked);
    assert!(world.at_rest());
    assert_eq!(world.engine.puts.len(), 2);
}

#[test]
fn a_call_is_given_up_with_the_budget_at_the_latest() {
    let engine = json!({"clusters": ["engine"], "call_timeout_ms": 700, "write_budget_ms": 1000, "read_budget_ms": 300});
    let mut world = World::single(config_with(&json!({"engine": engine})));
    world.faults = Box::new(|_, _| Fault::AnswerLost);
    world.expect(503, &Request::add(CUSTOMER, &json!({"points": 5})));
    world.expect(503, &Request::get("/customer/614"));
    let timeouts: Vec<u32> = world
        .calls
        .iter()
        .map(|(_, call)| call.timeout_ms)
        .collect();
    assert_eq!(timeouts[0], 700);
    assert!((1..=300).contains(&timeouts[1]), "{timeouts:?}");
    assert_eq!(timeouts.last(), Some(&300));
}
