//! What VMs want done.

use host::Effect;
use serde_json::json;

use super::{Coming, World};
use crate::checks::Check;
use crate::world::seats::Draining;

/// From one turn of an event loop to the next, in microseconds.
const TURN_US: u64 = 20;

impl World<'_> {
    pub(super) fn carry_out(&mut self, seat: usize) {
        loop {
            let Some(vm) = self.seats[seat].vm.as_mut() else {
                return;
            };
            let effects = vm.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.carry_out_one(seat, effect);
            }
        }
    }

    fn carry_out_one(&mut self, seat: usize, effect: Effect) {
        let life = self.seats[seat].life;
        match effect {
            Effect::Log { message, .. } => {
                let now_us = self.now_us();
                self.trace
                    .line(now_us, "log", || json!({ "vm": seat, "text": message }));
            }
            Effect::QueueReady { to, queue } => {
                let (seat, context) = (to.address.0 as usize, to.context);
                self.expect(
                    TURN_US,
                    Coming::QueueReady {
                        seat,
                        context,
                        queue,
                    },
                );
            }
            Effect::HttpCall(call) => {
                let token = call.token;
                self.expect(1_000, Coming::NoConnection { seat, life, token });
            }
            Effect::GrpcCall {
                token,
                target,
                message,
                timeout_ms,
            } => self.send_call(seat, token, &target.method, message, timeout_ms),
            Effect::GrpcOpen { token, .. } => self.open_stream(seat, token),
            Effect::GrpcSend { token, message, .. } => self.send_on_stream(seat, token, message),
            Effect::GrpcCancel { token } => drop(self.streams.remove(&(seat, token))),
            Effect::ResponseHeaders {
                stream,
                headers,
                end_stream,
            } => self.reply_head(seat, stream, headers, end_stream),
            Effect::ResponseBody {
                stream,
                data,
                end_stream,
            } => self.reply_body(seat, stream, &data, end_stream),
            Effect::Drained => self.seats[seat].draining = Draining::Ended,
            Effect::Finished { stream } => self.finished(seat, stream),
            Effect::SetTick { .. } | Effect::GrpcClose { .. } => {}
            other => {
                let words = format!("VM {seat} wants what nothing here leads to: {other:?}");
                let now_us = self.now_us();
                self.auditor.violated(Check::Status, now_us, None, words);
            }
        }
    }
}
