//! The plugin's configuration: the committed one as the base, its issuers exchanged for the development issuer.

use serde_json::{Value, json};

use crate::{Algorithm, DEV_ISSUER, DevKeys, EnvoyConfig, Result};

/// The plugin configuration inside the committed Envoy configuration.
///
/// # Errors
/// When the committed file cannot be read or does not have the expected shape.
pub fn committed_plugin() -> Result<Value> {
    EnvoyConfig::committed()?.plugin().cloned()
}

/// The committed plugin configuration with the development issuer as its only issuer.
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
