//! What may go, by document and clock.

use super::*;
use crate::engine::Document;

#[test]
fn what_may_go_is_a_matter_of_document_and_clock() {
    let keys = HistoryKeys::of(&key_of("614"));
    let judge = |state: Vec<u8>, wall_ms| {
        let document = Document {
            key: Bytes::copy_from_slice(key_of("614").as_bytes()),
            value: state.into(),
            revision: 7,
        };
        remains(&document, wall_ms).map(|it| {
            assert_eq!((it.revision, it.start), (7, keys.all_lives().into()));
            (it.end, it.whole)
        })
    };
    let until = |generation| keys.life(generation).into_bytes();
    let first = life(NOW);
    let old_enough = NOW + OLD_ENOUGH;
    // A tombstone, all lives up to its own.
    let ended = delete(create(State::Absent, NOW - HOUR), NOW);
    for (wall_ms, expected) in [
        (i64::MIN, None),
        (NOW - HOUR, None),
        (NOW + REMEMBERED_MS + 1, None),
        (old_enough - 1, None),
        (old_enough, Some((until(first + 1), true))),
        (i64::MAX, Some((until(first + 1), true))),
    ] {
        assert_eq!(
            judge(bytes_of(ended.clone()), wall_ms),
            expected,
            "{wall_ms}"
        );
    }
    // An account in its first life, whenever that began; in one that was counted from 1.
    let account = create(State::Absent, NOW);
    assert_eq!(judge(bytes_of(account), old_enough), None);
    // In a later life, all lives before it, since no history of them is remembered.
    let again = create(ended, NOW + 1);
    for wall_ms in [NOW, old_enough] {
        let expected = Some((until(first + 1), false));
        assert_eq!(judge(bytes_of(again.clone()), wall_ms), expected);
    }
    // Those of which history is remembered go one after the other.
    let State::Live(account) = again else {
        panic!("an account");
    };
    let retired = |generation, at_ms| ledger::RetiredHistory {
        generation,
        archived: 5,
        at: Timestamp::from_millis(at_ms).expect("a time"),
    };
    let account = ledger::Account::from_parts(ledger::AccountParts {
        generation: 9,
        created_at: account.created_at(),
        updated_at: account.updated_at(),
        opened_by: account.opened_by().cloned(),
        lots: Vec::new(),
        archived: None,
        entries: Vec::new(),
        memory: ledger::Memory {
            histories: vec![retired(3, NOW - 2 * HOUR), retired(6, NOW)],
            ..ledger::Memory::default()
        },
    });
    let document = document::encode(&Record::Live(account.expect("an account")));
    for (wall_ms, end) in [
        (NOW, 3),
        (old_enough - 2 * HOUR - 1, 3),
        (old_enough - 2 * HOUR, 6),
        (old_enough - 1, 6),
        (old_enough, 9),
    ] {
        let expected = Some((until(end), false));
        assert_eq!(judge(document.clone(), wall_ms), expected, "{wall_ms}");
    }
    // What is not understood stays.
    for nonsense in [b"".to_vec(), b"{}".to_vec(), tombstone(NOW)[..20].to_vec()] {
        assert_eq!(judge(nonsense, old_enough), None);
    }
    let mut unknown = tombstone(NOW);
    unknown.extend([0x20, 1]);
    assert_eq!(judge(unknown, old_enough), None);
}
