//! Bearer tokens: nothing that the issuer has not signed is ever let in, and what it signed says what it says.
//!
//! The first byte chooses: the rest is the value of `Authorization` as it stands (0); or header and claims, a line feed
//! between them, signed with HS256 (1) or with `EdDSA` (2); or the same signed and then changed at a place that the next
//! three bytes name (3).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use gateway::access::{
    Access, BearerToken, MAX_SUBJECT_BYTES, MAX_TOKEN_BYTES, NativeCrypto, VerifiedToken,
};
use gateway::parsers::base64url;
use serde_json::Value;

use crate::host::{FuzzHost, NOW_MS, NOW_SECONDS};
use crate::json::is_strict_object;
use crate::signing::{ISSUER, Signer, access, claims, encode};
use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "token",
    about: "a client's token: one that the issuer has not signed is never verified, one that it has means what serde_json sees",
    max_len: 4096,
    dictionary: "token",
    seeds,
    run,
};

/// The default leeway of an issuer, in seconds.
const LEEWAY_SECONDS: f64 = 30.0;

/// Deepest nesting in header and claims.
const MAX_NESTING: usize = 16;

static ACCESS: LazyLock<Access> = LazyLock::new(access);

/// Tokens that were really issued: those of the seeds.
static ISSUED: LazyLock<[String; 2]> =
    LazyLock::new(|| [Signer::Hmac.token(), Signer::Ed25519.token()]);

fn run(input: &[u8]) -> Seen {
    let Some((choice, rest)) = input.split_first() else {
        return Seen::Refused;
    };
    let (signer, change, texts) = match choice {
        0 => return unsigned(rest),
        1 => (Signer::Hmac, None, rest),
        2 => (Signer::Ed25519, None, rest),
        _ => match rest.split_first_chunk() {
            Some((&[high, low, flip], texts)) => {
                let place = usize::from(u16::from_be_bytes([high, low]));
                (Signer::Hmac, Some((place, flip)), texts)
            }
            None => return Seen::Refused,
        },
    };
    let feed = texts.iter().position(|&byte| byte == b'\n');
    let (header, claims) = texts.split_at(feed.unwrap_or(texts.len()));
    let claims = claims.get(1..).unwrap_or_default();
    let token = signer.sign(header, claims);
    match change {
        None => genuine(signer, &token, header, claims),
        Some((place, flip)) => changed(&token, place, flip),
    }
}

fn verify(authorization: &[u8]) -> Option<VerifiedToken> {
    bounded("token", authorization.len(), 500, || {
        let token = BearerToken::from_authorization(Some(authorization)).ok()?;
        assert!(token.as_bytes().len() <= MAX_TOKEN_BYTES);
        ACCESS
            .verify(token, NativeCrypto::none(), &FuzzHost::new())
            .ok()
    })
}

fn bearer(token: &str) -> Vec<u8> {
    format!("Bearer {token}").into_bytes()
}

fn unsigned(authorization: &[u8]) -> Seen {
    let verified = verify(authorization).is_some();
    let issued = ISSUED
        .iter()
        .any(|token| authorization.ends_with(token.as_bytes()));
    assert!(!verified || issued, "verified, though nobody has signed it");
    // What is not canonical has a second spelling.
    for part in authorization.split(|&byte| byte == b'.') {
        if let Some(bytes) = bounded("base64url", part.len(), 200, || base64url(part)) {
            assert_eq!(encode(&bytes).as_bytes(), part, "one spelling");
        }
    }
    Seen::accepted(verified)
}

fn changed(token: &str, place: usize, flip: u8) -> Seen {
    let mut bytes = token.as_bytes().to_vec();
    let place = place % bytes.len();
    bytes[place] ^= flip;
    let verified = verify(&[b"Bearer ", &bytes[..]].concat());
    assert!(
        verified.is_none() || bytes == token.as_bytes(),
        "verified, though byte {place} was changed by {flip:#x}"
    );
    Seen::accepted(verified.is_some())
}

fn genuine(signer: Signer, token: &str, header: &[u8], claims: &[u8]) -> Seen {
    let Some(verified) = verify(&bearer(token)) else {
        return Seen::Refused;
    };
    assert!(
        is_strict_object(header, MAX_NESTING),
        "a header that is no strict JSON"
    );
    assert!(
        is_strict_object(claims, MAX_NESTING),
        "claims that are no strict JSON"
    );
    let header: Value = serde_json::from_slice(header).expect("JSON");
    let claims: Value = serde_json::from_slice(claims).expect("JSON");
    assert_eq!(header["alg"], signer.algorithm());
    assert!(
        header.get("crit").is_none(),
        "an extension that nobody knows"
    );
    assert!(
        header.get("kid").is_none_or(|kid| kid == signer.kid()),
        "another key"
    );
    assert_eq!(claims["iss"], ISSUER);
    let expires = claims["exp"].as_f64().expect("a token without end");
    let now = NOW_MS as f64 / 1000.0;
    let not_before = |name: &str| claims[name].as_f64().unwrap_or(0.0);
    let holds = now < expires + LEEWAY_SECONDS
        && now >= not_before("nbf") - LEEWAY_SECONDS
        && now >= not_before("iat") - LEEWAY_SECONDS;
    let identity = verified.identity_at(NOW_MS);
    // Within half a millisecond of a bound either is right.
    let near = |bound: f64| (now - bound).abs() < 0.001;
    if !near(expires + LEEWAY_SECONDS)
        && !near(not_before("nbf") - LEEWAY_SECONDS)
        && !near(not_before("iat") - LEEWAY_SECONDS)
    {
        assert_eq!(identity.is_ok(), holds, "by the clock");
    }
    let Ok(identity) = identity else {
        return Seen::Refused;
    };
    let words = scope_words(&claims);
    let told = words.iter().filter_map(|it| it.strip_prefix("tenant="));
    let named: BTreeSet<&str> = claims["tenant"].as_str().into_iter().chain(told).collect();
    assert_eq!(
        named.into_iter().collect::<Vec<_>>(),
        [identity.tenant_name()],
        "one tenant"
    );
    let plain = |it: &u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let tenant = identity.tenant_name();
    assert!((3..=16).contains(&tenant.len()) && tenant.as_bytes().iter().all(plain));
    let scopes: Vec<&str> = identity.scopes().iter().collect();
    let expected: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|it| !it.starts_with("tenant="))
        .collect();
    assert_eq!(scopes, expected, "scopes");
    assert_eq!(identity.subject(), claims["sub"].as_str());
    assert!(
        identity
            .subject()
            .is_none_or(|it| it.len() <= MAX_SUBJECT_BYTES)
    );
    assert_eq!(verified.token_id(), claims["jti"].as_str());
    Seen::Accepted
}

fn scope_words(claims: &Value) -> Vec<String> {
    let present = ["scope", "scp", "scopes"]
        .into_iter()
        .find_map(|name| claims.get(name));
    match present {
        Some(Value::String(words)) => words
            .split(' ')
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect(),
        Some(Value::Array(words)) => words
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = ISSUED
        .iter()
        .map(|token| [&[0][..], &bearer(token)].concat())
        .collect();
    for value in [
        "Bearer a.b.c",
        "bearer   eyJhbGciOiJub25lIn0.e30.",
        "Basic YTpi",
        "Bearer ",
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.AA==",
    ] {
        seeds.push([&[0], value.as_bytes()].concat());
    }
    let good = claims();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims.to_string()
    };
    let texts = [
        good.to_string(),
        with("exp", (NOW_SECONDS - 31).into()),
        with("exp", 1_750_000_000.5.into()),
        with("nbf", (NOW_SECONDS + 60).into()),
        with("scope", "a b tenant=acme".into()),
        with("scope", "tenant=other".into()),
        with("scope", Value::Null),
        with("tenant", "Acme".into()),
        with("aud", vec!["a", "b"].into()),
        with("sub", "\u{1}".into()),
        format!("{{\"iss\":\"{ISSUER}\",\"exp\":9999999999,\"scp\":[\"a\",\"tenant=acme\"]}}"),
    ];
    for claims in &texts {
        let header = Signer::Hmac.header();
        seeds.push([&[1][..], header.as_bytes(), b"\n", claims.as_bytes()].concat());
    }
    for header in [
        Signer::Ed25519.header(),
        r#"{"alg":"EdDSA"}"#.to_owned(),
        r#"{"alg":"EdDSA","crit":["x"]}"#.to_owned(),
        r#"{"alg":"EdDSA","typ":"dpop+jwt"}"#.to_owned(),
        r#"{"alg":"EdDSA","kid":"p256-1"}"#.to_owned(),
        r#"{"alg":"none"}"#.to_owned(),
    ] {
        seeds.push([&[2][..], header.as_bytes(), b"\n", texts[0].as_bytes()].concat());
    }
    let header = Signer::Hmac.header();
    seeds.push(
        [
            &[3, 0, 60, 1][..],
            header.as_bytes(),
            b"\n",
            texts[0].as_bytes(),
        ]
        .concat(),
    );
    seeds
}
