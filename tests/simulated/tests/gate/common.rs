//! What several tests ask of a world.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signing_keys::SigningKey;
use simulated::{Done, JWKS_URI, Setup, World, configuration, token};

/// A world with the usual configuration in which all VMs hold these keys.
pub fn settled(keys: &[&SigningKey]) -> World {
    settled_with(configuration(), keys)
}

/// The same with another configuration.
pub fn settled_with(configuration: Value, keys: &[&SigningKey]) -> World {
    let mut world = Setup::of(configuration).start();
    world.publish(keys);
    world.advance(200);
    assert_eq!(world.fetches().len(), 1, "one fetch is enough for all");
    world
}

/// The usual configuration, fetching in another rhythm.
pub fn fetching(changes: Value) -> Value {
    let mut configuration = configuration();
    let uri = configuration.pointer_mut(JWKS_URI).expect("it is there");
    let uri = uri.as_object_mut().expect("an object");
    uri.extend(changes.as_object().expect("an object").clone());
    configuration
}

/// That many tokens of different subjects.
pub fn tokens(key: &SigningKey, number: usize) -> Vec<String> {
    (0..number)
        .map(|number| token(key, json!({ "sub": format!("user-{number}") })))
        .collect()
}

/// How often each status.
pub fn statuses<'a>(done: impl IntoIterator<Item = &'a Done>) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for done in done {
        *statuses.entry(done.status()).or_default() += 1;
    }
    statuses
}

/// All VMs answer this token so.
pub fn assert_everywhere(world: &mut World, token: &str, status: u16, why: &str) {
    for vm in 0..world.vms() {
        let done = world.get(vm, token);
        assert_eq!(done.status(), status, "VM {vm}: {why}");
    }
}
