//! Amounts and texts at their bounds.

mod support;

use ledger::{Balance, Description, EntryId, InvalidText, Points, ReferenceId};
use support::points;

#[test]
fn points_are_one_to_two_to_the_31_less_one() {
    let cases = [
        (0, false),
        (1, true),
        (2_147_483_647, true),
        (2_147_483_648, false),
        (4_294_967_296, false),
        (4_294_967_297, false),
        (u64::MAX, false),
    ];
    for (amount, is_valid) in cases {
        let expected = is_valid.then_some(amount);
        assert_eq!(Points::new(amount).map(Points::get), expected, "{amount}");
    }
}

#[test]
fn a_balance_stays_within_zero_and_two_to_the_53_less_one() {
    let max = 9_007_199_254_740_991;
    assert_eq!(Balance::MAX.get(), max);
    assert_eq!(Balance::new(max), Some(Balance::MAX));
    assert_eq!(Balance::new(max + 1), None);
    let below = Balance::new(max - 1).expect("within bounds");
    assert_eq!(below.plus(points(1)), Some(Balance::MAX));
    assert_eq!(below.plus(points(2)), None);
    assert_eq!(Balance::MAX.minus(points(1)), Some(below));
    assert_eq!(Balance::ZERO.minus(points(1)), None);
    assert_eq!(
        Balance::ZERO
            .plus(points(5))
            .and_then(|b| b.minus(points(5))),
        Some(Balance::ZERO)
    );
}

#[test]
fn what_is_left_of_points_is_something_or_none() {
    assert_eq!(points(5).minus(points(4)), Some(points(1)));
    assert_eq!(points(5).minus(points(5)), None);
    assert_eq!(points(5).minus(points(6)), None);
}

#[test]
fn texts_have_their_limits_in_bytes() {
    let too_long = |max_bytes| Some(InvalidText::TooLong { max_bytes });
    let id_cases = [
        (String::new(), Some(InvalidText::Empty)),
        ("x".to_owned(), None),
        ("x".repeat(128), None),
        ("x".repeat(129), too_long(128)),
        ("ü".repeat(64), None),
        ("ü".repeat(65), too_long(128)),
        ("a b/c;d..%2F\"".to_owned(), None),
        ("a\0b".to_owned(), Some(InvalidText::ControlCharacter)),
        ("a\nb".to_owned(), Some(InvalidText::ControlCharacter)),
        ("a\u{7f}".to_owned(), Some(InvalidText::ControlCharacter)),
        ("a\u{85}".to_owned(), Some(InvalidText::ControlCharacter)),
    ];
    for (text, expected) in id_cases {
        assert_eq!(EntryId::new(text.clone()).err(), expected, "{text:?}");
    }
    assert_eq!(ReferenceId::new("x".repeat(256)).err(), None);
    assert_eq!(ReferenceId::new("x".repeat(257)).err(), too_long(256));
    assert_eq!(ReferenceId::new("").err(), None);
    assert_eq!(Description::new("x\n".repeat(2048)).err(), None);
    assert_eq!(Description::new("x".repeat(4097)).err(), too_long(4096));
}

#[test]
fn a_refused_text_names_its_limit() {
    let refused = EntryId::new("x".repeat(129)).expect_err("too long");
    assert_eq!(refused.to_string(), "must not be longer than 128 bytes");
}
