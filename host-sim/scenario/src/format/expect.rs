//! What a scenario expects: of an answer, and of what is there afterwards.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::OneOrMany;
use crate::duration::Span;

/// What an answer must be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The status.
    #[serde(default)]
    pub status: Option<u16>,
    /// There is no answer.
    #[serde(default)]
    pub no_answer: bool,
    /// Of requests that were sent together: how many got which status.
    #[serde(default)]
    pub statuses: Option<BTreeMap<String, usize>>,
    /// Headers: a text is the one value, a list all values, true any value, null that there is none.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderExpect>,
    /// Trailers, likewise.
    #[serde(default)]
    pub trailers: BTreeMap<String, HeaderExpect>,
    /// The whole body as text.
    #[serde(default)]
    pub body: Option<String>,
    /// The whole body as JSON; order of members does not matter.
    #[serde(default)]
    pub json: Option<Value>,
    /// What the body must have as JSON; objects may have more.
    #[serde(default)]
    pub json_has: Option<Value>,
    /// Texts that stand in the body.
    #[serde(default)]
    pub contains: Option<OneOrMany<String>>,
    /// The whole body as bytes, in hex.
    #[serde(default)]
    pub hex: Option<String>,
    /// Asks again until it is so, for as long at most.
    #[serde(default)]
    pub within: Option<Span>,
    /// Keeps parts of the answer: `header:NAME`, `json:/POINTER`, `body`, `status`.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
}

/// What a header must be.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum HeaderExpect {
    /// True: it is there. False: it is not.
    Present(bool),
    /// It has this one value.
    Value(String),
    /// It has these values, in this order.
    Values(Vec<String>),
    /// It is not there.
    Absent(()),
}

/// What must be there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Accounts of the tenant `acme`.
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountExpect>,
    /// Accounts of other tenants.
    #[serde(default)]
    pub accounts_of: BTreeMap<String, BTreeMap<String, AccountExpect>>,
    /// What the engine holds of a tenant (default `acme`).
    #[serde(default)]
    pub engine: Option<EngineExpect>,
    /// What the upstream has been asked, all of it, in order.
    #[serde(default)]
    pub upstream: Option<Vec<SeenExpect>>,
    /// How often keys have been fetched.
    #[serde(default)]
    pub key_fetches: Option<Count>,
    /// By how much counters have grown since the beginning, and what gauges show, on gateway 0.
    #[serde(default)]
    pub metrics: BTreeMap<String, Count>,
    /// Texts that stand in lines of gateway 0's log, each text in one line.
    #[serde(default)]
    pub log: Vec<OneOrMany<String>>,
    /// Texts that stand nowhere in it.
    #[serde(default)]
    pub log_lacks: Vec<String>,
}

/// What an account must be.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum AccountExpect {
    /// There is none.
    None(()),
    /// It has this balance.
    Balance(u64),
    /// Its summary has this; objects may have more.
    Summary(Value),
}

/// What the engine must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineExpect {
    /// Whose (default `acme`).
    #[serde(default)]
    pub tenant: Option<String>,
    /// Documents of accounts, those of deleted ones among them.
    #[serde(default)]
    pub documents: Option<Count>,
    /// How often these were written, all in all.
    #[serde(default)]
    pub writes: Option<Count>,
    /// Segments of history.
    #[serde(default)]
    pub segments: Option<Count>,
}

/// A number, or bounds of one.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Count {
    /// Exactly so many.
    Exactly(u64),
    /// Within bounds.
    Within {
        /// No fewer.
        #[serde(default)]
        at_least: Option<u64>,
        /// No more.
        #[serde(default)]
        at_most: Option<u64>,
    },
}

/// A request as a server saw it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenExpect {
    /// `METHOD PATH`.
    pub request: String,
    /// Headers, as in an answer.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderExpect>,
    /// Trailers, likewise.
    #[serde(default)]
    pub trailers: BTreeMap<String, HeaderExpect>,
    /// The whole body as text.
    #[serde(default)]
    pub body: Option<String>,
}
