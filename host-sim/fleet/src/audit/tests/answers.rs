//! Lies in what is told of changes, and answers that there should not be.

use ledger::{Applied, Looked, Record, State, Timestamp, apply};

use super::scene::{
    ADD, BOUNDED, REDEEM, Scene, adds, answer, done, insufficient, ledger_operation,
};
use crate::checks::Check;
use crate::clock::START_MS;
use crate::named::Set;
use crate::plan::{Kind, Name};

#[test]
fn a_refusal_that_was_never_true() {
    let mut scene = Scene::of(&[(ADD, Name::Id(1)), (REDEEM, Name::Id(2))]);
    scene.goes_well(1);
    scene.pass(5);
    let asked = scene.asks(2);
    scene.is_told(&asked, &answer(404));
    scene.finds(Check::Refused);
    let asked = scene.asks(2);
    scene.is_told(&asked, &insufficient(30, 20));
    scene.finds(Check::Refused);
}

#[test]
fn a_refusal_between_two_changes_of_one_commit() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (Kind::Redeem { points: 80 }, Name::Id(2)),
        (REDEEM, Name::Id(3)),
        (ADD, Name::Id(4)),
    ]);
    scene.goes_well(1);
    let (first, second, third) = (scene.asks(2), scene.asks(3), scene.asks(4));
    // Both are in one document, and the refusal between them.
    for number in [2, 4] {
        let operation = ledger_operation(
            &scene.operations[number - 1],
            u32::try_from(number).expect("few"),
        );
        let now = Timestamp::from_millis(START_MS + 1_020).expect("a time");
        let applied = apply(&scene.state, &operation, &Looked::nothing(&operation), now);
        let Ok(Applied::Changed(record)) = applied else {
            panic!("{applied:?}");
        };
        scene.state = record.into();
    }
    let State::Live(account) = scene.state.clone() else {
        panic!("there is an account");
    };
    let revision = scene.holds(&Record::Live(account));
    scene.is_told(&first, &done(revision));
    scene.is_told(&third, &done(revision));
    scene.is_told(&second, &insufficient(30, 20));
    scene.finds_nothing();
}

#[test]
fn another_answer_than_before() {
    let mut scene = Scene::of(&adds(1));
    scene.goes_well(1);
    let again = scene.asks(1);
    scene.is_told(&again, &answer(409));
    scene.finds(Check::Refused);
    // What it is told now is true, and not what it was told before.
    let all_but_few = Kind::Redeem { points: 80 };
    let mut scene = Scene::of(&[(ADD, Name::Id(1)), (all_but_few, Name::Id(2))]);
    scene.goes_well(1);
    scene.goes_well(2);
    scene.finds_nothing_wrong_yet();
    let again = scene.asks(2);
    scene.is_told(&again, &insufficient(80, 20));
    scene.finds(Check::SameAnswer);
    let mut scene = Scene::of(&[(ADD, Name::Key)]);
    let revision = scene.goes_well(1);
    let again = scene.asks(1);
    scene.is_told(&again, &done(revision));
    scene.finds(Check::SameAnswer);
}

#[test]
fn an_acknowledgement_of_nothing() {
    let mut scene = Scene::of(&adds(2));
    let revision = scene.goes_well(1);
    let asked = scene.asks(2);
    scene.is_told(&asked, &done(revision));
    scene.finds(Check::Acknowledged);
}

#[test]
fn an_acknowledgement_with_a_revision_of_nothing() {
    let mut scene = Scene::of(&adds(1));
    let asked = scene.asks(1);
    let revision = scene.does(1);
    scene.is_told(&asked, &done(revision + 1));
    scene.finds(Check::Acknowledged);
}

#[test]
fn a_request_without_an_answer() {
    let mut scene = Scene::of(&adds(1));
    let _ = scene.asks(1);
    scene.auditor.finish(scene.time.now_us());
    scene.finds(Check::Answered);
}

#[test]
fn an_answer_that_the_api_does_not_have() {
    let mut scene = Scene::of(&[(ADD, Name::Id(1)), (BOUNDED, Name::Nothing)]);
    let asked = scene.asks(1);
    scene.is_told(&asked, &answer(500));
    scene.finds(Check::Status);
    let read = scene.asks(2);
    scene.is_told(&read, &answer(500));
    scene.finds(Check::Status);
}

#[test]
fn what_nobody_wants_to_know_is_not_told() {
    let mut scene = Scene::of(&adds(1));
    scene.auditor.checks = Set::all().without(&[Check::Status]);
    let asked = scene.asks(1);
    scene.is_told(&asked, &answer(500));
    scene.finds_nothing();
}
