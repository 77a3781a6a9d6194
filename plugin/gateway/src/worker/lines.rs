//! The accounts that requests of this worker wait for, and the batches that carry what they ask.
//!
//! Puts [`Line`]s and [`Lane`]s together: which line stands in which queue, which answer goes to which line, who pauses
//! and who is forgotten. What an answer means is the line's to say; what the client is told, the exchange's.

mod batches;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use ledger::{Looked, Operation};

use super::lane::Lane;
use crate::accounts::copies::Copies;
use crate::accounts::history::Look;
use crate::accounts::keys::{AccountDigest, AccountKey};
use crate::accounts::line::{Line, Seat, Settled};
use crate::accounts::placement::Placement;
use crate::config::EngineConfig;
use crate::engine::{Answer, CallId};
use crate::host::Host;

/// The pause before something of unknown outcome is repeated, in milliseconds; it doubles from try to try.
pub(super) const FIRST_PAUSE_MS: i64 = 25;

/// The longest such pause, in milliseconds.
pub(super) const MAX_PAUSE_MS: i64 = 400;

/// Accounts whose last state a worker keeps after all requests for them are over, so that the next change need not decode
/// it. Only of documents that shared data would hold: about 60 KiB each, decoded.
const MAX_RESTING: usize = 512;

/// Rests that are remembered, those of lines that have been used since among them.
const MAX_RESTS: usize = 16 * MAX_RESTING;

/// gRPC status `DEADLINE_EXCEEDED`.
const DEADLINE_EXCEEDED: u32 = 4;

/// Names one line for the life of a worker. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineId(u64);

/// All lines of one worker, and its ways to the engine.
pub(super) struct Lines {
    copies: Rc<Copies>,
    placement: Placement,
    lanes: Vec<Lane>,
    /// By digest: keys begin alike, so it takes long to tell two of them apart.
    places: BTreeMap<AccountDigest, LineId>,
    lines: BTreeMap<LineId, Entry>,
    /// Lines in which nobody waits, each with the number of its rest; one that has been used since has another number.
    resting: VecDeque<(LineId, u64)>,
    rests: u64,
    /// How many lines rest.
    at_rest: usize,
    /// Bytes that commits hold.
    pub held_bytes: usize,
    settled: Vec<Settled>,
    looks: Vec<(Seat, Look)>,
}

struct Entry {
    line: Line,
    /// The place of its cluster.
    lane: usize,
    waits_to_read: bool,
    waits_to_commit: bool,
    /// Until when nothing is sent, in milliseconds of the steady clock.
    paused_until_ms: Option<i64>,
    next_pause_ms: i64,
    /// This line's part of all that is held.
    held_bytes: usize,
    /// The number of its rest; none: somebody waits.
    rest: Option<u64>,
}

impl Lines {
    pub(super) fn new(engine: &EngineConfig, copies: Rc<Copies>) -> Self {
        let lane = |cluster: &String| Lane::new(cluster, engine);
        Self {
            copies,
            placement: engine.placement(),
            lanes: engine.clusters.iter().map(lane).collect(),
            places: BTreeMap::new(),
            lines: BTreeMap::new(),
            resting: VecDeque::new(),
            rests: 0,
            at_rest: 0,
            held_bytes: 0,
            settled: Vec::new(),
            looks: Vec::new(),
        }
    }

    /// Whether a batch may leave now.
    pub(super) fn is_ready(&self) -> bool {
        self.lanes.iter().any(Lane::is_ready)
    }

    /// Takes who is settled.
    pub(super) fn take_settled(&mut self) -> Vec<Settled> {
        std::mem::take(&mut self.settled)
    }

    /// Takes the looks through history that changes wait for.
    pub(super) fn take_looks(&mut self) -> Vec<(Seat, Look)> {
        std::mem::take(&mut self.looks)
    }

    /// A look through history for a change in this line has ended.
    pub(super) fn looked(&mut self, id: LineId, ticket: u64, looked: Looked) {
        if let Some(entry) = self.lines.get_mut(&id) {
            entry.line.looked(ticket, looked);
        }
        self.queue(id);
    }

    /// The place of the cluster that holds an account.
    #[must_use]
    pub(super) fn lane_of(&self, key: &AccountKey) -> usize {
        self.placement.of(key)
    }

    /// A request that reads arrives; the line in which it waits.
    pub(super) fn read(&mut self, key: AccountKey, seat: Seat) -> LineId {
        self.arrive(key, seat, |line| line.read(seat))
    }

    /// A request that changes arrives; the line in which it waits.
    pub(super) fn change(&mut self, key: AccountKey, seat: Seat, operation: Operation) -> LineId {
        self.arrive(key, seat, |line| line.change(seat, operation))
    }

    fn arrive(&mut self, key: AccountKey, seat: Seat, join: impl FnOnce(&mut Line)) -> LineId {
        // Tickets are never used twice, so neither is the first one of a line.
        let fresh = LineId(seat.ticket);
        let id = *self.places.entry(*key.digest()).or_insert(fresh);
        let lane = self.lane_of(&key);
        let entry = self.lines.entry(id);
        let entry = entry.or_insert_with(|| Entry::new(key, lane));
        if entry.rest.take().is_some() {
            self.at_rest = self.at_rest.saturating_sub(1);
        }
        join(&mut entry.line);
        self.queue(id);
        id
    }

    /// Forgets a request that waits in this line.
    pub(super) fn forget(&mut self, id: LineId, ticket: u64) {
        if let Some(entry) = self.lines.get_mut(&id) {
            entry.line.forget(ticket);
        }
        // Others may wait for what it had under way.
        self.queue(id);
        self.tidy(id);
    }

    /// Ends pauses that are over and calls whose answers cannot come any more.
    pub(super) fn tick<H: Host>(&mut self, now_ms: i64, host: &H) {
        let overdue: Vec<CallId> = self
            .lanes
            .iter()
            .flat_map(|lane| {
                let commits = lane.commits.overdue(now_ms);
                commits.into_iter().chain(lane.reads.overdue(now_ms))
            })
            .collect();
        for call in overdue {
            let grpc_status = DEADLINE_EXCEEDED;
            self.answered(call, Answer::Unknown { grpc_status }, now_ms, host);
        }
        let mut due = Vec::new();
        for (&id, entry) in &mut self.lines {
            if entry
                .paused_until_ms
                .take_if(|until| now_ms >= *until)
                .is_some()
            {
                due.push(id);
            }
        }
        for id in due {
            self.queue(id);
        }
    }

    /// Lets a line stand wherever it has something to send.
    fn queue(&mut self, id: LineId) {
        let Some(entry) = self.lines.get_mut(&id) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(entry.lane) else {
            return;
        };
        if entry.paused_until_ms.is_some() {
            return;
        }
        if entry.line.wants_commit() && !entry.waits_to_commit {
            entry.waits_to_commit = true;
            lane.commits.queue(id);
        }
        if entry.line.wants_read() && !entry.waits_to_read {
            entry.waits_to_read = true;
            lane.reads.queue(id);
        }
    }

    /// Brings the books on a line up to date, and forgets it when nobody waits there.
    fn tidy(&mut self, id: LineId) {
        let Some(entry) = self.lines.get_mut(&id) else {
            return;
        };
        let held_bytes = entry.line.held_bytes();
        self.held_bytes = self
            .held_bytes
            .saturating_sub(entry.held_bytes)
            .saturating_add(held_bytes);
        entry.held_bytes = held_bytes;
        if !entry.line.is_empty() || entry.rest.is_some() {
            return;
        }
        if !entry.line.rest() {
            return self.remove(id);
        }
        self.rests = self.rests.saturating_add(1);
        entry.rest = Some(self.rests);
        self.resting.push_back((id, self.rests));
        self.at_rest = self.at_rest.saturating_add(1);
        while self.at_rest > MAX_RESTING || self.resting.len() > MAX_RESTS {
            let Some((oldest, rest)) = self.resting.pop_front() else {
                break;
            };
            let entry = self.lines.get(&oldest);
            if entry.is_some_and(|it| it.rest == Some(rest)) {
                self.at_rest = self.at_rest.saturating_sub(1);
                self.remove(oldest);
            }
        }
    }

    fn remove(&mut self, id: LineId) {
        if let Some(entry) = self.lines.remove(&id) {
            self.places.remove(entry.line.key().digest());
        }
    }
}

impl Entry {
    const fn new(key: AccountKey, lane: usize) -> Self {
        Self {
            line: Line::new(key),
            lane,
            waits_to_read: false,
            waits_to_commit: false,
            paused_until_ms: None,
            next_pause_ms: FIRST_PAUSE_MS,
            held_bytes: 0,
            rest: None,
        }
    }

    /// A call for this line has ended: one that came to nothing is repeated after a pause.
    fn ended(&mut self, well: bool, now_ms: i64) {
        if well {
            self.next_pause_ms = FIRST_PAUSE_MS;
            return;
        }
        self.paused_until_ms = Some(now_ms.saturating_add(self.next_pause_ms));
        self.next_pause_ms = self.next_pause_ms.saturating_mul(2).min(MAX_PAUSE_MS);
    }
}
