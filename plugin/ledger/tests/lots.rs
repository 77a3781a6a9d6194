//! Lots: expiry, the order of consumption, redemptions over several lots, and the summary.

mod support;

use ledger::{Balance, NewLot, Operation, Refusal, State, Timestamp};
use support::*;

#[test]
fn a_lot_counts_until_the_millisecond_before_its_end() {
    let end = NOON + 1000;
    let story = Story::of([add(generated("a"), lot_until(5, end))]);
    for (clock, expected) in [(end - 1, 5), (end, 0), (end + 1, 0)] {
        assert_eq!(story.balance(clock), expected, "{clock}");
        let mut story = story.clone();
        let outcome = story.run(&redeem(generated("r"), 1), clock);
        let refused = Refusal::Insufficient {
            active: Balance::ZERO,
        };
        let expected = if expected > 0 {
            Ok(Outcome::Changed)
        } else {
            Err(refused)
        };
        assert_eq!(outcome, expected, "{clock}");
    }
}

#[test]
fn a_lot_that_ends_now_or_earlier_is_accepted_and_expired() {
    for (valid_until, active) in [(NOON - 1000, 0), (NOON, 0), (NOON + 1, 5)] {
        let story = Story::of([add(generated("a"), lot_until(5, valid_until))]);
        let history = story.history();
        let summary = history.summary(t(NOON));
        assert_eq!(summary.active.get(), active, "{valid_until}");
        assert_eq!(summary.added.len(), 1, "expired lots stay listed");
        assert_eq!(
            summary.added[0].balance_after.get(),
            active,
            "{valid_until}"
        );
        assert_eq!(summary.added[0].valid_until, Some(t(valid_until)));
    }
}

#[test]
fn validity_defaults_to_the_months_of_the_site_then_to_never() {
    let now = time("2024-01-31T10:00:00Z");
    let own = Some(time("2024-06-01T00:00:00Z"));
    let cases = [
        (own, Some(1), own),
        (own, None, own),
        (None, Some(1), Some(time("2024-02-29T10:00:00Z"))),
        (None, Some(13), Some(time("2025-02-28T10:00:00Z"))),
        (None, Some(u32::MAX), Some(ledger::Timestamp::MAX)),
        (None, None, None),
    ];
    for (valid_until, validity_months, expected) in cases {
        let lot = NewLot {
            valid_until,
            validity_months,
            ..lot(5)
        };
        let mut story = Story::new();
        let added = story.run(&add(generated("a"), lot), now.as_millis());
        assert_eq!(added, Ok(Outcome::Changed));
        let history = story.history();
        let summary = history.summary(now);
        assert_eq!(summary.added[0].valid_until, expected);
    }
}

#[test]
fn validity_counts_from_now_also_when_a_lot_is_backdated() {
    let now = time("2024-03-15T00:00:00Z");
    let lot = NewLot {
        created_at: Some(time("2023-01-01T00:00:00Z")),
        validity_months: Some(1),
        ..lot(5)
    };
    let mut story = Story::new();
    let added = story.run(&add(generated("a"), lot), now.as_millis());
    assert_eq!(added, Ok(Outcome::Changed));
    let history = story.history();
    let summary = history.summary(now);
    assert_eq!(
        summary.added[0].valid_until,
        Some(time("2024-04-15T00:00:00Z"))
    );
}

/// `id`, end in hours from `NOON`, creation in hours before `NOON`.
fn backdated(id: &str, end: Option<i64>, created: i64) -> Operation {
    let lot = NewLot {
        valid_until: end.map(|hours| t(NOON + hours * HOUR)),
        created_at: Some(t(NOON - created * HOUR)),
        ..lot(10)
    };
    add(generated(id), lot)
}

#[test]
fn lots_are_consumed_by_end_then_creation_then_id() {
    // Written in this order; consumed in the order of the second column.
    let cases = [
        (
            "the earlier end first",
            vec![backdated("a", Some(9), 1), backdated("b", Some(8), 1)],
            "b a",
        ),
        (
            "none last",
            vec![backdated("a", None, 9), backdated("b", Some(8), 1)],
            "b a",
        ),
        (
            "the older first",
            vec![backdated("a", Some(9), 1), backdated("b", Some(9), 2)],
            "b a",
        ),
        (
            "the older first, never expiring",
            vec![backdated("a", None, 1), backdated("b", None, 2)],
            "b a",
        ),
        (
            "the smaller id first",
            vec![backdated("b", Some(9), 1), backdated("a", Some(9), 1)],
            "a b",
        ),
        (
            "the smaller id first, never expiring",
            vec![backdated("b", None, 1), backdated("a", None, 1)],
            "a b",
        ),
        (
            "ids as bytes",
            vec![backdated("a", None, 1), backdated("B", None, 1)],
            "B a",
        ),
        (
            "all rules at once",
            vec![
                backdated("e", None, 0),
                backdated("d", None, 5),
                backdated("c", Some(9), 3),
                backdated("b", Some(9), 3),
                backdated("a", Some(9), 2),
                backdated("z", Some(1), 0),
            ],
            "z b c a d e",
        ),
    ];
    for (what, writes, expected) in cases {
        let lots = writes.len();
        let mut story = Story::of(writes);
        let mut order = Vec::new();
        for step in 0..lots {
            // Each redemption empties exactly the next lot.
            let id = format!("r{step}");
            let outcome = story.run(&redeem(generated(&id), 10), NOON + 60);
            assert_eq!(outcome, Ok(Outcome::Changed), "{what}");
            let history = story.history();
            let summary = history.summary(t(NOON + 60));
            let used = summary
                .added
                .iter()
                .find(|lot| lot.used_with.iter().any(|with| with.as_str() == id));
            order.push(used.expect("a lot was used").id.as_str().to_owned());
        }
        assert_eq!(order.join(" "), expected, "{what}");
        assert_eq!(story.balance(NOON + 60), 0);
    }
}

#[test]
fn a_redemption_spans_lots_and_names_itself_in_each() {
    let mut story = Story::of([
        add(generated("a"), lot_until(5, NOON + 1000)),
        add(generated("b"), lot_until(5, NOON + 2000)),
        add(generated("c"), lot(5)),
    ]);
    assert_eq!(
        story.run(&redeem(generated("r1"), 7), NOON + 10),
        Ok(Outcome::Changed)
    );
    assert_eq!(story.used(NOON + 10), ["a 5 [r1]", "b 2 [r1]", "c 0 []"]);
    assert_eq!(
        story.run(&redeem(generated("r2"), 4), NOON + 11),
        Ok(Outcome::Changed)
    );
    assert_eq!(
        story.used(NOON + 11),
        ["a 5 [r1]", "b 5 [r1 r2]", "c 1 [r2]"]
    );
    let after: Vec<_> = story
        .account()
        .entries()
        .map(|entry| entry.balance_after.get())
        .collect();
    assert_eq!(after, [5, 10, 15, 8, 4]);
    check_invariants(&story, t(NOON + 11));
}

#[test]
fn expired_lots_are_passed_over_and_stay_listed() {
    let mut story = Story::of([
        add(generated("a"), lot_until(5, NOON + 1000)),
        add(generated("b"), lot_until(5, NOON + 2000)),
    ]);
    assert_eq!(
        story.run(&redeem(generated("r"), 5), NOON + 1000),
        Ok(Outcome::Changed)
    );
    assert_eq!(story.used(NOON + 1000), ["a 0 []", "b 5 [r]"]);
    assert_eq!(
        story.account().lots(),
        [],
        "neither expired nor empty lots are open"
    );
    check_invariants(&story, t(NOON + 1000));
}

#[test]
fn redeeming_more_than_is_active_changes_nothing() {
    let mut story = Story::of([
        add(generated("a"), lot_until(5, NOON + 1000)),
        add(generated("b"), lot(3)),
    ]);
    for (clock, amount, active) in [(NOON + 9, 9, 8), (NOON + 1000, 4, 3)] {
        let before = story.state.clone();
        let active = Balance::new(active).expect("within bounds");
        let outcome = story.run(&redeem(generated("r"), amount), clock);
        assert_eq!(outcome, Err(Refusal::Insufficient { active }));
        assert_eq!(story.state, before);
    }
    assert_eq!(
        story.run(&redeem(generated("r"), 8), NOON + 9),
        Ok(Outcome::Changed)
    );
}

#[test]
fn a_slow_clock_reads_and_writes_at_the_last_write() {
    let mut story = Story::of([add(generated("a"), lot_until(5, NOON + 1000))]);
    assert_eq!(
        story.run(&add(generated("b"), lot(1)), NOON + 1000),
        Ok(Outcome::Changed)
    );
    assert_eq!(
        story.balance(NOON),
        1,
        "an expired lot is not seen alive again"
    );
    let refused = story.run(&redeem(generated("r"), 2), NOON);
    assert!(matches!(refused, Err(Refusal::Insufficient { .. })));
    assert_eq!(
        story.run(&redeem(generated("r"), 1), NOON),
        Ok(Outcome::Changed)
    );
    let history = story.history();
    let summary = history.summary(t(NOON));
    assert_eq!(summary.redeemed[0].created_at, t(NOON + 1000));
}

#[test]
fn the_next_change_is_the_earliest_end_still_to_come() {
    let story = Story::of([
        add(generated("c"), lot(5)),
        add(generated("b"), lot_until(5, NOON + 2000)),
        add(generated("a"), lot_until(5, NOON + 1000)),
    ]);
    let cases = [
        (NOON, Some(NOON + 1000)),
        (NOON + 999, Some(NOON + 1000)),
        (NOON + 1000, Some(NOON + 2000)),
        (NOON + 2000, None),
    ];
    for (clock, expected) in cases {
        let next = story.account().next_change_at(t(clock));
        assert_eq!(next, expected.map(t), "{clock}");
    }
}

#[test]
fn a_balance_holds_from_one_expiry_to_the_next() {
    let mut story = Story::of([
        add(generated("c"), lot(1)),
        add(generated("b"), lot_until(2, NOON + 2000)),
        add(generated("a"), lot_until(4, NOON + 1000)),
    ]);
    let span = |story: &Story, clock| {
        let span = story.account().balance_span(t(clock));
        let ends = (span.since, span.until);
        (
            span.balance.get(),
            ends.0.map(Timestamp::as_millis),
            ends.1.map(Timestamp::as_millis),
        )
    };
    let (first, second) = (Some(NOON + 1000), Some(NOON + 2000));
    for (clock, expected) in [
        // A clock behind the last write reads as the last write.
        (NOON - 5000, (7, None, first)),
        (NOON, (7, None, first)),
        (NOON + 999, (7, None, first)),
        (NOON + 1000, (3, first, second)),
        (NOON + 1999, (3, first, second)),
        (NOON + 2000, (1, second, None)),
        (NOON + 9000, (1, second, None)),
    ] {
        assert_eq!(span(&story, clock), expected, "{clock}");
    }
    // What a write has seen expire no earlier clock brings back.
    let added = story.run(&add(generated("d"), lot(8)), NOON + 1500);
    assert_eq!(added, Ok(Outcome::Changed));
    assert_eq!(span(&story, NOON), (11, None, second));
    assert_eq!(span(&story, NOON + 1500), (11, None, second));

    let span = story.account().balance_span(t(NOON + 3000));
    for (clock, expected) in [
        (NOON + 1999, None),
        (NOON + 2000, Some(9)),
        (NOON + 99_000, Some(9)),
    ] {
        assert_eq!(span.at(t(clock)).map(Balance::get), expected, "{clock}");
    }
}

#[test]
fn backdating_reaches_to_now_and_orders_the_summary() {
    let dated = |created_at: i64| NewLot {
        created_at: Some(t(created_at)),
        ..lot(5)
    };
    let mut story = Story::new();
    let future = story.run(&add(generated("a"), dated(NOON + 1)), NOON);
    assert_eq!(future, Err(Refusal::CreatedInFuture));
    assert_eq!(story.state, State::Absent);
    for (id, created_at) in [
        ("a", NOON),
        ("b", NOON - 5),
        ("c", NOON - 9),
        ("d", NOON - 5),
    ] {
        let added = story.run(&add(generated(id), dated(created_at)), NOON);
        assert_eq!(added, Ok(Outcome::Changed));
    }
    assert_eq!(story.used(NOON), ["c 0 []", "b 0 []", "d 0 []", "a 0 []"]);
    let future = story.run(&redeem_at(generated("r"), 1, Some(NOON + 1)), NOON);
    assert_eq!(future, Err(Refusal::CreatedInFuture));
    for (id, created_at) in [("r1", None), ("r2", Some(NOON - 1))] {
        let redeemed = story.run(&redeem_at(generated(id), 1, created_at), NOON);
        assert_eq!(redeemed, Ok(Outcome::Changed));
    }
    let history = story.history();
    let summary = history.summary(t(NOON));
    let order: Vec<_> = summary.redeemed.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(order, ["r2", "r1"]);
    check_invariants(&story, t(NOON));
}

#[test]
fn several_adds_may_share_a_reference() {
    let labelled = || NewLot {
        reference_id: Some(ledger::ReferenceId::new("order-1").expect("within bounds")),
        description: Some(ledger::Description::new("for the order").expect("within bounds")),
        ..lot(5)
    };
    let story = Story::of([
        add(generated("a"), labelled()),
        add(generated("b"), labelled()),
    ]);
    let history = story.history();
    let summary = history.summary(t(NOON));
    for lot in &summary.added {
        assert_eq!(lot.reference_id.map(|r| r.as_str()), Some("order-1"));
        assert_eq!(lot.description.map(|d| d.as_str()), Some("for the order"));
    }
    assert_eq!(summary.active.get(), 10);
}
