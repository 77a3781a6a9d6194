//! The seven operations as a client sees them: statuses, the headers that the contract names, bodies byte for byte.
//!
//! One story is told several times on each combination: over HTTP/1.1 and HTTP/2, under tokens of each algorithm, each
//! time for a tenant of its own beside another that must not notice.

use e2e::{Answer, Call, Client, Stack, Version, everywhere, mask, run};
use serde_json::{Value, json};
use testbed::{Algorithm, TokenRequest};

everywhere!(the_seven_operations, refusals_in_the_words_of_the_contract);

/// A client under one token.
struct Speaker {
    client: Client,
    token: String,
    name: String,
}

impl Speaker {
    async fn ask(&mut self, call: Call) -> Answer {
        let call = call.bearer(&self.token);
        let what = format!("{}: {} {}", self.name, call.method, call.path);
        let sent = self.client.send(&call).await;
        sent.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Sends `call` and compares status, type and masked body.
    async fn expect(&mut self, call: Call, status: u16, body: &str) -> Answer {
        let what = format!("{}: {} {}", self.name, call.method, call.path);
        let answer = self.ask(call).await;
        assert_eq!(
            (answer.status, mask(&answer.text()).as_str()),
            (status, body),
            "{what}"
        );
        let kind = (!body.is_empty()).then_some("application/json");
        assert_eq!(answer.header("content-type"), kind, "{what}");
        // In HTTP/2 an answer without a body ends with its head.
        let length = body_length(&answer).unwrap_or(0);
        assert_eq!(length, answer.body.len(), "{what}");
        answer
    }
}

fn body_length(answer: &Answer) -> Option<usize> {
    answer.header("content-length")?.parse().ok()
}

fn the_seven_operations(on: e2e::Combination) {
    run(async {
        let stack = Stack::start(on);
        for (version, name) in [(Version::Http1, "h1"), (Version::Http2, "h2")] {
            for algorithm in Algorithm::ALL {
                let tenant = format!("{name}{}", algorithm.name().to_lowercase());
                let token = |tenant: &str| {
                    let request = TokenRequest::new(tenant);
                    stack.token_of(&TokenRequest {
                        algorithm,
                        ..request
                    })
                };
                let speaker = |tenant: String, client| Speaker {
                    token: token(&tenant),
                    name: format!("{on} {tenant}"),
                    client,
                };
                let connect = || Client::connect(stack.address(), version);
                let mut ours = speaker(tenant.clone(), connect().await.expect("connect"));
                let mut other = speaker(format!("{tenant}b"), connect().await.expect("connect"));
                one_life(&mut ours, &mut other).await;
                // A 400, 404 or 409 is an answer like any other: the next request may follow on the same connection.
                assert_eq!(ours.client.closes(), 0, "{on} {tenant}");
            }
        }
        stack.assert_no_vm_was_reloaded();
    });
}

/// An account from its creation to its end, beside another tenant's account of the same name.
async fn one_life(ours: &mut Speaker, other: &mut Speaker) {
    let unknown = r#"{"type":"resource_not_found","status":404,"message":"No reward points found for customer alice"}"#;
    ours.expect(Call::get("/summaryBatch"), 200, "[]").await;
    ours.expect(Call::balance("alice"), 404, unknown).await;
    ours.expect(Call::summary("alice"), 404, unknown).await;
    ours.expect(Call::redeem("alice", r#"{"points":1}"#), 404, unknown)
        .await;

    let create = Call::post(
        "/customer/alice?siteCode=main",
        r#"{"customerId":"alice","startPoints":{"points":100,"description":"welcome"}}"#,
    );
    ours.expect(create.clone(), 200, "").await;
    let exists = r#"{"status":409,"type":"application/json","message":"New Reward Point Entry not Created","moreInfo":"","details":[{"field":null,"type":null,"message":"Couldn't create a new reward point entry for the customer 'alice'","moreInfo":""}]}"#;
    ours.expect(create, 409, exists).await;
    other.expect(Call::balance("alice"), 404, unknown).await;
    other
        .expect(Call::add("alice", r#"{"points":7,"id":"theirs"}"#), 201, "")
        .await;

    let add = Call::add(
        "alice",
        r#"{"id":"add-1","reference-id":"order-7","description":"order 7","points":50,"validUntil":"2099-01-01T00:00:00Z"}"#,
    );
    ours.expect(add.clone(), 201, "").await;
    // The same id with the same payload: nothing happens again.
    ours.expect(add, 201, "").await;
    ours.expect(
        Call::add("alice", r#"{"id":"add-1","points":51}"#),
        409,
        exists,
    )
    .await;
    ours.expect(Call::balance("alice"), 200, "150").await;

    let too_much = r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"Cannot redeem 151 points: only 150 are active","instance":"/customer/alice/redeemPoints"}"#;
    ours.expect(Call::redeem("alice", r#"{"points":151}"#), 400, too_much)
        .await;
    let redeem = r#"{"id":"redeem-1","description":"a mug","points":120}"#;
    ours.expect(Call::redeem("alice", redeem), 201, "").await;
    ours.expect(Call::balance("alice"), 200, "30").await;

    // What expires first was used first, although it was added last.
    let summary = r#"{"customerId":"alice","activePoints":30,"summary":{"addedPointsList":[{"id":"UUID","reference-id":null,"description":"welcome","points":100,"createdAt":"TIME","validUntil":null,"allPointsAfterCreation":100,"usedPoints":70,"usedWith":["redeem-1"]},{"id":"add-1","reference-id":"order-7","description":"order 7","points":50,"createdAt":"TIME","validUntil":"2099-01-01T00:00:00.000+00:00","allPointsAfterCreation":150,"usedPoints":50,"usedWith":["redeem-1"]}],"redeemedPointsList":[{"id":"redeem-1","description":"a mug","points":120,"createdAt":"TIME","allPointsAfterCreation":30}]}}"#;
    ours.expect(Call::summary("alice"), 200, summary).await;
    let theirs = r#"{"customerId":"alice","activePoints":7,"summary":{"addedPointsList":[{"id":"theirs","reference-id":null,"description":"","points":7,"createdAt":"TIME","validUntil":null,"allPointsAfterCreation":7,"usedPoints":0,"usedWith":[]}],"redeemedPointsList":[]}}"#;
    other.expect(Call::summary("alice"), 200, theirs).await;

    pages(ours, summary).await;
    other
        .expect(Call::get("/summaryBatch"), 200, &format!("[{theirs}]"))
        .await;

    ours.expect(Call::delete("/customer/alice"), 200, "").await;
    ours.expect(Call::delete("/customer/alice"), 200, "").await;
    ours.expect(Call::balance("alice"), 404, unknown).await;
    other.expect(Call::balance("alice"), 200, "7").await;
    // A life after: from zero, also without a body.
    ours.expect(Call::new("POST", "/reward-points/customer/alice"), 200, "")
        .await;
    ours.expect(Call::balance("alice"), 200, "0").await;
}

/// The list: whole, in pages, by cursor, with the total on request.
async fn pages(ours: &mut Speaker, alice: &str) {
    let empty = |customer: &str| {
        format!(
            r#"{{"customerId":"{customer}","activePoints":0,"summary":{{"addedPointsList":[],"redeemedPointsList":[]}}}}"#
        )
    };
    for customer in ["carol", "bob"] {
        let call = Call::new("POST", format!("/reward-points/customer/{customer}"));
        ours.expect(call, 200, "").await;
    }
    let (bob, carol) = (empty("bob"), empty("carol"));
    let whole = format!("[{alice},{bob},{carol}]");
    ours.expect(Call::get("/summaryBatch"), 200, &whole).await;

    let page = Call::get("/summaryBatch?pageNumber=2&pageSize=2");
    let page = page.header("x-total-count", "true");
    let answer = ours.expect(page, 200, &format!("[{carol}]")).await;
    assert_eq!(answer.header("x-total-count"), Some("3"));
    assert_eq!(answer.header("x-next-cursor"), None);

    let first = Call::get("/summaryBatch?pageSize=2");
    let answer = ours.expect(first, 200, &format!("[{alice},{bob}]")).await;
    assert_eq!(answer.header("x-total-count"), None);
    let cursor = answer.header("x-next-cursor").expect("a cursor").to_owned();
    let next = Call::get(&format!("/summaryBatch?pageSize=2&next={cursor}"));
    ours.expect(next, 200, &format!("[{carol}]")).await;
}

fn refusals_in_the_words_of_the_contract(on: e2e::Combination) {
    run(async {
        let stack = Stack::start(on);
        for version in [Version::Http1, Version::Http2] {
            let client = Client::connect(stack.address(), version).await;
            let mut speaker = Speaker {
                client: client.expect("connect"),
                token: stack.token("acme"),
                name: format!("{on} {version:?}"),
            };
            tokens(&stack, &mut speaker).await;
            scopes_and_tenants(&stack, &mut speaker).await;
            paths_and_types(&mut speaker).await;
            idempotency_keys(&mut speaker, version).await;
        }
        stack.assert_no_vm_was_reloaded();
    });
}

/// 401, with the challenge that fits.
async fn tokens(stack: &Stack, speaker: &mut Speaker) {
    let invalid = r#"{"fault":{"faultstring":"Invalid access token","detail":{"errorcode":"oauth.v2.InvalidAccessToken"}}}"#;
    let expired = r#"{"fault":{"faultstring":"Access Token expired","detail":{"errorcode":"keymanagement.service.access_token_expired"}}}"#;
    let sent = r#"Bearer realm="reward-points", error="invalid_token""#;
    let claims = json!({
        "iss": testbed::DEV_ISSUER, "sub": "s", "tenant": "acme", "exp": 1_700_000_000, "iat": 1_600_000_000,
        "scope": TokenRequest::DEFAULT_SCOPE,
    });
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims["exp"] = json!(4_000_000_000_u64);
        claims[name] = value;
        let signed = stack
            .keys()
            .sign(Algorithm::Es256, claims)
            .expect("a token");
        format!("Bearer {signed}")
    };
    let old = stack.keys().sign(Algorithm::EdDsa, claims.clone());
    let cut = speaker.token[..speaker.token.len() - 4].to_owned();
    let cases = [
        (None, invalid, r#"Bearer realm="reward-points""#),
        (
            Some("Basic YTpi".to_owned()),
            invalid,
            r#"Bearer realm="reward-points""#,
        ),
        (Some("Bearer x".to_owned()), invalid, sent),
        (Some(format!("Bearer {cut}")), invalid, sent),
        (Some(format!("Bearer {}", "a".repeat(8193))), invalid, sent),
        (
            Some(changed("iss", json!("https://elsewhere/"))),
            invalid,
            sent,
        ),
        (Some(changed("tenant", json!("ACME"))), invalid, sent),
        (Some(changed("tenant", json!(null))), invalid, sent),
        (Some(changed("exp", json!(null))), invalid, sent),
        (
            Some(changed("nbf", json!(3_999_999_999_u64))),
            invalid,
            sent,
        ),
        (
            Some(format!("Bearer {}", old.expect("a token"))),
            expired,
            sent,
        ),
    ];
    for (authorization, body, challenge) in cases {
        let mut call = Call::balance("alice");
        if let Some(value) = &authorization {
            call = call.header("authorization", value);
        }
        let what = format!("{}: {authorization:.60?}", speaker.name);
        let answer = speaker.client.send(&call).await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (401, body),
            "{what}"
        );
        assert_eq!(answer.header("www-authenticate"), Some(challenge), "{what}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{what}"
        );
    }
}

/// 403: each operation wants its own scope; no header selects a tenant.
async fn scopes_and_tenants(stack: &Stack, speaker: &mut Speaker) {
    const VIEW: [&str; 2] = [
        "rewardspoints.rewardpoints_view",
        "saasag.rewardpoints_view",
    ];
    const MANAGE: [&str; 2] = [
        "rewardspoints.rewardpoints_manage",
        "saasag.rewardpoints_manage",
    ];
    let points = r#"{"points":1}"#;
    let calls = [
        (Call::get("/summaryBatch"), VIEW, MANAGE),
        (Call::balance("scoped"), VIEW, MANAGE),
        (Call::summary("scoped"), VIEW, MANAGE),
        (Call::post("/customer/scoped", ""), MANAGE, VIEW),
        (Call::add("scoped", points), MANAGE, VIEW),
        (Call::redeem("scoped", points), MANAGE, VIEW),
        (Call::delete("/customer/scoped"), MANAGE, VIEW),
    ];
    let token = |scope: &str| {
        let request = TokenRequest::new("scopes");
        stack.token_of(&TokenRequest {
            scope: scope.to_owned(),
            ..request
        })
    };
    for (call, wanted, others) in calls {
        let what = format!("{}: {} {}", speaker.name, call.method, call.path);
        let near = format!("{} {}s x{}", others.join(" "), wanted[0], wanted[1]);
        let refused = speaker
            .client
            .send(&call.clone().bearer(&token(&near)))
            .await;
        let refused = refused.unwrap_or_else(|error| panic!("{what}: {error}"));
        let body = format!(
            r#"{{"code":403,"status":"Forbidden","message":"Scope validation failed","details":["Missing required scopes '[{}]'"]}}"#,
            wanted.join(", ")
        );
        let challenge = format!(
            r#"Bearer realm="reward-points", error="insufficient_scope", scope="{}""#,
            wanted.join(" ")
        );
        assert_eq!((refused.status, refused.text()), (403, body), "{what}");
        assert_eq!(
            refused.header("www-authenticate"),
            Some(challenge.as_str()),
            "{what}"
        );
        for scope in wanted {
            let allowed = speaker
                .client
                .send(&call.clone().bearer(&token(scope)))
                .await;
            let allowed = allowed.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(
                matches!(allowed.status, 200 | 201 | 400 | 404 | 409),
                "{what} with {scope}: {}",
                allowed.brief()
            );
        }
    }
    let same = Call::get("/summaryBatch").header("emporix-tenant", "acme");
    assert_eq!(speaker.ask(same).await.status, 200);
    let other = Call::get("/summaryBatch").header("emporix-tenant", "other");
    assert_eq!(speaker.ask(other).await.status, 403);
}

/// 404, 405, 415 and problem details.
async fn paths_and_types(speaker: &mut Speaker) {
    let problem = |status: u16, title: &str, detail: &str, instance: &str| {
        format!(
            r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}","instance":"{instance}"}}"#
        )
    };
    let nothing = "There is nothing at this path";
    for path in [
        "/customers",
        "/customer/a/b",
        "/",
        "",
        "/customer/a/summary/",
        "/public/customer",
    ] {
        let body = problem(404, "Not Found", nothing, path);
        speaker.expect(Call::get(path), 404, &body).await;
    }
    // What is not under the prefix is not ours: nothing stands behind it here.
    assert_eq!(
        speaker.ask(Call::new("GET", "/elsewhere")).await.status,
        404
    );
    for (method, path, allow) in [
        ("PUT", "/customer/a", "GET, POST, DELETE"),
        ("POST", "/summaryBatch", "GET"),
        ("DELETE", "/customer/a/summary", "GET"),
        ("GET", "/customer/a/addPoints", "POST"),
        ("PATCH", "/customer/a/redeemPoints", "POST"),
    ] {
        let detail = format!("This path is served with {allow}");
        let body = problem(405, "Method Not Allowed", &detail, path);
        let call = Call::new(method, format!("/reward-points{path}"));
        let answer = speaker.expect(call, 405, &body).await;
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    let detail = "The body must be application/json in UTF-8";
    let body = problem(
        415,
        "Unsupported Media Type",
        detail,
        "/customer/a/addPoints",
    );
    for kind in [
        "text/plain",
        "application/json; charset=latin-1",
        "application/xml",
    ] {
        let call = Call::new("POST", "/reward-points/customer/a/addPoints")
            .header("content-type", kind)
            .body(r#"{"points":1}"#);
        speaker.expect(call, 415, &body).await;
    }
    let call = Call::get("/customer/nobody").header("accept", "application/problem+json");
    let answer = speaker.ask(call).await;
    let body = problem(
        404,
        "Not Found",
        "No reward points found for customer nobody",
        "/customer/nobody",
    );
    assert_eq!((answer.status, answer.text()), (404, body));
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
}

/// `Idempotency-Key` on each POST: replayed, or 422 for another request.
async fn idempotency_keys(speaker: &mut Speaker, version: Version) {
    let customer = format!("keyed-{version:?}");
    let posts = [
        (format!("/customer/{customer}"), r#"{"points":5}"#, 200),
        (
            format!("/customer/{customer}/addPoints"),
            r#"{"points":5}"#,
            201,
        ),
        (
            format!("/customer/{customer}/redeemPoints"),
            r#"{"points":1}"#,
            201,
        ),
    ];
    for (path, body, status) in posts {
        let call = |body: &'static str| Call::post(&path, body).header("idempotency-key", "key-1");
        let first = speaker.expect(call(body), status, "").await;
        assert_eq!(first.header("idempotency-replayed"), None, "{path}");
        let again = speaker.expect(call(body), status, "").await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{path}");
        let other = format!(
            r#"{{"type":"about:blank","title":"Unprocessable Content","status":422,"detail":"The Idempotency-Key was used before for a different request","instance":"{path}"}}"#
        );
        speaker.expect(call(r#"{"points":4}"#), 422, &other).await;
    }
    speaker.expect(Call::balance(&customer), 200, "9").await;
}
