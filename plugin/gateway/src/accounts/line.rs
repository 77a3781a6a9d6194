//! One account in one worker: who waits for it, what was asked of the engine, and what the answers mean.
//!
//! At any time at most one read and one commit of an account are under way. Reads that wait share the next read; changes
//! that wait are folded into the next commit. Why this never loses or doubles a change, and never answers what was not so:
//! - A commit of unknown outcome is repeated as the identical request. It compares with the same revision, so at most one
//!   copy applies; once a compare has failed, no copy that is still under way can apply any more.
//! - The document that a failed compare hands back holds the ids of the operations if an earlier copy won. The ledger finds
//!   them there, so the operations are simply folded again onto whatever document is newest.
//! - A verdict is told only when it was true at one moment after its request arrived: the compare of a commit proves that
//!   for all that were folded into it, refusals too; where nothing is to be committed, the document must come from a call
//!   that was begun after the request arrived. Tickets and calls are numbered through, which tells what came first.
//! - What has left the document is looked through where it may hold an operation's id; meanwhile the others go on. Old
//!   entries are put into segments before the document that is without them is committed; why that holds is told in
//!   [`super::history`].
//! - A reader waits for a read that is begun after it arrived, never for one that is under way.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use ledger::{Account, Looked, Operation, Segment, State};

use super::copies::{AccountCopy, Copies, Kept, Standing};
use super::document;
use super::fold::{Folded, Verdict, fold};
use super::history::{self, Answered, Look, Put};
use super::job::{Corrupt, Outcome};
use super::keys::{AccountKey, HistoryKeys};
use crate::engine::{CallId, Commit, CommitAnswer, Found, StoreId};
use crate::feed::may_confirm;
use crate::host::{Counter, Host};

/// One request that waits, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// The request's number, of the same series as the calls': what is smaller came first.
    pub ticket: u64,
    /// In milliseconds of the worker's steady clock.
    pub deadline_ms: i64,
    /// Whether it gives up when the first call for it comes to nothing.
    pub impatient: bool,
}

/// The end of one request.
#[derive(Debug)]
pub struct Settled {
    /// The request's number.
    pub ticket: u64,
    /// What it came to.
    pub outcome: Outcome,
}

/// The requests for one account and the state they are in.
#[derive(Debug)]
pub struct Line {
    key: AccountKey,
    /// Who waits for a read that is yet to begin.
    readers: VecDeque<Seat>,
    reading: Option<Reading>,
    /// Changes that no commit holds yet.
    changes: VecDeque<Change>,
    /// What the next fold starts from.
    base: Option<Base>,
    /// Whether the changes wait for a read: there is no base, or what it says must be confirmed.
    must_read: bool,
    committing: Option<Committing>,
    /// Segments that the engine is known to hold, put for the next commit.
    kept: Vec<Segment>,
    /// Changes whose ids are being looked for in history.
    looking: Vec<Change>,
    /// Looks to begin.
    looks: Vec<(Seat, Look)>,
}

#[derive(Debug)]
struct Reading {
    call: CallId,
    readers: VecDeque<Seat>,
}

#[derive(Debug)]
struct Change {
    seat: Seat,
    operation: Operation,
    looked: Looked,
    unsure: bool,
}

/// A state of the account and how it is known.
#[derive(Debug)]
struct Base {
    state: State,
    /// What a commit compares with; 0 when the key does not exist.
    revision: i64,
    /// The store that held it.
    store: StoreId,
    /// The call that brought it; none: it lay in shared data, or was left over from requests that are over.
    call: Option<CallId>,
}

impl Base {
    /// Whether the engine held this state at a moment after the request arrived.
    fn is_confirmed_for(&self, seat: Seat) -> bool {
        self.call.is_some_and(|CallId(call)| call > seat.ticket)
    }
}

#[derive(Debug)]
struct Committing {
    commit: Commit,
    /// The call that is under way with it.
    call: Option<CallId>,
    /// Whether an earlier call with it came to nothing known.
    repeated: bool,
    of: Of,
}

/// What is committed.
#[derive(Debug)]
enum Of {
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
    fn members(&self) -> impl Iterator<Item = &(Change, Verdict)> {
        match &self.of {
            Of::Document { members, .. } => Some(members),
            Of::Segment { .. } => None,
        }
        .into_iter()
        .flatten()
    }
}

/// Moment and surroundings of one step.
pub struct Context<'a, H> {
    /// The machine around the core.
    pub host: &'a H,
    /// What this gateway remembers of accounts.
    pub copies: &'a Copies,
    /// The worker's steady clock, in milliseconds.
    pub steady_ms: i64,
    /// The store that last answered for this account's cluster.
    pub store: Option<StoreId>,
    /// The name of this account's cluster.
    pub cluster: &'a str,
}

impl<H: Host> Context<'_, H> {
    /// Remembers what an answer of the engine says of an account, before anybody is told: this gateway's next read and
    /// next write start from it. `at` is a revision of the store at which the account was so.
    fn remember(&self, key: &AccountKey, known: &AccountCopy<'_>, at: i64) {
        let (host, account) = (self.host, key.digest());
        for _ in 0..MAX_INSTALLS {
            match self.copies.install(host, account, known) {
                Kept::Held => {
                    // Otherwise it is no more than a base for writes.
                    let _ = self
                        .copies
                        .confirm(host, account, known.store, known.revision, || {
                            may_confirm(host, self.cluster, known.store, at)
                        });
                    return;
                }
                Kept::Newer | Kept::NotHeld => return,
                Kept::GivenUp => {}
            }
        }
    }
}

/// How often what was learned is offered to the copies when others write there all the time: what was acknowledged here
/// must be read here.
const MAX_INSTALLS: usize = 8;

impl Line {
    /// An account for which nobody waits yet.
    #[must_use]
    pub const fn new(key: AccountKey) -> Self {
        Self {
            key,
            readers: VecDeque::new(),
            reading: None,
            changes: VecDeque::new(),
            base: None,
            must_read: false,
            committing: None,
            kept: Vec::new(),
            looking: Vec::new(),
            looks: Vec::new(),
        }
    }

    /// The account's key.
    #[must_use]
    pub const fn key(&self) -> &AccountKey {
        &self.key
    }

    /// A reader arrives.
    pub fn read(&mut self, seat: Seat) {
        self.readers.push_back(seat);
    }

    /// A change arrives.
    pub fn change(&mut self, seat: Seat, operation: Operation) {
        self.changes.push_back(Change {
            seat,
            looked: Looked::nothing(&operation),
            operation,
            unsure: false,
        });
    }

    /// Whether a read is wanted that is not under way.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        let for_changes = self.must_read && self.committing.is_none() && !self.changes.is_empty();
        self.reading.is_none() && (for_changes || !self.readers.is_empty())
    }

    /// Whether a commit is wanted that is not under way.
    #[must_use]
    pub fn wants_commit(&self) -> bool {
        match &self.committing {
            Some(committing) => committing.call.is_none(),
            None => !self.must_read && !self.changes.is_empty(),
        }
    }

    /// Nobody waits any more: keeps what the next change may start from, if there is something, and nothing else. Whether it
    /// does.
    pub fn rest(&mut self) -> bool {
        let base = self.base.take().filter(|base| base.revision > 0);
        *self = Self {
            base: base.map(|base| Base { call: None, ..base }),
            ..Self::new(self.key.clone())
        };
        self.base.is_some()
    }

    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let none_reads = self.reading.as_ref().is_none_or(|it| it.readers.is_empty());
        let none_commits = self.committing.is_none();
        let none_looks = self.looking.is_empty();
        none_reads
            && none_commits
            && none_looks
            && self.readers.is_empty()
            && self.changes.is_empty()
    }

    /// Bytes held besides the line's own small size.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        // The request shares the document's bytes.
        let of = |it: &Committing| it.commit.encoded_len();
        self.committing.as_ref().map_or(0, of)
    }

    /// Until when somebody waits who has a part in the read or the commit under way, in milliseconds of the steady clock.
    #[must_use]
    pub fn latest_deadline_ms(&self) -> i64 {
        let reading = self.reading.iter().flat_map(|it| &it.readers);
        let changes = self.changes.iter().map(|it| &it.seat);
        let members = self.committing.iter().flat_map(Committing::members);
        let members = members.map(|(change, _)| &change.seat);
        let seats = reading.chain(changes).chain(members);
        seats.map(|seat| seat.deadline_ms).max().unwrap_or(0)
    }

    /// A read begins with this call: all who wait now have a part in it.
    pub fn begin_read(&mut self, call: CallId) -> bool {
        if !self.wants_read() {
            return false;
        }
        self.reading = Some(Reading {
            call,
            readers: std::mem::take(&mut self.readers),
        });
        true
    }

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
        let committing = self.committing.as_mut()?;
        if committing.repeated {
            context.host.count(Counter::CommitResends);
        }
        committing.call = Some(call);
        Some(committing.commit.clone())
    }

    /// Takes the answer to the read that is under way with this call; none: there was none, or it makes no sense.
    /// Whether it was waited for.
    pub fn read_answered<H: Host>(
        &mut self,
        call: CallId,
        found: Option<Found>,
        context: &Context<'_, H>,
        settled: &mut Vec<Settled>,
    ) -> bool {
        let Some(reading) = self.reading.take_if(|it| it.call == call) else {
            return false;
        };
        let Some(found) = found else {
            // Those who came meanwhile stand behind.
            let later = std::mem::take(&mut self.readers);
            for seat in reading.readers.into_iter().chain(later) {
                match seat.impatient {
                    true => settled.push(Settled {
                        ticket: seat.ticket,
                        outcome: Outcome::Unavailable,
                    }),
                    false => self.readers.push_back(seat),
                }
            }
            return true;
        };
        match decode(&self.key, &found) {
            Ok(base) => {
                let document = found.document.as_ref();
                let copy = AccountCopy {
                    store: found.store,
                    epoch: 0,
                    revision: document.map_or(found.revision, |it| it.revision),
                    standing: Standing::of(&base.state, context.host.now()),
                    document: document.map(|it| it.value.as_ref()),
                };
                context.remember(&self.key, &copy, found.revision);
                let revision = base.revision;
                let account = base.state.live().cloned().map(Rc::new);
                for seat in reading.readers {
                    settled.push(read(seat, account.clone(), revision));
                }
                self.take_base(call, base);
            }
            Err(corrupt) => {
                for seat in reading.readers {
                    settled.push(Settled {
                        ticket: seat.ticket,
                        outcome: Outcome::Corrupt(corrupt.clone()),
                    });
                }
                self.give_up_before(call, &corrupt, settled);
            }
        }
        true
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
            (None, of) => self.repeat(committing.commit, of),
            (Some(answer), Of::Segment { put, base, account }) => {
                match put.answered(&account, answer) {
                    None => {
                        let of = Of::Segment { put, base, account };
                        self.repeat(committing.commit, of);
                    }
                    Some(Answered::Kept(segment)) => {
                        self.kept.push(segment);
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
                context.remember(&self.key, &copy, revision);
                for (change, verdict) in members {
                    settled.extend(told(change.seat, verdict, revision));
                }
                self.kept.clear();
                self.base = Some(Base {
                    state,
                    revision,
                    store,
                    call: Some(call),
                });
            }
            (Some(CommitAnswer::Conflict(found)), Of::Document { members, .. }) => {
                context.host.count(Counter::CommitConflicts);
                let members = members.into_iter().map(|(change, _)| change);
                let later = std::mem::replace(&mut self.changes, members.collect());
                self.changes.extend(later);
                match decode(&self.key, &found) {
                    Ok(base) => {
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
        if let Of::Document { members, .. } = &mut of {
            for (change, _) in members {
                change.unsure = change.operation.mark().identity.fingerprint.is_some();
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

    /// Forgets a request. A commit that nobody waits for any more is given up: it may or may not have been made.
    pub fn forget(&mut self, ticket: u64) {
        let others = |seat: &Seat| seat.ticket != ticket;
        self.readers.retain(others);
        if let Some(reading) = &mut self.reading {
            reading.readers.retain(others);
        }
        self.changes.retain(|change| others(&change.seat));
        self.looking.retain(|change| others(&change.seat));
        self.looks.retain(|(seat, _)| others(seat));
        let none_changes = self.changes.is_empty();
        self.committing
            .take_if(|committing| match &mut committing.of {
                Of::Document { members, .. } => {
                    members.retain(|(change, _)| others(&change.seat));
                    members.is_empty()
                }
                Of::Segment { .. } => none_changes,
            });
    }

    /// Computes the next commit from the base and all that waits.
    fn fold<H: Host>(&mut self, context: &Context<'_, H>, settled: &mut Vec<Settled>) {
        self.end_late(context.steady_ms, settled);
        let base = self
            .base
            .take()
            .filter(|base| self.is_newest(base, context));
        let Some(base) = base.or_else(|| self.remembered(context)) else {
            self.must_read = true;
            return;
        };
        let operations: Vec<Folded<'_>> = self
            .changes
            .iter()
            .map(|change| Folded {
                operation: &change.operation,
                looked: &change.looked,
                unsure: change.unsure,
            })
            .collect();
        let folded = fold(&base.state, &operations, &self.kept, context.host.now());
        if folded.next.is_some()
            && let Some((account, segment)) = self.next_segment(&base)
        {
            return self.archive(base, account, segment);
        }
        let taken: Vec<Change> = {
            let taken = folded.verdicts.len().min(self.changes.len());
            self.changes.drain(..taken).collect()
        };
        let mut judged = VecDeque::new();
        for (mut change, verdict) in taken.into_iter().zip(folded.verdicts) {
            match verdict {
                // Only the engine's own word is worth a walk: what shared data tells may never have been.
                Verdict::Unseen(unseen) if base.call.is_some() => {
                    let look = Look::new(self.key.clone(), unseen, change.looked.clone());
                    self.looks.push((change.seat, look));
                    self.looking.push(change);
                }
                verdict => {
                    let is_sent = !matches!(verdict, Verdict::Unseen(_));
                    if folded.next.is_some() && is_sent {
                        change.looked.sent(&base.state);
                    }
                    judged.push_back((change, verdict));
                }
            }
        }
        let Some(next) = folded.next else {
            return self.settle_unchanged(base, judged, settled);
        };
        if base.call.is_none() {
            context.host.count(Counter::BaseHits);
        }
        // Those that are not judged yet wait for the document that this commit makes certain.
        let (judged, unseen): (VecDeque<_>, VecDeque<_>) = judged
            .into_iter()
            .partition(|(_, verdict)| !matches!(verdict, Verdict::Unseen(_)));
        for (change, _) in unseen.into_iter().rev() {
            self.changes.push_front(change);
        }
        self.committing = Some(Committing {
            commit: Commit::new(self.key.as_bytes(), base.revision, next.document.clone()),
            call: None,
            repeated: false,
            of: Of::Document {
                state: next.state,
                document: next.document,
                members: judged,
            },
        });
    }

    /// Nothing is to be committed: who came before the call that brought the base is told, the others want a newer one.
    fn settle_unchanged(
        &mut self,
        base: Base,
        judged: VecDeque<(Change, Verdict)>,
        settled: &mut Vec<Settled>,
    ) {
        let mut unconfirmed = VecDeque::new();
        for (change, verdict) in judged {
            let confirmed = base.is_confirmed_for(change.seat);
            match told(change.seat, verdict, base.revision).filter(|_| confirmed) {
                Some(told) => settled.push(told),
                None => unconfirmed.push_back(change),
            }
        }
        self.must_read = !unconfirmed.is_empty();
        unconfirmed.append(&mut self.changes);
        self.changes = unconfirmed;
        self.base = Some(base);
    }

    /// Puts a segment first. Only of a base that the engine itself told: what shared data tells may never have been.
    fn archive(&mut self, base: Base, account: Account, segment: Segment) {
        if base.call.is_none() {
            self.must_read = true;
            return;
        }
        let put = Put::new(&HistoryKeys::of(&self.key), segment);
        self.committing = Some(Committing {
            commit: put.commit().clone(),
            call: None,
            repeated: false,
            of: Of::Segment {
                put,
                base,
                account: Box::new(account),
            },
        });
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
        let account = self.kept.iter().fold(account.clone(), |account, segment| {
            account.clone().archive(segment).unwrap_or(account)
        });
        let segment = history::due(&account).into_iter().next()?;
        Some((account, segment))
    }

    /// One that is out of time is not begun: it would be answered 503 and change the account all the same.
    fn end_late(&mut self, steady_ms: i64, settled: &mut Vec<Settled>) {
        self.changes.retain(|change| {
            let in_time = steady_ms < change.seat.deadline_ms;
            if !in_time {
                settled.push(Settled {
                    ticket: change.seat.ticket,
                    outcome: Outcome::Unavailable,
                });
            }
            in_time
        });
    }

    /// Whether a base that is at hand is still the newest that this gateway knows. One that the engine told to those who wait
    /// is; of one that was left over, a look at shared data tells.
    fn is_newest<H: Host>(&self, base: &Base, context: &Context<'_, H>) -> bool {
        if base.call.is_some() {
            return true;
        }
        let front = context.copies.front(context.host, self.key.digest());
        match front.filter(|front| front.store == base.store) {
            Some(front) => front.revision == base.revision,
            None => context.store == Some(base.store),
        }
    }

    /// The document in shared data, if there is one.
    fn remembered<H: Host>(&self, context: &Context<'_, H>) -> Option<Base> {
        let known = context
            .copies
            .look_up(context.host, self.key.digest(), context.store?)?;
        Some(Base {
            state: document::decode(&known.document).ok()?,
            revision: known.revision,
            store: known.store,
            call: None,
        })
    }

    /// What a read found is what the next fold starts from, unless a commit is under way: that knows better.
    fn take_base(&mut self, call: CallId, base: Base) {
        if self.committing.is_none() {
            self.base = Some(Base {
                call: Some(call),
                ..base
            });
            self.must_read = false;
        }
    }

    /// Ends the changes for which this call's answer counts: the document cannot be read. The others read it themselves.
    fn give_up_before(
        &mut self,
        CallId(call): CallId,
        corrupt: &Corrupt,
        settled: &mut Vec<Settled>,
    ) {
        self.base = None;
        self.must_read = true;
        self.changes.retain(|change| {
            let later = change.seat.ticket > call;
            if !later {
                settled.push(Settled {
                    ticket: change.seat.ticket,
                    outcome: Outcome::Corrupt(Box::new(corrupt.clone())),
                });
            }
            later
        });
    }
}

fn decode(key: &AccountKey, found: &Found) -> Result<Base, Box<Corrupt>> {
    let store = found.store;
    let Some(found) = &found.document else {
        return Ok(Base {
            state: State::Absent,
            revision: 0,
            store,
            call: None,
        });
    };
    match document::decode(&found.value) {
        Ok(state) => Ok(Base {
            state,
            revision: found.revision,
            store,
            call: None,
        }),
        Err(error) => Err(Corrupt::new(key.as_bytes(), error)),
    }
}

fn read(seat: Seat, account: Option<Rc<Account>>, revision: i64) -> Settled {
    Settled {
        ticket: seat.ticket,
        outcome: Outcome::Read { account, revision },
    }
}

/// None: it is not judged yet.
fn told(seat: Seat, verdict: Verdict, revision: i64) -> Option<Settled> {
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
