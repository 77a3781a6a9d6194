//! Whole requests against whole replies: status, headers in their order, body bytes.

mod around_bodies;
mod bodies;
mod browsers;
mod customer_ids;
mod decisions;
mod listing;
mod listing_calls;
mod listing_pages;
mod outcomes;
mod passage;
mod precedence;
mod refusals;
mod repeats;
mod steps;
mod success;
mod times;

use crate::test_support::request::show;
use crate::test_support::{Request, World, config};

/// One row: what it shows, the request, the whole reply.
type Row<'a> = (&'a str, Request, String);

/// A world in which customer 614 has 100 points.
fn with_614() -> World {
    let mut world = World::single(config());
    let body = serde_json::json!({"id": "first", "points": 100});
    world.expect(201, &Request::add("614", &body));
    world
}

/// Each row in a world of its own, made by `given`.
fn check(given: impl Fn() -> World, rows: Vec<Row<'_>>) {
    let mut world = given();
    for (name, request, expected) in rows {
        let reply = world.reply(&request);
        assert_eq!(show(&reply), expected, "{name}");
        world = given();
    }
}

/// Each row in a world of its own; refusals must leave everything as it was.
fn check_refusals(given: impl Fn() -> World, rows: Vec<Row<'_>>) {
    for (name, request, expected) in rows {
        let mut world = given();
        let before = world.engine.puts.clone();
        let reply = world.reply(&request);
        assert_eq!(show(&reply), expected, "{name}");
        assert_eq!(world.engine.puts, before, "{name} changed something");
    }
}

/// The classic shape of 400 for a path below the prefix.
fn bad_request(instance: &str, detail: &str) -> String {
    problem(400, "Bad Request", instance, detail)
}

/// The classic shape of every status that has none of its own.
fn problem(status: u16, title: &str, instance: &str, detail: &str) -> String {
    let detail = serde_json::Value::from(detail);
    format!(
        "{status}\ncontent-type: application/json\n\n\
         {{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{status},\"detail\":{detail},\"instance\":\"{instance}\"}}"
    )
}

/// 404 of an unknown customer.
fn unknown_customer(customer: &str) -> String {
    format!(
        "404\ncontent-type: application/json\n\n\
         {{\"type\":\"resource_not_found\",\"status\":404,\"message\":\"No reward points found for customer {customer}\"}}"
    )
}

/// 409.
fn conflict(customer: &str) -> String {
    format!(
        "409\ncontent-type: application/json\n\n\
         {{\"status\":409,\"type\":\"application/json\",\"message\":\"New Reward Point Entry not Created\",\"moreInfo\":\"\",\"details\":\
         [{{\"field\":null,\"type\":null,\"message\":\"Couldn't create a new reward point entry for the customer '{customer}'\",\"moreInfo\":\"\"}}]}}"
    )
}
