//! Accounts that share entries, and workers that write them at the same time.

use super::*;
use crate::accounts::copies::MAX_ATTEMPTS;
use crate::accounts::copies::layout::WAYS;
use crate::host::{Host, Shared};

fn held(host: &TestHost, copies: &Copies, accounts: &[AccountDigest]) -> Vec<usize> {
    let all = accounts.iter().enumerate();
    let held = all.filter(|(_, account)| copies.front(host, account).is_some());
    held.map(|(number, _)| number).collect()
}

#[test]
fn eight_accounts_share_an_entry_and_the_ninth_pushes_out_the_first_brought_in() {
    let (host, copies) = small();
    let accounts = neighbours(&copies, WAYS + 2);
    for account in &accounts[..WAYS] {
        copies.install(&host, account, &at(1, b"x"));
    }
    assert_eq!(held(&host, &copies, &accounts), [0, 1, 2, 3, 4, 5, 6, 7]);
    // A change by this gateway brings its account in anew; what is refreshed, confirmed or no news stays in its place.
    copies.install(&host, &accounts[0], &at(2, b"y"));
    copies.refresh(&host, &accounts[1], &at(2, b"y"));
    let _ = copies.confirm(&host, &accounts[1], STORE, 2, || Some(1));
    copies.install(&host, &accounts[1], &at(2, b"y"));
    copies.install(&host, &accounts[8], &at(1, b"x"));
    assert_eq!(held(&host, &copies, &accounts), [0, 2, 3, 4, 5, 6, 7, 8]);
    copies.install(&host, &accounts[9], &at(1, b"x"));
    assert_eq!(held(&host, &copies, &accounts), [0, 3, 4, 5, 6, 7, 8, 9]);
    for (number, revision) in [(0, 2), (3, 1), (9, 1)] {
        let front = copies.front(&host, &accounts[number]).expect("held");
        assert_eq!(front.standing, live(revision), "each its own");
    }
}

#[test]
fn a_refresh_brings_nothing_in() {
    let (host, copies) = small();
    let accounts = neighbours(&copies, 2);
    assert_eq!(
        copies.refresh(&host, &accounts[0], &at(1, b"x")),
        Kept::NotHeld
    );
    assert!(host.shared.borrow().keys().is_empty());
    copies.install(&host, &accounts[0], &at(1, b"x"));
    assert_eq!(
        copies.refresh(&host, &accounts[1], &at(1, b"x")),
        Kept::NotHeld
    );
    assert_eq!(held(&host, &copies, &accounts), [0]);
    assert_eq!(
        copies.refresh(&host, &accounts[0], &at(3, b"y")),
        Kept::Held
    );
    assert_eq!(copies.look_up(&host, &accounts[0], STORE), known(3, b"y"));
    assert_eq!(
        copies.refresh(&host, &accounts[0], &at(2, b"x")),
        Kept::Newer
    );
    assert_eq!(copies.look_up(&host, &accounts[0], STORE), known(3, b"y"));
}

#[test]
fn accounts_that_share_a_document_entry_push_each_other_out_and_keep_their_fronts() {
    let (host, copies) = small();
    let mine = account("614");
    let theirs = rival(&copies, &mine);
    copies.install(&host, &mine, &at(900, b"mine"));
    copies.install(&host, &theirs, &at(3, b"theirs"));
    assert_eq!(copies.look_up(&host, &mine, STORE), None, "never another's");
    assert_eq!(copies.look_up(&host, &theirs, STORE), known(3, b"theirs"));
    let front = copies.front(&host, &mine).expect("still held");
    assert_eq!(front.standing, live(900));
    // A refresh does not take the place back, being installed again does, though its front is no news.
    copies.refresh(&host, &mine, &at(901, b"mine"));
    assert_eq!(copies.look_up(&host, &theirs, STORE), known(3, b"theirs"));
    copies.install(&host, &mine, &at(901, b"mine"));
    assert_eq!(copies.look_up(&host, &mine, STORE), known(901, b"mine"));
    assert_eq!(copies.look_up(&host, &theirs, STORE), None);
}

/// An entry of fronts with one account at a revision.
fn entry(copies: &Copies, account: &AccountDigest, revision: i64) -> Vec<u8> {
    let host = TestHost::alone();
    copies.install(&host, account, &at(revision, b"x"));
    match host.shared_get(&copies.layout.front_name(account)) {
        Shared::Held(value, _) => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_worker_in_between_is_not_undone() {
    for (theirs, kept, mine, other) in [
        (4, Kept::Held, 5, None),
        (6, Kept::Newer, 6, None),
        (0, Kept::Held, 5, Some(9)),
    ] {
        for filled in [false, true] {
            let (host, copies) = small();
            let accounts = neighbours(&copies, 2);
            if filled {
                copies.install(&host, &accounts[0], &at(1, b"old"));
            }
            let between = match other {
                Some(revision) => entry(&copies, &accounts[1], revision),
                None => entry(&copies, &accounts[0], theirs),
            };
            host.shared.borrow_mut().interference = vec![between];
            assert_eq!(copies.install(&host, &accounts[0], &at(5, b"mine")), kept);
            let revision = |account| copies.front(&host, account).map(|it| it.revision);
            assert_eq!(revision(&accounts[0]), Some(mine), "filled: {filled}");
            assert_eq!(revision(&accounts[1]), other, "filled: {filled}");
        }
    }
}

#[test]
fn it_is_given_up_when_others_are_always_faster() {
    let (host, copies) = small();
    let accounts = neighbours(&copies, 2);
    copies.install(&host, &accounts[0], &at(1, b"old"));
    let both = |revision| {
        let of = |account, revision| entry(&copies, account, revision);
        [of(&accounts[0], 1), of(&accounts[1], revision)].concat()
    };
    let busy: Vec<Vec<u8>> = (0..).take(MAX_ATTEMPTS).map(both).collect();
    host.shared.borrow_mut().interference = busy.clone();
    let kept = copies.install(&host, &accounts[0], &at(5, b"mine"));
    assert_eq!(kept, Kept::GivenUp);
    let front = copies.front(&host, &accounts[0]).expect("the old one");
    assert_eq!(front.revision, 1);
    host.shared.borrow_mut().interference = busy.clone();
    assert!(!copies.confirm(&host, &accounts[0], STORE, 1, || Some(7)));
    assert_eq!(copies.front(&host, &accounts[0]), Some(front));
    // One attempt more, and it would have been in.
    host.shared.borrow_mut().interference = busy[1..].to_vec();
    assert!(copies.confirm(&host, &accounts[0], STORE, 1, || Some(7)));
}
