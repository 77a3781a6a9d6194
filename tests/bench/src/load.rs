//! The clients: [`wrk`] keeps connections busy and finds out how much a server can do; [`flood`] sends at a rate of its
//! own choosing beside it; [`probe`] asks now and then; [`native`] speaks to an engine without a gateway; [`coherence`] to two
//! gateways at once.
//!
//! All but the last cycle through requests that were made before the clock runs, and do not know what the requests mean.

mod answers;
pub mod coherence;
pub mod flood;
pub mod native;
pub mod probe;
mod requests;
mod stamped;
pub mod wrk;

pub use coherence::{Coherence, Seen};
pub use flood::{Flood, FloodCount, Pace};
pub use native::{Compares, Fill};
pub use requests::{NUMBER, Requests};
pub use stamped::Stamped;
pub use wrk::{Closed, ClosedCount};

/// Where requests go that nobody is asked for: a constant is answered.
pub const PATH: &str = "/bench/reports/1";
