//! What the tasks have seen, added up and told in one line.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::connection::Failure;
use crate::latency::percentile;

/// Requests of one kind.
#[derive(Debug, Default)]
pub struct Requests {
    /// Answered as they should be.
    pub done: u64,
    /// Of these from the gateway's copy.
    pub from_copy: u64,
    unavailable: u64,
    broken: u64,
}

impl Requests {
    pub fn fail(&mut self, failure: Failure) {
        match failure {
            Failure::Unavailable => self.unavailable += 1,
            Failure::Broken => self.broken += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.from_copy += other.from_copy;
        self.unavailable += other.unavailable;
        self.broken += other.broken;
    }

    fn json(&self) -> Value {
        json!({
            "done": self.done,
            "from_copy": self.from_copy,
            "unavailable": self.unavailable,
            "broken": self.broken,
        })
    }
}

/// What one task has seen, or all of them.
#[derive(Debug, Default)]
pub struct Tally {
    pub writes: Requests,
    pub reads: Requests,
    /// Of each judged read, in microseconds.
    pub staleness: Vec<u32>,
    /// Reads that were staler than they may be.
    pub over: u64,
    /// Balances over what was added.
    pub impossible: u64,
    pub session_writes: Requests,
    pub session_reads: Requests,
    /// Session reads with less than their session had written.
    pub session_stale: u64,
    unexpected: BTreeMap<String, u64>,
}

impl Tally {
    /// An answer that nothing of this may have.
    pub fn unexpected(&mut self, what: &str, status: StatusCode) {
        let name = format!("{what}: {}", status.as_u16());
        *self.unexpected.entry(name).or_default() += 1;
    }

    pub fn add(&mut self, other: Self) {
        self.writes.add(&other.writes);
        self.reads.add(&other.reads);
        self.staleness.extend(other.staleness);
        self.over += other.over;
        self.impossible += other.impossible;
        self.session_writes.add(&other.session_writes);
        self.session_reads.add(&other.session_reads);
        self.session_stale += other.session_stale;
        for (name, count) in other.unexpected {
            *self.unexpected.entry(name).or_default() += count;
        }
    }

    /// `result {...}`.
    pub fn result(mut self, elapsed: Duration) -> String {
        self.staleness.sort_unstable();
        let lacking = self.staleness.partition_point(|age| *age == 0);
        let lacking = self.staleness.get(lacking..).unwrap_or_default();
        let counts = json!({
            "duration_us": u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            "writes": self.writes.json(),
            "reads": self.reads.json(),
            "staleness_us": {
                "p50": percentile(&self.staleness, 50),
                "p99": percentile(&self.staleness, 99),
                "max": self.staleness.last().copied().unwrap_or_default(),
            },
            "lacking": {
                "reads": lacking.len(),
                "p50_us": percentile(lacking, 50),
                "p99_us": percentile(lacking, 99),
            },
            "over": self.over,
            "impossible": self.impossible,
            "session_writes": self.session_writes.json(),
            "session_reads": self.session_reads.json(),
            "session_stale": self.session_stale,
            "unexpected": self.unexpected,
        });
        format!("result {counts}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_added_up_and_told() {
        let mut all = Tally::default();
        for value in [1000, 3000, 2000] {
            let mut one = Tally {
                staleness: vec![0, value],
                over: 1,
                session_stale: 2,
                ..Tally::default()
            };
            one.reads.done = 5;
            one.reads.fail(Failure::Unavailable);
            one.session_reads.fail(Failure::Broken);
            one.unexpected("POST", StatusCode::CONFLICT);
            all.add(one);
        }
        let line = all.result(Duration::from_secs(1));
        let told: Value =
            serde_json::from_str(line.strip_prefix("result ").expect("a result")).expect("JSON");
        assert_eq!(
            told["staleness_us"],
            json!({ "p50": 1000, "p99": 3000, "max": 3000 })
        );
        assert_eq!(
            told["lacking"],
            json!({ "reads": 3, "p50_us": 2000, "p99_us": 3000 })
        );
        assert_eq!(told["reads"]["done"], 15);
        assert_eq!(told["reads"]["unavailable"], 3);
        assert_eq!(told["session_reads"]["broken"], 3);
        assert_eq!(
            (&told["over"], &told["session_stale"]),
            (&json!(3), &json!(6))
        );
        assert_eq!(told["unexpected"], json!({ "POST: 409": 3 }));
    }
}
