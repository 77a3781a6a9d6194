//! What a worker asks of the engine, how often and in which order, when calls and answers go astray.

mod archiving;
mod batches;
mod bounds;
mod breaks;
mod clusters;
mod copied;
mod faults;
mod interleavings;
mod ledger_of_all;
mod order;
mod random;
mod reads;
mod scene;
mod sweeping;
