//! Deleting and beginning again: nothing of the old life comes back, whatever arrives late.

mod support;

use ledger::{Refusal, State};
use support::*;

/// A life with every kind of operation, ended at `NOON + HOUR` by the deletion `d`.
fn ended() -> Story {
    let mut story = Story::of([
        create(keyed(generated("c"), 1, 1)),
        add(keyed(given("a", 2), 2, 2), lot(50)),
        add(generated("g"), lot(50)),
        redeem(keyed(given("r", 3), 3, 3), 10),
    ]);
    assert_eq!(
        story.run(&delete(generated("d")), NOON + HOUR),
        Ok(Outcome::Changed)
    );
    story
}

fn is_later_life(account: &ledger::Account) -> bool {
    ledger::is_later_life(account.generation(), account.created_at())
}

#[test]
fn a_deleted_account_is_not_found_and_deleting_it_again_does_nothing() {
    let mut story = ended();
    assert!(matches!(story.state, State::Erased(_)));
    assert_eq!(
        story.run(&redeem(generated("n"), 1), NOON + HOUR),
        Err(Refusal::NotFound)
    );
    assert_eq!(
        story.run(&delete(generated("n")), NOON + HOUR),
        Ok(Outcome::Unchanged)
    );
    assert_eq!(
        story.run(&delete(generated("d")), NOON + HOUR),
        Ok(Outcome::Replayed)
    );
}

#[test]
fn a_late_retry_of_an_old_write_revives_nothing() {
    let retries = [
        create(keyed(generated("c"), 1, 1)),
        create(generated("c")),
        create(keyed(generated("n"), 1, 1)),
        add(keyed(given("a", 2), 2, 2), lot(50)),
        add(given("a", 2), lot(50)),
        add(keyed(generated("n"), 2, 2), lot(50)),
        add(generated("g"), lot(50)),
        redeem(given("r", 3), 10),
        redeem(keyed(generated("n"), 3, 3), 10),
    ];
    let mut again = ended();
    assert_eq!(
        again.run(&create(generated("c2")), NOON + 2 * HOUR),
        Ok(Outcome::Changed)
    );
    for story in [ended(), again] {
        for retry in &retries {
            for clock in [NOON, NOON + HOUR, NOON + 24 * HOUR] {
                let mut story = story.clone();
                let before = story.state.clone();
                assert_eq!(story.run(retry, clock), Ok(Outcome::Replayed), "{retry:?}");
                assert_eq!(story.state, before);
            }
        }
    }
}

#[test]
fn a_second_life_starts_at_zero_with_the_next_generation() {
    for (operation, balance) in [
        (create(generated("n")), 0),
        (add(generated("n"), lot(7)), 7),
    ] {
        let mut story = ended();
        assert_eq!(story.run(&operation, NOON + 2 * HOUR), Ok(Outcome::Changed));
        let account = story.account();
        assert_eq!(account.generation(), FIRST_LIFE + 1);
        assert!(is_later_life(account));
        assert_eq!(account.created_at(), t(NOON + 2 * HOUR));
        assert_eq!(account.balance(t(NOON + 2 * HOUR)).get(), balance);
        assert!(
            account
                .entries()
                .all(|entry| entry.identity.id.as_str() == "n")
        );
        check_invariants(&story, t(NOON + 2 * HOUR));
    }
}

#[test]
fn an_old_id_with_another_request_belongs_to_the_new_life() {
    let mut story = ended();
    let reused = add(given("a", 9), lot(7));
    assert_eq!(story.run(&reused, NOON + 2 * HOUR), Ok(Outcome::Changed));
    assert_eq!(story.balance(NOON + 2 * HOUR), 7);
    // Both are known now: the old operation of that id and the new one. A third one is refused.
    let cases = [
        (add(given("a", 2), lot(50)), Ok(Outcome::Replayed)),
        (reused, Ok(Outcome::Replayed)),
        (add(given("a", 8), lot(1)), Err(Refusal::IdReused)),
    ];
    for (operation, expected) in cases {
        assert_eq!(
            story.run(&operation, NOON + 2 * HOUR),
            expected,
            "{operation:?}"
        );
    }
}

#[test]
fn an_old_key_with_another_request_is_refused_for_24_hours() {
    // Key 2 was used at `NOON + 1`.
    let reused = add(keyed(given("n", 9), 2, 9), lot(7));
    let cases = [
        (NOON + HOUR, Err(Refusal::KeyReused)),
        (NOON + 24 * HOUR + 1, Err(Refusal::KeyReused)),
        (NOON + 24 * HOUR + 2, Ok(Outcome::Changed)),
    ];
    for (clock, expected) in cases {
        assert_eq!(ended().run(&reused, clock), expected, "{clock}");
    }
}

#[test]
fn a_key_of_a_live_account_is_free_again_after_24_hours() {
    let mut story = Story::of([add(keyed(generated("a"), 1, 1), lot(5))]);
    let retry = add(keyed(generated("n"), 1, 1), lot(5));
    let other = add(keyed(generated("n"), 1, 2), lot(5));
    let last = NOON + 24 * HOUR;
    assert_eq!(story.clone().run(&retry, last), Ok(Outcome::Replayed));
    assert_eq!(story.clone().run(&other, last), Err(Refusal::KeyReused));
    assert_eq!(story.run(&other, last + 1), Ok(Outcome::Changed));
    assert_eq!(
        story.account().memory().keys.len(),
        1,
        "the old use is forgotten"
    );
}

#[test]
fn an_id_is_unique_for_the_whole_life_of_an_account() {
    let mut story = Story::of([add(given("a", 1), lot(5))]);
    let years_later = NOON + 10 * 366 * 24 * HOUR;
    assert_eq!(
        story.run(&add(given("a", 1), lot(5)), years_later),
        Ok(Outcome::Replayed)
    );
    assert_eq!(
        story.run(&add(given("a", 2), lot(5)), years_later),
        Err(Refusal::IdReused)
    );
}

#[test]
fn a_deletion_sent_again_does_not_end_the_next_life() {
    let mut story = ended();
    assert_eq!(
        story.run(&add(generated("n"), lot(7)), NOON + 2 * HOUR),
        Ok(Outcome::Changed)
    );
    assert_eq!(
        story.run(&delete(generated("d")), NOON + 2 * HOUR),
        Ok(Outcome::Replayed)
    );
    assert_eq!(story.balance(NOON + 2 * HOUR), 7);
    assert_eq!(
        story.run(&delete(generated("d2")), NOON + 2 * HOUR),
        Ok(Outcome::Changed)
    );
    assert_eq!(
        story.run(&add(generated("n"), lot(7)), NOON + 3 * HOUR),
        Ok(Outcome::Replayed)
    );
}

#[test]
fn a_life_without_one_before_it_is_numbered_by_its_time() {
    for (clock, number) in [
        (NOON, FIRST_LIFE),
        (NOON + 1, FIRST_LIFE + 1),
        (0, 1),
        (-5, 1),
    ] {
        let mut story = Story::of([]);
        assert_eq!(
            story.run(&create(generated("c")), clock),
            Ok(Outcome::Changed)
        );
        assert_eq!(story.account().generation(), number);
        assert!(!is_later_life(story.account()));
    }
    // So a life that began when the one before it was forgotten never has the number of that one.
    let forgotten = ended();
    let State::Erased(tombstone) = &forgotten.state else {
        panic!("a tombstone");
    };
    let mut story = Story::of([]);
    assert_eq!(
        story.run(&create(generated("c")), NOON + 26 * HOUR),
        Ok(Outcome::Changed)
    );
    assert!(story.account().generation() > tombstone.generation());
}

#[test]
fn what_is_older_than_24_hours_is_forgotten_at_a_write() {
    let mut story = ended();
    let later = NOON + 26 * HOUR;
    assert_eq!(
        story.run(&add(generated("a2"), lot(1)), later),
        Ok(Outcome::Changed)
    );
    assert_eq!(story.account().memory().keys, []);
    assert_eq!(story.account().memory().retired, []);
    assert_eq!(story.account().generation(), FIRST_LIFE + 1);
}

#[test]
fn a_slow_clock_does_not_go_back_behind_the_deletion() {
    let mut story = ended();
    assert_eq!(
        story.run(&add(generated("n"), lot(7)), NOON - HOUR),
        Ok(Outcome::Changed)
    );
    assert_eq!(story.account().created_at(), t(NOON + HOUR));
}

#[test]
fn an_old_operation_is_known_for_24_hours_after_the_deletion_however_old_it_was() {
    let deleted = NOON + 1000 * HOUR;
    let mut story = Story::of([add(given("a", 1), lot(5))]);
    assert_eq!(
        story.run(&delete(generated("d")), deleted),
        Ok(Outcome::Changed)
    );
    let retry = add(given("a", 1), lot(5));
    for clock in [deleted, deleted + 24 * HOUR] {
        assert_eq!(story.run(&retry, clock), Ok(Outcome::Replayed), "{clock}");
    }
    assert_eq!(
        story.run(&retry, deleted + 24 * HOUR + 1),
        Ok(Outcome::Changed)
    );
}

#[test]
fn a_key_that_came_with_a_known_id_stands_for_that_request_from_then_on() {
    let mut story = Story::of([add(keyed(given("a", 1), 1, 1), lot(5))]);
    let again = add(keyed(given("a", 1), 2, 1), lot(5));
    assert_eq!(story.run(&again, NOON + 1), Ok(Outcome::Changed));
    assert_eq!(story.balance(NOON + 1), 5, "no points were added");
    assert_eq!(story.run(&again, NOON + 2), Ok(Outcome::Replayed));
    let other = add(keyed(given("b", 2), 2, 2), lot(5));
    assert_eq!(story.run(&other, NOON + 2), Err(Refusal::KeyReused));
    // A tombstone takes no more keys.
    assert_eq!(
        story.run(&delete(generated("d")), NOON + 3),
        Ok(Outcome::Changed)
    );
    let once_more = add(keyed(given("a", 1), 3, 1), lot(5));
    assert_eq!(story.run(&once_more, NOON + 4), Ok(Outcome::Replayed));
}

#[test]
fn deleting_makes_room_of_what_was_old_and_had_no_id_of_a_client() {
    let mut story = Story::of([add(generated("g"), lot(5)), add(given("a", 1), lot(5))]);
    let later = NOON + 25 * HOUR;
    assert_eq!(
        story.run(&delete(generated("d")), later),
        Ok(Outcome::Changed)
    );
    assert_eq!(
        story.run(&add(generated("n"), lot(1)), later),
        Ok(Outcome::Changed)
    );
    let retired: Vec<&str> = story
        .account()
        .memory()
        .retired
        .iter()
        .map(|retired| retired.identity.id.as_str())
        .collect();
    assert_eq!(retired, ["a", "d"]);
}
