//! Copies of accounts in shared data, whatever another worker, version or fault has left there.
//!
//! The input stands under every key. What is read from it is what would be written; a copy that is put in is there
//! afterwards unless something newer was; nothing grows over its bounds.

use std::sync::LazyLock;

use bytes::Bytes;
use gateway::accounts::copies::{
    AccountCopy, Copies, DEFAULT_CACHE_BYTES, Front, Kept, MAX_HELD_BYTES, Standing,
};
use gateway::accounts::document::decode;
use gateway::accounts::keys::AccountDigest;
use gateway::engine::StoreId;

use crate::accounts::{documents, key, time};
use crate::host::{FuzzHost, NOW_MS};
use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "copies",
    about: "copies in shared data: what is read is what would be written, newer stays, a copy that is put in is there",
    max_len: 4096,
    dictionary: "none",
    seeds,
    run,
};

/// The accounts that inputs are about.
static DIGESTS: LazyLock<[AccountDigest; 2]> = LazyLock::new(|| {
    ["c", "d"].map(|customer| {
        let key = key("acme", customer);
        AccountDigest::of_key(key.as_bytes()).expect("an account's key")
    })
});

fn run(planted: &[u8]) -> Seen {
    let copies = Copies::new(DEFAULT_CACHE_BYTES);
    let [account, other] = &*DIGESTS;
    let host = FuzzHost::planted(planted);
    let held = bounded("front", planted.len(), 200, || copies.front(&host, account));
    let beside = copies.front(&host, other);
    if let Some(front) = &held {
        let document = bounded("copied document", planted.len(), 200, || {
            copies.document(&host, account, front)
        });
        check_document(&copies, &host, account, front, document.as_ref());
        confirm(&copies, planted, account, front);
    }
    let document = &documents()[1];
    let state = decode(document).expect("a good document");
    let copy = AccountCopy {
        store: StoreId(1),
        epoch: 3,
        revision: 100,
        standing: Standing::of(&state, time(NOW_MS)),
        document: Some(document),
    };
    install(&copies, planted, account, &copy, held.as_ref());
    refresh(&copies, planted, account, &copy, held.as_ref());
    Seen::accepted(held.is_some() || beside.is_some())
}

fn check_document(
    copies: &Copies,
    host: &FuzzHost,
    account: &AccountDigest,
    front: &Front,
    document: Option<&Bytes>,
) {
    let known = copies.look_up(host, account, front.store);
    assert_eq!(known.as_ref().map(|it| &it.document), document);
    assert!(known.is_none_or(|it| it.revision == front.revision && it.store == front.store));
    let elsewhere = StoreId(front.store.0.wrapping_add(1));
    assert_eq!(
        copies.look_up(host, account, elsewhere),
        None,
        "of another store"
    );
}

fn confirm(copies: &Copies, planted: &[u8], account: &AccountDigest, front: &Front) {
    let host = FuzzHost::planted(planted);
    let raised = copies.confirm(&host, account, front.store, front.revision, || {
        Some(u32::MAX)
    });
    assert!(raised, "it was held, and nobody else writes");
    let after = copies.front(&host, account).expect("still held");
    let mut expected = *front;
    expected.epoch = u32::MAX;
    assert_eq!(after, expected, "confirmed and nothing else");
    let other = front.revision.wrapping_add(1);
    let host = FuzzHost::planted(planted);
    assert!(!copies.confirm(&host, account, front.store, other, || Some(1)));
}

fn install(
    copies: &Copies,
    planted: &[u8],
    account: &AccountDigest,
    copy: &AccountCopy<'_>,
    held: Option<&Front>,
) {
    let host = FuzzHost::planted(planted);
    let kept = bounded("install", planted.len(), 400, || {
        copies.install(&host, account, copy)
    });
    let newer = held.is_some_and(|it| it.store == copy.store && it.revision > copy.revision);
    let after = copies.front(&host, account);
    if newer {
        assert_eq!(
            (kept, after.as_ref()),
            (Kept::Newer, held),
            "what is newer stays"
        );
    } else {
        assert_eq!(kept, Kept::Held);
        let after = after.expect("it was put in");
        assert_eq!((after.store, after.revision), (copy.store, copy.revision));
        assert!(after.epoch >= copy.epoch, "its epoch");
        let known = copies.look_up(&host, account, copy.store);
        let same_revision =
            held.is_some_and(|it| it.store == copy.store && it.revision == copy.revision);
        // The same bytes stand in the document's place, where they may be a newer one of the same account.
        let taken = planted.starts_with(account.as_bytes());
        let there = known.is_some_and(|it| Some(&*it.document) == copy.document);
        assert!(there || same_revision || taken, "its document");
    }
    assert!(
        host.longest_written() <= MAX_HELD_BYTES + 1024,
        "over its bounds"
    );
}

fn refresh(
    copies: &Copies,
    planted: &[u8],
    account: &AccountDigest,
    copy: &AccountCopy<'_>,
    held: Option<&Front>,
) {
    let host = FuzzHost::planted(planted);
    let kept = copies.refresh(&host, account, copy);
    match held {
        None => {
            assert_eq!(kept, Kept::NotHeld);
            assert_eq!(host.longest_written(), 0, "put in, though not held");
        }
        Some(held) if held.store == copy.store && held.revision > copy.revision => {
            assert_eq!(kept, Kept::Newer);
        }
        Some(_) => assert_eq!(kept, Kept::Held),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    // What copies put in is not to be seen from outside; the layout is that of `copies`, one front after the other.
    let front = |account: &AccountDigest, revision: i64, kind: [u8; 2], balance: u64| {
        let mut bytes = account.as_bytes().to_vec();
        bytes.extend(1_u64.to_be_bytes());
        bytes.extend(3_u32.to_be_bytes());
        bytes.extend(revision.to_be_bytes());
        bytes.extend(kind);
        bytes.extend(balance.to_be_bytes());
        bytes.extend(i64::MIN.to_be_bytes());
        bytes.extend((NOW_MS + 1000).to_be_bytes());
        bytes
    };
    let [account, other] = &*DIGESTS;
    let one = front(account, 50, [2, 1], 77);
    let newer = front(account, 500, [1, 0], 0);
    let same = front(account, 100, [2, 0], 77);
    let beside = front(other, 9, [0, 0], 0);
    let mut document = account.as_bytes().to_vec();
    document.extend(1_u64.to_be_bytes());
    document.extend(50_i64.to_be_bytes());
    document.extend(&documents()[0]);
    let full = beside.repeat(8);
    vec![
        one.clone(),
        newer,
        same,
        [beside.clone(), one].concat(),
        full,
        document,
        Vec::new(),
    ]
}
