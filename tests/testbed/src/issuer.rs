//! A development issuer of its own for whoever asks: `host-sim issuer`, on ports and keys that stay the same over kill and
//! restart.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::http::Request;
use crate::process::{Command, Process};
use crate::work_dir::WorkDir;
use crate::{Error, Port, Result, paths};

/// How long an issuer may take to listen. Making an RSA key counts in.
const READY_BOUND: Duration = Duration::from_secs(60);

/// An issuer to be started.
#[derive(Debug, Default)]
pub struct IssuerBuilder {
    keys: Option<PathBuf>,
    clients: Option<PathBuf>,
    public_url: Option<String>,
    work: Option<PathBuf>,
}

impl IssuerBuilder {
    /// Signs with the keys in `dir` (default: keys of its own in a temporary directory).
    #[must_use]
    pub fn keys_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.keys = Some(dir.into());
        self
    }

    /// Gives tokens to the clients in `file` (default: those that are built in).
    #[must_use]
    pub fn clients(mut self, file: impl Into<PathBuf>) -> Self {
        self.clients = Some(file.into());
        self
    }

    /// Says in its metadata that clients come in at `url` (default: its own address).
    #[must_use]
    pub fn public_url(mut self, url: &str) -> Self {
        self.public_url = Some(url.to_owned());
        self
    }

    /// Keeps the log in `dir` (default: a temporary directory).
    #[must_use]
    pub fn work_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.work = Some(dir.into());
        self
    }

    /// Starts the issuer and waits until it listens.
    ///
    /// # Errors
    /// When its program is missing, no port is free, or it ends or is not ready within a minute.
    pub fn start(self) -> Result<Issuer> {
        let work = WorkDir::open(self.work.as_deref())?;
        let keys = self
            .keys
            .clone()
            .unwrap_or_else(|| work.path().join("keys"));
        let (port, admin) = (Port::free()?, Port::free()?);
        let process = Process::start(Command {
            name: "issuer".to_owned(),
            program: paths::host_sim()?,
            args: self.args(&port, &admin, &keys),
            env: Vec::new(),
            log: work.path().join("issuer.log"),
        })?;
        let mut issuer = Issuer {
            process,
            port,
            admin,
            keys,
            _work: work,
        };
        issuer.wait_ready()?;
        Ok(issuer)
    }

    fn args(&self, port: &Port, admin: &Port, keys: &Path) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec![
            "issuer".into(),
            "--listen".into(),
            port.address().to_string().into(),
            "--admin".into(),
            admin.address().to_string().into(),
            "--keys".into(),
            keys.into(),
        ];
        if let Some(file) = &self.clients {
            args.extend(["--clients".into(), file.into()]);
        }
        if let Some(url) = &self.public_url {
            args.extend(["--public-url".into(), url.into()]);
        }
        args
    }
}

/// A running issuer; it ends when this is dropped.
#[derive(Debug)]
pub struct Issuer {
    process: Process,
    port: Port,
    admin: Port,
    keys: PathBuf,
    _work: WorkDir,
}

impl Issuer {
    /// A client that is built in, as `id:secret`: it views and manages the points of `acme`.
    pub const CLIENT: &str = "acme-backend:acme-secret";

    /// An issuer named [`DEV_ISSUER`](crate::DEV_ISSUER).
    #[must_use]
    pub fn builder() -> IssuerBuilder {
        IssuerBuilder::default()
    }

    /// Where clients and gateways come in.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Where it is administered.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// `http://127.0.0.1:PORT` of the admin interface.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin.address())
    }

    /// The folder of its keys.
    #[must_use]
    pub fn keys_dir(&self) -> &Path {
        &self.keys
    }

    /// Makes it sign with a new key; with `drop_old` the former ones are published no longer.
    ///
    /// # Errors
    /// [`Error::Http`] when it does not answer, or refuses.
    pub fn rotate(&self, drop_old: bool) -> Result<()> {
        let path = format!("/rotate?drop_old={drop_old}");
        let answer = Request::new("POST", &path).send(self.admin.address())?;
        if answer.status == 200 {
            return Ok(());
        }
        Err(Error::Http {
            target: format!("POST {}{path}", self.admin.address()),
            reason: format!("{} {}", answer.status, answer.text()),
        })
    }

    /// Its process, to freeze, kill or watch.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Starts it again on the same ports and keys, after [`Process::kill`] or from running, and waits until it listens.
    ///
    /// # Errors
    /// As [`IssuerBuilder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.process.restart()?;
        self.wait_ready()
    }

    fn wait_ready(&mut self) -> Result<()> {
        self.process.wait_for_line("ready ", READY_BOUND).map(drop)
    }
}
