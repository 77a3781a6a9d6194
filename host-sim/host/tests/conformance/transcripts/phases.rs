//! How each phase is brought about: the requests that make the probe call everything where it is then.

use super::compare::Told;
use crate::common::client::{Answer, http2, send};
use crate::common::{Gateway, until};

/// Requests that end by a host call, each of its own. Not by resuming the answer of a request that has none yet: Envoy's process
/// ends by that (a segmentation fault).
const ENDINGS: [&str; 16] = [
    "resume request",
    "reply good",
    "reply with details",
    "reply twice",
    "reply without a body",
    "reply 204 with a body",
    "reply without headers",
    "reply no pairs",
    "reply pairs cut short",
    "reply a gRPC status",
    "reply its own length",
    "reply its own status",
    "reply 599",
    "reply parts outside",
    "exit",
    // Another one after it: the VM of the last may be gone.
    "reply good",
];
/// Headers that differ from host to host or from run to run.
const VARYING: [&str; 3] = ["date", "server", "x-envoy-upstream-service-time"];

/// Everything that the probe was told on this gateway.
pub fn tell(gateway: &Gateway) -> Told {
    let mut told = Told::default();
    streams(gateway);
    for (who, phases) in [
        (
            "local",
            &[
                "request headers",
                "request body",
                "request trailers",
                "response headers",
                "response body",
                "log",
                "done",
                "delete",
            ][..],
        ),
        (
            "passed",
            &[
                "request headers",
                "request body",
                "request trailers",
                "response headers",
                "response body",
                "response trailers",
                "log",
                "done",
                "delete",
            ],
        ),
        ("http", &["answer"]),
        ("http broken off", &["answer"]),
        ("grpc", &["answer"]),
        ("grpc refused", &["answer"]),
        (
            "grpc stream",
            &["initial metadata", "message", "trailing metadata", "close"],
        ),
    ] {
        for phase in phases {
            told.add(&recorded(gateway, &format!("{who}, {phase}")));
        }
    }
    for (case, phases) in [
        ("transcript-root", &["a stream in the root's name"][..]),
        ("transcript-queue", &["queue"]),
        ("transcript-hold", &["tick in a stream's name"]),
        (
            "transcript-tick",
            &["tick of a worker", "tick of the main thread"],
        ),
    ] {
        let answer = ask(gateway, case, &[]);
        assert_eq!(answer.status, 200, "{} {case}: {answer:?}", gateway.name());
        for phase in phases {
            told.add(&recorded(gateway, phase));
        }
    }
    for phase in ["vm start", "configuration"] {
        told.add(&recorded(gateway, phase));
    }
    for name in ENDINGS {
        let answer = ask(gateway, "ending", &[("x-ending", name)]);
        told.add(&recorded(gateway, &format!("ending: {name}")));
        told.answer(&format!("ending: {name}"), &shown(&answer));
    }
    told
}

fn streams(gateway: &Gateway) {
    let name = gateway.name();
    for (who, path) in [
        ("local", "/probe/transcript"),
        ("passed", "/probe/to/transcript/four"),
    ] {
        let headers = [
            ("x-transcript", who),
            ("x-case", "1"),
            ("x-case", "2"),
            ("te", "trailers"),
        ];
        let (answer, _) = http2(gateway.address(), path, &headers, b"body", &[("x-t", "1")]);
        assert_eq!(
            (answer.status, &answer.body[..]),
            (200, "body"),
            "{name}: {answer:?}"
        );
    }
    for (who, case, path) in [
        ("http", "http-call", "/ok"),
        ("http broken off", "http-call", "/half"),
        ("grpc", "grpc-call", "Echo"),
        ("grpc refused", "grpc-call", "Refuse"),
        ("grpc stream", "grpc-stream", "Chat"),
    ] {
        let answer = ask(gateway, case, &[("x-transcript", who), ("x-path", path)]);
        assert_eq!(answer.status, 200, "{name} {who}: {answer:?}");
    }
}

fn ask(gateway: &Gateway, case: &str, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let path = format!("/probe/{case}");
    send(gateway.address(), "GET", &path, &headers, b"")
}

/// What was recorded in a phase, as soon as it was.
fn recorded(gateway: &Gateway, phase: &str) -> String {
    let mut text = String::new();
    let what = format!("{}: {phase}", gateway.name());
    until(&what, || {
        let answer = ask(gateway, "transcript-text", &[("x-phase", phase)]);
        // A VM that is being replaced says 503.
        text = answer.body;
        answer.status == 200 && !text.is_empty()
    });
    text
}

fn shown(answer: &Answer) -> String {
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .map(|(name, value)| {
            if VARYING.contains(&name.as_str()) {
                name.clone()
            } else {
                format!("{name}={value}")
            }
        })
        .collect();
    headers.sort();
    format!("{} {headers:?} {:?}", answer.status, answer.body)
}
