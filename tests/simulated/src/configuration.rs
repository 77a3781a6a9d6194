//! The filter's configuration in a simulated world: one issuer that publishes its keys, one guarded route.

use serde_json::{Value, json};

/// The issuer that is trusted.
pub const ISSUER: &str = "https://issuer.example/";
/// The cluster of its key server.
pub(crate) const ISSUER_CLUSTER: &str = "issuer";
/// The cluster of the engine.
pub(crate) const ENGINE_CLUSTER: &str = "points-engine";
/// Where a test finds what it may want to change about fetching.
pub const JWKS_URI: &str = "/issuers/0/jwks_uri";
/// After how long a fetch is given up.
pub const FETCH_TIMEOUT_MS: u64 = 1_000;

/// Keys are fetched every minute, for unknown ids every five seconds at most, and believed for an hour. Everything is
/// guarded, and `/shop/` is for every good token. The engine has no deny-list.
#[must_use]
pub fn configuration() -> Value {
    json!({
        "issuers": [{
            "issuer": ISSUER,
            "algorithms": ["ES256", "RS256", "EdDSA"],
            "jwks_uri": {
                "cluster": ISSUER_CLUSTER,
                "uri": "https://issuer.example/keys?for=gateway",
                "timeout_ms": FETCH_TIMEOUT_MS,
                "refresh_seconds": 60,
                "refetch_seconds": 5,
                "max_age_seconds": 3600,
            },
        }],
        "revocation": { "from_engine": false },
        "guarded_prefixes": ["/"],
        "rules": [{ "name": "shop", "path": "/shop/**", "allow": "authenticated" }],
        "engine": { "clusters": [ENGINE_CLUSTER] },
        // Hundreds of thousands of requests would leave as many lines.
        "decision_log": { "lines": "none" },
    })
}
