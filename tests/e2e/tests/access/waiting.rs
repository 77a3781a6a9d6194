//! A request that has to wait for a key goes on afterwards as if it had not: whole, and with its headers changed.

use std::time::Duration;

use bytes::Bytes;
use e2e::{Answer, Call, Client, Combination, Reply, Server, Stack, Version, until};
use serde_json::json;
use signing_keys::SigningKey;
use testbed::TokenRequest;

use super::issuer::{FETCH_RESULT, fetching_from, new_key, published, sign, trusting};
use super::rules::{assert_told, plugin};

const BOUND: Duration = Duration::from_secs(20);
const BODY_BYTES: usize = 200_000;

pub async fn check(on: Combination) {
    let mut key = new_key();
    let keys = Server::start(published(&[&key])).await;
    let upstream = Server::start(Reply::new(200, "from behind")).await;
    let times = json!({ "refresh_seconds": 600, "refetch_seconds": 1, "timeout_ms": 5000 });
    let stack = Stack::start_with(on, trusting(plugin(), times), |gateway| {
        fetching_from(gateway, &keys).route("/", upstream.address())
    });
    until("the first keys are there", BOUND, async || {
        (stack.stat(FETCH_RESULT) == 1).then_some(())
    })
    .await;
    let body: Vec<u8> = (0..BODY_BYTES).map(|place| (place % 251) as u8).collect();
    for version in [Version::Http1, Version::Http2] {
        for parts in [1, 7] {
            let what = format!("{on} {version:?}: in {parts} parts");
            let next = new_key();
            let waiting = Waiting {
                what: &what,
                stack: &stack,
                keys: &keys,
                upstream: &upstream,
            };
            let token = sign(
                &next,
                "acme",
                json!({ "scope": "orders.view orders.manage" }),
            );
            let call = Call::new("POST", "/orders/1")
                .bearer(&token)
                .header("x-tenant", "evil")
                .header("x-scopes", "evil")
                .header("te", "trailers")
                .header("trailer", "x-tenant");
            let sent: Vec<Bytes> = body
                .chunks(BODY_BYTES.div_ceil(parts))
                .map(Bytes::copy_from_slice)
                .collect();
            let answer = waiting.ask(version, call, sent, &[&key, &next]).await;
            assert_eq!(answer.brief(), "200 from behind", "{what}");
            let seen = upstream.take();
            assert_eq!(seen.len(), 1, "{what}");
            assert!(seen[0].body == body, "{what}: {} bytes", seen[0].body.len());
            let told = ["acme", "orders.view orders.manage", "subject-of-acme"];
            assert_told(&what, &seen[0], Some(told));
            key = next;
        }
    }
    // What is for the API waits too, and is refused when the key is not there.
    let missing = new_key();
    let token = sign(
        &missing,
        "acme",
        json!({ "scope": TokenRequest::DEFAULT_SCOPE }),
    );
    let what = format!("{on}: a key that is not there");
    let waiting = Waiting {
        what: &what,
        stack: &stack,
        keys: &keys,
        upstream: &upstream,
    };
    let add = Call::add("alice", "").bearer(&token);
    let answer = waiting
        .ask(
            Version::Http1,
            add,
            vec![Bytes::from_static(b"{\"points\":1}")],
            &[&key],
        )
        .await;
    assert_eq!(answer.status, 401, "{what}: {}", answer.brief());
    let next = new_key();
    let token = sign(&next, "acme", json!({}));
    let what = format!("{on}: an addition");
    let waiting = Waiting {
        what: &what,
        stack: &stack,
        keys: &keys,
        upstream: &upstream,
    };
    let add = Call::add("alice", "").bearer(&token);
    let answer = waiting
        .ask(
            Version::Http2,
            add,
            vec![
                Bytes::from_static(b"{\"poi"),
                Bytes::from_static(b"nts\":1}"),
            ],
            &[&next],
        )
        .await;
    assert_eq!(answer.status, 201, "{what}: {}", answer.brief());
    too_long(&stack, &keys).await;
    assert_eq!(upstream.count(), 0, "{on}");
    stack.assert_no_vm_was_reloaded();
}

/// Waiting makes no room for more than is taken otherwise: such a body is refused while the issuer is still being asked.
async fn too_long(stack: &Stack, keys: &Server) {
    let on = stack.combination();
    keys.answers(Reply::Never);
    let token = sign(&new_key(), "acme", json!({}));
    for version in [Version::Http1, Version::Http2] {
        let mut client = Client::connect(stack.address(), version)
            .await
            .expect("connect");
        let parts = vec![Bytes::from(vec![b' '; 40_000]); 3];
        let add = Call::add("alice", "").bearer(&token);
        let answer = client.send_parts(&add, parts, None).await;
        let answer = answer.unwrap_or_else(|error| panic!("{on} {version:?}: {error}"));
        assert_eq!(answer.status, 413, "{on}: {}", answer.brief());
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/json"), "{on}: {}", answer.brief());
    }
}

struct Waiting<'a> {
    what: &'a str,
    stack: &'a Stack,
    keys: &'a Server,
    upstream: &'a Server,
}

impl Waiting<'_> {
    /// Sends a request, sees that it waits until the issuer has answered with these keys, and gives its answer.
    async fn ask(
        &self,
        version: Version,
        call: Call,
        parts: Vec<Bytes>,
        keys: &[&SigningKey],
    ) -> Answer {
        let what = self.what;
        let _ = self.keys.take();
        self.keys.answers(Reply::Held(Box::new(published(keys))));
        let to = self.stack.address();
        let asking = tokio::spawn(async move {
            let mut client = Client::connect(to, version).await.expect("connect");
            client
                .send_parts(&call, parts, Some(("x-tenant", "evil")))
                .await
        });
        until(what, BOUND, async || (self.keys.count() > 0).then_some(())).await;
        assert!(!asking.is_finished(), "{what}");
        assert_eq!(
            self.upstream.count(),
            0,
            "{what}: it passed before it was judged"
        );
        self.keys.release();
        let answer = asking.await.expect("the client's task");
        answer.unwrap_or_else(|error| panic!("{what}: {error}"))
    }
}
