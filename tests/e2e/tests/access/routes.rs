//! Rules for other routes: one row a request, its answer, and what the service behind the gateway saw of it.

use e2e::{Call, Combination, Connection, Reply, Version};
use serde_json::json;
use testbed::GatewayKind;

use super::rules::{Guarded, Identity, assert_told};

const VIEW: &str = "orders.view";
const BOTH: &str = "orders.view orders.manage";

/// Rule and case, method, path, which token, status, what the service is told.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    u16,
    Identity<'static>,
);

const SUBJECT: &str = "subject-of-acme";
const VIEWER: Identity<'static> = Some(["acme", VIEW, SUBJECT]);
const MANAGER: Identity<'static> = Some(["acme", BOTH, SUBJECT]);
const OTHER: Identity<'static> = Some(["acme", "carts.view", SUBJECT]);
const CLERK: Identity<'static> = Some(["acme", "carts.view", "clerk%20%25%C3%A9"]);

#[rustfmt::skip]
const ROWS: [Row; 46] = [
    ("scopes: one of several will do", "GET", "/orders/1", "view", 200, VIEWER),
    ("scopes: all of them will do too", "GET", "/orders/1", "both", 200, MANAGER),
    ("scopes: below the pattern", "GET", "/orders/1/lines/2?q=%2F..", "view", 200, VIEWER),
    ("scopes: HEAD is listed", "HEAD", "/orders/1", "view", 200, VIEWER),
    ("scopes: none of them", "GET", "/orders/1", "other", 403, None),
    ("scopes: no scope at all", "GET", "/orders/1", "bare", 403, None),
    ("scopes: a part of a word is no scope", "GET", "/orders/1", "prefix", 403, None),
    ("scopes: no token", "GET", "/orders/1", "none", 401, None),
    ("scopes: a forged token", "GET", "/orders/1", "forged", 401, None),
    ("scopes: an expired token", "GET", "/orders/1", "expired", 401, None),
    ("scopes: other credentials", "GET", "/orders/1", "basic", 401, None),
    ("scopes: two tokens", "GET", "/orders/1", "twice", 400, None),
    ("all of: both", "POST", "/orders/1", "both", 200, MANAGER),
    ("all of: one is too few", "POST", "/orders/1", "view", 403, None),
    ("all of: another method", "PUT", "/orders/1", "both", 200, MANAGER),
    ("methods: a rule for another one is none", "PATCH", "/orders/1", "both", 403, None),
    ("methods: one that no rule lists", "PROPFIND", "/orders/1", "both", 403, None),
    ("methods: OPTIONS is one of them", "OPTIONS", "/orders/1", "none", 403, None),
    ("denied: no token helps", "GET", "/orders/internal/1", "both", 403, None),
    ("denied: at its own path", "GET", "/orders/internal", "both", 403, None),
    ("denied: without a token", "GET", "/orders/internal/1", "none", 403, None),
    ("default: the guarded prefix itself", "GET", "/orders", "both", 403, None),
    ("default: a trailing slash is nothing", "GET", "/orders/", "both", 403, None),
    ("default: below it", "POST", "/orders/1/lines", "both", 403, None),
    ("default: without any rule", "GET", "/secret/1", "both", 403, None),
    ("default: without a token", "GET", "/secret", "none", 403, None),
    ("default: whole segments only", "GET", "/secrets", "none", 200, None),
    ("claims: an employee", "GET", "/staff/1", "clerk", 200, CLERK),
    ("claims: another value", "GET", "/staff/1", "customer", 403, None),
    ("claims: no such claim", "GET", "/staff/1", "both", 403, None),
    ("authenticated: any valid token", "GET", "/account/7/name", "other", 200, OTHER),
    ("authenticated: an escape changes nothing", "GET", "/%61ccount/7/name", "other", 200, OTHER),
    ("authenticated: no token", "GET", "/account/7/name", "none", 401, None),
    ("authenticated: not guarded elsewhere", "GET", "/account/7", "none", 200, None),
    ("anonymous: no token", "GET", "/health", "none", 200, None),
    ("anonymous: a token tells who it is", "GET", "/health", "view", 200, VIEWER),
    ("anonymous: other credentials", "GET", "/health", "basic", 200, None),
    ("anonymous: a bad token is refused all the same", "GET", "/health", "forged", 401, None),
    ("unguarded: no token", "GET", "/elsewhere/1", "none", 200, None),
    ("unguarded: a token is not looked at", "POST", "/elsewhere/1", "forged", 200, None),
    ("unguarded: a good one neither", "GET", "/elsewhere/1", "view", 200, None),
    ("report: would pass", "GET", "/trial/1", "view", 200, VIEWER),
    ("report: no token", "GET", "/trial/1", "none", 200, None),
    ("report: a forged token", "GET", "/trial/1", "forged", 200, None),
    ("report: a scope is missing", "GET", "/trial/1", "other", 200, OTHER),
    ("report: denied", "GET", "/trial-closed", "both", 200, None),
];

pub async fn check_table(on: Combination) {
    let guarded = Guarded::start(on).await;
    for version in [Version::Http1, Version::Http2] {
        let mut client = guarded.connect(version).await;
        for (name, method, path, kind, status, identity) in ROWS {
            let what = format!("{on} {version:?}: {name}: {method} {path}");
            let mut call = Call::new(method, path);
            for (name, value) in credentials(&guarded, kind) {
                call = call.header(&name, value);
            }
            let answer = client.send(&call).await;
            let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(answer.status, status, "{what}: {}", answer.brief());
            let seen = guarded.upstream.take();
            assert_eq!(seen.len(), usize::from(status == 200), "{what}");
            for seen in seen {
                assert_eq!((&*seen.method, &*seen.target), (method, path), "{what}");
                assert_told(&what, &seen, identity);
            }
        }
    }
    let reported = ROWS
        .iter()
        .filter(|row| row.0.starts_with("report") && row.0 != "report: would pass");
    let reported = u64::try_from(reported.count() * 2).expect("few");
    assert_eq!(
        guarded.stack.stat("reward_points.access.would_refuse"),
        reported,
        "{on}"
    );
    tenants(&guarded).await;
    whole_messages(&guarded).await;
    guarded.stack.assert_no_vm_was_reloaded();
}

/// The headers by which a client shows who it is.
pub fn credentials(guarded: &Guarded, kind: &str) -> Vec<(String, String)> {
    let bearer = |token: String| ("authorization".to_owned(), format!("Bearer {token}"));
    let now = e2e::token::now_seconds();
    let view = || guarded.token(VIEW, json!({}));
    match kind {
        "none" => vec![],
        "view" => vec![bearer(view())],
        "both" => vec![bearer(guarded.token(BOTH, json!({})))],
        "other" => vec![bearer(guarded.token("carts.view", json!({})))],
        "prefix" => vec![bearer(
            guarded.token("orders.view2 orders xorders.view", json!({})),
        )],
        "bare" => vec![bearer(guarded.token("", json!({ "scope": null })))],
        "clerk" => {
            let claims = json!({ "user_type": ["SALES", "EMPLOYEE"], "sub": "clerk %é" });
            vec![bearer(guarded.token("carts.view", claims))]
        }
        "customer" => vec![bearer(
            guarded.token(BOTH, json!({ "user_type": "CUSTOMER" })),
        )],
        "forged" => vec![bearer(e2e::token::forged(&view()))],
        "expired" => vec![bearer(guarded.token(VIEW, json!({ "exp": now - 3600 })))],
        "basic" => vec![("authorization".to_owned(), "Basic YTpi".to_owned())],
        "twice" => vec![bearer(view()), bearer(view())],
        other => panic!("no such credentials: {other}"),
    }
}

/// A request that contradicts its own token is refused, where anybody is.
async fn tenants(guarded: &Guarded) {
    let on = guarded.stack.combination();
    let mut client = guarded.connect(Version::Http1).await;
    let view = guarded.token(VIEW, json!({}));
    let before = guarded.stack.stat("reward_points.access.tenant_mismatch");
    for (path, tenants, status, identity) in [
        ("/orders/1", &["acme"][..], 200, VIEWER),
        ("/orders/1", &["other"], 403, None),
        ("/orders/1", &["ACME"], 403, None),
        ("/orders/1", &[""], 403, None),
        ("/orders/1", &["acme", "acme"], 400, None),
        ("/orders/1", &["other", "acme"], 400, None),
        ("/health", &["other"], 403, None),
        ("/health", &["acme"], 200, VIEWER),
        // Report mode tries a rule out; whose points are meant is no trial.
        ("/trial/1", &["other"], 403, None),
        ("/trial/1", &["acme", "acme"], 400, None),
        ("/elsewhere", &["other"], 200, None),
    ] {
        let what = format!("{on}: {path} {tenants:?}");
        let mut call = Call::new("GET", path).bearer(&view);
        for tenant in tenants {
            call = call.header("emporix-tenant", tenant);
        }
        let answer = client.send(&call).await.expect("an answer");
        assert_eq!(answer.status, status, "{what}: {}", answer.brief());
        let seen = guarded.upstream.take();
        assert_eq!(seen.len(), usize::from(status == 200), "{what}");
        for seen in seen {
            assert_told(&what, &seen, identity);
        }
    }
    let counted = guarded.stack.stat("reward_points.access.tenant_mismatch") - before;
    assert_eq!(counted, 5, "{on}");
}

/// Bodies, statuses and headers pass as they are, in both directions.
async fn whole_messages(guarded: &Guarded) {
    let on = guarded.stack.combination();
    let both = guarded.token(BOTH, json!({}));
    for version in [Version::Http1, Version::Http2] {
        let mut client = guarded.connect(version).await;
        for (status, bytes) in [(200, 0), (201, 1), (207, 70_000), (404, 9), (503, 200_000)] {
            let what = format!("{on} {version:?}: {bytes} bytes");
            let body: Vec<u8> = (0..bytes).map(|place| (place % 251) as u8).collect();
            let reply = Reply::new(status, body.iter().rev().copied().collect::<Vec<u8>>());
            guarded.upstream.answers(
                reply
                    .header("x-reply", "one")
                    .header("x-tenant", "a reply's own"),
            );
            let call = Call::new("POST", "/orders/1")
                .bearer(&both)
                .header("content-type", "application/octet-stream")
                .header("x-other", "kept")
                .body(body.clone());
            let mut answers = vec![client.send(&call).await];
            if bytes > 0 {
                let parts = body.chunks(30_011).map(bytes::Bytes::copy_from_slice);
                answers.push(client.send_parts(&call, parts.collect(), None).await);
            }
            for answer in answers {
                let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(answer.status, status, "{what}");
                assert!(answer.body.iter().eq(body.iter().rev()), "{what}");
                assert_eq!(answer.header("x-reply"), Some("one"), "{what}");
                assert_eq!(answer.header("x-tenant"), Some("a reply's own"), "{what}");
            }
            for seen in guarded.upstream.take() {
                assert_eq!(seen.body, body, "{what}");
                assert_eq!(seen.all("x-other"), ["kept"], "{what}");
                assert_eq!(
                    seen.all("authorization"),
                    [format!("Bearer {both}")],
                    "{what}"
                );
                assert_told(&what, &seen, MANAGER);
            }
        }
    }
    guarded.upstream.answers(Reply::new(200, "from behind"));
}

/// Whatever a client says about itself, on every kind of route, nothing of it arrives.
pub async fn check_forgeries(on: Combination) {
    let guarded = Guarded::start(on).await;
    let view = guarded.token(VIEW, json!({}));
    let forged = e2e::token::forged(&view);
    let routes: [(&str, Option<&str>, Identity<'_>); 9] = [
        ("/orders/1", Some(&view), VIEWER),
        ("/health", None, None),
        ("/health", Some(&view), VIEWER),
        ("/elsewhere", None, None),
        ("/elsewhere", Some(&view), None),
        ("/trial/1", Some(&view), VIEWER),
        ("/trial/1", None, None),
        ("/trial/1", Some(&forged), None),
        ("/trial-closed", Some(&view), None),
    ];
    let mut forgeries = 0;
    for (path, bearer, identity) in routes {
        for header in [
            "x-tenant: evil\r\n",
            "X-Tenant: evil\r\n",
            "x-tenant: evil\r\nX-TENANT: worse\r\n",
            "x-scopes: everything\r\nx-subject: root\r\nx-tenant:\r\n",
            "x-tenant: acme\r\nx-tenant: evil\r\nx-scopes: a\r\nx-scopes: b\r\n",
            "x-tenant: \u{ff}\r\n",
        ] {
            forgeries += 1;
            raw(&guarded, path, bearer, header, identity);
        }
        // Envoy drops these before the filter sees them, and so they are not counted there.
        for header in [
            "x_tenant: evil\r\n",
            "X_Scopes: evil\r\n",
            "x_subject: evil\r\nX_TENANT: e\r\n",
        ] {
            forgeries += u64::from(on.gateway == GatewayKind::HostSim);
            raw(&guarded, path, bearer, header, identity);
        }
    }
    let counted = guarded.stack.stat("reward_points.access.forged_identity");
    assert_eq!(counted, forgeries, "{on}");
    for (path, bearer, identity) in routes {
        for version in [Version::Http1, Version::Http2] {
            trailers(&guarded, path, bearer, identity, version).await;
        }
    }
    guarded.stack.assert_no_vm_was_reloaded();
}

fn raw(guarded: &Guarded, path: &str, bearer: Option<&str>, header: &str, identity: Identity<'_>) {
    let what = format!("{}: {path} {header:?}", guarded.stack.combination());
    let bearer = bearer.map_or_else(String::new, |it| format!("authorization: Bearer {it}\r\n"));
    let head = format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n{bearer}{header}\r\n");
    // One byte a character: also those that are no ASCII.
    let head: Vec<u8> = head.chars().map(|it| it as u8).collect();
    let mut connection = Connection::open(guarded.stack.address()).expect("connect");
    connection.send(head).expect("sent");
    let answer = connection.read().expect("an answer").expect("an answer");
    assert_eq!(answer.status, 200, "{what}: {}", answer.brief());
    let seen = guarded.upstream.take();
    assert_eq!(seen.len(), 1, "{what}");
    assert_told(&what, &seen[0], identity);
}

/// Some servers take trailers for headers, so they are no way in either.
async fn trailers(
    guarded: &Guarded,
    path: &str,
    bearer: Option<&str>,
    identity: Identity<'_>,
    version: Version,
) {
    let mut client = guarded.connect(version).await;
    for (name, value, arrives) in [
        ("x-tenant", "evil", false),
        ("x-scopes", "evil", false),
        ("x-subject", "evil", false),
        ("x_tenant", "evil", false),
        ("x-checksum", "1", true),
    ] {
        let what = format!(
            "{} {version:?}: {path}: trailer {name}",
            guarded.stack.combination()
        );
        let mut call = Call::new("GET", path)
            .header("te", "trailers")
            .header("trailer", name);
        if version == Version::Http1 {
            // The client would leave out the body of a GET otherwise.
            call = call.header("transfer-encoding", "chunked");
        }
        if let Some(bearer) = bearer {
            call = call.bearer(bearer);
        }
        let parts = vec!["one".into(), "two".into()];
        let answer = client.send_parts(&call, parts, Some((name, value))).await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answer.status, 200, "{what}: {}", answer.brief());
        let seen = guarded.upstream.take();
        assert_eq!(seen.len(), 1, "{what}");
        assert_eq!(seen[0].body, "onetwo", "{what}");
        assert_told(&what, &seen[0], identity);
        // HTTP/1.1 has no room for them unless a server is told to make some.
        if arrives && version == Version::Http2 {
            assert_eq!(
                seen[0].trailers,
                [(name.to_owned(), value.as_bytes().to_vec())],
                "{what}"
            );
        }
    }
}
