//! What no comparison with etcd shows: groups, slow watchers, automatic compaction, stopping.

mod support;

use std::time::Duration;

use etcd_wire::{StatusRequest, WatchCreateRequest};
use support::requests::{ON, all, delete, get, keys, put, put_as, txn, unchanged};
use support::server::{Call, Outcome, Server};
use support::watching::{Watching, on};
use tonic::Code;

/// Longer than any of these may take; reached only by a failure.
const LIMIT: Duration = Duration::from_secs(60);

fn succeeded(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Txn(response) if response.succeeded)
}

/// Many clients compare and put the same key at once, among them some whose transaction is refused: each revision is
/// won once, and the refused ones disturb nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_winner_per_revision_in_a_group() {
    const RIVALS: usize = 64;
    let server = std::sync::Arc::new(Server::embedded().await);
    for round in 0..5 {
        let base = if round == 0 { 0 } else { 1 + round };
        let rivals: Vec<_> = (0..RIVALS)
            .map(|rival| {
                let server = std::sync::Arc::clone(&server);
                tokio::spawn(async move {
                    let request = if rival % 4 == 3 {
                        // Refused by the writer: the read's revision has not happened.
                        let mut future = keys("k", "");
                        future.revision = 9_999;
                        all([put("k", "refused"), get(future)])
                    } else {
                        let value = rival.to_string();
                        txn(
                            [unchanged("k", base)],
                            [put("k", &value)],
                            [get(keys("k", ""))],
                        )
                    };
                    server.call(&request.into()).await
                })
            })
            .collect();
        let mut winners = 0;
        for (rival, outcome) in rivals.into_iter().enumerate() {
            let outcome = outcome.await.expect("a rival does not panic");
            if rival % 4 == 3 {
                assert_eq!(outcome.code(), Code::OutOfRange, "{outcome:?}");
            } else {
                assert_eq!(outcome.code(), Code::Ok, "{outcome:?}");
            }
            winners += usize::from(succeeded(&outcome));
        }
        assert_eq!(winners, 1, "round {round}");
        assert_eq!(server.running().revision(), 2 + round);
    }
}

/// A transaction that is found impossible only after it has written leaves nothing, and its group is none the worse.
/// (It deletes the key whose value it then wants to keep; a real etcd ends its process over this.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_refusal_leaves_nothing() {
    let server = std::sync::Arc::new(Server::embedded().await);
    server.call(&all([put("z", "1")]).into()).await;
    let calls: Vec<_> = (0..64)
        .map(|number| {
            let server = std::sync::Arc::clone(&server);
            let request = if number % 8 == 0 {
                all([
                    put("lost", "1"),
                    delete("z", ON, false),
                    put_as("z", "", |put| put.ignore_value = true),
                ])
            } else {
                all([put(&format!("k{number:02}"), "1")])
            };
            tokio::spawn(async move { server.call(&request.into()).await.code() })
        })
        .collect();
    for (number, code) in calls.into_iter().enumerate() {
        let expected = if number % 8 == 0 {
            Code::InvalidArgument
        } else {
            Code::Ok
        };
        assert_eq!(code.await.expect("no panic"), expected, "call {number}");
    }
    let Outcome::Range(everything) = server.call(&keys("a", ON).into()).await else {
        panic!("a read is not refused");
    };
    assert_eq!(everything.count, 1 + 64 - 8);
    assert!(everything.kvs.iter().all(|kv| kv.key != "lost"));
    assert!(everything.kvs.iter().any(|kv| kv.key == "z"));
    assert_eq!(server.running().revision(), 2 + 64 - 8);
}

/// A watcher that takes nothing while far more is written than its stream holds still hears of everything, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_watcher_misses_nothing() {
    const WRITES: usize = 120;
    let server = Server::embedded().await;
    let mut watching = Watching::open(&server);
    watching.create(on("k", ON, 0)).await;
    // 12 MB in all: many times what windows and buffers take.
    let value = "x".repeat(100_000);
    for number in 0..WRITES {
        let outcome = server
            .call(&all([put(&format!("k{number:03}"), &value)]).into())
            .await;
        assert_eq!(outcome.code(), Code::Ok);
    }
    let events = watching.events(WRITES).await;
    for (number, (_, event)) in events.iter().enumerate() {
        let kv = event.kv.as_ref().expect("a key");
        assert_eq!(kv.key, format!("k{number:03}"));
        assert_eq!(kv.value.len(), value.len());
    }
}

/// One transaction whose events pass the message bound is cut for a client that can join it, and only for that one.
#[tokio::test]
async fn large_answers_are_cut_on_request() {
    let server = Server::embedded().await;
    let value = "x".repeat(700_000);
    for _ in 0..2 {
        server
            .call(&all([put("a", &value), put("b", &value)]).into())
            .await;
    }
    for (fragment, expected) in [(false, vec![2]), (true, vec![1, 1])] {
        let mut watching = Watching::open(&server);
        let request = WatchCreateRequest {
            fragment,
            prev_kv: true,
            ..on("a", ON, 3)
        };
        watching.create(request).await;
        let mut pieces = Vec::new();
        loop {
            let answer = watching.next().await;
            pieces.push(answer.events.len());
            if !answer.fragment {
                break;
            }
        }
        assert_eq!(pieces, expected, "fragment: {fragment}");
    }
}

/// The engine forgets old revisions by itself, keeps those it promised, and tells a watch that came too late.
#[tokio::test]
async fn old_revisions_are_compacted() {
    const RETAINED: i64 = 50;
    let server = Server::embedded_with(|config| config.retained_revisions = RETAINED as u32).await;
    let past = |revision| {
        let mut request = keys("k", "");
        request.revision = revision;
        Call::Range(request)
    };
    while server.call(&past(2)).await.code() != Code::OutOfRange || server.running().revision() < 2
    {
        let writes = (0..64)
            .map(|_| server.running())
            .map(|running| running.revision());
        for revision in writes {
            server
                .call(&all([put("k", &revision.to_string())]).into())
                .await;
        }
        assert!(
            server.running().revision() < 5_000,
            "nothing is ever compacted"
        );
    }
    let now = server.running().revision();
    for revision in now - RETAINED..=now {
        let outcome = server.call(&past(revision)).await;
        assert_eq!(outcome.code(), Code::Ok, "{revision} of {now}");
    }
    let mut late = Watching::open(&server);
    late.create(on("k", "", 2)).await;
    let told = late.next().await;
    assert!(told.canceled && told.compact_revision > 2, "{told:?}");
}

/// Large documents that change often do not fill the disk: the past is bounded in bytes as well, and the file with it.
#[tokio::test]
async fn the_past_is_bounded_in_bytes() {
    const RETAINED: usize = 2 * 1024 * 1024;
    const VALUE: usize = 200_000;
    const WRITES: i64 = 200;
    let server = Server::embedded_with(|config| config.retained_bytes = RETAINED as u64).await;
    let value = "x".repeat(VALUE);
    for _ in 0..WRITES {
        let written = server.call(&all([put("k", &value)]).into()).await;
        assert_eq!(written.code(), Code::Ok);
    }
    let now = server.running().revision();
    assert_eq!(now, 1 + WRITES);
    let past = |revision| {
        let mut request = keys("k", "");
        request.revision = revision;
        Call::Range(request)
    };
    let kept = i64::try_from(RETAINED / VALUE).expect("small") - 1;
    for revision in now - kept..=now {
        let outcome = server.call(&past(revision)).await;
        assert_eq!(outcome.code(), Code::Ok, "{revision} of {now}");
    }
    let long_ago = server.call(&past(now - 2 * kept)).await;
    assert_eq!(long_ago.code(), Code::OutOfRange);
    let status = server.maintenance().status(StatusRequest {}).await;
    let file_bytes = status.expect("a status").into_inner().db_size;
    let written = WRITES * i64::try_from(VALUE).expect("small");
    assert!(file_bytes < written / 3, "{file_bytes} of {written}");
}

#[tokio::test]
async fn idle_watches_hear_of_progress() {
    let server = Server::embedded_with(|config| {
        config.progress_interval = Duration::from_millis(20);
    })
    .await;
    let mut watching = Watching::open(&server);
    let request = WatchCreateRequest {
        progress_notify: true,
        watch_id: 5,
        ..on("k", "", 0)
    };
    watching.create(request).await;
    server.call(&all([put("elsewhere", "1")]).into()).await;
    loop {
        let answer = watching.next().await;
        assert_eq!((answer.watch_id, answer.events.len()), (5, 0));
        if answer.header.expect("a header").revision == 2 {
            break;
        }
    }
}

/// Stopping ends watches with a word, refuses new calls, and is not held up by idle connections.
#[tokio::test]
async fn stopping_ends_watches() {
    let server = Server::embedded().await;
    let mut client = server.kv();
    let mut watching = Watching::open(&server);
    watching.create(on("k", "", 0)).await;
    tokio::time::timeout(LIMIT, server.stop())
        .await
        .expect("stopping ends");
    let ended = watching.try_next().await.expect_err("an end with a reason");
    assert_eq!(ended.code(), Code::Unavailable);
    let refused = client.range(keys("k", "")).await.expect_err("nobody there");
    assert_eq!(refused.code(), Code::Unavailable);
}

#[tokio::test]
async fn an_overlong_message_is_refused_and_the_connection_lives() {
    let server = Server::embedded().await;
    let huge = all([put("k", &"x".repeat(4 * 1024 * 1024))]);
    assert_ne!(server.call(&huge.into()).await.code(), Code::Ok);
    assert_eq!(server.call(&keys("k", "").into()).await.code(), Code::Ok);
}
