//! The CPU time that processes have used, as the kernel counts it.

use std::time::Duration;

use anyhow::Context as _;

/// `/proc/PID/stat` counts in hundredths of a second on every machine that Envoy is built for.
const TICKS_PER_SECOND: u64 = 100;
/// Where user and system time stand behind the program's name, which is in parentheses and may hold anything.
const USER: usize = 11;
const SYSTEM: usize = 12;

/// User and system time of all threads of `processes`, since they were started.
///
/// # Errors
/// When one of them is gone.
pub fn cpu_time(processes: &[u32]) -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for process in processes {
        let path = format!("/proc/{process}/stat");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        sum += parse(&text).with_context(|| format!("{path}: {text}"))?;
    }
    Ok(sum)
}

fn parse(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let sum = ticks(USER)?.checked_add(ticks(SYSTEM)?)?;
    Some(Duration::from_millis(
        sum.checked_mul(1000 / TICKS_PER_SECOND)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_whatever_the_program_is_called() {
        let stat = "17 (a ) 9 b) S 1 17 17 0 -1 4194560 5 0 0 0 250 31 0 0 20 0 4 0 100 1 1";
        assert_eq!(parse(stat), Some(Duration::from_millis(2810)));
        assert_eq!(parse("17 (x) S 1"), None);
        assert!(cpu_time(&[std::process::id()]).is_ok());
        assert!(cpu_time(&[u32::MAX]).is_err());
    }
}
