//! What is told at the end: a table for people, JSON for programs, and on which machine it was.
//!
//! A bar is a figure that was set before measuring. Its verdict has three words: a spread on both sides of the bar decides
//! nothing, and says so.

mod machine;
mod table;

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

pub use machine::Machine;

use crate::measure::{Row, Sample, Spread};

/// A whole benchmark, measured.
#[derive(Debug)]
pub struct Report {
    /// Its name on the command line.
    pub name: &'static str,
    /// Where it ran.
    pub machine: Machine,
    /// How it ran, in words.
    pub setting: String,
    /// Its groups of rows.
    pub groups: Vec<Group>,
}

/// Rows that were measured in turn.
#[derive(Debug)]
pub struct Group {
    /// What they have in common.
    pub title: String,
    /// The rows.
    pub rows: Vec<Row>,
    /// What is compared among them.
    pub ratios: Vec<Ratio>,
}

/// One row's requests a second as a multiple of another's.
#[derive(Clone, Debug)]
pub struct Ratio {
    /// Which rows.
    pub name: String,
    /// The ratio over the rounds.
    pub spread: Spread,
    /// The same of the servers' CPU time for one request, where both rows count the same requests: none beside a flood.
    pub cpu: Option<Spread>,
    /// At least this was wanted.
    pub bar: f64,
}

/// Whether a bar was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The median reaches it.
    Met,
    /// The median does not, the best round does: not to be told from noise.
    WithinSpread,
    /// No round reaches it.
    Missed,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::WithinSpread => "within the spread",
            Self::Missed => "missed",
        }
    }
}

impl Ratio {
    /// `above` as a multiple of `below`, to be at least `bar`.
    #[must_use]
    pub fn of(above: &Row, below: &Row, bar: f64) -> Self {
        let flooded = |row: &Row| row.flood_statuses().is_some();
        let cpu = || above.ratio_to(below, Sample::cpu_us_per_request);
        Self {
            name: format!("{} / {}", above.name, below.name),
            spread: above.ratio_to(below, Sample::per_second),
            cpu: (!flooded(above) && !flooded(below)).then(cpu),
            bar,
        }
    }

    /// Whether the bar was met.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.spread.median >= self.bar {
            Verdict::Met
        } else if self.spread.high >= self.bar {
            Verdict::WithinSpread
        } else {
            Verdict::Missed
        }
    }
}

impl Report {
    /// Requests of measured loads that failed, over all rows. Not one may.
    #[must_use]
    pub fn failed(&self) -> u64 {
        let rows = self.groups.iter().flat_map(|group| &group.rows);
        rows.map(Row::failed).sum()
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        table::of(self)
    }

    /// Every figure by name, in the units that the names say.
    #[must_use]
    pub fn json(&self) -> Value {
        let groups: Vec<Value> = self.groups.iter().map(group_json).collect();
        json!({
            "benchmark": self.name,
            "setting": self.setting,
            "machine": self.machine.json(),
            "groups": groups,
        })
    }

    /// Writes the JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_json(&self, path: &Path) -> anyhow::Result<()> {
        std::fs::write(path, format!("{:#}\n", self.json()))
            .with_context(|| format!("write {}", path.display()))
    }
}

fn group_json(group: &Group) -> Value {
    let rows: Vec<Value> = group.rows.iter().map(row_json).collect();
    let ratios = group.ratios.iter().map(|ratio| {
        json!({
            "name": ratio.name,
            "ratio": spread_json(ratio.spread),
            "server_cpu_ratio": ratio.cpu.map(spread_json),
            "bar": ratio.bar,
            "verdict": ratio.verdict().words(),
        })
    });
    json!({ "title": group.title, "rows": rows, "ratios": ratios.collect::<Vec<_>>() })
}

fn row_json(row: &Row) -> Value {
    let mut json = json!({
        "name": row.name,
        "requests_per_second": spread_json(row.spread(Sample::per_second)),
        "server_cpu_us_per_request": spread_json(row.spread(Sample::cpu_us_per_request)),
        "p50_us": spread_json(row.spread(|sample| sample.load.p50_us)),
        "p99_us": spread_json(row.spread(|sample| sample.load.p99_us)),
        "failed": row.failed(),
    });
    if let Some(statuses) = row.flood_statuses() {
        let statuses = statuses
            .into_iter()
            .map(|(status, count)| (status.to_string(), json!(count)));
        json["flood"] = json!({
            "answers_per_second": spread_json(row.spread(flood_rate)),
            "statuses": Value::Object(statuses.collect()),
        });
    }
    json
}

fn spread_json(spread: Spread) -> Value {
    json!({ "median": spread.median, "low": spread.low, "high": spread.high })
}

fn flood_rate(sample: &Sample) -> f64 {
    let flood = sample.flood.as_ref();
    flood.map_or(0.0, crate::load::FloodCount::per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_inside_the_spread_is_neither_met_nor_missed() {
        let cases = [
            ([0.95, 0.80, 0.99], Verdict::Met),
            ([0.90, 0.90, 0.90], Verdict::Met),
            ([0.88, 0.80, 0.91], Verdict::WithinSpread),
            ([0.70, 0.60, 0.80], Verdict::Missed),
        ];
        for ([median, low, high], expected) in cases {
            let ratio = Ratio {
                name: "a / b".to_owned(),
                spread: Spread { median, low, high },
                cpu: None,
                bar: 0.9,
            };
            assert_eq!(ratio.verdict(), expected, "{ratio:?}");
        }
    }
}
