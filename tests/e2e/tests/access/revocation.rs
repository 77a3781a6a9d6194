//! Revocation while a gateway runs: by the command that an operator has, taken back by it, and nobody else is hit.

use std::process::Command;
use std::time::Duration;

use e2e::{Call, Combination, token, until};
use serde_json::json;
use testbed::{DEV_ISSUER, TokenRequest};

use super::rules::Guarded;

/// How long a gateway may take to hear of it.
const BOUND: Duration = Duration::from_secs(15);

/// Tokens of a test, by name; each is one of those below.
struct Tokens(Vec<(&'static str, String)>);

pub async fn check(on: Combination) {
    let guarded = Guarded::start(on).await;
    let now = token::now_seconds();
    let of = |changes| {
        guarded.token(
            &format!("orders.view {}", TokenRequest::DEFAULT_SCOPE),
            changes,
        )
    };
    let tokens = Tokens(vec![
        ("one", of(json!({ "jti": "a/1 é", "sub": "eve" }))),
        ("two", of(json!({ "jti": "a/2", "sub": "eve" }))),
        (
            "old",
            of(json!({ "jti": "b", "sub": "bob", "iat": now - 600 })),
        ),
        ("plain", of(json!({ "sub": null }))),
    ]);
    let before = now - 300;
    let cases: [(&[&str], &str, &[&str]); 3] = [
        (&["--jti", "a/1 é"], "jti a/1%20é", &["one"]),
        (&["--sub", "eve"], "sub eve", &["one", "two"]),
        (
            &["--issued-before", &before.to_string()],
            &format!("issued-before {before}"),
            &["old"],
        ),
    ];
    refused_are(&guarded, &tokens, &[]).await;
    for (what, shown, hit) in cases {
        let what = [&["--issuer", DEV_ISSUER][..], what].concat();
        assert_eq!(
            revoke(&guarded, &what),
            format!("revoked: {DEV_ISSUER} {shown}\n"),
            "{on}"
        );
        refused_are(&guarded, &tokens, hit).await;
        assert_eq!(
            revoke(&guarded, &["--list"]),
            format!("{DEV_ISSUER} {shown}\n"),
            "{on}"
        );
        assert_eq!(
            guarded.stack.stat("reward_points.deny_list.entries"),
            1,
            "{on}"
        );
        // Revoked or not, once more changes nothing.
        revoke(&guarded, &what);
        let back = [&what[..], &["--remove"]].concat();
        assert_eq!(
            revoke(&guarded, &back),
            format!("removed: {DEV_ISSUER} {shown}\n"),
            "{on}"
        );
        refused_are(&guarded, &tokens, &[]).await;
    }
    // All at once, with an entry of another issuer that hits nobody.
    revoke(
        &guarded,
        &["--issuer", "https://other.example/", "--sub", "bob"],
    );
    for (what, ..) in cases {
        revoke(&guarded, &[&["--issuer", DEV_ISSUER][..], what].concat());
    }
    refused_are(&guarded, &tokens, &["one", "two", "old"]).await;
    assert!(
        guarded.stack.stat("reward_points.access.revoked") > 0,
        "{on}"
    );
    // It holds for a gateway that starts later, from its first answer on.
    let second = guarded.stack.second_gateway();
    let mut client = e2e::Client::connect(second.address(), e2e::Version::Http1)
        .await
        .expect("connect");
    for (name, bearer) in &tokens.0 {
        let answer = client
            .send(&Call::balance("nobody").bearer(bearer))
            .await
            .expect("an answer");
        let expected = if *name == "plain" { 404 } else { 401 };
        assert_eq!(
            answer.status, expected,
            "{on}: {name} at the second gateway"
        );
    }
    // And over a loss of the engine: what was known stays in force.
    let mut guarded = guarded;
    guarded.stack.engine.process().kill();
    let call = Call::new("GET", "/orders/1");
    for (name, bearer) in &tokens.0 {
        let answer = guarded.ask(&call.clone().bearer(bearer)).await;
        let expected = if *name == "plain" { 200 } else { 401 };
        assert_eq!(answer.status, expected, "{on}: {name} without the engine");
    }
    guarded.stack.assert_no_vm_was_reloaded();
}

/// Waits until every worker refuses these tokens and serves the others, in the API and on a guarded route.
async fn refused_are(guarded: &Guarded, tokens: &Tokens, refused: &[&str]) {
    let on = guarded.stack.combination();
    until(
        &format!("{on}: refused are {refused:?}"),
        BOUND,
        async || {
            // Connections of their own, so that more than one worker is asked.
            for _ in 0..4 {
                for (name, bearer) in &tokens.0 {
                    let (api, route) = (Call::balance("nobody"), Call::new("GET", "/orders/1"));
                    for (call, served) in [(api, 404), (route, 200)] {
                        let answer = guarded.ask(&call.bearer(bearer)).await;
                        assert!(
                            [served, 401].contains(&answer.status),
                            "{on}: {name}: {}",
                            answer.brief()
                        );
                        if (answer.status == 401) != refused.contains(name) {
                            return None;
                        }
                        if answer.status == 401 {
                            assert!(
                                answer.text().contains("Invalid access token"),
                                "{on}: {}",
                                answer.brief()
                            );
                        }
                    }
                }
            }
            Some(())
        },
    )
    .await;
}

/// `host-sim revoke` on the gateway's engine; what it printed.
fn revoke(guarded: &Guarded, arguments: &[&str]) -> String {
    let program = testbed::host_sim().expect("host-sim");
    let engine = guarded.stack.engine.address().to_string();
    let output = Command::new(program)
        .args(["revoke", "--engine", &engine])
        .args(arguments)
        .output()
        .expect("run host-sim");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
