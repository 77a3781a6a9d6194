//! Bounds: how much a worker carries, how long anything waits, whatever the clock does.

use serde_json::json;

use crate::test_support::fault::Fault;
use crate::test_support::large::{key_of, long_document};
use crate::test_support::request::show;
use crate::test_support::world::Asked;
use crate::test_support::{Request, World, config};
use crate::worker::{MAX_HELD_BYTES, MAX_JOBS, MAX_LISTS};

#[test]
fn one_job_more_than_it_may_carry_is_refused_at_once() {
    let mut world = World::single(config());
    let read = Request::get("/customer/614");
    let write = Request::add("614", &json!({"points": 1}));
    let mut asked: Vec<Asked> = Vec::new();
    for _ in 0..MAX_JOBS {
        asked.push(world.ask(0, &read));
    }
    for request in [&read, &write, &Request::get("/summaryBatch")] {
        let refused = world.ask(0, request);
        let reply = world.only_reply(refused);
        assert_eq!(reply.status, 503, "{}", show(&reply));
        assert!(reply.headers.contains(&("retry-after", "1".into())));
        let body = String::from_utf8_lossy(&reply.body);
        assert!(body.contains("was not begun"), "{body}");
    }
    world.run();
    for asked in asked {
        assert_eq!(world.only_reply(asked).status, 404);
    }
    world.expect(201, &write);
}

#[test]
fn a_list_more_than_it_may_make_is_refused_at_once_and_nothing_else_is() {
    let mut world = World::single(config());
    let list = Request::get("/summaryBatch");
    for _ in 0..2 {
        let asked: Vec<Asked> = (0..MAX_LISTS).map(|_| world.ask(0, &list)).collect();
        let refused = world.ask(0, &list);
        assert_eq!(world.only_reply(refused).status, 503);
        let read = world.ask(0, &Request::get("/customer/614"));
        world.run();
        for asked in asked {
            assert_eq!(world.only_reply(asked).status, 200);
        }
        assert_eq!(world.only_reply(read).status, 404);
    }
    // A client that leaves makes room.
    let asked: Vec<Asked> = (0..MAX_LISTS).map(|_| world.ask(0, &list)).collect();
    world.leave(0, *asked.first().expect("one"));
    let another = world.ask(0, &list);
    world.run();
    assert_eq!(world.only_reply(another).status, 200);
}

#[test]
fn what_its_jobs_hold_is_bounded_in_bytes_and_given_back() {
    let mut world = World::single(config());
    // Large documents, one for each customer, all committing at the same time.
    let customers: Vec<String> = (0..4).map(|number| format!("c{number}")).collect();
    for customer in &customers {
        let document = long_document(200, 4096);
        world.engine.put(key_of(customer).as_bytes(), &document);
    }
    assert_eq!(world.nodes[0].worker.lines.held_bytes, 0);
    let asked: Vec<Asked> = customers
        .iter()
        .map(|customer| world.ask(0, &Request::add(customer, &json!({"points": 1}))))
        .collect();
    // The reads are answered, some history has left, the commits are under way.
    world.run_to(|world| world.nodes[0].worker.lines.held_bytes > 3 * 700 * 1024);
    world.nodes[0].worker.lines.held_bytes += MAX_HELD_BYTES;
    let refused = world.ask(0, &Request::get("/customer/c0"));
    assert_eq!(world.only_reply(refused).status, 503);
    world.nodes[0].worker.lines.held_bytes -= MAX_HELD_BYTES;
    world.run();
    for asked in asked {
        assert_eq!(world.only_reply(asked).status, 201);
    }
    assert_eq!(world.nodes[0].worker.lines.held_bytes, 0);
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_waiting() {
    for request in [
        Request::add("614", &json!({"points": 1})),
        Request::get("/customer/614"),
        Request::get("/summaryBatch"),
    ] {
        for fault in [Fault::NotDelivered, Fault::AnswerLost] {
            let mut world = World::single(config());
            world.faults = Box::new(move |_, _| fault);
            let asked = world.ask(0, &request);
            let start = world.clock.get();
            world.run_until(start + 100);
            world.nodes[0].host.skew_ms.set(-3_600_000);
            world.run_until(start + 2200);
            assert_eq!(world.only_reply(asked).status, 503, "{request:?} {fault:?}");
            assert!(world.nodes[0].worker.is_idle());
        }
    }
}

#[test]
fn a_clock_that_is_set_forward_costs_an_answer_and_no_points() {
    let mut world = World::single(config());
    let body = json!({"id": "x", "points": 1});
    let asked = world.ask(0, &Request::add("614", &body));
    world.nodes[0].host.skew_ms.set(3_600_000);
    world.tick();
    assert_eq!(world.only_reply(asked).status, 503);
    world.run();
    world.expect(201, &Request::add("614", &body));
    assert_eq!(world.engine.puts.len(), 1);
}

#[test]
fn a_worker_whose_clock_is_slow_neither_revives_nor_reorders() {
    let mut world = World::new(config(), &[1, 1]);
    let soon = json!({"id": "short", "points": 10, "validUntil": "2025-06-15T16:00:00Z"});
    world.expect(201, &Request::add("614", &soon));
    world.expect(
        201,
        &Request::add("614", &json!({"id": "long", "points": 5})),
    );
    world.pass(2 * 3_600_000);
    world.expect(
        201,
        &Request::redeem("614", &json!({"id": "r", "points": 1})),
    );
    // The other gateway's clock stands before the first lot's end.
    world.nodes[1].host.skew_ms.set(-2 * 3_600_000);
    let reply = world.reply_of(1, &Request::redeem("614", &json!({"points": 5})));
    assert_eq!(reply.status, 400, "{}", show(&reply));
    let reply = world.reply_of(1, &Request::get("/customer/614"));
    assert_eq!(reply.body, b"4");
    let reply = world.reply_of(1, &Request::redeem("614", &json!({"points": 4})));
    assert_eq!(reply.status, 201, "{}", show(&reply));
}
