//! How long clients may take and how much they may hold: the numbers of `envoy/envoy.yaml`.
//!
//! A request that waits inside the filter is bounded by the two limits of a stream alone; the filter's own time budgets
//! are shorter.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// All headers of a request together; more is 431.
pub(super) const MAX_HEADER_BYTES: usize = 32 * 1024;
/// HTTP/2 streams of one connection at a time.
pub(super) const MAX_CONCURRENT_STREAMS: u32 = 256;
/// A silent HTTP/2 client is asked this often whether it is still there.
pub(super) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(60);
/// How long its answer is waited for.
pub(super) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bounds on clients and on stopping.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a request's head to come whole, from when the connection waits for it.
    pub headers: Duration,
    /// For a request, and for a client that takes no bytes of its answer, without anything happening.
    pub stream_idle: Duration,
    /// For a request from its head to its answer's end.
    pub stream_max: Duration,
    /// For an upstream, from the request's end to the answer's end; Envoy's default for a route.
    pub route: Duration,
    /// Clients connected at a time; who comes over this is hung up on.
    pub connections: usize,
    /// For everything that is in flight after a stop, the root contexts' last work included.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(10),
            stream_idle: Duration::from_secs(15),
            stream_max: Duration::from_secs(30),
            route: Duration::from_secs(15),
            connections: 20_000,
            drain: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// How long clients get of [`Limits::drain`]; the rest is for the root contexts.
    pub(super) fn drain_clients(&self) -> Duration {
        self.drain.saturating_sub(self.drain / 5)
    }
}

/// The two limits of one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamClock {
    idle: Duration,
    idle_until: Instant,
    until: Instant,
}

impl StreamClock {
    pub fn start(limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            idle: limits.stream_idle,
            idle_until: now + limits.stream_idle,
            until: now + limits.stream_max,
        }
    }

    /// Something came or went.
    pub fn moved(&mut self) {
        self.idle_until = Instant::now() + self.idle;
    }

    /// Returns when one of the limits has passed, with Envoy's words for it.
    pub async fn passed(&self) -> &'static str {
        sleep_until(self.idle_until.min(self.until)).await;
        if self.until <= self.idle_until {
            "downstream duration timeout"
        } else {
            "stream timeout"
        }
    }
}
