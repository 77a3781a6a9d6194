//! The accounts that requests of this worker wait for, and the batches that carry what they ask.
//!
//! Puts [`Line`]s and [`Lane`]s together: which line stands in which queue, which answer goes to which line, who pauses
//! and who is forgotten. What an answer means is the line's to say; what the client is told, the exchange's.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use ledger::{Looked, Operation};

use super::lane::Lane;
use super::numbers::Numbers;
use super::pipe::{Batch, FULL_BATCH_BYTES};
use crate::accounts::copies::Copies;
use crate::accounts::history::Look;
use crate::accounts::keys::AccountKey;
use crate::accounts::line::{Context, Line, Seat, Settled};
use crate::accounts::placement::Placement;
use crate::config::EngineConfig;
use crate::engine::{
    Answer, Call, CallId, Commit, CommitAnswer, MalformedAnswer, StoreId, read_commits, read_found,
};
use crate::host::{Counter, Host};

/// The pause before something of unknown outcome is repeated, in milliseconds; it doubles from try to try.
pub(super) const FIRST_PAUSE_MS: i64 = 25;

/// The longest such pause, in milliseconds.
pub(super) const MAX_PAUSE_MS: i64 = 400;

/// Accounts whose last state a worker keeps after all requests for them are over, so that the next change need not decode
/// it. About 30 KiB each.
const MAX_RESTING: usize = 512;

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
    places: BTreeMap<AccountKey, LineId>,
    lines: BTreeMap<LineId, Entry>,
    /// Lines in which nobody waits, each with the number of its rest; one that has been used since has another number.
    resting: VecDeque<(LineId, u64)>,
    rests: u64,
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
        let id = *self.places.entry(key.clone()).or_insert(fresh);
        let lane = self.lane_of(&key);
        let entry = self.lines.entry(id);
        let entry = entry.or_insert_with(|| Entry::new(key, lane));
        entry.rest = None;
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

    /// Makes the calls that may be made now.
    pub(super) fn calls<H: Host>(
        &mut self,
        numbers: &mut Numbers,
        now_ms: i64,
        host: &H,
    ) -> Vec<Call> {
        let mut calls = Vec::new();
        for place in 0..self.lanes.len() {
            // Commits first: what they lack is read at once.
            while self
                .lanes
                .get(place)
                .is_some_and(|it| it.commits.is_ready())
            {
                calls.extend(self.commit_batch(place, numbers.call(), now_ms, host));
            }
            while self.lanes.get(place).is_some_and(|it| it.reads.is_ready()) {
                calls.extend(self.read_batch(place, numbers.call(), now_ms));
            }
        }
        for _ in &calls {
            host.count(Counter::EngineCalls);
        }
        calls
    }

    fn commit_batch<H: Host>(
        &mut self,
        place: usize,
        call: CallId,
        now_ms: i64,
        host: &H,
    ) -> Option<Call> {
        let limit = self.lanes.get(place)?.commits.batch_limit();
        let (copies, cluster, store) = self.around(place)?;
        let context = Context {
            host,
            copies: &copies,
            steady_ms: now_ms,
            store,
            cluster: &cluster,
        };
        let mut parts: Vec<(LineId, Commit)> = Vec::new();
        let (mut bytes, mut last_ms) = (0_usize, 0);
        while parts.len() < limit && bytes < FULL_BATCH_BYTES {
            let Some(id) = self.lanes.get_mut(place)?.commits.next() else {
                break;
            };
            let Some(entry) = self.lines.get_mut(&id) else {
                continue;
            };
            entry.waits_to_commit = false;
            if let Some(commit) = entry.line.begin_commit(call, &context, &mut self.settled) {
                bytes = bytes.saturating_add(commit.encoded_len());
                last_ms = entry.line.latest_deadline_ms().max(last_ms);
                parts.push((id, commit));
            }
            self.looks.extend(entry.line.take_looks());
            self.queue(id);
            self.tidy(id);
        }
        let lane = self.lanes.get_mut(place)?;
        lane.send_commits(call, parts, last_ms, now_ms)
    }

    fn read_batch(&mut self, place: usize, call: CallId, now_ms: i64) -> Option<Call> {
        let lane = self.lanes.get_mut(place)?;
        let mut parts: Vec<(LineId, Bytes)> = Vec::new();
        let mut last_ms = 0;
        while parts.len() < lane.reads.batch_limit()
            && let Some(id) = lane.reads.next()
        {
            let Some(entry) = self.lines.get_mut(&id) else {
                continue;
            };
            entry.waits_to_read = false;
            if entry.line.begin_read(call) {
                last_ms = entry.line.latest_deadline_ms().max(last_ms);
                let key = Bytes::copy_from_slice(entry.line.key().as_bytes());
                parts.push((id, key));
            }
        }
        lane.send_reads(call, parts, last_ms, now_ms)
    }

    /// Takes the answer to a call. Whether it was one of these.
    pub(super) fn answered<H: Host>(
        &mut self,
        call: CallId,
        answer: Answer,
        now_ms: i64,
        host: &H,
    ) -> bool {
        let message = match answer {
            Answer::Message(message) => Some(message),
            Answer::Unknown { .. } => None,
        };
        for place in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get_mut(place) else {
                break;
            };
            if let Some(batch) = lane.commits.take(call) {
                self.committed(place, call, batch, message, now_ms, host);
                return true;
            }
            if let Some(batch) = lane.reads.take(call) {
                self.found(place, call, batch, message, now_ms, host);
                return true;
            }
        }
        false
    }

    fn committed<H: Host>(
        &mut self,
        place: usize,
        call: CallId,
        batch: Batch<Commit>,
        message: Option<Bytes>,
        now_ms: i64,
        host: &H,
    ) {
        let (ids, commits): (Vec<LineId>, Vec<Commit>) = batch.parts.into_iter().unzip();
        let answers = message.and_then(|message| read_commits(&commits, message).ok());
        if let Some(lane) = self.lanes.get_mut(place) {
            lane.commits.learn(ids.len(), answers.is_some());
            lane.store =
                answers.iter().flatten().flatten().next().map_or(
                    lane.store,
                    |answer| match answer {
                        CommitAnswer::Applied { store, .. } => Some(*store),
                        CommitAnswer::Conflict(found) => Some(found.store),
                    },
                );
        }
        let Some((copies, cluster, store)) = self.around(place) else {
            return;
        };
        let context = Context {
            host,
            copies: &copies,
            steady_ms: now_ms,
            store,
            cluster: &cluster,
        };
        self.hand_out(ids, answers, &context, |line, answer, settled| {
            line.commit_answered(call, answer, &context, settled)
        });
    }

    fn found<H: Host>(
        &mut self,
        place: usize,
        call: CallId,
        batch: Batch<Bytes>,
        message: Option<Bytes>,
        now_ms: i64,
        host: &H,
    ) {
        let (ids, keys): (Vec<LineId>, Vec<Bytes>) = batch.parts.into_iter().unzip();
        let answers = message.and_then(|message| read_found(&keys, message).ok());
        if let Some(lane) = self.lanes.get_mut(place) {
            lane.reads.learn(ids.len(), answers.is_some());
            let found = answers.iter().flatten().flatten().next();
            lane.store = found.map_or(lane.store, |found| Some(found.store));
        }
        let Some((copies, cluster, store)) = self.around(place) else {
            return;
        };
        let context = Context {
            host,
            copies: &copies,
            steady_ms: now_ms,
            store,
            cluster: &cluster,
        };
        self.hand_out(ids, answers, &context, |line, answer, settled| {
            line.read_answered(call, answer, &context, settled)
        });
    }

    /// Brings each line its part of an answer; without one that makes sense, it tries again after a pause.
    fn hand_out<T, H: Host>(
        &mut self,
        ids: Vec<LineId>,
        answers: Option<Vec<Result<T, MalformedAnswer>>>,
        context: &Context<'_, H>,
        take: impl Fn(&mut Line, Option<T>, &mut Vec<Settled>) -> bool,
    ) {
        let answers = answers.into_iter().flatten().map(Result::ok);
        let answers = answers.chain(std::iter::repeat_with(|| None));
        let (mut failed, mut late) = (false, true);
        for (id, answer) in ids.into_iter().zip(answers) {
            let well = answer.is_some();
            failed |= !well;
            if let Some(entry) = self.lines.get_mut(&id)
                && take(&mut entry.line, answer, &mut self.settled)
            {
                late = false;
                entry.ended(well, context.steady_ms);
            }
            self.queue(id);
            self.tidy(id);
        }
        if late {
            context.host.count(Counter::LateAnswers);
        } else if failed {
            context.host.count(Counter::EngineFailures);
        }
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

    /// What surrounds the lines of the cluster at this place, apart from the host.
    fn around(&self, place: usize) -> Option<(Rc<Copies>, Rc<str>, Option<StoreId>)> {
        let lane = self.lanes.get(place)?;
        let copies = Rc::clone(&self.copies);
        Some((copies, Rc::clone(&lane.cluster), lane.store))
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
        if self.resting.len() > MAX_RESTING
            && let Some((oldest, rest)) = self.resting.pop_front()
            && self
                .lines
                .get(&oldest)
                .is_some_and(|it| it.rest == Some(rest))
        {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, id: LineId) {
        if let Some(entry) = self.lines.remove(&id) {
            self.places.remove(entry.line.key());
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
