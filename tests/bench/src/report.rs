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
    /// What the reader has to know beside, each a sentence.
    pub notes: Vec<String>,
}

/// Rows that were measured in turn.
#[derive(Debug, Default)]
pub struct Group {
    /// What they have in common.
    pub title: String,
    /// The rows.
    pub rows: Vec<Row>,
    /// What is compared among them.
    pub ratios: Vec<Ratio>,
    /// Single figures that are no rates.
    pub facts: Vec<Fact>,
}

/// A single figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What it is of.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What was wanted; none: it is told for comparison only.
    pub bar: Option<Bar>,
}

impl Fact {
    /// Nothing is wanted of it.
    #[must_use]
    pub fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            name,
            value,
            unit,
            bar: None,
        }
    }

    /// So much or less is wanted.
    #[must_use]
    pub fn at_most(self, bar: f64) -> Self {
        let bar = Some(Bar::AtMost(bar));
        Self { bar, ..self }
    }

    /// Exactly so much is wanted.
    #[must_use]
    pub fn exactly(self, bar: f64) -> Self {
        let bar = Some(Bar::Exactly(bar));
        Self { bar, ..self }
    }

    /// Whether the bar was met, if there is one.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        let once = Spread::of(vec![self.value]);
        self.bar.map(|bar| bar.verdict(once))
    }
}

/// Which figure of two rows is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Requests a second.
    Rate,
    /// The servers' CPU time for one request.
    Cpu,
    /// The time within which half of the requests are answered.
    Median,
}

impl Figure {
    fn of(self, sample: &Sample) -> f64 {
        match self {
            Self::Rate => sample.per_second(),
            Self::Cpu => sample.cpu_us_per_request(),
            Self::Median => sample.load.p50_us,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rate => "requests_per_second",
            Self::Cpu => "server_cpu_us_per_request",
            Self::Median => "p50_us",
        }
    }

    /// What stands before a ratio in the table; the usual figure needs no word.
    fn words(self) -> &'static str {
        match self {
            Self::Rate => "",
            Self::Cpu => "CPU/request ",
            Self::Median => "p50 ",
        }
    }
}

/// What was wanted of a ratio before it was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
    /// So much, no more and no less: of what is counted.
    Exactly(f64),
}

impl Bar {
    fn verdict(self, spread: Spread) -> Verdict {
        let (median_reaches, best_reaches) = match self {
            Self::AtLeast(bar) => (spread.median >= bar, spread.high >= bar),
            Self::AtMost(bar) => (spread.median <= bar, spread.low <= bar),
            Self::Exactly(bar) => {
                let reached = spread.low == bar && spread.high == bar;
                (reached, reached)
            }
        };
        match (median_reaches, best_reaches) {
            (true, _) => Verdict::Met,
            (false, true) => Verdict::WithinSpread,
            (false, false) => Verdict::Missed,
        }
    }

    /// The figure, and what it is to the bar's owner.
    fn parts(self) -> (f64, &'static str) {
        match self {
            Self::AtLeast(bar) => (bar, "at least"),
            Self::AtMost(bar) => (bar, "at most"),
            Self::Exactly(bar) => (bar, "exactly"),
        }
    }
}

/// One row's figure as a multiple of another's.
#[derive(Clone, Debug)]
pub struct Ratio {
    /// Which rows.
    pub name: String,
    /// Which figure.
    pub figure: Figure,
    /// The ratio over the rounds.
    pub spread: Spread,
    /// The same of the servers' CPU time for one request, beside a ratio of rates, where both rows count the same requests:
    /// none beside a flood.
    pub cpu: Option<Spread>,
    /// What was wanted; none: it is told for comparison only.
    pub bar: Option<Bar>,
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
    /// Requests a second of `above` as a multiple of those of `below`, to be at least `bar`.
    #[must_use]
    pub fn of(above: &Row, below: &Row, bar: f64) -> Self {
        Self::new(Figure::Rate, above, below, Some(Bar::AtLeast(bar)))
    }

    /// A figure of `above` as a multiple of that of `below`.
    #[must_use]
    pub fn new(figure: Figure, above: &Row, below: &Row, bar: Option<Bar>) -> Self {
        let flooded = |row: &Row| row.flood_statuses().is_some();
        let cpu = || above.ratio_to(below, Sample::cpu_us_per_request);
        let has_cpu = figure == Figure::Rate && !flooded(above) && !flooded(below);
        Self {
            name: format!("{} / {}", above.name, below.name),
            figure,
            spread: above.ratio_to(below, |sample| figure.of(sample)),
            cpu: has_cpu.then(cpu),
            bar,
        }
    }

    /// Whether the bar was met, if there is one.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.bar.map(|bar| bar.verdict(self.spread))
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
            "notes": self.notes,
        })
    }
}

/// Writes the JSON of all `reports` to one file.
///
/// # Errors
/// When it cannot be written.
pub fn write_json(reports: &[Report], path: &Path) -> anyhow::Result<()> {
    let benchmarks: Vec<Value> = reports.iter().map(Report::json).collect();
    let all = json!({ "benchmarks": benchmarks });
    std::fs::write(path, format!("{all:#}\n")).with_context(|| format!("write {}", path.display()))
}

fn group_json(group: &Group) -> Value {
    let rows: Vec<Value> = group.rows.iter().map(row_json).collect();
    let ratios = group.ratios.iter().map(|ratio| {
        let (bar, bar_is) = ratio.bar.map(Bar::parts).unzip();
        json!({
            "name": ratio.name,
            "figure": ratio.figure.name(),
            "ratio": spread_json(ratio.spread),
            "server_cpu_ratio": ratio.cpu.map(spread_json),
            "bar": bar,
            "bar_is": bar_is,
            "verdict": ratio.verdict().map(Verdict::words),
        })
    });
    let facts = group.facts.iter().map(|fact| {
        let (bar, bar_is) = fact.bar.map(Bar::parts).unzip();
        json!({
            "name": fact.name,
            "value": fact.value,
            "unit": fact.unit,
            "bar": bar,
            "bar_is": bar_is,
            "verdict": fact.verdict().map(Verdict::words),
        })
    });
    json!({
        "title": group.title,
        "rows": rows,
        "ratios": ratios.collect::<Vec<_>>(),
        "facts": facts.collect::<Vec<_>>(),
    })
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
        let at_least = Bar::AtLeast(0.9);
        let at_most = Bar::AtMost(0.9);
        let cases = [
            (at_least, [0.95, 0.80, 0.99], Verdict::Met),
            (at_least, [0.90, 0.90, 0.90], Verdict::Met),
            (at_least, [0.88, 0.80, 0.91], Verdict::WithinSpread),
            (at_least, [0.70, 0.60, 0.80], Verdict::Missed),
            (at_most, [0.85, 0.80, 0.99], Verdict::Met),
            (at_most, [0.95, 0.80, 0.99], Verdict::WithinSpread),
            (at_most, [0.95, 0.91, 0.99], Verdict::Missed),
        ];
        for (bar, [median, low, high], expected) in cases {
            let mut ratio = Ratio {
                name: "a / b".to_owned(),
                figure: Figure::Rate,
                spread: Spread { median, low, high },
                cpu: None,
                bar: Some(bar),
            };
            assert_eq!(ratio.verdict(), Some(expected), "{ratio:?}");
            ratio.bar = None;
            assert_eq!(ratio.verdict(), None);
        }
    }

    #[test]
    fn a_fact_meets_its_bar_or_misses_it() {
        let fact = |value| Fact::new("slowest page", value, "ms");
        let cases = [
            (fact(5.0), None),
            (fact(5.0).at_most(5.0), Some(Verdict::Met)),
            (fact(5.1).at_most(5.0), Some(Verdict::Missed)),
            (fact(0.0).exactly(0.0), Some(Verdict::Met)),
            (fact(1.0).exactly(2.0), Some(Verdict::Missed)),
            (fact(3.0).exactly(2.0), Some(Verdict::Missed)),
        ];
        for (fact, expected) in cases {
            assert_eq!(fact.verdict(), expected, "{fact:?}");
        }
    }
}
