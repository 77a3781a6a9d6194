//! What is said of files that are wrong.

use std::path::Path;

use super::*;

const GOOD: &str = "\
scenario: a balance is read
given:
  accounts: { alice: 7 }
when:
  - send: GET /reward-points/customer/alice
    then: { status: 200, body: '7' }
";

fn refused(text: &str) -> String {
    parse(Path::new("x.yaml"), text)
        .expect_err(text)
        .to_string()
}

#[test]
fn a_good_file_is_read_with_its_lines() {
    let loaded = parse(Path::new("x.yaml"), GOOD).expect("a scenario");
    assert_eq!(loaded.scenario.scenario, "a balance is read");
    assert_eq!(loaded.line("/when/0/then"), 6);
    assert_eq!(loaded.line("/when/0/then/nothing"), 6);
    assert_eq!(loaded.line("/given/accounts/alice"), 3);
    assert_eq!(loaded.line("/nowhere"), 1);
}

#[test]
fn complaints_have_file_line_and_place() {
    let cases = [
        ("scenario: [", "x.yaml: not YAML"),
        (
            "scenario: a\nscenario: b\nwhen: [{pass: 1s}]\n",
            "x.yaml: not YAML",
        ),
        (
            "when:\n  - pass: 1s\n",
            "x.yaml:1: the field \"scenario\" is missing",
        ),
        ("scenario: a\nwhen: []\n", "x.yaml:2: when: is empty"),
        (
            "scenario: a\nwhen:\n  - send: GET /x\n    then: { staus: 200 }\n",
            "x.yaml:4: when[0].then.staus: there is no such field; did you mean \"status\"?",
        ),
        (
            "scenario: a\nwhen:\n  - send: GET /x\n    then:\n      status: \"200\"\n",
            "x.yaml:5: when[0].then.status: is a text, but must be a whole number",
        ),
        (
            "scenario: a\nwhen:\n  - pass: 3 days\n",
            "x.yaml:3: when[0].pass: \"3 days\" is not as it must be: a span of time: a number and ms, s, m, h or d",
        ),
        (
            "scenario: a\nwhen:\n  - as: clerk\n",
            "x.yaml:3: when[0]: does nothing",
        ),
        (
            "scenario: a\nwhen:\n  - send: GET /x\n    pass: 1s\n",
            "x.yaml:3: when[0]: does several things: send, pass",
        ),
        (
            "scenario: a\nwhen:\n  - pass: 1s\n    json: {}\n",
            "x.yaml:4: when[0].json: does not belong to `pass`",
        ),
        (
            "scenario: a\nwhen:\n  - send: GET /x\n    as: clark\n",
            "x.yaml:4: when[0].as: there is no token \"clark\": there are clerk, viewer, manager, stranger, nobody",
        ),
        (
            "scenario: a\nwhen:\n  - send: /x\n",
            "x.yaml:3: when[0].send: \"/x\" is not of the form `METHOD PATH`",
        ),
        (
            "scenario: a\nwhen:\n  - finish: early\n",
            "x.yaml:3: when[0].finish: no request is under way that was begun as \"early\"",
        ),
        (
            "scenario: a\nwhen:\n  - send: GET /x\n    worker: 2\n",
            "x.yaml:4: when[0].worker: 2 is none of 0 to 1: there are 2",
        ),
        (
            "scenario: a\nnot_on: { evnoy: why }\nwhen:\n  - pass: 1s\n",
            "x.yaml:2: not_on.evnoy: there is no such field; did you mean \"envoy\"?",
        ),
    ];
    for (text, words) in cases {
        let complaint = refused(text);
        assert!(complaint.starts_with(words), "{text}\n{complaint}");
    }
}

#[test]
fn an_expectation_that_would_not_be_looked_at_is_refused() {
    let sent = |then: &str| format!("scenario: a\nwhen:\n  - send: GET /x\n    then: {then}\n");
    let together = |inner: &str, then: &str| {
        format!(
            "scenario: a\nwhen:\n  - together: [ {{ send: GET /x{inner} }} ]\n    then: {then}\n"
        )
    };
    let checked = |then: &str| format!("scenario: a\nwhen:\n  - pass: 1s\nthen: {then}\n");
    let cases = [
        (
            together("", "{ statuses: { '200': 1 }, body: '' }"),
            "x.yaml:4: when[0].then.statuses: stands alone: body would not be looked at",
        ),
        (
            together("", "{ status: 200 }"),
            "x.yaml:4: when[0].then: `statuses` is what is said of requests that are sent together",
        ),
        (
            sent("{ statuses: { '200': 1 } }"),
            "x.yaml:4: when[0].then: `statuses` is what is said of requests that are sent together",
        ),
        (
            together(
                ", then: { status: 200, within: 1s }",
                "{ statuses: { '200': 1 } }",
            ),
            "x.yaml:3: when[0].together[0].then.within: what is sent together with others is sent once",
        ),
        (
            sent("{ no_answer: true, headers: { x: y }, json: 1 }"),
            "x.yaml:4: when[0].then.no_answer: stands alone: headers, json would not be looked at",
        ),
        (
            sent("{ no_answer: true, within: 1s }"),
            "x.yaml:4: when[0].then.no_answer: stands alone: within",
        ),
        (
            sent("{ no_answer: false }"),
            "x.yaml:4: when[0].then.no_answer: false is none of true",
        ),
        (
            sent("{ within: 1s }"),
            "x.yaml:4: when[0].then.within: says how long to wait, but not for what",
        ),
        (sent("{}"), "x.yaml:4: when[0].then: is empty"),
        (
            sent("{ headers: {} }"),
            "x.yaml:4: when[0].then.headers: is empty",
        ),
        (
            sent("{ trailers: {} }"),
            "x.yaml:4: when[0].then.trailers: is empty",
        ),
        (
            sent("{ contains: [] }"),
            "x.yaml:4: when[0].then.contains: is empty",
        ),
        (
            sent("{ contains: '' }"),
            "x.yaml:4: when[0].then.contains: is empty",
        ),
        (
            sent("{ save: {} }"),
            "x.yaml:4: when[0].then.save: is empty",
        ),
        (
            together("", "{ statuses: {} }"),
            "x.yaml:4: when[0].then.statuses: is empty",
        ),
        (checked("{}"), "x.yaml:4: then: is empty"),
        (
            checked("{ accounts: {} }"),
            "x.yaml:4: then.accounts: is empty",
        ),
        (
            checked("{ accounts_of: { a: {} } }"),
            "x.yaml:4: then.accounts_of.a: is empty",
        ),
        (
            checked("{ metrics: {} }"),
            "x.yaml:4: then.metrics: is empty",
        ),
        (
            checked("{ key_fetches: {} }"),
            "x.yaml:4: then.key_fetches: is empty",
        ),
        (checked("{ engine: {} }"), "x.yaml:4: then.engine: is empty"),
        (
            checked("{ engine: { tenant: acme } }"),
            "x.yaml:4: then.engine: says whose, but not what",
        ),
        (
            checked("{ metrics: { reward_points.reads.copy_hit: 0 } }"),
            "x.yaml:4: then.metrics.reward_points.reads.copy_hit: there is no such metric; did you mean \"reward_points.reads.copy_hits\"?",
        ),
        (
            checked("{ metrics: { reward_points.issuer.0.key: 0 } }"),
            "x.yaml:4: then.metrics.reward_points.issuer.0.key: there is no such metric",
        ),
        (checked("{ log: [] }"), "x.yaml:4: then.log: is empty"),
        (
            checked("{ log_lacks: [''] }"),
            "x.yaml:4: then.log_lacks[0]: is empty",
        ),
        (
            "scenario: a\nwhen:\n  - check: {}\n".to_owned(),
            "x.yaml:3: when[0].check: is empty",
        ),
        (
            "scenario: a\nwhen:\n  - send: GET /x\n  - pass: 1s\n".to_owned(),
            "x.yaml:3: when: nothing is expected: give a step a `then`, or the scenario one",
        ),
    ];
    for (text, words) in cases {
        let complaint = refused(&text);
        assert!(complaint.starts_with(words), "{text}\n{complaint}");
    }
    for good in [
        checked("{ upstream: [] }"),
        checked(
            "{ metrics: { reward_points.issuer.3.keys: 1, reward_points.feed.0.epoch: 1, reward_points.signatures.native.es256: 1 } }",
        ),
        checked("{ metrics: { reward_points.deny_list.entries: 1 } }"),
        sent("{ no_answer: true }"),
        together(", then: { status: 200 }", "{ statuses: { '200': 1 } }"),
        "scenario: a\nwhen:\n  - together: [ { send: GET /x, then: { status: 200 } } ]\n"
            .to_owned(),
    ] {
        assert!(parse(Path::new("x.yaml"), &good).is_ok(), "{good}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    let words = refused("scenario: 1\nwhen:\n  - sned: GET /x\n  - pass: soon\n");
    let lines: Vec<&str> = words.lines().map(|line| &line[..9]).collect();
    assert_eq!(lines, ["x.yaml:1:", "x.yaml:3:", "x.yaml:4:"], "{words}");
}
