//! Whatever path arrives: one reading, and the same verdict for every spelling of it.

use proptest::prelude::*;
use serde_json::json;
use std::sync::OnceLock;

use super::{table, verdict};
use crate::percent;
use crate::rules::Rules;
use crate::rules::path::Path;

/// A table in which almost every path is for another rule.
fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        let rules = json!([
            {"name": "admin", "path": "/a/admin/**", "allow": "denied"},
            {"name": "percent", "path": "/a/%", "allow": "denied"},
            {"name": "unicode", "path": "/\u{e9}/*", "allow": "anonymous"},
            {"name": "item", "path": "/a/{id}", "allow": "anonymous"},
            {"name": "deep", "path": "/a/*/b/**", "allow": "authenticated"},
            {"name": "root", "path": "/", "allow": "anonymous"},
            {"name": "any-b", "path": "/*/b", "allow": "authenticated"},
        ]);
        table(&["/a", "/b"], &rules).unwrap()
    })
}

/// A path of pieces of which most are harmless and some are not.
fn raw_path() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec!["/", "/a", "/b", "a", "b", "/admin", "/a/admin", "/a/%25", "2", "5", "F", "e"]),
        3 => prop::sample::select(vec!["%61", "%2561", "%25", "%41", "%C3%A9", "%2e", ".", "..", "%62", "%2d", "-"]),
        1 => prop::sample::select(vec!["%2F", "%5c", "\\", ";", "%3b", "%00", " ", "%20", "%", "#", "?", "%3f", "%FF", "%C0%AF"]),
    ]
    .prop_map(|piece| piece.as_bytes().to_vec());
    let bytes = prop::collection::vec(any::<u8>(), 0..4);
    let pieces = prop::collection::vec(prop_oneof![20 => piece, 1 => bytes], 0..8);
    pieces.prop_map(|pieces| {
        let path = pieces.concat();
        if path.starts_with(b"/") {
            path
        } else {
            [&b"/"[..], &path].concat()
        }
    })
}

/// What a server makes of a path that decodes and leaves alone what is no escape.
fn lenient_decode(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((&byte, after)) = rest.split_first() {
        let escape = rest.get(..3).and_then(|it| percent::decode(it).ok());
        match escape {
            Some(decoded) if byte == b'%' => {
                out.extend(decoded);
                rest = &rest[3..];
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// Escapes some of the unreserved characters that are not part of an escape.
fn respell(raw: &[u8], choices: &[(bool, bool)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = raw;
    let mut choices = choices.iter().cycle();
    while let Some((&byte, after)) = rest.split_first() {
        let &(escaped, upper) = choices.next().unwrap();
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if rest
            .get(..3)
            .is_some_and(|it| byte == b'%' && percent::decode(it).is_ok())
        {
            out.extend(&rest[..3]);
            rest = &rest[3..];
            continue;
        }
        if escaped && unreserved {
            let hex = if upper {
                format!("%{byte:02X}")
            } else {
                format!("%{byte:02x}")
            };
            out.extend(hex.as_bytes());
        } else {
            out.push(byte);
        }
        rest = after;
    }
    out
}

/// What servers do to paths before they look at them, each for itself.
fn other_readings(decoded: &str) -> Vec<String> {
    let mut resolved: Vec<&str> = Vec::new();
    for segment in decoded.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(resolved.pop()),
            segment => resolved.push(segment),
        }
    }
    let without_parameters = decoded
        .split('/')
        .map(|it| it.split(';').next().unwrap_or_default());
    let mut merged = decoded.to_owned();
    while merged.contains("//") {
        merged = merged.replace("//", "/");
    }
    vec![
        format!("/{}", resolved.join("/")),
        without_parameters.collect::<Vec<_>>().join("/"),
        merged,
        decoded.replace('\\', "/"),
        decoded
            .split(['?', '#', '\0'])
            .next()
            .unwrap_or_default()
            .to_owned(),
        decoded.trim().to_owned(),
        String::from_utf8(lenient_decode(decoded.as_bytes())).unwrap(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// No reader that decodes again, resolves, merges, cuts or trims finds another path, so none finds one that is for
    /// another rule.
    #[test]
    fn a_path_with_one_reading_has_no_second(raw in raw_path()) {
        let Ok(path) = Path::read(&raw) else {
            return Ok(());
        };
        let path_only = raw.split(|&it| it == b'?').next().unwrap();
        let decoded = String::from_utf8(percent::decode(path_only).unwrap()).unwrap();
        let bare: Vec<&str> = decoded.split('/').filter(|it| !it.is_empty()).collect();
        prop_assert_eq!(path.segments().collect::<Vec<_>>(), bare);
        // A server that splits before it decodes finds the same segments.
        let split_first: Vec<Vec<u8>> = path_only
            .split(|&it| it == b'/')
            .filter(|it| !it.is_empty())
            .map(|it| percent::decode(it).unwrap())
            .collect();
        prop_assert_eq!(path.segments().map(|it| it.as_bytes().to_vec()).collect::<Vec<_>>(), split_first);
        for reading in other_readings(&decoded) {
            prop_assert_eq!(&reading, &decoded);
        }
    }

    /// An escape where none is needed changes nothing.
    #[test]
    fn escapes_of_unreserved_characters_change_no_verdict(
        raw in raw_path(),
        choices in prop::collection::vec(any::<(bool, bool)>(), 1..20),
    ) {
        let respelled = respell(&raw, &choices);
        // A query begins where it did, and is nobody's path.
        prop_assert_eq!(
            verdict(rules(), "GET", &raw),
            verdict(rules(), "GET", &respelled),
            "{} {}", raw.escape_ascii(), respelled.escape_ascii()
        );
    }

    /// Whatever follows the path changes no verdict.
    #[test]
    fn neither_a_query_nor_one_trailing_slash_changes_a_verdict(raw in raw_path(), query in any::<Vec<u8>>()) {
        let path = raw.split(|&it| it == b'?').next().unwrap();
        let queried = [path, b"?", &query].concat();
        prop_assert_eq!(verdict(rules(), "GET", path), verdict(rules(), "GET", &queried));
        if !path.ends_with(b"/") {
            let slashed = [path, b"/"].concat();
            prop_assert_eq!(verdict(rules(), "GET", path), verdict(rules(), "GET", &slashed));
        }
    }

    /// Any bytes at all are judged.
    #[test]
    fn any_bytes_are_judged(method in any::<Vec<u8>>(), raw in any::<Vec<u8>>()) {
        let _ = rules().judge(&method, &raw);
    }
}

#[test]
fn the_generator_reaches_every_verdict() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20_000 {
        let raw = raw_path().new_tree(&mut runner).unwrap().current();
        seen.insert(verdict(rules(), "GET", &raw));
    }
    for expected in [
        "admin",
        "percent",
        "unicode",
        "item",
        "deep",
        "root",
        "any-b",
        "DENY",
        "PASS",
        "AMBIGUOUS",
    ] {
        assert!(seen.contains(expected), "{expected}: {seen:?}");
    }
}
