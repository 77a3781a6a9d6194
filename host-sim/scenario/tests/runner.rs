//! What the runner says of scenarios that go otherwise, on the driver that needs nothing.

use std::path::Path;

use scenario::driver::{Driver, Need, Result, Setting, Stage, Trouble};
use scenario::drivers::simulated::Core;
use scenario::load::parse;
use scenario::play::{Failure, Verdict, play};
use scenario::setting::{setting, usual_configuration};

fn played(text: &str) -> Verdict {
    played_on(text, &Core)
}

fn played_on(text: &str, driver: &dyn Driver) -> Verdict {
    let loaded = parse(Path::new("x.yaml"), text).unwrap_or_else(|error| panic!("{error}"));
    let setting =
        setting(&loaded, &usual_configuration()).unwrap_or_else(|error| panic!("{error}"));
    play(&loaded, &setting, driver)
}

fn failed(text: &str) -> Failure {
    match played(text) {
        Verdict::Failed(failure) => failure,
        other => panic!("{other:?}\n{text}"),
    }
}

/// A scenario whose one step, on line 5, reads a balance of 7; `then` follows on line 6.
fn reading(then: &str) -> String {
    format!(
        "scenario: a test\ngiven:\n  accounts: {{ alice: 7 }}\nwhen:\n  - send: GET /reward-points/customer/alice\n    then: {then}\n"
    )
}

#[test]
fn what_holds_passes() {
    for then in [
        "{ status: 200, body: '7' }",
        "{ json: 7 }",
        "{ json: '${any.integer}' }",
        "{ hex: '37', contains: '7' }",
        "{ headers: { content-type: application/json, x-nothing: null, x-other: false, x-points-source: true } }",
    ] {
        assert_eq!(played(&reading(then)), Verdict::Passed, "{then}");
    }
}

#[test]
fn every_expectation_can_fail_and_says_how() {
    let cases = [
        ("{ status: 404 }", "status: expected 404, got 200"),
        ("{ body: '8' }", "body: expected 8, got 7"),
        ("{ body: '' }", "body: expected nothing, got 7"),
        ("{ json: 8 }", "body : expected 8, got 7"),
        ("{ json_has: { a: 1 } }", "body : expected {\"a\":1}, got 7"),
        (
            "{ contains: ['7', '8'] }",
            "body: expected something with 8, got 7",
        ),
        ("{ hex: '38' }", "body in hex: expected 38, got 37"),
        (
            "{ headers: { content-type: text/plain } }",
            "header content-type: expected text/plain, got application/json",
        ),
        (
            "{ headers: { content-type: null } }",
            "header content-type: expected none, got application/json",
        ),
        (
            "{ headers: { x-nothing: true } }",
            "header x-nothing: expected any value, got none",
        ),
        (
            "{ headers: { content-type: [a, b] } }",
            "header content-type: expected a | b, got application/json",
        ),
        (
            "{ trailers: { x-sum: '1' } }",
            "trailer x-sum: expected 1, got none",
        ),
        ("{ no_answer: true }", "answer: expected none, got 200 7"),
        ("{ body: '${nothing}' }", "nothing is called ${nothing}"),
        (
            "{ save: { a: 'header:x-nothing' } }",
            "the answer has no header x-nothing",
        ),
        (
            "{ save: { a: 'json:/a' } }",
            "the body has nothing at \"/a\"",
        ),
    ];
    for (then, words) in cases {
        let failure = failed(&reading(then));
        assert!(
            failure.words.starts_with(words),
            "{then}\n{}",
            failure.words
        );
        assert_eq!(failure.line, 6, "{then}");
        assert!(
            failure.place.starts_with("when[0].then"),
            "{}",
            failure.place
        );
    }
}

#[test]
fn a_failure_shows_the_whole_answer() {
    let failure = failed(&reading("{ status: 404, body: '8' }"));
    let words = "status: expected 404, got 200\nbody: expected 8, got 7\n  \
                 answer to GET /reward-points/customer/alice as clerk:\n    200\n";
    assert!(failure.words.starts_with(words), "{}", failure.words);
    assert!(
        failure
            .words
            .contains("\n    content-type: application/json\n"),
        "{}",
        failure.words
    );
}

#[test]
fn what_is_there_in_the_end_can_be_otherwise() {
    let scenario = |then: &str| {
        format!(
            "scenario: a test\ngiven:\n  accounts: {{ alice: 7 }}\nwhen:\n  - send: GET /reward-points/customer/alice\nthen:\n  {then}\n"
        )
    };
    let cases = [
        (
            "accounts: { alice: 8 }",
            "account alice, balance: expected 8, got 7",
        ),
        ("accounts: { alice: null }", "account alice"),
        (
            "accounts: { bob: 1 }",
            "account bob: expected a balance of 1, got no account",
        ),
        (
            "accounts: { bob: { activePoints: 1 } }",
            "account bob: expected an account, got none",
        ),
        (
            "accounts: { alice: { summary: { redeemedPointsList: [ {} ] } } }",
            "account alice /summary/redeemedPointsList/0: expected {}, got nothing",
        ),
        (
            "accounts_of: { other: { alice: 7 } }",
            "account alice of other: expected a balance of 7, got no account",
        ),
        (
            "engine: { documents: 2 }",
            "documents in the engine: expected 2, got 1",
        ),
        (
            "engine: { writes: { at_least: 2 } }",
            "writes of documents: expected at least 2, got 1",
        ),
        (
            "upstream: [ { request: GET /x } ]",
            "requests to the upstream: expected GET /x, got nothing",
        ),
        (
            "metrics: { reward_points.replies.success: 5 }",
            "metric reward_points.replies.success: expected 5, got 1",
        ),
        ("log: [ nowhere ]", "log"),
        ("log_lacks: [ allow ]", "log"),
    ];
    for (then, words) in cases {
        let failure = failed(&scenario(then));
        assert!(
            failure.words.starts_with(words),
            "{then}\n{}",
            failure.words
        );
        assert_eq!(failure.place, "then", "{then}");
    }
    let good = "accounts: { alice: 7, bob: null }\n  engine: { documents: 1, writes: 1, segments: 0 }\n  \
                metrics: { reward_points.replies.success: 1 }\n  log: [ '\"decision\":\"allow\"' ]";
    assert_eq!(played(&scenario(good)), Verdict::Passed);
}

#[test]
fn trailers_are_judged_both_ways() {
    let scenario = |answer: &str, seen: &str| {
        format!(
            "scenario: a test\ngiven:\n  upstream: {{ answers: [ {{ trailers: {{ x-sum: '1' }} }} ] }}\nwhen:\n  - send: POST /x\n    as: nobody\n    \
             http: 2\n    parts: [a]\n    trailers: {{ x-part: last }}\n    then: {{ trailers: {answer} }}\nthen:\n  upstream: [ {{ request: POST /x, \
             trailers: {seen} }} ]\n"
        )
    };
    let good = scenario("{ x-sum: '1', x-part: null }", "{ x-part: last }");
    assert_eq!(played(&good), Verdict::Passed);
    let cases = [
        (
            scenario("{ x-sum: '2' }", "{ x-part: last }"),
            "trailer x-sum: expected 2, got 1",
        ),
        (
            scenario("{ x-sum: '1' }", "{ x-part: null }"),
            "request 0 to the upstream, trailer x-part: expected none, got last",
        ),
    ];
    for (text, words) in cases {
        let failure = failed(&text);
        assert!(failure.words.starts_with(words), "{}", failure.words);
    }
}

#[test]
fn what_was_begun_is_under_way_when_the_next_step_comes() {
    let text = "scenario: a test\ngiven:\n  time: 2027-03-01T00:00:00Z\n  engine: frozen\nwhen:\n  - send: GET /reward-points/customer/alice\n    begin: early\n  - \
                send: GET /x\n    as: nobody\n    headers: { x-now: '${now}' }\nthen:\n  upstream: [ { request: GET /x, headers: { x-now: \
                '2027-03-01T00:00:00.1${any.integer}+00:00' } } ]\n";
    let text = text.replace("  engine: frozen", "  engine: frozen\n  upstream: {}");
    assert_eq!(played(&text), Verdict::Passed);
}

#[test]
fn a_call_that_a_lost_worker_gave_up_is_not_its_successors() {
    let write = "send: POST /reward-points/customer/alice\n    worker: 0\n";
    let text = format!(
        "scenario: a test\ngiven:\n  workers: 1\n  configuration: {{ engine: {{ call_timeout_ms: 1000, write_budget_ms: 20000 }} }}\nwhen:\n  \
         - engine: frozen\n  - {write}    begin: lost\n  - pass: 600ms\n  - lose_worker: 0\n  - {write}    begin: kept\n  - pass: 500ms\n  - \
         engine: up\n  - finish: kept\n    then: {{ status: 200 }}\nthen:\n  metrics: {{ reward_points.commit.resends: 0, \
         reward_points.engine.failures: 0 }}\n"
    );
    assert_eq!(played(&text), Verdict::Passed);
}

#[test]
fn counts_of_requests_that_go_together_are_compared() {
    let text = "scenario: a test\nwhen:\n  - together:\n      - send: POST /reward-points/customer/alice\n        times: 3\n    then: { statuses: { '200': 2, '409': 1 } }\n";
    let failure = failed(text);
    assert_eq!(
        failure.words,
        "statuses: expected 2 × 200, 1 × 409, got 1 × 200, 2 × 409"
    );
    assert_eq!(failure.place, "when[0].then.statuses");
}

#[test]
fn a_beginning_that_cannot_be_is_told() {
    let accounts = "scenario: a test\ngiven:\n  accounts: { alice: { redeemed: [ { points: 1 } ] } }\nwhen:\n  - pass: 1s\nthen: { upstream: [] }\n";
    let failure = failed(accounts);
    assert_eq!(
        (failure.line, failure.place.as_str()),
        (3, "given.accounts.alice")
    );
    assert!(
        failure.words.contains("only 0 are active"),
        "{}",
        failure.words
    );
    let configuration = "scenario: a test\ngiven:\n  configuration: { realms: x }\nwhen:\n  - pass: 1s\nthen: { upstream: [] }\n";
    let failure = failed(configuration);
    assert!(failure.words.contains("realms"), "{}", failure.words);
}

/// A driver on which no clock can be moved.
struct Clockless;

impl Driver for Clockless {
    fn name(&self) -> &'static str {
        "envoy"
    }

    fn cannot(&self, need: Need) -> bool {
        need == Need::Clock
    }

    fn kinship(&self, _setting: &Setting) -> String {
        String::new()
    }

    fn open(&self, _setting: &Setting) -> Result<Box<dyn Stage>> {
        Err(Trouble("it was opened".to_owned()))
    }
}

#[test]
fn what_a_driver_cannot_do_needs_a_reason() {
    let scenario = |more: &str| {
        format!("scenario: a test\n{more}when:\n  - pass: 1s\nthen: {{ upstream: [] }}\n")
    };
    let reasoned = scenario("not_on: { envoy: no clock }\n");
    assert_eq!(
        played_on(&reasoned, &Clockless),
        Verdict::CannotRun("no clock".to_owned())
    );
    let Verdict::Failed(failure) = played_on(&scenario(""), &Clockless) else {
        panic!("it was passed over in silence");
    };
    assert!(failure.words.contains("not_on.envoy"), "{}", failure.words);
    assert_eq!(played_on(&reasoned, &Core), Verdict::Passed);
}

/// The blocks of these documents that are scenarios.
const FENCE: &str = "```yaml scenario";

#[test]
fn what_the_documents_show_passes() {
    let mut shown = 0;
    for file in ["README.md", "docs/scenarios.md"] {
        let text = std::fs::read_to_string(testbed::workspace_root().join(file)).expect(file);
        for block in text.split(FENCE).skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            assert_eq!(played(block), Verdict::Passed, "{file}\n{block}");
            shown += 1;
        }
    }
    assert_eq!(shown, 2);
}
