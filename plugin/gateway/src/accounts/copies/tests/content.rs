//! One account's copies: what replaces what, and what is believed.

use ledger::{
    Applied, EntryId, Identity, Looked, NewLot, Operation, OperationMark, Points, State, apply,
};

use super::*;
use crate::accounts::copies::layout::{Class, MAX_HELD_BYTES};
use crate::host::{Host, Shared, SharedVersion};

fn front(host: &TestHost, copies: &Copies) -> Front {
    copies.front(host, &account("614")).expect("a front")
}

/// The version of the front's entry: what tells whether it was written.
fn version(host: &TestHost, copies: &Copies) -> SharedVersion {
    match host.shared_get(&copies.layout.front_name(&account("614"))) {
        Shared::Held(_, version) | Shared::Erased(version) => version,
        Shared::Absent => SharedVersion(0),
    }
}

#[test]
fn what_is_put_in_comes_out() {
    for (standing, document, epoch, revision) in [
        (Standing::Absent, None, 7, 1),
        (Standing::Erased, Some(&b"tombstone"[..]), 0, i64::MAX),
        (live(0), Some(b""), u32::MAX, 2),
        (live(Balance::MAX.get()), Some(b"document"), 1, 3),
        (span(5, None, Some(9)), Some(&[7; 1024]), 1, 3),
        (span(5, Some(-8), None), Some(&[7; 1025]), 1, 3),
        (span(5, Some(0), Some(1)), Some(&[7; MAX_HELD_BYTES]), 1, 3),
    ] {
        let (host, copies) = small();
        let copy = AccountCopy {
            store: StoreId(u64::MAX),
            epoch,
            revision,
            standing,
            document,
        };
        let account = account("614");
        assert_eq!(copies.install(&host, &account, &copy), Kept::Held);
        let front = front(&host, &copies);
        assert_eq!(front.store, StoreId(u64::MAX));
        assert_eq!((front.epoch, front.revision), (epoch, revision));
        assert_eq!(front.standing, standing);
        let held = copies.document(&host, &account, &front);
        assert_eq!(held.as_deref(), document, "{copy:?}");
        let known = copies.look_up(&host, &account, StoreId(u64::MAX));
        assert_eq!(known.map(|it| it.document).as_deref(), document);
        assert_eq!(
            copies.look_up(&host, &account, STORE),
            None,
            "of another store"
        );
        assert_eq!(copies.front(&host, &super::account("615")), None);
    }
}

#[test]
fn bytes_are_what_they_always_were() {
    let (host, copies) = small();
    let account = account("614");
    let copy = AccountCopy {
        epoch: 0x0102,
        standing: span(9, None, Some(0x0304)),
        ..at(0x0506, b"document")
    };
    copies.install(&host, &account, &copy);
    let value = |name: &str| match host.shared_get(name) {
        Shared::Held(value, _) => value,
        other => panic!("{other:?}"),
    };
    let mut front = account.as_bytes().to_vec();
    front.extend(b"\0\0\0\0\0\0\0\x03\0\0\x01\x02\0\0\0\0\0\0\x05\x06\x02\x01");
    front.extend(b"\0\0\0\0\0\0\0\x09\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\x04");
    assert_eq!(value(&copies.layout.front_name(&account)), front);
    let mut document = account.as_bytes().to_vec();
    document.extend(b"\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\x05\x06document");
    let name = copies.layout.document_name(Class::Small, &account);
    assert_eq!(value(&name), document);
}

#[test]
fn the_newest_is_kept_whatever_the_order() {
    for order in [[3, 5, 4], [5, 3, 4], [3, 4, 5], [5, 5, 4]] {
        let (host, copies) = small();
        let mut newest = 0;
        for revision in order {
            let document = format!("at {revision}");
            let kept = copies.install(&host, &account("614"), &at(revision, document.as_bytes()));
            let expected = if revision < newest {
                Kept::Newer
            } else {
                Kept::Held
            };
            assert_eq!(kept, expected, "{order:?}");
            newest = newest.max(revision);
        }
        let held = copies.look_up(&host, &account("614"), STORE);
        assert_eq!(held, known(5, b"at 5"), "{order:?}");
    }
}

/// epoch, since
type Copied = (u32, Option<i64>);

#[test]
fn of_one_revision_the_greater_epoch_and_the_later_balance_count() {
    let cases: [(Copied, Copied, Copied); 7] = [
        ((0, None), (0, None), (0, None)),
        ((0, None), (4, None), (4, None)),
        ((4, None), (0, None), (4, None)),
        ((4, None), (5, None), (5, None)),
        ((4, None), (4, Some(10)), (4, Some(10))),
        ((4, Some(10)), (4, None), (4, Some(10))),
        ((4, Some(20)), (5, Some(10)), (5, Some(20))),
    ];
    for (held, given, expected) in cases {
        let (host, copies) = small();
        let copy = |(epoch, since): Copied| AccountCopy {
            epoch,
            standing: span(since.unwrap_or(0).unsigned_abs(), since, None),
            ..at(7, b"document")
        };
        copies.install(&host, &account("614"), &copy(held));
        let before = version(&host, &copies);
        let kept = copies.install(&host, &account("614"), &copy(given));
        assert_eq!(kept, Kept::Held);
        let front = front(&host, &copies);
        assert_eq!(front.epoch, expected.0, "{held:?} {given:?}");
        assert_eq!(
            front.standing,
            copy(expected).standing,
            "{held:?} {given:?}"
        );
        let written = version(&host, &copies) != before;
        assert_eq!(written, expected != held, "only what is news is written");
        let document = copies.document(&host, &account("614"), &front);
        assert_eq!(document.as_deref(), Some(&b"document"[..]));
    }
}

#[test]
fn an_epoch_goes_on_over_newer_revisions() {
    let (host, copies) = small();
    let copy = |epoch, revision| AccountCopy {
        epoch,
        ..at(revision, b"x")
    };
    copies.install(&host, &account("614"), &copy(4, 7));
    copies.install(&host, &account("614"), &copy(0, 8));
    assert_eq!(front(&host, &copies).epoch, 4, "held all the while");
    // What is late says nothing of it.
    copies.install(&host, &account("614"), &copy(9, 7));
    assert_eq!(front(&host, &copies).epoch, 4);
    copies.install(&host, &account("614"), &copy(9, 10));
    assert_eq!(front(&host, &copies).epoch, 9);
    // In another store it is another account's life.
    let elsewhere = AccountCopy {
        store: StoreId(77),
        ..copy(0, 2)
    };
    copies.install(&host, &account("614"), &elsewhere);
    assert_eq!(front(&host, &copies).epoch, 0);
}

#[test]
fn only_exactly_what_is_held_is_confirmed() {
    for (store, revision, epoch, confirmed, expected) in [
        (STORE, 7, 5, true, 5),
        (STORE, 7, 4, true, 4),
        (STORE, 7, 3, true, 4),
        (STORE, 6, 5, false, 4),
        (STORE, 8, 5, false, 4),
        (StoreId(4), 7, 5, false, 4),
    ] {
        let (host, copies) = small();
        let account = account("614");
        assert!(!copies.confirm(&host, &account, store, revision, || Some(epoch)));
        let copy = AccountCopy {
            epoch: 4,
            ..at(7, b"document")
        };
        copies.install(&host, &account, &copy);
        let case = (store, revision, epoch);
        assert_eq!(
            copies.confirm(&host, &account, store, revision, || Some(epoch)),
            confirmed,
            "{case:?}"
        );
        let front = front(&host, &copies);
        assert_eq!((front.epoch, front.revision), (expected, 7), "{case:?}");
        assert_eq!(front.standing, copy.standing);
        assert_eq!(
            copies.look_up(&host, &account, STORE),
            known(7, b"document")
        );
    }
}

#[test]
fn another_store_replaces_whatever_its_revision() {
    for refreshed in [false, true] {
        let (host, copies) = small();
        let account = account("614");
        copies.install(&host, &account, &at(900, b"of the old store"));
        let new = AccountCopy {
            store: StoreId(4),
            ..at(2, b"of the new store")
        };
        let kept = if refreshed {
            copies.refresh(&host, &account, &new)
        } else {
            copies.install(&host, &account, &new)
        };
        assert_eq!(kept, Kept::Held);
        assert_eq!(copies.look_up(&host, &account, STORE), None);
        let held = copies
            .look_up(&host, &account, StoreId(4))
            .expect("the new one");
        assert_eq!(
            (held.revision, &held.document[..]),
            (2, &b"of the new store"[..])
        );
    }
}

#[test]
fn a_document_that_grows_or_shrinks_is_found_in_its_new_class() {
    let (host, copies) = small();
    let sizes = [10, 2000, 30_000, 20, MAX_HELD_BYTES + 1, 30];
    for (revision, size) in (1..).zip(sizes) {
        let document = vec![b'0' + u8::try_from(revision).unwrap(); size];
        let kept = copies.install(&host, &account("614"), &at(revision, &document));
        assert_eq!(kept, Kept::Held);
        let expected = known(revision, &document).filter(|_| size <= MAX_HELD_BYTES);
        assert_eq!(
            copies.look_up(&host, &account("614"), STORE),
            expected,
            "{size}"
        );
        // Too long to be held, and yet the balance is told.
        assert_eq!(front(&host, &copies).revision, revision);
    }
}

#[test]
fn a_front_without_its_document_keeps_the_way_to_it() {
    let (host, copies) = small();
    copies.install(&host, &account("614"), &at(7, b"document"));
    let without = AccountCopy {
        epoch: 2,
        document: None,
        ..at(7, b"")
    };
    copies.install(&host, &account("614"), &without);
    assert_eq!(
        copies.look_up(&host, &account("614"), STORE),
        known(7, b"document")
    );
    // Another revision has no document until it is given one.
    let newer = AccountCopy {
        document: None,
        ..at(8, b"")
    };
    copies.install(&host, &account("614"), &newer);
    assert_eq!(copies.look_up(&host, &account("614"), STORE), None);
    copies.install(&host, &account("614"), &at(8, b"newer"));
    assert_eq!(
        copies.look_up(&host, &account("614"), STORE),
        known(8, b"newer")
    );
}

#[test]
fn an_entry_that_is_not_ours_is_empty_and_can_be_filled() {
    let account = account("614");
    let good = {
        let (host, copies) = small();
        copies.install(&host, &account, &at(7, b"document"));
        let name = copies.layout.front_name(&account);
        let Shared::Held(value, _) = host.shared_get(&name) else {
            panic!("nothing there");
        };
        value
    };
    let with = |place: usize, byte: u8| {
        let mut bad = good.clone();
        bad[place] = byte;
        bad
    };
    let bad = [
        b"".to_vec(),
        b"{}".to_vec(),
        good[..77].to_vec(),
        [&good[..], b"x"].concat(),
        // No standing, no class, no balance, no times of the calendar.
        with(52, 3),
        with(53, 4),
        with(54, 1),
        with(62, 0x81),
        with(70, 0x7e),
    ];
    for junk in bad {
        let (host, copies) = small();
        let front_name = copies.layout.front_name(&account);
        let document_name = copies.layout.document_name(Class::Small, &account);
        host.shared.borrow_mut().put(&front_name, &junk);
        host.shared
            .borrow_mut()
            .put(&document_name, &junk[..junk.len().min(47)]);
        assert_eq!(copies.front(&host, &account), None, "{junk:?}");
        assert_eq!(copies.refresh(&host, &account, &at(9, b"x")), Kept::NotHeld);
        assert!(!copies.confirm(&host, &account, STORE, 7, || Some(1)));
        assert_eq!(copies.install(&host, &account, &at(1, b"x")), Kept::Held);
        assert_eq!(
            copies.look_up(&host, &account, STORE),
            known(1, b"x"),
            "{junk:?}"
        );
    }
}

#[test]
fn a_state_is_told_with_its_balance() {
    let clock = t(1_000_000);
    let mark = |id| OperationMark {
        identity: Identity::generated(EntryId::new(id).expect("an id")),
        key: None,
    };
    let lot = NewLot {
        reference_id: None,
        description: None,
        points: Points::new(25).expect("points"),
        created_at: None,
        valid_until: Some(t(2_000_000)),
        validity_months: None,
    };
    let operation = Operation::Add {
        mark: mark("a"),
        lot,
    };
    let Ok(Applied::Changed(record)) = apply(
        &State::Absent,
        &operation,
        &Looked::nothing(&operation),
        clock,
    ) else {
        panic!("not added");
    };
    let state = State::from(record);
    assert_eq!(Standing::of(&State::Absent, clock), Standing::Absent);
    assert_eq!(Standing::of(&state, clock), span(25, None, Some(2_000_000)));
    assert_eq!(
        Standing::of(&state, t(2_000_000)),
        span(0, Some(2_000_000), None)
    );
    let deletion = Operation::Delete { mark: mark("b") };
    let looked = Looked::nothing(&deletion);
    let Ok(Applied::Changed(record)) = apply(&state, &deletion, &looked, clock) else {
        panic!("not deleted");
    };
    assert_eq!(Standing::of(&record.into(), clock), Standing::Erased);
}
