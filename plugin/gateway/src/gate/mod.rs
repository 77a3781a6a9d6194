//! One worker's gate: from an `Authorization` value to a verified token, or to the reason why not yet, or never.
//!
//! What a token must be is known in [`crate::access`]; here is what outlives one request: verified tokens that are
//! remembered, bad ones that are, the budget for looking at new ones, keys that are fetched, the list of revoked tokens,
//! and who waits for one of these. Nothing here knows a path, a scope or a reply.

mod admission;
mod budget;
mod cache;
pub(crate) mod deny_list;
mod fetch;
mod key_sources;
pub(crate) mod polled;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;

pub use self::admission::Admission;
use self::admission::Remembered;
pub use self::budget::UNIT_MICROSECONDS;
use self::budget::{Budget, CHEAP_UNITS, COMPUTED_UNITS, NATIVE_UNITS};
use self::cache::{Bounds, Generations, Key, Keys};
use self::deny_list::DenyList;
pub use self::deny_list::{MAX_BYTES as MAX_DENY_LIST_BYTES, MAX_ENTRIES as MAX_DENY_LIST_ENTRIES};
pub use self::fetch::{Fetch, FetchId, Fetched, SERVED};
use self::key_sources::{KeySources, Prospect};
use crate::access::{Access, Effort, IssuerId, NativeCrypto, Rejected, SentToken, Unauthenticated};
use crate::config::{Config, IdentityHeaders};
use crate::config_error::ConfigError;
use crate::engine::Answer;
use crate::host::{Counter, Gauge, Host};
use crate::wake::ExchangeId;

/// How long a request waits for a key or for the deny-list, in milliseconds. Under every idle timeout that is usual.
pub const MAX_HOLD_MS: i64 = 6_000;

/// Requests of one worker that wait for that; one more is answered at once.
pub const MAX_HELD: usize = 256;

/// How much the cache of refused tokens may hold.
const REFUSED_BOUNDS: Bounds = Bounds {
    entries: 4_096,
    bytes: 2 * 1024 * 1024,
};

/// One moment by two clocks, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Since the epoch; may be set back.
    pub wall_ms: i64,
    /// Never goes back; for deadlines.
    pub steady_ms: i64,
}

/// Why a request is not let in, for now or at all. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Its token is not good.
    Refused(Unauthenticated),
    /// Too many bad tokens came: new ones are not looked at for a while.
    Busy,
    /// The issuer's keys or the deny-list are not to be had.
    NotReady,
    /// The worker wakes the exchange when one of these may be there.
    Wait,
}

/// What the gate wants of the world after it was called.
#[derive(Debug, Default)]
pub struct Wants {
    /// Documents to fetch over HTTP.
    pub fetches: Vec<Fetch>,
    /// A range to ask the engine for; the answer goes to [`Gate::listed`].
    pub range: Option<Bytes>,
    /// Exchanges to wake.
    pub woken: Vec<ExchangeId>,
}

/// The gate of one worker.
pub struct Gate {
    access: Access,
    native: NativeCrypto,
    token_keys: Keys,
    verified: Generations<Rc<Remembered>>,
    refused: Generations<Unauthenticated>,
    budget: Budget,
    sources: KeySources,
    deny_list: DenyList,
    held: BTreeMap<ExchangeId, Held>,
    last_fetch: u64,
    subject_salt: Rc<str>,
    identity_headers: IdentityHeaders,
    wants: Wants,
}

/// A request that waits.
struct Held {
    awaits: Awaits,
    /// Since when, in milliseconds since the epoch.
    since_ms: i64,
    /// By the steady clock.
    deadline_ms: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    KeysOf(IssuerId),
    DenyList,
}

impl Gate {
    /// A gate as configured. Finds out what the host can check by itself.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration's keys cannot be used.
    pub fn new(
        config: &Config,
        tested_claims: &[String],
        host: &impl Host,
    ) -> Result<Self, ConfigError> {
        let access = Access::new(&config.issuers, &config.tenant, tested_claims)?;
        let native = NativeCrypto::detect(host);
        for algorithm in crate::access::Algorithm::ALL {
            let is_native = native.contains(algorithm);
            host.gauge(Gauge::NativeSignatures(algorithm), is_native.into());
        }
        let tokens = &config.tokens;
        Ok(Self {
            native,
            token_keys: Keys::default(),
            verified: Generations::new(Bounds {
                entries: tokens.cache_entries,
                bytes: tokens.cache_bytes,
            }),
            refused: Generations::new(REFUSED_BOUNDS),
            budget: Budget::new(tokens.refused_share_percent),
            sources: KeySources::new(&access),
            deny_list: DenyList::new(&config.issuers, &config.revocation, &config.engine),
            held: BTreeMap::new(),
            last_fetch: 0,
            subject_salt: config.decision_log.subject_salt.as_str().into(),
            identity_headers: config.identity_headers.clone(),
            wants: Wants::default(),
            access,
        })
    }

    /// Takes what is to be done for the gate.
    #[must_use]
    pub fn take_wants(&mut self) -> Wants {
        std::mem::take(&mut self.wants)
    }

    /// The token behind the value of a request's one `Authorization` header, verified, in time and not revoked.
    ///
    /// # Errors
    /// [`NotAdmitted`]. After `Wait` the exchange is among [`Wants::woken`] some time, and this is to be called again.
    pub fn authenticate(
        &mut self,
        exchange: ExchangeId,
        authorization: Option<&[u8]>,
        now: Moment,
        host: &impl Host,
    ) -> Result<Admission, NotAdmitted> {
        let admitted = self.admit(exchange, authorization, now, host);
        if !matches!(admitted, Err(NotAdmitted::Wait)) {
            self.held.remove(&exchange);
        }
        admitted
    }

    fn admit(
        &mut self,
        exchange: ExchangeId,
        authorization: Option<&[u8]>,
        now: Moment,
        host: &impl Host,
    ) -> Result<Admission, NotAdmitted> {
        let sent = SentToken::from_authorization(authorization).map_err(NotAdmitted::Refused)?;
        let (remembered, effort) = self.verify(exchange, sent, now, host)?;
        let admission = Admission::new(remembered, now.wall_ms).map_err(|error| {
            // It stays remembered, so that sending it again and again costs no second look.
            self.charge(effort);
            NotAdmitted::Refused(error)
        })?;
        if !self.deny_list.is_known() {
            return Err(self.hold(exchange, Awaits::DenyList, now));
        }
        if self.deny_list.denies(admission.token()) {
            return Err(NotAdmitted::Refused(Unauthenticated::Revoked));
        }
        Ok(admission)
    }

    /// All that does not depend on the clock or the deny-list, from memory where it can be; and what it cost.
    fn verify(
        &mut self,
        exchange: ExchangeId,
        sent: SentToken<'_>,
        now: Moment,
        host: &impl Host,
    ) -> Result<(Rc<Remembered>, Option<Effort>), NotAdmitted> {
        // Byte for byte a token that is known as good is one: nothing about it has to be looked at again.
        let genuine_key = self.token_keys.of_genuine(sent.as_bytes());
        if let Some(remembered) = self.verified.get(genuine_key) {
            host.count(Counter::TokenCacheHits);
            return Ok((Rc::clone(remembered), None));
        }
        let token = sent.token().map_err(NotAdmitted::Refused)?;
        let key = self.token_keys.of_any(token.as_bytes());
        if let Some(&reason) = self.refused.get(key) {
            host.count(Counter::RefusedTokenCacheHits);
            return Err(NotAdmitted::Refused(reason));
        }
        if !self.budget.has_credit(now.steady_ms) {
            host.count(Counter::TokensOverBudget);
            return Err(NotAdmitted::Busy);
        }
        match self.access.verify(token, self.native, host) {
            Ok(verified) => {
                let effort = verified.effort();
                count_effort(effort, host);
                let remembered =
                    Remembered::new(verified, &self.subject_salt, &self.identity_headers);
                let remembered = Rc::new(remembered);
                self.verified.insert(genuine_key, Rc::clone(&remembered));
                Ok((remembered, Some(effort)))
            }
            Err(rejected) => {
                count_effort(rejected.effort, host);
                Err(self.reject(exchange, key, rejected, now))
            }
        }
    }

    /// Pays for a look at a token that was worth nothing.
    fn charge(&mut self, effort: Option<Effort>) {
        self.budget.charge(match effort {
            None => 0,
            Some(Effort::Cheap) => CHEAP_UNITS,
            Some(Effort::Native) => NATIVE_UNITS,
            Some(Effort::Computed) => COMPUTED_UNITS,
        });
    }

    fn reject(
        &mut self,
        exchange: ExchangeId,
        key: Key<'_>,
        rejected: Rejected,
        now: Moment,
    ) -> NotAdmitted {
        let reason = rejected.reason;
        if let (Unauthenticated::UnknownKey | Unauthenticated::KeysUnavailable, Some(issuer)) =
            (reason, rejected.issuer)
        {
            let since_ms = self
                .held
                .get(&exchange)
                .map_or(now.wall_ms, |it| it.since_ms);
            let hold_ms = self.hold_ms(exchange, now);
            match self.sources.missed(issuer, since_ms, now.wall_ms, hold_ms) {
                Some(Prospect::Soon) => {
                    // Once for each request: one that leaves while it waits has cost a look too.
                    if !self.held.contains_key(&exchange) {
                        self.charge(Some(rejected.effort));
                    }
                    return self.hold(exchange, Awaits::KeysOf(issuer), now);
                }
                // Without any keys nobody is called bad, whatever the last fetch brought.
                Some(Prospect::Known) | None if !reason.is_ours() => {}
                Some(Prospect::Unknown | Prospect::Known) | None => {
                    self.charge(Some(rejected.effort));
                    return NotAdmitted::NotReady;
                }
            }
        }
        self.charge(Some(rejected.effort));
        // A key that is not there today may be there tomorrow; all else about a token stays as it is.
        if !matches!(
            reason,
            Unauthenticated::UnknownKey
                | Unauthenticated::AmbiguousKey
                | Unauthenticated::KeysUnavailable
        ) {
            self.refused.insert(key, reason);
        }
        NotAdmitted::Refused(reason)
    }

    /// For how long this exchange may still wait, in milliseconds.
    fn hold_ms(&self, exchange: ExchangeId, now: Moment) -> i64 {
        match self.held.get(&exchange) {
            Some(held) => held.deadline_ms.saturating_sub(now.steady_ms),
            None if self.held.len() < MAX_HELD => MAX_HOLD_MS,
            None => 0,
        }
    }

    fn hold(&mut self, exchange: ExchangeId, awaits: Awaits, now: Moment) -> NotAdmitted {
        if self.hold_ms(exchange, now) <= 0 {
            return NotAdmitted::NotReady;
        }
        let held = self.held.entry(exchange).or_insert(Held {
            awaits,
            since_ms: now.wall_ms,
            deadline_ms: now.steady_ms.saturating_add(MAX_HOLD_MS),
        });
        held.awaits = awaits;
        NotAdmitted::Wait
    }

    /// Takes note that an exchange's client has left.
    pub fn gone(&mut self, exchange: ExchangeId) {
        self.held.remove(&exchange);
    }

    /// Follows what other VMs did, begins what is due, and wakes who has waited enough.
    pub fn tick(&mut self, now: Moment, host: &impl Host) {
        let last_fetch = &mut self.last_fetch;
        let next_id = || {
            *last_fetch = last_fetch.wrapping_add(1);
            FetchId(*last_fetch)
        };
        let changes = self
            .sources
            .tick(&mut self.access, now.wall_ms, next_id, host);
        self.wants.fetches.extend(changes.fetches);
        for issuer in changes.issuers {
            self.keys_changed(issuer);
        }
        if let Some(range) = self.deny_list.tick(now.wall_ms, host) {
            self.wants.range = Some(range);
        }
        self.wake(now);
    }

    /// Takes the answer to a fetch. A late, unknown or repeated one changes nothing.
    pub fn fetched(&mut self, id: FetchId, answer: Fetched, now: Moment, host: &impl Host) {
        let changed = self
            .sources
            .fetched(id, answer, &mut self.access, now.wall_ms, host);
        if let Some(issuer) = changed {
            self.keys_changed(issuer);
        }
        self.wake(now);
    }

    /// Takes the engine's answer to [`Wants::range`].
    pub fn listed(&mut self, answer: Answer, now: Moment, host: &impl Host) {
        self.wants.range = self.deny_list.answered(answer, now.wall_ms, host);
        self.wake(now);
    }

    /// What was decided with keys that are gone, or without keys that have come, counts no more.
    fn keys_changed(&mut self, issuer: IssuerId) {
        let access = &self.access;
        self.verified.retain(|it| {
            let token = it.token();
            access.holds_key(token.issuer(), token.key())
        });
        self.refused.clear();
        for (&exchange, held) in &self.held {
            if held.awaits == Awaits::KeysOf(issuer) {
                self.wants.woken.push(exchange);
            }
        }
    }

    fn wake(&mut self, now: Moment) {
        for (&exchange, held) in &self.held {
            let news = match held.awaits {
                Awaits::KeysOf(issuer) => {
                    self.sources
                        .settled_since(issuer, held.since_ms, now.wall_ms)
                }
                Awaits::DenyList => self.deny_list.is_known(),
            };
            if (news || now.steady_ms >= held.deadline_ms) && !self.wants.woken.contains(&exchange)
            {
                self.wants.woken.push(exchange);
            }
        }
    }
}

fn count_effort(effort: Effort, host: &impl Host) {
    match effort {
        Effort::Cheap => {}
        Effort::Native => host.count(Counter::SignaturesNative),
        Effort::Computed => host.count(Counter::SignaturesComputed),
    }
}
