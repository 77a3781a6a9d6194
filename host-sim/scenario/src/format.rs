//! A scenario as it stands in its file: given, when, then.
//!
//! Only the shape, and what may stand together; what the words lead to is decided where scenarios are played. The schema
//! (`schema.json`) says the same for editors, and is checked first, so that a wrong file is told by its place in it.

mod expect;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

pub use self::expect::{
    AccountExpect, Check, Count, EngineExpect, Expect, HeaderExpect, SeenExpect,
};
use crate::driver::EngineState;
use crate::duration::Span;

/// One file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in one sentence.
    pub scenario: String,
    /// More for the reader.
    #[serde(default)]
    pub about: Option<String>,
    /// How it begins.
    #[serde(default)]
    pub given: Given,
    /// What happens, in order.
    pub when: Vec<Step>,
    /// How it is in the end.
    #[serde(default)]
    pub then: Option<Check>,
    /// Drivers on which it cannot be played, with the reason.
    #[serde(default)]
    pub not_on: BTreeMap<String, String>,
}

impl Scenario {
    /// Everything that it looks at, by JSON pointer.
    pub fn checks(&self) -> impl Iterator<Item = (String, &Check)> {
        let steps = self.when.iter().enumerate();
        let of_steps = steps.filter_map(|(number, step)| {
            let check = step.check.as_ref()?;
            Some((format!("/when/{number}/check"), check))
        });
        of_steps.chain(self.then.iter().map(|then| ("/then".to_owned(), then)))
    }
}

/// How a scenario begins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// What differs from the usual configuration (JSON Merge Patch, RFC 7396).
    #[serde(default)]
    pub configuration: Option<Value>,
    /// Another configuration in place of the usual one, from a file beside this one.
    #[serde(default)]
    pub configuration_file: Option<PathBuf>,
    /// When it begins, RFC 3339.
    #[serde(default)]
    pub time: Option<String>,
    /// How many gateways there are.
    #[serde(default)]
    pub gateways: Option<usize>,
    /// How many workers each of them has.
    #[serde(default)]
    pub workers: Option<usize>,
    /// Tokens by name.
    #[serde(default)]
    pub tokens: BTreeMap<String, TokenSpec>,
    /// Accounts of the tenant `acme`.
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountSpec>,
    /// Accounts of other tenants.
    #[serde(default)]
    pub accounts_of: BTreeMap<String, BTreeMap<String, AccountSpec>>,
    /// What stands behind the gateway; without, nothing does.
    #[serde(default)]
    pub upstream: Option<ServerSpec>,
    /// The server on which issuers with a `jwks_uri` publish their keys.
    #[serde(default)]
    pub key_server: Option<KeyServerSpec>,
    /// How the engine is.
    #[serde(default)]
    pub engine: Option<EngineState>,
    /// Whether the gateway must not have been used before.
    #[serde(default)]
    pub fresh_gateway: bool,
}

/// A token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// Its tenant (default `acme`).
    #[serde(default)]
    pub tenant: Option<String>,
    /// Its scopes; `view` and `manage` stand for the usual ones (default: both).
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// Its subject (default: the token's name).
    #[serde(default)]
    pub subject: Option<String>,
    /// Who signs it (default: the first issuer of the configuration).
    #[serde(default)]
    pub issuer: Option<String>,
    /// By which algorithm (default: the first of its issuer's that keys can be made for).
    #[serde(default)]
    pub algorithm: Option<String>,
    /// With which key, by name; keys that no issuer publishes are known to nobody (default: the issuer's own).
    #[serde(default)]
    pub key: Option<String>,
    /// How long ago it was issued, at the beginning (default `1m`).
    #[serde(default)]
    pub issued_ago: Option<Span>,
    /// How long it lasts from the beginning on (default `24h`).
    #[serde(default)]
    pub lasts: Option<Span>,
    /// How long ago it ended, at the beginning.
    #[serde(default)]
    pub ended_ago: Option<Span>,
    /// Claims besides; null takes one away.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
    /// Puts another header before it, under a good signature of the EdDSA key.
    #[serde(default)]
    pub header: Option<Value>,
    /// Exchanges its signature for one that is made up.
    #[serde(default)]
    pub forged: bool,
    /// In place of a token: this text.
    #[serde(default)]
    pub text: Option<String>,
}

/// An account to begin with.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum AccountSpec {
    /// It has so many points, in one lot; 0: none.
    Points(u64),
    /// It was made by these entries.
    Entries {
        /// Bodies of addPoints, in order.
        #[serde(default)]
        added: Vec<Value>,
        /// Bodies of redeemPoints, after that.
        #[serde(default)]
        redeemed: Vec<Value>,
    },
}

/// One or several of something.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn all(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A server behind the gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSpec {
    /// Nobody listens.
    #[serde(default)]
    pub down: bool,
    /// What it answers; the first whose path fits counts (default: 200 to everything).
    #[serde(default)]
    pub answers: Option<Vec<ServerAnswer>>,
}

/// One of its answers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerAnswer {
    /// Prefix of the paths that it is for (default: all).
    #[serde(default)]
    pub path: Option<String>,
    /// The status (default 200).
    #[serde(default)]
    pub status: Option<u16>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Trailers.
    #[serde(default)]
    pub trailers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: Option<String>,
    /// It never answers.
    #[serde(default)]
    pub silent: bool,
}

/// Where keys are published.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyServerSpec {
    /// Nobody listens.
    #[serde(default)]
    pub down: bool,
    /// It takes requests and never answers.
    #[serde(default)]
    pub silent: bool,
    /// The names of the keys that it publishes (default: each issuer's own).
    #[serde(default)]
    pub publishes: Option<Vec<String>>,
    /// In place of keys: this status.
    #[serde(default)]
    pub status: Option<u16>,
    /// In place of keys: this body.
    #[serde(default)]
    pub body: Option<String>,
}

/// Something that happens. One of the fields up to `check` says what; the others belong to some of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `METHOD PATH`: a request.
    #[serde(default)]
    pub send: Option<String>,
    /// Bytes on a connection of their own.
    #[serde(default)]
    pub raw: Option<String>,
    /// Waits for the request that was begun under this name.
    #[serde(default)]
    pub finish: Option<String>,
    /// The client of that request goes away.
    #[serde(default)]
    pub leave: Option<String>,
    /// Requests, all under way at once.
    #[serde(default)]
    pub together: Option<Vec<Step>>,
    /// Time passes.
    #[serde(default)]
    pub pass: Option<Span>,
    /// The engine is so from now on.
    #[serde(default)]
    pub engine: Option<EngineState>,
    /// What stands behind the gateway is so from now on.
    #[serde(default)]
    pub upstream: Option<ServerSpec>,
    /// The server of keys is so from now on.
    #[serde(default)]
    pub key_server: Option<KeyServerSpec>,
    /// That worker's VM ends; another one takes its place.
    #[serde(default)]
    pub lose_worker: Option<usize>,
    /// These tokens are revoked in the engine.
    #[serde(default)]
    pub revoke: Option<Revocation>,
    /// That is taken back.
    #[serde(default)]
    pub take_back: Option<Revocation>,
    /// Looks at what is there now.
    #[serde(default)]
    pub check: Option<Check>,

    /// Whose token goes with the request (default `clerk`; `nobody`: none).
    #[serde(default, rename = "as")]
    pub token: Option<String>,
    /// Headers; several values for one that is sent several times.
    #[serde(default)]
    pub headers: BTreeMap<String, OneOrMany<String>>,
    /// The body as JSON, with its content type.
    #[serde(default)]
    pub json: Option<Value>,
    /// The body as it is; a content type has to be said.
    #[serde(default)]
    pub body: Option<String>,
    /// The body in parts, of no announced length.
    #[serde(default)]
    pub parts: Option<Vec<String>>,
    /// What comes after the body.
    #[serde(default)]
    pub trailers: BTreeMap<String, String>,
    /// HTTP version, 1 or 2 (default 1).
    #[serde(default)]
    pub http: Option<u8>,
    /// Which gateway, from 0 (default 0).
    #[serde(default)]
    pub gateway: Option<usize>,
    /// Which of its workers, from 0 (default: any).
    #[serde(default)]
    pub worker: Option<usize>,
    /// Does not wait for the answer: `finish` does, under this name.
    #[serde(default)]
    pub begin: Option<String>,
    /// In `together`: so many of it; `${n}` is 1, 2, 3 and so on.
    #[serde(default)]
    pub times: Option<u32>,
    /// What comes of it.
    #[serde(default)]
    pub then: Option<Expect>,
}

/// Tokens that are good no longer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The token of this name, by its `jti`.
    #[serde(default)]
    pub token: Option<String>,
    /// All tokens of its subject.
    #[serde(default)]
    pub subject_of: Option<String>,
}
