//! What a request's body asks for.
//!
//! Server-computed fields (`allPointsAfterCreation`, `usedPoints`, `usedWith`) and unknown ones are ignored, `createdAt`
//! too unless backdating is configured. `null` counts as absent.

use ledger::{
    Description, EntryId, InvalidText, NewLot, Points, Redemption, ReferenceId, Timestamp,
};

use super::bad_input::BadInput;
use crate::accounts::keys::CustomerId;
use crate::config::Site;
use crate::strict_json::{Json, Object, parse_object};

/// How deep arrays and objects may nest in a body; the outermost counts as one. Our own bodies need two.
pub const MAX_NESTING: usize = 32;

/// An entry as a client sent it: its id, if the client chose one, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    /// The client's own id.
    pub id: Option<EntryId>,
    /// What is added or redeemed.
    pub content: T,
}

/// What decides how a body is read.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The settings of the request's site.
    pub site: Site,
    /// Whether `createdAt` counts.
    pub allow_backdating: bool,
}

/// Reads the body of a creation: nothing, `{"customerId"?, "startPoints"?}`, or an added entry.
///
/// # Errors
/// [`BadInput`]
pub fn create(
    bytes: &[u8],
    customer: &CustomerId,
    rules: Rules,
) -> Result<Option<Entry<NewLot>>, BadInput> {
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let body = object(bytes)?;
    if let Some(named) = string(&body, "customerId")?
        && named != customer.as_str()
    {
        return Err(BadInput::CustomerIdMismatch);
    }
    match body.get_non_null("startPoints") {
        Some(Json::Object(start)) => added_entry(start, rules).map(Some),
        Some(_) => Err(BadInput::Field {
            name: "startPoints",
            problem: "must be an object".to_owned(),
        }),
        // A published client sends the entry itself.
        None if body.get_non_null("points").is_some() => added_entry(&body, rules).map(Some),
        None => Ok(None),
    }
}

/// Reads the body of addPoints: an added entry.
///
/// # Errors
/// [`BadInput`]
pub fn add_points(bytes: &[u8], rules: Rules) -> Result<Entry<NewLot>, BadInput> {
    added_entry(&object(bytes)?, rules)
}

/// Reads the body of redeemPoints.
///
/// # Errors
/// [`BadInput`]
pub fn redeem_points(bytes: &[u8], rules: Rules) -> Result<Entry<Redemption>, BadInput> {
    let body = object(bytes)?;
    Ok(Entry {
        id: text(&body, "id", EntryId::new)?,
        content: Redemption {
            description: text(&body, "description", Description::new)?,
            points: points(&body)?,
            created_at: created_at(&body, rules)?,
        },
    })
}

fn added_entry(entry: &Object<'_>, rules: Rules) -> Result<Entry<NewLot>, BadInput> {
    Ok(Entry {
        id: text(entry, "id", EntryId::new)?,
        content: NewLot {
            reference_id: text(entry, "reference-id", ReferenceId::new)?,
            description: text(entry, "description", Description::new)?,
            points: points(entry)?,
            created_at: created_at(entry, rules)?,
            valid_until: time(entry, "validUntil")?,
            validity_months: rules.site.validity_in_months,
        },
    })
}

fn object(bytes: &[u8]) -> Result<Object<'_>, BadInput> {
    parse_object(bytes, MAX_NESTING).map_err(|error| BadInput::Json(error.to_string()))
}

fn points(entry: &Object<'_>) -> Result<Points, BadInput> {
    match entry.get_non_null("points") {
        Some(&Json::Unsigned(number)) => Points::new(number),
        _ => None,
    }
    .ok_or_else(|| BadInput::Field {
        name: "points",
        problem: format!("must be a whole number from 1 to {}", Points::MAX.get()),
    })
}

fn created_at(entry: &Object<'_>, rules: Rules) -> Result<Option<Timestamp>, BadInput> {
    if rules.allow_backdating {
        time(entry, "createdAt")
    } else {
        Ok(None)
    }
}

fn time(entry: &Object<'_>, name: &'static str) -> Result<Option<Timestamp>, BadInput> {
    string(entry, name)?
        .map(|text| {
            Timestamp::parse_rfc3339(text).ok_or_else(|| BadInput::Field {
                name,
                problem: "must be a time as in RFC 3339, such as 2027-05-11T18:32:18.591+00:00"
                    .to_owned(),
            })
        })
        .transpose()
}

fn text<T>(
    entry: &Object<'_>,
    name: &'static str,
    new: impl Fn(String) -> Result<T, InvalidText>,
) -> Result<Option<T>, BadInput> {
    string(entry, name)?
        .map(|text| {
            new(text.to_owned()).map_err(|error| BadInput::Field {
                name,
                problem: error.to_string(),
            })
        })
        .transpose()
}

fn string<'a>(entry: &'a Object<'_>, name: &'static str) -> Result<Option<&'a str>, BadInput> {
    match entry.get_non_null(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(BadInput::Field {
            name,
            problem: "must be a string".to_owned(),
        }),
    }
}
