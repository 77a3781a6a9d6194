//! Time and chance, handed in from outside so that a whole fleet can run from a seed.
//!
//! The host reads neither clock nor entropy by itself. [`System`] is the real world; [`Manual`] and [`Seeded`] are for
//! tests and simulation.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a VM's time comes from.
pub trait Clock {
    /// Nanoseconds since the Unix epoch. Envoy's clock has a resolution of 1 us, and so should this one.
    fn now_ns(&self) -> u64;
    /// Nanoseconds that never go back, from any start.
    fn monotonic_ns(&self) -> u64;
}

/// Where a VM's randomness comes from.
pub trait Random {
    /// Fills the whole buffer.
    fn fill(&mut self, buffer: &mut [u8]);
}

/// The machine's clock and the operating system's entropy.
#[derive(Debug)]
pub struct System {
    started: std::time::Instant,
}

impl Default for System {
    fn default() -> Self {
        Self {
            started: std::time::Instant::now(),
        }
    }
}

impl Clock for System {
    fn now_ns(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_micros())
            .unwrap_or(u64::MAX)
            .saturating_mul(1_000)
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Random for System {
    fn fill(&mut self, buffer: &mut [u8]) {
        // Without entropy no id and no key would be safe to use: stopping is the only right answer.
        getrandom::fill(buffer).expect("the operating system must give random bytes");
    }
}

/// A clock that stands until it is moved; clones share the hands.
#[derive(Clone, Debug, Default)]
pub struct Manual(Rc<Cell<u64>>);

impl Manual {
    /// Starts at that many nanoseconds since the epoch.
    pub fn at(now_ns: u64) -> Self {
        Self(Rc::new(Cell::new(now_ns)))
    }

    /// Moves forward.
    pub fn advance_ns(&self, by_ns: u64) {
        self.0.set(self.0.get().saturating_add(by_ns));
    }
}

impl Clock for Manual {
    fn now_ns(&self) -> u64 {
        self.0.get()
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.get()
    }
}

/// Repeatable bytes (SplitMix64). Not for keys or ids that anybody must not guess.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The same seed gives the same bytes.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Random for Seeded {
    fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}
