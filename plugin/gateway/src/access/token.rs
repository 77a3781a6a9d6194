//! From an `Authorization` value to the three decoded parts of a token, and what its header says about the key.
//!
//! Everything here is unverified and cheap, and refuses whatever has a second reading. Header members that name keys from outside
//! (`jku`, `jwk`, `x5u`, `x5c`, ...) are never looked at, so they can lead nowhere.

use std::fmt;

use super::algorithm::Algorithm;
use super::config::MAX_NAME_BYTES;
use super::encoding::base64url;
use super::error::Unauthenticated;
use crate::strict_json::{Json, Object, parse_object};

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Longest decoded token header, in bytes.
pub const MAX_HEADER_BYTES: usize = 2 * 1024;

/// Deepest nesting of arrays and objects in a token's header or claims.
pub(super) const MAX_NESTING: usize = 16;

/// The scheme with the space that ends it; there may be more spaces.
const SCHEME: &[u8] = b"bearer ";

/// base64url's alphabet and the dot between the parts.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase()
        | byte.is_ascii_uppercase()
        | byte.is_ascii_digit()
        | (byte == b'-')
        | (byte == b'_')
        | (byte == b'.')
}

/// What was sent as a bearer token: of bounded size, and not looked at yet.
#[derive(Clone, Copy)]
pub struct SentToken<'a>(&'a [u8]);

impl<'a> SentToken<'a> {
    /// Takes the token out of the value of the one `Authorization` header, if there was one.
    ///
    /// # Errors
    /// [`Unauthenticated`]: no credentials, another scheme, or too large.
    pub fn from_authorization(value: Option<&'a [u8]>) -> Result<Self, Unauthenticated> {
        let value = value.ok_or(Unauthenticated::NoCredentials)?;
        let (scheme, mut token) = value
            .split_at_checked(SCHEME.len())
            .ok_or(Unauthenticated::NotBearer)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(Unauthenticated::NotBearer);
        }
        while let Some(rest) = token.strip_prefix(b" ") {
            token = rest;
        }
        if token.is_empty() {
            return Err(Unauthenticated::NotBearer);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Unauthenticated::TokenTooLarge);
        }
        Ok(Self(token))
    }

    /// Its bytes, to look for it among those that are known. Never to be logged.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The token, if it can be one.
    ///
    /// # Errors
    /// [`Unauthenticated::MalformedToken`]: characters that no token has.
    pub fn token(self) -> Result<BearerToken<'a>, Unauthenticated> {
        // No early end: most tokens are good ones.
        let stranger = |found: bool, &byte: &u8| found | !is_token_byte(byte);
        if self.0.iter().fold(false, stranger) {
            return Err(Unauthenticated::MalformedToken);
        }
        Ok(BearerToken(self.0))
    }
}

impl fmt::Debug for SentToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SentToken({} bytes)", self.0.len())
    }
}

/// A bearer token as it was sent: not verified, of bounded size, visible ASCII only.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BearerToken<'a>(&'a [u8]);

impl<'a> BearerToken<'a> {
    /// Takes the token out of the value of the one `Authorization` header, if there was one.
    ///
    /// # Errors
    /// [`Unauthenticated`]: no credentials, another scheme, too large, or characters that no token has.
    pub fn from_authorization(value: Option<&'a [u8]>) -> Result<Self, Unauthenticated> {
        SentToken::from_authorization(value)?.token()
    }

    /// The token's bytes, e.g. to key a cache of verified tokens by their digest. Never to be logged.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Debug for BearerToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BearerToken({} bytes)", self.0.len())
    }
}

/// A token's parts, decoded but not verified.
pub(super) struct Parts<'a> {
    /// What was signed: the first two segments with the dot between them, as sent.
    pub(super) signing_input: &'a [u8],
    /// The header's JSON text.
    header: Vec<u8>,
    /// The claims' JSON text.
    pub(super) claims: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(token: BearerToken<'a>) -> Result<Self, Unauthenticated> {
        let malformed = Unauthenticated::MalformedToken;
        let mut segments = token.0.split(|byte| *byte == b'.');
        let header = segments.next().ok_or(malformed)?;
        let claims = segments.next().ok_or(malformed)?;
        let signature = segments.next().ok_or(malformed)?;
        if segments.next().is_some()
            || header.is_empty()
            || claims.is_empty()
            || signature.is_empty()
        {
            return Err(malformed);
        }
        let signed_bytes = token
            .0
            .len()
            .saturating_sub(signature.len())
            .saturating_sub(1);
        let signing_input = token.0.get(..signed_bytes).ok_or(malformed)?;
        let header = base64url(header).ok_or(malformed)?;
        let claims = base64url(claims).ok_or(malformed)?;
        let signature = base64url(signature).ok_or(malformed)?;
        if header.len() > MAX_HEADER_BYTES {
            return Err(Unauthenticated::MalformedHeader);
        }
        Ok(Self {
            signing_input,
            header,
            claims,
            signature,
        })
    }

    /// The header's members.
    pub(super) fn header(&self) -> Result<Object<'_>, Unauthenticated> {
        parse_object(&self.header, MAX_NESTING).map_err(|_| Unauthenticated::MalformedHeader)
    }
}

/// What a token's header says about how to verify it.
pub(super) struct Header<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<&'a str>,
}

impl<'a> Header<'a> {
    pub(super) fn of(header: &'a Object<'a>) -> Result<Self, Unauthenticated> {
        let malformed = Unauthenticated::MalformedHeader;
        let Some(Json::String(algorithm)) = header.get("alg") else {
            return Err(malformed);
        };
        let kid = match header.get("kid") {
            None => None,
            Some(Json::String(kid)) if !kid.is_empty() && kid.len() <= MAX_NAME_BYTES => Some(kid),
            Some(_) => return Err(malformed),
        };
        match header.get("typ") {
            None => {}
            Some(Json::String(typ)) if is_token_type(typ) => {}
            Some(_) => return Err(malformed),
        }
        if header.get("crit").is_some() {
            return Err(Unauthenticated::CriticalExtension);
        }
        let algorithm = Algorithm::from_name(algorithm).ok_or(Unauthenticated::UnknownAlgorithm)?;
        Ok(Self {
            algorithm,
            kid: kid.map(|kid| &**kid),
        })
    }
}

/// A plain token or an access token: not, say, a proof of possession or a logout token that the same key may have signed.
fn is_token_type(typ: &str) -> bool {
    const ACCEPTED: [&str; 4] = ["JWT", "at+jwt", "application/jwt", "application/at+jwt"];
    ACCEPTED
        .iter()
        .any(|accepted| typ.eq_ignore_ascii_case(accepted))
}
