//! The token endpoint: client credentials in, an access token out (RFC 6749, section 4.4; RFC 9068).

use std::time::{SystemTime, UNIX_EPOCH};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use signing_keys::random_id;

use crate::Issuer;
use crate::answer::{Answer, Asked, json as json_answer, not_stored};
use crate::authentication::Credentials;
use crate::clients::{Client, is_scope};
use crate::form::Form;
use crate::refusal::Refusal;

/// The header `typ` of a token (RFC 9068, section 2.1).
const TOKEN_TYPE: &str = "at+jwt";
/// The one grant.
pub(crate) const GRANT_TYPE: &str = "client_credentials";
/// The media type of a request.
const FORM: &str = "application/x-www-form-urlencoded";
/// Parameters that mean something here; all others are ignored, however often they come.
const PARAMETERS: [&str; 4] = ["grant_type", "scope", "client_id", "client_secret"];

/// Answers a request.
pub(crate) fn answer(issuer: &Issuer, asked: &Asked) -> Answer {
    match grant(issuer, asked) {
        Ok(answer) => answer,
        Err(refusal) => refusal.answer(),
    }
}

fn grant(issuer: &Issuer, asked: &Asked) -> Result<Answer, Refusal> {
    let form = read(asked)?;
    let credentials = Credentials::of(&asked.head.headers, &form)?;
    let grant_type = form.get("grant_type").ok_or(Refusal::NoGrantType)?;
    let client = credentials.authenticate(&issuer.clients)?;
    if grant_type != GRANT_TYPE {
        return Err(Refusal::GrantType);
    }
    let scope = scope(client, form.get("scope"))?;
    let token = token(issuer, client, &scope)?;
    let body = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": client.token_seconds,
        "scope": scope,
    });
    Ok(not_stored(json_answer(StatusCode::OK, &body)))
}

/// The form of a request that is one.
fn read(asked: &Asked) -> Result<Form, Refusal> {
    if asked.head.method != Method::POST {
        return Err(Refusal::Method);
    }
    if !is_form(&asked.head.headers) {
        return Err(Refusal::MediaType);
    }
    let body = asked.body.as_ref().ok_or(Refusal::TooLong)?;
    if asked.head.uri.query().is_some() {
        return Err(Refusal::Query);
    }
    let form = Form::parse(body).map_err(|_| Refusal::Malformed)?;
    match PARAMETERS.into_iter().find(|name| form.repeats(name)) {
        Some(name) => Err(Refusal::Repeated(name)),
        None => Ok(form),
    }
}

/// Whether there is one `Content-Type`, a form's. Its parameters, as a charset, change nothing: a form is ASCII.
fn is_form(headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(CONTENT_TYPE).iter();
    let kind = given.next().and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next());
    essence.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM)) && given.next().is_none()
}

/// What was asked for, each scope once; without asking, all that the client may have.
fn scope(client: &Client, asked: Option<&str>) -> Result<String, Refusal> {
    let Some(asked) = asked else {
        return Ok(client.scopes.join(" "));
    };
    let mut granted: Vec<&str> = Vec::new();
    for scope in asked.split(' ') {
        if !is_scope(scope) || !client.scopes.iter().any(|own| own == scope) {
            return Err(Refusal::Scope);
        }
        if !granted.contains(&scope) {
            granted.push(scope);
        }
    }
    Ok(granted.join(" "))
}

fn token(issuer: &Issuer, client: &Client, scope: &str) -> Result<String, Refusal> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let mut claims = json!({
        "iss": issuer.name,
        "sub": client.id,
        "client_id": client.id,
        "iat": now,
        "exp": now.saturating_add(client.token_seconds),
        "jti": random_id(),
        "tenant": client.tenant,
        "scope": scope,
    });
    if let Some(audience) = &issuer.audience {
        claims["aud"] = json!(audience);
    }
    let signed = issuer
        .ring
        .current()
        .and_then(|key| key.sign(TOKEN_TYPE, claims));
    signed.map_err(|error| {
        eprintln!("issuer: no token can be signed: {error}");
        Refusal::Keys
    })
}
