//! Log lines on standard error, in the shape of Envoy's.

use std::io::Write as _;

use crate::abi::LogLevel;

/// Writes one line. Nobody can be told when standard error is closed.
pub fn write_log(level: LogLevel, message: &str) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let _ = writeln!(
        std::io::stderr().lock(),
        "[{}.{:03}][{}][wasm] {message}",
        now.as_secs(),
        now.subsec_millis(),
        level.name()
    );
}
