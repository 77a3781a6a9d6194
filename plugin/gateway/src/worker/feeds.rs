//! The feeds of a worker, one for each cluster: their streams and calls, by numbers of the worker's.
//!
//! A feed has one stream and one call at a time and knows neither's number; here is who they belong to, so what comes late
//! on an old one reaches nobody. What a feed decides is its own.

use std::rc::Rc;

use bytes::Bytes;

use super::Worker;
use super::numbers::Numbers;
use crate::accounts::copies::Copies;
use crate::config::Config;
use crate::engine::{Answer, Call, CallId, Method, StreamEffect, StreamId};
use crate::feed::{Effect, Feed, Freshness};
use crate::gate::Moment;
use crate::host::{Gauge, Host};

/// The feeds, in the order of the configuration.
pub(super) struct Feeds {
    copies: Rc<Copies>,
    feeds: Vec<Fed>,
    call_timeout_ms: u32,
    streams: Vec<StreamEffect>,
}

struct Fed {
    feed: Feed,
    stream: Option<StreamId>,
    call: Option<CallId>,
}

impl Feeds {
    pub(super) fn new(config: &Config, copies: Rc<Copies>) -> Self {
        let engine = &config.engine;
        let (staleness_ms, timeout_ms) = (config.reads.max_staleness_ms, engine.call_timeout_ms);
        let fed = |cluster: &String| Fed {
            feed: Feed::new(cluster, staleness_ms, timeout_ms),
            stream: None,
            call: None,
        };
        Self {
            copies,
            feeds: engine.clusters.iter().map(fed).collect(),
            call_timeout_ms: timeout_ms,
            streams: Vec::new(),
        }
    }

    /// Turns what the feeds want into streams and calls.
    fn carry_out(&mut self, numbers: &mut Numbers, calls: &mut Vec<Call>) {
        for fed in &mut self.feeds {
            for effect in fed.feed.take_effects() {
                match effect {
                    Effect::Open(message) => {
                        let id = StreamId(numbers.next());
                        fed.stream = Some(id);
                        self.streams.push(StreamEffect::Open {
                            id,
                            cluster: fed.feed.cluster().to_owned(),
                            service: etcd_wire::WATCH_SERVICE,
                            method: etcd_wire::WATCH,
                            message,
                        });
                    }
                    Effect::Close => {
                        let close = |id| StreamEffect::Close { id };
                        self.streams.extend(fed.stream.take().map(close));
                    }
                    Effect::Call(message) => {
                        let id = numbers.call();
                        fed.call = Some(id);
                        calls.push(Call {
                            id,
                            cluster: fed.feed.cluster().to_owned(),
                            method: Method::Txn,
                            message,
                            timeout_ms: self.call_timeout_ms,
                        });
                    }
                }
            }
        }
    }

    /// Whether this VM holds the feed of the cluster at this place.
    pub(super) fn holds(&self, place: usize) -> bool {
        self.feeds.get(place).is_some_and(|fed| fed.feed.holds())
    }

    fn of_stream(&mut self, id: StreamId) -> Option<&mut Fed> {
        self.feeds.iter_mut().find(|fed| fed.stream == Some(id))
    }
}

impl Worker {
    /// Takes what is to be done about streams, in this order.
    #[must_use]
    pub fn take_streams(&mut self) -> Vec<StreamEffect> {
        std::mem::take(&mut self.feeds.streams)
    }

    /// Takes a message of a stream, of at most [`crate::engine::MAX_MESSAGE_BYTES`]. One of a closed stream changes nothing.
    pub fn stream_message(&mut self, id: StreamId, message: Bytes, host: &impl Host) {
        let now = self.clock.moment(host);
        let copies = Rc::clone(&self.feeds.copies);
        if let Some(fed) = self.feeds.of_stream(id) {
            fed.feed.message(message, copies.as_ref(), now, host);
            self.serve_feeds();
        }
    }

    /// Takes note that a stream has ended, with this gRPC status. One that it closed itself changes nothing.
    pub fn stream_closed(&mut self, id: StreamId, grpc_status: u32, host: &impl Host) {
        let now = self.clock.moment(host);
        if let Some(fed) = self.feeds.of_stream(id) {
            fed.stream = None;
            fed.feed.closed(grpc_status, now);
            self.serve_feeds();
        }
    }

    /// How current the copies of the cluster at this place of the configuration are, as of the last tick or message.
    #[must_use]
    pub fn freshness(&self, cluster: usize) -> Option<Freshness> {
        self.feeds.feeds.get(cluster)?.feed.freshness()
    }

    /// The VM is to go once it is idle: others take over what this one holds for all.
    pub fn release(&mut self, host: &impl Host) {
        let now = self.clock.moment(host);
        for fed in &mut self.feeds.feeds {
            fed.feed.release(now, host);
        }
        self.serve_feeds();
    }

    pub(super) fn tick_feeds(&mut self, now: Moment, host: &impl Host) {
        for (place, fed) in self.feeds.feeds.iter_mut().enumerate() {
            fed.feed.tick(now, host);
            // Every VM shows it: one that holds the feed and hangs must not be the one that says how well it goes.
            if let (Some(freshness), Ok(place)) = (fed.feed.freshness(), u8::try_from(place)) {
                let age_ms = now.wall_ms.saturating_sub(freshness.confirmed_at_ms).max(0);
                host.gauge(Gauge::FeedEpoch(place), freshness.epoch.into());
                host.gauge(Gauge::FeedAgeMs(place), age_ms.unsigned_abs());
            }
        }
        self.serve_feeds();
    }

    /// Hands the answer to the feed whose call it is; it comes back when it is no feed's.
    pub(super) fn feed_answered(
        &mut self,
        call: CallId,
        answer: Answer,
        host: &impl Host,
    ) -> Option<Answer> {
        let Some(fed) = self.feeds.feeds.iter_mut().find(|it| it.call == Some(call)) else {
            return Some(answer);
        };
        let now = self.clock.moment(host);
        fed.call = None;
        fed.feed.answered(answer, now, host);
        self.serve_feeds();
        None
    }

    fn serve_feeds(&mut self) {
        self.feeds.carry_out(&mut self.numbers, &mut self.calls);
    }
}
