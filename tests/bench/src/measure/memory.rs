//! The memory that a process holds, as the kernel counts it.

use anyhow::Context as _;

/// What the kernel calls it.
const RESIDENT: &str = "VmRSS:";

/// Bytes of `process` that are in memory now.
///
/// # Errors
/// When it is gone.
pub fn resident_bytes(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    parse(&text).with_context(|| format!("{path} has no {RESIDENT}"))
}

fn parse(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(RESIDENT))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        let status = "Name:\tenvoy\nVmPeak:\t  9 kB\nVmRSS:\t   12345 kB\nThreads:\t4\n";
        assert_eq!(parse(status), Some(12345 * 1024));
        assert_eq!(parse("Name:\tx\n"), None);
        assert!(resident_bytes(std::process::id()).is_ok_and(|bytes| bytes > 0));
    }
}
