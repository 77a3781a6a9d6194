//! Whatever a client sends, the answer is the contract's: never a 5xx, never a lost worker, and the next client is served.
//!
//! Some of it never reaches the filter: what is no HTTP, or over the server's own bounds, the server answers in its own
//! words. Such rows say [`Body::Servers`], and only the status is the contract's.

mod bad_input {
    pub mod bodies;
    pub mod flood;
    pub mod leaving;
    pub mod targets;
    pub mod wire;
}

use e2e::{Answer, Call, Client, Combination, Stack, Version, on_every_gateway, run};
use serde_json::{Value, json};

on_every_gateway!(
    bodies_are_answered_as_the_contract_says,
    targets_are_data_or_refused,
    odd_bytes_are_answered_as_the_contract_says,
    a_flood_is_refused_in_our_words,
    clients_that_leave_harm_nobody,
);

/// Whose words an answer's body is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// The contract's: JSON that names the status.
    Ours,
    /// None, on success.
    Empty,
    /// The server's own: no HTTP that the filter ever sees.
    Servers,
}

fn bodies_are_answered_as_the_contract_says(on: Combination) {
    run(async {
        let stack = Stack::start(on);
        for version in [Version::Http1, Version::Http2] {
            bad_input::bodies::check(&stack, version).await;
        }
        serves_well(&stack).await;
    });
}

fn targets_are_data_or_refused(on: Combination) {
    run(async {
        let stack = Stack::start(on);
        bad_input::targets::check(&stack).await;
        serves_well(&stack).await;
    });
}

fn odd_bytes_are_answered_as_the_contract_says(on: Combination) {
    run(async {
        let stack = Stack::start(on);
        bad_input::wire::check(&stack);
        serves_well(&stack).await;
    });
}

fn a_flood_is_refused_in_our_words(on: Combination) {
    run(async {
        let mut stack = Stack::start(on);
        bad_input::flood::check(&mut stack);
        serves_well(&stack).await;
    });
}

fn clients_that_leave_harm_nobody(on: Combination) {
    run(async {
        let mut stack = Stack::start(on);
        bad_input::leaving::check(&mut stack).await;
        serves_well(&stack).await;
    });
}

/// The status is the expected one, and so are the words.
fn judge(what: &str, answer: &Answer, status: u16, body: Body) {
    assert_eq!(answer.status, status, "{what}: {}", answer.brief());
    match body {
        Body::Empty => assert!(answer.body.is_empty(), "{what}: {}", answer.brief()),
        Body::Ours => {
            let kind = answer.header("content-type");
            assert_eq!(kind, Some("application/json"), "{what}: {}", answer.brief());
            let said: Value = serde_json::from_slice(&answer.body)
                .unwrap_or_else(|error| panic!("{what}: {error}: {}", answer.brief()));
            let named = match status {
                401 => &json!(401),
                403 => &said["code"],
                _ => &said["status"],
            };
            assert_eq!(*named, status, "{what}: {said}");
        }
        Body::Servers => {}
    }
}

/// After all that: both workers still serve, none was lost on the way, and nothing was answered with a 5xx.
async fn serves_well(stack: &Stack) {
    let on = stack.combination();
    let token = stack.token("afterwards");
    for number in 1..=16 {
        let mut client = Client::connect(stack.address(), Version::Http1)
            .await
            .expect("connect");
        let add = Call::add("well", r#"{"points":1}"#).bearer(&token);
        let added = client
            .send(&add)
            .await
            .unwrap_or_else(|error| panic!("{on}: {error}"));
        assert_eq!(added.status, 201, "{on}: {}", added.brief());
        let balance = client.send(&Call::balance("well").bearer(&token)).await;
        let balance = balance.unwrap_or_else(|error| panic!("{on}: {error}"));
        assert_eq!(balance.brief(), format!("200 {number}"), "{on}");
    }
    stack.assert_no_vm_was_reloaded();
    let stats = stack.gateway.stats().expect("counters");
    let faults: Vec<_> = stats
        .iter()
        .filter(|(name, value)| name.ends_with("downstream_rq_5xx") && *value > 0)
        .collect();
    assert!(faults.is_empty(), "{on}: {faults:?}");
}
