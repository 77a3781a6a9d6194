//! Strict JSON against serde_json's own view of the same bytes, in both directions.

use gateway::parsers::strict_json;
use serde_json::Value;

use crate::json::is_strict_object;
use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "strict_json",
    about: "JSON of tokens, key sets and bodies: taken if and only if a slow reference takes it, and with the same meaning",
    max_len: 8192,
    dictionary: "json",
    seeds,
    run,
};

fn run(bytes: &[u8]) -> Seen {
    let mut seen = Seen::Refused;
    for max_nesting in [1, 4, 16, 32] {
        let read = bounded("strict JSON", bytes.len(), 800, || {
            strict_json(bytes, max_nesting)
        });
        let expected = is_strict_object(bytes, max_nesting);
        assert_eq!(read.is_some(), expected, "at most {max_nesting} levels");
        if let Some(value) = read {
            seen = Seen::Accepted;
            let plain: Value = serde_json::from_slice(bytes).expect("JSON");
            assert_eq!(value, plain, "the same meaning");
            // A fraction may come back as its neighbour.
            if !has_fraction(&value) {
                let again = serde_json::to_vec(&value).expect("JSON");
                assert_eq!(strict_json(&again, max_nesting), Some(value), "again");
            }
        }
    }
    seen
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        _ => false,
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let many: Vec<String> = (0..40).map(|it| format!("\"n{it}\":{it}")).collect();
    let texts = [
        "{}".to_owned(),
        " {\"a\" : [1, -1, 1.5, null, true, \"x\", {}]}\r\n".to_owned(),
        "{\"a\":1,\"\\u0061\":1}".to_owned(),
        "{\"o\":{\"a\":1,\"a\":2}}".to_owned(),
        "{\"n\":18446744073709551616,\"m\":-9223372036854775809,\"z\":-0}".to_owned(),
        "{\"e\":1e308,\"f\":0.1E-5}".to_owned(),
        "{\"s\":\"\\ud83d\\ude00\\n\\/\"}".to_owned(),
        "{\"a\":\"\\ud800\"}".to_owned(),
        "{\"a\":01}".to_owned(),
        "{} {}".to_owned(),
        format!("{{\"a\":{}1{}}}", "[".repeat(15), "]".repeat(15)),
        format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40)),
        format!("{{{}}}", many.join(",")),
        format!("{{{},\"n7\":0}}", many.join(",")),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}
