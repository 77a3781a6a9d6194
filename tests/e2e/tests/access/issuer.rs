//! An issuer of the test's own: keys that it makes, a server that publishes them, and a gateway that fetches them there.

use e2e::{Combination, Reply, Server, Stack, token};
use serde_json::{Value, json};
use signing_keys::{Algorithm, SigningKey};
use testbed::{GatewayBuilder, TokenRequest};

/// Its name.
pub const ISSUER: &str = "https://keys.example/";
/// The cluster that leads to it.
const CLUSTER: &str = "issuers-keys";
/// How the gateway shows how the last fetch ended.
pub const FETCH_RESULT: &str = "reward_points.issuer.0.key_fetch_result";

/// A key of the kind that is made fastest.
pub fn new_key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).expect("a key")
}

/// A token for `tenant` to view and manage, under that key.
pub fn sign(key: &SigningKey, tenant: &str, changes: Value) -> String {
    let claims = token::claims(tenant, TokenRequest::DEFAULT_SCOPE);
    let claims = token::with(claims, json!({ "iss": ISSUER }));
    key.sign("JWT", token::with(claims, changes))
        .expect("a token")
}

/// What the issuer publishes with these keys.
pub fn published(keys: &[&SigningKey]) -> Reply {
    let keys: Vec<Value> = keys.iter().map(|key| key.public_jwk()).collect();
    Reply::json(&json!({ "keys": keys }))
}

/// `plugin` with this issuer as the only one. `times` are members of `jwks_uri`.
pub fn trusting(mut plugin: Value, times: Value) -> Value {
    let uri = json!({ "cluster": CLUSTER, "uri": "http://keys.example/keys.json" });
    plugin["issuers"] = json!([{
        "issuer": ISSUER,
        "algorithms": ["ES256"],
        "jwks_uri": token::with(uri, times),
    }]);
    plugin
}

/// A gateway that fetches its keys from `server`.
pub fn start(
    on: Combination,
    server: &Server,
    times: Value,
    finish: impl FnOnce(GatewayBuilder) -> GatewayBuilder,
) -> Stack {
    let address = server.address();
    Stack::start_with(on, trusting(Stack::plugin(), times), |gateway| {
        finish(gateway.cluster(CLUSTER, address))
    })
}

/// Leads a gateway's fetches to `server`.
pub fn fetching_from(gateway: GatewayBuilder, server: &Server) -> GatewayBuilder {
    gateway.cluster(CLUSTER, server.address())
}
