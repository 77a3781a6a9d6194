//! An etcd of several members on loopback, each of which can be killed, frozen and started again by itself.
//!
//! It decides how they find each other and when all of them are ready; who leads is for them to decide.

use std::net::SocketAddr;

use crate::engine::Member;
use crate::{Engine, Port, Result};

/// The running members; they end when this is dropped.
#[derive(Debug)]
pub struct Members {
    members: Vec<Engine>,
}

impl Members {
    /// Starts so many members of one new cluster and waits until each of them answers.
    ///
    /// # Errors
    /// As [`EngineBuilder::start`](crate::EngineBuilder::start).
    pub fn start(count: usize) -> Result<Self> {
        let mut places = Vec::new();
        for number in 1..=count {
            places.push((format!("points-{number}"), Port::free()?));
        }
        let entries = places.iter().map(|(name, port)| Member::entry(name, port));
        let cluster = entries.collect::<Vec<_>>().join(",");
        let members = places.into_iter().map(|(name, peer_port)| {
            let member = Member {
                name,
                peer_port,
                cluster: cluster.clone(),
            };
            Engine::etcd().member(member).launch()
        });
        let mut members = members.collect::<Result<Vec<_>>>()?;
        // Together: none is ready before most of them are there.
        members.iter_mut().try_for_each(Engine::wait_ready)?;
        Ok(Self { members })
    }

    /// Where each of them listens.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.members.iter().map(Engine::address).collect()
    }

    /// Each of them, to kill, freeze and start again.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Engine> {
        self.members.iter_mut()
    }
}
