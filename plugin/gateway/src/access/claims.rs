//! The registered claims of a token, read once and strictly: who issued it, for whom, about whom, and when it holds.
//!
//! Reading decides types and bounds only; whom to trust and which scopes suffice is decided elsewhere. Times are milliseconds
//! since the epoch, and the clock is a parameter.

use super::error::Unauthenticated;
use crate::strict_json::{Json, Object};

/// Longest `sub`, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 255;
/// Longest `jti`, in bytes.
pub const MAX_TOKEN_ID_BYTES: usize = 255;
/// Latest time that a claim may hold, in seconds since the epoch: the last second of the year 9999.
pub const MAX_NUMERIC_DATE: u64 = 253_402_300_799;
/// The same bound for times that are written with a fraction.
const MAX_NUMERIC_DATE_FLOAT: f64 = 253_402_300_799.0;

/// The registered claims with their types checked.
pub(super) struct Claims<'a> {
    pub(super) issuer: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
    pub(super) token_id: Option<&'a str>,
    pub(super) expires_ms: Option<i64>,
    pub(super) not_before_ms: Option<i64>,
    pub(super) issued_ms: Option<i64>,
    audience: Option<&'a Json<'a>>,
}

impl<'a> Claims<'a> {
    pub(super) fn of(claims: &'a Object<'a>) -> Result<Self, Unauthenticated> {
        let subject = text(claims, "sub")?;
        let token_id = text(claims, "jti")?;
        let fits = |text: &str, max_bytes: usize| {
            text.len() <= max_bytes && !text.chars().any(char::is_control)
        };
        if subject.is_some_and(|subject| !fits(subject, MAX_SUBJECT_BYTES))
            || token_id.is_some_and(|id| id.is_empty() || !fits(id, MAX_TOKEN_ID_BYTES))
        {
            return Err(Unauthenticated::MalformedClaims);
        }
        Ok(Self {
            issuer: text(claims, "iss")?,
            subject,
            token_id,
            expires_ms: time(claims, "exp")?,
            not_before_ms: time(claims, "nbf")?,
            issued_ms: time(claims, "iat")?,
            audience: claims.get("aud"),
        })
    }

    /// Whether the token was made for no longer than `max_lifetime_ms`, from `iat` to `exp`; the leeway is not part of that.
    pub(super) fn check_lifetime(&self, max_lifetime_ms: i64) -> Result<(), Unauthenticated> {
        let issued_ms = self.issued_ms.ok_or(Unauthenticated::NoIssuedAt)?;
        let expires_ms = self.expires_ms.ok_or(Unauthenticated::NoExpiry)?;
        if expires_ms.saturating_sub(issued_ms) > max_lifetime_ms {
            return Err(Unauthenticated::LifetimeTooLong);
        }
        Ok(())
    }

    /// Whether the token is meant for one of `accepted`. A single string is an array of one; anything else is meant for nobody.
    pub(super) fn is_for_any_of(&self, accepted: &[String]) -> bool {
        let is_accepted = |value: &Json<'_>| matches!(value, Json::String(audience) if accepted.iter().any(|it| it == audience));
        match self.audience {
            Some(Json::Array(audiences)) => {
                audiences
                    .iter()
                    .all(|value| matches!(value, Json::String(_)))
                    && audiences.iter().any(is_accepted)
            }
            Some(value) => is_accepted(value),
            None => false,
        }
    }
}

fn text<'a>(claims: &'a Object<'a>, name: &str) -> Result<Option<&'a str>, Unauthenticated> {
    match claims.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unauthenticated::MalformedClaims),
    }
}

fn time(claims: &Object<'_>, name: &str) -> Result<Option<i64>, Unauthenticated> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match milliseconds(value) {
            Some(time) => Ok(Some(time)),
            None => Err(Unauthenticated::MalformedClaims),
        },
    }
}

/// A NumericDate (RFC 7519) in milliseconds, rounded to the nearest. `None` unless it is a number from 0 to the year 9999.
fn milliseconds(date: &Json<'_>) -> Option<i64> {
    match date {
        Json::Unsigned(seconds) if *seconds <= MAX_NUMERIC_DATE => {
            i64::try_from(*seconds).ok()?.checked_mul(1000)
        }
        Json::Float(seconds) if (0.0..=MAX_NUMERIC_DATE_FLOAT).contains(seconds) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "rounded, not negative and far below 2^53: the cast is exact"
            )]
            let milliseconds = (seconds * 1000.0).round() as i64;
            Some(milliseconds)
        }
        _ => None,
    }
}

/// When a verified token holds, leeway included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    /// First millisecond allowed by `nbf`.
    not_before_ms: i64,
    /// First millisecond allowed by `iat`.
    issued_ms: i64,
    /// First millisecond after `exp`.
    ends_ms: i64,
}

impl Validity {
    pub(super) fn new(claims: &Claims<'_>, leeway_ms: i64) -> Result<Self, Unauthenticated> {
        let expires_ms = claims.expires_ms.ok_or(Unauthenticated::NoExpiry)?;
        let first = |claim: Option<i64>| {
            claim.map_or(i64::MIN, |time_ms| time_ms.saturating_sub(leeway_ms))
        };
        Ok(Self {
            not_before_ms: first(claims.not_before_ms),
            issued_ms: first(claims.issued_ms),
            ends_ms: expires_ms.saturating_add(leeway_ms),
        })
    }

    pub(super) const fn ends_ms(self) -> i64 {
        self.ends_ms
    }

    pub(super) fn check(self, now_ms: i64) -> Result<(), Unauthenticated> {
        if now_ms < self.not_before_ms {
            Err(Unauthenticated::NotYetValid)
        } else if now_ms < self.issued_ms {
            Err(Unauthenticated::IssuedInFuture)
        } else if now_ms >= self.ends_ms {
            Err(Unauthenticated::Expired)
        } else {
            Ok(())
        }
    }
}
