//! How much memory the copies take, and where each account's stand.

use super::*;
use crate::accounts::copies::layout::{
    CACHE_BYTES, Class, DOCUMENT_HEAD_BYTES, FRONT_BYTES, Layout, WAYS,
};

/// What Envoy's map takes for an entry beside its value, as it was measured at most.
const MEASURED_ENTRY_BYTES: u64 = 200;

#[test]
fn the_worst_case_never_passes_what_is_configured_and_nearly_uses_it() {
    let values = [
        WAYS * FRONT_BYTES,
        DOCUMENT_HEAD_BYTES + 1024,
        DOCUMENT_HEAD_BYTES + 4 * 1024,
        DOCUMENT_HEAD_BYTES + 32 * 1024,
        0,
    ];
    let odd = [1_048_577, 3_000_000, 64 << 20, 123_456_789, 1 << 30];
    for bytes in [*CACHE_BYTES.start(), *CACHE_BYTES.end()]
        .into_iter()
        .chain(odd)
    {
        let entries = Layout::new(bytes).entries();
        let each = values.map(|value| value as u64 + MEASURED_ENTRY_BYTES);
        let most: u64 = entries.iter().zip(each).map(|(it, each)| it * each).sum();
        assert!(most <= bytes, "{bytes}: {most}");
        assert!(most > bytes / 100 * 95, "{bytes}: {most}");
        assert!(entries.iter().all(|&it| it > 0), "{bytes}: {entries:?}");
    }
}

#[test]
fn the_numbers_are_those_that_the_documentation_says() {
    assert_eq!(Layout::new(LEAST).entries(), [318, 288, 48, 6, 52]);
    assert_eq!(
        Layout::new(64 << 20).entries(),
        [20_360, 18_465, 3_089, 386, 1_024]
    );
}

#[test]
fn names_are_found_by_every_worker_of_the_same_format_and_configuration() {
    let account = account("614");
    let names = |layout: &Layout| {
        let documents = Class::ALL.map(|class| layout.document_name(class, &account));
        let stripe = layout.stripe_name(&account).to_owned();
        [
            vec![layout.front_name(&account)],
            documents.to_vec(),
            vec![stripe],
        ]
        .concat()
    };
    // Computed by another program.
    let expected = [
        "rp/4/4000000/f/44a0",
        "rp/4/4000000/s/1a5b",
        "rp/4/4000000/m/6bf",
        "rp/4/4000000/l/17d",
        "rp/4/4000000/v/a0",
    ];
    assert_eq!(names(&Layout::new(64 << 20)), expected);
    let mut all = names(&Layout::new(64 << 20));
    all.extend(names(&Layout::new((64 << 20) + 1)));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 10, "no name of one configuration is another's");
}

#[test]
fn a_crowd_of_accounts_stays_within_the_memory_and_fills_it() {
    let (host, copies) = small();
    for number in 0..20_000_usize {
        // As long as each class takes.
        let class = Class::ALL[number % 3];
        let document = vec![1; class.max_bytes()];
        let copy = at(1, &document);
        let kept = copies.install(&host, &account(&format!("customer-{number}")), &copy);
        assert_eq!(kept, Kept::Held);
    }
    let shared = host.shared.borrow();
    let entries = shared.keys().len();
    assert_eq!(entries, 318 + 288 + 48 + 6 + 52, "every entry is used");
    let taken = shared.value_bytes() as u64 + entries as u64 * MEASURED_ENTRY_BYTES;
    assert!(taken <= LEAST, "{taken}");
    assert!(taken > LEAST / 100 * 95, "{taken}");
}

#[test]
fn another_configuration_neither_sees_nor_disturbs() {
    let (host, copies) = small();
    let other = Copies::new(LEAST + 1);
    let account = account("614");
    copies.install(&host, &account, &at(5, b"mine"));
    assert_eq!(other.front(&host, &account), None);
    other.install(&host, &account, &at(6, b"its own"));
    assert_eq!(copies.look_up(&host, &account, STORE), known(5, b"mine"));
    assert_eq!(other.look_up(&host, &account, STORE), known(6, b"its own"));
}
