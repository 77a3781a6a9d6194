//! Fetching a document in a tick, as a key set is: by the root contexts of a worker and of the main thread.

use super::{on_each, said};
use crate::common::{Gateway, until};

/// What the roots of the one worker and of the main thread found: the same, or something is wrong.
fn fetched(gateway: &Gateway, number: usize, timeout_ms: u32, cluster: &str, path: &str) -> String {
    let asked = format!("{number} {timeout_ms} {cluster} {path}");
    said(gateway, "/probe/fetch", &[("x-asked", asked.as_bytes())]);
    let key = format!("fetched-{number}");
    let mut found = Vec::new();
    until(&format!("{asked}: both VMs have an answer"), || {
        let text = said(gateway, "/probe/shared-value", &[("x-key", key.as_bytes())]);
        found = text.split_terminator("\\n").map(str::to_owned).collect();
        found.len() == 2
    });
    assert_eq!(found[0], found[1], "{}", gateway.name());
    found.remove(0)
}

/// No case takes so long.
const LONG_MS: u32 = 20_000;

#[test]
fn a_document_is_fetched_in_a_tick_of_a_worker_and_of_the_main_thread() {
    let good = |size: usize| {
        format!("headers=true 0 200 body={size} read=0 {size} trailers=0 upstream=true ")
    };
    let local = |status: u16, words: &str| {
        let size = words.len();
        format!(
            "headers=true 0 {status} body={size} read=0 {size} trailers=0 upstream=false {words}"
        )
    };
    let reset = "upstream connect error or disconnect/reset before headers. reset reason: ";
    let broken = "headers=false 2  body=0 read=1 0 trailers=0 upstream=false  status=11 reset";
    let cases = [
        (LONG_MS, "up", "/size/0", good(0)),
        (LONG_MS, "up", "/size/1", good(1)),
        (LONG_MS, "up", "/size/71680", good(71_680)),
        (LONG_MS, "up", "/size/10485760", good(10_485_760)),
        (LONG_MS, "up", "/size/33554432", good(33_554_432)),
        (LONG_MS, "up", "/size/33554433", broken.to_owned()),
        (LONG_MS, "up", "/size/50000000", broken.to_owned()),
        (
            LONG_MS,
            "up",
            "/status/404",
            "headers=true 0 404 body=5 read=0 5 trailers=0 upstream=true words".to_owned(),
        ),
        (
            LONG_MS,
            "up",
            "/status/500",
            "headers=true 0 500 body=5 read=0 5 trailers=0 upstream=true words".to_owned(),
        ),
        (
            LONG_MS,
            "up",
            "/drop",
            local(503, &format!("{reset}connection termination")),
        ),
        (
            LONG_MS,
            "dead",
            "/size/1",
            local(503, &format!("{reset}remote connection failure")),
        ),
        (300, "up", "/slow", local(504, "upstream request timeout")),
        (
            LONG_MS,
            "up",
            "/half",
            "headers=false 2  body=0 read=1 0 trailers=0 upstream=false  status=11 reset"
                .to_owned(),
        ),
        (LONG_MS, "none", "/", "not sent 2".to_owned()),
    ];
    on_each(|gateway| {
        for (number, (timeout_ms, cluster, path, expected)) in cases.iter().enumerate() {
            let found = fetched(gateway, number, *timeout_ms, cluster, path);
            assert_eq!(found, *expected, "{} {path} {cluster}", gateway.name());
        }
    });
}
