//! Keys and tokens of the simulated issuer.

use ct_codecs::{Base64UrlSafeNoPadding, Encoder as _};
use serde_json::{Value, json};
use signing_keys::{Algorithm, SigningKey};

use crate::clock::START_SECONDS;
use crate::configuration::ISSUER;

/// A new ES256 key with this `kid`.
#[must_use]
pub fn es256(kid: &str) -> SigningKey {
    signing_key(Algorithm::Es256, kid)
}

/// A new key with this `kid`.
#[must_use]
pub fn signing_key(algorithm: Algorithm, kid: &str) -> SigningKey {
    let key = SigningKey::generate(algorithm).expect("the library makes keys");
    key.with_id(kid)
}

/// A key set of these JWKs.
#[must_use]
pub fn jwks(keys: &[Value]) -> Value {
    json!({ "keys": keys })
}

/// A token of `key`, good for a day from the start. `changes` replaces claims; null takes one away.
#[must_use]
pub fn token(key: &SigningKey, changes: Value) -> String {
    key.sign("at+jwt", claims(changes)).expect("it signs")
}

/// A token that nobody signed, in shape an ES256 one: its key's name and its signature are made up.
#[must_use]
pub fn forged(kid: &str, subject: &str) -> String {
    let header = json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" });
    let claims = claims(json!({ "sub": subject }));
    let part = |bytes: &[u8]| Base64UrlSafeNoPadding::encode_to_string(bytes).expect("it encodes");
    format!(
        "{}.{}.{}",
        part(header.to_string().as_bytes()),
        part(claims.to_string().as_bytes()),
        part(&[0x5a; 64])
    )
}

fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER,
        "sub": "alice",
        "tenant": "acme",
        "scope": "orders.view",
        "iat": START_SECONDS - 60,
        "exp": START_SECONDS + 86_400,
    });
    if let (Some(claims), Value::Object(changes)) = (claims.as_object_mut(), changes) {
        claims.extend(changes);
        claims.retain(|_, value| !value.is_null());
    }
    claims
}
