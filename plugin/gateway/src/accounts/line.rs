//! One account in one worker: who waits for it, what was asked of the engine, and what the answers mean.
//!
//! At any time at most one read and one commit of an account are waited for. Reads that wait share the next read; changes
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

mod changing;
mod context;

use std::collections::VecDeque;
use std::rc::Rc;

use ledger::{Account, Looked, Operation, Segment, State};

use self::changing::{Committing, Of};
pub use self::context::Context;
use super::copies::MAX_HELD_BYTES;
use super::document;
use super::history::Look;
use super::job::{Corrupt, Outcome};
use super::keys::AccountKey;
use crate::engine::{CallId, Found, StoreId};
use crate::host::Host;
use crate::planted::{Bug, is_planted};

/// One request that waits, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// The request's number, of the same series as the calls': what is smaller came first.
    pub ticket: u64,
    /// In milliseconds of the worker's steady clock.
    pub deadline_ms: i64,
    /// Whether it is told at once when the first call for it comes to nothing.
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
    /// The store that holds them.
    kept_in: Option<StoreId>,
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
    /// The size of its document, in bytes.
    bytes: usize,
    /// The call that brought it; none: it lay in shared data, or was left over from requests that are over.
    call: Option<CallId>,
}

impl Base {
    /// Whether the engine held this state at a moment after the request arrived.
    fn is_confirmed_for(&self, seat: Seat) -> bool {
        self.call.is_some_and(|CallId(call)| call > seat.ticket)
    }
}

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
            kept_in: None,
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
        if is_planted(Bug::JoinsReadUnderWay)
            && let Some(reading) = &mut self.reading
        {
            reading.readers.push_back(seat);
            return;
        }
        self.readers.push_back(seat);
    }

    /// A change arrives.
    pub fn change(&mut self, seat: Seat, mut operation: Operation) {
        if is_planted(Bug::DescriptionDropped) {
            match &mut operation {
                Operation::Add { lot, .. } => lot.description = None,
                Operation::Redeem { redemption, .. } => redemption.description = None,
                Operation::Create { .. } | Operation::Delete { .. } => {}
            }
        }
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
        let worth = |base: &Base| base.revision > 0 && base.bytes <= MAX_HELD_BYTES;
        let base = self.base.take().filter(worth);
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
            // Those who came meanwhile stand behind: no call was made for them yet.
            let later = std::mem::take(&mut self.readers);
            for seat in reading.readers {
                match seat.impatient {
                    true => settled.push(Settled {
                        ticket: seat.ticket,
                        outcome: Outcome::Failing,
                    }),
                    false => self.readers.push_back(seat),
                }
            }
            self.readers.extend(later);
            return true;
        };
        match decode(&self.key, &found) {
            Ok(base) => {
                context.remember_found(&self.key, &found, &base.state);
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
            bytes: 0,
            call: None,
        });
    };
    match document::decode(&found.value) {
        Ok(state) => Ok(Base {
            state,
            revision: found.revision,
            store,
            bytes: found.value.len(),
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
