//! The pages of one listing: what they cost together, which moment they show, and what becomes of them when that is gone.

use prost::Message;
use serde_json::json;

use super::listing::{fill, header, ids, list, numbered};
use crate::accounts::list::indexes::{KEPT_MS, REUSED_MS};
use crate::api::reply::Reply;
use crate::engine::Method;
use crate::test_support::{CLUSTER, Request, World, config, config_with};

/// Follows the cursors to the end: the ids of each page. `between` happens after each page.
fn follow(world: &mut World, size: usize, mut between: impl FnMut(&mut World)) -> Vec<Vec<String>> {
    let mut reply = list(world, &format!("?pageSize={size}"));
    let mut pages = vec![ids(&reply)];
    while let Some(next) = cursor(&reply) {
        between(world);
        reply = list(world, &format!("?pageSize={size}&next={next}"));
        pages.push(ids(&reply));
    }
    pages
}

fn cursor(reply: &Reply) -> Option<String> {
    header(reply, "x-next-cursor").map(str::to_owned)
}

/// Documents that the engine has handed out to the calls from here on.
fn documents(world: &mut World, from: usize) -> usize {
    let calls: Vec<_> = world.calls[from..].to_vec();
    let mut documents = 0;
    for (_, call) in calls {
        let answer = world
            .engine
            .execute(call.method, &call.message)
            .expect("an answer");
        documents += match call.method {
            Method::Range => etcd_wire::RangeResponse::decode(answer)
                .expect("a range")
                .kvs
                .len(),
            Method::Txn => etcd_wire::TxnResponse::decode(answer)
                .expect("a transaction")
                .responses
                .len(),
        };
    }
    documents
}

#[test]
fn all_pages_together_read_every_document_twice() {
    const ACCOUNTS: usize = 5000;
    let expected: Vec<String> = numbered(ACCOUNTS).collect();
    for size in [60, 1000] {
        let mut world = World::single(config());
        fill(&mut world, "acme", numbered(ACCOUNTS));
        let from = world.calls.len();
        let pages = follow(&mut world, size, |_| {});
        assert_eq!(pages.concat(), expected);
        // Once for the index, tombstones too, and once for the pages.
        let tombstones = 1;
        assert_eq!(documents(&mut world, from), 2 * ACCOUNTS + tombstones);
        let made = world.calls.len() - from;
        assert!(
            made < 25 + 4 * ACCOUNTS.div_ceil(size) + ACCOUNTS / 24,
            "{made}"
        );
        // By number it is the same.
        let from = world.calls.len();
        for (number, page) in expected.chunks(size).enumerate() {
            let query = format!("/summaryBatch?pageSize={size}&pageNumber={}", number + 1);
            let reply = world.reply(&Request::get(&query).header("x-total-count", "true"));
            assert_eq!(ids(&reply), page);
            assert_eq!(header(&reply, "x-total-count"), Some("5000"));
        }
        assert_eq!(documents(&mut world, from), 2 * ACCOUNTS + tombstones);
    }
}

#[test]
fn pages_along_cursors_are_of_one_moment() {
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(100));
    let mut number = 0;
    let pages = follow(&mut world, 10, |world| {
        // One that was shown, one that is still to come, a new one.
        for gone in [number, 99 - number] {
            world.expect(200, &Request::delete(&format!("c{gone:05}")));
        }
        world.expect(
            201,
            &Request::add(&format!("d{number}"), &json!({"points": 1})),
        );
        number += 1;
    });
    assert_eq!(pages.concat(), numbered(100).collect::<Vec<_>>());
    // A first page and a whole list show what is there now.
    assert_eq!(ids(&list(&mut world, "?pageSize=1000")).len(), 100 - 18 + 9);
    assert_eq!(ids(&list(&mut world, "")).len(), 100 - 18 + 9);
    assert_eq!(ids(&list(&mut world, "?pageSize=1"))[0], "c00009");
}

#[test]
fn a_listing_goes_on_behind_its_last_customer_when_its_moment_is_gone() {
    let gone: [fn(&mut World); 3] = [
        // Compacted away.
        |world| {
            world.engine.put(b"/elsewhere", b"x");
            world.engine.compact();
        },
        // Kept long enough.
        |world| world.pass(KEPT_MS),
        // Another engine with all that and more.
        |world| {
            let puts = world.engine.puts.clone();
            world.engine.replace();
            for put in puts {
                world.engine.put(&put.key, &put.value);
            }
            world.engine.put(b"/elsewhere", b"x");
        },
    ];
    for (place, lose) in gone.iter().enumerate() {
        let mut world = World::single(config());
        fill(&mut world, "acme", numbered(100));
        let mut done = 0;
        let pages = follow(&mut world, 30, |world| {
            done += 1;
            if done == 2 {
                world.expect(200, &Request::delete("c00070"));
                world.expect(200, &Request::delete("c00010"));
                lose(world);
            }
        });
        let expected: Vec<String> = numbered(100).filter(|it| it != "c00070").collect();
        assert_eq!(pages.concat(), expected, "{place}");
    }
}

#[test]
fn a_page_by_number_is_at_most_so_old() {
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(30));
    list(&mut world, "?pageSize=10");
    world.expect(200, &Request::delete("c00012"));
    let page = "?pageSize=10&pageNumber=2";
    assert_eq!(ids(&list(&mut world, page))[2], "c00012");
    world.pass(REUSED_MS + 1);
    assert_eq!(ids(&list(&mut world, page))[2], "c00013");
}

#[test]
fn another_worker_goes_on_with_the_listing() {
    let mut world = World::new(config(), &[2]);
    fill(&mut world, "acme", numbered(100));
    let first = list(&mut world, "?pageSize=40");
    let mut seen = ids(&first);
    let mut next = cursor(&first);
    let mut node = 1;
    while let Some(at) = next {
        let query = format!("/summaryBatch?pageSize=40&next={at}");
        let reply = world.reply_of(node, &Request::get(&query));
        seen.extend(ids(&reply));
        next = cursor(&reply);
        node = 1 - node;
    }
    assert_eq!(seen, numbered(100).collect::<Vec<_>>());
    // Nothing was written, so both speak of the same moment.
    assert!(cursor(&first).is_some_and(|it| it.starts_with("c00039:")));
}

#[test]
fn tenants_never_meet_in_an_index() {
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(50));
    fill(&mut world, "acmf", numbered(20));
    let next = cursor(&list(&mut world, "?pageSize=10")).expect("more");
    let query = format!("/summaryBatch?pageSize=30&next={next}");
    let reply = world.reply(&Request::of("acmf", "GET", &query));
    assert_eq!(ids(&reply), numbered(20).skip(10).collect::<Vec<_>>());
    let second = Request::of("acmf", "GET", "/summaryBatch?pageSize=15&pageNumber=2");
    assert_eq!(ids(&world.reply(&second)).len(), 5);
}

#[test]
fn a_listing_over_several_clusters_is_of_one_moment_of_each() {
    let clusters = [CLUSTER, "engine-b", "engine-c"];
    let config = config_with(&json!({"engine": {"clusters": clusters}}));
    let mut world = World::single(config);
    for customer in numbered(100) {
        world.expect(201, &Request::add(&customer, &json!({"points": 1})));
    }
    let mut number = 99;
    let pages = follow(&mut world, 7, |world| {
        world.expect(200, &Request::delete(&format!("c{number:05}")));
        number -= 1;
    });
    assert_eq!(pages.concat(), numbered(100).collect::<Vec<_>>());
    // One of them loses its moment: the listing goes on with a new one of all.
    let mut done = false;
    let pages = follow(&mut world, 50, |world| {
        world.expect(200, &Request::delete("c00060"));
        let other = world.engine_of("engine-c");
        other.put(b"/elsewhere", b"x");
        other.compact();
        assert!(!std::mem::replace(&mut done, true), "two pages");
    });
    let left: Vec<String> = numbered(86).filter(|it| it != "c00060").collect();
    assert_eq!(pages.concat(), left);
}
