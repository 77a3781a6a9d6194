//! What VMs want done, and what comes back to them.

use host::{Effect, Headers, HttpCall, Trapped, Vm};

use super::{Coming, Line, Open, TICK_MS, What, World};
use crate::issuer::{FetchSeen, Question};
use crate::outcome::{Done, Outcome};

impl World {
    /// Calls into a VM that runs, and carries out what it wants.
    pub(super) fn call(&mut self, vm: usize, what: impl FnOnce(&mut Vm) -> Result<(), Trapped>) {
        if let Some(module) = self.seats[vm].vm.as_mut() {
            what(module).expect("the filter never traps");
            self.carry_out(vm);
        }
    }

    pub(super) fn deliver(&mut self, coming: Coming) {
        let vm = coming.vm;
        if self.seats[vm].life != coming.life || self.seats[vm].vm.is_none() {
            return;
        }
        match coming.what {
            What::Fetched {
                token,
                fetch,
                response,
            } => {
                self.fetches[fetch].ended_ms = Some(self.elapsed_ms());
                self.call(vm, |vm| vm.http_call_response(token, response));
            }
            What::Answered { token, answer } => self.call(vm, |vm| match answer {
                Ok(message) => vm.grpc_message(token, message),
                Err(status) => vm.grpc_closed(token, status, "no answer"),
            }),
            What::QueueReady { context, queue } => {
                self.call(vm, |vm| vm.queue_ready(context, queue));
            }
        }
    }

    pub(super) fn carry_out(&mut self, vm: usize) {
        loop {
            let module = self.seats[vm].vm.as_mut().expect("it runs");
            let effects = module.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.carry_out_one(vm, effect);
            }
        }
    }

    fn carry_out_one(&mut self, vm: usize, effect: Effect) {
        match effect {
            Effect::Log { level, message } => self.log.push(Line {
                elapsed_ms: self.elapsed_ms(),
                vm,
                level,
                text: message,
            }),
            Effect::SetTick { period_ms } => assert_eq!(u64::from(period_ms), TICK_MS),
            Effect::QueueReady { to, queue } => {
                let to_vm = usize::try_from(to.address.0).expect("few");
                let context = to.context;
                self.expect(0, to_vm, What::QueueReady { context, queue });
            }
            Effect::HttpCall(call) => self.fetch(vm, &call),
            Effect::GrpcCall {
                token,
                target,
                message,
                timeout_ms,
            } => {
                assert_eq!(target.method, etcd_wire::RANGE, "no test here writes");
                let (after_ms, answer) = self.engine.range(&message, timeout_ms.into());
                self.expect(after_ms, vm, What::Answered { token, answer });
            }
            Effect::GrpcOpen { token, .. } => {
                // This engine tells nobody of changes, and nothing here depends on it.
                const UNIMPLEMENTED: u32 = 12;
                let answer = Err(UNIMPLEMENTED);
                self.expect(1, vm, What::Answered { token, answer });
            }
            Effect::GrpcSend { .. } | Effect::GrpcCancel { .. } => {}
            Effect::ForwardHeaders {
                stream, headers, ..
            } => {
                self.end((vm, stream), Outcome::PassedOn(headers));
                // The upstream answers at once, so that the request is over.
                let ok = Headers::from_pairs([(":status", "200")]);
                let module = self.seats[vm].vm.as_mut().expect("it runs");
                module
                    .response_headers(stream, ok, true)
                    .expect("the filter never traps");
            }
            Effect::ResponseHeaders {
                stream,
                headers,
                end_stream,
            } => {
                // Of one that was passed on nobody waits for the answer.
                if let Some(open) = self.open.get_mut(&(vm, stream)) {
                    open.reply = Some(headers);
                    self.replied((vm, stream), end_stream);
                }
            }
            Effect::ResponseBody {
                stream,
                data,
                end_stream,
            } => {
                if let Some(open) = self.open.get_mut(&(vm, stream)) {
                    open.body.extend_from_slice(&data);
                    self.replied((vm, stream), end_stream);
                }
            }
            Effect::Finished { stream } => {
                let is_open = self.open.contains_key(&(vm, stream));
                assert!(!is_open, "a request is over without an answer");
            }
            other => panic!("nothing here leads to {other:?}"),
        }
    }

    fn replied(&mut self, at: (usize, u32), end_stream: bool) {
        if !end_stream {
            return;
        }
        if let Some(Open {
            reply: Some(headers),
            body,
            ..
        }) = self.open.get_mut(&at)
        {
            let (headers, body) = (std::mem::take(headers), std::mem::take(body));
            self.end(at, Outcome::Replied { headers, body });
        }
    }

    pub(super) fn end(&mut self, at: (usize, u32), outcome: Outcome) {
        let open = self.open.remove(&at).expect("each request ends once");
        let done = Done {
            ask: open.ask,
            vm: at.0,
            asked_ms: open.asked_ms,
            done_ms: self.elapsed_ms(),
            outcome,
        };
        self.done.insert(open.ask, done);
    }

    fn fetch(&mut self, vm: usize, call: &HttpCall) {
        let text = |name: &str| {
            let value = call.headers.get(name).unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        };
        assert_eq!(text(":method"), "GET");
        let began_ms = self.elapsed_ms();
        let question = Question {
            elapsed_ms: began_ms,
            vm,
            authority: text(":authority"),
            path: text(":path"),
        };
        let served = (self.server)(&question);
        let (after_ms, response) = served.heard(call.timeout_ms.into());
        self.fetches.push(FetchSeen {
            vm,
            began_ms,
            ended_ms: None,
        });
        let (token, fetch) = (call.token, self.fetches.len() - 1);
        self.expect(
            after_ms,
            vm,
            What::Fetched {
                token,
                fetch,
                response,
            },
        );
    }

    fn expect(&mut self, after_ms: u64, vm: usize, what: What) {
        let due_ms = self.elapsed_ms() + after_ms;
        let number = self.number();
        let life = self.seats[vm].life;
        self.coming
            .insert((due_ms, number), Coming { vm, life, what });
    }
}
