//! Writes of one account in one worker: one commit at a time, all that waits in the next one, in the order of arrival.

use serde_json::json;

use super::ledger_of_all::Audit;
use crate::access::test_support::permit;
use crate::accounts::keys::{AccountKey, CustomerId};
use crate::engine::Method;
use crate::host::Counter;
use crate::test_support::fault::Fault;
use crate::test_support::network::LegKind;
use crate::test_support::{Request, World, config};

const CUSTOMER: &str = "614";

fn add(number: usize) -> Request {
    Request::add(
        CUSTOMER,
        &json!({"id": format!("id-{number}"), "points": 1}),
    )
}

/// How many calls for the account of [`CUSTOMER`] a worker has under way, as far as the network knows.
fn under_way(world: &World) -> usize {
    let key = CustomerId::new(CUSTOMER.into()).expect("an id");
    let key = AccountKey::new(permit("acme").tenant(), &key);
    let calls = world.legs.iter().filter(|leg| match &leg.kind {
        LegKind::ToEngine { call, answered } => {
            answered.is_some() && contains(&call.message, key.as_bytes())
        }
        LegKind::ToWorker { .. } => true,
        LegKind::Fetched { .. } | LegKind::Watched { .. } => false,
    });
    calls.count()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn one_at_a_time_and_in_order() {
    let mut world = World::single(config());
    let asked: Vec<_> = (0..50).map(|number| world.ask(0, &add(number))).collect();
    while !world.at_rest() {
        assert!(under_way(&world) <= 1, "two writes of one account at once");
        world.go(0);
    }
    for asked in asked {
        assert_eq!(world.only_reply(asked).status, 201);
    }
    let audit = Audit::of(&world, CUSTOMER);
    audit.check();
    let ids: Vec<&str> = audit
        .account()
        .expect("an account")
        .entries()
        .map(|entry| entry.identity.id.as_str())
        .collect();
    let expected: Vec<String> = (0..50).map(|number| format!("id-{number}")).collect();
    assert_eq!(ids, expected, "the order of arrival");
    // One read, and one commit of all that came meanwhile.
    assert_eq!(world.calls.len(), 2);
    assert_eq!(world.engine.puts.len(), 1);
    assert_eq!(world.nodes[0].host.counted(Counter::CommitConflicts), 0);
}

#[test]
fn one_at_a_time_also_when_many_run_out_of_time_at_once() {
    let mut world = World::single(config());
    world.expect(201, &Request::add(CUSTOMER, &json!({"points": 1})));
    world.faults = Box::new(|_, _| Fault::AnswerLost);
    let start = world.clock.get();
    for number in 0..4 {
        world.ask(0, &add(number));
    }
    // These have a little more time than the first ones, and all of them wait.
    world.run_until(start + 990);
    let later: Vec<_> = (4..8).map(|number| world.ask(0, &add(number))).collect();
    world.run_until(start + 1999);
    world.run_until(world.next_tick_ms() - 1);
    let made = world.calls.len();
    world.faults = Box::new(|_, _| Fault::None);
    world.tick();
    assert_eq!(
        world.calls.len(),
        made + 1,
        "two writes of one account at once"
    );
    world.run();
    for asked in later {
        assert_eq!(world.only_reply(asked).status, 201);
    }
    Audit::of(&world, CUSTOMER).check();
}

#[test]
fn what_waits_is_answered_in_time_and_never_begun_afterwards() {
    let mut world = World::single(config());
    world.faults = Box::new(|_, _| Fault::NotDelivered);
    let asked: Vec<_> = (0..10).map(|number| world.ask(0, &add(number))).collect();
    let start = world.clock.get();
    world.run();
    assert!(world.clock.get() <= start + 2100);
    for asked in asked {
        assert_eq!(world.only_reply(asked).status, 503);
    }
    world.faults = Box::new(|_, _| Fault::None);
    world.expect(404, &Request::get("/customer/614"));
    assert_eq!(world.engine.puts.len(), 0);
}

#[test]
fn of_fifty_that_redeem_everything_at_once_one_succeeds() {
    for gateways in [&[1][..], &[2], &[1, 1], &[2, 2]] {
        let mut world = World::new(config(), gateways);
        world.expect(201, &Request::add(CUSTOMER, &json!({"points": 100})));
        let nodes = world.nodes.len();
        let asked: Vec<_> = (0..50)
            .map(|number| {
                let redeem = Request::redeem(CUSTOMER, &json!({"points": 100}));
                world.ask(number % nodes, &redeem)
            })
            .collect();
        world.run();
        let count = |status| {
            let replies = asked.iter().map(|it| world.only_reply(*it).status);
            replies.filter(|it| *it == status).count()
        };
        assert_eq!([count(201), count(400)], [1, 49], "{gateways:?}");
        let audit = Audit::of(&world, CUSTOMER);
        audit.check();
        assert_eq!(audit.balance(), Some(0));
    }
}

#[test]
fn a_write_after_a_refused_one_goes_on() {
    let mut world = World::single(config());
    let first = world.ask(0, &Request::redeem(CUSTOMER, &json!({"points": 1})));
    let second = world.ask(0, &add(1));
    let third = world.ask(0, &Request::redeem(CUSTOMER, &json!({"points": 2})));
    let fourth = world.ask(0, &Request::redeem(CUSTOMER, &json!({"points": 1})));
    world.run();
    let status = |asked| world.only_reply(asked).status;
    assert_eq!(
        [first, second, third, fourth].map(status),
        [404, 201, 400, 201]
    );
}

#[test]
fn a_stale_base_is_neither_believed_nor_in_the_way() {
    // Two gateways: what the first one remembers is behind as soon as the second one writes.
    for (elsewhere, here, status, balance) in [
        // It remembers too little: no wrong refusal.
        (
            Request::add(CUSTOMER, &json!({"points": 50})),
            Request::redeem(CUSTOMER, &json!({"points": 60})),
            201,
            Some(0),
        ),
        // It remembers too much: no double spending.
        (
            Request::redeem(CUSTOMER, &json!({"points": 10})),
            Request::redeem(CUSTOMER, &json!({"points": 10})),
            400,
            Some(0),
        ),
        // It remembers an account that is gone.
        (
            Request::delete(CUSTOMER),
            Request::redeem(CUSTOMER, &json!({"points": 10})),
            404,
            None,
        ),
        (
            Request::delete(CUSTOMER),
            Request::create(CUSTOMER, &json!({})),
            200,
            Some(0),
        ),
        (
            Request::delete(CUSTOMER),
            Request::add(CUSTOMER, &json!({"points": 5})),
            201,
            Some(5),
        ),
        // It does not remember that the id is taken.
        (
            Request::add(CUSTOMER, &json!({"id": "x", "points": 1})),
            Request::add(CUSTOMER, &json!({"id": "x", "points": 2})),
            409,
            Some(11),
        ),
        (
            Request::add(CUSTOMER, &json!({"id": "x", "points": 1})),
            Request::add(CUSTOMER, &json!({"id": "x", "points": 1})),
            201,
            Some(11),
        ),
    ] {
        let mut world = World::new(config(), &[1, 1]);
        world.expect(201, &Request::add(CUSTOMER, &json!({"points": 10})));
        assert!(world.reply_of(1, &elsewhere).status < 300);
        let reply = world.reply_of(0, &here);
        assert_eq!(reply.status, status, "{elsewhere:?}, then {here:?}");
        let audit = Audit::of(&world, CUSTOMER);
        audit.check();
        assert_eq!(audit.balance(), balance, "{elsewhere:?}, then {here:?}");
    }
}

#[test]
fn a_remembered_document_that_is_none_is_passed_over() {
    for junk in [
        &b""[..],
        b"\x01",
        b"\x02junk",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut world = World::new(config(), &[2]);
        // The other worker knows the store, and nothing of the account but what lies in shared data.
        world.reply_of(1, &Request::get("/customer/nobody"));
        world.expect(201, &Request::add(CUSTOMER, &json!({"points": 10})));
        let shared = std::rc::Rc::clone(&world.nodes[0].host.shared);
        let names = shared.borrow().keys();
        for name in names.iter().filter(|name| name.starts_with("rp/")) {
            shared.borrow_mut().put(name, junk);
        }
        let made = world.calls.len();
        let reply = world.reply_of(1, &Request::redeem(CUSTOMER, &json!({"points": 1})));
        assert_eq!(reply.status, 201);
        let methods: Vec<Method> = world.calls[made..]
            .iter()
            .map(|(_, call)| call.method)
            .collect();
        assert_eq!(methods, [Method::Range, Method::Txn]);
        assert_eq!(Audit::of(&world, CUSTOMER).balance(), Some(9));
    }
}
