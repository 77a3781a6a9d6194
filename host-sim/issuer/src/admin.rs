//! Rotation on demand, on a listener that only this machine reaches.

use std::time::SystemTime;

use http::header::ORIGIN;
use http::{Method, StatusCode};
use serde_json::json;
use signing_keys::Error;

use crate::Issuer;
use crate::answer::{Answer, Asked, json as json_answer, method_not_allowed, not_found, text};

/// Answers a request on the admin listener.
pub(crate) fn answer(issuer: &Issuer, asked: &Asked) -> Answer {
    if asked.head.uri.path() != "/rotate" {
        return not_found();
    }
    if asked.head.method != Method::POST {
        return method_not_allowed("POST");
    }
    // Any page that a browser on this machine shows could send a POST here.
    if asked.head.headers.contains_key(ORIGIN) {
        return text(StatusCode::FORBIDDEN, "not for browsers");
    }
    let drop_old = match asked.head.uri.query() {
        None | Some("" | "drop_old=false") => false,
        Some("drop_old=true") => true,
        Some(_) => {
            let words = "the one parameter is drop_old, true or false";
            return text(StatusCode::BAD_REQUEST, words);
        }
    };
    match issuer.ring.rotate(drop_old, SystemTime::now()) {
        Ok(rotated) => {
            let body = json!({ "kid": rotated.key_id, "published": rotated.published });
            json_answer(StatusCode::OK, &body)
        }
        Err(error @ Error::Full { .. }) => text(StatusCode::CONFLICT, &error.to_string()),
        Err(error) => {
            eprintln!("issuer: the key was not rotated: {error}");
            text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
        }
    }
}
