//! The query of a request: known parameters once each, pages within bounds, cursors that come back.

use std::collections::BTreeMap;

use gateway::accounts::list::Part;
use gateway::api::bad_input::BadInput;
use gateway::api::input::{MAX_PAGE_NUMBER, MAX_PAGE_SIZE, Query, cursor};
use gateway::config::Site;
use gateway::parsers::query_decoded;

use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "query",
    about: "a client's query: what is repeated is refused, pages stay within bounds, a cursor comes back as itself",
    max_len: 1024,
    dictionary: "http",
    seeds,
    run,
};

const KNOWN: [&str; 4] = ["siteCode", "pageNumber", "pageSize", "next"];

fn run(raw: &[u8]) -> Seen {
    let query = bounded("query", raw.len(), 400, || Query::parse(Some(raw)));
    let expected = naive(raw);
    let query = match (query, expected) {
        (Ok(query), Ok(values)) => {
            check_site(&query, values.get("siteCode"));
            query
        }
        (Err(BadInput::RepeatedParameter(_)), Err(Bad::Repeated))
        | (Err(BadInput::MalformedEscape), Err(Bad::Escape)) => return Seen::Refused,
        (found, expected) => panic!("{found:?}, but naively {expected:?}"),
    };
    let Ok(part) = query.part() else {
        return Seen::Refused;
    };
    match &part {
        Part::Whole => {}
        Part::Page { skip, take } => {
            assert!((1..=MAX_PAGE_SIZE).contains(take), "{take}");
            assert!(skip % take == 0 && skip / take < MAX_PAGE_NUMBER, "{skip}");
        }
        Part::After {
            customer,
            take,
            mark,
        } => {
            assert!((1..=MAX_PAGE_SIZE).contains(take), "{take}");
            let text = cursor(customer, *mark);
            assert!(text.bytes().all(|it| it.is_ascii_graphic()), "{text}");
            let again = format!("pageSize={take}&next={text}");
            let again = Query::parse(Some(again.as_bytes())).expect("a cursor has no escape");
            let again = again.part().expect("the value of a cursor");
            assert_eq!(format!("{part:?}"), format!("{again:?}"));
        }
    }
    Seen::Accepted
}

#[derive(Debug)]
enum Bad {
    Escape,
    Repeated,
}

/// The values of the known parameters, found one name at a time.
fn naive(raw: &[u8]) -> Result<BTreeMap<&'static str, Vec<u8>>, Bad> {
    let mut found = BTreeMap::new();
    for pair in raw.split(|&byte| byte == b'&') {
        let equals = pair.iter().position(|&byte| byte == b'=');
        let (name, value) = match equals {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &b""[..]),
        };
        let name = query_decoded(name).ok_or(Bad::Escape)?;
        let Some(known) = KNOWN.iter().find(|it| it.as_bytes() == name) else {
            continue;
        };
        let value = query_decoded(value).ok_or(Bad::Escape)?;
        if found.insert(*known, value).is_some() {
            return Err(Bad::Repeated);
        }
    }
    Ok(found)
}

fn check_site(query: &Query, sent: Option<&Vec<u8>>) {
    let site = Site {
        validity_in_months: Some(7),
    };
    let sites = BTreeMap::from([
        ("main".to_owned(), Site::default()),
        ("other".to_owned(), site),
    ]);
    let expected = match sent.map(Vec::as_slice) {
        None | Some(b"main") => Some("main"),
        Some(b"other") => Some("other"),
        Some(_) => None,
    };
    assert_eq!(query.site(&sites).ok().map(|(code, _)| code), expected);
}

fn seeds() -> Vec<Vec<u8>> {
    let queries = [
        "",
        "siteCode=main",
        "siteCode=other&siteCode=main",
        "site%43ode=main&x=%zz",
        "pageNumber=2&pageSize=60",
        "pageSize=1000",
        "pageNumber=1000000&pageSize=1",
        "pageNumber=0",
        "next=a.2Fb:0123456789abcdef&pageSize=10",
        "next=customer-1",
        "next=.E2.82.AC:ffffffffffffffff",
        "next=a%3A0123456789ABCDEF",
        "next=a&pageNumber=1",
        "%",
        "a=b+c&&=&pageSize=+1",
    ];
    queries.iter().map(|it| it.as_bytes().to_vec()).collect()
}
