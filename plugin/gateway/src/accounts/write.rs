//! Changing one account: compute the next document, put it if the account is still what it was computed from.
//!
//! Why this never loses or doubles a change:
//! - A commit of unknown outcome is repeated with the identical bytes. They compare with the same revision, so at most
//!   one copy applies; once a compare has failed, no copy that is still under way can apply any more.
//! - The document that a failed compare hands back holds the operation's id if an earlier copy won. The ledger finds it
//!   there and reports a replay, so the operation is simply computed again from whatever document is newest.
//! - What has left the document is looked through where it may hold the operation or its id; then the operation is computed
//!   from a fresh read. Old entries are put into segments before the document that is without them is committed; why that
//!   holds is told in [`super::history`].
//! - A refusal or a replay computed from shared data is no answer: no compare covers it. It is computed again from a
//!   linearizable read first.

use bytes::Bytes;
use ledger::{Account, Applied, Looked, Operation, Record, Refusal, Replay, Segment, State};

use super::document::{self, DocumentError, MAX_DOCUMENT_BYTES, REDEEM_RESERVE_BYTES, segment};
use super::history::{self, Answered, Put, Walk};
use super::job::{Corrupt, Outcome, Progress, Written};
use super::keys::{AccountKey, HistoryKeys};
use super::slots::{self, Known};
use crate::engine::{
    CommitAnswer, Document, MalformedAnswer, Method, StoreId, compare_and_put, read_commit,
    read_document, read_one,
};
use crate::host::{Counter, Host};

/// A change of one account.
#[derive(Debug)]
pub struct Write {
    key: AccountKey,
    operation: Operation,
    phase: Phase,
    /// What is known of the operation in history that has left the document.
    looked: Looked,
    /// Segments that the engine is known to hold, put by this write.
    kept: Vec<Segment>,
    /// Whether a commit was made whose outcome is not known, of an operation that its id does not tell from a repetition.
    unsure: bool,
}

#[derive(Debug)]
enum Phase {
    /// Waiting for the account's document.
    Reading,
    /// Looking through segments.
    Looking(Walk),
    /// Waiting for a segment of the base's oldest entries, before anything refers to it.
    Archiving {
        put: Put,
        base: Box<Base>,
        /// The base's account without the segments before this one.
        account: Box<Account>,
    },
    /// Waiting for the commit of `next`, which is kept only when it is small enough to be remembered.
    Committing { message: Bytes, next: Option<Bytes> },
}

/// A state of the account and how it is known.
#[derive(Debug)]
struct Base {
    state: State,
    /// What a commit compares with; 0 when the key does not exist.
    revision: i64,
    /// Whether it comes from the engine itself, after the request arrived.
    confirmed: bool,
}

impl Write {
    /// A change of the account under `key`.
    #[must_use]
    pub fn new(key: AccountKey, operation: Operation) -> Self {
        Self {
            key,
            looked: Looked::nothing(&operation),
            kept: Vec::new(),
            operation,
            phase: Phase::Reading,
            unsure: false,
        }
    }

    /// Starts from the document in shared data, if there is one and it bears the change; else with a read.
    pub(super) fn begin(&mut self, store: StoreId, host: &impl Host) {
        let Some(known) = slots::look_up(host, &self.key, store) else {
            return;
        };
        let Ok(state) = document::decode(&known.document) else {
            return;
        };
        let base = Base {
            state,
            revision: known.revision,
            confirmed: false,
        };
        self.compute(base, host);
        if self.is_committing() {
            host.count(Counter::BaseHits);
        }
    }

    pub(super) const fn is_committing(&self) -> bool {
        matches!(self.phase, Phase::Committing { .. })
    }

    pub(super) fn held_bytes(&self) -> usize {
        match &self.phase {
            Phase::Reading | Phase::Looking(_) => 0,
            Phase::Archiving { put, .. } => put.held_bytes(),
            Phase::Committing { message, next } => {
                let next = next.as_ref().map_or(0, Bytes::len);
                message.len().saturating_add(next)
            }
        }
    }

    /// The account's key: two writes with the same one should not run at the same time, they would only conflict.
    #[must_use]
    pub const fn key(&self) -> &AccountKey {
        &self.key
    }

    pub(super) fn next_call(&self) -> (Method, Bytes) {
        match &self.phase {
            Phase::Reading => (Method::Range, read_one(self.key.as_bytes())),
            Phase::Looking(walk) => walk.next_call(),
            Phase::Archiving { put, .. } => put.call(),
            Phase::Committing { message, .. } => (Method::Txn, message.clone()),
        }
    }

    pub(super) fn answered(
        &mut self,
        message: Bytes,
        seen: &mut Option<StoreId>,
        host: &impl Host,
    ) -> Progress {
        let key = self.key.as_bytes();
        let found = match &mut self.phase {
            Phase::Reading => read_document(key, message),
            Phase::Looking(_) => return self.looked_at(message),
            Phase::Archiving { .. } => return self.archived(message, host),
            Phase::Committing { next, .. } => match read_commit(key, message) {
                Ok(CommitAnswer::Applied { revision, store }) => {
                    *seen = Some(store);
                    if let Some(document) = next.clone() {
                        // Before the acknowledgement, so that this gateway's next write starts from its own result.
                        let known = Known {
                            store,
                            revision,
                            document,
                        };
                        slots::install(host, &self.key, &known);
                    }
                    return Progress::Done(Outcome::Written(Written::Done));
                }
                Ok(CommitAnswer::Conflict(found)) => {
                    host.count(Counter::CommitConflicts);
                    Ok(found)
                }
                Err(error) => Err(error),
            },
        };
        match found {
            Ok(found) => {
                *seen = Some(found.store);
                self.compute_from(found.document, host)
            }
            Err(MalformedAnswer) => Progress::Senseless,
        }
    }

    pub(super) fn failed(&mut self) {
        let by_client = self.operation.mark().identity.fingerprint.is_some();
        self.unsure |= by_client && self.is_committing();
        if let Phase::Looking(walk) = &mut self.phase {
            walk.failed();
        }
    }

    /// Looks through a page of segments. After the last one the operation is computed from a fresh read.
    fn looked_at(&mut self, message: Bytes) -> Progress {
        let Phase::Looking(walk) = &mut self.phase else {
            return Progress::Senseless;
        };
        let Ok(page) = walk.answered(message) else {
            return Progress::Senseless;
        };
        // An empty answer would be asked for again and again.
        if page.segments.is_empty() {
            return self.corrupt(DocumentError::Missing("history segments"));
        }
        for bytes in page.segments {
            let segment = match segment::decode(&bytes) {
                Ok(segment) => segment,
                Err(error) => return self.corrupt(error),
            };
            if self.looked.look_through(&segment).is_err() {
                return self.corrupt(DocumentError::Missing("a history segment"));
            }
        }
        if !page.more {
            self.phase = Phase::Reading;
        }
        Progress::Call
    }

    /// Takes the answer about a segment, and goes on from the same base when the engine holds it.
    fn archived(&mut self, message: Bytes, host: &impl Host) -> Progress {
        let phase = std::mem::replace(&mut self.phase, Phase::Reading);
        let Phase::Archiving { put, base, account } = phase else {
            return Progress::Senseless;
        };
        match put.answered(&account, message) {
            Ok(Answered::Kept(segment)) => {
                self.kept.push(segment);
                self.compute(*base, host)
            }
            Ok(Answered::BaseIsOld) => Progress::Call,
            Ok(Answered::Corrupt(error)) => {
                Progress::Done(Outcome::Corrupt(Corrupt::new(put.key(), error)))
            }
            Err(MalformedAnswer) => {
                self.phase = Phase::Archiving { put, base, account };
                Progress::Senseless
            }
        }
    }

    fn corrupt(&self, error: DocumentError) -> Progress {
        Progress::Done(Outcome::Corrupt(Corrupt::new(self.key.as_bytes(), error)))
    }

    /// Computes from what the engine itself holds.
    fn compute_from(&mut self, found: Option<Document>, host: &impl Host) -> Progress {
        let base = match found {
            None => Base {
                state: State::Absent,
                revision: 0,
                confirmed: true,
            },
            Some(found) => match document::decode(&found.value) {
                Ok(state) => Base {
                    state,
                    revision: found.revision,
                    confirmed: true,
                },
                Err(error) => {
                    let corrupt = Corrupt::new(self.key.as_bytes(), error);
                    return Progress::Done(Outcome::Corrupt(corrupt));
                }
            },
        };
        self.compute(base, host)
    }

    fn compute(&mut self, base: Base, host: &impl Host) -> Progress {
        let is_confirmed = base.confirmed;
        let applied = ledger::apply(&base.state, &self.operation, &self.looked, host.now());
        let outcome = match applied {
            Ok(Applied::Unseen(unseen)) => {
                let keys = HistoryKeys::of(&self.key);
                let walk = Walk::new(&keys, unseen.generation, unseen.first, unseen.last);
                self.phase = Phase::Looking(walk);
                return Progress::Call;
            }
            Ok(Applied::Changed(next)) => match self.commit(next, base) {
                Ok(()) => return Progress::Call,
                Err(refusal) => Outcome::Refused(refusal),
            },
            Ok(Applied::Remembered(next)) => match self.commit(next, base) {
                Ok(()) => return Progress::Call,
                // The account is full to the last byte: its new key is not remembered, but the operation is done.
                Err(_) => Outcome::Written(Written::Done),
            },
            // A client's own id does not tell this request from an earlier one. One that was made with unknown outcome
            // and is found done was most likely done by that; the client asked once and is answered as if once.
            Ok(Applied::Replayed(Replay::Key)) if !self.unsure => {
                Outcome::Written(Written::ReplayedByKey)
            }
            Ok(Applied::Replayed(_) | Applied::Unchanged) => Outcome::Written(Written::Done),
            Err(refusal) => Outcome::Refused(refusal),
        };
        if is_confirmed {
            return Progress::Done(outcome);
        }
        self.phase = Phase::Reading;
        Progress::Call
    }

    /// Prepares the commit of `next`, unless it has grown over what the engine takes; or first that of a segment, when
    /// entries are to leave the document, for which the base has to come from the engine. A tombstone is never refused: it is bounded by what an account may hold, and a
    /// deletion must always be possible.
    fn commit(&mut self, next: Record, base: Base) -> Result<(), Refusal> {
        let next = match next {
            Record::Erased(tombstone) => Record::Erased(tombstone),
            Record::Live(account) => {
                if let Some((account, segment)) = self.next_segment(&base) {
                    if !base.confirmed {
                        self.phase = Phase::Reading;
                        return Ok(());
                    }
                    let put = Put::new(&HistoryKeys::of(&self.key), segment);
                    let (base, account) = (Box::new(base), Box::new(account));
                    self.phase = Phase::Archiving { put, base, account };
                    return Ok(());
                }
                Record::Live(self.without_kept(account))
            }
        };
        let document = document::encode(&next);
        let reserved = match self.operation {
            Operation::Redeem { .. } => 0,
            _ => REDEEM_RESERVE_BYTES,
        };
        let taken = document.len().saturating_add(reserved);
        if matches!(next, Record::Live(_)) && taken > MAX_DOCUMENT_BYTES {
            return Err(Refusal::AccountFull);
        }
        self.looked.sent(&base.state);
        let document = Bytes::from(document);
        let next = (document.len() <= slots::MAX_HELD_BYTES).then(|| document.clone());
        let message = compare_and_put(self.key.as_bytes(), base.revision, document);
        self.phase = Phase::Committing { message, next };
        Ok(())
    }

    /// The next segment to be put, if one is due, with the base's account as it is without those before it.
    fn next_segment(&self, base: &Base) -> Option<(Account, Segment)> {
        if self.kept.len() >= history::MAX_SEGMENTS_A_WRITE {
            return None;
        }
        let account = base.state.live()?;
        // Most of the time nothing is due, and nothing is copied.
        if self.kept.is_empty() {
            let segment = history::due(account).into_iter().next()?;
            return Some((account.clone(), segment));
        }
        let account = self.without_kept(account.clone());
        let segment = history::due(&account).into_iter().next()?;
        Some((account, segment))
    }

    /// The account without what this write has put into segments. One that is not its next says nothing about it: it is of
    /// another life, or the account is older than the segment.
    fn without_kept(&self, account: Account) -> Account {
        self.kept.iter().fold(account, |account, segment| {
            account.clone().archive(segment).unwrap_or(account)
        })
    }
}
