//! A whole fleet of gateways from one seed: the very module that Envoy loads, in many VMs, under virtual time.
//!
//! A [`Plan`] is drawn from a seed: what clients want, and what goes wrong. [`run`] carries it out against an engine in
//! memory whose order of commits is the witness of everything, and says the first thing that does not hold. [`explore`]
//! does so for many seeds, [`shrink`] makes a failing plan small, [`record`] writes down what happened and reads it again.
//! The same seed gives the same run, to the byte of its trace. How to use it is told in `docs/fleet.md`.

mod audit;
mod checks;
mod clock;
mod explore;
mod faults;
mod named;
mod plan;
mod random;
mod record;
mod run;
mod shrink;
mod trace;
mod wire;
mod world;

pub use checks::{Check, Violation};
pub use explore::{Explored, Progress, Search, explore};
pub use faults::{Fate, Fault, FaultKind};
pub use named::{Named, Set, UnknownName};
pub use plan::{
    Account, Event, Kind, Name, Operation, Plan, Profile, Recency, Settings, What, Wish,
};
pub use record::{BadRecord, Record};
pub use run::run;
pub use shrink::{Shrunk, shrink};
pub use trace::Trace;
pub use world::Run;
