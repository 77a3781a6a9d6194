//! History that leaves the account: nothing that a client sees depends on where an entry is kept.

mod support;

use ledger::{
    Account, AccountParts, Applied, Archived, Balance, Corrupt, EntryKind, History, Looked,
    NotItsNext, Operation, OutOfOrder, Refusal, Replay, Segment, State, Take, Unseen,
};
use support::*;

/// Lots `a` (ends first), `b`, `x` (ends soon), `c`; `r` took all of `a` and 2 of `b`; then `x` ended, `s` took 1 of `b`.
fn story() -> Story {
    let mut story = Story::of([
        add(given("a", 1), lot_until(5, NOON + HOUR)),
        add(generated("b"), lot_until(5, NOON + 9 * HOUR)),
        add(given("c", 3), lot(9)),
        redeem(given("r", 4), 7),
        add(generated("x"), lot_until(4, NOON + HOUR)),
    ]);
    for (operation, clock) in [
        (redeem(generated("s"), 1), NOON + 2 * HOUR),
        (add(generated("d"), lot(2)), NOON + 2 * HOUR),
    ] {
        assert_eq!(story.run(&operation, clock), Ok(Outcome::Changed));
    }
    story
}

fn archived(count: usize) -> Story {
    let mut story = story();
    story.archive(count);
    story
}

#[test]
fn a_summary_is_the_same_wherever_the_entries_are() {
    let whole = story();
    let clock = t(NOON + 2 * HOUR);
    for count in 0..=7 {
        for again in 0..=7 - count {
            let mut story = archived(count);
            story.archive(again);
            assert_eq!(story.account().entries().len(), 7 - count - again);
            assert_eq!(story.account().sequence(), 7);
            assert_eq!(
                story.account().balance(clock),
                whole.account().balance(clock)
            );
            assert_eq!(
                story.history().summary(clock),
                whole.history().summary(clock)
            );
            check_invariants(&story, clock);
        }
    }
}

#[test]
fn an_id_that_has_left_is_still_its_operations() {
    let mut story = archived(7);
    let clock = NOON + 3 * HOUR;
    for (operation, expected) in [
        (
            add(given("a", 1), lot_until(5, NOON + HOUR)),
            Ok(Outcome::Replayed),
        ),
        (redeem(given("r", 4), 7), Ok(Outcome::Replayed)),
        (redeem(generated("s"), 1), Ok(Outcome::Replayed)),
        (add(given("a", 9), lot(5)), Err(Refusal::IdReused)),
        (redeem(given("c", 9), 1), Err(Refusal::IdReused)),
        (add(given("new", 9), lot(5)), Ok(Outcome::Changed)),
    ] {
        assert_eq!(story.run(&operation, clock), expected, "{operation:?}");
    }
}

#[test]
fn nothing_is_judged_before_all_that_matters_was_looked_through() {
    let mut story = archived(2);
    story.archive(3);
    let clock = t(NOON + 3 * HOUR);
    let operation = add(given("r", 4), lot(1));
    let unseen = |first| {
        Ok(Applied::Unseen(Unseen {
            generation: FIRST_LIFE,
            first,
            last: 5,
        }))
    };
    let mut looked = Looked::nothing(&operation);
    let ask = |looked: &Looked| ledger::apply(&story.state, &operation, looked, clock);
    assert_eq!(ask(&looked), unseen(1));
    assert_eq!(looked.look_through(&story.segments[1]), Err(OutOfOrder));
    assert_eq!(ask(&looked), unseen(1));
    assert_eq!(looked.look_through(&story.segments[0]), Ok(()));
    assert_eq!(ask(&looked), unseen(3));
    assert_eq!(looked.look_through(&story.segments[1]), Ok(()));
    assert_eq!(ask(&looked), Ok(Applied::Replayed(Replay::Id)));
    // What was looked up for one operation says nothing about another.
    let other = add(given("z", 4), lot(1));
    let outcome = ledger::apply(&story.state, &other, &looked, clock);
    assert_eq!(outcome, unseen(1));
}

#[test]
fn a_generated_id_is_looked_for_only_where_its_own_write_may_have_gone() {
    let mut story = story();
    let operation = add(generated("n"), lot(1));
    let clock = t(NOON + 3 * HOUR);
    let mut sent = Looked::nothing(&operation);
    sent.sent(&story.state);
    let never_sent = Looked::nothing(&operation);
    story.archive(7);
    let is_changed = |story: &Story, looked: &Looked| {
        matches!(
            ledger::apply(&story.state, &operation, looked, clock),
            Ok(Applied::Changed(_))
        )
    };
    // All that has left was there before it was sent.
    assert!(is_changed(&story, &never_sent));
    assert!(is_changed(&story, &sent));
    assert_eq!(story.run(&operation, NOON + 3 * HOUR), Ok(Outcome::Changed));
    assert_eq!(
        ledger::apply(&story.state, &operation, &sent, clock),
        Ok(Applied::Replayed(Replay::Own))
    );
    story.archive(1);
    assert_eq!(
        ledger::apply(&story.state, &operation, &sent, clock),
        Ok(Applied::Unseen(Unseen {
            generation: FIRST_LIFE,
            first: 1,
            last: 8
        }))
    );
    let found = story.apply(&operation, sent, NOON + 3 * HOUR);
    assert_eq!(found, Ok(Applied::Replayed(Replay::Own)));
}

#[test]
fn what_had_left_a_life_that_ended_is_known_for_24_hours() {
    let end = NOON + 3 * HOUR;
    let mut story = archived(4);
    assert_eq!(
        story.run(&delete(generated("end")), end),
        Ok(Outcome::Changed)
    );
    let mut again = story.clone();
    assert_eq!(
        again.run(&add(generated("n"), lot(1)), end),
        Ok(Outcome::Changed)
    );
    let late = add(given("a", 1), lot_until(5, NOON + HOUR));
    let other = add(given("a", 2), lot(3));
    for story in [story, again] {
        for (operation, clock, expected) in [
            (&late, end + 24 * HOUR, Outcome::Replayed),
            (&late, end + 24 * HOUR + 1, Outcome::Changed),
            (&other, end, Outcome::Changed),
        ] {
            let outcome = story.clone().run(operation, clock);
            assert_eq!(outcome, Ok(expected), "{operation:?} {clock}");
        }
        let mut story = story;
        assert_eq!(
            story.run(&add(generated("m"), lot(1)), end + 25 * HOUR),
            Ok(Outcome::Changed)
        );
        assert_eq!(story.account().memory().histories, []);
    }
}

#[test]
fn only_the_oldest_entries_of_an_account_leave_it() {
    let story = story();
    let account = story.account().clone();
    let entries = |range: std::ops::Range<usize>| {
        let entries: Vec<_> = account.entries().cloned().map(Into::into).collect();
        entries[range].to_vec()
    };
    let segment = |range| Segment::new(FIRST_LIFE, entries(range)).expect("a segment");
    let mut other = entries(0..2);
    other[1] = {
        let mut entry = (*other[1]).clone();
        entry.points = points(6);
        entry.into()
    };
    let elsewhere = Err(NotItsNext::Elsewhere);
    let from_two = account
        .clone()
        .archive(&segment(0..2))
        .expect("its own entries");
    for (account, segment, expected) in [
        (&account, segment(1..3), elsewhere.clone()),
        (
            &account,
            Segment::new(FIRST_LIFE + 1, entries(0..2)).expect("a segment"),
            elsewhere.clone(),
        ),
        (
            &account,
            Segment::new(FIRST_LIFE, other).expect("a segment"),
            Err(NotItsNext::Differs),
        ),
        (&from_two, segment(0..3), elsewhere.clone()),
        (&from_two, segment(3..4), elsewhere),
        (&from_two, segment(0..1), Ok(from_two.clone())),
        (&from_two, segment(0..2), Ok(from_two.clone())),
    ] {
        assert_eq!(account.clone().archive(&segment), expected, "{segment:?}");
    }
    assert_eq!(account.oldest(0), None);
    assert_eq!(account.oldest(8), None);
    let all = account.oldest(7).expect("all of it");
    assert_eq!(from_two.archive(&all), Err(NotItsNext::Elsewhere));
    let mut older = story.clone();
    older.state = State::Live(account.clone());
    let newer = {
        let mut story = story;
        assert_eq!(
            story.run(&add(generated("y"), lot(1)), NOON + 9 * HOUR),
            Ok(Outcome::Changed)
        );
        story.account().oldest(8).expect("all of it")
    };
    assert_eq!(account.archive(&newer), Err(NotItsNext::Elsewhere));
}

#[test]
fn segments_are_entries_that_follow_one_another() {
    let entries: Vec<_> = story()
        .account()
        .entries()
        .cloned()
        .map(std::sync::Arc::new)
        .collect();
    assert_eq!(Segment::new(0, entries.clone()), Err(Corrupt::Generation));
    assert_eq!(
        Segment::new(FIRST_LIFE, vec![]),
        Err(Corrupt::Sequence { at: 0 })
    );
    let mut gap = entries.clone();
    gap.remove(2);
    assert_eq!(
        Segment::new(FIRST_LIFE, gap),
        Err(Corrupt::Sequence { at: 3 })
    );
    let mut late = entries;
    let mut entry = (*late[1]).clone();
    entry.recorded_at = t(NOON - 1);
    entry.created_at = t(NOON - 1);
    late[1] = entry.into();
    assert_eq!(
        Segment::new(FIRST_LIFE, late),
        Err(Corrupt::EntryTime { at: 2 })
    );
}

/// How segments lie, as pairs of first and last entry.
fn tiled(account: &Account, whole: &Account, tiles: &[(usize, usize)]) -> Result<u64, Corrupt> {
    let entries: Vec<_> = whole.entries().cloned().map(std::sync::Arc::new).collect();
    let segments = tiles.iter().map(|(first, last)| {
        Segment::new(FIRST_LIFE, entries[first - 1..*last].to_vec()).expect("a segment")
    });
    let history = History::new(account.clone(), segments)?;
    Ok(history
        .entries()
        .map(|entry| entry.sequence)
        .max()
        .unwrap_or(0))
}

#[test]
fn segments_lie_side_by_side_up_to_what_has_left() {
    let whole = story();
    let five = archived(5);
    let broken = |at| Err(Corrupt::Segments { at });
    type Case<'a> = (&'a [(usize, usize)], Result<u64, Corrupt>);
    let cases: [Case<'_>; 13] = [
        (&[(1, 5)], Ok(7)),
        (&[(1, 2), (3, 5)], Ok(7)),
        (&[(1, 2), (3, 5), (6, 7)], Ok(7)),
        (&[(1, 5), (6, 6), (6, 7)], Ok(7)),
        (&[(1, 5), (7, 7)], Ok(7)),
        (&[], broken(0)),
        (&[(1, 4)], broken(4)),
        (&[(1, 4), (6, 7)], broken(4)),
        (&[(2, 5)], broken(2)),
        (&[(1, 2), (4, 5)], broken(4)),
        (&[(1, 3), (3, 5)], broken(3)),
        (&[(1, 5), (1, 5)], broken(1)),
        (&[(1, 3), (4, 6)], broken(4)),
    ];
    for (tiles, expected) in cases {
        let outcome = tiled(five.account(), whole.account(), tiles);
        assert_eq!(outcome, expected, "{tiles:?}");
    }
    let outcome = tiled(whole.account(), whole.account(), &[(1, 5)]);
    assert_eq!(
        outcome,
        Ok(7),
        "nothing has left: what lies there is no part of it"
    );
    let of_another_life = five.segments[0].entries().cloned().map(Into::into);
    let of_another_life =
        Segment::new(FIRST_LIFE + 1, of_another_life.collect()).expect("a segment");
    assert_eq!(
        History::new(five.account().clone(), [of_another_life]),
        Err(Corrupt::Segments { at: 1 })
    );
}

#[test]
fn a_history_must_meet_the_accounts_checkpoint_and_lots() {
    let five = archived(5);
    let mut entries: Vec<_> = five.segments[0].entries().cloned().collect();
    let segment = |entries: &[ledger::Entry]| {
        let entries = entries.iter().cloned().map(Into::into);
        Segment::new(FIRST_LIFE, entries.collect()).expect("a segment")
    };
    entries[4].balance_after = Balance::ZERO;
    assert_eq!(
        History::new(five.account().clone(), [segment(&entries)]),
        Err(Corrupt::Segments { at: 5 })
    );
    let mut entries: Vec<_> = five.segments[0].entries().cloned().collect();
    entries[2].identity.id = id("z");
    assert_eq!(
        History::new(five.account().clone(), [segment(&entries)]),
        Err(Corrupt::OpenLots)
    );
}

type Break = fn(&mut AccountParts);

/// The tail is `x` (5), `s` (6), `d` (7) behind a checkpoint at 4, at which 12 were active: 3 of `b` and 9 of `c`.
#[test]
fn every_broken_invariant_of_a_tail_is_named() {
    let story = archived(4);
    let cases: Vec<(Corrupt, Break)> = vec![
        (Corrupt::Sequence { at: 0 }, |p| checkpoint(p).sequence = 0),
        (Corrupt::Sequence { at: 4 }, |p| checkpoint(p).sequence = 3),
        (Corrupt::EntryTime { at: 4 }, |p| {
            checkpoint(p).recorded_at = t(NOON - 1)
        }),
        (Corrupt::EntryTime { at: 4 }, |p| {
            checkpoint(p).recorded_at = t(NOON + 4 * HOUR)
        }),
        (Corrupt::EntryTime { at: 5 }, |p| {
            checkpoint(p).recorded_at = t(NOON + HOUR)
        }),
        (Corrupt::DuplicateId { at: 5 }, |p| {
            p.entries[0].identity.id = id("b")
        }),
        (Corrupt::DuplicateId { at: 3 }, |p| p.lots[1].id = id("b")),
        (Corrupt::OpenLots, |p| p.lots[1].sequence = 2),
        (Corrupt::OpenLots, |p| p.lots[1].sequence = 0),
        (Corrupt::OpenLots, |p| p.lots[1].created_at = t(NOON + HOUR)),
        (Corrupt::OpenLots, |p| p.lots[1].remaining = points(10)),
        (Corrupt::OpenLots, |p| p.lots[1].remaining = points(8)),
        (Corrupt::OpenLots, |p| {
            p.lots.remove(1);
        }),
        (Corrupt::OpenLots, |p| {
            checkpoint(p).balance_after = Balance::new(11).expect("a balance")
        }),
        (Corrupt::BalanceAfter { at: 5 }, |p| {
            p.entries[0].balance_after = Balance::new(15).expect("a balance")
        }),
        (Corrupt::BalanceAfter { at: 5 }, |p| {
            p.entries[0].balance_after = Balance::new(17).expect("a balance")
        }),
        (Corrupt::Takes { at: 6 }, |p| takes(p)[0].lot = 0),
        (Corrupt::Takes { at: 6 }, |p| takes(p)[0].lot = 5),
        (Corrupt::Takes { at: 6 }, |p| takes(p).clear()),
        (Corrupt::MemoryOrder, |p| {
            p.memory.histories = vec![history(FIRST_LIFE, 1)]
        }),
    ];
    for (row, (expected, break_it)) in cases.into_iter().enumerate() {
        let mut parts = parts_of(story.account());
        break_it(&mut parts);
        assert_eq!(Account::from_parts(parts), Err(expected), "row {row}");
    }
}

fn checkpoint(parts: &mut AccountParts) -> &mut Archived {
    parts.archived.as_mut().expect("a checkpoint")
}

fn takes(parts: &mut AccountParts) -> &mut Vec<Take> {
    match &mut parts.entries[1].kind {
        EntryKind::Redeemed { takes } => takes,
        EntryKind::Added { .. } => panic!("the second entry of the tail is a redemption"),
    }
}

fn history(generation: u64, archived: u64) -> ledger::RetiredHistory {
    ledger::RetiredHistory {
        generation,
        archived,
        at: t(NOON),
    }
}

#[test]
fn histories_are_those_of_ended_lives_in_their_order() {
    let tombstone = |histories| {
        ledger::Tombstone::from_parts(ledger::TombstoneParts {
            generation: 2,
            updated_at: t(NOON),
            memory: ledger::Memory {
                histories,
                ..ledger::Memory::default()
            },
        })
    };
    assert!(tombstone(vec![history(1, 5), history(2, 1)]).is_ok());
    for histories in [
        vec![history(0, 5)],
        vec![history(3, 5)],
        vec![history(1, 0)],
        vec![history(1, 5), history(1, 5)],
        vec![history(2, 5), history(1, 5)],
        vec![ledger::RetiredHistory {
            at: t(NOON + 1),
            ..history(1, 5)
        }],
    ] {
        assert_eq!(
            tombstone(histories.clone()),
            Err(Corrupt::MemoryOrder),
            "{histories:?}"
        );
    }
}

#[test]
fn a_lot_that_ends_behind_the_checkpoint_needs_no_entry() {
    // `x` leaves while it is open, then ends: by nothing but its absence among the open lots is that known.
    let mut story = Story::of([
        add(generated("x"), lot_until(4, NOON + HOUR)),
        add(generated("y"), lot_until(3, NOON + 4 * HOUR)),
        add(generated("a"), lot(5)),
    ]);
    story.archive(3);
    for (step, operation) in (0..).zip([
        add(generated("b"), lot(5)),
        redeem(generated("r"), 1),
        Operation::Add {
            mark: generated("c"),
            lot: lot(1),
        },
    ]) {
        let clock = NOON + 2 * HOUR + step * HOUR;
        assert_eq!(story.run(&operation, clock), Ok(Outcome::Changed));
        check_invariants(&story, t(clock));
    }
    let used = ["x 0 []", "y 1 [r]", "a 0 []", "b 0 []", "c 0 []"];
    assert_eq!(story.used(NOON), used);
    assert_eq!(story.balance(NOON), 11);
}
