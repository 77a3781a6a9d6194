//! Clients: what they send where, what they make of an answer, when they send it again.

use host::{Headers, StreamInfo};
use serde_json::json;

use super::{Coming, World};
use crate::audit::{Answer, Asked};
use crate::plan::{Kind, Name, Operation};
use crate::wire;

/// How often an operation is sent at most.
const MAX_ATTEMPTS: u32 = 8;

/// The pause before an operation is sent again, in microseconds: least, and how much longer it may be.
const PAUSE_US: (u64, u64) = (20_000, 400_000);

/// A request that was not answered yet.
pub(super) struct Open {
    /// Names it for ever, unlike its stream.
    pub(super) name: u64,
    pub(super) asked: Asked,
    attempt: u32,
    reply: Option<Headers>,
    body: Vec<u8>,
}

impl World<'_> {
    /// A client sends an operation, for the first time or again.
    pub(super) fn ask(&mut self, operation: &Operation, planned_us: u64, attempt: u32) {
        let (gateway, worker) = match attempt {
            0 => (operation.gateway, operation.worker),
            again => {
                let drawn = self.chance([operation.number.into(), again.into(), 8]);
                let profile = &self.plan.profile;
                let of =
                    |number: u64, all: usize| usize::try_from(number % all as u64).unwrap_or(0);
                (
                    of(drawn, profile.gateways),
                    of(drawn >> 32, profile.workers),
                )
            }
        };
        self.ask_there(operation, planned_us, attempt, (gateway, worker));
    }

    /// A client asks only once, and this worker.
    pub(super) fn ask_once(&mut self, operation: &Operation) {
        let there = (operation.gateway, operation.worker);
        self.ask_there(operation, self.now_us(), MAX_ATTEMPTS, there);
    }

    fn ask_there(
        &mut self,
        operation: &Operation,
        planned_us: u64,
        attempt: u32,
        (gateway, worker): (usize, usize),
    ) {
        let now_us = self.now_us();
        let seat = self.gateways[gateway].slots[worker];
        self.trace.line(now_us, "request", || {
            json!({ "operation": operation.number, "attempt": attempt, "vm": seat, "asks": operation.kind, "account": operation.account.to_string(), "named": operation.named })
        });
        if !self.ready(seat) {
            // The host itself answers 503 for a worker without a VM: nothing was begun, and nothing comes of it.
            self.auditor.turned_away();
            self.tell_of_end(operation.number, attempt, gateway, None);
            return self.come_again(operation, attempt, false);
        }
        let session_of = (operation.client, operation.account);
        let session = self.sessions.get(&session_of).copied().unwrap_or(0);
        let asked = self.auditor.asked(operation, gateway, session, now_us);
        let token = &self.tokens[usize::from(operation.account.tenant)];
        let request = wire::request(operation, planned_us, token, session);
        let end = request.body.is_none();
        let Some(vm) = self.seats[seat].vm.as_mut() else {
            return;
        };
        self.next_open += 1;
        let name = self.next_open;
        let open = Open {
            name,
            asked,
            attempt,
            reply: None,
            body: Vec::new(),
        };
        match vm.request_headers(StreamInfo::default(), request.headers, end) {
            Ok(stream) => {
                self.seats[seat].open += 1;
                self.open.insert((seat, stream), open);
                let waiting = match operation.kind {
                    Kind::List => &mut self.lists_waiting,
                    _ => &mut self.waiting,
                };
                waiting.push_back((now_us, seat, stream, name));
                self.after_call(seat, Ok(()));
                if let Some(body) = request.body {
                    self.send_body(seat, stream, body, operation.body_after_us.into());
                }
            }
            Err(trapped) => {
                // What the callback wanted before it trapped is done; nobody waits for an answer to this request.
                self.after_call(seat, Err(trapped));
                self.settle(&open.asked, attempt, None);
            }
        }
    }

    fn send_body(&mut self, seat: usize, stream: u32, body: Vec<u8>, after_us: u64) {
        let life = self.seats[seat].life;
        let thing = Coming::Body {
            seat,
            life,
            stream,
            body,
        };
        match after_us {
            0 => self.happen(thing),
            after_us => self.expect(after_us, thing),
        }
    }

    /// The client of an operation leaves, wherever it waits.
    pub(super) fn leave(&mut self, number: u32, again: bool) {
        let of = |open: &Open| open.asked.number == number;
        let mut waits: Vec<(usize, u32)> = self
            .open
            .iter()
            .filter(|(_, open)| of(open))
            .map(|(at, _)| *at)
            .collect();
        waits.sort_unstable();
        for (seat, stream) in waits {
            let Some(mut open) = self.open.remove(&(seat, stream)) else {
                continue;
            };
            self.seats[seat].open -= 1;
            self.call_vm(seat, |vm| vm.stream_gone(stream));
            if !again {
                open.attempt = MAX_ATTEMPTS;
            }
            self.settle(&open.asked, open.attempt, None);
        }
    }

    pub(super) fn reply_head(&mut self, seat: usize, stream: u32, headers: Headers, end: bool) {
        if let Some(open) = self.open.get_mut(&(seat, stream)) {
            if open.reply.is_some() {
                let number = open.asked.number;
                let words = format!("operation {number} was answered twice");
                return self.auditor.answered_twice(self.time.now_us(), words);
            }
            open.reply = Some(headers);
            if end {
                self.over_with_reply(seat, stream);
            }
        }
    }

    pub(super) fn reply_body(&mut self, seat: usize, stream: u32, data: &[u8], end: bool) {
        if let Some(open) = self.open.get_mut(&(seat, stream)) {
            open.body.extend_from_slice(data);
            if end {
                self.over_with_reply(seat, stream);
            }
        }
    }

    fn over_with_reply(&mut self, seat: usize, stream: u32) {
        let Some(open) = self.open.get_mut(&(seat, stream)) else {
            return;
        };
        let reply = open.reply.take().unwrap_or_default();
        let body = std::mem::take(&mut open.body);
        self.over(seat, stream, Some(Answer::new(&reply, body)));
    }

    /// A context is gone. Its request must have been answered, or its client must have left.
    pub(super) fn finished(&mut self, seat: usize, stream: u32) {
        if let Some(open) = self.open.get(&(seat, stream)) {
            let words = format!("operation {} ended without an answer", open.asked.number);
            let now_us = self.now_us();
            self.auditor.answered_twice(now_us, words);
        }
    }

    /// A request is over: with an answer, or its VM was lost.
    pub(super) fn over(&mut self, seat: usize, stream: u32, answer: Option<Answer>) {
        let Some(open) = self.open.remove(&(seat, stream)) else {
            return;
        };
        self.seats[seat].open -= 1;
        self.settle(&open.asked, open.attempt, answer);
    }

    /// What a client makes of the end of its request.
    fn settle(&mut self, asked: &Asked, attempt: u32, answer: Option<Answer>) {
        let now_us = self.now_us();
        self.tell_of_end(asked.number, attempt, asked.gateway, answer.as_ref());
        let Some(&(_, operation)) = self.operations.get(&asked.number) else {
            return;
        };
        let known = match answer {
            Some(answer) if answer.status != 503 => {
                self.auditor.answered(asked, operation, &answer, now_us);
                if let (true, Some(revision)) = (operation.kind.is_write(), answer.revision) {
                    let session_of = (operation.client, operation.account);
                    let reached = self.sessions.entry(session_of).or_default();
                    *reached = revision.max(*reached);
                }
                true
            }
            _ => {
                self.auditor.unknown(asked);
                false
            }
        };
        self.come_again(operation, attempt, known);
    }

    /// Says that a request has ended.
    fn tell_of_end(&mut self, number: u32, attempt: u32, gateway: usize, answer: Option<&Answer>) {
        let now_us = self.now_us();
        let status = answer.map_or(0, |it| it.status);
        *self.statuses.entry(status).or_default() += 1;
        self.trace.line(now_us, "reply", || {
            let shown = answer.map(Answer::shown);
            json!({ "operation": number, "attempt": attempt, "gateway": gateway, "status": status, "answer": shown })
        });
    }

    /// A client whose request has ended sends it again: because it does not know what became of it, or although it does.
    fn come_again(&mut self, operation: &Operation, attempt: u32, known: bool) {
        let now_us = self.now_us();
        let number = operation.number;
        let is_named = operation.named != Name::Nothing;
        let again = match known {
            true => is_named && self.auditor.answered_so_far(number) <= operation.echoes.into(),
            false => is_named || !operation.kind.is_write(),
        };
        if again && attempt < MAX_ATTEMPTS {
            let drawn = self.chance([number.into(), attempt.into(), 9]);
            let mut pause_us = PAUSE_US.0 + drawn % PAUSE_US.1;
            let profile = &self.plan.profile;
            if known && now_us < profile.quiet_from_us && drawn.is_multiple_of(2) {
                pause_us += profile.quiet_from_us + profile.quiet_us - now_us;
            }
            self.pausing += 1;
            let attempt = attempt + 1;
            self.expect(pause_us, Coming::Again { number, attempt });
        }
    }
}
