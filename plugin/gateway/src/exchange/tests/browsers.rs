//! Browsers of other origins: asked before the token is, and told what they may read.

use serde_json::json;

use crate::test_support::request::show;
use crate::test_support::{Request, World, config, config_with};

const SHOP: &str = "https://shop.example";

fn open() -> World {
    World::single(config_with(
        &json!({"cors": {"origins": [SHOP], "max_age_seconds": 600}}),
    ))
}

fn preflight(path: &str, origin: &str) -> Request {
    Request::bare("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
}

#[test]
fn a_preflight_is_answered_without_a_token() {
    let mut world = open();
    let reply = world.reply(&preflight("/reward-points/customer/614", SHOP));
    assert_eq!(
        show(&reply),
        "204\naccess-control-allow-origin: https://shop.example\n\
         access-control-allow-methods: GET, POST, DELETE\n\
         access-control-allow-headers: Authorization, Cache-Control, Content-Type, Accept-Language, Emporix-Tenant, Idempotency-Key, X-Points-Revision, X-Total-Count\n\
         access-control-max-age: 600\n\
         vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    );
    for request in [
        preflight("/reward-points/customer/614", "https://other.example"),
        preflight("/reward-points/nothing", SHOP),
        Request::bare("OPTIONS", "/reward-points/customer/614").header("origin", SHOP),
    ] {
        let reply = world.reply(&request);
        assert_eq!(reply.status, 401, "{request:?}");
    }
    let mut closed = World::single(config());
    let reply = closed.reply(&preflight("/reward-points/customer/614", SHOP));
    assert_eq!(reply.status, 401);
    assert!(
        reply
            .headers
            .iter()
            .all(|(name, _)| !name.starts_with("access-control"))
    );
}

#[test]
fn every_answer_says_whether_a_page_may_read_it() {
    let mut world = open();
    for (request, status) in [
        (Request::get("/customer/nobody"), 404),
        (
            Request::get("/customer/nobody").without("authorization"),
            401,
        ),
        (Request::add("614", &json!({"points": 1})), 201),
        (Request::add("614", &json!({"points": 0})), 400),
        (
            Request::get("/customer/614").claims(&json!({"scope": ""})),
            403,
        ),
    ] {
        let reply = world.expect(status, &request.clone().header("origin", SHOP));
        let has = |name: &str, value: &str| {
            reply
                .headers
                .iter()
                .any(|(it, held)| *it == name && held == value)
        };
        assert!(has("access-control-allow-origin", SHOP), "{request:?}");
        assert!(has("vary", "Origin"));
        let foreign = world.reply(&request.header("origin", "https://other.example"));
        let names: Vec<&str> = foreign.headers.iter().map(|(name, _)| *name).collect();
        assert!(names.contains(&"vary") && !names.contains(&"access-control-allow-origin"));
    }
}
