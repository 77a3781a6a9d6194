//! A configuration is taken whole or refused by the path of its bad field, and what the documents show is taken.

use std::path::{Path, PathBuf};

use e2e::{Call, Client, Combination, Stack, Version, on_every_gateway, run};
use gateway::config::Config;
use serde_json::{Value, json};
use testbed::Gateway;

on_every_gateway!(a_bad_field_keeps_the_gateway_from_starting);

/// The info string of a fenced block that holds a plugin configuration.
const FENCE: &str = "```json gateway-config";
/// The same for a part of one, to be put into the reference's example.
const PART_FENCE: &str = "```json gateway-config-part";

fn a_bad_field_keeps_the_gateway_from_starting(on: Combination) {
    let cases = [
        ("/surprise", json!(1), "surprise"),
        ("/issuers/0/audience", json!("x"), "issuers[0].audience"),
        (
            "/issuers/0/jwks/keys/1/y",
            json!("AAAA"),
            "issuers[0].jwks.keys[1]",
        ),
        (
            "/sites/main/validity_in_months",
            json!(1201),
            "sites.main.validity_in_months",
        ),
        ("/tenant/min_length", json!("three"), "tenant.min_length"),
        (
            "/engine/write_budget_ms",
            json!(9),
            "engine.write_budget_ms",
        ),
        ("/max_body_bytes", json!(1.5), "max_body_bytes"),
        (
            "/summary_batch/max_accounts",
            json!(0),
            "summary_batch.max_accounts",
        ),
    ];
    run(async {
        let stack = Stack::start(on);
        let good = testbed::dev_plugin(stack.keys()).expect("a configuration");
        for (place, value, path) in cases {
            let mut plugin = good.clone();
            put(&mut plugin, place, value);
            let started = Gateway::of(on.gateway, stack.engine.address(), plugin).start();
            let Err(refused) = started else {
                panic!("{on}: {place} was accepted");
            };
            let words = refused.to_string();
            let named = format!("configuration field `{path}");
            assert!(words.contains(&named), "{on}: no word of {path} in {words}");
        }
        // What is left of the attempts does not keep a good one from working.
        let gateway = Gateway::of(on.gateway, stack.engine.address(), good).start();
        let gateway = gateway.unwrap_or_else(|error| panic!("{on}: {error}"));
        let mut client = Client::connect(gateway.address(), Version::Http1)
            .await
            .expect("connect");
        let add = Call::add("alice", r#"{"points":1}"#).bearer(&stack.token("acme"));
        let added = client.send(&add).await.expect("an answer");
        assert_eq!(added.status, 201, "{on}: {}", added.brief());
    });
}

fn put(document: &mut Value, place: &str, value: Value) {
    let (parent, field) = place.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).expect("a place");
    if let (Value::Array(list), Ok(index)) = (&mut *parent, field.parse::<usize>()) {
        list[index] = value;
    } else {
        parent[field] = value;
    }
}

/// Every plugin configuration in the documents is one that a gateway takes.
#[test]
fn documented_plugin_configurations_are_accepted() {
    let mut found = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).expect("a document");
        for (line, block) in blocks(&text, FENCE) {
            let place = format!("{}:{line}", path.display());
            let parsed = Config::parse(block.as_bytes());
            assert!(parsed.is_ok(), "{place}: {:?}", parsed.err());
            found += 1;
        }
    }
    // One of the README's, one of the reference's.
    assert!(
        found >= 2,
        "only {found} configurations are marked `{FENCE}`"
    );
    let reference = testbed::workspace_root().join("docs/configuration.md");
    let text = std::fs::read_to_string(&reference).expect("the reference");
    let (_, example) = blocks(&text, FENCE).remove(0);
    let example: Value = serde_json::from_str(&example).expect("the reference's example");
    let parts = blocks(&text, PART_FENCE);
    assert!(parts.len() >= 2, "the parts are not marked `{PART_FENCE}`");
    for (line, part) in parts {
        let part: Value = serde_json::from_str(&part).expect("JSON");
        let mut whole = example.clone();
        for (name, value) in part.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        let parsed = Config::parse(whole.to_string().as_bytes());
        assert!(parsed.is_ok(), "line {line}: {:?}", parsed.err());
    }
}

/// Every other JSON and YAML block of the documents is well formed.
#[test]
fn documented_snippets_are_well_formed() {
    for path in documents() {
        let text = std::fs::read_to_string(&path).expect("a document");
        for (line, block) in blocks(&text, "```json") {
            let read = serde_json::from_str::<Value>(&block);
            assert!(read.is_ok(), "{}:{line}: {:?}", path.display(), read.err());
        }
        for (line, block) in blocks(&text, "```yaml") {
            let read = serde_saphyr::from_str::<Value>(&block);
            assert!(read.is_ok(), "{}:{line}: {:?}", path.display(), read.err());
        }
    }
}

/// Every Envoy configuration that is committed is read, and its plugin configuration is one that a gateway takes.
#[test]
fn committed_envoy_configurations_hold_good_plugin_configurations() {
    let files = files_in(&testbed::workspace_root().join("envoy"), "yaml");
    assert!(files.contains(&testbed::envoy_yaml()), "{files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a configuration");
        let read: Value = serde_saphyr::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut found = Vec::new();
        plugins(&read, &mut found);
        assert!(
            !found.is_empty(),
            "{}: no plugin configuration",
            path.display()
        );
        for plugin in found {
            let parsed = Config::parse(plugin.to_string().as_bytes());
            assert!(parsed.is_ok(), "{}: {:?}", path.display(), parsed.err());
        }
    }
}

/// Every `google.protobuf.Struct` that configures something.
fn plugins<'a>(document: &'a Value, found: &mut Vec<&'a Value>) {
    match document {
        Value::Object(members) => {
            if members.get("@type") == Some(&json!("type.googleapis.com/google.protobuf.Struct")) {
                found.extend(members.get("value"));
            }
            members.values().for_each(|member| plugins(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| plugins(item, found)),
        _ => {}
    }
}

/// README and everything under `docs`.
fn documents() -> Vec<PathBuf> {
    let root = testbed::workspace_root();
    let mut found = files_in(&root.join("docs"), "md");
    found.push(root.join("README.md"));
    found
}

/// All files with that ending in and below `dir`.
fn files_in(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_in(&path, ending));
        } else if path.extension().is_some_and(|own| own == ending) {
            found.push(path);
        }
    }
    found
}

/// The fenced blocks whose opening line begins with `fence`, with the line numbers where they begin.
fn blocks(text: &str, fence: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    let mut wanted = false;
    for (number, line) in text.lines().enumerate() {
        let line_start = line.trim_start();
        if inside && line_start.starts_with("```") {
            inside = false;
        } else if line_start.starts_with("```") {
            inside = true;
            let rest = line_start.strip_prefix(fence);
            wanted = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
            if wanted {
                found.push((number + 1, String::new()));
            }
        } else if inside
            && wanted
            && let Some((_, block)) = found.last_mut()
        {
            block.push_str(line);
            block.push('\n');
        }
    }
    found
}
