//! From lines that have something to send to batches, and from a batch's answer back to its lines.

use std::rc::Rc;

use bytes::Bytes;

use super::{LineId, Lines};
use crate::accounts::copies::Copies;
use crate::accounts::line::{Context, Line, Settled};
use crate::engine::{
    Answer, Call, CallId, Commit, CommitAnswer, MalformedAnswer, StoreId, read_commits, read_found,
};
use crate::feed::may_confirm;
use crate::host::{Counter, Host};
use crate::worker::numbers::Numbers;
use crate::worker::pipe::{Batch, FULL_BATCH_BYTES};

impl Lines {
    /// Makes the calls that may be made now.
    pub(in crate::worker) fn calls<H: Host>(
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
        let around = self.around(place)?;
        let may_confirm = around.may_confirm(host);
        let context = around.context(host, now_ms, &may_confirm);
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
    pub(in crate::worker) fn answered<H: Host>(
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
        let Some(around) = self.around(place) else {
            return;
        };
        let may_confirm = around.may_confirm(host);
        let context = around.context(host, now_ms, &may_confirm);
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
        let Some(around) = self.around(place) else {
            return;
        };
        let may_confirm = around.may_confirm(host);
        let context = around.context(host, now_ms, &may_confirm);
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

    /// What surrounds the lines of the cluster at this place.
    fn around(&self, place: usize) -> Option<Around> {
        let lane = self.lanes.get(place)?;
        Some(Around {
            copies: Rc::clone(&self.copies),
            cluster: Rc::clone(&lane.cluster),
            store: lane.store,
        })
    }
}

/// What surrounds the lines of one cluster, apart from the host. Shared, so that the lines themselves can be changed.
struct Around {
    copies: Rc<Copies>,
    cluster: Rc<str>,
    store: Option<StoreId>,
}

impl Around {
    fn may_confirm<H: Host>(&self, host: &H) -> impl Fn(StoreId, i64) -> Option<u32> {
        |store, at| may_confirm(host, &self.cluster, store, at)
    }

    fn context<'a, H>(
        &'a self,
        host: &'a H,
        steady_ms: i64,
        may_confirm: &'a dyn Fn(StoreId, i64) -> Option<u32>,
    ) -> Context<'a, H> {
        Context {
            host,
            copies: &self.copies,
            steady_ms,
            store: self.store,
            may_confirm,
        }
    }
}
