//! What holds for one seed all the while: how large its world is, how fast, how it is configured, what goes wrong in it.
//!
//! Seeds differ in this more than in anything else: a world in which everything goes wrong at once never gets to the states
//! that lie behind a hundred quiet writes.

use serde::{Deserialize, Serialize};

use super::{Settings, Wish};
use crate::faults::FaultKind;
use crate::named::Named as _;
use crate::random::Random;

/// The least `cache_bytes` that the filter takes.
const LEAST_CACHE_BYTES: u64 = 1 << 20;

/// What a cache that holds everything here takes.
const AMPLE_CACHE_BYTES: u64 = 16 << 20;

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The seed that it was drawn from; chance in the simulation goes on from it.
    pub seed: u64,
    /// Gateways.
    pub gateways: usize,
    /// Workers of each.
    pub workers: usize,
    /// Whether the main thread has a VM too, which ticks and serves nobody.
    pub main_thread: bool,
    /// Tenants.
    pub tenants: u8,
    /// The first customers of each tenant are the busy ones.
    pub hot_customers: u32,
    /// All customers of each tenant.
    pub customers: u32,
    /// How many operations in a thousand are for busy customers.
    pub hot_per_mille: u32,
    /// Clients.
    pub clients: u32,
    /// The mean time between two operations, in microseconds.
    pub gap_us: u32,
    /// A call's way to the engine, and its answer's way back: least and most, in microseconds.
    pub latency_us: (u32, u32),
    /// How far each gateway's clock is ahead at the beginning, in milliseconds.
    pub skew_ms: Vec<i64>,
    /// Configured as `reads.max_staleness_ms`.
    pub max_staleness_ms: u32,
    /// Configured as `cache_bytes`.
    pub cache_bytes: u64,
    /// Configured as `engine.max_batch`.
    pub max_batch: u32,
    /// Configured as `engine.max_in_flight`.
    pub max_in_flight: u32,
    /// Configured as `engine.call_timeout_ms`.
    pub call_timeout_ms: u32,
    /// Configured as `engine.write_budget_ms` and `engine.read_budget_ms`.
    pub budget_ms: u32,
    /// Configured as `sweep.interval_ms`.
    pub sweep_interval_ms: u32,
    /// How long nobody asks for anything after half of the operations, in microseconds: what is done in quiet times is done,
    /// and some come back with what they had asked for before.
    pub quiet_us: u64,
    /// When that begins.
    pub quiet_from_us: u64,
    /// What goes wrong in this world.
    pub faults: Vec<FaultKind>,
    /// Members of the configuration besides, or in place of what is said here.
    pub settings: Settings,
}

/// Longer than a sweeper waits before it begins.
const QUIET_US: u64 = 75_000_000;

impl Profile {
    /// Draws one.
    pub(super) fn draw(wish: &Wish, random: &mut Random) -> Self {
        // Most of what may go wrong goes wrong in most worlds, but hardly ever all of it.
        let often = random.one_of(&[300, 600, 800]);
        let drawn = FaultKind::all().iter().copied();
        let faults: Vec<FaultKind> = drawn
            .filter(|_| random.per_mille(often))
            .filter(|it| wish.faults.has(*it))
            .collect();
        let has = |it| faults.contains(&it);
        let skew_ms = (0..wish.gateways).map(|_| {
            let ms = random.below(60_000).cast_signed() - 30_000;
            if has(FaultKind::ClockSkew) { ms } else { 0 }
        });
        let skew_ms = skew_ms.collect();
        let evicting = has(FaultKind::Eviction);
        Self {
            seed: wish.seed,
            gateways: wish.gateways,
            workers: wish.workers,
            main_thread: random.per_mille(500),
            tenants: random.one_of(&[1, 2, 3]),
            hot_customers: random.one_of(&[1, 2, 4]),
            customers: match evicting {
                true => random.one_of(&[1_000, 4_000]),
                false => random.one_of(&[10, 40, 200]),
            },
            hot_per_mille: random.one_of(&[200, 500, 800]),
            clients: random.one_of(&[4, 16, 64]),
            gap_us: random.one_of(&[1_000, 4_000, 10_000]),
            latency_us: random.one_of(&[(100, 300), (200, 3_000), (500, 20_000)]),
            skew_ms,
            max_staleness_ms: random.one_of(&[250, 600, 1_000, 250, 600, 3_000]),
            cache_bytes: if evicting {
                LEAST_CACHE_BYTES
            } else {
                AMPLE_CACHE_BYTES
            },
            max_batch: random.one_of(&[1, 4, 64]),
            max_in_flight: random.one_of(&[1, 2, 4]),
            call_timeout_ms: random.one_of(&[200, 500, 1_000]),
            budget_ms: random.one_of(&[1_000, 2_000]),
            quiet_us: if random.per_mille(125) { QUIET_US } else { 0 },
            quiet_from_us: 0,
            sweep_interval_ms: random.one_of(&[20, 1_000]),
            faults,
            settings: wish.settings.clone(),
        }
    }

    /// VMs of one gateway.
    #[must_use]
    pub fn vms(&self) -> usize {
        self.workers + usize::from(self.main_thread)
    }
}
