//! The path of a request: which operation it names, which customer, and whether two servers may read it differently.
//!
//! A path that is taken has one reading: encoded again it is read the same, no segment holds what some server cuts or
//! resolves at, and it is none of the API's own. A customer's id is decoded exactly once.

use gateway::accounts::keys::MAX_CUSTOMER_ID_BYTES;
use gateway::api::input::customer_id;
use gateway::api::route::{NoRoute, Operation, PREFIX, Target as Sent, allowed_methods, route};
use gateway::parsers::{path_segments, percent_decoded, percent_encoded};
use gateway::rules::{MAX_PATH_BYTES, MAX_PATH_SEGMENTS, Match, RuleConfig, Rules};

use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "path",
    about: "a client's path: one reading or none, one customer or none, decoded once",
    max_len: 2048,
    dictionary: "http",
    seeds,
    run,
};

const METHODS: [&[u8]; 4] = [b"GET", b"POST", b"DELETE", b"PUT"];

fn run(raw: &[u8]) -> Seen {
    percent(raw);
    let own = Sent::of(raw);
    let routed = own.as_ref().is_some_and(routes);
    let segments = bounded("path", raw.len(), 400, || path_segments(raw));
    let judged = bounded("rules", raw.len(), 800, || judge(raw));
    match &segments {
        Ok(segments) => {
            assert_eq!(judged, naive_verdict(segments), "{segments:?}");
            assert!(own.is_none(), "the API's own path is nobody else's");
            one_reading(raw, segments);
        }
        Err(_) => assert_eq!(judged, "ambiguous"),
    }
    Seen::accepted(routed || segments.is_ok())
}

fn percent(raw: &[u8]) {
    let decoded = bounded("escapes", raw.len(), 100, || percent_decoded(raw));
    assert_eq!(decoded, naive_decoded(raw), "{}", raw.escape_ascii());
    let encoded = percent_encoded(raw);
    assert_eq!(percent_decoded(encoded.as_bytes()).as_deref(), Some(raw));
    assert!(encoded.len() <= raw.len() * 3);
}

/// By places, backwards from the end of what is there.
fn naive_decoded(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        if raw[at] == b'%' {
            let digits = raw.get(at + 1..at + 3)?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            let text = std::str::from_utf8(digits).ok()?;
            out.push(u8::from_str_radix(text, 16).ok()?);
            at += 3;
        } else {
            out.push(raw[at]);
            at += 1;
        }
    }
    Some(out)
}

/// Whether some method is served there.
fn routes(target: &Sent<'_>) -> bool {
    let allowed = allowed_methods(target);
    let mut served = Vec::new();
    for method in METHODS {
        match route(method, target) {
            Ok(found) => {
                served.push(String::from_utf8_lossy(method).into_owned());
                let names_customer = found.operation != Operation::SummaryBatch;
                assert!(!found.customer_segment.contains(&b'/'), "two segments");
                assert!(names_customer || found.customer_segment.is_empty());
                customer(found.customer_segment);
            }
            Err(NoRoute::UnknownPath) => assert_eq!(allowed, None),
            Err(NoRoute::WrongMethod { allow }) => assert_eq!(allowed, Some(allow)),
        }
    }
    assert_eq!(
        allowed.unwrap_or_default(),
        served.join(", "),
        "what Allow says"
    );
    allowed.is_some()
}

fn customer(segment: &[u8]) {
    let Ok(id) = bounded("customer", segment.len(), 400, || customer_id(segment)) else {
        return;
    };
    let text = id.as_str();
    assert!((1..=MAX_CUSTOMER_ID_BYTES).contains(&text.len()));
    assert!(!text.chars().any(char::is_control));
    assert_eq!(
        naive_decoded(segment).as_deref(),
        Some(text.as_bytes()),
        "decoded once"
    );
    let encoded = percent_encoded(text.as_bytes());
    assert_eq!(customer_id(encoded.as_bytes()).as_ref(), Ok(&id));
}

fn one_reading(raw: &[u8], segments: &[String]) {
    let path = raw.split(|&byte| byte == b'?').next().unwrap_or_default();
    assert!(path.len() <= MAX_PATH_BYTES && segments.len() <= MAX_PATH_SEGMENTS);
    for segment in segments {
        let odd = |it: char| {
            it.is_control() || it.is_whitespace() || matches!(it, '/' | '\\' | ';' | '?' | '#')
        };
        assert!(!segment.is_empty() && segment != "." && segment != "..");
        assert!(!segment.contains(odd), "{segment:?}");
        let twice = naive_decoded(segment.as_bytes());
        assert!(
            twice.is_none_or(|it| it == segment.as_bytes()),
            "{segment:?} decodes again"
        );
    }
    assert_ne!(
        segments.first().map(String::as_str),
        PREFIX.strip_prefix('/')
    );
    let encoded: Vec<String> = segments
        .iter()
        .map(|segment| percent_encoded(segment.as_bytes()))
        .collect();
    let again = format!("/{}", encoded.join("/"));
    if again.len() <= MAX_PATH_BYTES {
        assert_eq!(
            path_segments(again.as_bytes()).as_deref(),
            Ok(segments),
            "{again}"
        );
    }
}

fn rules() -> Rules {
    let rule = |name: &str, path: &str| RuleConfig {
        name: name.to_owned(),
        methods: Vec::new(),
        path: path.to_owned(),
        allow: gateway::rules::config::AllowConfig::Anonymous,
        any_of: Vec::new(),
        all_of: Vec::new(),
        claims: Vec::new(),
        mode: gateway::rules::Mode::Enforce,
    };
    let table = [rule("item", "/shop/item/*"), rule("shop", "/shop/**")];
    Rules::new(&["/admin".to_owned()], &table).expect("good rules")
}

fn judge(raw: &[u8]) -> String {
    match rules().judge(b"GET", raw) {
        Match::Ambiguous(_) => "ambiguous".to_owned(),
        Match::Rule(rule) => rule.name().to_owned(),
        Match::DefaultDeny => "denied".to_owned(),
        Match::Unguarded => "unguarded".to_owned(),
    }
}

fn naive_verdict(segments: &[String]) -> &'static str {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments[..] {
        ["shop", "item", _] => "item",
        ["shop", ..] => "shop",
        ["admin", ..] => "denied",
        _ => "unguarded",
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let paths = [
        "/reward-points/summaryBatch?pageNumber=1",
        "/reward-points/customer/614",
        "/reward-points/customer/a%2Fb/summary",
        "/reward-points/customer/%E2%82%AC/addPoints?siteCode=main",
        "/reward-points/customer/a%252Fb/redeemPoints",
        "/reward-points/customer//summary",
        "/reward-points/customer/..;/summary",
        "/reward-points",
        "/reward%2Dpoints/customer/1",
        "/shop/item/1",
        "/shop/a/b/c/",
        "/admin/../shop",
        "/admin/%2e%2e/shop",
        "/a%25u002fb",
        "/a%5Cb;c",
        "//a",
        "/",
        "*",
        "http://host/a",
        "/caf%C3%A9/%20",
    ];
    paths.iter().map(|path| path.as_bytes().to_vec()).collect()
}
