//! What a client sends as headers, in the block in which a host hands them over.
//!
//! The reader in place agrees with a naive one that copies; what is written is read back; the head that is picked out is
//! the same in whatever order other headers stand around it, and says what the block says.

use std::borrow::Cow;

use gateway::api::head::{Head, Once};
use gateway::api::input::{MAX_IDEMPOTENCY_KEY_BYTES, idempotency_key};
use gateway::api::media_type::{is_json, prefers_problem};
use gateway::api::recency::recency;
use gateway::header_block::{Pair, read, write};

use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "headers",
    about: "a client's headers in a host's block: read in place as a naive reader reads them, and nothing is seen twice",
    max_len: 4096,
    dictionary: "http",
    seeds,
    run,
};

fn run(block: &[u8]) -> Seen {
    let pairs = bounded("header block", block.len(), 50, || read(block));
    assert_eq!(pairs, naive(block), "in place and copied");
    let Some(pairs) = pairs else {
        return Seen::Refused;
    };
    assert!(
        pairs.len() <= block.len() / 8,
        "more than there is room for"
    );
    again(&pairs);
    judge(block.len(), &pairs);
    Seen::Accepted
}

/// Offsets first, then slices.
fn naive(block: &[u8]) -> Option<Vec<Pair<'_>>> {
    let number = |at: usize| {
        let bytes = block.get(at..at + 4)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
        )
    };
    let count = number(0)?;
    let mut at = count.checked_mul(8)?.checked_add(4)?;
    // Whatever the number says, the lengths must be there.
    block.get(..at)?;
    let mut texts = Vec::new();
    for place in 0..2 * count {
        let length = number(4 + 4 * place)?;
        texts.push(block.get(at..at.checked_add(length)?)?);
        at += length + 1;
        block.get(..at)?;
    }
    Some(texts.chunks(2).map(|pair| (pair[0], pair[1])).collect())
}

/// Those that are text come back from what is written of them.
fn again(pairs: &[Pair<'_>]) {
    let text = |pair: &Pair<'_>| {
        let (name, value) = *pair;
        Some((
            std::str::from_utf8(name).ok()?.to_owned(),
            std::str::from_utf8(value).ok()?.to_owned(),
        ))
    };
    let texts: Vec<(String, String)> = pairs.iter().filter_map(text).collect();
    let written: Vec<(&str, Cow<'_, str>)> = texts
        .iter()
        .map(|(name, value)| (name.as_str(), Cow::Borrowed(value.as_str())))
        .collect();
    let block = write(&written).expect("no longer than what was read");
    let read = read(&block).expect("what was written");
    let same: Vec<Pair<'_>> = texts
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    assert_eq!(read, same, "written and read");
}

fn judge(bytes: usize, pairs: &[Pair<'_>]) {
    let head = bounded("head", bytes, 400, || Head::read(pairs.iter().copied()));
    let sent = |name: &str| -> Vec<&[u8]> {
        let of = pairs
            .iter()
            .filter(|(it, _)| it.eq_ignore_ascii_case(name.as_bytes()));
        of.map(|(_, value)| *value).collect()
    };
    for (name, once) in [
        ("idempotency-key", &head.idempotency_key),
        ("content-type", &head.content_type),
        ("emporix-tenant", &head.tenant),
        ("x-points-revision", &head.revision),
        ("origin", &head.origin),
    ] {
        let expected = match sent(name)[..] {
            [] => Once::Absent,
            [value] => Once::Sent(value),
            _ => Once::Repeated,
        };
        assert!(*once == expected, "{name}");
    }
    // What may have been joined on the way is never one value.
    match sent("authorization")[..] {
        [] => assert!(head.authorization == Once::Absent, "nothing was sent"),
        [value] if head.authorization.value() == Some(value) => {}
        _ => assert!(head.authorization.is_repeated(), "neither none nor one"),
    }
    let joined = sent("accept").into_iter().filter(|it| !it.is_empty());
    let longest = joined.map(|it| it.len() + 1).sum::<usize>();
    assert!(
        head.accept.len() <= longest + sent("accept").len(),
        "a longer Accept"
    );
    if let Ok(Some(key)) = idempotency_key(&head.idempotency_key) {
        assert!((1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&key.len()));
        assert!(key.iter().all(u8::is_ascii_graphic));
    }
    bounded("Accept", bytes, 400, || prefers_problem(&head.accept));
    if let Some(value) = head.content_type.value()
        && is_json(value)
    {
        let lower = value.to_ascii_lowercase();
        assert!(lower.trim_ascii_start().starts_with(b"application/json"));
    }
    let recency = bounded("recency", bytes, 400, || {
        recency(&head.cache_control, &head.revision)
    });
    if let Ok(recency) = recency {
        assert!(recency.at_least >= 0, "a revision below zero");
        let says = |word: &[u8]| {
            let lower = head.cache_control.to_ascii_lowercase();
            lower.windows(word.len()).any(|it| it == word)
        };
        assert!(!recency.no_cache || says(b"no-cache") || says(b"no-store"));
        assert!(recency.max_age_s.is_none() || says(b"max-age"));
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let block = |pairs: &[(&str, &str)]| {
        let pairs: Vec<(&str, Cow<'_, str>)> = pairs
            .iter()
            .map(|(name, value)| (*name, Cow::Borrowed(*value)))
            .collect();
        write(&pairs).expect("short")
    };
    vec![
        block(&[]),
        block(&[
            (":method", "GET"),
            (":path", "/reward-points/customer/a%2Fb?x=1"),
        ]),
        block(&[
            ("authorization", "Bearer a.b.c"),
            ("Authorization", "Bearer a.b.c"),
        ]),
        block(&[
            ("authorization", "Bearer a,bearer b"),
            ("accept", "application/problem+json;q=0.5, */*;q=0.1"),
        ]),
        block(&[
            ("idempotency-key", "key-1"),
            ("content-type", "application/json; charset=utf-8"),
        ]),
        block(&[
            ("cache-control", "max-age=\"5\", no-cache"),
            ("x-points-revision", "17"),
            ("accept", "text/html"),
        ]),
        block(&[
            ("cache-control", "no-store"),
            ("x-points-revision", "9223372036854775807"),
            ("origin", "null"),
        ]),
        b"\x01\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0".to_vec(),
        b"\0\0\0\x20\0\0\0\0\0\0\0\0".to_vec(),
    ]
}
