//! The changes of one account: from what waits to a commit, from its answer to verdicts.
//!
//! What one operation does is the ledger's to say, and how several become one document [`crate::accounts::fold`]'s; here is
//! when a verdict may be told, and in `folding` which of them travel now and what has to be done first.

mod folding;

use std::collections::VecDeque;

use bytes::Bytes;
use ledger::{Account, Looked, State};

use super::{Base, Change, Context, Line, Seat, Settled, decode};
use crate::accounts::copies::{AccountCopy, Standing};
use crate::accounts::fold::{Verdict, renew};
use crate::accounts::history::{Answered, Look, Put};
use crate::accounts::job::{Corrupt, Outcome, Written};
use crate::engine::{CallId, Commit, CommitAnswer};
use crate::host::{Counter, Host};
use crate::planted::{Bug, is_planted};

#[derive(Debug)]
pub(super) struct Committing {
    pub commit: Commit,
    /// The call that is under way with it.
    pub call: Option<CallId>,
    /// Whether an earlier call with it came to nothing known.
    repeated: bool,
    pub of: Of,
}

/// What is committed.
#[derive(Debug)]
pub(super) enum Of {
    /// The account's next document, and who has a part in it.
    Document {
        state: State,
        document: Bytes,
        members: VecDeque<(Change, Verdict)>,
    },
    /// A segment of the base's oldest entries, before anything refers to it.
    Segment {
        put: Put,
        base: Base,
        /// The base's account without the segments before this one.
        account: Box<Account>,
    },
}

impl Committing {
    pub(super) fn members(&self) -> impl Iterator<Item = &(Change, Verdict)> {
        match &self.of {
            Of::Document { members, .. } => Some(members),
            Of::Segment { .. } => None,
        }
        .into_iter()
        .flatten()
    }
}

impl Line {
    /// A commit begins with this call, or the one of unknown outcome is repeated with it. None: there is nothing to
    /// commit now; who was refused or had nothing to change is settled, or a read is wanted first.
    pub fn begin_commit<H: Host>(
        &mut self,
        call: CallId,
        context: &Context<'_, H>,
        settled: &mut Vec<Settled>,
    ) -> Option<Commit> {
        if !self.wants_commit() {
            return None;
        }
        if self.committing.is_none() {
            self.fold(context, settled);
        }
        if is_planted(Bug::AnsweredBeforeCommit)
            && let Some(Committing {
                of: Of::Document { members, .. },
                ..
            }) = &self.committing
        {
            settled.extend(
                members
                    .iter()
                    .filter_map(|(it, verdict)| told(it.seat, *verdict, 1)),
            );
        }
        let committing = self.committing.as_mut()?;
        if committing.repeated {
            context.host.count(Counter::CommitResends);
        }
        committing.call = Some(call);
        Some(committing.commit.clone())
    }

    /// Takes the answer to the commit that is under way with this call; none: there was none, or it makes no sense.
    /// Whether it was waited for.
    pub fn commit_answered<H: Host>(
        &mut self,
        call: CallId,
        answer: Option<CommitAnswer>,
        context: &Context<'_, H>,
        settled: &mut Vec<Settled>,
    ) -> bool {
        let Some(committing) = self.committing.take_if(|it| it.call == Some(call)) else {
            return false;
        };
        match (answer, committing.of) {
            (None, Of::Document { members, .. }) if is_planted(Bug::UnknownAsDone) => {
                self.must_read = true;
                for (change, verdict) in members {
                    settled.extend(told(change.seat, verdict, 1));
                }
            }
            (None, of) => self.repeat(committing.commit, of),
            (Some(answer), Of::Segment { put, base, account }) => {
                match put.answered(&account, answer) {
                    None => {
                        let of = Of::Segment { put, base, account };
                        self.repeat(committing.commit, of);
                    }
                    Some(Answered::Kept(segment)) => {
                        self.kept.push(segment);
                        self.kept_in = Some(base.store);
                        self.base = Some(base);
                    }
                    Some(Answered::BaseIsOld) => self.must_read = true,
                    Some(Answered::Corrupt(error)) => {
                        let corrupt = Corrupt::new(put.key(), error);
                        self.give_up_before(call, &corrupt, settled);
                    }
                }
            }
            (
                Some(CommitAnswer::Applied { revision, store }),
                Of::Document {
                    state,
                    document,
                    members,
                },
            ) => {
                let copy = AccountCopy {
                    store,
                    epoch: 0,
                    revision,
                    standing: Standing::of(&state, context.host.now()),
                    document: Some(&document),
                };
                if !is_planted(Bug::NotRemembered) {
                    context.remember(&self.key, &copy, revision);
                }
                for (change, verdict) in members {
                    settled.extend(told(change.seat, verdict, revision));
                }
                self.kept.clear();
                self.base = Some(Base {
                    state,
                    revision,
                    store,
                    bytes: document.len(),
                    call: Some(call),
                });
            }
            (Some(CommitAnswer::Conflict(found)), Of::Document { members, .. })
                if is_planted(Bug::ConflictAsDone) =>
            {
                self.must_read = true;
                for (change, verdict) in members {
                    settled.extend(told(change.seat, verdict, found.revision));
                }
            }
            (Some(CommitAnswer::Conflict(found)), Of::Document { members, .. }) => {
                context.host.count(Counter::CommitConflicts);
                let members = members.into_iter().map(|(change, _)| change);
                let later = std::mem::replace(&mut self.changes, members.collect());
                self.changes.extend(later);
                match decode(&self.key, &found) {
                    Ok(base) => {
                        // What is told from it must be read here too.
                        context.remember_found(&self.key, &found, &base.state);
                        self.base = Some(Base {
                            call: Some(call),
                            ..base
                        });
                    }
                    Err(corrupt) => self.give_up_before(call, &corrupt, settled),
                }
            }
        }
        true
    }

    /// The outcome of a commit is unknown: the identical request is made again.
    fn repeat(&mut self, commit: Commit, mut of: Of) {
        if is_planted(Bug::Traps)
            && let Of::Document { members, .. } = &of
            && members.len() > 1
        {
            std::process::abort();
        }
        if is_planted(Bug::FreshIdOnResend)
            && let Of::Document { members, .. } = &mut of
        {
            self.must_read = true;
            for (mut change, _) in members.drain(..) {
                renew(&mut change.operation);
                change.looked = Looked::nothing(&change.operation);
                self.changes.push_back(change);
            }
            return;
        }
        if let Of::Document { members, .. } = &mut of {
            for (change, verdict) in members {
                let by_client = change.operation.mark().identity.fingerprint.is_some();
                change.unsure |= by_client && *verdict == Verdict::Written(Written::Done);
            }
        }
        self.committing = Some(Committing {
            commit,
            call: None,
            repeated: true,
            of,
        });
    }

    /// Takes what a look through history has brought: the change can be judged.
    pub fn looked(&mut self, ticket: u64, looked: Looked) {
        let place = self.looking.iter().position(|it| it.seat.ticket == ticket);
        if let Some(place) = place {
            let mut change = self.looking.swap_remove(place);
            change.looked = looked;
            self.changes.push_back(change);
        }
    }

    /// Takes the looks through history that have to be made, each for the request with this seat.
    #[must_use]
    pub fn take_looks(&mut self) -> Vec<(Seat, Look)> {
        std::mem::take(&mut self.looks)
    }
}

/// None: it is not judged yet.
fn told(seat: Seat, verdict: Verdict, revision: i64) -> Option<Settled> {
    let revision = match is_planted(Bug::RevisionBehind) {
        true => revision.saturating_sub(1),
        false => revision,
    };
    let outcome = match verdict {
        Verdict::Written(written) => Outcome::Written { written, revision },
        Verdict::Refused(refusal) => Outcome::Refused(refusal),
        Verdict::Unseen(_) => return None,
    };
    Some(Settled {
        ticket: seat.ticket,
        outcome,
    })
}
