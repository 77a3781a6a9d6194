//! What is compared among the rows of `writes`, and what was wanted of it.
//!
//! Of several native clients the faster one counts: whoever writes without a gateway may choose.

use super::LEVELS;
use crate::measure::{Row, Sample};
use crate::report::{Bar, Figure, Ratio};

/// What is wanted at the most connections, at one, and on the hot account.
const BATCHES_BAR: f64 = 4.0;
const NATIVE_BAR: f64 = 3.0;
const LATENCY_BAR: f64 = 1.25;
const HOT_BAR: f64 = 10.0;

/// Of one number of connections.
pub(super) fn of_level(
    add: &Row,
    natives: &[Row],
    unbatched: &[Row],
    connections: u16,
) -> Vec<Ratio> {
    let (first, last) = (LEVELS[0].0, LEVELS[LEVELS.len() - 1].0);
    let bar = |bar| (connections == last).then_some(Bar::AtLeast(bar));
    let latency_bar = (connections == first).then_some(Bar::AtMost(LATENCY_BAR));
    let mut ratios = Vec::new();
    if let Some(native) = fastest(natives) {
        let ratio = Ratio::new(Figure::Rate, add, native, bar(NATIVE_BAR));
        ratios.push(against_faster(ratio, add));
    }
    for unbatched in unbatched {
        let rate = Ratio::new(Figure::Rate, add, unbatched, bar(BATCHES_BAR));
        let latency = Ratio::new(Figure::Median, add, unbatched, latency_bar);
        ratios.extend([rate, latency]);
    }
    ratios
}

/// Of the hot account.
pub(super) fn of_hot_account(ours: &Row, natives: &[Row]) -> Option<Ratio> {
    let native = fastest(natives)?;
    Some(against_faster(Ratio::of(ours, native, HOT_BAR), ours))
}

/// The name of a ratio is the same whichever native client was the faster.
fn against_faster(ratio: Ratio, ours: &Row) -> Ratio {
    Ratio {
        name: format!("{} / raw compare-and-put, the faster", ours.name),
        ..ratio
    }
}

/// The one with the highest median of requests a second.
fn fastest(rows: &[Row]) -> Option<&Row> {
    let rate = |row: &Row| row.spread(Sample::per_second).median;
    rows.iter()
        .max_by(|one, other| rate(one).total_cmp(&rate(other)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::ClosedCount;

    fn row(name: &str, answered: u64) -> Row {
        let load = ClosedCount {
            answered,
            failed: 0,
            elapsed: Duration::from_secs(1),
            p50_us: 1000.0,
            p99_us: 2000.0,
        };
        let sample = Sample {
            load,
            cpu: Duration::from_secs(1),
            flood: None,
        };
        Row {
            name: name.to_owned(),
            samples: vec![sample],
        }
    }

    #[test]
    fn bars_stand_where_they_were_promised_and_the_faster_native_client_counts() {
        let (ours, single) = (row("ours", 1000), row("single", 200));
        let natives = [row("one", 300), row("four", 400)];
        let told = |connections| -> Vec<(String, f64, Option<Bar>)> {
            let ratios = of_level(&ours, &natives, std::slice::from_ref(&single), connections);
            let figures = ratios.into_iter();
            figures
                .map(|one| (one.name, one.spread.median, one.bar))
                .collect()
        };
        let expected = |[native, batches, latency]: [Option<Bar>; 3]| {
            let faster = "ours / raw compare-and-put, the faster";
            vec![
                (faster.to_owned(), 2.5, native),
                ("ours / single".to_owned(), 5.0, batches),
                ("ours / single".to_owned(), 1.0, latency),
            ]
        };
        let at_256 = [Some(Bar::AtLeast(3.0)), Some(Bar::AtLeast(4.0)), None];
        assert_eq!(told(256), expected(at_256));
        assert_eq!(told(1), expected([None, None, Some(Bar::AtMost(1.25))]));
        assert_eq!(told(16), expected([None; 3]));
    }
}
