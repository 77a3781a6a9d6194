//! The plugin's configuration: the committed one, which fetches the development issuer's keys, and one that holds them.
//!
//! Tests that are not about issuers use the second and need no issuer running.

use serde_json::{Value, json};

use crate::{Algorithm, DEV_ISSUER, DevKeys, EnvoyConfig, Result};

/// The committed Envoy configuration as it stands.
///
/// # Errors
/// When it cannot be read or parsed.
pub fn committed_envoy() -> Result<EnvoyConfig> {
    EnvoyConfig::read(&crate::envoy_yaml())
}

/// The plugin configuration inside the committed Envoy configuration. It trusts the development issuer by the keys that it
/// publishes, see [`GatewayBuilder::issuer`](crate::GatewayBuilder::issuer).
///
/// # Errors
/// When the committed file cannot be read or does not have the expected shape.
pub fn committed_plugin() -> Result<Value> {
    committed_envoy()?.plugin().cloned()
}

/// The committed plugin configuration, but with the development issuer's keys in it, so that nothing is fetched.
///
/// # Errors
/// As [`committed_plugin`].
pub fn dev_plugin(keys: &DevKeys) -> Result<Value> {
    let mut plugin = committed_plugin()?;
    plugin["issuers"] = json!([local_issuer(DEV_ISSUER, keys)]);
    Ok(plugin)
}

/// An entry of `issuers` that trusts all of `keys` under the name `issuer`.
#[must_use]
pub fn local_issuer(issuer: &str, keys: &DevKeys) -> Value {
    let algorithms: Vec<&str> = Algorithm::ALL
        .iter()
        .map(|algorithm| algorithm.name())
        .collect();
    json!({ "issuer": issuer, "algorithms": algorithms, "jwks": keys.jwks() })
}
