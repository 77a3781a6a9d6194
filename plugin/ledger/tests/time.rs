//! Times: what is read, what is written, and months on the calendar.

mod support;

use ledger::Timestamp;
use proptest::prelude::*;
use support::time;

#[test]
fn reads_rfc_3339_and_nothing_else() {
    let cases = [
        (
            "2023-05-11T18:32:18.591Z",
            Some("2023-05-11T18:32:18.591+00:00"),
        ),
        (
            "2023-05-11T18:32:18.591+00:00",
            Some("2023-05-11T18:32:18.591+00:00"),
        ),
        (
            "2023-05-11T18:32:18Z",
            Some("2023-05-11T18:32:18.000+00:00"),
        ),
        (
            "2023-05-11t18:32:18.5z",
            Some("2023-05-11T18:32:18.500+00:00"),
        ),
        (
            "2023-05-11T18:32:18.591999999Z",
            Some("2023-05-11T18:32:18.591+00:00"),
        ),
        (
            "2023-05-11T18:32:18.591999999999Z",
            Some("2023-05-11T18:32:18.591+00:00"),
        ),
        (
            "2023-05-11T18:32:18.591+02:00",
            Some("2023-05-11T16:32:18.591+00:00"),
        ),
        (
            "2023-05-11T18:32:18.591-11:30",
            Some("2023-05-12T06:02:18.591+00:00"),
        ),
        (
            "2023-05-11T18:32:18-00:00",
            Some("2023-05-11T18:32:18.000+00:00"),
        ),
        (
            "1969-12-31T23:59:59.999Z",
            Some("1969-12-31T23:59:59.999+00:00"),
        ),
        (
            "2016-12-31T23:59:60Z",
            Some("2017-01-01T00:00:00.000+00:00"),
        ),
        (
            "2024-02-29T00:00:00Z",
            Some("2024-02-29T00:00:00.000+00:00"),
        ),
        (
            "0000-01-01T00:00:00Z",
            Some("0000-01-01T00:00:00.000+00:00"),
        ),
        (
            "9999-12-31T23:59:59.999Z",
            Some("9999-12-31T23:59:59.999+00:00"),
        ),
        ("0000-01-01T00:00:00+00:01", None),
        ("9999-12-31T23:59:59-00:01", None),
        ("9999-12-31T23:59:60Z", None),
        ("2023-02-29T00:00:00Z", None),
        ("2023-13-01T00:00:00Z", None),
        ("2023-05-11T24:00:00Z", None),
        ("2023-05-11T18:60:00Z", None),
        ("2023-05-11T18:32:61Z", None),
        ("2023-05-11T18:32:18", None),
        ("2023-05-11T18:32Z", None),
        ("2023-05-11", None),
        ("2023-05-11 18:32:18Z", None),
        ("2023-5-11T18:32:18Z", None),
        ("+2023-05-11T18:32:18Z", None),
        ("-0001-05-11T18:32:18Z", None),
        ("12023-05-11T18:32:18Z", None),
        ("20230511T183218Z", None),
        ("2023-05-11T18:32:18.Z", None),
        ("2023-05-11T18:32:18,5Z", None),
        ("2023-05-11T18:32:18+24:00", None),
        ("2023-05-11T18:32:18+02:60", None),
        ("2023-05-11T18:32:18+0200", None),
        ("2023-05-11T18:32:18+02", None),
        ("2023-05-11T18:32:18 +02:00", None),
        ("2023-05-11T18:32:18+02 00", None),
        ("2023-05-11T18:32:18\u{2212}02:00", None),
        ("2023-05-11T18:32:18Z ", None),
        (" 2023-05-11T18:32:18Z", None),
        ("2023-05-11T18:32:18ZZ", None),
        ("1683829938591", None),
        ("", None),
        ("now", None),
        (
            "2023-05-11T18:32:18.000000000000000000000000000000000000000000000000000000000000Z",
            None,
        ),
    ];
    for (text, expected) in cases {
        let read = Timestamp::parse_rfc3339(text).map(Timestamp::to_rfc3339);
        assert_eq!(read.as_deref(), expected, "{text:?}");
    }
}

#[test]
fn months_keep_the_day_or_end_with_the_month() {
    let cases = [
        (
            "2023-01-31T10:00:00.123Z",
            1,
            Some("2023-02-28T10:00:00.123+00:00"),
        ),
        (
            "2024-01-31T10:00:00.123Z",
            1,
            Some("2024-02-29T10:00:00.123+00:00"),
        ),
        (
            "2023-01-30T00:00:00Z",
            1,
            Some("2023-02-28T00:00:00.000+00:00"),
        ),
        (
            "2023-01-28T00:00:00Z",
            1,
            Some("2023-02-28T00:00:00.000+00:00"),
        ),
        (
            "2023-02-28T00:00:00Z",
            1,
            Some("2023-03-28T00:00:00.000+00:00"),
        ),
        (
            "2023-05-31T23:59:59.999Z",
            1,
            Some("2023-06-30T23:59:59.999+00:00"),
        ),
        (
            "2023-12-31T00:00:00Z",
            2,
            Some("2024-02-29T00:00:00.000+00:00"),
        ),
        (
            "2024-02-29T00:00:00Z",
            12,
            Some("2025-02-28T00:00:00.000+00:00"),
        ),
        (
            "2024-02-29T00:00:00Z",
            48,
            Some("2028-02-29T00:00:00.000+00:00"),
        ),
        (
            "1900-01-31T00:00:00Z",
            1,
            Some("1900-02-28T00:00:00.000+00:00"),
        ),
        (
            "2000-01-31T00:00:00Z",
            1,
            Some("2000-02-29T00:00:00.000+00:00"),
        ),
        (
            "2023-05-11T00:00:00Z",
            0,
            Some("2023-05-11T00:00:00.000+00:00"),
        ),
        (
            "2023-11-15T00:00:00Z",
            12,
            Some("2024-11-15T00:00:00.000+00:00"),
        ),
        (
            "9999-11-30T00:00:00Z",
            1,
            Some("9999-12-30T00:00:00.000+00:00"),
        ),
        ("9999-12-01T00:00:00Z", 1, None),
        ("2023-01-01T00:00:00Z", u32::MAX, None),
    ];
    for (from, months, expected) in cases {
        let later = time(from).plus_months(months).map(Timestamp::to_rfc3339);
        assert_eq!(later.as_deref(), expected, "{from} and {months} months");
    }
}

#[test]
fn bounds_are_the_first_and_last_millisecond_of_the_calendar() {
    assert_eq!(Timestamp::MIN, time("0000-01-01T00:00:00Z"));
    assert_eq!(Timestamp::MAX, time("9999-12-31T23:59:59.999Z"));
    for bound in [Timestamp::MIN, Timestamp::MAX] {
        assert_eq!(Timestamp::from_millis(bound.as_millis()), Some(bound));
    }
    assert_eq!(Timestamp::from_millis(Timestamp::MIN.as_millis() - 1), None);
    assert_eq!(Timestamp::from_millis(Timestamp::MAX.as_millis() + 1), None);
    assert_eq!(Timestamp::from_millis(i64::MIN), None);
    assert_eq!(Timestamp::from_millis(i64::MAX), None);
}

proptest! {
    #[test]
    fn every_time_reads_back_as_written(
        millis in Timestamp::MIN.as_millis()..=Timestamp::MAX.as_millis(),
    ) {
        let time = support::t(millis);
        prop_assert_eq!(Timestamp::parse_rfc3339(&time.to_rfc3339()), Some(time));
    }

    #[test]
    fn garbage_is_refused_quietly(text in "\\PC{0,40}") {
        let read = Timestamp::parse_rfc3339(&text);
        prop_assert!(read.is_none_or(|time| time.to_rfc3339().len() == 29));
    }

    #[test]
    fn months_add_up_where_no_month_ends(day in 1_i64..=28, first in 0_u32..60, second in 0_u32..60) {
        let from = support::t((day - 1) * 24 * support::HOUR);
        let once = from.plus_months(first + second);
        let twice = from.plus_months(first).and_then(|time| time.plus_months(second));
        prop_assert_eq!(once, twice);
    }
}
