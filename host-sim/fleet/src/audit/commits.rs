//! What the engine commits: each document must go on from the one before it, each segment must hold what is already known.

use std::hash::{DefaultHasher, Hasher as _};

use engine_model::Change;
use gateway::accounts::document::{self, segment};
use ledger::State;
use serde_json::{Value, json};

use super::Auditor;
use super::book::{Amount, Book, Life, Standing, Version};
use super::memory::{is_forgotten, memory_of};
use crate::checks::Check;
use crate::plan::{Account, Kind, Name};

const ACCOUNTS: &str = "/points/1/account/";
const HISTORIES: &str = "/points/1/history/";
const HEARTBEATS: &str = "/points/1/gateway/";

/// What was committed, for somebody to read.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    account: Account,
    revision: i64,
    what: &'static str,
    entries: u64,
    active: u64,
}

impl Seen {
    /// As JSON.
    #[must_use]
    pub fn shown(self) -> Value {
        json!({
            "account": self.account.to_string(),
            "revision": self.revision,
            "what": self.what,
            "entries": self.entries,
            "active": self.active,
        })
    }
}

/// What a commit came to.
#[derive(Default)]
pub(super) struct Found {
    /// Entries that were written.
    pub(super) written: Vec<Written>,
    /// What is wrong with it: all of it, since not everybody wants to know everything.
    wrong: Vec<(Check, String)>,
}

impl Found {
    pub(super) fn wrong(&mut self, check: Check, words: String) {
        self.wrong.push((check, words));
    }
}

/// Whether the book says after a commit what the engine holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    Yes,
    Not,
}

/// An entry that was written.
pub(super) struct Written {
    pub(super) number: u32,
    pub(super) points: u64,
    pub(super) is_added: bool,
}

pub(super) fn hash_of(it: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    it.hash(&mut hasher);
    hasher.finish()
}

impl Auditor {
    /// The engine has committed this. Something about it, if it is about an account.
    pub fn committed(&mut self, change: &Change, at_us: u64) -> Option<Seen> {
        self.revision = change.revision;
        self.changes += 1;
        let key = std::str::from_utf8(&change.key).unwrap_or_default();
        if key.starts_with(HEARTBEATS) {
            return None;
        }
        let (place, is_account) = match (key.strip_prefix(ACCOUNTS), key.strip_prefix(HISTORIES)) {
            (Some(place), _) => (place, true),
            (_, Some(place)) => (place, false),
            _ => ("", false),
        };
        let mut parts = place.split('/');
        let (tenant, _bucket, customer) = (parts.next(), parts.next(), parts.next());
        let account = Account::named(tenant.unwrap_or_default(), customer.unwrap_or_default());
        let Some(account) = account else {
            let words = format!("{key} was written, which is no key of an account of this world");
            self.violated(Check::Isolation, at_us, None, words);
            return None;
        };
        let mut found = Found::default();
        if is_account {
            self.log.push((change.revision, account));
        }
        // Only what is removed is judged by it.
        let most_ms = match change.value {
            Some(_) => 0,
            None => self.most_ms(at_us),
        };
        let book = self.books.entry(account).or_default();
        if book.is_spoiled {
            return Some(book.seen(account, change.revision, is_account));
        }
        if is_account {
            let recorded = book.document(change, at_us, most_ms, &mut found);
            book.is_spoiled = recorded == Recorded::Not;
        } else {
            let (generation, first) = (parts.next(), parts.next());
            let number = |it: Option<&str>| it.and_then(|it| it.parse().ok()).unwrap_or(0);
            let place = (number(generation), number(first));
            if let Err(words) = book.segment(change, place, most_ms) {
                found.wrong(Check::History, words);
            }
        }
        let seen = book.seen(account, change.revision, is_account);
        for (check, words) in found.wrong {
            let words = format!("{account}, revision {}: {words}", change.revision);
            self.violated(check, at_us, Some(account), words);
        }
        for entry in found.written {
            self.done(account, change.revision, &entry, at_us);
        }
        Some(seen)
    }

    /// An operation was done.
    fn done(&mut self, account: Account, revision: i64, entry: &Written, at_us: u64) {
        let number = entry.number;
        let Some(operation) = self.operations.get(&number) else {
            let words =
                format!("{account} has an entry of an operation {number}, which nobody asked for");
            return self.violated(Check::Isolation, at_us, Some(account), words);
        };
        if operation.account != account {
            let words = format!(
                "{account} has an entry of operation {number}, which is for {}",
                operation.account
            );
            return self.violated(Check::Isolation, at_us, Some(account), words);
        }
        let is_named = operation.named != Name::Nothing;
        let told = self.told.entry(number).or_default();
        told.done += 1;
        told.done_revision = revision;
        let most = if is_named { 1 } else { told.attempts };
        let (done, may_be_done) = (told.done, told.may_be_done());
        let wanted = match operation.kind {
            Kind::Add { points, .. } => Some((points, true)),
            Kind::Redeem { points } => Some((points, false)),
            Kind::Create { points } => points.map(|it| (it, true)),
            _ => None,
        };
        if wanted.map(|(points, is_added)| (u64::from(points), is_added))
            != Some((entry.points, entry.is_added))
        {
            let words = format!(
                "operation {number} asked for {:?}, and {} points were {}",
                operation.kind,
                entry.points,
                if entry.is_added { "added" } else { "redeemed" }
            );
            self.violated(Check::Acknowledged, at_us, Some(account), words);
        }
        if done > most {
            let words =
                format!("operation {number} was done {done} times, at last at revision {revision}");
            self.violated(Check::ExactlyOnce, at_us, Some(account), words);
        } else if !may_be_done {
            let words = format!(
                "operation {number} was done at revision {revision}, although no request for it is under way or of unknown outcome"
            );
            self.violated(Check::ExactlyOnce, at_us, Some(account), words);
        }
    }
}

impl Book {
    fn seen(&self, account: Account, revision: i64, is_account: bool) -> Seen {
        let newest = self.newest();
        let (what, entries, active) = match (&newest.standing, is_account) {
            (_, false) => ("segment", 0, 0),
            (Standing::Absent, _) => ("absent", 0, 0),
            (Standing::Erased, _) => ("erased", 0, 0),
            (
                Standing::Live {
                    entries, amount, ..
                },
                _,
            ) => ("live", *entries as u64, amount.at(i64::MIN)),
        };
        Seen {
            account,
            revision,
            what,
            entries,
            active,
        }
    }

    /// A new document, or none.
    fn document(
        &mut self,
        change: &Change,
        at_us: u64,
        most_ms: i64,
        found: &mut Found,
    ) -> Recorded {
        let was_live = self.newest().is_live();
        let was_erased = self.newest().standing == Standing::Erased;
        let generation = self.lives.last().map_or(0, |it| it.generation);
        let mut version = Version {
            revision: change.revision,
            at_us,
            ..Version::default()
        };
        let Some(value) = &change.value else {
            self.versions.push(version);
            if !was_erased {
                let words = "what was no tombstone was removed".to_owned();
                found.wrong(Check::History, words);
            }
            self.forget(most_ms, found);
            return Recorded::Yes;
        };
        let state = match document::decode(value) {
            Ok(state) => state,
            Err(error) => {
                found.wrong(Check::Fold, format!("the document cannot be read: {error}"));
                return Recorded::Not;
            }
        };
        let (now, updated_at_ms) = match &state {
            State::Live(account) => (account.generation(), account.updated_at().as_millis()),
            State::Erased(tombstone) => {
                (tombstone.generation(), tombstone.updated_at().as_millis())
            }
            State::Absent => (0, 0),
        };
        // How many lives ended in this commit: the number of a life is one more than that of the one before it, or, where
        // nothing was remembered of any, the time of the commit.
        let first = match self.newest().standing {
            Standing::Absent => u64::try_from(updated_at_ms).unwrap_or(1).max(1),
            Standing::Erased => generation + 1,
            Standing::Live { .. } => generation,
        };
        let begun_anew = !was_live || now != generation;
        let is_live = matches!(state, State::Live(_));
        let back = now < generation || now < first && !(was_live && now == generation);
        let same_tombstone = was_erased && now == generation;
        if back || same_tombstone {
            let words = format!("life {now} follows on life {generation}");
            found.wrong(Check::Fold, words);
            return Recorded::Not;
        }
        version.ended = now - first + u64::from(!is_live);
        if version.ended > 0 {
            self.hidden_us.push(at_us);
            if !self.deletions.ended(at_us, version.ended) {
                let words = "more lives have ended than requests for that may have ended";
                found.wrong(Check::ExactlyOnce, words.to_owned());
            }
        }
        let ending = self.lives.last_mut().filter(|_| was_live);
        if let (Some(life), Some(memory)) = (ending, memory_of(&state))
            && version.ended > 0
        {
            Self::end_life(life, memory, updated_at_ms, found);
        }
        if begun_anew {
            self.lives.push(Life {
                generation: now,
                ended_ms: (!is_live).then_some(updated_at_ms),
                ..Life::default()
            });
        }
        let mut recorded = Recorded::Yes;
        version.standing = match &state {
            State::Live(account) => {
                let place = self.lives.len() - 1;
                let segments = self.segments.get(&now);
                if let Some(life) = self.lives.last_mut() {
                    recorded = life.go_on(account, segments, found);
                }
                let entries = self.lives.last().map_or(0, |it| it.entries.len());
                let lots = account.lots();
                let lasting = lots.iter().filter(|it| it.valid_until.is_none());
                let ends = lots.iter().filter_map(|it| {
                    let end = it.valid_until?.as_millis();
                    Some((end, it.remaining.get()))
                });
                Standing::Live {
                    life: place,
                    entries,
                    amount: Amount {
                        lasting: lasting.map(|it| it.remaining.get()).sum(),
                        expiring: ends.collect(),
                        updated_at_ms,
                    },
                }
            }
            State::Erased(_) => Standing::Erased,
            State::Absent => Standing::Absent,
        };
        self.versions.push(version);
        self.remember(state, updated_at_ms, found);
        recorded
    }

    /// A segment was put, or removed.
    fn segment(
        &mut self,
        change: &Change,
        (generation, first): (u64, u64),
        most_ms: i64,
    ) -> Result<(), String> {
        let of_life = self.segments.entry(generation).or_default();
        let Some(value) = &change.value else {
            let is_known = of_life.remove(&first).is_some();
            let current = self.lives.last().map_or(0, |it| it.generation);
            let life = self.lives.iter().find(|it| it.generation == generation);
            // One that no document of its life ever referred to means nothing: the life ended before.
            let referred = life.filter(|it| it.archived >= first);
            let ended_ms = referred.and_then(|it| it.ended_ms);
            let is_due = ended_ms.is_none_or(|it| is_forgotten(it, most_ms));
            let counts = self.newest().is_live() && current == generation;
            return match is_known && !counts && is_due {
                true => Ok(()),
                false => Err(format!(
                    "segment {generation}/{first} was removed while it counts"
                )),
            };
        };
        let segment = match segment::decode(value) {
            Ok(segment) => segment,
            Err(error) => {
                return Err(format!(
                    "segment {generation}/{first} cannot be read: {error}"
                ));
            }
        };
        if (segment.generation(), segment.first()) != (generation, first) {
            return Err(format!("segment {generation}/{first} holds another"));
        }
        let hash = hash_of(value);
        if let Some((_, before)) = of_life.insert(first, (segment.last(), hash)) {
            return Err(match before == hash {
                true => format!("segment {generation}/{first} was written again"),
                false => format!("segment {generation}/{first} has changed"),
            });
        }
        let Some(life) = self.lives.iter().find(|it| it.generation == generation) else {
            return Err(format!("segment {generation}/{first} is of no life"));
        };
        for entry in segment.entries() {
            let place = usize::try_from(entry.sequence.saturating_sub(1)).unwrap_or(usize::MAX);
            if life.entries.get(place).map(|it| it.hash) != Some(hash_of(entry)) {
                let words = format!(
                    "segment {generation}/{first} has another entry {}",
                    entry.sequence
                );
                return Err(words);
            }
        }
        Ok(())
    }
}
