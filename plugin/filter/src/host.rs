//! The host's synchronous facilities, as the port that the gateway wants.

use std::cell::RefCell;
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
    /// The metrics' ids, in the order of [`Counter::ALL`]; each definition allocates, so they are defined once.
    metrics: Vec<u32>,
    /// The gauges' ids and last values. Which there are depends on the configuration.
    gauges: RefCell<BTreeMap<Gauge, (u32, u64)>>,
}

impl ProxyHost {
    /// Defines the metrics.
    pub fn new() -> Self {
        let define =
            |counter: Counter| hostcalls::define_metric(MetricType::Counter, counter.name());
        Self {
            metrics: Counter::ALL.into_iter().flat_map(define).collect(),
            gauges: RefCell::default(),
        }
    }
}

impl Host for ProxyHost {
    fn now(&self) -> Timestamp {
        let since_epoch = hostcalls::get_current_time()
            .ok()
            .and_then(|now| now.duration_since(std::time::UNIX_EPOCH).ok());
        since_epoch
            .and_then(|duration| i64::try_from(duration.as_millis()).ok())
            .and_then(Timestamp::from_millis)
            // Without a clock every token has expired.
            .unwrap_or(Timestamp::MAX)
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

    fn check_signature(&self, check: &SignatureCheck<'_>) -> NativeVerdict {
        let arguments = verify_signature::arguments(check);
        match foreign::call(verify_signature::FUNCTION, &arguments) {
            Some(answer) => verify_signature::verdict(&answer),
            None => NativeVerdict::Unavailable,
        }
    }

    fn count(&self, counter: Counter) {
        let place = Counter::ALL.iter().position(|&it| it == counter);
        if let Some(&metric) = place.and_then(|place| self.metrics.get(place)) {
            // A counter that cannot be raised is not worth a request.
            let _ = hostcalls::increment_metric(metric, 1);
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

    fn log(&self, severity: Severity, line: &str) {
        let level = match severity {
            Severity::Info => LogLevel::Info,
            Severity::Warning => LogLevel::Warn,
            Severity::Error => LogLevel::Error,
        };
        let _ = hostcalls::log(level, line);
    }
}
