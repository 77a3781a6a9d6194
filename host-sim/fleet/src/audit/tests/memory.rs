//! What is forgotten too early.

use gateway::accounts::document::segment;
use gateway::sweep::SKEW_MS;
use ledger::{Account, Memory, REMEMBERED_MS, Record, Segment, State, Tombstone, TombstoneParts};

use super::scene::{ADD, Scene, key, segment_key};
use crate::checks::Check;
use crate::plan::{Kind, Name};

/// An account that may be deleted and begun anew.
fn added() -> Scene {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (Kind::Delete, Name::Nothing),
        (ADD, Name::Id(3)),
    ]);
    scene.goes_well(1);
    scene
}

fn deleted() -> Scene {
    let mut scene = added();
    let delete = scene.asks(2);
    scene.does(2);
    scene.auditor.unknown(&delete);
    scene.finds_nothing_wrong_yet();
    scene
}

fn day() -> u64 {
    (REMEMBERED_MS + SKEW_MS).unsigned_abs()
}

#[test]
fn a_tombstone_that_is_removed_too_early() {
    let mut scene = deleted();
    scene.pass(day());
    scene.removes(&key());
    scene.finds(Check::History);

    let mut scene = deleted();
    scene.pass(day() + 1);
    scene.removes(&key());
    scene.finds_nothing();

    // The sweeper may be ahead of who deleted.
    let mut scene = deleted();
    scene.pass(day());
    scene.clock.step(1);
    scene.removes(&key());
    scene.finds_nothing();
}

/// The same, of which one entry is in a segment, to which the document does not refer yet.
fn copied() -> (Scene, Account, Segment) {
    let mut scene = added();
    let State::Live(account) = scene.state.clone() else {
        panic!("there is an account");
    };
    let oldest = account.oldest(1).expect("an entry");
    let key = segment_key(account.generation(), 1);
    scene.puts(&key, segment::encode(&oldest));
    (scene, account, oldest)
}

/// The same, of which one entry has left the document.
fn archived() -> Scene {
    let (mut scene, account, oldest) = copied();
    let account = account.archive(&oldest).expect("its next");
    scene.segments.push(oldest);
    scene.state = State::Live(account.clone());
    scene.holds(&Record::Live(account));
    scene.finds_nothing_wrong_yet();
    scene
}

#[test]
fn a_segment_that_is_removed_too_early() {
    for (passed_ms, found) in [
        (0, Some(Check::History)),
        (day(), Some(Check::History)),
        (day() + 1, None),
    ] {
        let mut scene = archived();
        let State::Live(account) = &scene.state else {
            panic!("there is an account");
        };
        let key = segment_key(account.generation(), 1);
        let delete = scene.asks(2);
        scene.does(2);
        scene.auditor.unknown(&delete);
        scene.finds_nothing_wrong_yet();
        scene.pass(passed_ms);
        scene.removes(&key);
        let violation = scene.auditor.take_violation().map(|it| it.check);
        assert_eq!(violation, found, "{passed_ms}");
    }
}

#[test]
fn a_segment_that_no_document_referred_to_may_go_once_its_life_has_ended() {
    for (ends, found) in [(true, None), (false, Some(Check::History))] {
        let (mut scene, account, _) = copied();
        let key = segment_key(account.generation(), 1);
        let delete = scene.asks(2);
        if ends {
            scene.does(2);
        }
        scene.auditor.unknown(&delete);
        scene.finds_nothing_wrong_yet();
        scene.removes(&key);
        let violation = scene.auditor.take_violation().map(|it| it.check);
        assert_eq!(violation, found, "{ends}");
    }
}

#[test]
fn a_life_that_is_not_remembered() {
    type Forget = fn(&mut Memory);
    type Begin = fn() -> Scene;
    let cases: [(Begin, Forget, Option<Check>); 4] = [
        (added, |_| (), None),
        (added, |it| it.retired.clear(), Some(Check::History)),
        (archived, |_| (), None),
        (archived, |it| it.histories.clear(), Some(Check::History)),
    ];
    for (place, (begin, forget, found)) in cases.into_iter().enumerate() {
        let mut scene = begin();
        let _ = scene.asks(2);
        scene.decides(2, 2);
        scene.holds_tombstone(forget);
        let violation = scene.auditor.take_violation().map(|it| it.check);
        assert_eq!(violation, found, "{place}");
    }
}

#[test]
fn a_memory_that_fades_too_early() {
    let mut scene = deleted();
    let _ = scene.asks(3);
    scene.decides(3, 3);
    let record = scene.changed(|parts| parts.memory.retired.clear());
    scene.holds(&record);
    scene.finds(Check::History);

    // After a day the ledger forgets by itself.
    let mut scene = deleted();
    scene.pass(REMEMBERED_MS.unsigned_abs() + 1);
    scene.goes_well(3);
    let State::Live(account) = &scene.state else {
        panic!("there is an account");
    };
    assert_eq!(account.memory(), &Memory::default());
    scene.finds_nothing();
}

impl Scene {
    /// The tombstone that there is, which forgets something.
    fn holds_tombstone(&mut self, forget: impl FnOnce(&mut Memory)) {
        let State::Erased(tombstone) = self.state.clone() else {
            panic!("there is a tombstone");
        };
        let mut memory = tombstone.memory().clone();
        forget(&mut memory);
        let parts = TombstoneParts {
            generation: tombstone.generation(),
            updated_at: tombstone.updated_at(),
            memory,
        };
        let tombstone = Tombstone::from_parts(parts).expect("the ledger takes it for possible");
        self.holds(&Record::Erased(tombstone));
    }
}
