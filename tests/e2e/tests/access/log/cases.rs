//! Requests of all kinds, and the line of the log that each of them leads to.

use e2e::{Call, token};
use serde_json::{Value, json};
use testbed::TokenRequest;

use super::Guarded;

pub const SALT: &str = "pepper";
/// Parts of requests that must not be found in the log. Each is sent in more than one place.
pub const CUSTOMER: &str = "customer-4711";
pub const SUBJECT: &str = "Eve O'Subject";
pub const BODY: &str = "a-body-that-nobody-logs";
pub const QUERY: &str = "a-query-that-nobody-logs";
pub const FORGERY: &str = "a-name-that-somebody-claims";
pub const KEY: &str = "an-idempotency-key";
pub const OTHER: &str = "othertenant";
/// `user:password-4711`
pub const BASIC: &str = "dXNlcjpwYXNzd29yZC00NzEx";
pub const VIEW: &str = "rewardspoints.rewardpoints_view";
const MANAGE: &str = "rewardspoints.rewardpoints_manage";

/// What a line says of one kind of request.
#[derive(Clone, Copy)]
pub struct Route {
    method: &'static str,
    route: &'static str,
    rule: &'static str,
}

pub const BALANCE: Route = route("GET", "/reward-points/customer/{customerId}", "balance");
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
pub struct Case {
    pub call: Call,
    pub status: u16,
    pub line: Option<Value>,
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

    pub fn allows(self, call: Call, status: u16, scope: Option<&str>) -> Case {
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

pub fn balance() -> Call {
    Call::balance(&format!("{CUSTOMER}?x={QUERY}"))
}

pub fn api(guarded: &Guarded) -> Vec<Case> {
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

pub fn others(guarded: &Guarded) -> Vec<Case> {
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
