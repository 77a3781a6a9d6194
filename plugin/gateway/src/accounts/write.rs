//! Changing one account: compute the next document, put it if the account is still what it was computed from.
//!
//! Why this never loses or doubles a change:
//! - A commit of unknown outcome is repeated with the identical bytes. They compare with the same revision, so at most
//!   one copy applies; once a compare has failed, no copy that is still under way can apply any more.
//! - The document that a failed compare hands back holds the operation's id if an earlier copy won. The ledger finds it
//!   there and reports a replay, so the operation is simply computed again from whatever document is newest.
//! - A refusal or a replay computed from shared data is no answer: no compare covers it. It is computed again from a
//!   linearizable read first.

use bytes::Bytes;
use ledger::{Applied, Operation, Record, Refusal, Replay, State, Timestamp};

use super::copies::{AccountCopy, Copies, MAX_HELD_BYTES, Standing};
use super::document::{self, MAX_DOCUMENT_BYTES};
use super::job::{Corrupt, Outcome, Progress, Written};
use super::keys::AccountKey;
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
    /// Whether a commit was made whose outcome is not known, of an operation that its id does not tell from a repetition.
    unsure: bool,
}

#[derive(Debug)]
enum Phase {
    /// Waiting for the account's document.
    Reading,
    /// Waiting for the commit of what will stand then. The document is kept only when it is small enough to be copied.
    Committing {
        message: Bytes,
        standing: Standing,
        next: Option<Bytes>,
    },
}

/// A state of the account and how it is known.
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
    pub const fn new(key: AccountKey, operation: Operation) -> Self {
        Self {
            key,
            operation,
            phase: Phase::Reading,
            unsure: false,
        }
    }

    /// Starts from the document in shared data, if there is one and it bears the change; else with a read.
    pub(super) fn begin(&mut self, store: StoreId, copies: &Copies, host: &impl Host) {
        let Some(known) = copies.look_up(host, self.key.digest(), store) else {
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
        self.compute(&base, host);
        if self.is_committing() {
            host.count(Counter::BaseHits);
        }
    }

    pub(super) const fn is_committing(&self) -> bool {
        matches!(self.phase, Phase::Committing { .. })
    }

    pub(super) fn held_bytes(&self) -> usize {
        match &self.phase {
            Phase::Reading => 0,
            Phase::Committing { message, next, .. } => {
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
            Phase::Committing { message, .. } => (Method::Txn, message.clone()),
        }
    }

    pub(super) fn answered(
        &mut self,
        message: Bytes,
        seen: &mut Option<StoreId>,
        copies: &Copies,
        host: &impl Host,
    ) -> Progress {
        let key = self.key.as_bytes();
        let found = match &self.phase {
            Phase::Reading => read_document(key, message),
            Phase::Committing { standing, next, .. } => match read_commit(key, message) {
                Ok(CommitAnswer::Applied { revision, store }) => {
                    *seen = Some(store);
                    // Before the acknowledgement, so that this gateway's next write starts from its own result.
                    let copy = AccountCopy {
                        store,
                        epoch: 0,
                        revision,
                        standing: *standing,
                        document: next.as_deref(),
                    };
                    copies.install(host, self.key.digest(), &copy);
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
        self.compute(&base, host)
    }

    fn compute(&mut self, base: &Base, host: &impl Host) -> Progress {
        let now = host.now();
        let outcome = match ledger::apply(&base.state, &self.operation, now) {
            Ok(Applied::Changed(next)) => match self.commit(next, base.revision, now) {
                Ok(()) => return Progress::Call,
                Err(refusal) => Outcome::Refused(refusal),
            },
            Ok(Applied::Remembered(next)) => match self.commit(next, base.revision, now) {
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
        if base.confirmed {
            return Progress::Done(outcome);
        }
        self.phase = Phase::Reading;
        Progress::Call
    }

    /// Prepares the commit of `next`, unless it has grown over what the engine takes. A tombstone is never refused: it
    /// is bounded by what an account may hold, and a deletion must always be possible.
    fn commit(&mut self, next: Record, revision: i64, now: Timestamp) -> Result<(), Refusal> {
        let document = document::encode(&next);
        if matches!(next, Record::Live(_)) && document.len() > MAX_DOCUMENT_BYTES {
            return Err(Refusal::AccountFull);
        }
        let document = Bytes::from(document);
        let standing = Standing::of(&next.into(), now);
        let next = (document.len() <= MAX_HELD_BYTES).then(|| document.clone());
        let message = compare_and_put(self.key.as_bytes(), revision, document);
        self.phase = Phase::Committing {
            message,
            standing,
            next,
        };
        Ok(())
    }
}
