//! One worker's thread: its VM, the clients it answers, the callouts it has in flight.
//!
//! Everything lives on one thread behind `Rc`. Each call into the VM is followed by [`Local::pump`], which does what the
//! VM asked for. Results of tasks carry the VM's generation: what an earlier VM asked for never reaches a later one.

mod tasks;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::task::AbortHandle;

use super::alarm::Alarm;
use super::body::Part;
use super::callout::Clusters;
use super::frames;
use super::limits::Limits;
use super::log::write_log;
use crate::abi::LogLevel;
use crate::effects::Effect;
use crate::headers::Headers;
use crate::shared::{Address, Registrant};
use crate::stream::StreamInfo;
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
enum Task {
    Http(u32),
    Grpc(u32),
    Tick,
}

/// See the module's text.
pub(super) struct Local {
    worker: RefCell<Worker>,
    clusters: Clusters,
    mailboxes: Mailboxes,
    replies: RefCell<HashMap<u32, UnboundedSender<Reply>>>,
    grpc_messages: RefCell<HashMap<u32, UnboundedSender<Part>>>,
    tasks: RefCell<HashMap<Task, AbortHandle>>,
    /// Told when anything happened: readers of paused bodies look again.
    pub progress: Notify,
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

impl Local {
    pub fn new(
        worker: Worker,
        clusters: Clusters,
        mailboxes: Mailboxes,
        limits: Limits,
        alarm: Alarm,
    ) -> Rc<Self> {
        Rc::new(Self {
            worker: RefCell::new(worker),
            clusters,
            mailboxes,
            replies: RefCell::default(),
            grpc_messages: RefCell::default(),
            tasks: RefCell::default(),
            progress: Notify::new(),
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
    ) -> Option<(StreamKey, UnboundedReceiver<Reply>)> {
        let _watch = self.alarm.on_panic();
        let (sender, receiver) = unbounded_channel();
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
            self.replies.borrow_mut().insert(key.stream, sender);
        }
        self.pump();
        started.map(|key| (key, receiver))
    }

    /// More of a request.
    pub fn body(self: &Rc<Self>, key: StreamKey, data: &[u8], end_stream: bool) {
        self.call(key.generation, |vm| {
            vm.request_body(key.stream, data, end_stream)
        });
    }

    /// The end of a request.
    pub fn trailers(self: &Rc<Self>, key: StreamKey, trailers: Headers) {
        self.call(key.generation, |vm| {
            vm.request_trailers(key.stream, trailers)
        });
    }

    /// A request took too long: it is answered in the module's place, if it has no answer yet.
    pub fn time_out(self: &Rc<Self>, key: StreamKey, status: u32, words: &str) {
        self.call(key.generation, |vm| vm.answer(key.stream, status, words));
    }

    /// The client is gone, or has its whole answer.
    pub fn end(self: &Rc<Self>, key: StreamKey) {
        if self.worker.borrow().generation() == key.generation {
            self.replies.borrow_mut().remove(&key.stream);
        }
        self.call(key.generation, |vm| vm.stream_gone(key.stream));
    }

    /// Whether the client should not send more now.
    pub fn is_backed_up(&self, key: StreamKey) -> bool {
        let mut worker = self.worker.borrow_mut();
        worker.generation() == key.generation
            && worker.vm().is_some_and(|vm| vm.is_backed_up(key.stream))
    }

    /// Another VM, or this one, put something into a queue.
    pub fn queue_ready(self: &Rc<Self>, context: u32, queue: u32) {
        let generation = self.worker.borrow().generation();
        self.call(generation, |vm| vm.queue_ready(context, queue));
    }

    /// Tells the root context that the end has come, and waits until it has nothing more to finish.
    pub async fn shut_down(self: &Rc<Self>) {
        let generation = self.worker.borrow().generation();
        self.call(generation, |vm| {
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

    /// Calls into the VM if it is still that one, then does what it asks for.
    fn call(self: &Rc<Self>, generation: u64, call: impl FnOnce(&mut Vm) -> Result<(), Trapped>) {
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
        let mut replies = self.replies.borrow_mut();
        for stream in lost.streams {
            if let Some(reply) = replies.remove(&stream) {
                let _ = reply.send(Reply::Lost);
            }
        }
        replies.clear();
    }

    fn perform(self: &Rc<Self>, generation: u64, effect: Effect) {
        match effect {
            Effect::Log { level, message } => write_log(level, &message),
            Effect::SetTick { period_ms } => self.set_tick(generation, period_ms),
            Effect::QueueReady { to, queue } => self.notify(to, queue),
            Effect::HttpCall(call) => self.http_call(generation, call),
            Effect::GrpcCall {
                token,
                target,
                message,
                timeout_ms,
            } => self.grpc_call(generation, token, target, message, timeout_ms),
            Effect::GrpcOpen { token, target } => self.grpc_open(generation, token, target),
            Effect::GrpcSend {
                token,
                message,
                end_stream,
            } => {
                if let Some(messages) = self.grpc_messages.borrow().get(&token) {
                    let _ = messages.send(Part::Data(frames::encode(&message), end_stream));
                }
            }
            Effect::GrpcClose { token } => {
                self.grpc_messages.borrow_mut().remove(&token);
            }
            Effect::GrpcCancel { token } => {
                self.grpc_messages.borrow_mut().remove(&token);
                if let Some(task) = self.tasks.borrow_mut().remove(&Task::Grpc(token)) {
                    task.abort();
                }
            }
            // No upstream is configured here: Envoy's answer where no route matches.
            Effect::ForwardHeaders { stream, .. } => {
                self.call(generation, |vm| vm.answer(stream, 404, ""));
            }
            Effect::Drained => self.drained.set(true),
            Effect::ForwardBody { .. } | Effect::ForwardTrailers { .. } => {}
            Effect::ResponseHeaders {
                stream,
                headers,
                end_stream,
            } => self.reply(
                stream,
                Reply::Head {
                    headers,
                    end_stream,
                },
            ),
            Effect::ResponseBody {
                stream,
                data,
                end_stream,
            } => self.reply(
                stream,
                Reply::Part(Part::Data(Bytes::from(data), end_stream)),
            ),
            Effect::ResponseTrailers { stream, trailers } => {
                let trailers = super::convert::to_map(&trailers);
                self.reply(stream, Reply::Part(Part::Trailers(trailers)));
            }
            Effect::Reset { stream } => self.reply(stream, Reply::Part(Part::Broken)),
            Effect::Finished { stream } => {
                self.replies.borrow_mut().remove(&stream);
            }
        }
    }

    fn reply(&self, stream: u32, reply: Reply) {
        if let Some(client) = self.replies.borrow().get(&stream) {
            let _ = client.send(reply);
        }
    }

    fn notify(&self, to: Registrant, queue: u32) {
        if let Some(mailbox) = self.mailboxes.get(&to.address) {
            let _ = mailbox.send(Mail::QueueReady {
                context: to.context,
                queue,
            });
        }
    }
}
