//! The feed over an engine that tells of every change, with several VMs of one gateway.

mod bench;
mod doubts;
mod installers;
mod life;
