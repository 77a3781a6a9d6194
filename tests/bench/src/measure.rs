//! Rounds, medians, spreads: what is made of single runs.
//!
//! Rows that are to be compared run in turn, A B A B, so that whatever the machine does meanwhile hits all of them. Of each
//! figure the median counts; lowest and highest are its spread. A ratio is taken round by round, between neighbours in
//! time, and then treated like any other figure.

mod cpu;
mod memory;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use cpu::cpu_time;
pub use memory::resident_bytes;

use crate::load::{ClosedCount, FloodCount};
use crate::progress;

/// One run of one row.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The load that is measured.
    pub load: ClosedCount,
    /// CPU time of all server processes over the run.
    pub cpu: Duration,
    /// What ran beside it.
    pub flood: Option<FloodCount>,
}

impl Sample {
    /// Answers a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.load.answered as f64 / self.load.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// The servers' CPU time for one request, in microseconds. Those of a flood are requests too.
    #[must_use]
    pub fn cpu_us_per_request(&self) -> f64 {
        // The flood starts before and ends after the run: only its rate can be compared.
        let beside = self.flood.as_ref().map_or(0.0, FloodCount::per_second);
        let requests = self.load.answered as f64 + beside * self.load.elapsed.as_secs_f64();
        self.cpu.as_secs_f64() * 1e6 / requests.max(1.0)
    }
}

/// All runs of one row, in the order of the rounds.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// One of each round.
    pub samples: Vec<Sample>,
}

impl Row {
    /// What `figure` is over the rounds.
    #[must_use]
    pub fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples.iter().map(figure).collect())
    }

    /// A figure as a multiple of the other row's, round by round.
    #[must_use]
    pub fn ratio_to(&self, other: &Self, figure: impl Fn(&Sample) -> f64) -> Spread {
        let pairs = self.samples.iter().zip(&other.samples);
        let ratios = pairs.map(|(own, theirs)| figure(own) / figure(theirs).max(f64::EPSILON));
        Spread::of(ratios.collect())
    }

    /// Requests of the measured load that failed, in all rounds.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.samples.iter().map(|sample| sample.load.failed).sum()
    }

    /// The flood's answers by status, in all rounds; `None` when there was none.
    #[must_use]
    pub fn flood_statuses(&self) -> Option<BTreeMap<u16, u64>> {
        let mut all: Option<BTreeMap<u16, u64>> = None;
        for flood in self.samples.iter().filter_map(|one| one.flood.as_ref()) {
            let sum = all.get_or_insert_default();
            for (status, count) in &flood.statuses {
                *sum.entry(*status).or_default() += count;
            }
        }
        all
    }
}

/// Median, lowest and highest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Half of the values are at most this.
    pub median: f64,
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
}

impl Spread {
    /// Of some values; of none, zeros.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let (Some(low), Some(high), Some(upper)) =
            (values.first(), values.last(), values.get(middle))
        else {
            return Self::default();
        };
        let median = match values.len() % 2 {
            0 => values
                .get(middle - 1)
                .map_or(*upper, |lower| (lower + upper) / 2.0),
            _ => *upper,
        };
        Self {
            median,
            low: *low,
            high: *high,
        }
    }
}

/// How often and how long, and how much of it is done.
#[derive(Debug)]
pub struct Schedule {
    seconds: u16,
    rounds: u16,
    runs: u32,
    done: u32,
    start: Option<Instant>,
}

impl Schedule {
    /// `rows` rows in all, of `rounds` runs of `seconds`.
    #[must_use]
    pub fn new(seconds: u16, rounds: u16, rows: usize) -> Self {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        Self {
            seconds,
            rounds,
            runs: rows.saturating_mul(u32::from(rounds)),
            done: 0,
            start: None,
        }
    }

    /// As [`Schedule::new`], and tells the developer.
    #[must_use]
    pub fn announced(seconds: u16, rounds: u16, rows: usize) -> Self {
        let schedule = Self::new(seconds, rounds, rows);
        progress(&format!(
            "{rows} rows, {rounds} rounds of {seconds} s: about {}",
            in_words(schedule.estimate())
        ));
        schedule
    }

    /// How long all of it should take.
    #[must_use]
    pub fn estimate(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds)) * self.runs
    }

    /// How long one run takes.
    #[must_use]
    pub fn seconds(&self) -> u16 {
        self.seconds
    }

    /// Runs all of `rows` once, then all of them again, and so on.
    ///
    /// # Errors
    /// The first of `run`'s.
    pub fn interleave<R>(
        &mut self,
        rows: &[(String, R)],
        mut run: impl FnMut(&R) -> anyhow::Result<Sample>,
    ) -> anyhow::Result<Vec<Row>> {
        let mut measured: Vec<Row> = rows
            .iter()
            .map(|(name, _)| Row {
                name: name.clone(),
                samples: Vec::new(),
            })
            .collect();
        for round in 1..=self.rounds {
            for ((name, row), into) in rows.iter().zip(&mut measured) {
                self.announce(round, name);
                into.samples.push(run(row)?);
                self.done += 1;
            }
        }
        Ok(measured)
    }

    fn announce(&mut self, round: u16, name: &str) {
        let start = *self.start.get_or_insert_with(Instant::now);
        let left = match self.done {
            0 => self.estimate(),
            done => start.elapsed() / done * self.runs.saturating_sub(done),
        };
        progress(&format!(
            "[{}/{}] round {round}/{}: {name} ({} s), about {} left",
            self.done + 1,
            self.runs,
            self.rounds,
            self.seconds,
            in_words(left)
        ));
    }
}

/// As one says it: `45 s`, `7 min`.
#[must_use]
pub fn in_words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..=99 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(answered: u64) -> Sample {
        Sample {
            load: ClosedCount {
                answered,
                failed: 1,
                elapsed: Duration::from_secs(2),
                p50_us: 1.0,
                p99_us: 2.0,
            },
            cpu: Duration::from_millis(1500),
            flood: None,
        }
    }

    #[test]
    fn the_median_is_the_middle_and_the_spread_the_ends() {
        let cases: [(&[f64], [f64; 3]); 4] = [
            (&[3.0, 1.0, 2.0], [2.0, 1.0, 3.0]),
            (&[4.0, 1.0, 2.0, 3.0], [2.5, 1.0, 4.0]),
            (&[7.0], [7.0, 7.0, 7.0]),
            (&[], [0.0, 0.0, 0.0]),
        ];
        for (values, [median, low, high]) in cases {
            let expected = Spread { median, low, high };
            assert_eq!(Spread::of(values.to_vec()), expected, "{values:?}");
        }
    }

    #[test]
    fn rows_run_in_turn_and_are_compared_round_by_round() {
        let rows = [("a".to_owned(), 'a'), ("b".to_owned(), 'b')];
        let mut order = String::new();
        let measured = Schedule::new(2, 3, rows.len()).interleave(&rows, |row| {
            order.push(*row);
            Ok(sample(
                if *row == 'a' { 1000 } else { 500 } * order.len() as u64,
            ))
        });
        let measured = measured.expect("samples");
        assert_eq!(order, "ababab");
        let ratio = measured[1].ratio_to(&measured[0], Sample::per_second);
        assert_eq!((ratio.low, ratio.high), (0.6, 1.0));
        assert_eq!(measured[0].spread(Sample::per_second).median, 1500.0);
        assert_eq!(measured[0].failed(), 3);
    }

    #[test]
    fn a_flood_shares_the_cpu_time() {
        let mut one = sample(1000);
        assert_eq!(one.cpu_us_per_request(), 1500.0);
        one.flood = Some(FloodCount {
            statuses: BTreeMap::from([(401, 3000)]),
            elapsed: Duration::from_secs(3),
            ..FloodCount::default()
        });
        assert_eq!(one.cpu_us_per_request(), 500.0);
    }
}
