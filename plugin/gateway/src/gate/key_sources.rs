//! The key sets that are fetched: one source for each issuer with a `jwks_uri`.
//!
//! Decides what is asked of whom, which answers are usable, and when keys are too old to be believed. When it is time is
//! known one floor below, in `polled`; what a key set means, in `access`.

use super::fetch::{Fetch, FetchId, Fetched};
use super::polled::{Begun, Ending, Polled, Schedule};
use crate::access::{Access, Algorithm, FetchedKeysError, IssuerId, KeySet, MAX_FETCHED_BYTES};
use crate::host::{Counter, Gauge, Host, Severity};

/// How much longer than its time limit a fetch may take until another VM begins one, in milliseconds.
const LEASE_MARGIN_MS: i64 = 1_000;

/// All sources of one worker.
pub(super) struct KeySources(Vec<Source>);

/// Where one issuer's keys come from.
struct Source {
    issuer: IssuerId,
    name: String,
    algorithms: Vec<Algorithm>,
    cluster: String,
    authority: String,
    path: String,
    timeout_ms: u32,
    max_age_ms: i64,
    polled: Polled,
    fetching: Option<(FetchId, Begun)>,
    /// The set that was fetched last, as it came.
    text: Vec<u8>,
    /// Whether `access` holds its keys.
    holds_keys: bool,
}

/// What a tick changed.
#[derive(Default)]
pub(super) struct Changes {
    /// Issuers whose keys are others now, or gone.
    pub(super) issuers: Vec<IssuerId>,
    /// Fetches to make.
    pub(super) fetches: Vec<Fetch>,
}

/// What a missing key may still come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prospect {
    /// A fetch that begins after the key was missed is under way or will be soon.
    Soon,
    /// Such a fetch has ended, or none may begin while the request could wait; the issuer answered the last one.
    Known,
    /// The issuer did not answer the last one, or the request cannot wait for one, or not any longer: nobody knows which
    /// keys there are.
    Unknown,
}

impl KeySources {
    /// The sources that the configuration names.
    pub(super) fn new(access: &Access) -> Self {
        let sources = access.issuers().filter_map(|(id, issuer)| {
            let uri = issuer.jwks_uri()?;
            let refresh_ms = seconds(uri.refresh_seconds);
            let schedule = Schedule {
                refresh_ms,
                ask_gap_ms: seconds(uri.refetch_seconds),
                lease_ms: i64::from(uri.timeout_ms).saturating_add(LEASE_MARGIN_MS),
            };
            // Whoever shares it must find the same keys usable.
            let algorithms: Vec<&str> = issuer.algorithms().iter().map(|it| it.name()).collect();
            let identity = format!(
                "{}\n{}\n{}\n{}",
                issuer.name(),
                uri.cluster,
                uri.uri,
                algorithms.join(" ")
            );
            Some(Source {
                issuer: id,
                name: issuer.name().to_owned(),
                algorithms: issuer.algorithms().to_vec(),
                cluster: uri.cluster.clone(),
                authority: uri.authority().to_owned(),
                path: uri.path_and_query().to_owned(),
                timeout_ms: uri.timeout_ms,
                max_age_ms: seconds(uri.max_age_seconds),
                polled: Polled::new("keys", &identity, schedule),
                fetching: None,
                text: Vec::new(),
                holds_keys: false,
            })
        });
        Self(sources.collect())
    }

    /// Takes over what other VMs fetched, lets go of what is too old, and begins what is due.
    pub(super) fn tick(
        &mut self,
        access: &mut Access,
        now_ms: i64,
        mut next_id: impl FnMut() -> FetchId,
        host: &impl Host,
    ) -> Changes {
        let mut changes = Changes::default();
        for source in &mut self.0 {
            if source.take_over(access, now_ms, host) {
                changes.issuers.push(source.issuer);
            }
            changes
                .fetches
                .extend(source.begin(now_ms, &mut next_id, host));
            source.show(access, now_ms, host);
        }
        changes
    }

    /// Takes the answer to a fetch. The issuer, if its keys are others now.
    pub(super) fn fetched(
        &mut self,
        id: FetchId,
        answer: Fetched,
        access: &mut Access,
        now_ms: i64,
        host: &impl Host,
    ) -> Option<IssuerId> {
        let fetches = |source: &&mut Source| matches!(source.fetching, Some((it, _)) if it == id);
        let Some(source) = self.0.iter_mut().find(fetches) else {
            host.count(Counter::LateAnswers);
            return None;
        };
        let (_, begun) = source.fetching.take()?;
        match source.check(answer) {
            Ok((body, skipped)) => {
                if skipped > 0 {
                    let line = format!(
                        "keys of {}: {skipped} of the set cannot be used and are left out",
                        source.name
                    );
                    host.log(Severity::Info, &line);
                }
                source.polled.succeeded(begun, &body, now_ms, host);
            }
            Err(ending) => {
                host.count(Counter::KeyFetchFailures);
                let line = format!("keys of {}: fetch failed: {}", source.name, ending.word());
                host.log(Severity::Warning, &line);
                source.polled.failed(begun, ending, now_ms, host);
            }
        }
        source
            .take_over(access, now_ms, host)
            .then_some(source.issuer)
    }

    /// Notes that a token of `issuer` named a key that was not there at `since_ms`, and says what to hope for. None: the
    /// issuer's keys are not fetched. `hold_ms` is how long the request could wait from now on.
    pub(super) fn missed(
        &mut self,
        issuer: IssuerId,
        since_ms: i64,
        now_ms: i64,
        hold_ms: i64,
    ) -> Option<Prospect> {
        let source = self.0.iter_mut().find(|it| it.issuer == issuer)?;
        let polled = &mut source.polled;
        let latest_ms = now_ms.saturating_add(hold_ms);
        if !polled.settled_since(since_ms, now_ms) {
            if hold_ms <= 0 {
                return Some(Prospect::Unknown);
            }
            if polled.next_possible_ms(now_ms) <= latest_ms {
                polled.ask(since_ms);
                return Some(Prospect::Soon);
            }
        }
        Some(match polled.ending() {
            Ending::Success => Prospect::Known,
            _ => Prospect::Unknown,
        })
    }

    /// Whether what was missed at `since_ms` has been looked for since.
    pub(super) fn settled_since(&self, issuer: IssuerId, since_ms: i64, now_ms: i64) -> bool {
        let mut sources = self.0.iter().filter(|it| it.issuer == issuer);
        sources.all(|source| source.polled.settled_since(since_ms, now_ms))
    }
}

impl Source {
    /// Whether the issuer's keys are others now.
    fn take_over(&mut self, access: &mut Access, now_ms: i64, host: &impl Host) -> bool {
        let news = self.polled.look(host);
        let is_new = news.is_some();
        if let Some(bytes) = news {
            self.text = bytes;
        }
        let age_ms = self.polled.age_ms(now_ms);
        let believed = age_ms.is_some_and(|age_ms| age_ms <= self.max_age_ms);
        if believed && (is_new || !self.holds_keys) {
            // Whoever fetched it has found it usable.
            let Ok(fetched) = KeySet::from_fetched(&self.text, &self.algorithms) else {
                return false;
            };
            access.replace_keys(self.issuer, fetched.keys);
            self.holds_keys = true;
            // Everybody who waits for a key of this issuer is woken and looks again.
            self.polled.forget_asks();
            return true;
        }
        if !believed && self.holds_keys {
            access.withdraw_keys(self.issuer);
            self.holds_keys = false;
            let line = format!("keys of {}: too old to be believed any longer", self.name);
            host.log(Severity::Error, &line);
            return true;
        }
        false
    }

    fn begin(
        &mut self,
        now_ms: i64,
        next_id: &mut impl FnMut() -> FetchId,
        host: &impl Host,
    ) -> Option<Fetch> {
        let begun = self.polled.begin(now_ms, host)?;
        host.count(Counter::KeyFetches);
        if begun.out_of_turn {
            host.count(Counter::KeyRefetches);
        }
        let id = next_id();
        self.fetching = Some((id, begun));
        Some(Fetch {
            id,
            cluster: self.cluster.clone(),
            authority: self.authority.clone(),
            path: self.path.clone(),
            timeout_ms: self.timeout_ms,
            max_bytes: MAX_FETCHED_BYTES,
        })
    }

    /// The set's bytes and how many of its keys cannot be used, if it is one that can be.
    fn check(&self, answer: Fetched) -> Result<(bytes::Bytes, usize), Ending> {
        match answer {
            Fetched::Answer { status: 200, body } => {
                match KeySet::from_fetched(&body, &self.algorithms) {
                    Ok(fetched) => Ok((body, fetched.skipped)),
                    Err(error) => Err(match error {
                        FetchedKeysError::TooLarge => Ending::TooLarge,
                        FetchedKeysError::NoUsableKey => Ending::Unusable,
                        FetchedKeysError::NotAKeySet
                        | FetchedKeysError::TooManyKeys
                        | FetchedKeysError::DuplicateKid => Ending::Malformed,
                    }),
                }
            }
            Fetched::Answer { .. } => Err(Ending::Refused),
            Fetched::TooLarge => Err(Ending::TooLarge),
            Fetched::Nothing => Err(Ending::Unreachable),
        }
    }

    fn show(&self, access: &Access, now_ms: i64, host: &impl Host) {
        let index = self.issuer.index();
        let keys = access.key_count(self.issuer);
        host.gauge(Gauge::Keys(index), u64::try_from(keys).unwrap_or(u64::MAX));
        let age_seconds = self.polled.age_ms(now_ms).map_or(0, |age_ms| age_ms / 1000);
        host.gauge(Gauge::KeyAgeSeconds(index), age_seconds.unsigned_abs());
        host.gauge(
            Gauge::KeyFetchResult(index),
            self.polled.ending().number().into(),
        );
    }
}

fn seconds(seconds: u32) -> i64 {
    i64::from(seconds).saturating_mul(1000)
}
