//! The gateway's log: one line for each decision, which says what an operator needs, and nowhere a secret.

mod cases;

use std::collections::HashSet;
use std::time::Duration;

use e2e::{Combination, Reply, Server, Stack, Version, until};
use serde_json::{Value, json};

use self::cases::{
    BALANCE, BASIC, BODY, CUSTOMER, Case, FORGERY, KEY, OTHER, QUERY, SALT, SUBJECT, VIEW, api,
    balance, others,
};
use super::issuer::{fetching_from, new_key, published, sign, trusting};
use super::rules::{Guarded, plugin};

const BOUND: Duration = Duration::from_secs(10);

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
