//! Copies that are put in while the feed works, in every order of their steps.
//!
//! One slot, one account, and whoever may be at it: a VM that read the account and confirms its copy, one that wrote it,
//! one whose answer comes late, another account that wants the slot, the feed's holder in the middle of a message, and its
//! successor. After each step a confirmed copy must hold every change up to the record's `seen`. Where a rule is broken on
//! purpose the same search finds the copy that should not be.

mod scene;

use self::scene::{Actor, Found, Scene};

const READER: Actor = Actor::Reader {
    reads_back: true,
    asks_record: true,
};

fn explore(actors: &[Actor]) -> Found {
    Scene {
        actors: actors.to_vec(),
        refresh_confirms: false,
    }
    .explore()
}

/// No order breaks the rule, and some end with a copy that counts.
fn holds(actors: &[Actor]) {
    let found = explore(actors);
    assert_eq!(found.violations, 0, "{actors:?}: {found:?}");
    assert!(
        0 < found.confirmed && found.confirmed < found.runs,
        "{found:?}"
    );
}

#[test]
fn a_confirmed_copy_holds_all_that_was_seen() {
    holds(&[READER, Actor::Stranger(2)]);
    holds(&[READER, Actor::Writer]);
    holds(&[READER, Actor::Writer, Actor::Stranger(1)]);
}

#[test]
fn whoever_else_wants_the_slot() {
    holds(&[READER, Actor::Stranger(1), Actor::Intruder]);
    holds(&[READER, Actor::Stranger(1), Actor::Late, Actor::Intruder]);
}

#[test]
fn whoever_takes_over_in_the_middle() {
    holds(&[READER, Actor::Stranger(1), Actor::Successor]);
    holds(&[READER, Actor::Writer, Actor::Successor]);
    let found = explore(&[Actor::Late, Actor::Stranger(2), Actor::Successor]);
    assert_eq!((found.violations, found.confirmed), (0, 0), "{found:?}");
}

#[test]
fn without_asking_the_record_it_would_not_hold() {
    let careless = Actor::Reader {
        reads_back: true,
        asks_record: false,
    };
    assert!(explore(&[careless, Actor::Stranger(1)]).violations > 0);
}

#[test]
fn without_reading_back_it_would_not_hold() {
    let careless = Actor::Reader {
        reads_back: false,
        asks_record: true,
    };
    let actors = [careless, Actor::Stranger(1), Actor::Late, Actor::Intruder];
    assert!(explore(&actors).violations > 0);
}

#[test]
fn if_a_refresh_confirmed_it_would_not_hold() {
    let scene = Scene {
        actors: vec![Actor::Late, Actor::Stranger(2), Actor::Successor],
        refresh_confirms: true,
    };
    assert!(scene.explore().violations > 0);
}
