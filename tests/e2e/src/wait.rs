//! Waiting for what must come, with a bound.

use std::time::{Duration, Instant};

/// Between two looks.
const POLL: Duration = Duration::from_millis(20);

/// Looks until there is something to see.
///
/// # Panics
/// When there is nothing after `bound`.
pub async fn until<T>(what: &str, bound: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + bound;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "not after {bound:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}
