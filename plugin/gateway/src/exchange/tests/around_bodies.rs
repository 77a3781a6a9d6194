//! What stands around a body: its media type, its size, the site that the request is for.

use serde_json::json;

use super::{bad_request, check_refusals, problem, with_614};
use crate::test_support::{Request, World, config_with};

const ADD: &str = "/customer/614/addPoints";

fn add_raw(body: impl AsRef<[u8]>) -> Request {
    Request::post(ADD, body)
}

#[test]
fn media_types() {
    let unsupported = |path: &str| {
        problem(
            415,
            "Unsupported Media Type",
            path,
            "The body must be application/json in UTF-8",
        )
    };
    let typed = |value: &str| {
        Request::new("POST", ADD)
            .header("content-type", value)
            .body(r#"{"points": 5}"#)
    };
    let mut rows = vec![
        (
            "none",
            Request::new("POST", ADD).body("{}"),
            unsupported(ADD),
        ),
        (
            "none, for a creation",
            Request::new("POST", "/customer/1").body("{}"),
            unsupported("/customer/1"),
        ),
    ];
    for value in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "application/jsonx",
        "",
    ] {
        rows.push((value, typed(value), unsupported(ADD)));
    }
    check_refusals(with_614, rows);
    let mut world = with_614();
    for value in [
        "application/json",
        "Application/JSON; Charset=UTF-8",
        "application/json;charset=\"utf-8\"",
    ] {
        world.expect(201, &typed(value));
    }
    // Nothing is of no type.
    let empty = Request::new("POST", "/customer/1")
        .header("content-length", "0")
        .body("");
    world.expect(200, &empty);
}

#[test]
fn sizes() {
    let max = 64 * 1024;
    let too_large = |detail: &str| problem(413, "Content Too Large", ADD, detail);
    let sized = |length: usize| {
        let frame = r#"{"points": 5, "x": ""}"#.len();
        format!(r#"{{"points": 5, "x": "{}"}}"#, "x".repeat(length - frame))
    };
    let detail = "The body is longer than 65536 bytes";
    check_refusals(
        with_614,
        vec![
            (
                "one byte too many",
                add_raw(sized(max + 1)),
                too_large(detail),
            ),
            (
                "as it says itself",
                add_raw("{}").header("content-length", "65537"),
                too_large(detail),
            ),
        ],
    );
    let mut world = with_614();
    world.expect(201, &add_raw(sized(max)));
    world.expect(
        201,
        &add_raw(sized(max)).header("content-length", max.to_string()),
    );
    let mut small = World::single(config_with(&json!({"max_body_bytes": 20})));
    small.expect(201, &add_raw(r#"{"points": 10000000}"#));
    small.expect(413, &add_raw(r#"{"points": 100000000}"#));
}

#[test]
fn sites() {
    let site = |path: &str, code: &str| {
        Request::post(&format!("{path}?siteCode={code}"), r#"{"points": 5}"#)
    };
    let unknown = "Query parameter 'siteCode' must be the code of a known site";
    let create = "/customer/1";
    let mut rows = Vec::new();
    for code in ["other", "MAIN", "", "%00", "%ff", "main%20"] {
        rows.push((code, site(ADD, code), bad_request(ADD, unknown)));
        rows.push((code, site(create, code), bad_request(create, unknown)));
    }
    let twice = "Query parameter 'siteCode' was sent more than once";
    rows.push((
        "twice",
        site(ADD, "main&siteCode=main"),
        bad_request(ADD, twice),
    ));
    let escape = "The request target holds a malformed percent escape";
    rows.push(("escape", site(ADD, "%zz"), bad_request(ADD, escape)));
    check_refusals(with_614, rows);
    let mut world = with_614();
    for query in [
        "",
        "?",
        "?siteCode=main",
        "?siteCode=%6dain",
        "?site%43ode=yearly",
        "?x=%20&y&siteCode=monthly",
    ] {
        world.expect(
            201,
            &Request::post(&format!("{ADD}{query}"), r#"{"points": 5}"#),
        );
    }
    // Elsewhere it means nothing.
    for request in [
        Request::get("/customer/614?siteCode=other"),
        Request::new("DELETE", "/customer/614?siteCode=other"),
    ] {
        world.expect(200, &request);
    }
}
