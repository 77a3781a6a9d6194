//! The tokens of a scenario, and the keys that stand in for those of the issuers in its configuration.
//!
//! Nobody has the private keys of a real issuer, so each issuer of a configuration gets keys of ours under its own name;
//! all else about it stays. Keys live as long as this process: making one takes longer than most scenarios.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ct_codecs::{Base64UrlSafeNoPadding, Encoder as _};
use serde_json::{Value, json};
use signing_keys::{Algorithm, SigningKey};

use crate::format::TokenSpec;

/// The tenant that nothing else is said of.
pub const TENANT: &str = "acme";
/// The tenant of `stranger`.
const OTHER_TENANT: &str = "other";
/// The token that a request has unless it says otherwise.
pub const CLERK: &str = "clerk";
/// No token.
pub const NOBODY: &str = "nobody";
/// The name of an issuer's own keys.
pub const OWN: &str = "own";

const VIEW: &str = "rewardspoints.rewardpoints_view";
const MANAGE: &str = "rewardspoints.rewardpoints_manage";

/// `typ` of the tokens.
const TOKEN_TYPE: &str = "at+jwt";
/// How long a token lasts unless it says otherwise.
const LASTS_MS: u64 = 24 * 3_600_000;
/// How long ago it was issued.
const ISSUED_AGO_MS: u64 = 60_000;
/// How a token is signed whose header is written down: whatever that says, the signature is good.
const HEADER_ALGORITHM: Algorithm = Algorithm::EdDsa;
/// Bytes of a made-up signature: those of ES256 and EdDSA.
const SIGNATURE_BYTES: usize = 64;

/// Tokens that every scenario has: name, tenant, scopes.
const GIVEN: [(&str, &str, &[&str]); 4] = [
    (CLERK, TENANT, &["view", "manage"]),
    ("viewer", TENANT, &["view"]),
    ("manager", TENANT, &["manage"]),
    ("stranger", OTHER_TENANT, &["view", "manage"]),
];

/// Whether there is a token of that name.
#[must_use]
pub fn is_known(specs: &BTreeMap<String, TokenSpec>, name: &str) -> bool {
    name == NOBODY || specs.contains_key(name) || GIVEN.iter().any(|it| it.0 == name)
}

/// What is said of a name that there is not.
#[must_use]
pub fn unknown(specs: &BTreeMap<String, TokenSpec>, name: &str) -> String {
    let mut known: Vec<&str> = specs.keys().map(String::as_str).collect();
    known.extend(GIVEN.iter().map(|it| it.0));
    known.push(NOBODY);
    format!("there is no token {name:?}: there are {}", known.join(", "))
}

/// The token of that name, as it is written down or given.
#[must_use]
pub fn spec(specs: &BTreeMap<String, TokenSpec>, name: &str) -> Option<TokenSpec> {
    let given = GIVEN.iter().find(|it| it.0 == name).map(|it| TokenSpec {
        tenant: Some(it.1.to_owned()),
        scopes: Some(it.2.iter().map(|&scope| scope.to_owned()).collect()),
        ..TokenSpec::default()
    });
    specs.get(name).cloned().or(given)
}

/// What a token says about itself that others refer to.
#[derive(Clone, Debug)]
pub struct Token {
    /// What is sent.
    pub text: String,
    /// Its issuer.
    pub issuer: String,
    /// Its `sub`.
    pub subject: String,
    /// Its `jti`.
    pub id: String,
}

/// What a token is made from besides what is said of it.
pub struct Circumstances<'a> {
    /// Its name.
    pub name: &'a str,
    /// What its tenant is called here.
    pub tenant: &'a str,
    /// What makes ids of this scenario differ from those of others.
    pub unique: &'a str,
    /// When the scenario began, in milliseconds since 1970.
    pub start_ms: i64,
    /// The filter's configuration.
    pub configuration: &'a Value,
}

/// Makes a token.
///
/// # Errors
/// What about it makes no sense, for people.
pub fn make(spec: &TokenSpec, around: &Circumstances<'_>) -> Result<Token, String> {
    let issuers = around.configuration["issuers"].as_array();
    let issuers = issuers.map_or(&[][..], Vec::as_slice);
    let issuer = match &spec.issuer {
        Some(issuer) => issuer.clone(),
        None => issuers
            .first()
            .and_then(|it| it["issuer"].as_str())
            .ok_or("the configuration has no issuer that could sign a token")?
            .to_owned(),
    };
    let configured = issuers.iter().find(|it| it["issuer"] == issuer.as_str());
    let algorithm = match &spec.algorithm {
        Some(name) => {
            Algorithm::from_name(name).ok_or_else(|| format!("no keys can be made for {name}"))?
        }
        None => configured
            .map_or(Some(Algorithm::Es256), usual_algorithm)
            .ok_or_else(|| {
                format!(
                    "{issuer} signs with none of RS256, ES256 and EdDSA: no token of it can be made"
                )
            })?,
    };
    let subject = spec
        .subject
        .clone()
        .unwrap_or_else(|| format!("{}{}", around.name, around.unique));
    let id = format!(
        "{}-{}{}",
        signing_keys::random_id(),
        around.name,
        around.unique
    );
    let seconds = |ms: i64| ms.div_euclid(1_000);
    let ms = |span: Option<crate::duration::Span>, usual: u64| {
        i64::try_from(span.map_or(usual, |it| it.ms)).unwrap_or(i64::MAX)
    };
    let ends_ms = match spec.ended_ago {
        Some(ago) => around.start_ms.saturating_sub(ms(Some(ago), 0)),
        None => around.start_ms.saturating_add(ms(spec.lasts, LASTS_MS)),
    };
    let issued_ms = around
        .start_ms
        .saturating_sub(ms(spec.issued_ago, ISSUED_AGO_MS));
    let scopes = spec
        .scopes
        .clone()
        .unwrap_or_else(|| vec!["view".to_owned(), "manage".to_owned()]);
    let scopes: Vec<&str> = scopes
        .iter()
        .map(|scope| match scope.as_str() {
            "view" => VIEW,
            "manage" => MANAGE,
            other => other,
        })
        .collect();
    let mut claims = json!({
        "iss": issuer,
        "sub": subject,
        "jti": id,
        "iat": seconds(issued_ms),
        "exp": seconds(ends_ms),
        "tenant": around.tenant,
        "scope": scopes.join(" "),
    });
    if let (Some(audience), Some(claims)) = (
        configured.and_then(|it| it["audiences"].get(0)),
        claims.as_object_mut(),
    ) {
        claims.insert("aud".to_owned(), audience.clone());
    }
    if let Some(claims) = claims.as_object_mut() {
        claims.extend(spec.claims.clone());
        claims.retain(|_, value| !value.is_null());
    }
    let key_name = spec.key.as_deref().unwrap_or(OWN);
    let text = match (&spec.text, &spec.header) {
        (Some(text), _) => text.clone(),
        (None, Some(header)) => {
            let signed = [header, &claims].map(|part| base64url(part.to_string().as_bytes()));
            let signed = signed.join(".");
            let key = key(key_name, &issuer, HEADER_ALGORITHM)?;
            let signature = key.sign_bytes(signed.as_bytes()).unwrap_or_default();
            format!("{signed}.{}", base64url(&signature))
        }
        (None, None) => key(key_name, &issuer, algorithm)?
            .sign(TOKEN_TYPE, claims)
            .map_err(|error| error.to_string())?,
    };
    let text = match text.rsplit_once('.') {
        Some((signed, _)) if spec.forged => signed.to_owned() + &made_up_signature(),
        _ => text,
    };
    Ok(Token {
        text,
        issuer,
        subject,
        id,
    })
}

fn made_up_signature() -> String {
    format!(".{}", base64url(&[0x5A; SIGNATURE_BYTES]))
}

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    // The buffer is the library's own and large enough.
    Base64UrlSafeNoPadding::encode_to_string(bytes).unwrap_or_default()
}

/// The first algorithm of an issuer that keys can be made for quickly, else the first that they can be made for at all.
fn usual_algorithm(issuer: &Value) -> Option<Algorithm> {
    let able = algorithms(issuer);
    let quick = able.iter().find(|it| **it != Algorithm::Rs256);
    quick.or(able.first()).copied()
}

fn algorithms(issuer: &Value) -> Vec<Algorithm> {
    let names = issuer["algorithms"].as_array().into_iter().flatten();
    names
        .filter_map(|name| Algorithm::from_name(name.as_str()?))
        .collect()
}

/// The public halves of an issuer's own keys. An RSA key, which takes long to make, is among them if it is `wanted` or there
/// is no other. Where the issuer signs with RSA otherwise than by RS256 it is published without an algorithm: whoever is
/// refused for RS256 is not refused for an unknown key.
///
/// # Errors
/// When a key cannot be made.
pub fn own_keys(issuer: &Value, rsa_wanted: bool) -> Result<Vec<Value>, String> {
    let able = algorithms(issuer);
    let name = issuer["issuer"].as_str().unwrap_or_default();
    let is_rsa = |it: &Value| {
        let name = it.as_str().unwrap_or_default();
        name.starts_with("RS") || name.starts_with("PS")
    };
    let other_rsa = rsa_wanted
        && !able.contains(&Algorithm::Rs256)
        && issuer["algorithms"]
            .as_array()
            .is_some_and(|all| all.iter().any(is_rsa));
    let rsa = rsa_wanted || able.iter().all(|it| *it == Algorithm::Rs256);
    let chosen = able.into_iter().filter(|it| rsa || *it != Algorithm::Rs256);
    let mut keys: Vec<Value> = chosen
        .map(|algorithm| Ok(key(OWN, name, algorithm)?.public_jwk()))
        .collect::<Result<_, String>>()?;
    if other_rsa {
        let mut jwk = key(OWN, name, Algorithm::Rs256)?.public_jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.remove("alg");
        }
        keys.push(jwk);
    }
    Ok(keys)
}

/// The public half of a key by its name, for the algorithm that is usual for that issuer.
///
/// # Errors
/// When it cannot be made.
pub fn named_key(name: &str, issuer: &Value) -> Result<Value, String> {
    let algorithm = usual_algorithm(issuer).unwrap_or(Algorithm::Es256);
    let issuer = issuer["issuer"].as_str().unwrap_or_default();
    Ok(key(name, issuer, algorithm)?.public_jwk())
}

type Ring = BTreeMap<(String, Algorithm), Arc<SigningKey>>;

fn key(name: &str, issuer: &str, algorithm: Algorithm) -> Result<Arc<SigningKey>, String> {
    static RING: Mutex<Ring> = Mutex::new(Ring::new());
    // Issuers do not share keys, whatever these are called.
    let place = (format!("{name} {issuer}"), algorithm);
    let mut ring = RING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = ring.get(&place) {
        return Ok(Arc::clone(key));
    }
    let made = SigningKey::generate(algorithm).map_err(|error| error.to_string())?;
    let key = Arc::new(made.with_id(&format!("{name}-{}", algorithm.name())));
    ring.insert(place, Arc::clone(&key));
    Ok(key)
}
