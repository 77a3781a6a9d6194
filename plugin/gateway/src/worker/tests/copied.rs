//! What a write leaves in shared data: the account as the engine has it, before the client hears of it.

use serde_json::json;

use crate::access::Tenant;
use crate::accounts::copies::{Copies, DEFAULT_CACHE_BYTES, Front, MAX_HELD_BYTES, Standing};
use crate::accounts::document;
use crate::accounts::keys::{AccountKey, CustomerId};
use crate::engine::StoreId;
use crate::test_support::request::show;
use crate::test_support::{Request, World, config};

/// The front that the workers share after a write, which must agree with what the engine has.
fn front_after(world: &mut World, request: &Request) -> Front {
    let reply = world.reply(request);
    assert!((200..300).contains(&reply.status), "{}", show(&reply));
    let customer = CustomerId::new(b"614".to_vec()).expect("an id");
    let key = AccountKey::new(&Tenant::for_test("acme"), &customer);
    let held = world.engine.get(key.as_bytes()).expect("a document");
    let copies = Copies::new(DEFAULT_CACHE_BYTES);
    let host = &world.nodes[0].host;
    let front = copies.front(host, key.digest()).expect("a front");
    assert_eq!((front.store, front.revision), (StoreId(1), held.revision));
    let known = copies.look_up(host, key.digest(), StoreId(1));
    let fits = held.value.len() <= MAX_HELD_BYTES;
    assert_eq!(
        known.map(|it| it.document),
        fits.then(|| held.value.clone())
    );
    let state = document::decode(&held.value).expect("a state");
    let clock = crate::host::Host::now(host);
    assert_eq!(front.standing, Standing::of(&state, clock));
    assert_eq!(front.epoch, 0, "no feed keeps it current");
    front
}

#[test]
fn every_write_leaves_its_result_in_shared_data() {
    let mut world = World::single(config());
    let balance = |front: Front| match front.standing {
        Standing::Live(span) => Some(span.balance.get()),
        Standing::Absent | Standing::Erased => None,
    };
    let add = |body| Request::add("614", &body);
    let front = front_after(&mut world, &Request::create("614", &json!({})));
    assert_eq!(balance(front), Some(0));
    let short = json!({"points": 25, "validUntil": "2099-01-01T00:00:00Z"});
    let front = front_after(&mut world, &add(short));
    assert_eq!(balance(front), Some(25));
    let front = front_after(&mut world, &Request::redeem("614", &json!({"points": 5})));
    assert_eq!(balance(front), Some(20));
    // A document that is too long to be held leaves a front, and the shorter one before it counts no longer.
    let long = "x".repeat(4000);
    for number in 1..=10 {
        let front = front_after(&mut world, &add(json!({"points": 1, "description": long})));
        assert_eq!(balance(front), Some(20 + number));
    }
    let front = front_after(&mut world, &Request::delete("614"));
    assert_eq!(front.standing, Standing::Erased);
}
