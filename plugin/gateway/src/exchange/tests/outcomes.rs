//! Refusals that only the account or the engine can give, byte for byte.

use serde_json::json;

use super::{bad_request, check_refusals, conflict, problem, unknown_customer, with_614};
use crate::accounts::document;
use crate::accounts::keys::{AccountKey, CustomerId};
use crate::test_support::large::{key_of, put_account_of_lots};
use crate::test_support::request::show;
use crate::test_support::{Request, World, config};

#[test]
fn the_state_of_the_account() {
    let insufficient = "Cannot redeem 101 points: only 100 are active";
    check_refusals(
        with_614,
        vec![
            ("balance of nobody", Request::get("/customer/202429132"), unknown_customer("202429132")),
            ("summary of nobody", Request::get("/customer/x/summary"), unknown_customer("x")),
            ("redeem of nobody", Request::redeem("x", &json!({"points": 1})), unknown_customer("x")),
            ("a name is quoted", Request::get("/customer/%22"), unknown_customer("\\\"")),
            ("create what exists", Request::new("POST", "/customer/614"), conflict("614")),
            ("an id that is taken", Request::add("614", &json!({"id": "first", "points": 99})), conflict("614")),
            ("an id of another kind", Request::redeem("614", &json!({"id": "first", "points": 100})), conflict("614")),
            ("too much", Request::redeem("614", &json!({"points": 101})), bad_request("/customer/614/redeemPoints", insufficient)),
            (
                "nobody, as problem details",
                Request::get("/customer/x").header("accept", "application/problem+json"),
                "404\ncontent-type: application/problem+json\n\n{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\
                 \"detail\":\"No reward points found for customer x\",\"instance\":\"/customer/x\"}".to_owned(),
            ),
            (
                "a conflict, as problem details",
                Request::new("POST", "/customer/614").header("accept", "application/problem+json"),
                "409\ncontent-type: application/problem+json\n\n{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,\
                 \"detail\":\"Couldn't create a new reward point entry for the customer '614'\",\"instance\":\"/customer/614\"}".to_owned(),
            ),
        ],
    );
}

#[test]
fn a_document_that_is_none() {
    let corrupt = || {
        let mut world = World::single(config());
        let customer = CustomerId::new(b"300".to_vec()).expect("an id");
        let permit = crate::access::test_support::permit("acme");
        let key = AccountKey::new(permit.tenant(), &customer);
        world.engine.put(key.as_bytes(), b"\x08\x07");
        world
    };
    let internal = |path: &str| {
        format!(
            "500\ncontent-type: application/json\n\n\
             {{\"timestamp\":\"2025-06-15T15:06:40.002+00:00\",\"status\":500,\"error\":\"Internal Server Error\",\"path\":\"{path}\"}}"
        )
    };
    check_refusals(
        corrupt,
        vec![
            ("balance", Request::get("/customer/300"), internal("/customer/300")),
            ("summary", Request::get("/customer/300/summary"), internal("/customer/300/summary")),
            ("list", Request::get("/summaryBatch"), internal("/summaryBatch")),
            ("add", Request::add("300", &json!({"points": 1})), internal("/customer/300/addPoints")),
            ("redeem", Request::redeem("300", &json!({"points": 1})), internal("/customer/300/redeemPoints")),
            ("create", Request::new("POST", "/customer/300"), internal("/customer/300")),
            ("delete", Request::delete("300"), internal("/customer/300")),
            (
                "as problem details",
                Request::get("/customer/300").header("accept", "application/problem+json"),
                "500\ncontent-type: application/problem+json\n\n{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500,\
                 \"detail\":\"Internal Server Error\",\"instance\":\"/customer/300\"}".to_owned(),
            ),
        ],
    );
    let mut world = corrupt();
    world.expect(500, &Request::get("/customer/300"));
    let lines = world.nodes[0].host.lines.borrow();
    assert_eq!(lines.len(), 1, "the operator is told once");
    let line = &lines[0].1;
    assert!(line.starts_with("corrupt_document"), "{line}");
    assert!(
        line.contains("/points/1/account/acme/"),
        "and where: {line}"
    );
}

#[test]
fn an_engine_that_does_not_answer() {
    let detail = "The request is not known to be done. It is safe to send it again with the same Idempotency-Key or id";
    let unavailable = |instance: &str| {
        let text = problem(503, "Service Unavailable", instance, detail);
        text.replace("application/json\n", "application/json\nretry-after: 1\n")
    };
    for (request, instance) in [
        (Request::get("/customer/614"), "/customer/614"),
        (
            Request::get("/customer/614/summary"),
            "/customer/614/summary",
        ),
        (Request::get("/summaryBatch"), "/summaryBatch"),
        (
            Request::add("614", &json!({"points": 1})),
            "/customer/614/addPoints",
        ),
        (
            Request::redeem("614", &json!({"points": 1})),
            "/customer/614/redeemPoints",
        ),
        (Request::new("POST", "/customer/1"), "/customer/1"),
        (Request::delete("614"), "/customer/614"),
    ] {
        let mut world = with_614();
        world.faults = Box::new(|_, _| crate::test_support::fault::Fault::NotDelivered);
        assert_eq!(show(&world.reply(&request)), unavailable(instance));
        assert_eq!(world.engine.puts.len(), 1);
    }
}

#[test]
fn the_statuses_without_a_shape_of_their_own_as_problem_details() {
    let redeem = |points: u32| Request::redeem("614", &json!({"points": points}));
    let path = "/customer/614/redeemPoints";
    let mut world = with_614();
    world.expect(201, &redeem(1).key("used"));
    for (status, title, request, detail) in [
        (
            400,
            "Bad Request",
            redeem(100),
            "Cannot redeem 100 points: only 99 are active",
        ),
        (
            405,
            "Method Not Allowed",
            redeem(1).without(":method").header(":method", "GET"),
            "This path is served with POST",
        ),
        (
            413,
            "Content Too Large",
            redeem(1).header("content-length", "65537"),
            "The body is longer than 65536 bytes",
        ),
        (
            415,
            "Unsupported Media Type",
            redeem(1).without("content-type"),
            "The body must be application/json in UTF-8",
        ),
        (
            422,
            "Unprocessable Content",
            redeem(2).key("used"),
            "The Idempotency-Key was used before for a different request",
        ),
    ] {
        let reply = world.reply(&request.header("accept", "application/problem+json, */*;q=0.9"));
        let classic = problem(status, title, path, detail);
        let expected = classic.replace("application/json", "application/problem+json");
        let allow = expected.replace("+json\n", "+json\nallow: POST\n");
        // The sentence about the media type names it too.
        let expected = if status == 405 { allow } else { expected };
        let expected = expected.replace(
            "must be application/problem+json",
            "must be application/json",
        );
        assert_eq!(show(&reply), expected);
    }
}

#[test]
fn an_account_that_is_full_takes_no_more_and_can_still_be_used_up_or_deleted() {
    let mut world = World::single(config());
    let size = |world: &World, customer: &str| {
        let document = world.engine.get(key_of(customer).as_bytes());
        document.expect("a document").value.len()
    };
    put_account_of_lots(&mut world.engine, "other", 1000);
    let each = size(&world, "other") / 1000;
    let most = document::MAX_DOCUMENT_BYTES - document::REDEEM_RESERVE_BYTES;
    let lots = u64::try_from(most / each).expect("a number of lots");
    put_account_of_lots(&mut world.engine, "614", lots);
    let detail = "The account cannot hold more entries";
    let id = "x".repeat(120);
    let add = |number: u64| {
        let body = json!({"points": 1, "id": format!("{id}{number}")});
        Request::add("614", &body)
    };
    let mut replies = (0..9).map(|number| world.reply(&add(number)));
    let refused = replies.find(|reply| reply.status != 201);
    let refused = refused.expect("an account that is full");
    assert_eq!(
        show(&refused),
        bad_request("/customer/614/addPoints", detail)
    );
    let long = "x".repeat(4000);
    let redeem = Request::redeem("614", &json!({"points": 1, "description": long}));
    for _ in 0..9 {
        world.expect(
            201,
            &redeem.clone().key(&world.engine.puts.len().to_string()),
        );
    }
    assert!(size(&world, "614") > most);
    world.expect(200, &Request::get("/customer/614/summary"));
    world.expect(200, &Request::delete("614"));
    world.expect(404, &Request::get("/customer/614"));
    world.expect(201, &Request::add("614", &json!({"points": 1})));
}

#[test]
fn no_randomness_means_not_begun() {
    let mut world = with_614();
    world.nodes[0].host.no_randomness.set(true);
    for request in [
        Request::add("614", &json!({"points": 1})),
        Request::redeem("614", &json!({"points": 1})),
        Request::new("POST", "/customer/1"),
        Request::delete("614"),
    ] {
        world.expect(503, &request);
    }
    // An id of the client's own needs none.
    world.expect(
        201,
        &Request::add("614", &json!({"id": "mine", "points": 1})),
    );
    assert_eq!(world.engine.puts.len(), 2);
}
