//! What anybody may read: the public keys (RFC 7517) and the metadata (RFC 8414).

use std::time::SystemTime;

use hmac_sha256::Hash;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::Issuer;
use crate::answer::{self, Answer, Asked};
use crate::clients::Clients;
use crate::limits::KEY_SET_SECONDS;
use crate::token::GRANT_TYPE;

/// Where tokens are asked for.
pub(crate) const TOKEN_PATH: &str = "/oauth/token";
/// Where the public keys are.
pub(crate) const KEY_SET_PATH: &str = "/.well-known/jwks.json";
/// Where the metadata is.
pub(crate) const METADATA_PATH: &str = "/.well-known/oauth-authorization-server";
/// Methods of both documents.
const READ: &str = "GET, HEAD";

/// The metadata, which never changes.
#[derive(Debug)]
pub(crate) struct Metadata(Value);

impl Metadata {
    /// For an issuer whose endpoints are reached under `base`, which has no slash at its end.
    pub fn new(issuer: &str, base: &str, clients: &Clients) -> Self {
        Self(json!({
            "issuer": issuer,
            "token_endpoint": format!("{base}{TOKEN_PATH}"),
            "jwks_uri": format!("{base}{KEY_SET_PATH}"),
            "grant_types_supported": [GRANT_TYPE],
            // Demanded by RFC 8414; there is no authorization endpoint.
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": clients.all_scopes(),
        }))
    }
}

/// The metadata as an answer.
pub(crate) fn metadata(issuer: &Issuer, asked: &Asked) -> Answer {
    document(asked, &issuer.metadata.0)
}

/// The published keys as an answer.
pub(crate) fn key_set(issuer: &Issuer, asked: &Asked) -> Answer {
    match issuer.ring.published(SystemTime::now()) {
        Ok(keys) => {
            let keys: Vec<Value> = keys.iter().map(|key| key.public_jwk()).collect();
            document(asked, &json!({ "keys": keys }))
        }
        Err(error) => {
            eprintln!("issuer: the keys cannot be published: {error}");
            let words = "the keys cannot be read";
            answer::not_stored(answer::text(StatusCode::INTERNAL_SERVER_ERROR, words))
        }
    }
}

fn document(asked: &Asked, body: &Value) -> Answer {
    if asked.head.method != Method::GET && asked.head.method != Method::HEAD {
        return answer::method_not_allowed(READ);
    }
    let mut answer = answer::json(StatusCode::OK, body);
    let digest = Hash::hash(answer.body());
    let tag: String = digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    if names(&asked.head.headers, &tag) {
        answer = Response::default();
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = answer.headers_mut();
    let caching = format!("public, max-age={KEY_SET_SECONDS}");
    for (name, value) in [(ETAG, tag), (CACHE_CONTROL, caching)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    answer
}

/// Whether the client holds the document with that tag (RFC 9110, section 13.1.2).
fn names(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag)
}
