//! Points in time, to the millisecond, on the UTC calendar of the years 0000 to 9999.
//!
//! The bounds are those of RFC 3339, so that every `Timestamp` can be written and read back. What the time is now is not
//! known here: a clock reading always comes from outside.

use chrono::{DateTime, Months, SecondsFormat};

/// Milliseconds since 1970-01-01T00:00:00Z, within the years 0000 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The longest text taken for a time: a full date and time with an offset and a generous fraction.
const MAX_TEXT_BYTES: usize = 64;

impl Timestamp {
    /// 0000-01-01T00:00:00.000Z.
    pub const MIN: Timestamp = Timestamp(-62_167_219_200_000);
    /// 9999-12-31T23:59:59.999Z.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999);

    /// The time `millis` milliseconds after the epoch; none outside the years 0000 to 9999.
    pub fn from_millis(millis: i64) -> Option<Timestamp> {
        (Timestamp::MIN.0..=Timestamp::MAX.0)
            .contains(&millis)
            .then_some(Timestamp(millis))
    }

    /// Milliseconds since the epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Reads any RFC 3339 date and time. Fractions beyond the millisecond are cut off; a leap second is the first second
    /// of the next minute. None for anything else, and for times that leave the years 0000 to 9999 in UTC.
    pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
        // The parser below is laxer than the grammar: it takes a space for the `T` and a Unicode minus in the offset.
        let separator = text.as_bytes().get(10)?;
        if text.len() > MAX_TEXT_BYTES || !text.is_ascii() || !matches!(separator, b'T' | b't') {
            return None;
        }
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Timestamp::from_millis(time.timestamp_millis())
    }

    /// Milliseconds and a numeric offset: `2023-05-11T18:32:18.591+00:00`.
    pub fn to_rfc3339(self) -> String {
        // The calendar spans far more than our bounds, so there is always a date; the default is never taken.
        let time = DateTime::from_timestamp_millis(self.0).unwrap_or_default();
        time.to_rfc3339_opts(SecondsFormat::Millis, false)
    }

    /// The same day and time `months` later, or the last day of that month when it is shorter (31 January and one month:
    /// 28 or 29 February). None past the year 9999.
    pub fn plus_months(self, months: u32) -> Option<Timestamp> {
        let time = DateTime::from_timestamp_millis(self.0)?;
        let later = time.checked_add_months(Months::new(months))?;
        Timestamp::from_millis(later.timestamp_millis())
    }

    /// Milliseconds from `earlier` to this time; negative when `earlier` is the later one.
    pub fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}
