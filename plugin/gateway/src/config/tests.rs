//! A configuration is taken whole or refused with the path of its bad field, in both of its forms.

use prost::Message;
use prost_types::{ListValue, Struct, Value as ProtoValue, value::Kind};
use serde_json::{Value, json};

use super::Config;
use crate::access::test_support::issuer_json;

fn minimal() -> Value {
    json!({"issuers": [issuer_json()], "engine": {"clusters": ["points-engine"]}, "reads": {}, "sweep": {}})
}

fn to_proto(value: &Value) -> ProtoValue {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(it) => Kind::BoolValue(*it),
        Value::Number(it) => Kind::NumberValue(it.as_f64().unwrap()),
        Value::String(it) => Kind::StringValue(it.clone()),
        Value::Array(items) => Kind::ListValue(ListValue {
            values: items.iter().map(to_proto).collect(),
        }),
        Value::Object(_) => Kind::StructValue(to_struct(value)),
    };
    ProtoValue { kind: Some(kind) }
}

fn to_struct(value: &Value) -> Struct {
    let members = value.as_object().unwrap();
    Struct {
        fields: members
            .iter()
            .map(|(name, value)| (name.clone(), to_proto(value)))
            .collect(),
    }
}

/// Parses a document in both forms, which must agree.
fn parse(document: &Value) -> Result<Config, String> {
    let from_json = Config::parse(document.to_string().as_bytes());
    let from_struct = Config::parse(&to_struct(document).encode_to_vec());
    let pretty = format!("\n{}\n", serde_json::to_string_pretty(document).unwrap());
    let from_pretty = Config::parse(pretty.as_bytes());
    match (from_json, from_struct, from_pretty) {
        (Ok(config), Ok(other), Ok(_)) => {
            assert_eq!(format!("{config:?}"), format!("{other:?}"));
            Ok(config)
        }
        (Err(error), Err(other), Err(_)) => {
            assert_eq!(error.path, other.path);
            Err(error.to_string())
        }
        (a, b, c) => panic!(
            "the forms disagree: {} {} {}",
            a.is_ok(),
            b.is_ok(),
            c.is_ok()
        ),
    }
}

#[test]
fn defaults_are_those_of_the_reference() {
    let config = parse(&minimal()).unwrap();
    assert_eq!(config.realm, "reward-points");
    assert_eq!(config.max_body_bytes, 65_536);
    assert_eq!(config.cache_bytes, 67_108_864);
    assert!(!config.allow_backdating);
    assert_eq!(config.sites.keys().collect::<Vec<_>>(), ["main"]);
    assert_eq!(config.engine.cluster(), "points-engine");
    assert_eq!(config.engine.call_timeout_ms, 1000);
    assert_eq!(config.reads.max_staleness_ms, 1000);
    assert_eq!(config.sweep.interval_ms, 1000);
    assert_eq!(config.engine.write_budget_ms, 2000);
    assert_eq!(config.summary_batch.max_accounts, 10_000);
}

#[test]
fn copies_may_take_more_than_a_module_can_address() {
    for bytes in [1_048_576, 4_294_967_296_u64] {
        let mut document = minimal();
        set(&mut document, "/cache_bytes", json!(bytes));
        assert_eq!(parse(&document).unwrap().cache_bytes, bytes);
    }
}

#[test]
fn a_bad_field_is_named_by_its_path() {
    for (pointer, value, path) in [
        ("/reaml", json!("x"), "reaml"),
        ("/realm", json!(""), "realm"),
        ("/realm", json!("a\"b"), "realm"),
        ("/realm", json!(5), "realm"),
        ("/issuers", json!([]), "issuers"),
        ("/issuers/0/issuer", json!(null), "issuers[0].issuer"),
        (
            "/issuers/0/algorithms/1",
            json!("none"),
            "issuers[0].algorithms[1]",
        ),
        ("/issuers/0/colour", json!("red"), "issuers[0].colour"),
        ("/sweep/interval_ms", json!(3_600_001), "sweep.interval_ms"),
        ("/sweep/pages", json!(1), "sweep.pages"),
        ("/engine/clusters", json!([]), "engine.clusters"),
        (
            "/engine/clusters",
            json!((0..17).map(|it| format!("engine-{it}")).collect::<Vec<_>>()),
            "engine.clusters",
        ),
        (
            "/engine/clusters",
            json!(["engine-a", "engine-b", "engine-a"]),
            "engine.clusters[2]",
        ),
        (
            "/engine/clusters",
            json!(["engine-a", "p1"]),
            "engine.clusters[1]",
        ),
        ("/engine/clusters", json!([""]), "engine.clusters[0]"),
        // Names that are also encoded messages.
        ("/engine/clusters", json!(["etcd1"]), "engine.clusters[0]"),
        ("/engine/clusters", json!(["p1"]), "engine.clusters[0]"),
        (
            "/engine/call_timeout_ms",
            json!(1.5),
            "engine.call_timeout_ms",
        ),
        (
            "/engine/call_timeout_ms",
            json!(0),
            "engine.call_timeout_ms",
        ),
        (
            "/engine/write_budget_ms",
            json!(60_001),
            "engine.write_budget_ms",
        ),
        ("/cache_bytes", json!(1_048_575), "cache_bytes"),
        ("/cache_bytes", json!(4_294_967_297_u64), "cache_bytes"),
        ("/cache_bytes", json!(1.5e6 + 0.5), "cache_bytes"),
        (
            "/reads/max_staleness_ms",
            json!(249),
            "reads.max_staleness_ms",
        ),
        (
            "/reads/max_staleness_ms",
            json!(60_001),
            "reads.max_staleness_ms",
        ),
        ("/max_body_bytes", json!(-1), "max_body_bytes"),
        ("/max_body_bytes", json!(0), "max_body_bytes"),
        ("/sites", json!({}), "sites"),
        (
            "/sites",
            json!({"main": {"validity_in_months": 0}}),
            "sites.main.validity_in_months",
        ),
        (
            "/sites",
            json!({"main": {"validityInMonths": 1}}),
            "sites.main.validityInMonths",
        ),
        (
            "/summary_batch",
            json!({"max_accounts": 0}),
            "summary_batch.max_accounts",
        ),
        ("/tenant", json!({"claim": ""}), "tenant.claim"),
    ] {
        let mut document = minimal();
        set(&mut document, pointer, value);
        let error = parse(&document).expect_err(pointer);
        assert!(error.contains(&format!("`{path}`")), "{pointer}: {error}");
    }
    let mut document = minimal();
    document.as_object_mut().unwrap().remove("engine");
    assert!(parse(&document).unwrap_err().contains("engine"));
}

#[test]
fn what_is_no_document_is_refused() {
    for bytes in [
        &b""[..],
        b" \n",
        b"nonsense",
        b"[]",
        b"{",
        b"{}x",
        b"\xff\xff",
        b"5",
    ] {
        assert!(Config::parse(bytes).is_err(), "{bytes:?}");
    }
    let mut deep = json!(1);
    for _ in 0..40 {
        deep = json!([deep]);
    }
    let document = to_struct(&json!({"realm": deep}));
    let error = Config::parse(&document.encode_to_vec()).unwrap_err();
    assert!(error.to_string().contains("nested"), "{error}");
    let infinite = Struct {
        fields: [(
            "realm".to_owned(),
            ProtoValue {
                kind: Some(Kind::NumberValue(f64::INFINITY)),
            },
        )]
        .into(),
    };
    let error = Config::parse(&infinite.encode_to_vec()).unwrap_err();
    assert_eq!(error.path, "realm");
}

#[test]
fn nothing_is_named_twice() {
    for (once, twice) in [
        // The second list would leave the first one's rules out.
        ("\"engine\":", "\"rules\":[],\"rules\":[],\"engine\":"),
        ("\"engine\":", "\"engine\":{},\"engine\":"),
        (
            "\"clusters\":",
            "\"max_batch\":1,\"max_\\u0062atch\":2,\"clusters\":",
        ),
    ] {
        let text = minimal().to_string();
        assert!(Config::parse(text.as_bytes()).is_ok());
        let text = text.replacen(once, twice, 1);
        let error = Config::parse(text.as_bytes()).expect_err(twice);
        assert!(error.to_string().contains("twice"), "{twice}: {error}");
    }
}

fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.insert(name.to_owned(), value)),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{other}"),
    }
}
