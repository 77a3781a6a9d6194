//! Watches: what a stream is told, in which order. How events are packed into answers is the server's choice.

use etcd_wire::watch_create_request::FilterType;
use etcd_wire::{Event, WatchCreateRequest, WatchResponse};
use tonic::Code;

use crate::support::requests::{ON, all, delete, nested, put};
use crate::support::server::{Call, Server};
use crate::support::watching::{Watching, on};

/// What a client saw, in order.
#[derive(Debug, PartialEq)]
enum Seen {
    Answer(WatchResponse),
    Events(Vec<(i64, Event)>),
}

/// Runs the same steps against both servers.
macro_rules! agree {
    ($scenario:ident) => {{
        let [ours, theirs] = Server::pair().await;
        let ours = $scenario(&ours).await;
        let theirs = $scenario(&theirs).await;
        assert!(!ours.is_empty());
        assert_eq!(ours, theirs, "engine (left) and etcd (right)");
    }};
}

async fn write(server: &Server, calls: impl IntoIterator<Item = Call>) {
    for call in calls {
        let outcome = server.call(&call).await;
        assert_eq!(outcome.code(), Code::Ok, "{call:?}: {outcome:?}");
    }
}

/// Revisions 2 to 7.
async fn history(server: &Server) {
    write(
        server,
        [
            all([put("k/a", "1")]).into(),
            all([put("k/b", "1"), put("k/c", "1")]).into(),
            all([put("l", "1")]).into(),
            all([put("k/a", "2"), delete("k/b", "", false)]).into(),
            all([delete("k/", "k0", false)]).into(),
            all([put("k/a", "3")]).into(),
        ],
    )
    .await;
}

async fn replay_then_live(server: &Server) -> Vec<Seen> {
    history(server).await;
    let mut seen = Vec::new();
    let mut watching = Watching::open(server);
    seen.push(Seen::Answer(watching.create(on("k/", "k0", 2)).await));
    seen.push(Seen::Events(watching.events(8).await));
    write(
        server,
        [
            all([put("k/a", "4"), put("k/d", "4"), put("m", "4")]).into(),
            all([put("n", "4")]).into(),
            all([delete("k/d", "", false)]).into(),
        ],
    )
    .await;
    seen.push(Seen::Events(watching.events(3).await));
    seen
}

#[tokio::test]
async fn a_watch_replays_history_and_goes_on_live() {
    agree!(replay_then_live);
}

async fn ranges(server: &Server) -> Vec<Seen> {
    history(server).await;
    let mut seen = Vec::new();
    for (request, count) in [
        (on("k/a", "", 2), 4),
        (on("k/b", ON, 2), 5),
        (on("", ON, 2), 9),
        (on("k/a", "", 7), 1),
    ] {
        let mut watching = Watching::open(server);
        seen.push(Seen::Answer(watching.create(request).await));
        seen.push(Seen::Events(watching.events(count).await));
    }
    seen
}

#[tokio::test]
async fn every_spelling_of_a_range() {
    agree!(ranges);
}

async fn now_and_later(server: &Server) -> Vec<Seen> {
    history(server).await;
    let mut seen = Vec::new();
    let mut now = Watching::open(server);
    seen.push(Seen::Answer(now.create(on("k/a", "", 0)).await));
    let mut later = Watching::open(server);
    seen.push(Seen::Answer(later.create(on("k/a", "", 9)).await));
    write(
        server,
        ["8", "9", "10"].map(|value| all([put("k/a", value)]).into()),
    )
    .await;
    seen.push(Seen::Events(now.events(3).await));
    seen.push(Seen::Events(later.events(2).await));
    seen
}

#[tokio::test]
async fn from_now_on_and_from_a_future_revision() {
    agree!(now_and_later);
}

async fn filters(server: &Server) -> Vec<Seen> {
    history(server).await;
    let mut seen = Vec::new();
    for (no_put, no_delete, prev_kv, count) in [
        (true, false, false, 3),
        (false, true, false, 5),
        (false, false, true, 8),
        (true, false, true, 3),
    ] {
        let filters = [
            (no_put, FilterType::Noput),
            (no_delete, FilterType::Nodelete),
        ];
        let request = WatchCreateRequest {
            filters: filters
                .iter()
                .filter_map(|(wanted, filter)| wanted.then_some(*filter as i32))
                .collect(),
            prev_kv,
            ..on("k/", "k0", 2)
        };
        let mut watching = Watching::open(server);
        seen.push(Seen::Answer(watching.create(request).await));
        seen.push(Seen::Events(watching.events(count).await));
    }
    seen
}

#[tokio::test]
async fn filters_and_previous_values() {
    agree!(filters);
}

async fn twice_in_one_revision(server: &Server) -> Vec<Seen> {
    write(
        server,
        [
            all([put("y", "0")]).into(),
            all([
                nested(all([put("y", "1")])),
                nested(all([delete("y", "", false)])),
            ])
            .into(),
            all([put("y", "2")]).into(),
            all([delete("y", ON, false), put("y", "3")]).into(),
        ],
    )
    .await;
    let mut watching = Watching::open(server);
    let request = WatchCreateRequest {
        prev_kv: true,
        ..on("y", "", 2)
    };
    let created = watching.create(request).await;
    vec![
        Seen::Answer(created),
        Seen::Events(watching.events(6).await),
    ]
}

#[tokio::test]
async fn a_key_changed_twice_in_one_revision() {
    agree!(twice_in_one_revision);
}

async fn numbers(server: &Server) -> Vec<Seen> {
    history(server).await;
    let mut seen = Vec::new();
    let mut watching = Watching::open(server);
    for (watch_id, request) in [
        (0, on("a", "", 0)),
        (0, on("b", "", 0)),
        (7, on("c", "", 0)),
        (7, on("d", "", 0)),
        (2, on("e", "", 0)),
        (0, on("f", "", 0)),
        (0, on("z", "a", 0)),
        (0, on("z", "z", 0)),
    ] {
        let request = WatchCreateRequest {
            watch_id,
            ..request
        };
        seen.push(Seen::Answer(watching.create(request).await));
    }
    watching.cancel(1).await;
    seen.push(Seen::Answer(watching.next().await));
    // A watch that is not there is cancelled without a word: the next answer is about the other one.
    watching.cancel(99).await;
    watching.cancel(7).await;
    seen.push(Seen::Answer(watching.next().await));
    write(
        server,
        ["b", "c", "f"].map(|key| all([put(key, "1")]).into()),
    )
    .await;
    seen.push(Seen::Events(watching.events(1).await));
    seen
}

#[tokio::test]
async fn numbers_of_watches_and_cancelling() {
    agree!(numbers);
}

async fn compacted(server: &Server) -> Vec<Seen> {
    history(server).await;
    write(server, [Call::Compact(5)]).await;
    let mut seen = Vec::new();
    for start_revision in [1, 4] {
        let mut watching = Watching::open(server);
        let created = watching.create(on("k/", "k0", start_revision)).await;
        seen.push(Seen::Answer(created));
        seen.push(Seen::Answer(watching.next().await));
    }
    // At the compacted revision itself nothing is missing but the deletes of it, which etcd 3.4 drops; so this watch
    // is on a key that was put there.
    for (key, prev_kv, count) in [("k/a", false, 3), ("k/a", true, 3)] {
        let mut watching = Watching::open(server);
        let request = WatchCreateRequest {
            prev_kv,
            ..on(key, "", 5)
        };
        seen.push(Seen::Answer(watching.create(request).await));
        seen.push(Seen::Events(watching.events(count).await));
    }
    seen
}

#[tokio::test]
async fn a_compacted_start_ends_the_watch() {
    agree!(compacted);
}

async fn progress(server: &Server) -> Vec<Seen> {
    history(server).await;
    let mut watching = Watching::open(server);
    let mut seen = vec![Seen::Answer(watching.create(on("k/", "k0", 0)).await)];
    watching.ask_progress().await;
    seen.push(Seen::Answer(watching.next().await));
    write(server, [all([put("elsewhere", "1")]).into()]).await;
    watching.ask_progress().await;
    seen.push(Seen::Answer(watching.next().await));
    seen
}

#[tokio::test]
async fn progress_on_request() {
    agree!(progress);
}

async fn two_watches(server: &Server) -> Vec<Seen> {
    let mut watching = Watching::open(server);
    let mut seen = Vec::new();
    for request in [on("a", "", 0), on("a", "c", 0)] {
        seen.push(Seen::Answer(watching.create(request).await));
    }
    write(
        server,
        [
            all([put("a", "1"), put("b", "1")]).into(),
            all([put("b", "2")]).into(),
            all([put("a", "2")]).into(),
        ],
    )
    .await;
    // Which of two watches hears first is not defined.
    let mut events = watching.events(6).await;
    events.sort_by_key(|(watch_id, _)| *watch_id);
    seen.push(Seen::Events(events));
    seen
}

#[tokio::test]
async fn several_watches_on_one_stream() {
    agree!(two_watches);
}

/// The changes of one transaction come in one answer, replayed and live.
#[tokio::test]
async fn a_transaction_is_told_whole() {
    for server in Server::pair().await {
        let write_three = || all([put("a", "1"), put("b", "1"), put("c", "1")]).into();
        write(&server, [write_three()]).await;
        let mut watching = Watching::open(&server);
        watching.create(on("a", ON, 2)).await;
        let replayed = watching.next().await;
        assert_eq!(replayed.events.len(), 3, "{}: {replayed:?}", server.name);
        write(&server, [write_three()]).await;
        let live = watching.next().await;
        assert_eq!(live.events.len(), 3, "{}: {live:?}", server.name);
    }
}
