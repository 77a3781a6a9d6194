//! The formats, byte for byte: what was written once is read for ever.

use ledger::{Corrupt, Record, State};
use prost::Message;

use super::super::{DocumentError, archived as archived_of, decode, encode, proto, segment};
use super::{archived, changed, erased, full, live, mark, uuid_like};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits");
    digits.chunks(2).map(byte).collect()
}

/// A tombstone of a life of which entries are in a segment.
fn ended() -> Record {
    let [account, _] = full();
    let state = State::from(archived(&account, 2).0);
    let delete = ledger::Operation::Delete {
        mark: mark(&uuid_like(6), None, None),
    };
    let looked = ledger::Looked::nothing(&delete);
    match ledger::apply(&state, &delete, &looked, super::t(super::NOW + 9000)) {
        Ok(ledger::Applied::Changed(record)) => record,
        other => panic!("not deleted: {other:?}"),
    }
}

#[test]
fn documents_are_what_they_always_were() {
    let [account, tombstone] = full();
    for (name, record, expected) in [
        ("account", account.clone(), ACCOUNT),
        ("tombstone", tombstone, TOMBSTONE),
        ("archived", archived(&account, 2).0, ARCHIVED),
        ("ended", ended(), ENDED),
    ] {
        assert_eq!(encode(&record), hex(expected), "{name}");
        assert_eq!(decode(&hex(expected)), Ok(State::from(record)), "{name}");
    }
    let segment = archived(&account, 2).1;
    assert_eq!(segment::encode(&segment), hex(SEGMENT));
    assert_eq!(segment::decode(&hex(SEGMENT)), Ok(segment));
}

#[test]
fn documents_of_the_first_format_are_read() {
    let [account, tombstone] = full();
    for (record, expected) in [(account, ACCOUNT), (tombstone, TOMBSTONE)] {
        let mut bytes = hex(expected);
        // Nothing else tells them apart while no history has left a document.
        bytes[1] = 1;
        assert_eq!(decode(&bytes), Ok(State::from(record)));
    }
}

#[test]
fn a_document_of_the_first_format_refers_to_no_segments() {
    let [account, _] = full();
    for record in [archived(&account, 2).0, ended()] {
        let mut bytes = encode(&record);
        bytes[1] = 1;
        assert_eq!(decode(&bytes), Err(DocumentError::UnknownContent));
    }
}

#[test]
fn what_a_document_says_of_its_segments_is_checked() {
    let [account, _] = full();
    let (account, _) = archived(&account, 2);
    let on_account = |change: fn(&mut proto::Live)| changed(&account, |m| change(live(m)));
    let on_tombstone = |change: fn(&mut proto::Erased)| changed(&ended(), |m| change(erased(m)));
    for (row, (bytes, expected)) in [
        (
            on_account(|it| it.archived.as_mut().expect("archived").recorded_at = None),
            DocumentError::Missing("time of an archived entry"),
        ),
        (
            on_account(|it| it.archived.as_mut().expect("archived").balance_after = 1 << 53),
            DocumentError::OutOfBounds("balance"),
        ),
        (
            on_account(|it| it.archived.as_mut().expect("archived").sequence = 3),
            DocumentError::Corrupt(Corrupt::Sequence { at: 3 }),
        ),
        (
            on_account(|it| it.archived = None),
            DocumentError::Corrupt(Corrupt::Sequence { at: 3 }),
        ),
        (
            on_tombstone(|it| it.histories[0].at = None),
            DocumentError::Missing("end of a life"),
        ),
        (
            on_tombstone(|it| it.histories[0].generation = 3),
            DocumentError::Corrupt(Corrupt::MemoryOrder),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(decode(&bytes), Err(expected), "row {row}");
    }
}

#[test]
fn where_the_history_is_can_be_seen_without_reading_all() {
    let [account, tombstone] = full();
    for (record, expected) in [
        (archived(&account, 2).0, Some((2, 2))),
        (account, None),
        (tombstone, None),
        (ended(), None),
    ] {
        assert_eq!(archived_of(&encode(&record)), Ok(expected));
    }
    let no_state = proto::AccountDocument {
        format: 2,
        state: None,
    };
    let no_state = no_state.encode_to_vec();
    assert_eq!(archived_of(&no_state), Err(DocumentError::Missing("state")));
    assert_eq!(archived_of(b"{}"), Err(DocumentError::NoFormat));
}

const ACCOUNT: &str = "\
    080212e3030802100318de85afc1816220ceb4afc181622a140a120a10000000021bad4cab8dab0123456789ab321f080212 \
    120a10000000041bad4cab8dab0123456789ab18fea4afc1816228033a440a1c0a0812066f776e2069641210030303030303 \
    0303030303030303030310ae95afc1816218b4e6aec181622200286430643a100a076f726465722d3110be96b8bcec633a23 \
    0a140a120a10000000041bad4cab8dab0123456789ab10fea4afc181622807306b3a003a5c0a3a0a26122430303030303030 \
    352d314241442d344341422d384441422d30313233343536373839414212100505050505050505050505050505050510ceb4 \
    afc1816222057370656e7428683003420c0a04080110640a0408021004422b0a100101010101010101010101010101010112 \
    100101010101010101010101010101010118bee6aec18162422b0a1002020202020202020202020202020202121002020202 \
    02020202020202020202020218de85afc18162422b0a10040404040404040404040404040404041210040404040404040404 \
    0404040404040418fea4afc181624a290a200a0c120a6669727374206c696665121001010101010101010101010101010101 \
    108ef6aec181624a1d0a140a120a10000000011bad4cab8dab0123456789ab108ef6aec18162";

const TOMBSTONE: &str = "\
    08021aa3030802109ec4afc181621a2b0a100101010101010101010101010101010112100101010101010101010101010101 \
    010118bee6aec181621a2b0a100202020202020202020202020202020212100202020202020202020202020202020218de85 \
    afc181621a2b0a100404040404040404040404040404040412100404040404040404040404040404040418fea4afc1816222 \
    290a200a0c120a6669727374206c696665121001010101010101010101010101010101108ef6aec18162221d0a140a120a10 \
    000000011bad4cab8dab0123456789ab108ef6aec18162221d0a140a120a10000000021bad4cab8dab0123456789ab109ec4 \
    afc1816222250a1c0a0812066f776e206964121003030303030303030303030303030303109ec4afc18162221d0a140a120a \
    10000000041bad4cab8dab0123456789ab109ec4afc1816222430a3a0a26122430303030303030352d314241442d34434142 \
    2d384441422d303132333435363738394142121005050505050505050505050505050505109ec4afc18162221d0a140a120a \
    10000000061bad4cab8dab0123456789ab109ec4afc18162";

const ARCHIVED: &str = "\
    08021285030802100318de85afc1816220ceb4afc181622a140a120a10000000021bad4cab8dab0123456789ab321f080212 \
    120a10000000041bad4cab8dab0123456789ab18fea4afc1816228033a5c0a3a0a26122430303030303030352d314241442d \
    344341422d384441422d30313233343536373839414212100505050505050505050505050505050510ceb4afc18162220573 \
    70656e7428683003420c0a04080110640a0408021004422b0a10010101010101010101010101010101011210010101010101 \
    0101010101010101010118bee6aec18162422b0a100202020202020202020202020202020212100202020202020202020202 \
    020202020218de85afc18162422b0a1004040404040404040404040404040404121004040404040404040404040404040404 \
    18fea4afc181624a290a200a0c120a6669727374206c696665121001010101010101010101010101010101108ef6aec18162 \
    4a1d0a140a120a10000000011bad4cab8dab0123456789ab108ef6aec18162520b080210fea4afc18162186b";

const ENDED: &str = "\
    08021aea020802108ef3afc181621a2b0a100101010101010101010101010101010112100101010101010101010101010101 \
    010118bee6aec181621a2b0a100202020202020202020202020202020212100202020202020202020202020202020218de85 \
    afc181621a2b0a100404040404040404040404040404040412100404040404040404040404040404040418fea4afc1816222 \
    290a200a0c120a6669727374206c696665121001010101010101010101010101010101108ef6aec18162221d0a140a120a10 \
    000000011bad4cab8dab0123456789ab108ef6aec18162221d0a140a120a10000000021bad4cab8dab0123456789ab108ef3 \
    afc1816222430a3a0a26122430303030303030352d314241442d344341422d384441422d3031323334353637383941421210 \
    05050505050505050505050505050505108ef3afc18162221d0a140a120a10000000061bad4cab8dab0123456789ab108ef3 \
    afc181622a0b08021002188ef3afc18162";

const SEGMENT: &str = "\
    08011002180122440a1c0a0812066f776e20696412100303030303030303030303030303030310ae95afc1816218b4e6aec1 \
    81622200286430643a100a076f726465722d3110be96b8bcec6322230a140a120a10000000041bad4cab8dab0123456789ab \
    10fea4afc181622807306b3a00";
