//! What the end-to-end tests share: the combinations of gateway and engine, one stack of real processes for each test,
//! and clients that can say both what is proper and what is not.
//!
//! It decides how a test gets its processes and how it speaks to them; what the answers must be is for the tests alone.
//! How processes are started and ended is known one floor below, in `testbed`.

mod call;
mod client;
pub mod http2;
mod mask;
mod matrix;
mod raw;
mod server;
mod stack;
pub mod token;
mod wait;

pub use call::{Answer, Call};
pub use client::{Client, Version};
pub use mask::mask;
pub use matrix::Combination;
pub use raw::{Connection, post_head};
pub use server::{Reply, Seen, Server};
pub use stack::{Stack, run};
pub use wait::until;
