//! An etcd of several members, each of which can be killed, frozen and started again by itself.
//!
//! It decides how they find each other and when all of them are ready; who leads is for them to decide, and where each of
//! them runs and keeps its data is for the caller.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::engine::Member;
use crate::{Engine, Place, Port, Result};

/// Members to be started.
#[derive(Debug, Default)]
pub struct MembersBuilder {
    seats: Vec<Seat>,
    arguments: Vec<OsString>,
}

/// Where one of them is.
#[derive(Debug, Default)]
struct Seat {
    place: Place,
    work: Option<PathBuf>,
    data: Option<PathBuf>,
}

impl MembersBuilder {
    /// One member more: in that place, with its log in the directory `work` and its data in `data` (temporary ones where
    /// none are given).
    #[must_use]
    pub fn member(mut self, place: Place, work: Option<PathBuf>, data: Option<PathBuf>) -> Self {
        self.seats.push(Seat { place, work, data });
        self
    }

    /// Adds arguments of etcd's own for all of them; of one that is given twice the later counts.
    #[must_use]
    pub fn arguments<A: Into<OsString>>(mut self, more: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(more.into_iter().map(Into::into));
        self
    }

    /// Starts them as one new cluster and waits until each of them answers.
    ///
    /// # Errors
    /// As [`EngineBuilder::start`](crate::EngineBuilder::start).
    pub fn start(self) -> Result<Members> {
        let mut seats = Vec::new();
        for (number, seat) in (1..).zip(self.seats) {
            seats.push((format!("points-{number}"), Port::free()?, seat));
        }
        let entries = seats
            .iter()
            .map(|(name, port, seat)| Member::entry(name, seat.place.at(port)));
        let cluster = entries.collect::<Vec<_>>().join(",");
        let members = seats.into_iter().map(|(name, peer_port, seat)| {
            let member = Member {
                name,
                peer_port,
                cluster: cluster.clone(),
            };
            let mut engine = Engine::etcd()
                .member(member)
                .place(seat.place)
                .arguments(self.arguments.iter().cloned());
            if let Some(work) = seat.work {
                engine = engine.work_dir(work);
            }
            if let Some(data) = seat.data {
                engine = engine.data_dir(data);
            }
            engine.launch()
        });
        let mut members = members.collect::<Result<Vec<_>>>()?;
        // Together: none is ready before most of them are there.
        members.iter_mut().try_for_each(Engine::wait_ready)?;
        Ok(Members { members })
    }
}

/// The running members; they end when this is dropped.
#[derive(Debug)]
pub struct Members {
    members: Vec<Engine>,
}

impl Members {
    /// Starts so many members of one new cluster on loopback and waits until each of them answers.
    ///
    /// # Errors
    /// As [`MembersBuilder::start`].
    pub fn start(count: usize) -> Result<Self> {
        let members = (0..count).fold(Self::builder(), |members, _| {
            members.member(Place::default(), None, None)
        });
        members.start()
    }

    /// Members that are told apart before they start.
    #[must_use]
    pub fn builder() -> MembersBuilder {
        MembersBuilder::default()
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

    /// One of them, by its place in the order in which they were named.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Engine> {
        self.members.get_mut(index)
    }
}
