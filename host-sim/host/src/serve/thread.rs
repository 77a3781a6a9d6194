//! The threads: one per VM, and one that accepts clients and answers the admin address.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinSet, LocalSet};

use super::callout::Cluster;
use super::local::{Local, Mail, Mailboxes};
use super::{DRAIN_LIMIT, ServeError, admin, front};
use crate::plugin::{Plugin, Program};
use crate::ports::System;
use crate::shared::{Address, Shared};
use crate::vm::{Setting, Vm};
use crate::worker::Worker;

/// Everything one VM's thread needs to begin.
pub(super) struct Seat {
    pub program: Program,
    pub plugin: Arc<Plugin>,
    pub shared: Arc<Shared>,
    pub address: Address,
    pub name: &'static str,
    pub clusters: BTreeMap<String, String>,
    pub backoff_ms: u64,
}

/// A VM that is only configured and thrown away. What it writes to shared data stays, as in Envoy.
pub(super) fn try_canary(seat: Seat) -> Result<(), ServeError> {
    let setting = Setting {
        plugin: seat.plugin,
        shared: seat.shared,
        address: seat.address,
        clock: Rc::new(System::default()),
        random: Box::new(System::default()),
    };
    Vm::start(&seat.program, setting)
        .map(drop)
        .map_err(|failure| ServeError::Start {
            vm: seat.name,
            failure,
        })
}

/// Makes threads.
pub(super) struct StartedThread;

impl StartedThread {
    pub fn spawn(
        seat: Seat,
        mail: UnboundedReceiver<Mail>,
        mailboxes: Mailboxes,
        ready: std_mpsc::Sender<Result<(), ServeError>>,
    ) -> Result<JoinHandle<()>, ServeError> {
        std::thread::Builder::new()
            .name(format!("{}-{}", seat.name, seat.address.0))
            .spawn(move || match worker(seat) {
                Ok((runtime, worker, clusters)) => {
                    let local = Local::new(worker, clusters, mailboxes);
                    let set = LocalSet::new();
                    set.block_on(&runtime, serve(local, mail, ready));
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            })
            .map_err(ServeError::Thread)
    }
}

type Started = (Runtime, Worker, super::callout::Clusters);

fn worker(seat: Seat) -> Result<Started, ServeError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Thread)?;
    let worker = Worker::start(
        seat.program,
        seat.plugin,
        seat.shared,
        seat.address,
        Rc::new(System::default()),
        Box::new(|| Box::new(System::default())),
        seat.backoff_ms,
    )
    .map_err(|failure| ServeError::Start {
        vm: seat.name,
        failure,
    })?;
    let clusters = seat
        .clusters
        .into_iter()
        .map(|(name, endpoint)| (name, Rc::new(Cluster::new(endpoint))))
        .collect();
    Ok((runtime, worker, clusters))
}

async fn serve(
    local: Rc<Local>,
    mut mail: UnboundedReceiver<Mail>,
    ready: std_mpsc::Sender<Result<(), ServeError>>,
) {
    // Effects of the configuration: ticks, first callouts, log lines.
    local.pump();
    let _ = ready.send(Ok(()));
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    while let Some(mail) = mail.recv().await {
        match mail {
            Mail::Connection(stream, peer) => {
                if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
                    let _ = stream.set_nodelay(true);
                    let connection =
                        front::connection(Rc::clone(&local), stream, peer, stopped.clone());
                    connections.spawn_local(connection);
                }
            }
            Mail::QueueReady { context, queue } => local.queue_ready(context, queue),
            Mail::Stop => break,
        }
        while connections.try_join_next().is_some() {}
    }
    let _ = stop.send(true);
    let drain = async {
        loop {
            tokio::select! {
                ended = connections.join_next() => if ended.is_none() { return },
                // Requests in flight may still need their wake-ups.
                more = mail.recv() => match more {
                    Some(Mail::QueueReady { context, queue }) => local.queue_ready(context, queue),
                    Some(_) => {}
                    None => return,
                },
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_LIMIT, drain).await;
    let _ = tokio::time::timeout(DRAIN_LIMIT, local.shut_down()).await;
}

/// Accepts clients and deals them out in turn.
pub(super) fn spawn_front(
    listener: std::net::TcpListener,
    admin: Option<std::net::TcpListener>,
    mailboxes: Mailboxes,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>, ServeError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Thread)?;
    std::thread::Builder::new()
        .name("front".to_owned())
        .spawn(move || {
            let set = LocalSet::new();
            set.block_on(&runtime, async move {
                if let Some(admin) = admin {
                    tokio::task::spawn_local(admin::serve(admin, shared));
                }
                tokio::select! {
                    () = accept(listener, mailboxes) => {}
                    _ = stopped => {}
                }
            });
        })
        .map_err(ServeError::Thread)
}

async fn accept(listener: std::net::TcpListener, mailboxes: Mailboxes) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    // The first mailbox is the main thread's, which gets no clients.
    let workers: Vec<_> = mailboxes.values().skip(1).collect();
    for worker in workers.iter().cycle() {
        let (stream, peer) = loop {
            match listener.accept().await {
                Ok((stream, peer)) => match stream.into_std() {
                    Ok(stream) => break (stream, peer),
                    Err(_) => continue,
                },
                // Out of descriptors, most likely: others must end first.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            }
        };
        let _ = worker.send(Mail::Connection(stream, peer));
    }
}
