//! A request that is wrong in two ways gets the earlier answer.

use serde_json::json;

use super::with_614;
use crate::access::test_support::NOW_SECONDS;
use crate::test_support::fault::Fault;
use crate::test_support::{Request, World};

/// Everything that can be wrong with an addPoints, in order of precedence: what to change, and the answer.
type Wrong = (&'static str, u16, fn(Request) -> Request);

fn again(request: Request, name: &str) -> Request {
    request.header(name, "x").header(name, "x")
}

/// Puts something else in the place of the customer's segment.
fn path(request: Request, from: &str, to: &str) -> Request {
    let mut request = request;
    for (name, value) in &mut request.headers {
        if name == b":path" {
            let path = String::from_utf8(value.clone()).expect("a path");
            *value = path.replace(from, to).into_bytes();
        }
    }
    request
}

fn body(request: Request, field: &str, value: serde_json::Value) -> Request {
    let mut body: serde_json::Value =
        serde_json::from_slice(request.body.as_deref().unwrap_or(b"{}")).expect("JSON");
    body[field] = value;
    request.body(body.to_string())
}

const WRONG: &[Wrong] = &[
    ("a repeated key", 400, |it| again(it, "idempotency-key")),
    ("no token", 401, |it| it.without("authorization")),
    ("an unknown path", 404, |it| {
        path(it, "/redeemPoints", "/redeemPoint")
    }),
    ("a wrong method", 405, |it| {
        it.without(":method").header(":method", "PATCH")
    }),
    ("a missing scope", 403, |it| {
        it.claims(&json!({"scope": "rewardspoints.rewardpoints_view"}))
    }),
    ("no JSON", 415, |it| {
        it.without("content-type")
            .header("content-type", "text/plain")
    }),
    ("a length that is too much", 413, |it| {
        it.header("content-length", "70000")
    }),
    ("an id that is none", 400, |it| path(it, "/614", "/%00")),
    ("no points", 400, |it| body(it, "points", json!(0))),
    ("a key used for another request", 422, |it| it.key("used")),
    ("an id that is taken", 409, |it| {
        body(it, "id", json!("first"))
    }),
    ("an unknown customer", 404, |it| path(it, "/614", "/615")),
    ("too much", 400, |it| body(it, "points", json!(101))),
];

/// 614 has 100 points, and so had 615; the key was used for both.
fn given() -> World {
    let mut world = with_614();
    for customer in ["614", "615"] {
        let body = json!({"id": "spare", "points": 1});
        world.expect(201, &Request::add(customer, &body));
        world.expect(
            201,
            &Request::redeem(customer, &json!({"points": 1})).key("used"),
        );
    }
    world.expect(200, &Request::delete("615"));
    world
}

fn good() -> Request {
    Request::redeem("614", &json!({"points": 100}))
}

#[test]
fn of_two_errors_the_earlier_one_is_told() {
    given().expect(201, &good());
    for (place, (name, status, change)) in WRONG.iter().enumerate() {
        // An id that is taken is one of 614; it is free where there is no account.
        given().expect(*status, &change(good()));
        for (later, _, also) in &WRONG[place + 1..] {
            let exclusive = matches!(
                (*name, *later),
                (
                    "an unknown path" | "an id that is none",
                    "an unknown customer" | "an id that is none"
                ) | ("an id that is taken", "an unknown customer")
                    | ("no points", "too much")
            );
            if exclusive {
                continue;
            }
            let request = change(also(good()));
            let mut world = given();
            let reply = world.reply(&request);
            let shown = crate::test_support::request::show(&reply);
            assert_eq!(reply.status, *status, "{name} and {later}:\n{shown}");
        }
    }
}

#[test]
fn what_is_told_before_the_engine_is_asked() {
    let mut world = given();
    world.faults = Box::new(|_, _| Fault::NotDelivered);
    let made = world.calls.len();
    for (name, status, change) in &WRONG[..9] {
        let reply = world.reply(&change(good()));
        assert_eq!(reply.status, *status, "{name}");
    }
    assert_eq!(
        world.calls.len(),
        made,
        "nothing of them reaches the engine"
    );
}

#[test]
fn only_the_holder_of_a_good_token_learns_anything() {
    let expired = json!({"exp": NOW_SECONDS - 31});
    for request in [
        Request::get("/nothing"),
        Request::new("PUT", "/customer/614"),
        Request::get("/customer/%00"),
        Request::get("/customer/615"),
        Request::get("/customer/614").header("emporix-tenant", "other"),
        Request::post("/customer/614", "{"),
    ] {
        given().expect(401, &request.clone().without("authorization"));
        given().expect(401, &request.claims(&expired));
    }
}

#[test]
fn a_missing_scope_comes_before_another_tenant() {
    let request = Request::get("/customer/614")
        .claims(&json!({"scope": "x"}))
        .header("emporix-tenant", "other");
    let reply = given().expect(403, &request);
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(body.contains("Scope validation failed"), "{body}");
}
