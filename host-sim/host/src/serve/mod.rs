//! Serves real clients: a front, workers with one VM and one thread each, callouts over real connections.
//!
//! Shaped like Envoy: a canary VM proves the configuration, the main thread has a VM of its own that ticks and gets no
//! requests, and a connection stays with the worker that it was given to.

mod admin;
mod alarm;
mod backlog;
mod body;
mod callout;
mod convert;
mod edge;
pub mod frames;
mod front;
mod limits;
mod local;
mod log;
mod routes;
mod stall;
mod thread;
mod upstream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;

use tokio::sync::{Semaphore, mpsc::unbounded_channel, oneshot};

use crate::plugin::{LoadError, Plugin, Program};
use crate::shared::{Address, Shared};
use crate::vm::StartFailure;
use alarm::{Alarm, Failures};
pub use limits::Limits;
use local::{Mail, Mailboxes};
pub use routes::Route;
use thread::{Seat, StartedThread};

/// Counts clients that were hung up on because [`Limits::connections`] were there already.
pub const CONNECTIONS_REFUSED: &str = "connections_refused";
/// More workers than this are a mistake in the command line.
pub const MAX_WORKERS: usize = 64;

/// What to serve, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where clients come in; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where `/stats` is answered.
    pub admin: Option<SocketAddr>,
    /// The module.
    pub wasm: PathBuf,
    /// Its plugin. `clusters` is filled in from the field below.
    pub plugin: Plugin,
    /// Endpoints `HOST:PORT` by cluster name.
    pub clusters: BTreeMap<String, String>,
    /// Where requests go that the module lets through; 404 without one that fits.
    pub routes: Vec<Route>,
    /// Number of workers, 1 to [`MAX_WORKERS`].
    pub workers: usize,
    /// Shortest time between the starts of two VMs of a worker.
    pub reload_backoff_ms: u64,
    /// Bounds on clients and on stopping.
    pub limits: Limits,
}

/// Why serving did not begin, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// 0 workers, or too many.
    #[error("the number of workers must be 1 to {MAX_WORKERS}, not {0}")]
    Workers(usize),
    /// A route leads to a cluster that there is not.
    #[error("the route {:?} leads to the cluster {:?}, which there is not", .0.prefix, .0.cluster)]
    Route(Route),
    /// The module cannot run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The module refused, or trapped on the way.
    #[error("the {vm} VM did not start: {failure}")]
    Start {
        /// Which VM.
        vm: &'static str,
        /// Why, with the module's own words.
        failure: StartFailure,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A thread could not be made.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// A part of it died.
    #[error("{0}")]
    Died(String),
}

/// A gateway that serves; dropping it stops it without waiting for anybody.
#[derive(Debug)]
pub struct Running {
    /// Where clients come in.
    pub local_addr: SocketAddr,
    /// Where `/stats` is answered.
    pub admin_addr: Option<SocketAddr>,
    /// What the VMs share; for looking at metrics.
    pub shared: Arc<Shared>,
    stop_front: Option<oneshot::Sender<()>>,
    front: Option<JoinHandle<()>>,
    mailboxes: Mailboxes,
    threads: Vec<JoinHandle<()>>,
    failures: Failures,
}

impl Running {
    /// Returns when serving cannot go on: a thread of it died. [`Running::stop`] is still to be called.
    pub async fn failed(&mut self) -> ServeError {
        let failure = self.failures.recv().await;
        ServeError::Died(failure.unwrap_or_else(|| "every worker ended".to_owned()))
    }

    /// Accepts nobody more, lets what is in flight finish within [`Limits::drain`], and returns when all threads ended.
    pub fn stop(mut self) {
        self.tell_all();
        self.front.take().map(JoinHandle::join);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }

    fn tell_all(&mut self) {
        if let Some(stop) = self.stop_front.take() {
            let _ = stop.send(());
        }
        for mailbox in self.mailboxes.values() {
            let _ = mailbox.send(Mail::Stop);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_all();
    }
}

/// Starts everything; returns when clients can come.
///
/// # Errors
/// [`ServeError`]; nothing keeps running then.
pub fn start(options: Options) -> Result<Running, ServeError> {
    if options.workers == 0 || options.workers > MAX_WORKERS {
        return Err(ServeError::Workers(options.workers));
    }
    let leads_nowhere = |route: &&Route| !options.clusters.contains_key(&route.cluster);
    if let Some(route) = options.routes.iter().find(leads_nowhere) {
        return Err(ServeError::Route(route.clone()));
    }
    let program = Program::load(&options.wasm)?;
    let listener = listen(options.listen)?;
    let admin = options.admin.map(listen).transpose()?;
    let local_addr = address(&listener, options.listen)?;
    let admin_addr = match (&admin, options.admin) {
        (Some(listener), Some(asked)) => Some(address(listener, asked)?),
        _ => None,
    };
    let mut plugin = options.plugin;
    plugin.clusters = options.clusters.keys().cloned().collect();
    let plugin = Arc::new(plugin);
    let shared = Arc::new(Shared::default());
    shared.metrics.count(crate::VM_RELOADS, 0);
    shared.metrics.count(crate::VM_TRAPS, 0);
    shared.metrics.count(CONNECTIONS_REFUSED, 0);
    let (alarm, failures) = Alarm::new();

    let seat = |address, name| Seat {
        program: program.clone(),
        plugin: Arc::clone(&plugin),
        shared: Arc::clone(&shared),
        address,
        name,
        clusters: options.clusters.clone(),
        routes: options.routes.clone(),
        backoff_ms: options.reload_backoff_ms,
        limits: options.limits,
        alarm: alarm.named(format!("{name} {}", address.0)),
    };
    thread::try_canary(seat(Address(u32::MAX), "canary"))?;

    let mut senders = BTreeMap::new();
    let mut receivers = Vec::new();
    for number in 0..=options.workers {
        let (sender, receiver) = unbounded_channel();
        let address = Address(u32::try_from(number).unwrap_or(u32::MAX));
        senders.insert(address, sender);
        receivers.push((address, receiver));
    }
    let mailboxes: Mailboxes = Arc::new(senders);
    let mut running = Running {
        local_addr,
        admin_addr,
        shared: Arc::clone(&shared),
        stop_front: None,
        front: None,
        mailboxes: Arc::clone(&mailboxes),
        threads: Vec::new(),
        failures,
    };
    // One after the other, as Envoy configures them: the last registrant of a queue is then always the last worker.
    for (address, receiver) in receivers {
        let name = if address == Address(0) {
            "main"
        } else {
            "worker"
        };
        let (ready, started) = std_mpsc::channel();
        let thread =
            StartedThread::spawn(seat(address, name), receiver, Arc::clone(&mailboxes), ready)?;
        running.threads.push(thread);
        match started.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                return Err(ServeError::Thread(std::io::Error::other(
                    "a worker thread ended before it was ready",
                )));
            }
        }
    }
    let (stop_front, stopped) = oneshot::channel();
    running.stop_front = Some(stop_front);
    running.front = Some(thread::spawn_front(
        thread::Front {
            listener,
            admin,
            mailboxes,
            shared,
            slots: Arc::new(Semaphore::new(options.limits.connections)),
            alarm: alarm.named("the front".to_owned()),
        },
        stopped,
    )?);
    Ok(running)
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, ServeError> {
    std::net::TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|source| ServeError::Listen { address, source })
}

fn address(listener: &std::net::TcpListener, asked: SocketAddr) -> Result<SocketAddr, ServeError> {
    listener.local_addr().map_err(|source| ServeError::Listen {
        address: asked,
        source,
    })
}
