//! Pages of other origins: what their browsers are told before they ask, with each answer, and by a gateway without CORS.

use e2e::{Answer, Call, Combination, Reply};
use serde_json::{Value, json};

use super::rules::{Guarded, plugin};

const SHOP: &str = "https://shop.example";
const EXPOSED: &str = "Age, Allow, Idempotency-Replayed, Retry-After, WWW-Authenticate, X-Next-Cursor, X-Points-Revision, X-Points-Source, X-Points-Stale, X-Total-Count";
const ALLOWED: &str = "Authorization, Cache-Control, Content-Type, Accept-Language, Emporix-Tenant, Idempotency-Key, X-Points-Revision, X-Total-Count";

/// What an answer says to browsers.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    origin: Vec<String>,
    exposed: Vec<String>,
    vary: Vec<String>,
    /// Everything else that belongs to CORS.
    rest: Vec<(String, String)>,
}

fn said(answer: &Answer) -> Said {
    let mut said = Said {
        origin: vec![],
        exposed: vec![],
        vary: vec![],
        rest: vec![],
    };
    for (name, value) in &answer.headers {
        match name.as_str() {
            "access-control-allow-origin" => said.origin.push(value.clone()),
            "access-control-expose-headers" => said.exposed.push(value.clone()),
            "vary" => said.vary.push(value.clone()),
            cors if cors.starts_with("access-control-") => {
                said.rest.push((name.clone(), value.clone()));
            }
            _ => {}
        }
    }
    said.rest.sort();
    said
}

/// What every answer says to a page of `origin`, and on what it depends.
fn decorated(origin: Option<&str>, vary: Option<&str>) -> Said {
    let strings = |value: Option<&str>| value.map(str::to_owned).into_iter().collect();
    Said {
        origin: strings(origin),
        exposed: strings(origin.map(|_| EXPOSED)),
        vary: strings(vary),
        rest: vec![],
    }
}

pub async fn check(on: Combination) {
    let origins = json!([SHOP, "http://localhost:3000"]);
    let named = start(
        on,
        Some(json!({ "origins": origins, "max_age_seconds": 300 })),
    )
    .await;
    preflights(&named, on).await;
    for (origins, allowed) in [
        (&[SHOP][..], Some(SHOP)),
        (&["http://localhost:3000"], Some("http://localhost:3000")),
        (&["https://shop.example.evil"], None),
        (&["http://shop.example"], None),
        (&["https://shop.example:8443"], None),
        (&["null"], None),
        (&["*"], None),
        (&[SHOP, SHOP], None),
        (&[], None),
    ] {
        let expected = decorated(allowed, Some("Origin"));
        answers(&named, origins, &expected).await;
    }
    let any = start(on, Some(json!({ "origins": ["*"] }))).await;
    for origins in [&[SHOP][..], &["null"], &[]] {
        answers(&any, origins, &decorated(Some("*"), None)).await;
    }
    let answer = preflight(&any, "/reward-points/summaryBatch", &[SHOP], "GET").await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (204, Some("*")),
        "{on}"
    );
    assert_eq!(answer.header("access-control-max-age"), Some("600"), "{on}");
    drop(any);

    let off = start(on, None).await;
    let answer = preflight(&off, "/reward-points/summaryBatch", &[SHOP], "GET").await;
    assert_eq!(
        (answer.status, said(&answer)),
        (401, decorated(None, None)),
        "{on}"
    );
    answers(&off, &[SHOP], &decorated(None, None)).await;
}

async fn start(on: Combination, cors: Option<Value>) -> Guarded {
    let mut plugin = plugin();
    if let Some(cors) = cors {
        plugin["cors"] = cors;
    }
    let guarded = Guarded::start_with(on, plugin).await;
    // What a service says to browsers is its own affair.
    let reply =
        Reply::new(200, "from behind").header("access-control-allow-origin", "https://its.own");
    guarded.upstream.answers(reply.header("vary", "Accept"));
    guarded
}

async fn preflight(guarded: &Guarded, path: &str, origins: &[&str], method: &str) -> Answer {
    let mut call = Call::new("OPTIONS", path);
    if !method.is_empty() {
        call = call
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization");
    }
    for origin in origins {
        call = call.header("origin", origin);
    }
    guarded.ask(&call).await
}

/// They come without a token, and are answered before one is asked for.
async fn preflights(guarded: &Guarded, on: Combination) {
    let before = guarded.stack.stat("reward_points.access.unauthenticated");
    for (path, methods) in [
        ("/reward-points/summaryBatch", "GET"),
        ("/reward-points/customer/7", "GET, POST, DELETE"),
        ("/reward-points/customer/a%2Fb/summary?x=1", "GET"),
        ("/reward-points/customer/7/addPoints?siteCode=main", "POST"),
        ("/reward-points/customer/7/redeemPoints", "POST"),
    ] {
        for method in ["GET", "POST", "DELETE", "PATCH"] {
            let answer = preflight(guarded, path, &[SHOP], method).await;
            assert_eq!(answer.brief(), "204 ", "{on}: {path}");
            let rest = [
                ("access-control-allow-headers", ALLOWED),
                ("access-control-allow-methods", methods),
                ("access-control-max-age", "300"),
            ];
            let expected = Said {
                origin: vec![SHOP.to_owned()],
                exposed: vec![],
                vary: vec![
                    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
                        .to_owned(),
                ],
                rest: rest
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .to_vec(),
            };
            assert_eq!(said(&answer), expected, "{on}: {path}");
        }
    }
    assert_eq!(
        guarded.stack.stat("reward_points.access.unauthenticated"),
        before,
        "{on}"
    );
    // What is no preflight, or not from one of these pages, is judged as what it is.
    for (path, origins, method, status, allowed) in [
        (
            "/reward-points/summaryBatch",
            &["https://evil.example"][..],
            "GET",
            401,
            None,
        ),
        ("/reward-points/summaryBatch", &[], "GET", 401, None),
        (
            "/reward-points/summaryBatch",
            &[SHOP, SHOP],
            "GET",
            401,
            None,
        ),
        ("/reward-points/summaryBatch", &[SHOP], "", 401, Some(SHOP)),
        ("/reward-points/nothing", &[SHOP], "GET", 401, Some(SHOP)),
        ("/orders/1", &[SHOP], "GET", 403, Some(SHOP)),
    ] {
        let answer = preflight(guarded, path, origins, method).await;
        assert_eq!(answer.status, status, "{on}: {path} {origins:?}");
        assert_eq!(
            said(&answer),
            decorated(allowed, Some("Origin")),
            "{on}: {path} {origins:?}"
        );
    }
    assert_eq!(guarded.upstream.count(), 0, "{on}");
}

/// Every answer of the gateway says the same to browsers, whatever it says otherwise; those of services pass as they are.
async fn answers(guarded: &Guarded, origins: &[&str], expected: &Said) {
    let on = guarded.stack.combination();
    let points = guarded.stack.token("acme");
    let orders = guarded.token("orders.view", json!({}));
    let long = format!(r#"{{"points":1,"description":"{}"}}"#, "x".repeat(70_000));
    let calls = [
        (Call::add("alice", r#"{"points":1}"#).bearer(&points), 201),
        (Call::balance("alice").bearer(&points), 200),
        (Call::get("/summaryBatch").bearer(&points), 200),
        (Call::balance("alice"), 401),
        (Call::balance("alice").bearer("bad"), 401),
        (Call::balance("alice").bearer(&orders), 403),
        (
            Call::balance("alice")
                .bearer(&points)
                .header("emporix-tenant", "other"),
            403,
        ),
        (Call::balance("nobody").bearer(&points), 404),
        (Call::get("/nothing").bearer(&points), 404),
        (
            Call::new("PUT", "/reward-points/customer/alice").bearer(&points),
            405,
        ),
        (Call::add("alice", "{").bearer(&points), 400),
        (Call::add("alice", long).bearer(&points), 413),
        (Call::new("GET", "/orders/1"), 401),
        (Call::new("GET", "/secret").bearer(&orders), 403),
        (Call::new("GET", "/orders//1").bearer(&orders), 400),
    ];
    let from = |call: Call| {
        origins
            .iter()
            .fold(call, |call, origin| call.header("origin", origin))
    };
    for (call, status) in calls {
        let what = format!("{on}: {} {} from {origins:?}", call.method, call.path);
        let answer = guarded.ask(&from(call)).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.brief());
        assert_eq!(&said(&answer), expected, "{what}");
    }
    let answer = guarded
        .ask(&from(Call::new("GET", "/orders/1").bearer(&orders)))
        .await;
    let own = Said {
        origin: vec!["https://its.own".to_owned()],
        exposed: vec![],
        vary: vec!["Accept".to_owned()],
        rest: vec![],
    };
    assert_eq!((answer.status, said(&answer)), (200, own), "{on}");
    assert_eq!(guarded.upstream.take().len(), 1, "{on}");
}
