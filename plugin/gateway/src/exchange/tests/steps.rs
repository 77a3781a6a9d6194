//! The steps of one exchange: other people's paths, bodies in parts, inputs out of turn.

use serde_json::json;

use super::with_614;
use crate::accounts::job::Outcome;
use crate::exchange::{Exchange, Input, Step};
use crate::host::Counter;
use crate::test_support::{Request, World, config};
use crate::wake::{ExchangeId, News};

#[test]
fn paths_that_are_not_ours_pass_with_their_bodies() {
    let mut world = with_614();
    for path in [
        "/",
        "/reward-pointsx",
        "/reward-points-other/customer/614",
        "*",
        "/x/reward-points/customer/614",
        "",
    ] {
        for request in [
            Request::bare("GET", path),
            Request::bare("POST", path).body("x"),
        ] {
            let asked = world.ask(0, &request);
            assert!(world.passed_on.contains_key(&asked), "{path}");
            for input in [
                Input::BodyGrown {
                    total_bytes: 1 << 30,
                },
                Input::Body(b"x"),
                Input::News(News::Outcome(Outcome::Unavailable)),
            ] {
                assert!(
                    matches!(world.advance(0, asked, input), Step::Passing),
                    "{path}"
                );
            }
            assert!(world.replies[&asked].is_empty());
        }
    }
    assert_eq!(
        world.nodes[0].host.counted(Counter::PassedOn),
        12,
        "each once"
    );
    assert!(world.at_rest());
}

#[test]
fn a_body_may_come_in_parts_and_ends_when_it_is_too_large() {
    let mut world = with_614();
    let body = json!({"points": 5}).to_string();
    let asked = world.head(0, &Request::add("614", &json!({})));
    for total_bytes in [0, 1, 5, body.len()] {
        let step = world.advance(0, asked, Input::BodyGrown { total_bytes });
        assert!(matches!(step, Step::AwaitBody));
    }
    let step = world.advance(0, asked, Input::Body(body.as_bytes()));
    assert!(matches!(step, Step::AwaitOutcome));

    let asked = world.head(0, &Request::add("614", &json!({})));
    let step = world.advance(
        0,
        asked,
        Input::BodyGrown {
            total_bytes: 65_536,
        },
    );
    assert!(matches!(step, Step::AwaitBody));
    let step = world.advance(
        0,
        asked,
        Input::BodyGrown {
            total_bytes: 65_537,
        },
    );
    assert!(
        matches!(&step, Step::Reply(reply) if reply.status == 413),
        "{step:?}"
    );
    let step = world.advance(0, asked, Input::Body(b"{}"));
    assert!(matches!(step, Step::Settled));
}

#[test]
fn what_comes_out_of_turn_changes_nothing() {
    let mut world = World::single(config());
    let mut exchange = Exchange::new(ExchangeId(99));
    let node = &mut world.nodes[0];
    for input in [
        Input::Body(b"{}"),
        Input::BodyGrown { total_bytes: 1 },
        Input::News(News::Outcome(Outcome::Unavailable)),
    ] {
        let step = exchange.advance(input, &mut node.worker, &node.host);
        assert!(matches!(step, Step::Settled), "nothing without a head");
    }
    let asked = world.head(0, &Request::add("614", &json!({})));
    let step = world.advance(
        0,
        asked,
        Input::News(News::Outcome(Outcome::Read {
            account: None,
            revision: 0,
        })),
    );
    assert!(matches!(step, Step::AwaitBody), "the body is still to come");
    let step = world.advance(0, asked, Input::Body(br#"{"points": 5}"#));
    assert!(matches!(step, Step::AwaitOutcome));
    let head = Input::Head {
        headers: &[],
        end: true,
    };
    for input in [
        Input::Body(b"{}"),
        Input::BodyGrown {
            total_bytes: 1 << 30,
        },
        head,
    ] {
        assert!(matches!(world.advance(0, asked, input), Step::AwaitOutcome));
    }
    world.run();
    let reply = world.expect(200, &Request::get("/customer/614"));
    assert_eq!(reply.body, b"5");
    let step = world.advance(0, asked, Input::News(News::Outcome(Outcome::Unavailable)));
    assert!(matches!(step, Step::Settled), "answered once");
    assert_eq!(world.only_reply(asked).status, 201);
}

#[test]
fn an_outcome_of_another_kind_is_an_internal_error_and_not_an_answer() {
    for (request, outcome) in [
        (
            Request::get("/customer/614"),
            Outcome::Written {
                written: crate::accounts::job::Written::Done,
                revision: 1,
            },
        ),
        (
            Request::get("/summaryBatch"),
            Outcome::Read {
                account: None,
                revision: 0,
            },
        ),
        (
            Request::delete("614"),
            Outcome::Read {
                account: None,
                revision: 0,
            },
        ),
    ] {
        let mut world = with_614();
        let asked = world.ask(0, &request);
        let step = world.advance(0, asked, Input::News(News::Outcome(outcome)));
        assert!(
            matches!(&step, Step::Reply(reply) if reply.status == 500),
            "{step:?}"
        );
    }
}

#[test]
fn replies_are_counted_by_what_they_are() {
    let mut world = with_614();
    world.expect(200, &Request::get("/customer/614"));
    world.expect(404, &Request::get("/customer/615"));
    world.expect(401, &Request::get("/customer/614").without("authorization"));
    world.faults = Box::new(|_, _| crate::test_support::fault::Fault::NotDelivered);
    world.expect(503, &Request::get("/customer/614"));
    let counted = |counter| world.nodes[0].host.counted(counter);
    let replies = [Counter::Success, Counter::ClientError, Counter::ServerError];
    assert_eq!(replies.map(counted), [2, 2, 1]);
}

#[test]
fn a_get_or_delete_may_come_with_a_body_that_nobody_reads() {
    let mut world = with_614();
    world.expect(200, &Request::get("/customer/614").body("{"));
    let nothing_begun = world.engine.puts.len();
    let too_long = Request::delete("614").json(vec![b'x'; 100_000]);
    world.expect(413, &too_long);
    assert_eq!(world.engine.puts.len(), nothing_begun);
    world.expect(200, &Request::delete("614").body("<xml/>"));
    assert_eq!(world.engine.puts.len(), nothing_begun + 1);
}

#[test]
fn nothing_is_begun_before_a_request_is_complete() {
    for request in [Request::delete("614"), Request::get("/customer/614")] {
        let mut world = with_614();
        let asked = world.head(0, &request.body("{"));
        world.run();
        assert!(!world.nodes[0].worker.has_calls());
        assert!(world.nodes[0].worker.is_idle());
        world.leave(0, asked);
        world.expect(200, &Request::get("/customer/614"));
    }
}
