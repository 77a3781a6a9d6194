//! Tokens that are refused although they are genuine: by their id, by their subject, or by when they were issued.
//!
//! The list is what the configuration says and what stands in the engine below `/points/1/revoked/`; one VM reads the
//! engine's part for all, every few seconds. A list that cannot be read any more stays as it was; before it was read for
//! the first time nobody can be let in. Knows no request, and nothing of what else a token must be.

use std::collections::HashSet;

use bytes::Bytes;

use super::polled::{Begun, Ending, Polled, Schedule};
use crate::access::{IssuerConfig, MAX_NUMERIC_DATE, RevokedConfig, VerifiedToken};
use crate::config::{EngineConfig, RevocationConfig};
use crate::engine::{self, Answer};
use crate::host::{Counter, Gauge, Host, Severity};
use crate::percent;

/// Everything the engine has of the list stands below this.
const ROOT: &str = "/points/1/revoked/";
/// The first key that does not.
const END: &str = "/points/1/revoked0";

/// Entries that the engine's part may have; a longer one is not taken over.
pub const MAX_ENTRIES: usize = 10_000;

/// Bytes that its keys may have together.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Stands for a raw line feed in a key: in no text, so that such a key makes no more sense than before.
const NO_TEXT: u8 = 0xff;

/// Keys in one answer of the engine.
const PAGE_KEYS: i64 = 1_000;

/// How much longer than one call may take until another VM begins a reading, in milliseconds.
const LEASE_MARGIN_MS: i64 = 2_000;

/// What one part of the list says of one issuer's tokens.
#[derive(Debug, Default)]
struct Denied {
    token_ids: HashSet<Box<str>>,
    subjects: HashSet<Box<str>>,
    /// Tokens issued before this are refused, and those that do not say when. In milliseconds since the epoch.
    issued_before_ms: Option<i64>,
}

/// The list of one worker.
pub(super) struct DenyList {
    /// By issuer.
    configured: Vec<Denied>,
    engine: Option<EnginePart>,
}

/// What the engine has of it.
struct EnginePart {
    issuers: Vec<String>,
    polled: Polled,
    /// By issuer; none: not read yet.
    denied: Option<Vec<Denied>>,
    reading: Option<Reading>,
}

/// A reading under way.
struct Reading {
    begun: Begun,
    /// The store's revision as of the first page; 0 before that.
    revision: i64,
    /// Where the next page starts.
    from: Bytes,
    /// The keys so far, without [`ROOT`], each ended by a line feed; for one inside stands [`NO_TEXT`].
    keys: Vec<u8>,
    entries: usize,
}

impl DenyList {
    /// The configured part, and nothing of the engine's yet.
    pub(super) fn new(
        issuers: &[IssuerConfig],
        config: &RevocationConfig,
        engine: &EngineConfig,
    ) -> Self {
        let schedule = Schedule {
            refresh_ms: i64::from(config.refresh_ms),
            ask_gap_ms: i64::from(config.refresh_ms),
            lease_ms: i64::from(engine.call_timeout_ms).saturating_add(LEASE_MARGIN_MS),
        };
        let engine = config.from_engine.then(|| EnginePart {
            issuers: issuers.iter().map(|it| it.issuer.clone()).collect(),
            polled: Polled::new("revoked", engine.cluster(), schedule),
            denied: None,
            reading: None,
        });
        Self {
            configured: issuers.iter().map(|it| Denied::of(&it.revoked)).collect(),
            engine,
        }
    }

    /// Whether the list is known.
    pub(super) fn is_known(&self) -> bool {
        self.engine.as_ref().is_none_or(|it| it.denied.is_some())
    }

    /// Whether this token is on it.
    pub(super) fn denies(&self, token: &VerifiedToken) -> bool {
        let fetched = self.engine.as_ref().and_then(|it| it.denied.as_ref());
        let of_issuer = |part: &Vec<Denied>| {
            part.get(usize::from(token.issuer().index()))
                .is_some_and(|denied| denied.denies(token))
        };
        of_issuer(&self.configured) || fetched.is_some_and(of_issuer)
    }

    /// Takes over what another VM read, and begins to read when it is time. Some: the message of a range to ask for.
    pub(super) fn tick(&mut self, now_ms: i64, host: &impl Host) -> Option<Bytes> {
        let engine = self.engine.as_mut()?;
        engine.take_over(host);
        let age_seconds = engine
            .polled
            .age_ms(now_ms)
            .map_or(0, |age_ms| age_ms / 1000);
        host.gauge(Gauge::DenyListAgeSeconds, age_seconds.unsigned_abs());
        let begun = engine.polled.begin(now_ms, host)?;
        let reading = Reading {
            begun,
            revision: 0,
            from: Bytes::from_static(ROOT.as_bytes()),
            keys: Vec::new(),
            entries: 0,
        };
        let message = reading.message();
        engine.reading = Some(reading);
        Some(message)
    }

    /// Takes the engine's answer. Some: the message of the next range to ask for.
    pub(super) fn answered(
        &mut self,
        answer: Answer,
        now_ms: i64,
        host: &impl Host,
    ) -> Option<Bytes> {
        let engine = self.engine.as_mut()?;
        let mut reading = engine.reading.take()?;
        match reading.take(answer) {
            Ok(true) => {
                if !engine.polled.renew(reading.begun, now_ms, host) {
                    return None;
                }
                let message = reading.message();
                engine.reading = Some(reading);
                return Some(message);
            }
            Ok(false) => {
                let Reading { begun, keys, .. } = reading;
                engine.polled.succeeded(begun, &keys, now_ms, host);
            }
            Err(ending) => {
                host.count(Counter::DenyListFailures);
                if ending == Ending::TooLarge {
                    let line = format!(
                        "the deny-list in the engine is over {MAX_ENTRIES} entries or {MAX_BYTES} bytes: the last good one stays in force"
                    );
                    host.log(Severity::Error, &line);
                }
                engine.polled.failed(reading.begun, ending, now_ms, host);
            }
        }
        engine.take_over(host);
        None
    }
}

impl EnginePart {
    fn take_over(&mut self, host: &impl Host) {
        let Some(keys) = self.polled.look(host) else {
            return;
        };
        let mut denied: Vec<Denied> = self.issuers.iter().map(|_| Denied::default()).collect();
        let mut entries = 0_u64;
        for key in keys
            .split(|&byte| byte == b'\n')
            .filter(|it| !it.is_empty())
        {
            let place = |issuer: &str| self.issuers.iter().position(|it| it == issuer);
            match Entry::of(key) {
                Some(entry) => {
                    entries = entries.saturating_add(1);
                    // One of an issuer that is not trusted refuses nothing that would be let in.
                    if let Some(denied) = place(&entry.issuer).and_then(|it| denied.get_mut(it)) {
                        denied.add(entry.what);
                    }
                }
                None => {
                    host.count(Counter::DenyListFailures);
                    // Whoever can write to the engine must not be able to write lines of the log.
                    let key = String::from_utf8_lossy(key);
                    let key = key.escape_debug();
                    let line = format!("the deny-list's key {ROOT}{key} makes no sense");
                    host.log(Severity::Error, &line);
                }
            }
        }
        host.gauge(Gauge::DenyListEntries, entries);
        self.denied = Some(denied);
    }
}

impl Reading {
    fn message(&self) -> Bytes {
        engine::read_keys(&self.from, END.as_bytes(), PAGE_KEYS, self.revision)
    }

    /// Whether there is more to read.
    fn take(&mut self, answer: Answer) -> Result<bool, Ending> {
        let Answer::Message(message) = answer else {
            return Err(Ending::Unreachable);
        };
        let page = engine::read_page(message).map_err(|_| Ending::Malformed)?;
        self.revision = page.revision;
        for document in &page.documents {
            let key = document.key.strip_prefix(ROOT.as_bytes());
            let key = key.ok_or(Ending::Malformed)?;
            let line = |&byte: &u8| if byte == b'\n' { NO_TEXT } else { byte };
            self.keys.extend(key.iter().map(line));
            self.keys.push(b'\n');
            self.entries = self.entries.saturating_add(1);
        }
        if self.entries > MAX_ENTRIES || self.keys.len() > MAX_BYTES {
            return Err(Ending::TooLarge);
        }
        if let Some(last) = page.documents.last() {
            self.from = [&last.key[..], b"\0"].concat().into();
        }
        Ok(page.more)
    }
}

/// One key of the engine's part: whose tokens, and which.
pub(crate) struct Entry {
    pub(crate) issuer: String,
    pub(crate) what: What,
}

pub(crate) enum What {
    TokenId(Box<str>),
    Subject(Box<str>),
    IssuedBefore(i64),
}

impl Entry {
    /// `{issuer}/jti/{id}`, `{issuer}/sub/{subject}` or `{issuer}/issued-before/{seconds}`, each part percent-encoded.
    pub(crate) fn of(key: &[u8]) -> Option<Self> {
        let mut parts = key.split(|&byte| byte == b'/');
        let (issuer, kind, value) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let text = |part| String::from_utf8(percent::decode(part).ok()?).ok();
        let value = text(value)?;
        Some(Self {
            issuer: text(issuer)?,
            what: match kind {
                b"jti" => What::TokenId(value.into()),
                b"sub" => What::Subject(value.into()),
                b"issued-before" => {
                    let seconds = value.parse().ok().filter(|it| *it <= MAX_NUMERIC_DATE)?;
                    What::IssuedBefore(milliseconds(seconds))
                }
                _ => return None,
            },
        })
    }
}

impl Denied {
    fn of(config: &RevokedConfig) -> Self {
        let mut denied = Self::default();
        for id in &config.jti {
            denied.add(What::TokenId(id.as_str().into()));
        }
        for subject in &config.sub {
            denied.add(What::Subject(subject.as_str().into()));
        }
        if let Some(seconds) = config.issued_before {
            denied.add(What::IssuedBefore(milliseconds(seconds)));
        }
        denied
    }

    fn add(&mut self, what: What) {
        match what {
            What::TokenId(id) => drop(self.token_ids.insert(id)),
            What::Subject(subject) => drop(self.subjects.insert(subject)),
            What::IssuedBefore(time_ms) => {
                self.issued_before_ms = self.issued_before_ms.max(Some(time_ms));
            }
        }
    }

    fn denies(&self, token: &VerifiedToken) -> bool {
        let by_id = || {
            let id = token.token_id();
            !self.token_ids.is_empty() && id.is_some_and(|id| self.token_ids.contains(id))
        };
        let by_subject = || {
            let subject = token.subject();
            !self.subjects.is_empty() && subject.is_some_and(|it| self.subjects.contains(it))
        };
        let by_time = self.issued_before_ms.is_some_and(|before_ms| {
            token
                .issued_ms()
                .is_none_or(|issued_ms| issued_ms < before_ms)
        });
        by_time || by_id() || by_subject()
    }
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(1000)
}
