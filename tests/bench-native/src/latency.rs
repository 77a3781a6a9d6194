//! What a load came to, in the form that the benchmark reads from wrk too.

use std::time::Duration;

use serde_json::json;

/// `result {...}`: writes that were done, and how long each took, in microseconds.
pub fn result(mut latencies: Vec<u32>, elapsed: Duration, refused: u64) -> String {
    latencies.sort_unstable();
    let counts = json!({
        "requests": latencies.len(),
        "duration_us": u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        "p50_us": percentile(&latencies, 50),
        "p99_us": percentile(&latencies, 99),
        "refused": refused,
        "status": 0, "connect": 0, "read": 0, "write": 0, "timeout": 0,
    });
    format!("result {counts}")
}

/// The value below which so many percent of them are; of none, zero.
pub fn percentile(sorted: &[u32], percent: usize) -> u32 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_latencies() {
        let latencies: Vec<u32> = (1..=200).rev().collect();
        let line = result(latencies, Duration::from_millis(1500), 3);
        let json: serde_json::Value =
            serde_json::from_str(line.strip_prefix("result ").expect("a result")).expect("JSON");
        assert_eq!(json["requests"], 200);
        assert_eq!(
            (&json["p50_us"], &json["p99_us"]),
            (&json!(101), &json!(199))
        );
        assert_eq!(
            (&json["duration_us"], &json["refused"]),
            (&json!(1_500_000), &json!(3))
        );
        assert_eq!(percentile(&[], 50), 0);
    }
}
