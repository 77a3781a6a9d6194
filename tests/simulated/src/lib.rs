//! A gateway in simulated time: the very module that Envoy loads, in several VMs with one shared data map, and around it a
//! clock, a key server and an engine that do what a test says.
//!
//! Nothing here waits for anything: [`World::advance`] moves the clock from one event to the next, so ten minutes of
//! outage take as long as the VMs' own work. One seed gives one course of events. What is right or wrong is for the tests
//! to say; the world only counts and keeps what happened.

mod clock;
mod configuration;
mod engine;
mod issuer;
mod outcome;
mod tokens;
mod world;

pub use clock::{START_SECONDS, SimulatedClock};
pub use configuration::{FETCH_TIMEOUT_MS, ISSUER, JWKS_URI, configuration};
pub use engine::{Engine, Health};
pub use issuer::{FetchSeen, Question, Served, most_at_once};
pub use outcome::{Ask, Done, Outcome};
pub use tokens::{es256, forged, jwks, signing_key, token};
pub use world::{Line, Setup, TICK_MS, World};
