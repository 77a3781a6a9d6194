//! The host's synchronous facilities, as the port that the gateway wants.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use gateway::host::{
    Counter, Gauge, Host, Mismatch, NativeVerdict, NoRandomness, Severity, Shared, SharedVersion,
    SignatureCheck, When, verify_signature,
};
use ledger::Timestamp;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{LogLevel, MetricType};

use crate::foreign;

/// A version that no entry has in the life of a process: versions count up from 1, one by one.
const NO_VERSION: u32 = u32::MAX;

/// What Envoy, or a host like it, offers to one VM.
pub struct ProxyHost {
    /// The counters, in the order of [`Counter::ALL`]; each definition allocates, so they are defined once.
    tallies: [Tally; Counter::ALL.len()],
    /// The gauges' ids and last values. Which there are depends on the configuration.
    gauges: RefCell<BTreeMap<Gauge, (u32, u64)>>,
    /// The time of the callback that runs, once somebody has asked for it.
    now: Cell<Option<Timestamp>>,
    /// The level from which on the host writes lines.
    level: Cell<u32>,
}

/// What was counted and not told to the host yet: telling it at each request would cost more than counting does.
struct Tally {
    /// The metric's id; none: the host has no room for it.
    metric: Option<u32>,
    untold: Cell<i64>,
}

impl ProxyHost {
    /// Defines the metrics.
    pub fn new() -> Self {
        let define =
            |counter: Counter| hostcalls::define_metric(MetricType::Counter, counter.name());
        Self {
            tallies: Counter::ALL.map(|counter| Tally {
                metric: define(counter).ok(),
                untold: Cell::new(0),
            }),
            gauges: RefCell::default(),
            now: Cell::new(None),
            level: Cell::new(level::now()),
        }
    }

    /// A callback begins: time goes on. Within one it stands still, which saves most readings of the clock.
    pub fn wake(&self) {
        self.now.set(None);
    }

    /// Tells the host what was counted since the last time. With every tick at least: a VM that traps takes along what it
    /// has counted since.
    pub fn tell_counts(&self) {
        for tally in &self.tallies {
            let count = tally.untold.take();
            if let Some(metric) = tally.metric
                && count != 0
            {
                // A counter that cannot be raised is not worth a request.
                let _ = hostcalls::increment_metric(metric, count);
            }
        }
    }

    /// Looks at what an operator may change at any time.
    pub fn tick(&self) {
        self.level.set(level::now());
    }
}

fn read_clock() -> Timestamp {
    let since_epoch = hostcalls::get_current_time()
        .ok()
        .and_then(|now| now.duration_since(std::time::UNIX_EPOCH).ok());
    since_epoch
        .and_then(|duration| i64::try_from(duration.as_millis()).ok())
        .and_then(Timestamp::from_millis)
        // Without a clock every token has expired.
        .unwrap_or(Timestamp::MAX)
}

const fn level_of(severity: Severity) -> LogLevel {
    match severity {
        Severity::Info => LogLevel::Info,
        Severity::Warning => LogLevel::Warn,
        Severity::Error => LogLevel::Error,
    }
}

impl Host for ProxyHost {
    fn now(&self) -> Timestamp {
        if let Some(now) = self.now.get() {
            return now;
        }
        let now = read_clock();
        self.now.set(Some(now));
        now
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|_| NoRandomness)
    }

    fn shared_get(&self, key: &str) -> Shared {
        match hostcalls::get_shared_data(key) {
            Ok((Some(value), Some(version))) => Shared::Held(value, SharedVersion(version)),
            Ok((None, Some(version))) => Shared::Erased(SharedVersion(version)),
            Ok((_, None)) | Err(_) => Shared::Absent,
        }
    }

    fn shared_set(&self, key: &str, value: &[u8], when: When) -> Result<(), Mismatch> {
        let version = match when {
            // On an absent key Envoy does not look at the version, on any other this one does not match: the first to
            // create wins. With no version, or 0, it would overwrite blindly.
            When::Absent => NO_VERSION,
            When::Version(SharedVersion(0)) => return Err(Mismatch),
            When::Version(SharedVersion(version)) => version,
        };
        hostcalls::set_shared_data(key, Some(value), Some(version)).map_err(|_| Mismatch)
    }

    fn shared_touch(&self, key: &str) {
        // Envoy takes it always.
        let _ = hostcalls::set_shared_data(key, None, None);
    }

    fn check_signature(&self, check: &SignatureCheck<'_>) -> NativeVerdict {
        let arguments = verify_signature::arguments(check);
        match foreign::call(verify_signature::FUNCTION, &arguments) {
            Some(answer) => verify_signature::verdict(&answer),
            None => NativeVerdict::Unavailable,
        }
    }

    fn count(&self, counter: Counter) {
        if let Some(tally) = self.tallies.get(counter.place()) {
            tally.untold.set(tally.untold.get().saturating_add(1));
        }
    }

    fn gauge(&self, gauge: Gauge, value: u64) {
        let Ok(mut gauges) = self.gauges.try_borrow_mut() else {
            return;
        };
        let known = gauges.get(&gauge).copied();
        let id = match known {
            Some((_, shown)) if shown == value => return,
            Some((id, _)) => Some(id),
            None => hostcalls::define_metric(MetricType::Gauge, &gauge.name()).ok(),
        };
        if let Some(id) = id {
            let _ = hostcalls::record_metric(id, value);
            gauges.insert(gauge, (id, value));
        }
    }

    fn writes(&self, severity: Severity) -> bool {
        level::number(level_of(severity)) >= self.level.get()
    }

    fn log(&self, severity: Severity, line: &str) {
        let _ = hostcalls::log(level_of(severity), line);
    }
}

#[expect(
    unsafe_code,
    reason = "the SDK's call takes the host's number for one of its own, and a host that writes nothing has one more"
)]
mod level {
    use proxy_wasm::types::LogLevel;

    /// `proxy_status_t::OK`.
    const OK: u32 = 0;

    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        fn proxy_get_log_level(level: *mut u32) -> u32;
    }

    /// The host's level. Where it does not say, everything is worth a line.
    pub(super) fn now() -> u32 {
        let mut level = 0;
        // SAFETY: the pointer is that of a live variable, which the host may write.
        let status = unsafe { proxy_get_log_level(&raw mut level) };
        if status == OK { level } else { 0 }
    }

    /// The host's number of a level.
    pub(super) const fn number(level: LogLevel) -> u32 {
        match level {
            LogLevel::Trace => 0,
            LogLevel::Debug => 1,
            LogLevel::Info => 2,
            LogLevel::Warn => 3,
            LogLevel::Error => 4,
            LogLevel::Critical => 5,
        }
    }
}
