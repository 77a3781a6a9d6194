//! Lies in what readers are told.

use super::scene::{ADD, BOUNDED, Scene, answer, from_copy, from_engine};
use crate::audit::Answer;
use crate::checks::Check;
use crate::plan::{Kind, Name, Recency};

#[test]
fn an_answer_of_the_engine_that_is_old() {
    let mut scene = Scene::read_after_two(BOUNDED);
    scene.goes_well(1);
    scene.goes_well(2);
    scene.pass(1);
    let read = scene.asks(3);
    scene.is_told(&read, &from_engine(100));
    scene.finds(Check::Strict);
}

#[test]
fn a_copy_that_is_too_old() {
    for (passed_ms, set_back_ms, then_ms, age_s, found) in [
        (900, 0, 0, 0, None),
        (1_500, 0, 0, 0, Some(Check::Bounded)),
        // The clock was set back meanwhile: then so much more is allowed.
        (1_500, 600, 0, 0, None),
        (400, 600, 1_100, 0, None),
        (1_700, 600, 0, 0, Some(Check::Bounded)),
        // Before what is shown was replaced, so it does not count.
        (0, 600, 1_700, 0, Some(Check::Bounded)),
        // Older than the bound, and says so.
        (1_500, 0, 0, 2, Some(Check::Source)),
    ] {
        let mut scene = Scene::read_after_two(BOUNDED);
        scene.goes_well(1);
        // Another gateway's.
        let asked = scene.asks(2);
        scene.does(2);
        scene.auditor.unknown(&asked);
        scene.pass(passed_ms);
        scene.clock.step(-set_back_ms);
        scene.pass(then_ms);
        let read = scene.asks(3);
        scene.is_told(&read, &from_copy(100, age_s));
        let violation = scene.auditor.take_violation().map(|it| it.check);
        assert_eq!(violation, found, "{passed_ms} {set_back_ms} {then_ms}");
    }
}

/// An `Age` that is younger than what is allowed is held to itself.
#[test]
fn a_copy_that_is_older_than_it_says() {
    let second = Kind::Balance(Recency::MaxAge(1));
    let two = Kind::Balance(Recency::MaxAge(2));
    for (read, age_s, passed_ms, found) in [
        (BOUNDED, 0, 900, None),
        (BOUNDED, 0, 1_500, Some(Check::Bounded)),
        (BOUNDED, 1, 1_500, None),
        (BOUNDED, 1, 2_500, Some(Check::Bounded)),
        (BOUNDED, 3, 3_500, Some(Check::Bounded)),
        (BOUNDED, 4, 2_500, Some(Check::Source)),
        (second, 0, 900, None),
        (second, 0, 1_500, Some(Check::Bounded)),
        (second, 1, 1_500, Some(Check::Bounded)),
        (second, 2, 900, Some(Check::Source)),
        (two, 0, 1_500, Some(Check::Bounded)),
        (two, 1, 1_500, None),
        (two, 2, 2_500, Some(Check::Bounded)),
        (two, 3, 1_500, Some(Check::Source)),
    ] {
        let mut scene = Scene::read_after_two(read);
        scene.auditor.max_staleness_ms = 3_000;
        scene.goes_well(1);
        let asked = scene.asks(2);
        scene.does(2);
        scene.auditor.unknown(&asked);
        scene.pass(passed_ms);
        let read = scene.asks(3);
        scene.is_told(&read, &from_copy(100, age_s));
        let violation = scene.auditor.take_violation().map(|it| it.check);
        assert_eq!(violation, found, "{read:?} {age_s} {passed_ms}");
    }
}

#[test]
fn a_copy_that_lacks_what_its_gateway_has_acknowledged() {
    let mut scene = Scene::read_after_two(BOUNDED);
    scene.goes_well(1);
    scene.goes_well(2);
    scene.pass(1);
    let read = scene.asks(3);
    scene.is_told(&read, &from_copy(100, 0));
    scene.finds(Check::OwnWrites);
}

#[test]
fn an_answer_that_lacks_the_revision_that_was_asked_for() {
    let session = Kind::Balance(Recency::Session);
    let mut scene = Scene::read_after_two(session);
    scene.goes_well(1);
    let asked = scene.asks(2);
    let revision = scene.does(2);
    scene.auditor.unknown(&asked);
    scene.pass(1);
    let read = scene.asks_with(3, revision);
    scene.is_told(&read, &from_copy(100, 0));
    scene.finds(Check::Session);
}

#[test]
fn a_strict_read_from_a_copy() {
    let strict = Kind::Balance(Recency::Strict);
    let mut scene = Scene::of(&[(ADD, Name::Id(1)), (strict, Name::Nothing)]);
    scene.goes_well(1);
    let read = scene.asks(2);
    scene.is_told(&read, &from_copy(100, 0));
    scene.finds(Check::Source);
}

#[test]
fn a_list_that_lacks_an_account() {
    let mut scene = Scene::of(&[(ADD, Name::Id(1)), (Kind::List, Name::Nothing)]);
    scene.goes_well(1);
    scene.pass(1);
    let list = scene.asks(2);
    let empty = Answer {
        body: b"[]".to_vec(),
        ..answer(200)
    };
    scene.is_told(&list, &empty);
    scene.finds(Check::Listing);
}
