//! Times as clients write them (RFC 3339): what is taken means what a calendar computed by hand says.

use ledger::Timestamp;

use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "times",
    about: "a client's times: what is taken is RFC 3339 and the millisecond that a calendar by hand says, and comes back",
    max_len: 80,
    dictionary: "times",
    seeds,
    run,
};

fn run(bytes: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Seen::Refused;
    };
    let Some(time) = bounded("time", text.len(), 400, || Timestamp::parse_rfc3339(text)) else {
        // A plain one is never refused.
        let plain = text.len() == "2023-05-11T18:32:18Z".len() && text.ends_with('Z');
        if plain && let Some(millis) = by_hand(text) {
            let leap = text.as_bytes().get(17..19) == Some(b"60");
            let in_calendar = Timestamp::from_millis(millis).is_some();
            assert!(leap || !in_calendar, "{text} was refused");
        }
        return Seen::Refused;
    };
    assert!((Timestamp::MIN..=Timestamp::MAX).contains(&time));
    assert_eq!(by_hand(text), Some(time.as_millis()), "{text}");
    let written = time.to_rfc3339();
    assert_eq!(Timestamp::parse_rfc3339(&written), Some(time), "{written}");
    assert_eq!(by_hand(&written), Some(time.as_millis()), "{written}");
    Seen::Accepted
}

/// Milliseconds since 1970 by the grammar of RFC 3339, section 5.6.
fn by_hand(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| {
            digits
                .iter()
                .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let marked = marks.iter().all(|&(at, mark)| bytes[at] == mark);
    let separated = matches!(bytes[10], b'T' | b't');
    let leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [
        31,
        if leap_year { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let days_of_month = *lengths.get(usize::try_from(month - 1).ok()?)?;
    if !marked || !separated || !(1..=days_of_month).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    let mut millis = 0;
    if bytes.get(at) == Some(&b'.') {
        let digits = bytes[at + 1..]
            .iter()
            .take_while(|it| it.is_ascii_digit())
            .count();
        if digits == 0 {
            return None;
        }
        for place in 0..3 {
            let digit = bytes[at + 1..].get(place).filter(|_| place < digits);
            millis = millis * 10 + i64::from(digit.map_or(0, |it| it - b'0'));
        }
        at += 1 + digits;
    }
    let offset_minutes = match bytes.get(at..)? {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let before = |year: i64| year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    let months: i64 = lengths[..usize::try_from(month - 1).ok()?].iter().sum();
    let days = before(year) - before(1970) + months + day - 1;
    let minutes = (days * 24 + hour) * 60 + minute - offset_minutes;
    Some((minutes * 60 + second) * 1000 + millis)
}

fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "2023-05-11T18:32:18.591+00:00",
        "2023-05-11T18:32:18Z",
        "2024-02-29t23:59:60z",
        "2023-02-29T00:00:00Z",
        "0000-01-01T00:00:00.000Z",
        "9999-12-31T23:59:59.999999999-00:00",
        "9999-12-31T23:59:59-00:01",
        "1900-02-28T00:00:00+23:59",
        "2023-05-11 18:32:18Z",
        "2023-05-11T18:32:18\u{2212}00:00",
        "2023-05-11T18:32:18.+00:00",
        "2023-05-11T24:00:00Z",
        "+2023-05-11T18:32:18Z",
        "",
    ];
    texts.iter().map(|it| it.as_bytes().to_vec()).collect()
}
