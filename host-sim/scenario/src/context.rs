//! What `${...}` means in one play: tokens, tenants, times, what was saved.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use ledger::Timestamp;
use serde_json::Value;

use crate::driver::Stage;
use crate::duration::Span;
use crate::format::TokenSpec;
use crate::template::Names;
use crate::tokens::{self, Circumstances, Token};

/// See the module's text.
pub struct Context<'a> {
    stage: RefCell<Box<dyn Stage>>,
    specs: &'a BTreeMap<String, TokenSpec>,
    configuration: &'a Value,
    start_ms: i64,
    unique: String,
    made: RefCell<BTreeMap<String, Token>>,
    saved: RefCell<BTreeMap<String, Vec<u8>>>,
    number: Cell<Option<u32>>,
}

impl<'a> Context<'a> {
    /// At the beginning of a play.
    pub fn new(
        mut stage: Box<dyn Stage>,
        specs: &'a BTreeMap<String, TokenSpec>,
        configuration: &'a Value,
    ) -> Self {
        let tenant = stage.tenant(tokens::TENANT);
        Self {
            start_ms: stage.now_ms(),
            // Nothing where a stage has everything to itself.
            unique: tenant
                .strip_prefix(tokens::TENANT)
                .map_or_else(|| tenant.clone(), str::to_owned),
            stage: RefCell::new(stage),
            specs,
            configuration,
            made: RefCell::default(),
            saved: RefCell::default(),
            number: Cell::new(None),
        }
    }

    /// Does something on the stage.
    pub fn on_stage<R>(&self, what: impl FnOnce(&mut dyn Stage) -> R) -> R {
        what(self.stage.borrow_mut().as_mut())
    }

    /// The filter's configuration.
    pub fn configuration(&self) -> &'a Value {
        self.configuration
    }

    /// What `${n}` stands for from now on.
    pub fn number(&self, number: Option<u32>) {
        self.number.set(number);
    }

    /// Keeps a value for `${saved.NAME}`.
    pub fn save(&self, name: &str, value: Vec<u8>) {
        self.saved.borrow_mut().insert(name.to_owned(), value);
    }

    /// What a tenant is called here.
    pub fn tenant(&self, name: &str) -> String {
        self.on_stage(|stage| stage.tenant(name))
    }

    /// The token of that name; the same each time.
    ///
    /// # Errors
    /// When there is none, or it makes no sense.
    pub fn token(&self, name: &str) -> Result<Token, String> {
        if let Some(token) = self.made.borrow().get(name) {
            return Ok(token.clone());
        }
        let mut spec =
            tokens::spec(self.specs, name).ok_or_else(|| tokens::unknown(self.specs, name))?;
        let tenant = self.tenant(spec.tenant.as_deref().unwrap_or(tokens::TENANT));
        for claim in spec.claims.values_mut() {
            *claim = crate::template::expand_json(claim, self)?;
        }
        for text in spec.scopes.iter_mut().flatten().chain(&mut spec.text) {
            let bytes = crate::template::expand(text, self)?;
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        let token = tokens::make(
            &spec,
            &Circumstances {
                name,
                tenant: &tenant,
                unique: &self.unique,
                start_ms: self.start_ms,
                configuration: self.configuration,
            },
        )?;
        self.made
            .borrow_mut()
            .insert(name.to_owned(), token.clone());
        Ok(token)
    }

    /// A token that may do everything for a tenant, for what the runner itself asks.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn token_for(&self, tenant: &str) -> Result<String, String> {
        let spec = TokenSpec {
            tenant: Some(tenant.to_owned()),
            ..TokenSpec::default()
        };
        let name = "runner";
        let tenant = self.tenant(tenant);
        let around = Circumstances {
            name,
            tenant: &tenant,
            unique: &self.unique,
            start_ms: self.start_ms,
            configuration: self.configuration,
        };
        Ok(tokens::make(&spec, &around)?.text)
    }

    fn time(&self, name: &str) -> Option<Result<Vec<u8>, String>> {
        let (of, rest) = name
            .strip_prefix("now")
            .map(|rest| (self.on_stage(|stage| stage.now_ms()), rest))
            .or_else(|| name.strip_prefix("start").map(|rest| (self.start_ms, rest)))?;
        let shifted = match rest.split_at_checked(1) {
            None => Ok(of),
            Some((sign @ ("+" | "-"), span)) => Span::parse(span).map(|span| {
                let ms = i64::try_from(span.ms).unwrap_or(i64::MAX);
                if sign == "+" {
                    of.saturating_add(ms)
                } else {
                    of.saturating_sub(ms)
                }
            }),
            Some(_) => return None,
        };
        Some(shifted.and_then(|ms| {
            let time = Timestamp::from_millis(ms).ok_or("a time outside of the calendar")?;
            Ok(time.to_rfc3339().into_bytes())
        }))
    }
}

impl Names for Context<'_> {
    fn value(&self, name: &str) -> Result<Vec<u8>, String> {
        let token = |of: &str| self.token(of);
        let (kind, rest) = name.split_once(['.', ':']).unwrap_or((name, ""));
        match (kind, rest) {
            ("token", of) => Ok(token(of)?.text.into_bytes()),
            ("subject", of) => Ok(token(of)?.subject.into_bytes()),
            ("tenant", of) => Ok(self.tenant(of).into_bytes()),
            ("saved", of) => self.saved.borrow().get(of).cloned().ok_or_else(|| {
                format!("nothing was saved as {of:?}: `then.save` keeps parts of an answer")
            }),
            ("n", "") => self
                .number
                .get()
                .map(|number| number.to_string().into_bytes())
                .ok_or_else(|| "`${n}` belongs to a request with `times`".to_owned()),
            ("hex", digits) => unhex(digits).ok_or_else(|| format!("{digits:?} is not hex")),
            ("repeat", rest) => repeated(rest)
                .ok_or_else(|| format!("{rest:?} is not of the form TEXT:TIMES, as in x:129")),
            _ => self.time(name).unwrap_or_else(|| {
                Err(format!(
                    "nothing is called ${{{name}}}: there are token.NAME, subject.NAME, tenant.NAME, saved.NAME, n, now, \
                     start (with a span, as in start+30d), hex:BYTES, repeat:TEXT:TIMES, and for comparisons any, any.uuid, \
                     any.time, any.integer, any.text"
                ))
            }),
        }
    }
}

/// What `${repeat:...}` may make at most, in bytes.
const LONGEST_REPEAT: usize = 16 * 1024 * 1024;

fn repeated(rest: &str) -> Option<Vec<u8>> {
    let (text, times) = rest.rsplit_once(':')?;
    let times: usize = times.parse().ok()?;
    let total = text.len().checked_mul(times)?;
    (total <= LONGEST_REPEAT).then(|| text.repeat(times).into_bytes())
}

/// Bytes from their hex digits.
#[must_use]
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect()
}
