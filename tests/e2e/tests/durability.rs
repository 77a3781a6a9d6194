//! What was acknowledged is there after everything was stopped and started again on the same data.

use std::os::unix::process::ExitStatusExt as _;

use e2e::{Call, Client, Combination, Stack, Version, everywhere, run};

everywhere!(what_was_acknowledged_outlives_a_stop);

/// Customers with points of their own.
const CUSTOMERS: usize = 20;

fn what_was_acknowledged_outlives_a_stop(on: Combination) {
    run(async {
        let mut stack = Stack::start(on);
        let token = stack.token("acme");
        let mut client = connect(&stack).await;
        for number in 1..=CUSTOMERS {
            let customer = format!("c{number}");
            let body = format!(r#"{{"id":"first","points":{number}}}"#);
            expect(&mut client, &token, Call::add(&customer, body), 201).await;
            let body = format!(r#"{{"id":"second","points":10,"reference-id":"order-{number}"}}"#);
            expect(&mut client, &token, Call::add(&customer, body), 201).await;
            let body = format!(r#"{{"id":"used","points":{number},"description":"größe"}}"#);
            expect(&mut client, &token, Call::redeem(&customer, body), 201).await;
        }
        let keyed = Call::add("c1", r#"{"points":100}"#).header("idempotency-key", "key-1");
        expect(&mut client, &token, keyed.clone(), 201).await;
        let gone = Call::add("gone", r#"{"id":"old","points":5}"#);
        expect(&mut client, &token, gone.clone(), 201).await;
        expect(&mut client, &token, Call::delete("/customer/gone"), 200).await;
        let before = list(&mut client, &token).await;

        // Twice: what the second start reads, the first run after a stop has written.
        for round in ["first", "second"] {
            restart(&mut stack);
            let mut client = connect(&stack).await;
            assert_eq!(
                list(&mut client, &token).await,
                before,
                "{on}: {round} start"
            );
            expect(&mut client, &token, Call::balance("gone"), 404).await;

            let replay = expect(&mut client, &token, keyed.clone(), 201).await;
            assert_eq!(
                replay.header("idempotency-replayed"),
                Some("true"),
                "{on}: {round}"
            );
            let other = Call::add("c1", r#"{"points":101}"#).header("idempotency-key", "key-1");
            expect(&mut client, &token, other, 422).await;
            let again = Call::add("c2", r#"{"id":"first","points":2}"#);
            expect(&mut client, &token, again, 201).await;
            let changed = Call::add("c2", r#"{"id":"first","points":3}"#);
            expect(&mut client, &token, changed, 409).await;
            // A late retry of what was deleted does not bring it back.
            client
                .send(&gone.clone().bearer(&token))
                .await
                .expect("an answer");
            expect(&mut client, &token, Call::balance("gone"), 404).await;
            assert_eq!(
                list(&mut client, &token).await,
                before,
                "{on}: {round} replays"
            );
        }
        stack.assert_no_vm_was_reloaded();
    });
}

/// SIGTERM to both, an end of their own will, and a new start of both.
fn restart(stack: &mut Stack) {
    let on = stack.combination();
    for process in [stack.gateway.process(), stack.engine.process()] {
        let name = process.name().to_owned();
        let status = process
            .stop()
            .unwrap_or_else(|| panic!("{on}: {name} runs on"));
        // etcd ends itself by the very signal that it was sent.
        let orderly = status.success() || status.signal() == Some(15);
        assert!(orderly, "{on}: {name}: {status}\n{}", process.log_tail());
    }
    stack
        .engine
        .restart()
        .unwrap_or_else(|error| panic!("{on}: {error}"));
    stack
        .gateway
        .restart()
        .unwrap_or_else(|error| panic!("{on}: {error}"));
}

async fn connect(stack: &Stack) -> Client {
    let client = Client::connect(stack.address(), Version::Http1).await;
    client.unwrap_or_else(|error| panic!("{}: {error}", stack.combination()))
}

async fn list(client: &mut Client, token: &str) -> String {
    let answer = expect(client, token, Call::get("/summaryBatch"), 200).await;
    answer.text()
}

async fn expect(client: &mut Client, token: &str, call: Call, status: u16) -> e2e::Answer {
    let what = format!("{} {}", call.method, call.path);
    let answer = client.send(&call.bearer(token)).await;
    let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(answer.status, status, "{what}: {}", answer.brief());
    answer
}
