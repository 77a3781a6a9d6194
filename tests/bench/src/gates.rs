//! What stands in front of answers: ours, Envoy's own filters told to do the same (the same issuer, keys and audience, the
//! token passed on), and a filter that does nothing.

use anyhow::Context as _;
use serde_json::{Value, json};
use testbed::{DEV_ISSUER, DevKeys};

use crate::subject::Gate;
use crate::tokens::AUDIENCE;

/// The route that is guarded.
const GUARDED: &str = "/bench/**";
/// Tokens that Envoy's own filter may hold; its default.
const THEIR_CACHE_TOKENS: u32 = 100;

/// Whether a verified token may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    On,
    Off,
}

/// Where `jwt_authn` leaves a token's claims for RBAC.
const CLAIMS: &str = "claims";

/// Envoy's own filter.
pub(crate) fn jwt_authn(keys: &DevKeys, cache: Cache) -> Gate {
    Gate::Others(vec![authentication(provider(keys, cache))])
}

/// Envoy's own filters, as far as they get at what ours does for the API: the token verified and remembered, its scope
/// required by method, its tenant checked by the default pattern and told to the service in a header.
pub(crate) fn jwt_authn_and_rbac(keys: &DevKeys) -> Gate {
    let mut provider = provider(keys, Cache::On);
    provider["payload_in_metadata"] = json!(CLAIMS);
    provider["claim_to_headers"] = json!([{ "header_name": "x-tenant", "claim_name": "tenant" }]);
    let policies = json!({
        "view": policy("GET", "(.* )?(rewardspoints|saasag)\\.rewardpoints_view( .*)?"),
        "manage": policy("POST", "(.* )?(rewardspoints|saasag)\\.rewardpoints_manage( .*)?"),
    });
    let rbac = json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": { "action": "ALLOW", "policies": policies },
        },
    });
    Gate::Others(vec![authentication(provider), rbac])
}

fn provider(keys: &DevKeys, cache: Cache) -> Value {
    let mut provider = json!({
        "issuer": DEV_ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": { "inline_string": keys.jwks().to_string() },
        "forward": true,
    });
    if cache == Cache::On {
        provider["jwt_cache_config"] = json!({ "jwt_cache_size": THEIR_CACHE_TOKENS });
    }
    provider
}

fn authentication(provider: Value) -> Value {
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "bench": provider },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "bench" } }],
        },
    })
}

fn policy(method: &str, scope: &str) -> Value {
    let claim = |name: &str, regex: &str| {
        let matcher = json!({
            "filter": "envoy.filters.http.jwt_authn",
            "path": [{ "key": CLAIMS }, { "key": name }],
            "value": { "string_match": { "safe_regex": { "regex": regex } } },
        });
        json!({ "sourced_metadata": { "metadata_matcher": matcher } })
    };
    let method = json!({ "header": { "name": ":method", "string_match": { "exact": method } } });
    let path = json!({ "url_path": { "path": { "prefix": "/reward-points/customer/" } } });
    let claims = [
        claim("scope", scope),
        claim("tenant", "[a-z][a-z0-9]{2,15}"),
    ];
    json!({
        "permissions": [{ "and_rules": { "rules": [method, path] } }],
        "principals": [{ "and_ids": { "ids": claims } }],
    })
}

/// Our filter as it is committed, but with the keys in its configuration. Without a cache of tokens each is verified.
pub(crate) fn product(keys: &DevKeys, cache: Cache) -> anyhow::Result<Value> {
    let mut plugin = testbed::dev_plugin(keys)?;
    if cache == Cache::Off {
        plugin["tokens"] = no_token_cache();
    }
    Ok(plugin)
}

/// Whether Envoy was refused a configuration because its module does not know that field.
pub(crate) fn is_unknown_field(error: &anyhow::Error, field: &str) -> bool {
    let words = format!("{error:#}");
    words.contains("unknown field") && words.contains(field)
}

fn no_token_cache() -> Value {
    json!({ "cache_entries": 0, "cache_bytes": 16_777_216, "refused_share_percent": 4 })
}

/// Our filter: the committed configuration with a rule for the measured route, and without what is not measured.
pub(crate) fn ours(keys: &DevKeys, cache: Cache) -> anyhow::Result<Gate> {
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
        plugin["tokens"] = no_token_cache();
    }
    Ok(Gate::Ours(plugin))
}
