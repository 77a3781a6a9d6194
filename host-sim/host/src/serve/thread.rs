//! The threads: one per VM, and one that accepts clients and answers the admin address.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{JoinSet, LocalSet};

use super::alarm::Alarm;
use super::callout::Cluster;
use super::limits::Limits;
use super::local::{Local, Mail, Mailboxes};
use super::routes::{Route, Routes};
use super::{CONNECTIONS_REFUSED, ServeError, admin, front};
use crate::plugin::{Plugin, Program};
use crate::ports::System;
use crate::shared::{Address, Shared};
use crate::vm::{Setting, Vm};
use crate::worker::Worker;

/// Pause after a client could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// Everything one VM's thread needs to begin.
pub(super) struct Seat {
    pub program: Program,
    pub plugin: Arc<Plugin>,
    pub shared: Arc<Shared>,
    pub address: Address,
    pub name: &'static str,
    pub clusters: BTreeMap<String, String>,
    pub routes: Vec<Route>,
    pub backoff_ms: u64,
    pub limits: Limits,
    pub alarm: Alarm,
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
            .spawn(move || {
                let (limits, alarm) = (seat.limits, seat.alarm.clone());
                let routes = Routes::new(seat.routes.clone());
                let _watch = alarm.on_panic();
                match worker(seat) {
                    Ok((runtime, worker, clusters)) => {
                        let local =
                            Local::new(worker, clusters, routes, mailboxes, limits, alarm.clone());
                        let set = LocalSet::new();
                        set.block_on(&runtime, serve(local, mail, ready));
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
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
            Mail::Connection(stream, peer, permit) => {
                if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
                    let _ = stream.set_nodelay(true);
                    let client =
                        front::connection(Rc::clone(&local), stream, peer, stopped.clone());
                    connections.spawn_local(async move {
                        let _place = permit;
                        client.await;
                    });
                }
            }
            Mail::QueueReady { context, queue } => local.queue_ready(context, queue),
            Mail::Stop => break,
        }
        while let Some(ended) = connections.try_join_next() {
            if ended.is_err_and(|error| error.is_panic()) {
                local.alarm.raise("panicked; its last words are above");
            }
        }
    }
    let _ = stop.send(true);
    let deadline = tokio::time::Instant::now() + local.limits.drain;
    let leave = async { while connections.join_next().await.is_some() {} };
    let leave = tokio::time::timeout(local.limits.drain_clients(), leave);
    // In time or not: whoever is still there is cut off.
    let _ = still_waking(&local, &mut mail, leave).await;
    connections.shutdown().await;
    let finish = tokio::time::timeout_at(deadline, local.shut_down());
    let _ = still_waking(&local, &mut mail, finish).await;
}

/// Does `work`, and wakes the root context meanwhile: what is in flight may need it.
async fn still_waking<T>(
    local: &Rc<Local>,
    mail: &mut UnboundedReceiver<Mail>,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            Some(more) = mail.recv() => if let Mail::QueueReady { context, queue } = more {
                local.queue_ready(context, queue);
            },
        }
    }
}

/// What accepts clients and answers the admin address.
pub(super) struct Front {
    pub listener: std::net::TcpListener,
    pub admin: Option<std::net::TcpListener>,
    pub mailboxes: Mailboxes,
    pub shared: Arc<Shared>,
    /// Places for clients.
    pub slots: Arc<Semaphore>,
    pub alarm: Alarm,
}

/// Accepts clients and deals them out in turn.
pub(super) fn spawn_front(
    front: Front,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>, ServeError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Thread)?;
    std::thread::Builder::new()
        .name("front".to_owned())
        .spawn(move || {
            let alarm = front.alarm.clone();
            let _watch = alarm.on_panic();
            let set = LocalSet::new();
            set.block_on(&runtime, run_front(front, stopped));
        })
        .map_err(ServeError::Thread)
}

async fn run_front(mut front: Front, stopped: oneshot::Receiver<()>) {
    if let Some(admin) = front.admin.take() {
        tokio::task::spawn_local(admin::serve(admin, Arc::clone(&front.shared)));
    }
    tokio::select! {
        failure = accept(&front) => front.alarm.raise(&failure),
        _ = stopped => {}
    }
}

/// Goes on until something is wrong, and says what.
async fn accept(front: &Front) -> String {
    let listener = front.listener.try_clone();
    let listener = match listener.and_then(tokio::net::TcpListener::from_std) {
        Ok(listener) => listener,
        Err(error) => return format!("cannot accept clients: {error}"),
    };
    // The first mailbox is the main thread's, which gets no clients.
    let workers: Vec<_> = front.mailboxes.iter().skip(1).collect();
    for (address, worker) in workers.iter().cycle() {
        let (stream, peer, permit) = loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let Ok(permit) = Arc::clone(&front.slots).try_acquire_owned() else {
                        front.shared.metrics.count(CONNECTIONS_REFUSED, 1);
                        continue;
                    };
                    if let Ok(stream) = stream.into_std() {
                        break (stream, peer, permit);
                    }
                }
                // Out of descriptors, most likely: others must end first.
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
            }
        };
        if worker.send(Mail::Connection(stream, peer, permit)).is_err() {
            return format!("has lost worker {}", address.0);
        }
    }
    "has no workers".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::unbounded_channel;

    #[test]
    fn a_worker_that_takes_no_clients_any_more_is_noticed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("settable");
        let address = listener.local_addr().expect("bound");
        let (main, _main_mail) = unbounded_channel();
        let (worker, worker_mail) = unbounded_channel();
        drop(worker_mail);
        let (alarm, mut failures) = Alarm::new();
        let front = Front {
            listener,
            admin: None,
            mailboxes: Arc::new([(Address(0), main), (Address(1), worker)].into()),
            shared: Arc::default(),
            slots: Arc::new(Semaphore::new(9)),
            alarm: alarm.named("the front".to_owned()),
        };
        let (_stop, stopped) = oneshot::channel();
        let thread = spawn_front(front, stopped).expect("starts");
        let _client = std::net::TcpStream::connect(address).expect("connects");
        let told = failures.blocking_recv();
        assert_eq!(told.as_deref(), Some("the front has lost worker 1"));
        thread.join().expect("ends");
    }
}
