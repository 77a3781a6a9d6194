//! The two gates that are compared, told to do the same: the same issuer, keys and audience, the token passed on.

use anyhow::Context as _;
use serde_json::{Value, json};
use testbed::{DEV_ISSUER, DevKeys};

use super::tokens::AUDIENCE;
use crate::subject::Gate;

/// The route that is guarded.
const GUARDED: &str = "/bench/**";
/// Tokens that Envoy's own filter may hold; its default.
const THEIR_CACHE_TOKENS: u32 = 100;

/// Whether a verified token may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    On,
    Off,
}

/// Envoy's own filter.
pub(super) fn jwt_authn(keys: &DevKeys, cache: Cache) -> Gate {
    let mut provider = json!({
        "issuer": DEV_ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": { "inline_string": keys.jwks().to_string() },
        "forward": true,
    });
    if cache == Cache::On {
        provider["jwt_cache_config"] = json!({ "jwt_cache_size": THEIR_CACHE_TOKENS });
    }
    Gate::Other(json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "bench": provider },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "bench" } }],
        },
    }))
}

/// Our filter: the committed configuration with a rule for the measured route, and without what is not measured.
pub(super) fn ours(keys: &DevKeys, cache: Cache) -> anyhow::Result<Gate> {
    let mut plugin = testbed::dev_plugin(keys)?;
    let issuer = plugin
        .pointer_mut("/issuers/0")
        .and_then(Value::as_object_mut);
    let issuer = issuer.context("the development configuration has no issuer")?;
    issuer.insert("audiences".to_owned(), json!([AUDIENCE]));
    plugin["rules"] = json!([
        { "name": "bench", "path": GUARDED, "allow": "authenticated", "mode": "enforce" }
    ]);
    plugin["revocation"] = json!({ "from_engine": false });
    plugin["decision_log"] = json!({ "lines": "none" });
    if cache == Cache::Off {
        plugin["tokens"] =
            json!({ "cache_entries": 0, "cache_bytes": 16_777_216, "refused_share_percent": 4 });
    }
    Ok(Gate::Ours(plugin))
}
