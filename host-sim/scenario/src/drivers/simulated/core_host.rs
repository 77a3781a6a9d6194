//! The machine around the core where that runs as native code: the world's clock, seeded chance, shared data by Envoy's rules.
//!
//! It checks no signatures: the core then does that itself, as it does on a host without that function.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use gateway::host::{
    Counter, Gauge, Host, Mismatch, NativeVerdict, NoRandomness, Severity, Shared as SharedValue,
    SharedVersion, SignatureCheck, When,
};
use host::ports::{Random as _, Seeded};
use host::{Effect, LogLevel, Shared};
use ledger::Timestamp;

use super::guest::Seat;
use super::world::Clock;

/// The namespace of shared data; a gateway has one.
const VM_ID: &str = "points";
/// What the host crate puts before a module's metrics.
pub(super) const METRICS: &str = "wasmcustom.";

pub(super) struct CoreHost {
    clock: Clock,
    shared: Arc<Shared>,
    random: RefCell<Seeded>,
    pub(super) gauges: RefCell<BTreeMap<String, u64>>,
    /// Lines, as effects.
    pub(super) lines: RefCell<Vec<Effect>>,
}

impl CoreHost {
    pub(super) fn new(seat: Seat) -> Self {
        Self {
            clock: seat.clock,
            shared: seat.shared,
            random: RefCell::new(Seeded::new(seat.seed)),
            gauges: RefCell::default(),
            lines: RefCell::default(),
        }
    }
}

impl Host for CoreHost {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_ms()).unwrap_or(Timestamp::MAX)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        self.random.borrow_mut().fill(bytes);
        Ok(())
    }

    fn shared_get(&self, key: &str) -> SharedValue {
        match self.shared.data.get(VM_ID, key.as_bytes()) {
            None => SharedValue::Absent,
            Some((value, version)) if value.is_empty() => {
                SharedValue::Erased(SharedVersion(version))
            }
            Some((value, version)) => SharedValue::Held(value, SharedVersion(version)),
        }
    }

    fn shared_set(&self, key: &str, value: &[u8], when: When) -> Result<(), Mismatch> {
        let version = match when {
            When::Absent => u32::MAX,
            When::Version(SharedVersion(0)) => return Err(Mismatch),
            When::Version(SharedVersion(version)) => version,
        };
        let set = self.shared.data.set(VM_ID, key.as_bytes(), value, version);
        set.map_err(|_| Mismatch)
    }

    fn shared_touch(&self, key: &str) {
        // Without a version it is always taken.
        let _ = self.shared.data.set(VM_ID, key.as_bytes(), &[], 0);
    }

    fn check_signature(&self, _check: &SignatureCheck<'_>) -> NativeVerdict {
        NativeVerdict::Unavailable
    }

    fn count(&self, counter: Counter) {
        self.shared
            .metrics
            .count(&format!("{METRICS}{}", counter.name()), 1);
    }

    fn gauge(&self, gauge: Gauge, value: u64) {
        self.gauges.borrow_mut().insert(gauge.name(), value);
    }

    fn writes(&self, _severity: Severity) -> bool {
        true
    }

    fn log(&self, severity: Severity, line: &str) {
        let level = match severity {
            Severity::Info => LogLevel::Info,
            Severity::Warning => LogLevel::Warn,
            Severity::Error => LogLevel::Error,
        };
        self.lines.borrow_mut().push(Effect::Log {
            level,
            message: line.to_owned(),
        });
    }
}
