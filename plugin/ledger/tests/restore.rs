//! Restoring an account from stored facts: each invariant broken once.

mod support;

use ledger::{
    Account, AccountParts, Balance, Corrupt, EntryKind, Fingerprint, Identity, KeyDigest, KeyUse,
    RetiredOperation, Take, Tombstone, TombstoneParts, UsedKey,
};
use support::*;

/// Opened empty by `c`; lots `a` (ends first), `b`, `x` (expired); `r` took all of `a` and 2 of `b`.
fn whole() -> AccountParts {
    let mut story = Story::of([
        create(generated("c")),
        add(generated("b"), lot(5)),
        add(generated("x"), lot_until(9, NOON)),
        add(generated("a"), lot_until(5, NOON + HOUR)),
        redeem(generated("r"), 7),
    ]);
    assert_eq!(
        story.run(&add(generated("e"), lot(1)), NOON + 9),
        Ok(Outcome::Changed)
    );
    parts_of(story.account())
}

fn takes(parts: &mut AccountParts) -> &mut Vec<Take> {
    match &mut parts.entries[3].kind {
        EntryKind::Redeemed { takes } => takes,
        EntryKind::Added { .. } => panic!("the fourth entry is the redemption"),
    }
}

fn retired(at: i64) -> RetiredOperation {
    RetiredOperation {
        identity: Identity::generated(id("old")),
        at: t(at),
    }
}

fn used_key(at: i64) -> UsedKey {
    UsedKey {
        key: KeyUse {
            digest: KeyDigest([1; 16]),
            request: Fingerprint([1; 16]),
        },
        at: t(at),
    }
}

#[test]
fn the_whole_is_restored() {
    let account = Account::from_parts(whole()).expect("nothing is broken");
    assert_eq!(account.balance(t(NOON)).get(), 4);
    let mut story = Story::new();
    story.state = ledger::State::Live(account);
    check_invariants(&story, t(NOON + 9));
}

type Break = fn(&mut AccountParts);

#[test]
fn every_broken_invariant_is_named() {
    let cases: Vec<(Corrupt, Break)> = vec![
        (Corrupt::Generation, |p| p.generation = 0),
        (Corrupt::UpdatedBeforeCreated, |p| {
            p.created_at = t(NOON + 10)
        }),
        (Corrupt::Opening, |p| {
            p.opened_by = None;
            p.entries.clear();
            p.lots.clear();
        }),
        (Corrupt::Sequence { at: 1 }, |p| p.entries[0].sequence = 2),
        (Corrupt::Sequence { at: 2 }, |p| p.entries.swap(1, 2)),
        (Corrupt::Sequence { at: 1 }, |p| {
            p.entries.remove(0);
        }),
        (Corrupt::EntryTime { at: 1 }, |p| p.created_at = t(NOON + 5)),
        (Corrupt::EntryTime { at: 2 }, |p| {
            p.entries[0].recorded_at = t(NOON + 5)
        }),
        (Corrupt::EntryTime { at: 3 }, |p| {
            p.entries[2].created_at = t(NOON + 4)
        }),
        (Corrupt::EntryTime { at: 5 }, |p| p.updated_at = t(NOON + 8)),
        (Corrupt::DuplicateId { at: 1 }, |p| {
            p.entries[0].identity.id = id("c")
        }),
        (Corrupt::DuplicateId { at: 4 }, |p| {
            p.entries[3].identity.id = id("a")
        }),
        (Corrupt::Takes { at: 4 }, |p| takes(p).clear()),
        (Corrupt::Takes { at: 4 }, |p| takes(p).swap(0, 1)),
        (Corrupt::Takes { at: 4 }, |p| takes(p)[0].lot = 0),
        (Corrupt::Takes { at: 4 }, |p| takes(p)[0].lot = 4),
        (Corrupt::Takes { at: 4 }, |p| takes(p)[0].lot = 5),
        (Corrupt::Takes { at: 4 }, |p| takes(p)[0].lot = u64::MAX),
        (Corrupt::Takes { at: 4 }, |p| takes(p)[0].lot = 2),
        (Corrupt::Takes { at: 4 }, |p| takes(p)[0].points = points(4)),
        (Corrupt::Takes { at: 4 }, |p| takes(p)[0].points = points(6)),
        (Corrupt::Takes { at: 4 }, |p| takes(p)[1].points = points(1)),
        (Corrupt::Takes { at: 4 }, |p| takes(p)[1].points = points(3)),
        (Corrupt::Takes { at: 4 }, |p| {
            *takes(p) = vec![
                Take {
                    lot: 1,
                    points: points(2),
                },
                Take {
                    lot: 3,
                    points: points(5),
                },
            ];
        }),
        (Corrupt::BalanceAfter { at: 1 }, |p| {
            p.entries[0].balance_after = Balance::MAX
        }),
        (Corrupt::BalanceAfter { at: 2 }, |p| {
            p.entries[1].balance_after = Balance::ZERO
        }),
        (Corrupt::BalanceAfter { at: 4 }, |p| {
            p.entries[3].balance_after = Balance::ZERO
        }),
        (Corrupt::OpenLots, |p| {
            p.lots.pop();
        }),
        (Corrupt::OpenLots, |p| p.lots.push(p.lots[0].clone())),
        (Corrupt::OpenLots, |p| p.lots[0].remaining = points(4)),
        (Corrupt::OpenLots, |p| p.lots[0].sequence = 3),
        (Corrupt::OpenLots, |p| p.lots[0].sequence = 99),
        (Corrupt::OpenLots, |p| p.lots[0].id = id("z")),
        (Corrupt::OpenLots, |p| p.lots[0].created_at = t(NOON)),
        (Corrupt::OpenLots, |p| {
            p.lots[0].valid_until = Some(t(NOON + HOUR))
        }),
        (Corrupt::LotOrder, |p| p.lots.swap(0, 1)),
        (Corrupt::LotOrder, |p| p.lots[1] = p.lots[0].clone()),
        (Corrupt::MemoryOrder, |p| {
            p.memory.keys = vec![used_key(NOON + 10)]
        }),
        (Corrupt::MemoryOrder, |p| {
            p.memory.keys = vec![used_key(NOON), used_key(NOON - 1)]
        }),
        (Corrupt::MemoryOrder, |p| {
            p.memory.retired = vec![retired(NOON + 10)]
        }),
        (Corrupt::MemoryOrder, |p| {
            p.memory.retired = vec![retired(NOON), retired(NOON - 1)]
        }),
    ];
    for (row, (expected, break_it)) in cases.into_iter().enumerate() {
        let mut parts = whole();
        break_it(&mut parts);
        assert_eq!(Account::from_parts(parts), Err(expected), "row {row}");
    }
}

#[test]
fn a_lot_that_has_expired_by_the_last_write_is_not_open() {
    let mut parts = parts_of(Story::of([add(generated("a"), lot_until(5, NOON + 9))]).account());
    assert!(Account::from_parts(parts.clone()).is_ok());
    parts.updated_at = t(NOON + 9);
    assert_eq!(Account::from_parts(parts.clone()), Err(Corrupt::OpenLots));
    parts.lots.clear();
    assert!(Account::from_parts(parts).is_ok());
}

#[test]
fn a_tombstone_is_checked_too() {
    let mut whole = TombstoneParts {
        generation: 1,
        updated_at: t(NOON),
        memory: ledger::Memory {
            histories: Vec::new(),
            keys: vec![used_key(NOON - 1)],
            retired: vec![retired(NOON - 1), retired(NOON)],
        },
    };
    assert!(Tombstone::from_parts(whole.clone()).is_ok());
    whole.updated_at = t(NOON - 1);
    assert_eq!(
        Tombstone::from_parts(whole.clone()),
        Err(Corrupt::MemoryOrder)
    );
    whole.generation = 0;
    assert_eq!(Tombstone::from_parts(whole), Err(Corrupt::Generation));
}
