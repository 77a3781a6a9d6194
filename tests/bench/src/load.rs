//! The clients: [`wrk`] keeps connections busy and finds out how much a server can do; [`flood`] sends at a rate of its
//! own choosing beside it; [`probe`] asks now and then.
//!
//! They cycle through requests that were made before the clock runs. None knows what the requests mean.

mod answers;
pub mod flood;
pub mod probe;
mod stamped;
pub mod wrk;

pub use flood::{Flood, FloodCount, Pace};
pub use stamped::Stamped;
pub use wrk::{Closed, ClosedCount};

/// Where every measured request goes. The servers answer below it with a constant.
pub const PATH: &str = "/bench/reports/1";
