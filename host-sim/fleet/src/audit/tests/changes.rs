//! Lies in what is committed.

use ledger::{AccountParts, Description, EntryKind, Points, Record, State, Take};

use super::scene::{ADD, BOUNDED, REDEEM, Scene, adds, answer, done, from_engine, key};
use crate::audit::Answer;
use crate::checks::Check;
use crate::named::Set;
use crate::plan::{Kind, Name};

#[test]
fn what_is_right_is_found_right() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (REDEEM, Name::Id(2)),
        (BOUNDED, Name::Nothing),
        (Kind::Delete, Name::Nothing),
        (REDEEM, Name::Id(5)),
    ]);
    scene.goes_well(1);
    scene.goes_well(2);
    let read = scene.asks(3);
    scene.is_told(&read, &from_engine(70));
    let delete = scene.asks(4);
    let revision = scene.does(4);
    let deleted = Answer {
        status: 200,
        ..done(revision)
    };
    scene.is_told(&delete, &deleted);
    let redeem = scene.asks(5);
    scene.is_told(&redeem, &answer(404));
    scene.finds_nothing();
}

#[test]
fn a_lot_that_is_used_out_of_turn() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (ADD, Name::Id(2)),
        (REDEEM, Name::Id(3)),
    ]);
    scene.goes_well(1);
    scene.goes_well(2);
    let _ = scene.asks(3);
    scene.pass(5);
    let before = scene.state.clone();
    scene.does(3);
    scene.finds_nothing_wrong_yet();
    // The same once more, in another world: the second lot first.
    let mut other = Scene::of(&[
        (ADD, Name::Id(1)),
        (ADD, Name::Id(2)),
        (REDEEM, Name::Id(3)),
    ]);
    other.goes_well(1);
    other.goes_well(2);
    let _ = other.asks(3);
    other.pass(5);
    other.state = scene.state.clone();
    assert_ne!(before, scene.state);
    let record = other.changed(out_of_turn);
    other.holds(&record);
    other.finds(Check::Fold);
}

#[test]
fn a_document_that_is_none() {
    let mut scene = Scene::of(&adds(1));
    scene.goes_well(1);
    scene.puts(&key(), b"\xff".to_vec());
    scene.finds(Check::Fold);
}

#[test]
fn an_entry_that_changes() {
    let mut scene = Scene::of(&adds(2));
    scene.goes_well(1);
    let record = scene.changed(|parts| {
        parts.entries[0].description = Some(Description::new("o2").expect("a text"));
    });
    scene.holds(&record);
    scene.finds(Check::History);
}

#[test]
fn an_entry_that_vanishes() {
    let mut scene = Scene::of(&adds(2));
    scene.goes_well(1);
    let before = scene.state.clone();
    scene.goes_well(2);
    if let State::Live(account) = before {
        scene.holds(&Record::Live(account));
    }
    scene.finds(Check::History);
}

#[test]
fn an_operation_that_is_done_twice() {
    let mut scene = Scene::of(&adds(2));
    let _ = scene.asks(1);
    scene.does(1);
    scene.finds_nothing_wrong_yet();
    scene.does_as(1, 2);
    scene.finds(Check::ExactlyOnce);
}

#[test]
fn an_operation_that_is_done_after_it_was_refused() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (REDEEM, Name::Id(2)),
        (ADD, Name::Id(3)),
    ]);
    let redeem = scene.asks(2);
    scene.is_told(&redeem, &answer(404));
    scene.goes_well(1);
    scene.does(2);
    scene.finds(Check::ExactlyOnce);
}

#[test]
fn an_operation_that_is_done_after_nobody_heard_of_it() {
    let mut scene = Scene::of(&adds(1));
    let asked = scene.asks(1);
    scene.auditor.unknown(&asked);
    scene.does(1);
    scene.finds_nothing();
}

#[test]
fn an_account_that_is_deleted_twice_at_one_request() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (Kind::Delete, Name::Nothing),
        (ADD, Name::Id(3)),
    ]);
    scene.goes_well(1);
    let _ = scene.asks(2);
    scene.does(2);
    scene.goes_well(3);
    scene.finds_nothing_wrong_yet();
    scene.does_as(2, 99);
    scene.finds(Check::ExactlyOnce);
}

#[test]
fn other_points_than_were_asked_for() {
    let mut scene = Scene::of(&adds(1));
    let _ = scene.asks(1);
    scene.operations[0].kind = Kind::Add {
        points: 99,
        valid_ms: None,
    };
    scene.does(1);
    scene.finds(Check::Acknowledged);
}

#[test]
fn an_entry_of_another_account() {
    let mut scene = Scene::of(&adds(1));
    let _ = scene.asks(1);
    scene.operations[0].number = 2;
    scene.does(1);
    scene.finds(Check::Isolation);
}

/// Each is wrong in one way, and nobody wants to know: what follows is right, and must be found right.
#[test]
fn what_follows_on_what_nobody_wants_to_know_is_judged_by_what_is_there() {
    type Lie = fn(&mut Scene) -> Record;
    let cases: [(Check, Lie, u64); 4] = [
        (
            Check::Fold,
            |scene| {
                scene.decides(3, 3);
                scene.changed(out_of_turn)
            },
            170,
        ),
        (
            Check::History,
            |scene| {
                scene.decides(3, 3);
                let other = Description::new("o2").expect("a text");
                scene.changed(|parts| parts.entries[0].description = Some(other))
            },
            170,
        ),
        (
            Check::Isolation,
            |scene| {
                scene.decides(3, 3);
                let none = Description::new("of nobody").expect("a text");
                scene.changed(|parts| parts.entries[2].description = Some(none))
            },
            170,
        ),
        (
            Check::Acknowledged,
            |scene| {
                scene.operations[2].kind = Kind::Redeem { points: 31 };
                scene.decides(3, 3)
            },
            169,
        ),
    ];
    for (check, lie, balance) in cases {
        for is_wanted in [true, false] {
            let mut scene = Scene::of(&[
                (ADD, Name::Id(1)),
                (ADD, Name::Id(2)),
                (REDEEM, Name::Id(3)),
                (BOUNDED, Name::Nothing),
            ]);
            if !is_wanted {
                scene.auditor.checks = Set::all().without(&[check]);
            }
            scene.goes_well(1);
            scene.goes_well(2);
            let asked = scene.asks(3);
            scene.pass(5);
            let record = lie(&mut scene);
            let revision = scene.holds(&record);
            scene.pass(5);
            scene.is_told(&asked, &done(revision));
            let read = scene.asks(4);
            scene.is_told(&read, &from_engine(balance));
            match is_wanted {
                true => scene.finds(check),
                false => scene.finds_nothing(),
            }
        }
    }
}

/// The newest entry takes from the second lot, before the first.
fn out_of_turn(parts: &mut AccountParts) {
    let points = |it| Points::new(it).expect("points");
    if let Some(EntryKind::Redeemed { takes }) = parts.entries.last_mut().map(|it| &mut it.kind) {
        *takes = vec![Take {
            lot: 2,
            points: points(30),
        }];
    }
    parts.lots[0].remaining = points(100);
    parts.lots[1].remaining = points(70);
}
