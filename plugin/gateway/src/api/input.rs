//! What stands in a request's path, query and headers, checked and decoded once.

use super::bad_input::BadInput;
use super::head::Once;
use crate::accounts::keys::CustomerId;
use crate::accounts::list::Part;
use crate::accounts::list::index::Mark;
use crate::config::{DEFAULT_SITE, Site};
use crate::percent;

/// The page size of a request that names none.
pub const DEFAULT_PAGE_SIZE: usize = 60;

/// The largest page size.
pub const MAX_PAGE_SIZE: usize = 1000;

/// The largest page number; with the largest page size that is as many accounts as a listing looks at.
pub const MAX_PAGE_NUMBER: usize = 1_000_000;

/// The longest `Idempotency-Key`, in bytes.
pub const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// The customer id in a path segment, percent-decoded once.
///
/// # Errors
/// [`BadInput::MalformedEscape`], [`BadInput::CustomerId`]
pub fn customer_id(segment: &[u8]) -> Result<CustomerId, BadInput> {
    let decoded = percent::decode(segment).map_err(|_| BadInput::MalformedEscape)?;
    CustomerId::new(decoded).map_err(BadInput::CustomerId)
}

/// The `Idempotency-Key`, if one was sent.
///
/// # Errors
/// [`BadInput::RepeatedHeader`], [`BadInput::IdempotencyKey`]
pub fn idempotency_key<'a>(header: &Once<'a>) -> Result<Option<&'a [u8]>, BadInput> {
    match header {
        Once::Absent => Ok(None),
        Once::Repeated => Err(BadInput::RepeatedHeader("Idempotency-Key")),
        Once::Sent(key) => {
            let fits = (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&key.len());
            let visible = key.iter().all(u8::is_ascii_graphic);
            (fits && visible)
                .then_some(Some(*key))
                .ok_or(BadInput::IdempotencyKey)
        }
    }
}

/// The parameters of a query string. Unknown ones are ignored.
#[derive(Debug, Default)]
pub struct Query {
    site_code: Option<Vec<u8>>,
    page_number: Option<Vec<u8>>,
    page_size: Option<Vec<u8>>,
    next: Option<Vec<u8>>,
}

impl Query {
    /// Reads a query string.
    ///
    /// # Errors
    /// [`BadInput::MalformedEscape`], [`BadInput::RepeatedParameter`]
    pub fn parse(query: Option<&[u8]>) -> Result<Self, BadInput> {
        let mut found = Self::default();
        for pair in query.unwrap_or_default().split(|&byte| byte == b'&') {
            let mut halves = pair.splitn(2, |&byte| byte == b'=');
            let name = halves.next().unwrap_or_default();
            let value = halves.next().unwrap_or_default();
            let name = percent::decode_query(name).map_err(|_| BadInput::MalformedEscape)?;
            let (place, name) = match name.as_slice() {
                b"siteCode" => (&mut found.site_code, "siteCode"),
                b"pageNumber" => (&mut found.page_number, "pageNumber"),
                b"pageSize" => (&mut found.page_size, "pageSize"),
                b"next" => (&mut found.next, "next"),
                _ => continue,
            };
            let value = percent::decode_query(value).map_err(|_| BadInput::MalformedEscape)?;
            if place.replace(value).is_some() {
                return Err(BadInput::RepeatedParameter(name));
            }
        }
        Ok(found)
    }

    /// The site that the request is for: its code and settings.
    ///
    /// # Errors
    /// [`BadInput::Parameter`] when no such site is configured.
    pub fn site<'a>(
        &self,
        sites: &'a std::collections::BTreeMap<String, Site>,
    ) -> Result<(&'a str, Site), BadInput> {
        let asked = self.site_code.as_deref().unwrap_or(DEFAULT_SITE.as_bytes());
        std::str::from_utf8(asked)
            .ok()
            .and_then(|code| sites.get_key_value(code))
            .map(|(code, &site)| (code.as_str(), site))
            .ok_or_else(|| BadInput::Parameter {
                name: "siteCode",
                expected: "the code of a known site".to_owned(),
            })
    }

    /// Which part of a list is asked for.
    ///
    /// # Errors
    /// [`BadInput::Parameter`] for a page number, page size or cursor that cannot be used.
    pub fn part(&self) -> Result<Part, BadInput> {
        let take = match &self.page_size {
            None => DEFAULT_PAGE_SIZE,
            Some(text) => whole_number("pageSize", text, MAX_PAGE_SIZE)?,
        };
        if let Some(cursor) = &self.next {
            if self.page_number.is_some() {
                return Err(BadInput::Parameter {
                    name: "next",
                    expected: "sent without pageNumber".to_owned(),
                });
            }
            let (customer, mark) = read_cursor(cursor).ok_or_else(|| BadInput::Parameter {
                name: "next",
                expected: "the value of an X-Next-Cursor".to_owned(),
            })?;
            return Ok(Part::After {
                customer,
                take,
                mark,
            });
        }
        let number = match (&self.page_number, &self.page_size) {
            (None, None) => return Ok(Part::Whole),
            (None, Some(_)) => 1,
            (Some(text), _) => whole_number("pageNumber", text, MAX_PAGE_NUMBER)?,
        };
        let skip = number.saturating_sub(1).saturating_mul(take);
        Ok(Part::Page { skip, take })
    }
}

/// The cursor that stands behind `customer` in a list of these moments; visible ASCII, for a header and for a query as it is.
#[must_use]
pub fn cursor(customer: &CustomerId, mark: Option<Mark>) -> String {
    // An escape in a query is decoded once before it gets here, so the cursor must not hold any: `.` leads the digits.
    let encoded = percent::encode(customer.as_str().as_bytes());
    let customer = encoded.replace('.', "%2E").replace('%', ".");
    match mark {
        Some(mark) => format!("{customer}:{mark}"),
        None => customer,
    }
}

/// A cursor may be without a mark: one from before there were any.
fn read_cursor(cursor: &[u8]) -> Option<(CustomerId, Option<Mark>)> {
    let mut parts = cursor.splitn(2, |&it| it == b':');
    let customer = parts.next()?;
    let mark = match parts.next() {
        Some(digits) => Some(Mark::read(std::str::from_utf8(digits).ok()?)?),
        None => None,
    };
    let escaped: Vec<u8> = customer
        .iter()
        .map(|&byte| if byte == b'.' { b'%' } else { byte })
        .collect();
    let customer = CustomerId::new(percent::decode(&escaped).ok()?).ok()?;
    Some((customer, mark))
}

fn whole_number(name: &'static str, text: &[u8], max: usize) -> Result<usize, BadInput> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits
        .then(|| std::str::from_utf8(text).ok()?.parse().ok())
        .flatten()
        .filter(|number| (1..=max).contains(number))
        .ok_or_else(|| BadInput::Parameter {
            name,
            expected: format!("a whole number from 1 to {max}"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(query: &str) -> Result<Part, String> {
        Query::parse(Some(query.as_bytes()))
            .and_then(|query| query.part())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn parts_of_a_list() {
        let page = |skip, take| Ok(Part::Page { skip, take });
        for (query, expected) in [
            ("", Ok(Part::Whole)),
            ("other=1", Ok(Part::Whole)),
            ("pageNumber=1", page(0, 60)),
            ("pageNumber=3&pageSize=10", page(20, 10)),
            ("pageSize=1000", page(0, 1000)),
        ] {
            assert_eq!(part(query), expected, "{query}");
        }
        for query in [
            "pageNumber=0",
            "pageNumber=-1",
            "pageNumber=1.0",
            "pageNumber=",
            "pageNumber=+1",
            "pageSize=0",
            "pageSize=1001",
            "pageSize=99999999999999999999",
            "pageSize=1&pageSize=1",
            "pageSize=%zz",
            "next=.zz",
            "next=a:",
            "next=a:0123",
            "next=:0123456789abcdef",
            "next=a&pageNumber=1",
        ] {
            assert!(part(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_cursor_leads_back_to_its_customer() {
        for id in ["614", "a/b", "a.b", "a%2Fb", "größe", "a b+c;&="] {
            let customer = CustomerId::new(id.as_bytes().to_vec()).unwrap();
            for mark in [None, Some(Mark::of(&[]))] {
                let query = format!("pageSize=7&next={}", cursor(&customer, mark));
                let (customer, take) = (customer.clone(), 7);
                let expected = Part::After {
                    customer,
                    take,
                    mark,
                };
                assert_eq!(part(&query), Ok(expected), "{id}");
            }
        }
    }

    #[test]
    fn idempotency_keys() {
        let long = vec![b'x'; MAX_IDEMPOTENCY_KEY_BYTES];
        assert_eq!(idempotency_key(&Once::Absent), Ok(None));
        for (key, accepted) in [
            (&b"a"[..], true),
            (&long, true),
            (b"!~", true),
            (b"", false),
            (b"a b", false),
            (b"\xff", false),
            (&[b'x'; MAX_IDEMPOTENCY_KEY_BYTES + 1], false),
        ] {
            let result = idempotency_key(&Once::Sent(key)).map(|it| it.map(<[u8]>::to_vec));
            assert_eq!(result.is_ok(), accepted, "{key:?}");
        }
        assert_eq!(
            idempotency_key(&Once::Repeated),
            Err(BadInput::RepeatedHeader("Idempotency-Key"))
        );
    }
}
