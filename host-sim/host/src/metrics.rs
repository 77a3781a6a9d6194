//! Counters, gauges and histograms of one process, by name.
//!
//! A VM holds ids of its own ([`VmMetrics`]): each definition makes a new id, and several ids may mean one metric, as in
//! Envoy. The host's own counters live in the same table under names without the `wasmcustom.` prefix.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use crate::abi::Status;
use crate::shared::lock;

/// Upper bounds of the histogram buckets: Envoy's defaults.
const BUCKETS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// Envoy's namespace for metrics that a module defines.
const CUSTOM_PREFIX: &str = "wasmcustom.";

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes both ways.
    Gauge,
    /// Counts values by size.
    Histogram,
}

#[derive(Clone, Debug, Default)]
struct Histogram {
    counts: [u64; BUCKETS.len()],
    count: u64,
    sum: u64,
}

#[derive(Debug, Default)]
struct Inner {
    numbers: BTreeMap<(String, Kind), u64>,
    histograms: BTreeMap<String, Histogram>,
}

/// The table.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Inner>);

impl Metrics {
    /// Adds to a counter of the host itself.
    pub fn count(&self, name: &str, by: u64) {
        let mut inner = lock(&self.0);
        let value = inner
            .numbers
            .entry((name.to_owned(), Kind::Counter))
            .or_default();
        *value = value.wrapping_add(by);
    }

    /// The current value of a counter or gauge by its full name.
    pub fn value(&self, name: &str) -> Option<u64> {
        let inner = lock(&self.0);
        [Kind::Counter, Kind::Gauge]
            .into_iter()
            .find_map(|kind| inner.numbers.get(&(name.to_owned(), kind)).copied())
    }

    fn define(&self, name: &str, kind: Kind) {
        let mut inner = lock(&self.0);
        match kind {
            Kind::Counter | Kind::Gauge => {
                inner.numbers.entry((name.to_owned(), kind)).or_default();
            }
            Kind::Histogram => {
                inner.histograms.entry(name.to_owned()).or_default();
            }
        }
    }

    fn number<R>(&self, name: &str, kind: Kind, change: impl FnOnce(&mut u64) -> R) -> R {
        let mut inner = lock(&self.0);
        change(inner.numbers.entry((name.to_owned(), kind)).or_default())
    }

    fn observe(&self, name: &str, value: u64) {
        let mut inner = lock(&self.0);
        let histogram = inner.histograms.entry(name.to_owned()).or_default();
        histogram.count = histogram.count.saturating_add(1);
        histogram.sum = histogram.sum.saturating_add(value);
        for (bound, count) in BUCKETS.iter().zip(&mut histogram.counts) {
            if value as f64 <= *bound {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Lines `name: value`, sorted by name.
    pub fn text(&self) -> String {
        let inner = lock(&self.0);
        let mut lines: Vec<String> = inner
            .numbers
            .iter()
            .map(|((name, _), value)| format!("{name}: {value}"))
            .collect();
        lines.extend(inner.histograms.iter().map(|(name, histogram)| {
            format!("{name}: count={} sum={}", histogram.count, histogram.sum)
        }));
        lines.sort();
        lines
            .iter()
            .fold(String::new(), |out, line| out + line + "\n")
    }

    /// The Prometheus text format; a module's metrics stand under their bare names.
    pub fn prometheus(&self) -> String {
        let inner = lock(&self.0);
        let mut out = String::new();
        for ((name, kind), value) in &inner.numbers {
            let name = prometheus_name(name);
            let kind = if *kind == Kind::Counter {
                "counter"
            } else {
                "gauge"
            };
            let _ = writeln!(out, "# TYPE {name} {kind}\n{name} {value}");
        }
        for (name, histogram) in &inner.histograms {
            let name = prometheus_name(name);
            let _ = writeln!(out, "# TYPE {name} histogram");
            for (bound, count) in BUCKETS.iter().zip(histogram.counts) {
                let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {count}");
            }
            let _ = writeln!(
                out,
                "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}",
                count = histogram.count,
                sum = histogram.sum
            );
        }
        out
    }
}

fn prometheus_name(name: &str) -> String {
    name.strip_prefix(CUSTOM_PREFIX)
        .unwrap_or(name)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

/// The ids that one VM gave out. The two lowest bits of an id are the kind.
#[derive(Debug, Default)]
pub struct VmMetrics {
    names: BTreeMap<u32, (String, Kind)>,
    defined: [u32; 3],
}

impl VmMetrics {
    /// A new id for a metric of that name.
    ///
    /// # Errors
    /// [`Status::BadArgument`] for a kind that the ABI does not know.
    pub fn define(&mut self, table: &Metrics, kind: u32, name: &str) -> Result<u32, Status> {
        let (slot, kind) = match kind {
            0 => (0, Kind::Counter),
            1 => (1, Kind::Gauge),
            2 => (2, Kind::Histogram),
            _ => return Err(Status::BadArgument),
        };
        self.defined[slot] = self.defined[slot].saturating_add(1);
        let id = self.defined[slot]
            .saturating_mul(4)
            .saturating_add(slot as u32);
        let name = format!("{CUSTOM_PREFIX}{name}");
        table.define(&name, kind);
        self.names.insert(id, (name, kind));
        Ok(id)
    }

    fn find(&self, id: u32) -> Result<&(String, Kind), Status> {
        self.names.get(&id).ok_or(Status::NotFound)
    }

    /// Adds; a counter only takes positive offsets, a histogram none.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown id, [`Status::BadArgument`] for what the kind does not allow.
    pub fn increment(&self, table: &Metrics, id: u32, offset: i64) -> Result<(), Status> {
        if id % 4 > 1 {
            return Err(Status::BadArgument);
        }
        let (name, kind) = self.find(id)?;
        if *kind == Kind::Counter && offset <= 0 {
            return Err(Status::BadArgument);
        }
        table.number(name, *kind, |value| {
            *value = value.wrapping_add_signed(offset)
        });
        Ok(())
    }

    /// Adds to a counter, sets a gauge, notes a value in a histogram.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown id.
    pub fn record(&self, table: &Metrics, id: u32, value: u64) -> Result<(), Status> {
        let (name, kind) = self.find(id)?;
        match kind {
            Kind::Counter => table.number(name, *kind, |sum| *sum = sum.wrapping_add(value)),
            Kind::Gauge => table.number(name, *kind, |old| *old = value),
            Kind::Histogram => table.observe(name, value),
        }
        Ok(())
    }

    /// Reads a counter or gauge.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown id, [`Status::BadArgument`] for a histogram.
    pub fn get(&self, table: &Metrics, id: u32) -> Result<u64, Status> {
        if id % 4 > 1 {
            return Err(Status::BadArgument);
        }
        let (name, kind) = self.find(id)?;
        Ok(table.number(name, *kind, |value| *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_belong_to_a_vm_and_values_to_the_process() {
        let table = Metrics::default();
        let (mut one, mut two) = (VmMetrics::default(), VmMetrics::default());
        let a = one.define(&table, 0, "hits").expect("counter");
        let again = one.define(&table, 0, "hits").expect("counter");
        let b = two.define(&table, 0, "hits").expect("counter");
        assert_ne!(a, again, "every definition makes an id");
        one.increment(&table, a, 2).expect("known");
        two.record(&table, b, 3).expect("known");
        assert_eq!(one.get(&table, again), Ok(5));
        assert_eq!(one.increment(&table, a, -1), Err(Status::BadArgument));
        assert_eq!(table.value("wasmcustom.hits"), Some(5));
    }

    #[test]
    fn kinds_keep_their_rules() {
        let table = Metrics::default();
        let mut vm = VmMetrics::default();
        let gauge = vm.define(&table, 1, "level").expect("gauge");
        let histogram = vm.define(&table, 2, "took").expect("histogram");
        vm.record(&table, gauge, 7).expect("known");
        vm.increment(&table, gauge, -3).expect("known");
        assert_eq!(vm.get(&table, gauge), Ok(4));
        vm.record(&table, histogram, 20).expect("known");
        assert_eq!(vm.get(&table, histogram), Err(Status::BadArgument));
        assert_eq!(vm.increment(&table, histogram, 1), Err(Status::BadArgument));
        assert_eq!(vm.get(&table, 400), Err(Status::NotFound));
        assert_eq!(vm.define(&table, 3, "x"), Err(Status::BadArgument));
        let text = table.prometheus();
        assert!(text.contains("took_bucket{le=\"10\"} 0\n"), "{text}");
        assert!(text.contains("took_bucket{le=\"25\"} 1\n"), "{text}");
        assert!(text.contains("level 4\n"), "{text}");
        assert!(table.text().contains("wasmcustom.level: 4\n"));
    }
}
