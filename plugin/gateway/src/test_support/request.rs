//! Requests as a client would write them, and replies as it would see them.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, OnceLock};

use crate::access::Algorithm;
use crate::access::test_support::{NOW_SECONDS, claims_with, token};
use crate::api::reply::Reply;

const VIEW: &str = "rewardspoints.rewardpoints_view";
const MANAGE: &str = "rewardspoints.rewardpoints_manage";

/// One request.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// None: the head ends the request.
    pub(crate) body: Option<Vec<u8>>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.headers {
            if name != b"authorization" {
                let (name, value) = (name.escape_ascii(), value.escape_ascii());
                writeln!(f, "{name}: {value}")?;
            }
        }
        let body = self.body.as_deref().unwrap_or_default();
        write!(f, "{}", body.escape_ascii())
    }
}

impl Request {
    /// A request without a token. The path is the whole `:path`.
    pub(crate) fn bare(method: &str, path: impl AsRef<[u8]>) -> Self {
        let request = Self {
            headers: Vec::new(),
            body: None,
        };
        request.header(":method", method).header(":path", path)
    }

    /// A request of an employee of acme who may view and manage; the path below `/reward-points`.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self::of("acme", method, path)
    }

    /// A request of an employee of this tenant.
    pub(crate) fn of(tenant: &str, method: &str, path: &str) -> Self {
        let scope = format!("{VIEW} {MANAGE}");
        Self::bare(method, format!("/reward-points{path}"))
            .bearer(&signed(&json!({"tenant": tenant, "scope": scope})))
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path).json(body)
    }

    /// `addPoints` for a customer.
    pub(crate) fn add(customer: &str, body: &Value) -> Self {
        Self::post(&format!("/customer/{customer}/addPoints"), body.to_string())
    }

    /// `redeemPoints` for a customer.
    pub(crate) fn redeem(customer: &str, body: &Value) -> Self {
        let path = format!("/customer/{customer}/redeemPoints");
        Self::post(&path, body.to_string())
    }

    pub(crate) fn create(customer: &str, body: &Value) -> Self {
        Self::post(&format!("/customer/{customer}"), body.to_string())
    }

    pub(crate) fn delete(customer: &str) -> Self {
        Self::new("DELETE", &format!("/customer/{customer}"))
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let header = (name.as_bytes().to_vec(), value.as_ref().to_vec());
        self.headers.push(header);
        self
    }

    /// The same request without a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(it, _)| it != name.as_bytes());
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// The same request with a body and its content type.
    pub(crate) fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.without("authorization")
            .header("authorization", format!("Bearer {token}"))
    }

    /// The same request with a token whose claims are changed.
    pub(crate) fn claims(self, changes: &Value) -> Self {
        self.bearer(&signed(changes))
    }
}

/// A signed token of the usual claims with some changed. Signed once per set of changes: the tests ask for few.
/// It lasts for the years that some tests let pass.
pub(crate) fn signed(changes: &Value) -> String {
    static TOKENS: OnceLock<Mutex<BTreeMap<String, String>>> = OnceLock::new();
    let mut changes = changes.clone();
    if changes.get("exp").is_none() {
        changes["exp"] = json!(NOW_SECONDS + 10 * 366 * 24 * 3600);
    }
    let mut tokens = TOKENS
        .get_or_init(Mutex::default)
        .lock()
        .expect("no test panics while it signs");
    tokens
        .entry(changes.to_string())
        .or_insert_with(|| token(Algorithm::EdDsa, &claims_with(changes.clone())))
        .clone()
}

/// What tells where an answer came from and how current it is; that has tests of its own.
const OF_FRESHNESS: [&str; 3] = ["age", "x-points-revision", "x-points-source"];

/// A reply as text: status, headers in their order, an empty line, the body. Without the headers [`OF_FRESHNESS`].
pub(crate) fn show(reply: &Reply) -> String {
    let mut text = reply.status.to_string();
    let shown = |(name, _): &&(&str, std::borrow::Cow<'_, str>)| !OF_FRESHNESS.contains(name);
    for (name, value) in reply.headers.iter().filter(shown) {
        text.push_str(&format!("\n{name}: {value}"));
    }
    let body = std::str::from_utf8(&reply.body).expect("bodies are UTF-8");
    if !body.is_empty() {
        text.push_str(&format!("\n\n{body}"));
    }
    text
}
