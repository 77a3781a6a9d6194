//! The servers beside Envoy: engines, and the native service with its Redis. Each on a free loopback port, in a directory
//! of its own, and ended with its handle.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use testbed::{EngineKind, Port, Process};

use crate::placement::Placement;

/// How long a server may take until it answers.
const READY_BOUND: Duration = Duration::from_secs(60);
/// One look at whether it does.
const LOOK_BOUND: Duration = Duration::from_secs(2);

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    // Held: it ends when this is dropped.
    engine: testbed::Engine,
    pid: u32,
}

impl Engine {
    /// Starts one; the embedded one is `native`, which is optimised.
    ///
    /// # Errors
    /// When it cannot be had or does not start.
    pub fn start(kind: EngineKind, native: &Path, placement: &Placement) -> anyhow::Result<Self> {
        let mut engine = testbed::Engine::of(kind).embedded_program(native).start()?;
        let pid = engine.process().pid();
        placement.move_server(pid)?;
        Ok(Self { engine, pid })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.engine.address()
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

/// A running server of another kind.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: Port,
    _work: TempDir,
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// A Redis that writes down what it was told and syncs once a second, as its manual advises.
    ///
    /// # Errors
    /// When it cannot be had or does not start.
    pub fn redis(placement: &Placement) -> anyhow::Result<Self> {
        let redis = testbed::tools::redis()?;
        let port = Port::free()?;
        let work = tempfile::tempdir().context("make a directory")?;
        let number = port.number().to_string();
        let options: [(&str, &str); 7] = [
            ("--bind", "127.0.0.1"),
            ("--port", &number),
            ("--appendonly", "yes"),
            ("--appendfsync", "everysec"),
            ("--save", ""),
            // Rewriting would come now and then, in a process of its own.
            ("--auto-aof-rewrite-percentage", "0"),
            ("--daemonize", "no"),
        ];
        let mut args: Vec<std::ffi::OsString> = Vec::new();
        for (name, value) in options {
            args.extend([name.into(), value.into()]);
        }
        args.extend(["--dir".into(), work.path().into()]);
        let process = placement.start_server(testbed::Command {
            name: "redis".to_owned(),
            program: redis.program().to_owned(),
            args,
            env: redis.environment(),
            log: work.path().join("redis.log"),
        })?;
        let mut server = Self {
            process,
            port,
            _work: work,
        };
        let address = server.address();
        server.process.wait_until("it listens", READY_BOUND, |_| {
            TcpStream::connect_timeout(&address, LOOK_BOUND)
                .is_ok()
                .then_some(())
        })?;
        Ok(server)
    }

    /// The native points service, on that Redis or in memory.
    ///
    /// # Errors
    /// When it does not start.
    pub fn service(
        native: &Path,
        redis: Option<&Self>,
        placement: &Placement,
    ) -> anyhow::Result<Self> {
        let port = Port::free()?;
        let work = tempfile::tempdir().context("make a directory")?;
        let mut args = vec![
            "service".into(),
            "--listen".into(),
            port.address().to_string().into(),
        ];
        if let Some(redis) = redis {
            args.extend([
                "--redis".into(),
                format!("redis://{}", redis.address()).into(),
            ]);
        }
        let process = placement.start_server(testbed::Command {
            name: "native service".to_owned(),
            program: native.to_owned(),
            args,
            env: Vec::new(),
            log: work.path().join("service.log"),
        })?;
        let mut server = Self {
            process,
            port,
            _work: work,
        };
        server.process.wait_for_line("ready ", READY_BOUND)?;
        Ok(server)
    }
}
