//! Streams: the watches of gateways, what they are told and when.
//!
//! A watch looks for news when something was written, a message's way later; what has gathered by then comes in one
//! message. One whose gateway is cut off or stalled looks when that is over.

use engine_model::Watch;
use serde_json::json;

use super::engine::UNAVAILABLE;
use super::{Coming, World};

/// A stream that a VM has open.
pub(super) struct Stream {
    /// None: its first message is still on its way.
    watch: Option<Watch>,
    /// Something is on its way that makes it look for news.
    pub(super) is_told: bool,
}

impl World<'_> {
    pub(super) fn open_stream(&mut self, seat: usize, token: u32) {
        let stream = Stream {
            watch: None,
            is_told: false,
        };
        self.streams.insert((seat, token), stream);
    }

    pub(super) fn send_on_stream(&mut self, seat: usize, token: u32, message: Vec<u8>) {
        let life = self.seats[seat].life;
        let after_us = self.latency_us([seat as u64, token.into(), 5]);
        self.expect(
            after_us,
            Coming::Watch {
                seat,
                life,
                token,
                message,
            },
        );
    }

    /// The first message of a stream reaches the engine.
    pub(super) fn watch(&mut self, seat: usize, life: u64, token: u32, message: Vec<u8>) {
        if !self.lives(seat, life) || !self.streams.contains_key(&(seat, token)) {
            return;
        }
        let now_us = self.now_us();
        let leaderless = now_us < self.engine.leaderless_until_us;
        let cut_until_us = self.gateways[self.seats[seat].gateway].cut_until_us;
        if cut_until_us > now_us || leaderless {
            // It is sent again by the transport, or the filter gives up first.
            let until_us = cut_until_us.max(self.engine.leaderless_until_us);
            let again = Coming::Watch {
                seat,
                life,
                token,
                message,
            };
            return self.expect(until_us - now_us + 1, again);
        }
        let opened = match self.engine.is_up {
            true => self.engine.model.watch(message.into()),
            false => Err(UNAVAILABLE),
        };
        let after_us = self.latency_us([seat as u64, token.into(), 6]);
        match opened {
            Ok((watch, created)) => {
                if let Some(stream) = self.streams.get_mut(&(seat, token)) {
                    stream.watch = Some(watch);
                    stream.is_told = true;
                }
                self.trace
                    .line(now_us, "watch", || json!({ "vm": seat, "stream": token }));
                let message = created;
                self.expect(
                    after_us,
                    Coming::StreamMessage {
                        seat,
                        life,
                        token,
                        message,
                    },
                );
            }
            Err(status) => {
                let closed = Coming::StreamClosed {
                    seat,
                    life,
                    token,
                    status,
                };
                self.expect(after_us, closed);
            }
        }
    }

    pub(super) fn stream_message(&mut self, seat: usize, life: u64, token: u32, message: Vec<u8>) {
        if !self.lives(seat, life) || !self.streams.contains_key(&(seat, token)) {
            return;
        }
        let (now_us, gateway) = (self.now_us(), &self.gateways[self.seats[seat].gateway]);
        if gateway.cut_until_us > now_us {
            // The transport sends it again.
            let wait_us = gateway.cut_until_us - now_us;
            let again = Coming::StreamMessage {
                seat,
                life,
                token,
                message,
            };
            return self.expect(wait_us, again);
        }
        self.call_vm(seat, |vm| vm.grpc_message(token, message));
        self.tell(seat, life, token);
    }

    /// Every watch looks for news, at once: what it finds then is what it tells.
    pub(super) fn ring_watches(&mut self) {
        let mut all: Vec<(usize, u32)> = self
            .streams
            .iter()
            .filter(|(_, stream)| !stream.is_told && stream.watch.is_some())
            .map(|(at, _)| *at)
            .collect();
        all.sort_unstable();
        for (seat, token) in all {
            self.tell_after(seat, token, 1);
        }
    }

    fn tell_after(&mut self, seat: usize, token: u32, after_us: u64) {
        if let Some(stream) = self.streams.get_mut(&(seat, token)) {
            stream.is_told = true;
        }
        let life = self.seats[seat].life;
        self.expect(after_us, Coming::Tell { seat, life, token });
    }

    /// Tells a watch what is new, unless its gateway is cut off: then later.
    pub(super) fn tell(&mut self, seat: usize, life: u64, token: u32) {
        if !self.lives(seat, life) {
            return;
        }
        let now_us = self.now_us();
        let gateway = &self.gateways[self.seats[seat].gateway];
        let until_us = gateway
            .cut_until_us
            .max(gateway.stalled_until_us)
            .max(self.engine.leaderless_until_us);
        let is_up = self.engine.is_up;
        let Some(stream) = self.streams.get_mut(&(seat, token)) else {
            return;
        };
        if until_us > now_us {
            return self.tell_after(seat, token, until_us - now_us);
        }
        stream.is_told = false;
        let Some(watch) = stream.watch.as_mut().filter(|_| is_up) else {
            return;
        };
        let Some(message) = self.engine.model.tell(watch) else {
            return;
        };
        // One message is on its way at a time: what comes meanwhile goes together, behind it.
        stream.is_told = true;
        self.trace.line(
            now_us,
            "told",
            || json!({ "vm": seat, "stream": token, "bytes": message.len() }),
        );
        let gateway = &self.gateways[self.seats[seat].gateway];
        let lags_us = match now_us < gateway.lags_until_us {
            true => gateway.lags_by_us,
            false => 0,
        };
        let way_us = self.latency_us([seat as u64, token.into(), 7]) + lags_us;
        let message = Coming::StreamMessage {
            seat,
            life,
            token,
            message,
        };
        self.expect(way_us, message);
    }

    pub(super) fn stream_closed(&mut self, seat: usize, life: u64, token: u32, status: u32) {
        if self.lives(seat, life) && self.streams.remove(&(seat, token)).is_some() {
            let now_us = self.now_us();
            self.trace.line(
                now_us,
                "watch-closed",
                || json!({ "vm": seat, "stream": token, "status": status }),
            );
            self.call_vm(seat, |vm| vm.grpc_closed(token, status, "broken"));
        }
    }
}
