//! The gateway's configuration: one JSON document, checked as a whole before anything runs.
//!
//! Unknown fields, wrong types and values out of bounds are errors that name the field's path; nothing is guessed or
//! clamped. The reference, with every default, is `docs/configuration.md`.

mod access;
mod reads;
mod source;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use self::access::{
    DecisionLines, DecisionLogConfig, IdentityHeaders, RevocationConfig, TokensConfig,
};
pub use self::reads::{ReadMode, ReadsConfig};
pub use self::sweep::SweepConfig;
use crate::access::{Access, IssuerConfig, TenantConfig};
use crate::accounts::copies::{CACHE_BYTES, DEFAULT_CACHE_BYTES};
use crate::accounts::list::Limits;
use crate::accounts::placement::{MAX_CLUSTERS, Placement};
use crate::api::cors::CorsConfig;
use crate::config_error::ConfigError;
use crate::policy::Policy;
use crate::rules::config::ClaimTestConfig;
use crate::rules::{OperationsConfig, RuleConfig};

/// The longest body that may be configured, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The longest validity of a site, in months: a hundred years.
pub const MAX_VALIDITY_MONTHS: u32 = 1200;

/// Sites that may be configured.
pub const MAX_SITES: usize = 1000;

/// The longest answer of summaryBatch that may be configured, in bytes: several are made at a time in a VM of 1 GiB.
pub const MAX_BATCH_BYTES: usize = 64 * 1024 * 1024;

/// The longest name of a site or realm, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// The most accounts that one call may be configured to carry. An etcd of default settings takes 64.
pub const MAX_BATCH: usize = 512;

/// The most calls of a kind that may be configured to be under way at a time.
pub const MAX_IN_FLIGHT: usize = 1024;

/// Bounds of every time budget, in milliseconds.
const BUDGET_MS: std::ops::RangeInclusive<u32> = 10..=60_000;

/// The site of a request that names none.
pub const DEFAULT_SITE: &str = "main";

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The realm of a challenge (RFC 6750, section 3).
    #[serde(default = "default_realm")]
    pub realm: String,
    /// Who issues tokens.
    pub issuers: Vec<IssuerConfig>,
    /// How a token names its tenant.
    #[serde(default)]
    pub tenant: TenantConfig,
    /// How tokens are remembered.
    #[serde(default)]
    pub tokens: TokensConfig,
    /// How revoked tokens become known.
    #[serde(default)]
    pub revocation: RevocationConfig,
    /// What the operations require, where that is not the default.
    #[serde(default)]
    pub operations: OperationsConfig,
    /// Tests of claims for all operations.
    #[serde(default)]
    pub operation_claims: Vec<ClaimTestConfig>,
    /// Paths below which everything is refused that no rule is for.
    #[serde(default)]
    pub guarded_prefixes: Vec<String>,
    /// Rules for routes that the gateway guards and does not serve.
    #[serde(default)]
    pub rules: Vec<RuleConfig>,
    /// The headers that tell upstreams who is calling.
    #[serde(default)]
    pub identity_headers: IdentityHeaders,
    /// What browsers of other origins may do; absent: nothing.
    #[serde(default)]
    pub cors: Option<CorsConfig>,
    /// What is logged of decisions.
    #[serde(default)]
    pub decision_log: DecisionLogConfig,
    /// The sites by code.
    #[serde(default = "default_sites")]
    pub sites: BTreeMap<String, Site>,
    /// The engine behind the gateway.
    pub engine: EngineConfig,
    /// What the workers' copies of accounts may take of the host's memory, in bytes. One number for all of a gateway's
    /// workers: each number has copies of its own.
    #[serde(default = "default_cache_bytes")]
    pub cache_bytes: u64,
    /// How current reads are.
    #[serde(default)]
    pub reads: ReadsConfig,
    /// How what is left of deleted accounts is removed.
    #[serde(default)]
    pub sweep: SweepConfig,
    /// The longest request body, in bytes.
    #[serde(default = "default_max_body_bytes")]
    pub max_body_bytes: usize,
    /// Whether a request may set `createdAt`.
    #[serde(default)]
    pub allow_backdating: bool,
    /// What one summaryBatch answer may hold.
    #[serde(default)]
    pub summary_batch: SummaryBatchConfig,
    /// The mistake that is put in.
    #[cfg(feature = "planted-bugs")]
    #[serde(default)]
    pub planted_bug: Option<crate::planted::Bug>,
}

/// One site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// For how many months points are valid when a request does not say; none: for ever.
    pub validity_in_months: Option<u32>,
}

/// The engine behind the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// The names of the clusters that speak etcd's API, 1 to 16. Their number and order say which one holds an account.
    pub clusters: Vec<String>,
    /// After how long one call is given up, in milliseconds.
    #[serde(default = "default_call_timeout_ms")]
    pub call_timeout_ms: u32,
    /// How long a write may take with all its repetitions, in milliseconds.
    #[serde(default = "default_budget_ms")]
    pub write_budget_ms: u32,
    /// How long a read may take with all its repetitions, in milliseconds.
    #[serde(default = "default_budget_ms")]
    pub read_budget_ms: u32,
    /// How many accounts one call may carry at most; 1 for an engine that refuses transactions within a transaction.
    #[serde(default = "default_max_batch")]
    pub max_batch: usize,
    /// How many calls that read, and as many that write, one worker makes at a time to a cluster. What arrives meanwhile
    /// gathers and goes together.
    #[serde(default = "default_max_in_flight")]
    pub max_in_flight: usize,
}

/// What one summaryBatch answer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SummaryBatchConfig {
    /// Accounts of an unpaged answer.
    pub max_accounts: usize,
    /// Bytes of any answer.
    pub max_bytes: usize,
}

impl Default for SummaryBatchConfig {
    fn default() -> Self {
        Self {
            max_accounts: 10_000,
            max_bytes: 32 * 1024 * 1024,
        }
    }
}

impl SummaryBatchConfig {
    /// The same bounds, for a listing.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits {
            max_accounts: self.max_accounts,
            max_bytes: self.max_bytes,
        }
    }
}

impl EngineConfig {
    /// The cluster that holds the deny-list: the first.
    #[must_use]
    pub fn cluster(&self) -> &str {
        self.clusters.first().map_or("", String::as_str)
    }

    /// Which of the clusters holds which accounts.
    #[must_use]
    pub fn placement(&self) -> Placement {
        Placement::new(self.clusters.len())
    }
}

impl Config {
    /// Reads and checks a configuration, keys included: JSON text, or an encoded `google.protobuf.Struct`.
    ///
    /// # Errors
    /// [`ConfigError`] with the path of the first bad field.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let document = source::read(bytes)?;
        let config: Self = serde_path_to_error::deserialize(document).map_err(|error| {
            let path = match error.path().to_string() {
                root if root == "." => String::new(),
                path => path,
            };
            ConfigError::new(path, error.into_inner().to_string())
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_name("realm", &self.realm)?;
        if self.realm.contains(['"', '\\']) {
            return Err(ConfigError::new("realm", "must not hold `\"` or `\\`"));
        }
        let policy = Policy::new(self)?;
        Access::new(&self.issuers, &self.tenant, policy.tested_claims())?;
        self.tokens
            .check()
            .map_err(|error| error.within("tokens"))?;
        self.revocation
            .check()
            .map_err(|error| error.within("revocation"))?;
        self.identity_headers
            .check()
            .map_err(|error| error.within("identity_headers"))?;
        self.decision_log
            .check()
            .map_err(|error| error.within("decision_log"))?;
        if self.sites.is_empty() || self.sites.len() > MAX_SITES {
            let problem = format!("1 to {MAX_SITES} sites must be configured");
            return Err(ConfigError::new("sites", problem));
        }
        for (code, site) in &self.sites {
            check_name(&format!("sites.{code}"), code)?;
            if let Some(months) = site.validity_in_months {
                let path = format!("sites.{code}.validity_in_months");
                check_range(path, months, 1..=MAX_VALIDITY_MONTHS)?;
            }
        }
        self.engine
            .check()
            .map_err(|error| error.within("engine"))?;
        check_range("cache_bytes", self.cache_bytes, CACHE_BYTES)?;
        self.reads.check().map_err(|error| error.within("reads"))?;
        self.sweep.check().map_err(|error| error.within("sweep"))?;
        check_range("max_body_bytes", self.max_body_bytes, 1..=MAX_BODY_BYTES)?;
        let batch = &self.summary_batch;
        check_range(
            "summary_batch.max_accounts",
            batch.max_accounts,
            1..=1_000_000,
        )?;
        check_range(
            "summary_batch.max_bytes",
            batch.max_bytes,
            1024..=MAX_BATCH_BYTES,
        )
    }
}

impl EngineConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if !(1..=MAX_CLUSTERS).contains(&self.clusters.len()) {
            let problem = format!("1 to {MAX_CLUSTERS} clusters must be named");
            return Err(ConfigError::new("clusters", problem));
        }
        for (place, name) in self.clusters.iter().enumerate() {
            let path = format!("clusters[{place}]");
            check_name(&path, name)?;
            if <() as prost::Message>::decode(name.as_bytes()).is_ok() {
                // Envoy first tries a name as an encoded gRPC service, and ends itself when one decodes but names no target.
                let problem = "cannot be told from an encoded message, choose another name";
                return Err(ConfigError::new(path, problem));
            }
            if self.clusters.iter().take(place).any(|it| it == name) {
                return Err(ConfigError::new(path, "is named twice"));
            }
        }
        check_range("call_timeout_ms", self.call_timeout_ms, BUDGET_MS)?;
        check_range("write_budget_ms", self.write_budget_ms, BUDGET_MS)?;
        check_range("read_budget_ms", self.read_budget_ms, BUDGET_MS)?;
        check_range("max_batch", self.max_batch, 1..=MAX_BATCH)?;
        check_range("max_in_flight", self.max_in_flight, 1..=MAX_IN_FLIGHT)
    }
}

fn check_name(path: &str, name: &str) -> Result<(), ConfigError> {
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len());
    if fits && name.chars().all(|it| it == ' ' || it.is_ascii_graphic()) {
        return Ok(());
    }
    let problem = format!("must be 1 to {MAX_NAME_BYTES} printable ASCII characters");
    Err(ConfigError::new(path, problem))
}

fn check_range<T: PartialOrd + std::fmt::Display>(
    path: impl Into<String>,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    let problem = format!("{value} is not in {} to {}", range.start(), range.end());
    Err(ConfigError::new(path, problem))
}

fn default_realm() -> String {
    "reward-points".to_owned()
}

fn default_sites() -> BTreeMap<String, Site> {
    BTreeMap::from([(DEFAULT_SITE.to_owned(), Site::default())])
}

const fn default_cache_bytes() -> u64 {
    DEFAULT_CACHE_BYTES
}

const fn default_max_body_bytes() -> usize {
    64 * 1024
}

const fn default_call_timeout_ms() -> u32 {
    1000
}

const fn default_budget_ms() -> u32 {
    2000
}

const fn default_max_batch() -> usize {
    64
}

const fn default_max_in_flight() -> usize {
    4
}
