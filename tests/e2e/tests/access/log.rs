//! The gateway's log: one line for each decision, which says what an operator needs, and nowhere a secret.

use std::collections::HashSet;
use std::time::Duration;

use e2e::{Call, Combination, Reply, Server, Stack, Version, token, until};
use serde_json::{Value, json};
use testbed::TokenRequest;

use super::issuer::{fetching_from, new_key, published, sign, trusting};
use super::rules::{Guarded, plugin};

const BOUND: Duration = Duration::from_secs(10);
const SALT: &str = "pepper";
/// Parts of requests that must not be found in the log. Each is sent in more than one place.
const CUSTOMER: &str = "customer-4711";
const SUBJECT: &str = "Eve O'Subject";
const BODY: &str = "a-body-that-nobody-logs";
const QUERY: &str = "a-query-that-nobody-logs";
const FORGERY: &str = "a-name-that-somebody-claims";
const KEY: &str = "an-idempotency-key";
const OTHER: &str = "othertenant";
/// `user:password-4711`
const BASIC: &str = "dXNlcjpwYXNzd29yZC00NzEx";
const VIEW: &str = "rewardspoints.rewardpoints_view";
const MANAGE: &str = "rewardspoints.rewardpoints_manage";

/// What a line says of one kind of request.
#[derive(Clone, Copy)]
struct Route {
    method: &'static str,
    route: &'static str,
    rule: &'static str,
}

const BALANCE: Route = route("GET", "/reward-points/customer/{customerId}", "balance");
const ADD: Route = route(
    "POST",
    "/reward-points/customer/{customerId}/addPoints",
    "add_points",
);
const READ: Route = route("GET", "/orders/{id}/**", "read");
const NONE: Route = route("GET", "", "");

const fn route(method: &'static str, route: &'static str, rule: &'static str) -> Route {
    Route {
        method,
        route,
        rule,
    }
}

/// A request, its answer, and the line that it leads to, if a decision is made. The request id is not known beforehand.
struct Case {
    call: Call,
    status: u16,
    line: Option<Value>,
}

impl Route {
    fn line(
        self,
        decision: &str,
        known: bool,
        scope: Option<&str>,
        reason: &str,
        status: Option<u16>,
    ) -> Value {
        let subject = hmac_sha256::HMAC::mac(SUBJECT.as_bytes(), SALT.as_bytes());
        let subject: String = subject
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        json!({
            "decision": decision,
            "tenant": known.then_some("acme"),
            "subject": known.then_some(subject),
            "method": self.method,
            "route": self.route,
            "rule": self.rule,
            "scope": scope,
            "reason": reason,
            "status": status,
        })
    }

    fn allows(self, call: Call, status: u16, scope: Option<&str>) -> Case {
        let line = self.line("allow", true, scope, "allowed", None);
        Case {
            call,
            status,
            line: Some(line),
        }
    }

    fn denies(self, call: Call, status: u16, known: bool, reason: &str) -> Case {
        let line = self.line("deny", known, None, reason, Some(status));
        Case {
            call,
            status,
            line: Some(line),
        }
    }

    fn reports(self, call: Call, known: bool, reason: &str) -> Case {
        let line = self.line("report", known, None, reason, None);
        Case {
            call,
            status: 200,
            line: Some(line),
        }
    }
}

/// A request on which access control has nothing to decide.
fn undecided(call: Call, status: u16) -> Case {
    Case {
        call,
        status,
        line: None,
    }
}

pub async fn check(on: Combination) {
    let (key, newer) = (new_key(), new_key());
    let keys = Server::start(published(&[&key])).await;
    let upstream = Server::start(Reply::new(200, "from behind")).await;
    let mut plugin = plugin();
    let times = json!({ "refresh_seconds": 600, "refetch_seconds": 1 });
    let fetched = trusting(plugin.clone(), times)["issuers"][0].take();
    plugin["issuers"]
        .as_array_mut()
        .expect("a list")
        .push(fetched);
    plugin["issuers"][0]["revoked"] = json!({ "jti": ["gone"] });
    plugin["decision_log"] = json!({ "subject_salt": SALT });
    plugin["cors"] = json!({ "origins": ["https://shop.example"] });
    let stack = Stack::start_with(on, plugin, |gateway| {
        fetching_from(gateway, &keys).route("/", upstream.address())
    });
    let guarded = Guarded { stack, upstream };
    until("the issuer's keys are there", BOUND, async || {
        (guarded
            .stack
            .stat("reward_points.issuer.1.key_fetch_result")
            == 1)
            .then_some(())
    })
    .await;
    // Two keys of which the gateway knows one: the other's token waits.
    keys.answers(published(&[&key, &newer]));
    let waits = sign(&newer, "acme", json!({ "sub": SUBJECT }));
    let mut cases = api(&guarded);
    cases.push(BALANCE.allows(balance().bearer(&waits), 200, Some(VIEW)));
    cases.extend(others(&guarded));

    let mut client = guarded.connect(Version::Http1).await;
    let mut expected = Vec::new();
    let mut passed = Vec::new();
    for Case { call, status, line } in &cases {
        let what = format!("{on}: {} {}", call.method, call.path);
        let answer = client.send(call).await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answer.status, *status, "{what}: {}", answer.brief());
        let id = guarded
            .upstream
            .take()
            .pop()
            .map(|seen| seen.all("x-request-id").concat());
        if let Some(line) = line {
            expected.push(line.clone());
            passed.push(id);
        }
    }
    let lines = until(
        &format!("{on}: {} lines", expected.len()),
        BOUND,
        async || {
            let log = guarded.stack.gateway_log();
            Some(decisions(&log)).filter(|lines| lines.len() >= expected.len())
        },
    )
    .await;
    let mut ids = HashSet::new();
    for ((mut line, passed), expected) in lines.clone().into_iter().zip(passed).zip(&expected) {
        let id = line
            .as_object_mut()
            .and_then(|line| line.remove("request_id"));
        let id = id
            .as_ref()
            .and_then(Value::as_str)
            .expect("a request id")
            .to_owned();
        assert_eq!(&line, expected, "{on}");
        assert_eq!(id.len(), 36, "{on}: {id}");
        assert!(passed.is_none_or(|passed| passed == id), "{on}: {line}");
        assert!(ids.insert(id), "{on}: told twice: {line}");
    }
    assert_eq!(lines.len(), expected.len(), "{on}");
    hides(&guarded, &cases, &[key.public_jwk(), newer.public_jwk()]);
}

fn balance() -> Call {
    Call::balance(&format!("{CUSTOMER}?x={QUERY}"))
}

fn api(guarded: &Guarded) -> Vec<Case> {
    let now = token::now_seconds();
    let of = |changes: Value| {
        let subject = json!({ "sub": SUBJECT });
        let claims = token::claims("acme", TokenRequest::DEFAULT_SCOPE);
        guarded
            .stack
            .sign(token::with(token::with(claims, subject), changes))
    };
    let good = of(json!({}));
    let viewer = of(json!({ "scope": VIEW }));
    let entry = |fields: &str| format!(r#"{{"description":"{BODY}",{fields}}}"#);
    let add = |body: String| Call::add(CUSTOMER, body);
    let huge = of(json!({ "filling": BODY.repeat(500) }));
    let page = "https://shop.example";
    let preflight = Call::new("OPTIONS", format!("/reward-points/customer/{CUSTOMER}"))
        .header("origin", page)
        .header("access-control-request-method", "GET");
    let wrong_tenant = balance().bearer(&good).header("emporix-tenant", OTHER);
    vec![
        ADD.allows(
            add(entry(r#""points":5"#))
                .bearer(&good)
                .header("idempotency-key", KEY),
            201,
            Some(MANAGE),
        ),
        BALANCE.allows(balance().bearer(&good), 200, Some(VIEW)),
        BALANCE.allows(
            balance().bearer(&good).header("origin", page),
            200,
            Some(VIEW),
        ),
        BALANCE.allows(
            balance().bearer(&good).header("x-subject", FORGERY),
            200,
            Some(VIEW),
        ),
        BALANCE.denies(balance(), 401, false, "no_credentials"),
        BALANCE.denies(
            balance().header("origin", page),
            401,
            false,
            "no_credentials",
        ),
        BALANCE.denies(
            balance().header("authorization", format!("Basic {BASIC}")),
            401,
            false,
            "not_bearer",
        ),
        BALANCE.denies(
            balance().bearer(&token::forged(&good)),
            401,
            false,
            "bad_signature",
        ),
        BALANCE.denies(
            balance().bearer(&token::forged(&good)),
            401,
            false,
            "bad_signature",
        ),
        BALANCE.denies(
            balance().bearer(&of(json!({ "exp": now - 90 }))),
            401,
            false,
            "expired",
        ),
        BALANCE.denies(
            balance().bearer(&of(json!({ "jti": "gone" }))),
            401,
            false,
            "revoked",
        ),
        BALANCE.denies(
            balance().bearer(&of(json!({ "tenant": OTHER.to_uppercase() }))),
            401,
            false,
            "no_tenant",
        ),
        BALANCE.denies(balance().bearer(&huge), 401, false, "token_too_large"),
        BALANCE.denies(balance().bearer(BODY), 401, false, "malformed_token"),
        ADD.denies(
            add(entry(r#""points":5"#)).bearer(&viewer),
            403,
            true,
            "missing_scope",
        ),
        BALANCE.denies(wrong_tenant, 403, true, "tenant_mismatch"),
        // Refused, but not by access control.
        ADD.allows(add(entry(r#""points":"#)).bearer(&good), 400, Some(MANAGE)),
        ADD.allows(add(entry(r#""points":0"#)).bearer(&good), 400, Some(MANAGE)),
        ADD.allows(
            add(entry(&format!(r#""x":"{}""#, BODY.repeat(4_000)))).bearer(&good),
            413,
            Some(MANAGE),
        ),
        BALANCE.allows(Call::balance("%zz").bearer(&good), 400, Some(VIEW)),
        undecided(balance().bearer(&good).bearer(&viewer), 400),
        undecided(Call::get(&format!("/{CUSTOMER}")).bearer(&good), 404),
        undecided(
            Call::new("PUT", format!("/reward-points/customer/{CUSTOMER}")).bearer(&good),
            405,
        ),
        undecided(preflight, 204),
        route("GET", "/reward-points", "").denies(
            Call::get(&format!("/{CUSTOMER}")),
            401,
            false,
            "no_credentials",
        ),
    ]
}

fn others(guarded: &Guarded) -> Vec<Case> {
    let of = |scope: &str| {
        let claims = token::claims("acme", scope);
        guarded
            .stack
            .sign(token::with(claims, json!({ "sub": SUBJECT })))
    };
    let (view, other) = (of("orders.view"), of("carts.view"));
    let get = |path: &str| Call::new("GET", format!("{path}/{CUSTOMER}?x={QUERY}"));
    let trial = route("GET", "/trial/**", "trial");
    let closed = route("GET", "/orders/internal/**", "closed");
    let staff = route("GET", "/staff/**", "staff");
    let health = || Call::new("GET", "/health");
    let anonymous = route("GET", "/health", "health");
    let nobody = anonymous.line("allow", false, None, "allowed", None);
    vec![
        READ.allows(get("/orders").bearer(&view), 200, Some("orders.view")),
        READ.allows(
            get("/orders")
                .bearer(&view)
                .header("x-tenant", FORGERY)
                .body(BODY),
            200,
            Some("orders.view"),
        ),
        READ.denies(get("/orders"), 401, false, "no_credentials"),
        READ.denies(get("/orders").bearer(&other), 403, true, "missing_scope"),
        READ.denies(
            get("/orders").bearer(&view).bearer(&other),
            400,
            false,
            "bad_input",
        ),
        // Whoever contradicts its own token is nobody.
        READ.denies(
            get("/orders").bearer(&view).header("emporix-tenant", OTHER),
            403,
            false,
            "tenant_mismatch",
        ),
        closed.denies(get("/orders/internal").bearer(&view), 403, false, "denied"),
        staff.denies(get("/staff").bearer(&view), 403, true, "claim_mismatch"),
        NONE.denies(get("/secret").bearer(&view), 403, false, "no_rule"),
        NONE.denies(
            get("/orders/%2e%2e").bearer(&view),
            400,
            false,
            "path_dot_segment",
        ),
        NONE.denies(get("//orders"), 400, false, "path_empty_segment"),
        trial.allows(get("/trial").bearer(&view), 200, Some("orders.view")),
        trial.reports(get("/trial").bearer(&other), true, "missing_scope"),
        trial.reports(
            get("/trial").bearer(&token::forged(&view)),
            false,
            "bad_signature",
        ),
        anonymous.allows(health().bearer(&view), 200, None),
        Case {
            call: health(),
            status: 200,
            line: Some(nobody),
        },
        undecided(get("/elsewhere").bearer(&view), 200),
    ]
}

/// All lines of the filter's that are JSON, in their order.
fn decisions(log: &str) -> Vec<Value> {
    let prefixes = ["wasm log reward-points reward-points: {", "[wasm] {"];
    let after = |line: &str| {
        prefixes
            .iter()
            .find_map(|prefix| Some(line.find(prefix)? + prefix.len() - 1))
    };
    // What is not whole yet is looked at later.
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    whole
        .lines()
        .filter_map(|line| Some(&line[after(line)?..]))
        .map(|text| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect()
}

/// Nothing of what was sent or configured in confidence is in the log, in whole or in a part that says something.
fn hides(guarded: &Guarded, cases: &[Case], keys: &[Value]) {
    let mut secrets: Vec<String> = [
        CUSTOMER, SUBJECT, BODY, QUERY, FORGERY, KEY, OTHER, BASIC, SALT,
    ]
    .iter()
    .map(|it| (*it).to_owned())
    .collect();
    secrets.push(OTHER.to_uppercase());
    secrets.push("Eve".to_owned());
    let configured = guarded.stack.keys().jwks();
    let configured = configured["keys"].as_array().expect("keys").iter();
    for key in configured.chain(keys) {
        let parts = ["x", "y", "n"].iter().filter_map(|part| key[part].as_str());
        secrets.extend(parts.map(str::to_owned));
    }
    for Case { call, .. } in cases {
        for (name, value) in &call.headers {
            if name == "authorization" {
                let value = String::from_utf8_lossy(value).into_owned();
                secrets.extend(
                    value
                        .split([' ', '.'])
                        .filter(|it| it.len() > 6)
                        .map(str::to_owned),
                );
            }
        }
    }
    let log = guarded.stack.gateway_log();
    assert!(log.contains("acme"), "the log is looked at");
    for secret in &secrets {
        let found = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(found, None, "{}: {secret}", guarded.stack.combination());
    }
}
