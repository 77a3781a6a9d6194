//! Keys of the deny-list: an entry is taken only in its three parts, each decoded once, and comes back as itself.

use gateway::access::MAX_NUMERIC_DATE;
use gateway::parsers::{Which, deny_list_key, percent_decoded, percent_encoded};

use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "deny_list",
    about: "keys of the deny-list: three parts and no more, each decoded once, an entry comes back as itself",
    max_len: 1024,
    dictionary: "deny_list",
    seeds,
    run,
};

fn run(key: &[u8]) -> Seen {
    let entry = bounded("key", key.len(), 200, || deny_list_key(key));
    let Some(entry) = entry else {
        return Seen::Refused;
    };
    let parts: Vec<&[u8]> = key.split(|&byte| byte == b'/').collect();
    let [issuer, kind, value] = parts[..] else {
        panic!("{} parts", parts.len());
    };
    let decoded =
        |part: &[u8]| String::from_utf8(percent_decoded(part).expect("escapes")).expect("UTF-8");
    assert_eq!(entry.issuer, decoded(issuer));
    let (name, text) = match &entry.which {
        Which::TokenId(id) => ("jti", id.clone()),
        Which::Subject(subject) => ("sub", subject.clone()),
        Which::IssuedBefore(time_ms) => {
            assert!(*time_ms >= 0 && time_ms % 1000 == 0);
            let seconds = time_ms / 1000;
            assert!(seconds.unsigned_abs() <= MAX_NUMERIC_DATE);
            assert_eq!(decoded(value).parse().ok(), Some(seconds));
            ("issued-before", seconds.to_string())
        }
    };
    assert_eq!(kind, name.as_bytes());
    if name != "issued-before" {
        assert_eq!(text, decoded(value));
    }
    let encoded = |text: &str| percent_encoded(text.as_bytes());
    let again = format!("{}/{name}/{}", encoded(&entry.issuer), encoded(&text));
    assert_eq!(deny_list_key(again.as_bytes()), Some(entry), "{again}");
    Seen::Accepted
}

fn seeds() -> Vec<Vec<u8>> {
    let keys = [
        "https%3A%2F%2Fissuer.test/jti/token-1",
        "https%3A%2F%2Fissuer.test/sub/employee%207",
        "i/issued-before/1750000000",
        "i/issued-before/253402300800",
        "i/issued-before/%31",
        "i/jti/a/b",
        "i/kid/x",
        "%zz/jti/x",
        "i/sub/%FF",
        "//",
    ];
    keys.iter().map(|key| key.as_bytes().to_vec()).collect()
}
