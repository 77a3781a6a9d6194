//! The slots of shared data: newer wins, other accounts replace, nothing that is not ours is believed.

use super::{
    AccountKey, Bytes, Change, HeldCopies as _, Host, Known, MAX_HELD_BYTES, MAX_INSTALL_ATTEMPTS,
    MAX_REFRESH_ATTEMPTS, NotRefreshed, SLOTS, Shared, Slots, StoreId, slot_name,
};
use crate::access::test_support::permit;
use crate::accounts::keys::CustomerId;
use crate::host::SharedVersion;
use crate::test_support::host::TestHost;

/// The slot of 614 and, as it happens, of c622.
const SLOT: &str = "reward-points/document/587";

fn key(customer: &str) -> AccountKey {
    let customer = CustomerId::new(customer.as_bytes().to_vec()).expect("an id");
    AccountKey::new(permit("acme").tenant(), &customer)
}

const STORE: StoreId = StoreId(3);

fn at(revision: i64, document: &[u8]) -> Known {
    Known {
        store: STORE,
        revision,
        document: Bytes::copy_from_slice(document),
    }
}

fn known(revision: i64, document: &[u8]) -> Option<Known> {
    Some(at(revision, document))
}

fn install(host: &TestHost, key: &AccountKey, revision: i64, document: &[u8]) {
    super::install(host, key, &at(revision, document));
}

fn look_up(host: &TestHost, key: &AccountKey) -> Option<Known> {
    super::look_up(host, key, STORE)
}

fn compose(key: &AccountKey, revision: i64, document: &[u8]) -> Vec<u8> {
    super::compose(key.as_bytes(), &at(revision, document))
}

fn version(host: &TestHost) -> u32 {
    match host.shared_get(SLOT) {
        Shared::Held(_, SharedVersion(version)) | Shared::Erased(SharedVersion(version)) => version,
        Shared::Absent => 0,
    }
}

#[test]
fn slots_are_found_by_every_generation_of_the_filter() {
    let expected = [("614", 587), ("c622", 587), ("a/b", 757), ("größe", 1009)];
    for (customer, number) in expected {
        let name = format!("reward-points/document/{number}");
        assert_eq!(slot_name(key(customer).as_bytes()), name, "{customer}");
    }
    let host = TestHost::alone();
    install(&host, &key("614"), 258, b"document");
    let Shared::Held(value, _) = host.shared_get(SLOT) else {
        panic!("nothing there");
    };
    let layout =
        b"\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\x01\x02\0\x1e/points/1/account/acme/fe1/614document";
    assert_eq!(
        value, layout,
        "format, store, revision, length of the key, key, document"
    );
}

#[test]
fn the_newest_document_is_kept_whatever_the_order_of_installing() {
    for order in [[3, 5, 4], [5, 3, 4], [3, 4, 5], [5, 5, 4]] {
        let host = TestHost::alone();
        for revision in order {
            let document = format!("at {revision}");
            install(&host, &key("614"), revision, document.as_bytes());
        }
        assert_eq!(look_up(&host, &key("614")), known(5, b"at 5"), "{order:?}");
    }
    // What is there already is not written again.
    let host = TestHost::alone();
    install(&host, &key("614"), 5, b"first");
    let before = version(&host);
    install(&host, &key("614"), 5, b"second");
    install(&host, &key("614"), 4, b"third");
    assert_eq!(version(&host), before);
}

#[test]
fn another_account_replaces_whatever_its_revision() {
    let host = TestHost::alone();
    install(&host, &key("614"), 900, b"a");
    install(&host, &key("c622"), 3, b"b");
    assert_eq!(look_up(&host, &key("614")), None, "never another account's");
    assert_eq!(look_up(&host, &key("c622")), known(3, b"b"));
    assert_eq!(look_up(&host, &key("c1757")), None);
}

#[test]
fn an_emptied_or_strange_slot_is_empty_and_can_be_filled() {
    let good = compose(&key("614"), 7, b"document");
    let mut newer_format = good.clone();
    newer_format[0] = 3;
    for junk in [
        &b""[..],
        b"\x01",
        &good[..8],
        &good[..18],
        &good[..30],
        &newer_format,
        b"{}",
    ] {
        let host = TestHost::alone();
        host.shared.borrow_mut().put(SLOT, junk);
        assert_eq!(look_up(&host, &key("614")), None, "{junk:?}");
        install(&host, &key("614"), 1, b"x");
        assert_eq!(look_up(&host, &key("614")), known(1, b"x"), "{junk:?}");
    }
}

#[test]
fn large_documents_are_not_held_and_leave_what_is_there() {
    let host = TestHost::alone();
    install(&host, &key("614"), 1, &vec![0; MAX_HELD_BYTES]);
    assert!(look_up(&host, &key("614")).is_some());
    install(&host, &key("614"), 2, &vec![0; MAX_HELD_BYTES + 1]);
    assert_eq!(look_up(&host, &key("614")).map(|it| it.revision), Some(1));
}

#[test]
fn other_writers_at_the_same_time_are_neither_undone_nor_waited_for() {
    for (others, expected) in [
        // Another worker was there first with something older, newer, or of another account.
        (vec![compose(&key("614"), 4, b"older")], known(5, b"mine")),
        (vec![compose(&key("614"), 6, b"newer")], known(6, b"newer")),
        (vec![compose(&key("c622"), 9, b"other")], known(5, b"mine")),
        // And again and again: then it is given up, it is a cache.
        (
            vec![compose(&key("c622"), 9, b"other"); MAX_INSTALL_ATTEMPTS],
            None,
        ),
    ] {
        for filled in [false, true] {
            let host = TestHost::alone();
            if filled {
                install(&host, &key("614"), 1, b"old");
            }
            host.shared.borrow_mut().interference = others.clone();
            install(&host, &key("614"), 5, b"mine");
            let found = look_up(&host, &key("614"));
            assert_eq!(found, expected, "{others:?}, filled: {filled}");
            assert!(host.shared.borrow().interference.is_empty());
        }
    }
}

#[test]
fn memory_is_bounded_however_many_accounts_there_are() {
    let host = TestHost::alone();
    for number in 0..5000 {
        install(&host, &key(&format!("customer-{number}")), 1, b"x");
    }
    let held = host.shared.borrow().keys().len();
    assert!(held <= usize::from(SLOTS), "{held}");
    assert!(
        held > usize::from(SLOTS) / 2,
        "spread over the slots: {held}"
    );
}

#[test]
fn a_document_of_another_store_is_none_and_is_replaced_whatever_its_revision() {
    let host = TestHost::alone();
    install(&host, &key("614"), 900, b"of the old store");
    let other = StoreId(4);
    assert_eq!(super::look_up(&host, &key("614"), other), None);
    let new = Known {
        store: other,
        ..at(2, b"of the new store")
    };
    super::install(&host, &key("614"), &new);
    assert_eq!(super::look_up(&host, &key("614"), other), Some(new));
    assert_eq!(look_up(&host, &key("614")), None);
}

fn change(revision: i64, value: Option<&'static [u8]>) -> Change {
    let value = value.map(Bytes::from_static);
    Change { revision, value }
}

#[test]
fn a_refresh_takes_only_what_is_newer_and_puts_nothing_in() {
    let host = TestHost::alone();
    let held = key("614");
    let refresh = |store, change| Slots.refresh(&host, held.as_bytes(), store, &change);
    assert_eq!(refresh(STORE, change(3, Some(b"new"))), Ok(()));
    assert_eq!(look_up(&host, &held), None);

    install(&host, &held, 5, b"old");
    for unheard in [change(5, Some(b"other")), change(4, None)] {
        assert_eq!(refresh(STORE, unheard), Ok(()));
        assert_eq!(look_up(&host, &held), known(5, b"old"));
    }
    assert_eq!(refresh(StoreId(99), change(9, Some(b"another"))), Ok(()));
    assert_eq!(look_up(&host, &held), known(5, b"old"));

    assert_eq!(refresh(STORE, change(6, Some(b"new"))), Ok(()));
    assert_eq!(look_up(&host, &held), known(6, b"new"));
    assert_eq!(refresh(STORE, change(7, None)), Ok(()));
    assert_eq!(look_up(&host, &held), None);
    assert_eq!(refresh(STORE, change(8, Some(b"again"))), Ok(()));
    assert_eq!(look_up(&host, &held), None);
}

#[test]
fn what_cannot_be_held_any_more_is_not() {
    let host = TestHost::alone();
    let held = key("614");
    install(&host, &held, 5, b"old");
    let value = Some(Bytes::from(vec![1; MAX_HELD_BYTES + 1]));
    let large = Change { revision: 6, value };
    assert_eq!(Slots.refresh(&host, held.as_bytes(), STORE, &large), Ok(()));
    assert_eq!(look_up(&host, &held), None);
}

#[test]
fn a_refresh_that_loses_each_time_says_so() {
    let host = TestHost::alone();
    let held = key("614");
    install(&host, &held, 5, b"old");
    let other = compose(&held, 5, b"old");
    host.shared.borrow_mut().interference = vec![other.clone(); MAX_REFRESH_ATTEMPTS - 1];
    let new = change(6, Some(b"new"));
    assert_eq!(Slots.refresh(&host, held.as_bytes(), STORE, &new), Ok(()));
    assert_eq!(look_up(&host, &held), known(6, b"new"));

    host.shared.borrow_mut().interference = vec![other; MAX_REFRESH_ATTEMPTS];
    let new = change(7, Some(b"newer"));
    let refused = Slots.refresh(&host, held.as_bytes(), STORE, &new);
    assert_eq!(refused, Err(NotRefreshed));
}
