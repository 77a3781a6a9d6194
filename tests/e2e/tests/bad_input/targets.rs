//! Paths and queries: one segment is one customer, whatever it holds, or it is refused.

use e2e::{Call, Client, Stack, Version};
use serde_json::Value;

use crate::{Body, judge};

pub async fn check(stack: &Stack) {
    let on = stack.combination();
    let token = stack.token("acme");
    let longest = "x".repeat(128);
    let too_long = "x".repeat(129);
    let too_long_escaped = "%78".repeat(129);
    // The segment as it is sent, and the id that it stands for.
    let ids = [
        ("plain", "plain"),
        ("a%2Fb", "a/b"),
        ("a%2fc", "a/c"),
        ("a%252Fb", "a%2Fb"),
        ("a;b=1", "a;b=1"),
        ("a%3Bb", "a;b"),
        ("..", ".."),
        ("%2E%2E", ".."),
        (".", "."),
        ("%2E%2E%2Fsummary", "../summary"),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
        ("gr%C3%B6%C3%9Fe", "größe"),
        ("%E2%82%AC", "€"),
        ("a%22b", "a\"b"),
        ("a:b@c!$&'()*,=~", "a:b@c!$&'()*,=~"),
        (longest.as_str(), longest.as_str()),
    ];
    for version in [Version::Http1, Version::Http2] {
        let mut client = Client::connect(stack.address(), version)
            .await
            .expect("connect");
        for (segment, id) in ids {
            let what = format!("{on} {version:?}: {segment}");
            let answer = client
                .send(&Call::add(segment, r#"{"points":3}"#).bearer(&token))
                .await;
            let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
            judge(&what, &answer, 201, Body::Empty);
            let summary = client
                .send(&Call::summary(segment).bearer(&token))
                .await
                .expect("an answer");
            assert_eq!(summary.status, 200, "{what}: {}", summary.brief());
            let summary: Value = serde_json::from_slice(&summary.body).expect("JSON");
            assert_eq!(summary["customerId"], id, "{what}");
        }
        for segment in [
            "",
            "%",
            "%4",
            "%zz",
            "a%2",
            "%u0041",
            "a%00b",
            "%0A",
            "%7F",
            "%FF",
            "%C3",
            &too_long,
            &too_long_escaped,
        ] {
            for call in [
                Call::balance(segment),
                Call::summary(segment),
                Call::add(segment, r#"{"points":1}"#),
                Call::delete(&format!("/customer/{segment}")),
            ] {
                let what = format!("{on} {version:?}: {} {}", call.method, call.path);
                let answer = client.send(&call.bearer(&token)).await;
                let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
                judge(&what, &answer, 400, Body::Ours);
            }
        }
        for query in [
            "siteCode=nowhere",
            "siteCode=",
            "siteCode=main&siteCode=main",
            "siteCode=%zz",
            "siteCode=Main",
        ] {
            let what = format!("{on} {version:?}: {query}");
            let call = Call::post(
                &format!("/customer/plain/addPoints?{query}"),
                r#"{"points":1}"#,
            );
            let answer = client.send(&call.bearer(&token)).await.expect("an answer");
            judge(&what, &answer, 400, Body::Ours);
        }
        for query in [
            "pageNumber=0",
            "pageNumber=x",
            "pageSize=0",
            "pageSize=1001",
            "next=.zz",
            "pageNumber=1&pageNumber=1",
        ] {
            let what = format!("{on} {version:?}: {query}");
            let call = Call::get(&format!("/summaryBatch?{query}"));
            let answer = client.send(&call.bearer(&token)).await.expect("an answer");
            judge(&what, &answer, 400, Body::Ours);
        }
    }
    // Each of them is one account of its own, and there is no other.
    let mut client = Client::connect(stack.address(), Version::Http1)
        .await
        .expect("connect");
    let list = client
        .send(&Call::get("/summaryBatch").bearer(&token))
        .await
        .expect("an answer");
    let list: Value = serde_json::from_slice(&list.body).expect("JSON");
    let mut found: Vec<&str> = list
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["customerId"].as_str())
        .collect();
    let ascending = found.is_sorted();
    let mut wanted: Vec<&str> = ids.iter().map(|(_, id)| *id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    found.sort_unstable();
    assert_eq!(found, wanted, "{on}");
    assert!(ascending, "{on}: {list}");
}
