//! An engine of its own for whoever asks: the embedded one or a real etcd, on a port and data directory that stay the
//! same over kill and restart.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::http::Request;
use crate::process::{Command, Process};
use crate::work_dir::WorkDir;
use crate::{Error, Place, Port, Result, paths, tools};

/// How long an engine may take to answer after its start. Recovery of a large data directory counts in.
const READY_BOUND: Duration = Duration::from_secs(60);
/// One look at whether etcd is healthy.
const HEALTH_BOUND: Duration = Duration::from_secs(2);

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// `host-sim engine`.
    Embedded,
    /// A one-member etcd cluster.
    Etcd,
}

impl EngineKind {
    /// The name on command lines and in directories.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Etcd => "etcd",
        }
    }
}

/// An engine to be started.
#[derive(Debug)]
pub struct EngineBuilder {
    kind: EngineKind,
    data: Option<PathBuf>,
    work: Option<PathBuf>,
    embedded: Option<PathBuf>,
    member: Option<Member>,
    place: Place,
    arguments: Vec<OsString>,
}

/// One of several etcd processes that are one engine.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its name among them.
    pub name: String,
    /// The port at which the others find it, in its place.
    pub peer_port: Port,
    /// All of them, as `--initial-cluster` takes it.
    pub cluster: String,
}

impl EngineBuilder {
    /// Starts that program for the embedded engine; it takes `host-sim`'s arguments (default: `host-sim` itself).
    #[must_use]
    pub fn embedded_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.embedded = Some(program.into());
        self
    }

    /// Keeps the data in `dir` (default: a temporary directory).
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data = Some(dir.into());
        self
    }

    /// Keeps the log in `dir` (default: a temporary directory).
    #[must_use]
    pub fn work_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.work = Some(dir.into());
        self
    }

    /// Runs it there (default: on loopback).
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Adds arguments of the engine's own; of one that is given twice the later counts.
    #[must_use]
    pub fn arguments<A: Into<OsString>>(mut self, more: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(more.into_iter().map(Into::into));
        self
    }

    /// Starts the engine and waits until it answers.
    ///
    /// # Errors
    /// When its program is missing, no port is free, or it ends or is not ready within a minute.
    pub fn start(self) -> Result<Engine> {
        let mut engine = self.launch()?;
        engine.wait_ready()?;
        Ok(engine)
    }

    /// Starts the engine and does not wait: one member is not ready before another one is there.
    pub(crate) fn launch(self) -> Result<Engine> {
        let work = WorkDir::open(self.work.as_deref())?;
        let data = self.data.unwrap_or_else(|| work.path().join("data"));
        std::fs::create_dir_all(&data).map_err(Error::file("create", &data))?;
        let port = Port::free()?;
        let place = self.place;
        let address = place.at(&port);
        let member = self
            .member
            .map_or_else(|| Member::alone(&place), Ok::<_, Error>)?;
        let (program, mut args) = match self.kind {
            EngineKind::Embedded => (
                self.embedded.map_or_else(paths::host_sim, Ok)?,
                embedded_args(address, &data),
            ),
            EngineKind::Etcd => (
                tools::etcd()?,
                etcd_args(address, place.at(&member.peer_port), &member, &data),
            ),
        };
        args.extend(self.arguments);
        let (program, args) = place.command(program, args);
        let process = Process::start(Command {
            name: format!("engine ({})", self.kind.name()),
            program,
            args,
            env: match self.kind {
                EngineKind::Embedded => Vec::new(),
                EngineKind::Etcd => tools::etcd_environment(),
            },
            log: work.path().join("engine.log"),
        })?;
        Ok(Engine {
            process,
            kind: self.kind,
            address,
            data,
            _port: port,
            _peer_port: member.peer_port,
            _work: work,
        })
    }

    /// Is that member of an etcd cluster.
    pub(crate) fn member(mut self, member: Member) -> Self {
        self.member = Some(member);
        self
    }
}

impl Member {
    /// The only one.
    fn alone(place: &Place) -> Result<Self> {
        let (name, peer_port) = ("points".to_owned(), Port::free()?);
        Ok(Self {
            cluster: Self::entry(&name, place.at(&peer_port)),
            name,
            peer_port,
        })
    }

    /// What `--initial-cluster` says of one.
    pub(crate) fn entry(name: &str, peer: SocketAddr) -> String {
        format!("{name}=http://{peer}")
    }
}

/// A running engine; it ends when this is dropped.
#[derive(Debug)]
pub struct Engine {
    process: Process,
    kind: EngineKind,
    address: SocketAddr,
    data: PathBuf,
    _port: Port,
    _peer_port: Port,
    _work: WorkDir,
}

impl Engine {
    /// The engine that is part of this repository.
    #[must_use]
    pub fn embedded() -> EngineBuilder {
        Self::of(EngineKind::Embedded)
    }

    /// A real etcd.
    #[must_use]
    pub fn etcd() -> EngineBuilder {
        Self::of(EngineKind::Etcd)
    }

    /// The engine of that kind.
    #[must_use]
    pub fn of(kind: EngineKind) -> EngineBuilder {
        EngineBuilder {
            kind,
            data: None,
            work: None,
            embedded: None,
            member: None,
            place: Place::default(),
            arguments: Vec::new(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Which engine it is.
    #[must_use]
    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// Where its data is.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Its process, to freeze, kill or watch.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Starts it again on the same port and data, after [`Process::kill`] or from running, and waits until it answers.
    ///
    /// # Errors
    /// As [`EngineBuilder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.process.restart()?;
        self.wait_ready()
    }

    /// Waits until it answers. One member of several answers when most of them are there.
    ///
    /// # Errors
    /// When it ends or is not ready within a minute.
    pub fn wait_ready(&mut self) -> Result<()> {
        let address = self.address();
        match self.kind {
            EngineKind::Embedded => self.process.wait_for_line("ready ", READY_BOUND).map(drop),
            EngineKind::Etcd => self.process.wait_until("it is healthy", READY_BOUND, |_| {
                let health = Request::new("GET", "/health")
                    .io_bound(HEALTH_BOUND)
                    .send(address)
                    .ok()?;
                (health.status == 200).then_some(())
            }),
        }
    }
}

fn embedded_args(address: SocketAddr, data: &Path) -> Vec<OsString> {
    vec![
        "engine".into(),
        "--listen".into(),
        address.to_string().into(),
        "--data".into(),
        data.into(),
    ]
}

fn etcd_args(address: SocketAddr, peer: SocketAddr, member: &Member, data: &Path) -> Vec<OsString> {
    let (client, peer) = (format!("http://{address}"), format!("http://{peer}"));
    let mut args: Vec<OsString> = vec!["--data-dir".into(), data.into()];
    let options = [
        ("--name", member.name.as_str()),
        ("--listen-client-urls", client.as_str()),
        ("--advertise-client-urls", client.as_str()),
        ("--listen-peer-urls", peer.as_str()),
        ("--initial-advertise-peer-urls", peer.as_str()),
        ("--initial-cluster", member.cluster.as_str()),
        ("--logger", "zap"),
        ("--log-outputs", "stderr"),
        ("--log-level", "warn"),
        // Old revisions go early and there is much room for them: a long run under load would otherwise fill the default
        // of 2 GiB, and etcd then refuses every write (NOSPACE).
        ("--auto-compaction-mode", "periodic"),
        ("--auto-compaction-retention", "5m"),
        ("--quota-backend-bytes", "8589934592"),
    ];
    args.extend(
        options
            .iter()
            .flat_map(|(name, value)| [OsString::from(name), OsString::from(value)]),
    );
    args
}
