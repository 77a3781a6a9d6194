//! The table of rules for routes that the filter guards but does not serve, and the verdict on one request.
//!
//! The first rule that is for the request's method and path decides; where none is, a guarded prefix denies and everything
//! else passes. Refuses to know who is asking: what a rule demands of a token is handed out as a [`Requirement`].

use std::collections::{BTreeMap, BTreeSet};

use super::config::{
    AllowConfig, MAX_GUARDED_PREFIXES, MAX_METHOD_BYTES, MAX_METHODS, MAX_RULE_NAME_BYTES,
    MAX_RULES, Mode, RuleConfig,
};
use super::note_claims;
use super::path::{Ambiguity, Path};
use super::pattern::{Pattern, parse_prefix};
use super::requirement::{ClaimTest, Requirement};
use crate::config_error::ConfigError;

/// Whom a rule lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allow {
    /// Everybody, with a token or without.
    Anonymous,
    /// Nobody.
    Denied,
    /// A valid token that meets this.
    Token(Requirement),
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    name: String,
    methods: Vec<String>,
    pattern: Pattern,
    /// The pattern as it was written.
    text: String,
    allow: Allow,
    mode: Mode,
}

/// The verdict on one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match<'r> {
    /// This rule decides.
    Rule(&'r Rule),
    /// No rule is for it, and it is below a guarded prefix: refused.
    DefaultDeny,
    /// No rule is for it, and nothing guards it: it passes.
    Unguarded,
    /// Its path may be read in more than one way, so no rule can be trusted to be the right one: refused.
    Ambiguous(Ambiguity),
}

/// The table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Without their first slash; the root is empty.
    guarded_prefixes: Vec<String>,
    /// For every first segment that some pattern has as a literal: which rules can be for a path that begins with it, in
    /// the table's order. Rules whose patterns begin otherwise are in each of these lists.
    by_first_segment: BTreeMap<String, Vec<usize>>,
    /// Which rules can be for any other path.
    for_others: Vec<usize>,
}

impl Rule {
    /// Its name in logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pattern of its paths, as it is written in the configuration.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.text
    }

    /// Whom it lets through.
    #[must_use]
    pub const fn allow(&self) -> &Allow {
        &self.allow
    }

    /// What becomes of a request that it refuses.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    fn is_for(&self, method: &[u8], path: &Path<'_>) -> bool {
        let is_method = |listed: &String| listed.as_bytes() == method;
        (self.methods.is_empty() || self.methods.iter().any(is_method))
            && self.pattern.matches(path)
    }

    fn new(config: &RuleConfig) -> Result<Self, ConfigError> {
        check_name(&config.name)?;
        check_methods(&config.methods)?;
        let pattern =
            Pattern::parse(&config.path).map_err(|problem| ConfigError::new("path", problem))?;
        Ok(Self {
            name: config.name.clone(),
            methods: config.methods.clone(),
            pattern,
            text: config.path.clone(),
            allow: allow(config)?,
            mode: config.mode,
        })
    }
}

impl Rules {
    /// Checks the configuration's `guarded_prefixes` and `rules`.
    ///
    /// # Errors
    /// [`ConfigError`] with the path from the configuration's root.
    pub fn new(guarded_prefixes: &[String], rules: &[RuleConfig]) -> Result<Self, ConfigError> {
        let guarded_prefixes = prefixes(guarded_prefixes)?;
        if rules.len() > MAX_RULES {
            let problem = format!("at most {MAX_RULES} rules may be given");
            return Err(ConfigError::new("rules", problem));
        }
        let mut table = Self {
            guarded_prefixes,
            ..Self::default()
        };
        let mut names = BTreeSet::new();
        let mut claims = BTreeSet::new();
        for (index, config) in rules.iter().enumerate() {
            let at = format!("rules[{index}]");
            let rule = Rule::new(config).map_err(|error| error.within(&at))?;
            if !names.insert(config.name.as_str()) {
                let problem = format!("another rule is named `{}` too", config.name);
                return Err(ConfigError::new(format!("{at}.name"), problem));
            }
            if let Allow::Token(requirement) = &rule.allow {
                note_claims(&mut claims, requirement, &format!("{at}.claims"))?;
            }
            table.add(index, rule);
        }
        Ok(table)
    }

    fn add(&mut self, index: usize, rule: Rule) {
        match rule.pattern.first_literal() {
            Some(literal) => self
                .by_first_segment
                .entry(literal.to_owned())
                // What begins with a wildcard and stands before it is for these paths too.
                .or_insert_with(|| self.for_others.clone())
                .push(index),
            None => {
                self.for_others.push(index);
                for list in self.by_first_segment.values_mut() {
                    list.push(index);
                }
            }
        }
        self.rules.push(rule);
    }

    /// Whether nothing is configured: no rule and no guarded prefix. Then no path need be judged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.guarded_prefixes.is_empty()
    }

    /// The verdict on a request, by its `:method` and its `:path` as it was sent. To be asked only about paths that are not
    /// the API's own ([`Target::of`](crate::api::route::Target::of)): another spelling of one of those is ambiguous.
    #[must_use]
    pub fn judge(&self, method: &[u8], raw_path: &[u8]) -> Match<'_> {
        let path = match Path::read(raw_path) {
            Ok(path) => path,
            Err(ambiguity) => return Match::Ambiguous(ambiguity),
        };
        let candidates = path
            .segments()
            .next()
            .and_then(|first| self.by_first_segment.get(first))
            .unwrap_or(&self.for_others);
        let mut rules = candidates.iter().filter_map(|&index| self.rules.get(index));
        if let Some(rule) = rules.find(|rule| rule.is_for(method, &path)) {
            return Match::Rule(rule);
        }
        let guards = |prefix: &String| path.is_within(prefix);
        if self.guarded_prefixes.iter().any(guards) {
            Match::DefaultDeny
        } else {
            Match::Unguarded
        }
    }

    /// The names of the claims that are tested, in alphabetical order and each once.
    #[must_use]
    pub fn tested_claims(&self) -> Vec<String> {
        let names: BTreeSet<&str> = self
            .rules
            .iter()
            .filter_map(|rule| match &rule.allow {
                Allow::Token(requirement) => Some(requirement.claims()),
                Allow::Anonymous | Allow::Denied => None,
            })
            .flatten()
            .map(ClaimTest::claim)
            .collect();
        names.into_iter().map(str::to_owned).collect()
    }
}

fn allow(config: &RuleConfig) -> Result<Allow, ConfigError> {
    let takes_scopes = config.allow == AllowConfig::Scopes;
    let takes_claims = takes_scopes || config.allow == AllowConfig::Authenticated;
    for (field, is_there, may_be) in [
        ("any_of", !config.any_of.is_empty(), takes_scopes),
        ("all_of", !config.all_of.is_empty(), takes_scopes),
        ("claims", !config.claims.is_empty(), takes_claims),
    ] {
        if is_there && !may_be {
            let problem = "does not belong to a rule with this `allow`";
            return Err(ConfigError::new(field, problem));
        }
    }
    match config.allow {
        AllowConfig::Anonymous if config.mode == Mode::Report => Err(ConfigError::new(
            "mode",
            "a rule that lets everybody through has nothing to report",
        )),
        AllowConfig::Scopes if config.any_of.is_empty() && config.all_of.is_empty() => {
            Err(ConfigError::new(
                "allow",
                "`scopes` needs `any_of` or `all_of`; for any valid token write `authenticated`",
            ))
        }
        AllowConfig::Anonymous => Ok(Allow::Anonymous),
        AllowConfig::Denied => Ok(Allow::Denied),
        AllowConfig::Scopes | AllowConfig::Authenticated => {
            Requirement::new(&config.any_of, &config.all_of, &config.claims).map(Allow::Token)
        }
    }
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if (1..=MAX_RULE_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let problem = format!("must be 1 to {MAX_RULE_NAME_BYTES} of `a-z`, `0-9`, `_` and `-`");
    Err(ConfigError::new("name", problem))
}

fn check_methods(methods: &[String]) -> Result<(), ConfigError> {
    if methods.len() > MAX_METHODS {
        let problem = format!("at most {MAX_METHODS} methods may be listed");
        return Err(ConfigError::new("methods", problem));
    }
    for (index, method) in methods.iter().enumerate() {
        let fits = (1..=MAX_METHOD_BYTES).contains(&method.len());
        if !fits || !method.bytes().all(is_token_byte) {
            let problem = format!("must be a method's name of 1 to {MAX_METHOD_BYTES} characters");
            return Err(ConfigError::new(format!("methods[{index}]"), problem));
        }
    }
    Ok(())
}

/// The characters of a token (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn prefixes(texts: &[String]) -> Result<Vec<String>, ConfigError> {
    if texts.len() > MAX_GUARDED_PREFIXES {
        let problem = format!("at most {MAX_GUARDED_PREFIXES} prefixes may be guarded");
        return Err(ConfigError::new("guarded_prefixes", problem));
    }
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            parse_prefix(text)
                .map_err(|problem| ConfigError::new(format!("guarded_prefixes[{index}]"), problem))
        })
        .collect()
}
