//! The table for people: a line a row, medians with lowest and highest behind them.

use super::{Group, Report, Verdict, flood_rate};
use crate::measure::{Row, Sample, Spread};

/// Of the columns; a longer text moves its line, and nothing is cut.
const NAME: usize = 46;
const RATE: usize = 28;
const CPU: usize = 30;
const LATENCY: usize = 9;

pub(super) fn of(report: &Report) -> String {
    let mut lines = vec![
        format!("{}: {}", report.name, report.setting),
        format!("machine: {}", report.machine.words()),
    ];
    if report.groups.iter().any(|group| !group.rows.is_empty()) {
        let words =
            "medians of the rounds (lowest to highest); CPU is that of all server processes";
        lines.push(words.to_owned());
    }
    for group in &report.groups {
        lines.push(String::new());
        if group.rows.is_empty() {
            lines.push(group.title.clone());
        } else {
            lines.push(format!(
                "{:NAME$}{:>RATE$}{:>CPU$}{:>LATENCY$}{:>LATENCY$}  failed",
                group.title, "requests/s", "CPU us/request", "p50 ms", "p99 ms"
            ));
        }
        lines.extend(group.rows.iter().map(line));
        lines.extend(ratios(group));
        lines.extend(facts(group));
    }
    if !report.notes.is_empty() {
        lines.push(String::new());
        lines.extend(report.notes.iter().cloned());
    }
    lines.push(String::new());
    lines.join("\n")
}

fn facts(group: &Group) -> impl Iterator<Item = String> {
    group.facts.iter().map(|fact| {
        let bar = fact.bar.map(|bar| {
            let (bar, is) = bar.parts();
            format!(", bar {is} {}", short(bar))
        });
        let verdict = fact
            .verdict()
            .map(|verdict| format!(": {}", verdict.words()));
        format!(
            "  {}: {} {}{}{}",
            fact.name,
            short(fact.value),
            fact.unit,
            bar.unwrap_or_default(),
            verdict.unwrap_or_default()
        )
    })
}

/// What is counted as a whole number, what is measured with what can be told apart.
fn short(value: f64) -> String {
    match value {
        whole if whole.fract() == 0.0 => thousands(whole),
        small if small.abs() < 10.0 => format!("{small:.2}"),
        middling if middling.abs() < 100.0 => format!("{middling:.1}"),
        large => thousands(large),
    }
}

fn line(row: &Row) -> String {
    let milliseconds = |figure: fn(&Sample) -> f64| {
        let spread = row.spread(figure);
        format!("{:.2}", spread.median / 1000.0)
    };
    let mut line = format!(
        "  {:rest$}{:>RATE$}{:>CPU$}{:>LATENCY$}{:>LATENCY$}  {:>6}",
        row.name,
        whole(row.spread(Sample::per_second)),
        tenths(row.spread(Sample::cpu_us_per_request)),
        milliseconds(|sample| sample.load.p50_us),
        milliseconds(|sample| sample.load.p99_us),
        row.failed(),
        rest = NAME - 2,
    );
    if let Some(statuses) = row.flood_statuses() {
        let total: u64 = statuses.values().sum();
        let shares: Vec<String> = statuses
            .iter()
            .map(|(status, count)| {
                format!(
                    "{status} {:.1} %",
                    *count as f64 * 100.0 / total.max(1) as f64
                )
            })
            .collect();
        line.push_str(&format!(
            "  flood {} /s: {}",
            thousands(row.spread(flood_rate).median),
            shares.join(", ")
        ));
    }
    line
}

fn ratios(group: &Group) -> impl Iterator<Item = String> {
    group.ratios.iter().map(|ratio| {
        let bar = ratio.bar.map_or_else(String::new, |bar| {
            let (bar, is) = bar.parts();
            format!(", bar {is} {bar:.2}")
        });
        let verdict = ratio.verdict().map(Verdict::words);
        let cpu = ratio.cpu.map(hundredths);
        format!(
            "  {}{}: {}{bar}{}{}",
            ratio.figure.words(),
            ratio.name,
            hundredths(ratio.spread),
            verdict.map_or_else(String::new, |verdict| format!(": {verdict}")),
            cpu.map_or_else(String::new, |cpu| format!("; CPU/request {cpu}"))
        )
    })
}

fn hundredths(spread: Spread) -> String {
    format!(
        "{:.2} ({:.2} to {:.2})",
        spread.median, spread.low, spread.high
    )
}

fn whole(spread: Spread) -> String {
    format!(
        "{} ({} to {})",
        thousands(spread.median),
        thousands(spread.low),
        thousands(spread.high)
    )
}

fn tenths(spread: Spread) -> String {
    format!(
        "{:.1} ({:.1} to {:.1})",
        spread.median, spread.low, spread.high
    )
}

/// `12,345`.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let cases = [
            (0.4, "0"),
            (999.0, "999"),
            (1000.0, "1,000"),
            (69_123.6, "69,124"),
            (1_234_567.0, "1,234,567"),
        ];
        for (value, expected) in cases {
            assert_eq!(thousands(value), expected);
        }
    }
}
