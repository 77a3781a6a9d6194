//! An operator's configuration: JSON text and the `Struct` that Envoy makes of it mean the same, what is taken is within its
//! bounds, and what validates also starts.

use gateway::config::{
    Config, MAX_BATCH, MAX_BODY_BYTES, MAX_IN_FLIGHT, MAX_SITES, MAX_VALIDITY_MONTHS,
};
use gateway::worker::Worker;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as ProtoValue};
use serde_json::{Value, json};

use crate::host::FuzzHost;
use crate::json::Plain;
use crate::signing::issuer;
use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "configuration",
    about: "an operator's configuration: JSON and Struct mean the same, bounds hold, nothing is named twice, what validates starts",
    max_len: 8192,
    dictionary: "configuration",
    seeds,
    run,
};

fn run(bytes: &[u8]) -> Seen {
    let config = match bounded("configuration", bytes.len(), 1_000, || Config::parse(bytes)) {
        Ok(config) => config,
        Err(error) => {
            assert!(!error.problem.is_empty(), "no reason");
            return Seen::Refused;
        }
    };
    assert!((1..=16).contains(&config.engine.clusters.len()));
    assert!((1..=MAX_SITES).contains(&config.sites.len()));
    let months = config
        .sites
        .values()
        .filter_map(|site| site.validity_in_months);
    assert!(
        months
            .into_iter()
            .all(|it| (1..=MAX_VALIDITY_MONTHS).contains(&it))
    );
    assert!((1..=MAX_BODY_BYTES).contains(&config.max_body_bytes));
    assert!((1..=MAX_BATCH).contains(&config.engine.max_batch));
    assert!((1..=MAX_IN_FLIGHT).contains(&config.engine.max_in_flight));
    if let Ok(plain) = serde_json::from_slice::<Plain>(bytes) {
        assert!(!plain.repeats(), "what is named twice has two readings");
        let view: Value = serde_json::from_slice(bytes).expect("JSON");
        if let Some(document) = as_struct(&view) {
            let other = Config::parse(&document.encode_to_vec()).expect("the same document");
            assert_eq!(
                format!("{config:?}"),
                format!("{other:?}"),
                "JSON and Struct"
            );
        }
    }
    let started = Worker::new(config, &FuzzHost::new());
    assert!(started.is_ok(), "validates, but does not start");
    Seen::Accepted
}

/// The same document as Envoy hands it over; none: with a number that would not come through.
fn as_struct(value: &Value) -> Option<Struct> {
    match as_value(value)?.kind {
        Some(Kind::StructValue(object)) => Some(object),
        _ => None,
    }
}

fn as_value(value: &Value) -> Option<ProtoValue> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Number(number) => {
            let number = number.as_f64().filter(|it| it.abs() < EXACT)?;
            Kind::NumberValue(number)
        }
        Value::Array(values) => Kind::ListValue(ListValue {
            values: values.iter().map(as_value).collect::<Option<_>>()?,
        }),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| Some((name.clone(), as_value(value)?));
            Kind::StructValue(Struct {
                fields: members.iter().map(member).collect::<Option<_>>()?,
            })
        }
    };
    Some(ProtoValue { kind: Some(kind) })
}

fn seeds() -> Vec<Vec<u8>> {
    // One short key: a document with all of them would take long to prepare.
    let mut trusted = issuer();
    trusted["jwks"]["keys"] = json!([trusted["jwks"]["keys"][0]]);
    let small = json!({"issuers": [trusted], "engine": {"clusters": ["engine"]}});
    let with = |name: &str, value: Value| {
        let mut document = small.clone();
        document[name] = value;
        document
    };
    let documents = [
        small.clone(),
        with(
            "sites",
            json!({"main": {}, "yearly": {"validity_in_months": 12}}),
        ),
        with(
            "engine",
            json!({"clusters": ["a", "b"], "max_batch": 1, "max_in_flight": 8, "call_timeout_ms": 100}),
        ),
        with(
            "reads",
            json!({"max_staleness_ms": 500, "stale_if_error_ms": 0, "balance": "strict"}),
        ),
        with(
            "tenant",
            json!({"claim": "t", "min_length": 1, "max_length": 64, "extra_characters": "-_"}),
        ),
        with(
            "rules",
            json!([{"name": "shop", "path": "/shop/{id}/**", "allow": "scopes", "any_of": ["a"], "methods": ["GET"], "mode": "report"}]),
        ),
        with("guarded_prefixes", json!(["/admin"])),
        with("cors", json!({"origins": ["https://shop.example"]})),
        with(
            "decision_log",
            json!({"lines": "refused", "subject_salt": "s"}),
        ),
        with(
            "operations",
            json!({"balance": {"any_of": ["x"], "claims": [{"claim": "user_type", "any_of": ["EMPLOYEE"]}]}}),
        ),
        with(
            "issuers",
            json!([{"issuer": "i", "algorithms": ["ES256"], "jwks_uri": {"cluster": "c", "uri": "https://i.test/keys"}}]),
        ),
        with("max_body_bytes", json!(0)),
        with("nobody", json!(1)),
    ];
    let mut seeds: Vec<Vec<u8>> = documents
        .iter()
        .map(|it| it.to_string().into_bytes())
        .collect();
    let structs = documents.iter().take(3).filter_map(as_struct);
    seeds.extend(structs.map(|it| it.encode_to_vec()));
    let twice = small
        .to_string()
        .replacen('{', "{\"realm\":\"a\",\"realm\":\"b\",", 1);
    seeds.push(twice.into_bytes());
    seeds
}
