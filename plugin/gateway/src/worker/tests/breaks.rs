//! What breaks besides calls: documents that are none, workers that die, clocks that end a lot in the middle of a write.

use serde_json::json;

use super::ledger_of_all::Audit;
use crate::access::test_support::permit;
use crate::accounts::keys::{AccountKey, CustomerId};
use crate::test_support::fault::Fault;
use crate::test_support::request::show;
use crate::test_support::{Request, World, config};

const CUSTOMER: &str = "614";

fn key() -> AccountKey {
    let customer = CustomerId::new(CUSTOMER.into()).expect("an id");
    AccountKey::new(permit("acme").tenant(), &customer)
}

#[test]
fn a_document_that_breaks_while_it_is_remembered_is_never_written_over() {
    for request in [
        Request::add(CUSTOMER, &json!({"points": 1})),
        Request::redeem(CUSTOMER, &json!({"points": 1})),
        Request::redeem(CUSTOMER, &json!({"points": 1000})),
        Request::create(CUSTOMER, &json!({})),
        Request::delete(CUSTOMER),
    ] {
        let mut world = World::single(config());
        world.expect(201, &Request::add(CUSTOMER, &json!({"points": 5})));
        for broken in [&b""[..], b"\x08\x02", b"\x08\x01", b"junk"] {
            world.engine.put(key().as_bytes(), broken);
            let before = world.engine.puts.len();
            let reply = world.reply(&request);
            assert_eq!(reply.status, 500, "{request:?}\n{}", show(&reply));
            assert_eq!(world.engine.puts.len(), before);
        }
    }
}

#[test]
fn what_a_dead_worker_left_under_way_is_done_once() {
    let add = Request::add(CUSTOMER, &json!({"id": "mine", "points": 7}));
    let delete_after = |world: &mut World| world.reply(&Request::delete(CUSTOMER));
    // The copy arrives before the retry, in the middle of it, after it, and after a deletion.
    for arrives_after_ms in [1, 2, 3, 4, 100] {
        for deleted in [false, true] {
            let mut world = World::new(config(), &[2]);
            world.expect(
                201,
                &Request::add(CUSTOMER, &json!({"id": "a", "points": 5})),
            );
            world.faults = Box::new(move |_, _| Fault::DeliveredAfter(arrives_after_ms));
            world.ask(0, &add);
            world.faults = Box::new(|_, _| Fault::None);
            world.restart(0, config());
            for node in [0, 1, 0] {
                assert_eq!(world.reply_of(node, &add).status, 201);
            }
            if deleted {
                assert_eq!(delete_after(&mut world).status, 200);
            }
            world.pass(200);
            world.run();
            let audit = Audit::of(&world, CUSTOMER);
            audit.check();
            assert_eq!(audit.written()["mine"], 1, "after {arrives_after_ms} ms");
            assert_eq!(audit.balance(), if deleted { None } else { Some(12) });
        }
    }
}

#[test]
fn a_lot_that_ends_while_its_redemption_is_resent_was_redeemed_in_time() {
    for fault in [Fault::AnswerLost, Fault::NotDelivered] {
        let mut world = World::single(config());
        let lot = json!({"points": 5, "validUntil": "2025-06-15T15:06:41Z"});
        world.expect(201, &Request::add(CUSTOMER, &lot));
        let now = world.clock.get();
        world.run_until(now + 500);
        let mut calls = 0;
        world.faults = Box::new(move |_, _| {
            calls += 1;
            if calls == 1 { fault } else { Fault::None }
        });
        if fault == Fault::NotDelivered {
            // Its resend comes after the end of the lot; it was decided before.
            world.clock.set(world.clock.get() + 480);
        }
        world.expect(201, &Request::redeem(CUSTOMER, &json!({"points": 5})));
        assert_eq!(world.engine.puts.len(), 2);
        world.expect(400, &Request::redeem(CUSTOMER, &json!({"points": 1})));
    }
}
