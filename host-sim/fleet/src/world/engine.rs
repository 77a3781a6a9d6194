//! The engine's side: calls on their way to it and back, and how it is.
//!
//! When a caller gives up is decided here, since the host leaves it to whoever drives it: a call without an answer in time
//! ends with `UNAVAILABLE`, as Envoy has it.

use bytes::Bytes;
use engine_model::{Method, Model};
use etcd_wire::RangeRequest;
use prost::Message as _;
use serde_json::json;

use super::{Coming, World};
use crate::faults::Fate;

/// gRPC status: no answer, or nobody there.
pub(super) const UNAVAILABLE: u32 = 14;

/// gRPC status: there is no such method.
const UNIMPLEMENTED: u32 = 12;

/// After how long a call that nobody takes fails, in microseconds.
const REFUSED_AFTER_US: u64 = 300;

/// How the engine is.
pub(super) struct Engine {
    pub(super) model: Model,
    pub(super) is_up: bool,
    /// Counts starts: what was under way before one fails.
    pub(super) starts: u64,
    /// Until when it is down, if it is.
    pub(super) down_until_us: u64,
    /// Until when there is no leader.
    pub(super) leaderless_until_us: u64,
    /// Until when writes take longer, and by how much.
    pub(super) slow_until_us: u64,
    pub(super) slow_by_us: u64,
    /// Until when reads are answered from the past, and by how many revisions.
    pub(super) stale_until_us: u64,
    pub(super) stale_by: i64,
}

impl Engine {
    pub(super) fn new(model: Model) -> Self {
        Self {
            model,
            is_up: true,
            starts: 0,
            down_until_us: 0,
            leaderless_until_us: 0,
            slow_until_us: 0,
            slow_by_us: 0,
            stale_until_us: 0,
            stale_by: 0,
        }
    }

    /// It is up again after that start, unless it was stopped again meanwhile.
    pub(super) fn comes_up(&mut self, start: u64) {
        self.is_up |= start == self.starts;
    }

    /// Carries out a call, at the time `now_us`.
    fn execute(&mut self, call: &Call, now_us: u64) -> Result<Vec<u8>, u32> {
        let mut message = call.message.clone();
        if now_us < self.stale_until_us
            && call.method == Method::Range
            && let Ok(mut request) = RangeRequest::decode(message.clone())
            && request.revision == 0
        {
            let oldest = self.model.compacted().max(1);
            request.revision = (self.model.revision() - self.stale_by).max(oldest);
            message = request.encode_to_vec().into();
        }
        self.model.execute(call.method, message)
    }
}

/// Whose call it is: of which VM, under which token.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub(super) seat: usize,
    life: u64,
    token: u32,
}

/// A call on its way to the engine.
pub(super) struct Call {
    caller: Caller,
    method: Method,
    message: Bytes,
    /// When its caller gives up.
    deadline_us: u64,
    /// How the answer travels; none: nobody waits for it.
    answer: Option<Travels>,
    /// Of the engine's, when it was made.
    starts: u64,
    /// It has waited for a leader.
    waited: bool,
}

#[derive(Clone, Copy)]
struct Travels {
    extra_us: u64,
    garbled: bool,
}

impl World<'_> {
    pub(super) fn send_call(
        &mut self,
        seat: usize,
        token: u32,
        method: &str,
        message: Vec<u8>,
        timeout_ms: u32,
    ) {
        let now_us = self.now_us();
        let timeout_us = u64::from(timeout_ms) * 1000;
        let life = self.seats[seat].life;
        let caller = Caller { seat, life, token };
        let Some(method) = Method::named(method) else {
            return self.expect_answer(1, caller, Err(UNIMPLEMENTED));
        };
        let mut call = Call {
            caller,
            method,
            message: message.into(),
            deadline_us: now_us + timeout_us,
            answer: Some(Travels {
                extra_us: 0,
                garbled: false,
            }),
            starts: self.engine.starts,
            waited: false,
        };
        let mut way_us = self.latency_us([seat as u64, token.into(), 1]);
        let fate = self.take_fate(seat);
        self.trace.line(now_us, "call", || {
            json!({ "vm": seat, "call": token, "asks": format!("{method:?}"), "bytes": call.message.len(), "fate": fate })
        });
        // Nothing leaves a gateway that is cut off, whatever was to become of it.
        if self.gateways[self.seats[seat].gateway].cut_until_us > now_us {
            return self.give_up(&call);
        }
        match fate {
            Some(Fate::Lost) => return self.give_up(&call),
            Some(Fate::AnswerLost) => {
                self.give_up(&call);
                call.answer = None;
            }
            Some(Fate::Late(ms)) => {
                self.give_up(&call);
                call.answer = None;
                way_us = timeout_us + u64::from(ms) * 1000;
            }
            Some(Fate::Twice(ms)) => {
                let again = Call {
                    message: call.message.clone(),
                    answer: None,
                    ..call
                };
                self.expect(way_us + u64::from(ms) * 1000, Coming::Call(again));
            }
            Some(Fate::Slow(ms)) => {
                let extra_us = u64::from(ms) * 1000;
                call.answer = Some(Travels {
                    extra_us,
                    garbled: false,
                });
            }
            Some(Fate::Garbled) => {
                call.answer = Some(Travels {
                    extra_us: 0,
                    garbled: true,
                });
            }
            Some(Fate::Refused(status)) => {
                return self.expect_answer(way_us * 2, caller, Err(status));
            }
            None => {}
        }
        self.expect(way_us, Coming::Call(call));
    }

    fn expect_answer(&mut self, after_us: u64, caller: Caller, answer: Result<Vec<u8>, u32>) {
        self.expect(after_us, Coming::Answer { caller, answer });
    }

    /// The caller hears nothing until its time is up.
    fn give_up(&mut self, call: &Call) {
        let after_us = call.deadline_us.saturating_sub(self.now_us());
        self.expect_answer(after_us, call.caller, Err(UNAVAILABLE));
    }

    /// A call reaches the engine.
    pub(super) fn arrive(&mut self, mut call: Call) {
        let now_us = self.now_us();
        let fails = !self.engine.is_up || call.starts != self.engine.starts;
        // A second copy, or a late one, comes over a connection of its own.
        if fails && (call.answer.is_some() || !self.engine.is_up) {
            if call.answer.is_some() {
                self.answer_after(REFUSED_AFTER_US, &call, Err(UNAVAILABLE));
            }
            return;
        }
        if now_us < self.engine.leaderless_until_us && !call.waited {
            call.waited = true;
            let drawn = self.chance([call.caller.seat as u64, call.caller.token.into(), 2]);
            let answered = call.answer.is_some();
            if answered && drawn % 4 != 3 {
                self.give_up(&call);
            }
            match drawn % 4 {
                // Carried out, and nobody hears of it.
                0 => call.answer = None,
                // Carried out when there is a leader again.
                1 => {
                    call.answer = None;
                    let wait_us = self.engine.leaderless_until_us - now_us + drawn / 4 % 5_000;
                    return self.expect(wait_us, Coming::Call(call));
                }
                // Never carried out.
                2 => return,
                _ => {
                    if answered {
                        self.answer_after(REFUSED_AFTER_US, &call, Err(UNAVAILABLE));
                    }
                    return;
                }
            }
        }
        let before = self.engine.model.revision();
        let result = self.engine.execute(&call, now_us);
        let wrote = self.engine.model.revision() != before;
        self.trace.line(now_us, "carried-out", || {
            let revision = self.engine.model.revision();
            json!({ "vm": call.caller.seat, "call": call.caller.token, "revision": revision, "wrote": wrote, "refused": result.as_ref().err() })
        });
        if wrote {
            self.audit(before);
            self.ring_watches();
        }
        let Some(travels) = call.answer else { return };
        let mut after_us = self.latency_us([call.caller.seat as u64, call.caller.token.into(), 3])
            + travels.extra_us;
        if wrote && now_us < self.engine.slow_until_us {
            after_us += self.engine.slow_by_us;
        }
        let result = match travels.garbled {
            true => Ok(self.nonsense(&call)),
            false => result,
        };
        let gateway = &self.gateways[self.seats[call.caller.seat].gateway];
        if gateway.cut_until_us > now_us {
            return self.give_up(&call);
        }
        self.answer_after(after_us, &call, result);
    }

    fn answer_after(&mut self, after_us: u64, call: &Call, answer: Result<Vec<u8>, u32>) {
        if self.now_us() + after_us >= call.deadline_us {
            return self.give_up(call);
        }
        self.expect_answer(after_us, call.caller, answer);
    }

    /// An answer that is none.
    fn nonsense(&self, call: &Call) -> Vec<u8> {
        match self.chance([call.caller.seat as u64, call.caller.token.into(), 4]) % 4 {
            0 => Vec::new(),
            1 => vec![0xff; 3],
            // A header alone, of a store that is far ahead. To a range that would say that there is nothing: no garble, a lie.
            2 if call.method == Method::Txn => vec![0x0a, 0x04, 0x18, 0xc0, 0x84, 0x3d],
            // More to come, and nothing there; to a transaction no message at all.
            _ => vec![0x0a, 0x04, 0x18, 0xc0, 0x84, 0x3d, 0x18, 0x01],
        }
    }

    /// Shows the auditor what was committed.
    fn audit(&mut self, after: i64) {
        let now_us = self.now_us();
        let changes: Vec<_> = self.engine.model.changes_after(after).cloned().collect();
        for change in &changes {
            if let Some(seen) = self.auditor.committed(change, now_us) {
                self.trace.line(now_us, "commit", || seen.shown());
            }
        }
    }

    pub(super) fn answer(&mut self, caller: Caller, answer: Result<Vec<u8>, u32>) {
        let Caller { seat, life, token } = caller;
        if !self.lives(seat, life) {
            return;
        }
        let now_us = self.now_us();
        self.trace.line(now_us, "answer", || {
            json!({ "vm": seat, "call": token, "status": answer.as_ref().err().copied().unwrap_or(0) })
        });
        self.call_vm(seat, |vm| match answer {
            Ok(message) => vm.grpc_message(token, message),
            Err(status) => vm.grpc_closed(token, status, "no answer"),
        });
        self.go_on_draining(seat);
    }
}
