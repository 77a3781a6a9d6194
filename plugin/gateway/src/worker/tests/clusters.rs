//! Several clusters: each account lives in one of them, and one that is gone takes only its own customers along.

use serde_json::{Value, json};

use crate::access::test_support::permit;
use crate::accounts::keys::{AccountKey, CustomerId};
use crate::api::reply::Reply;
use crate::config::Config;
use crate::test_support::fault::Fault;
use crate::test_support::{CLUSTER, Request, World, config_with};

/// In the order of the configuration.
const CLUSTERS: [&str; 3] = [CLUSTER, "engine-b", "engine-c"];

fn ids(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200);
    let all: Vec<Value> = serde_json::from_slice(&reply.body).expect("JSON");
    let id = |it: &Value| it["customerId"].as_str().expect("an id").to_owned();
    all.iter().map(id).collect()
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let found = reply.headers.iter().find(|(it, _)| *it == name);
    found.map(|(_, value)| &**value)
}

fn list(world: &mut World, query: &str) -> Reply {
    world.reply(&Request::get(&format!("/summaryBatch{query}")))
}

fn three() -> Config {
    config_with(&json!({"engine": {"clusters": CLUSTERS}}))
}

fn key(customer: &str) -> AccountKey {
    let customer = CustomerId::new(customer.into()).expect("an id");
    AccountKey::new(permit("acme").tenant(), &customer)
}

/// The cluster that holds this customer, by the rule as documented.
fn home(customer: &str) -> &'static str {
    CLUSTERS[usize::from(key(customer).bucket()) * CLUSTERS.len() / 4096]
}

fn customers(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("c{number:04}")).collect()
}

fn add(customer: &str) -> Request {
    Request::add(customer, &json!({"points": 1}))
}

#[test]
fn every_account_lives_in_its_own_cluster_and_nowhere_else() {
    let mut world = World::single(three());
    let customers = customers(60);
    let asked: Vec<_> = customers.iter().map(|it| world.ask(0, &add(it))).collect();
    world.run();
    for one in asked {
        assert_eq!(world.only_reply(one).status, 201);
    }
    for cluster in CLUSTERS {
        let engine = world.engine_of(cluster);
        let held: Vec<&String> = customers
            .iter()
            .filter(|it| engine.get(key(it).as_bytes()).is_some())
            .collect();
        let at_home: Vec<&String> = customers.iter().filter(|it| home(it) == cluster).collect();
        assert_eq!(held, at_home, "{cluster}");
        assert!(!held.is_empty(), "{cluster}");
    }
    for customer in &customers {
        let path = format!("/customer/{customer}");
        let body = world.expect(200, &Request::get(&path)).body;
        assert!(String::from_utf8_lossy(&body).contains('1'));
    }
}

#[test]
fn a_list_asks_every_cluster() {
    let mut world = World::single(three());
    let customers = customers(90);
    for customer in &customers {
        world.expect(201, &add(customer));
    }
    assert_eq!(ids(&list(&mut world, "")), customers);
    for (number, page) in customers.chunks(7).enumerate() {
        let query = format!("/summaryBatch?pageSize=7&pageNumber={}", number + 1);
        let reply = world.reply(&Request::get(&query).header("x-total-count", "true"));
        assert_eq!(ids(&reply), page);
        assert_eq!(header(&reply, "x-total-count"), Some("90"));
    }
    let mut reply = list(&mut world, "?pageSize=50");
    let mut seen = ids(&reply);
    while let Some(cursor) = header(&reply, "x-next-cursor").map(str::to_owned) {
        reply = list(&mut world, &format!("?pageSize=50&next={cursor}"));
        seen.extend(ids(&reply));
    }
    assert_eq!(seen, customers);
}

#[test]
fn what_a_cluster_holds_of_others_buckets_is_not_listed() {
    let mut world = World::single(three());
    let customers = customers(30);
    for customer in &customers {
        world.expect(201, &add(customer));
    }
    // Left behind by another number of clusters.
    let stray = customers
        .iter()
        .find(|it| home(it) != CLUSTER)
        .expect("one");
    let path = key(stray);
    let value = world.engine_of(home(stray)).get(path.as_bytes());
    let value = value.expect("a document").value.clone();
    world.engine.put(path.as_bytes(), &value);
    assert_eq!(ids(&list(&mut world, "")), customers);
    assert_eq!(ids(&list(&mut world, "?pageSize=30")), customers);
}

#[test]
fn a_dead_cluster_fails_its_own_customers_alone() {
    let mut world = World::single(three());
    let customers = customers(30);
    let dead = "engine-b";
    world.faults = Box::new(move |_, call| match call.cluster == dead {
        true => Fault::NotDelivered,
        false => Fault::None,
    });
    let started_ms = world.clock.get();
    let asked: Vec<_> = customers.iter().map(|it| world.ask(0, &add(it))).collect();
    let reads: Vec<_> = customers
        .iter()
        .map(|it| world.ask(0, &Request::get(&format!("/customer/{it}"))))
        .collect();
    // The others do not wait for it.
    world.run_until(started_ms + 200);
    for (customer, (write, read)) in customers.iter().zip(asked.iter().zip(&reads)) {
        let answered = !world.replies[write].is_empty() && !world.replies[read].is_empty();
        assert_eq!(answered, home(customer) != dead, "{customer}");
    }
    world.run();
    for (customer, (write, read)) in customers.iter().zip(asked.iter().zip(&reads)) {
        let expected = if home(customer) == dead { 503 } else { 201 };
        assert_eq!(world.only_reply(*write).status, expected, "{customer}");
        if home(customer) == dead {
            assert_eq!(world.only_reply(*read).status, 503, "{customer}");
        }
    }
    // A list with a part missing would be a lie.
    assert_eq!(list(&mut world, "").status, 503);
    world.faults = Box::new(|_, _| Fault::None);
    for customer in &customers {
        world.expect(201, &add(customer));
    }
}

#[test]
fn each_cluster_feeds_the_copies_of_its_own_accounts() {
    let mut world = World::new(three(), &[1]);
    world.watching = true;
    world.run_to(|world| {
        let now = world.clock.get();
        let current = |place| {
            let known = world.nodes[0].worker.freshness(place);
            known.is_some_and(|it| it.age_ms(now, 1000).is_some())
        };
        (0..CLUSTERS.len()).all(current)
    });
    for customer in customers(9) {
        world.expect(201, &add(&customer));
        let reply = world.reply(&Request::get(&format!("/customer/{customer}")));
        let source = header(&reply, "x-points-source");
        assert_eq!((source, &reply.body[..]), (Some("cache"), &b"1"[..]));
        // What another program does reaches the copy by the feed of that cluster.
        let path = key(&customer);
        let engine = world.engine_of(home(&customer));
        engine.put(path.as_bytes(), b"no document");
        world.tell_watches();
        let told_ms = world.clock.get() + 10;
        world.run_until(told_ms);
        let reply = world.reply(&Request::get(&format!("/customer/{customer}")));
        assert_ne!(reply.status, 200, "{customer}");
    }
}
