//! Where a benchmark ran, as far as figures depend on it.

use std::process::Command;

use serde_json::{Value, json};

use crate::placement::Placement;

/// A machine and what ran on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many of it there are.
    pub cpus: usize,
    /// The kernel's release.
    pub kernel: String,
    /// Envoy's version.
    pub envoy: String,
    /// The load average over the last minute, before anything was started: what else runs on this machine.
    pub load_average: String,
    /// Who runs on which CPU.
    pub placement: String,
}

impl Machine {
    /// This one. What it does not tell about itself stays empty.
    #[must_use]
    pub fn here(placement: &Placement) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu_info = read("/proc/cpuinfo");
        let names = cpu_info
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| name.trim() == "model name");
        let first_word = |text: String| {
            text.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            cpu: names
                .clone()
                .next()
                .map_or_else(String::new, |(_, name)| name.trim().to_owned()),
            cpus: cpu_info
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            envoy: envoy_version().unwrap_or_default(),
            load_average: first_word(read("/proc/loadavg")),
            placement: placement.words(),
        }
    }

    pub(super) fn words(&self) -> String {
        format!(
            "{}, {} CPUs, Linux {}, Envoy {}, load average {} before; {}",
            self.cpu, self.cpus, self.kernel, self.envoy, self.load_average, self.placement
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "cpus": self.cpus,
            "kernel": self.kernel,
            "envoy": self.envoy,
            "load_average_before": self.load_average,
            "placement": self.placement,
        })
    }
}

/// From `envoy  version: <hash>/1.40.0/Clean/RELEASE/BoringSSL`.
fn envoy_version() -> Option<String> {
    let program = testbed::tools::envoy().ok()?;
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, version) = text.rsplit_once("version: ")?;
    version.split('/').nth(1).map(str::to_owned)
}
