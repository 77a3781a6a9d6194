//! The counters and gauges of a gateway's admin interface, read once.

use std::collections::BTreeMap;

/// A snapshot of `/stats`. Histograms, which are not single numbers, are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    values: BTreeMap<String, u64>,
}

impl Stats {
    /// Reads lines `name: value`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.rsplit_once(": "));
        let numbers =
            pairs.filter_map(|(name, value)| Some((name.to_owned(), value.trim().parse().ok()?)));
        Self {
            values: numbers.collect(),
        }
    }

    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        self.values.get(name).copied()
    }

    /// The sum of all values whose name contains `part`.
    #[must_use]
    pub fn sum_of(&self, part: &str) -> u64 {
        self.iter()
            .filter(|(name, _)| name.contains(part))
            .map(|(_, value)| value)
            .sum()
    }

    /// How often a worker's VM was replaced after a trap, by any outcome.
    #[must_use]
    pub fn vm_reloads(&self) -> u64 {
        self.sum_of("vm_reload")
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_histograms_left_out() {
        let stats = Stats::parse(
            "http.ingress.downstream_rq_2xx: 17\nwasm.a.vm_reload_success: 2\nwasm.a.vm_reload_backoff: 1\n\
             http.ingress.downstream_rq_time: P0(nan,1) P50(nan,2)\nlistener.[::1]_80.active: 3\nno value\n",
        );
        assert_eq!(stats.get("http.ingress.downstream_rq_2xx"), Some(17));
        assert_eq!(stats.get("listener.[::1]_80.active"), Some(3));
        assert_eq!(stats.get("http.ingress.downstream_rq_time"), None);
        assert_eq!(stats.vm_reloads(), 3);
        assert_eq!(stats.iter().count(), 4);
    }
}
