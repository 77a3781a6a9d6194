//! Cross-origin requests: which pages of other origins a browser may let call the API (WHATWG Fetch, the CORS protocol).
//!
//! Decides which preflights are answered, and what every reply says to browsers. It guards nothing: who may is decided by
//! tokens, and a client that is no browser does not ask. Refuses to allow credentials (`Access-Control-Allow-Credentials`):
//! a caller is known by a bearer token that the page itself puts in, never by a cookie or a certificate that the browser
//! would add unasked, so no page can act for a user whose token it does not hold.

#[cfg(test)]
mod tests;

use std::net::Ipv6Addr;

use serde::Deserialize;

use super::reply::Reply;
use crate::config_error::ConfigError;

/// Most origins.
pub const MAX_ORIGINS: usize = 64;
/// Longest origin, in bytes: a scheme, the longest host name (253) and a port.
pub const MAX_ORIGIN_BYTES: usize = 300;
/// Longest time that a preflight may be remembered, in seconds; no browser keeps one longer.
pub const MAX_MAX_AGE_SECONDS: u32 = 86_400;

/// The request headers that the API reads and that a page may not send without asking.
const ALLOW_HEADERS: &str = "Authorization, Cache-Control, Content-Type, Accept-Language, Emporix-Tenant, Idempotency-Key, X-Points-Revision, X-Total-Count";
/// The response headers of the API that a page could not read otherwise.
const EXPOSE_HEADERS: &str = "Age, Allow, Idempotency-Replayed, Retry-After, WWW-Authenticate, X-Next-Cursor, X-Points-Revision, X-Points-Source, X-Points-Stale, X-Total-Count";
/// What the answer to a preflight may depend on, for caches.
const PREFLIGHT_VARY: &str =
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
/// Every origin.
const ANY: &str = "*";

/// What an operator writes about cross-origin requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsConfig {
    /// The origins whose pages may call, 1 to [`MAX_ORIGINS`], each exactly as browsers send it; or `*` alone.
    pub origins: Vec<String>,
    /// For how long a browser may remember a preflight, in seconds; at most [`MAX_MAX_AGE_SECONDS`].
    #[serde(default = "default_max_age_seconds")]
    pub max_age_seconds: u32,
}

const fn default_max_age_seconds() -> u32 {
    600
}

/// The rules of cross-origin requests, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    origins: Origins,
    max_age_seconds: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origins {
    Any,
    Named(Vec<String>),
}

impl Cors {
    /// Checks a configuration.
    ///
    /// # Errors
    /// [`ConfigError`] with the path from the configuration's root, where it is `cors`.
    pub fn new(config: &CorsConfig) -> Result<Self, ConfigError> {
        check(config).map_err(|error| error.within("cors"))?;
        let origins = if config.origins.iter().any(|origin| origin == ANY) {
            Origins::Any
        } else {
            Origins::Named(config.origins.clone())
        };
        Ok(Self {
            origins,
            max_age_seconds: config.max_age_seconds,
        })
    }

    /// The answer to a preflight: an `OPTIONS` from a configured `Origin` with `Access-Control-Request-Method`. Nothing for
    /// any other request, which is then judged as if there were no CORS. `allow_methods` is what the path serves
    /// ([`allowed_methods`](super::route::allowed_methods)); whether the method asked for is among them, the browser
    /// decides. A header that was sent several times counts as not sent. The answer is complete: it is not to be
    /// [decorated](Self::decorate).
    #[must_use]
    pub fn preflight(
        &self,
        method: &[u8],
        origin: Option<&[u8]>,
        request_method: Option<&[u8]>,
        allow_methods: &'static str,
    ) -> Option<Reply> {
        if method != b"OPTIONS" {
            return None;
        }
        request_method?;
        // With any origin allowed the answer is the same without one, but then no browser is asking.
        origin?;
        let allowed = self.allowed(origin)?;
        Some(
            Reply::empty(204)
                .with("access-control-allow-origin", allowed.to_owned())
                .with("access-control-allow-methods", allow_methods)
                .with("access-control-allow-headers", ALLOW_HEADERS)
                .with("access-control-max-age", self.max_age_seconds.to_string())
                .with("vary", PREFLIGHT_VARY),
        )
    }

    /// A reply with what browsers need to hand it to a page of a configured origin. Every reply of the API is to pass
    /// through here, refusals too: a page that cannot read a 401 cannot act on it.
    ///
    /// With named origins every reply says that it depends on `Origin`, also one for a foreign origin or none: else a cache
    /// would hand that one, which lets no page read it, to a configured origin. With `*` every reply is the same, so
    /// nothing depends on anything.
    #[must_use]
    pub fn decorate(&self, reply: Reply, origin: Option<&[u8]>) -> Reply {
        let reply = match self.allowed(origin) {
            Some(allowed) => reply
                .with("access-control-allow-origin", allowed.to_owned())
                .with("access-control-expose-headers", EXPOSE_HEADERS),
            None => reply,
        };
        match self.origins {
            Origins::Any => reply,
            Origins::Named(_) => reply.with("vary", "Origin"),
        }
    }

    /// The value of `Access-Control-Allow-Origin`. Always a configured one, so no byte of a client's gets into a reply.
    fn allowed(&self, origin: Option<&[u8]>) -> Option<&str> {
        match &self.origins {
            Origins::Any => Some(ANY),
            Origins::Named(origins) => {
                let origin = origin?;
                origins
                    .iter()
                    .map(String::as_str)
                    .find(|configured| configured.as_bytes() == origin)
            }
        }
    }
}

fn check(config: &CorsConfig) -> Result<(), ConfigError> {
    let origins = &config.origins;
    if !(1..=MAX_ORIGINS).contains(&origins.len()) {
        let problem = format!("1 to {MAX_ORIGINS} origins must be given");
        return Err(ConfigError::new("origins", problem));
    }
    for (index, origin) in origins.iter().enumerate() {
        check_origin(origin, origins.len() == 1)
            .map_err(|problem| ConfigError::new(format!("origins[{index}]"), problem))?;
    }
    let age = config.max_age_seconds;
    if age > MAX_MAX_AGE_SECONDS {
        let problem = format!("{age} is not in 0 to {MAX_MAX_AGE_SECONDS}");
        return Err(ConfigError::new("max_age_seconds", problem));
    }
    Ok(())
}

/// Whether a browser can send this origin (WHATWG HTML, serialization of an origin): anything else would never match.
fn check_origin(origin: &str, alone: bool) -> Result<(), &'static str> {
    match origin {
        ANY if alone => return Ok(()),
        ANY => return Err("`*` must be the only origin"),
        // What sandboxed documents, local files and redirects send: it stands for anybody.
        "null" => return Err("`null` names no origin"),
        _ => {}
    }
    let form = "must be scheme://host or scheme://host:port, in lower case and without a path";
    if origin.len() > MAX_ORIGIN_BYTES {
        return Err(form);
    }
    let (scheme, authority) = origin.split_once("://").ok_or(form)?;
    let (host, port) = split_port(authority);
    if !is_scheme(scheme) || !is_host(host) {
        return Err(form);
    }
    let Some(port) = port else {
        return Ok(());
    };
    let number: u16 = port.parse().map_err(|_| form)?;
    if number == 0 || number.to_string() != port {
        return Err(form);
    }
    match (scheme, number) {
        ("http", 80) | ("https", 443) => Err("browsers leave out the scheme's default port"),
        _ => Ok(()),
    }
}

/// Splits at the last `:` that is not inside the brackets of an IPv6 address.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// RFC 3986, section 3.1, in lower case.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_lowercase())
        && text
            .bytes()
            .all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'))
}

/// A name in ASCII (browsers send international ones as `xn--`), an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    let bracketed = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match bracketed {
        Some(address) => {
            let parsed = address.parse::<Ipv6Addr>();
            parsed.is_ok() && !address.bytes().any(|it| it.is_ascii_uppercase())
        }
        None => {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
        }
    }
}
