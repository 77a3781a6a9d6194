//! One worker's thread: its VM, the clients it answers, the callouts it has in flight.
//!
//! Everything lives on one thread behind `Rc`. Each call into the VM is followed by [`Local::pump`], which does what the
//! VM asked for. Results of tasks carry the VM's generation: what an earlier VM asked for never reaches a later one.

mod effects;
mod tasks;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::task::AbortHandle;

use super::alarm::Alarm;
use super::backlog::Backlog;
use super::body::Part;
use super::callout::Clusters;
use super::limits::Limits;
use super::log::write_log;
use super::routes::Routes;
use super::upstream::Forwarded;
use crate::abi::LogLevel;
use crate::headers::Headers;
use crate::shared::Address;
use crate::stream::{Side, StreamInfo};
use crate::vm::{Trapped, Vm};
use crate::worker::{Lost, Worker};

/// What arrives for a worker from other threads.
#[derive(Debug)]
pub(super) enum Mail {
    /// A client, with its place among all that may be there.
    Connection(
        std::net::TcpStream,
        std::net::SocketAddr,
        OwnedSemaphorePermit,
    ),
    /// A queue of this worker's VM has something.
    QueueReady { context: u32, queue: u32 },
    /// Finish what is in flight, then end.
    Stop,
}

/// Where to post for whom.
pub(super) type Mailboxes = Arc<BTreeMap<Address, UnboundedSender<Mail>>>;

/// What happens to a client's request.
#[derive(Debug)]
pub(super) enum Reply {
    Head {
        headers: Headers,
        end_stream: bool,
    },
    Part(Part),
    /// The VM was lost.
    Lost,
}

/// Names a task in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Task {
    Http(u32),
    Grpc(u32),
    /// Of the stream with that number.
    Upstream(u32),
    Tick,
}

/// Who waits for what happens to a request.
struct Client {
    replies: UnboundedSender<Reply>,
    /// Of the answer's body.
    backlog: Backlog,
}

/// The other end of it.
#[derive(Debug)]
pub(super) struct Replies {
    pub parts: UnboundedReceiver<Reply>,
    /// To be told what was taken.
    pub backlog: Backlog,
}

/// See the module's text.
pub(super) struct Local {
    worker: RefCell<Worker>,
    pub clusters: Clusters,
    pub routes: Routes,
    mailboxes: Mailboxes,
    clients: RefCell<HashMap<u32, Client>>,
    forwarded: RefCell<HashMap<u32, Forwarded>>,
    max_waiting_bytes: usize,
    grpc_messages: RefCell<HashMap<u32, UnboundedSender<Part>>>,
    tasks: RefCell<HashMap<Task, AbortHandle>>,
    /// Told when anything happened: readers of paused bodies look again.
    pub progress: Rc<Notify>,
    pumping: Cell<bool>,
    drained: Cell<bool>,
    pub limits: Limits,
    pub alarm: Alarm,
}

/// One request of one VM.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamKey {
    generation: u64,
    stream: u32,
}

impl StreamKey {
    /// The number of its context.
    pub fn stream(self) -> u32 {
        self.stream
    }
}

impl Local {
    pub fn new(
        worker: Worker,
        clusters: Clusters,
        routes: Routes,
        mailboxes: Mailboxes,
        limits: Limits,
        alarm: Alarm,
    ) -> Rc<Self> {
        Rc::new(Self {
            max_waiting_bytes: worker.plugin().max_body_buffer_bytes,
            worker: RefCell::new(worker),
            clusters,
            routes,
            mailboxes,
            clients: RefCell::default(),
            forwarded: RefCell::default(),
            grpc_messages: RefCell::default(),
            tasks: RefCell::default(),
            progress: Rc::default(),
            pumping: Cell::new(false),
            drained: Cell::new(false),
            limits,
            alarm,
        })
    }

    /// A request has come. `None`: there is no VM to give it to.
    pub fn begin(
        self: &Rc<Self>,
        info: StreamInfo,
        headers: Headers,
        end_stream: bool,
    ) -> Option<(StreamKey, Replies)> {
        let _watch = self.alarm.on_panic();
        let (replies, parts) = unbounded_channel();
        let backlog = Backlog::new(Rc::clone(&self.progress));
        let started = {
            let mut worker = self.worker.borrow_mut();
            match worker.vm_for_request() {
                Ok(Some(vm)) => {
                    // The number is known before any effect is looked at: effects wait for the pump.
                    let started = vm.request_headers(info, headers, end_stream);
                    started.ok().map(|stream| StreamKey {
                        generation: worker.generation(),
                        stream,
                    })
                }
                Ok(None) => None,
                Err(failure) => {
                    write_log(LogLevel::Error, &format!("cannot reload the VM: {failure}"));
                    None
                }
            }
        };
        if let Some(key) = started {
            let client = Client {
                replies,
                backlog: backlog.clone(),
            };
            self.clients.borrow_mut().insert(key.stream, client);
        }
        self.pump();
        started.map(|key| (key, Replies { parts, backlog }))
    }

    /// More of a request.
    pub fn body(self: &Rc<Self>, key: StreamKey, data: &[u8], end_stream: bool) {
        self.call(key, |vm| vm.request_body(key.stream, data, end_stream));
    }

    /// The end of a request.
    pub fn trailers(self: &Rc<Self>, key: StreamKey, trailers: Headers) {
        self.call(key, |vm| vm.request_trailers(key.stream, trailers));
    }

    /// A request is answered in the module's place, if it has no answer yet.
    pub fn answer(self: &Rc<Self>, key: StreamKey, status: u32, words: &str) {
        self.call(key, |vm| vm.answer(key.stream, status, words));
    }

    /// The upstream's answer broke off.
    pub fn break_off(self: &Rc<Self>, key: StreamKey) {
        self.call(key, |vm| vm.break_off(key.stream));
    }

    /// The client is gone, or has its whole answer.
    pub fn end(self: &Rc<Self>, key: StreamKey) {
        if self.worker.borrow().generation() == key.generation {
            self.forget(key.stream);
        }
        self.call(key, |vm| vm.stream_gone(key.stream));
    }

    /// Nobody waits for this request any more, and nothing of it is on its way.
    fn forget(&self, stream: u32) {
        self.clients.borrow_mut().remove(&stream);
        self.forwarded.borrow_mut().remove(&stream);
        if let Some(task) = self.tasks.borrow_mut().remove(&Task::Upstream(stream)) {
            task.abort();
        }
    }

    /// Whether the module still has a context for it.
    pub fn is_open(&self, key: StreamKey) -> bool {
        self.worker.borrow().generation() == key.generation
            && self.clients.borrow().contains_key(&key.stream)
    }

    /// The request's way to its upstream is open.
    pub fn keep_forwarded(&self, key: StreamKey, forwarded: Forwarded) {
        self.forwarded.borrow_mut().insert(key.stream, forwarded);
    }

    /// Waits while more of this half should not come: the module holds too much back, or the other end takes too little.
    pub async fn room(&self, key: StreamKey, side: Side) {
        loop {
            let progress = self.progress.notified();
            if !self.is_backed_up(key, side) {
                return;
            }
            progress.await;
        }
    }

    fn is_backed_up(&self, key: StreamKey, side: Side) -> bool {
        let mut worker = self.worker.borrow_mut();
        if worker.generation() != key.generation {
            return false;
        }
        let waiting = match side {
            Side::Request => {
                (self.forwarded.borrow().get(&key.stream)).map_or(0, Forwarded::waiting_bytes)
            }
            Side::Response => {
                (self.clients.borrow().get(&key.stream)).map_or(0, |client| client.backlog.bytes())
            }
        };
        waiting > self.max_waiting_bytes
            || worker.vm().is_some_and(|vm| vm.is_full(key.stream, side))
    }

    /// Another VM, or this one, put something into a queue.
    pub fn queue_ready(self: &Rc<Self>, context: u32, queue: u32) {
        let generation = self.worker.borrow().generation();
        self.call_vm(generation, |vm| vm.queue_ready(context, queue));
    }

    /// Tells the root context that the end has come, and waits until it has nothing more to finish.
    pub async fn shut_down(self: &Rc<Self>) {
        let generation = self.worker.borrow().generation();
        self.call_vm(generation, |vm| {
            self.drained.set(vm.begin_shutdown()?);
            Ok(())
        });
        loop {
            let progress = self.progress.notified();
            if self.drained.get() || self.worker.borrow_mut().vm().is_none() {
                return;
            }
            progress.await;
        }
    }

    /// Calls into the VM of a request, if it still is there.
    pub fn call(
        self: &Rc<Self>,
        key: StreamKey,
        call: impl FnOnce(&mut Vm) -> Result<(), Trapped>,
    ) {
        self.call_vm(key.generation, call);
    }

    /// Calls into the VM if it is still that one, then does what it asks for.
    fn call_vm(
        self: &Rc<Self>,
        generation: u64,
        call: impl FnOnce(&mut Vm) -> Result<(), Trapped>,
    ) {
        let _watch = self.alarm.on_panic();
        {
            let mut worker = self.worker.borrow_mut();
            if worker.generation() != generation {
                return;
            }
            if let Some(vm) = worker.vm() {
                // A trap is found again by the pump, with everything that was lost.
                let _ = call(vm);
            }
        }
        self.pump();
    }

    /// Does what the VM asked for, until it asks for nothing more.
    pub fn pump(self: &Rc<Self>) {
        // Doing an effect may call the VM, which pumps: the outer loop takes those effects too, in order.
        if self.pumping.replace(true) {
            return;
        }
        let _watch = self.alarm.on_panic();
        loop {
            let (collected, generation) = {
                let mut worker = self.worker.borrow_mut();
                (worker.collect(), worker.generation())
            };
            let idle = collected.effects.is_empty() && collected.lost.is_none();
            for effect in collected.effects {
                self.perform(generation, effect);
            }
            if let Some(lost) = collected.lost {
                self.lose(lost);
            }
            if idle {
                break;
            }
        }
        self.pumping.set(false);
        self.progress.notify_waiters();
    }

    fn lose(&self, lost: Lost) {
        write_log(LogLevel::Critical, &lost.trapped.to_string());
        for (_, task) in self.tasks.borrow_mut().drain() {
            task.abort();
        }
        self.grpc_messages.borrow_mut().clear();
        self.forwarded.borrow_mut().clear();
        let mut clients = self.clients.borrow_mut();
        for stream in lost.streams {
            if let Some(client) = clients.remove(&stream) {
                let _ = client.replies.send(Reply::Lost);
            }
        }
        clients.clear();
    }
}
