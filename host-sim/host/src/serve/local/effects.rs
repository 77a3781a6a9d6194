//! Doing what a VM asked for, one effect at a time. What takes time becomes a task, or a message to who waits for it.

use std::rc::Rc;

use bytes::Bytes;

use super::{Local, Mail, Reply, StreamKey, Task};
use crate::effects::Effect;
use crate::serve::body::Part;
use crate::serve::convert::to_map;
use crate::serve::frames;
use crate::serve::log::write_log;
use crate::shared::Registrant;

impl Local {
    pub(super) fn perform(self: &Rc<Self>, generation: u64, effect: Effect) {
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
            Effect::ForwardHeaders {
                stream,
                headers,
                end_stream,
            } => {
                let key = StreamKey { generation, stream };
                self.forward(key, &headers, end_stream);
            }
            Effect::ForwardBody {
                stream,
                data,
                end_stream,
            } => {
                if let Some(forwarded) = self.forwarded.borrow().get(&stream) {
                    forwarded.body(data, end_stream);
                }
            }
            Effect::ForwardTrailers { stream, trailers } => {
                if let Some(forwarded) = self.forwarded.borrow().get(&stream) {
                    forwarded.trailers(&trailers);
                }
            }
            Effect::Drained => self.drained.set(true),
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
                let trailers = to_map(&trailers);
                self.reply(stream, Reply::Part(Part::Trailers(trailers)));
            }
            Effect::Reset { stream } => self.reply(stream, Reply::Part(Part::Broken)),
            Effect::Finished { stream } => self.forget(stream),
        }
    }

    fn reply(&self, stream: u32, reply: Reply) {
        if let Some(client) = self.clients.borrow().get(&stream) {
            if let Reply::Part(Part::Data(data, _)) = &reply {
                client.backlog.add(data.len());
            }
            let _ = client.replies.send(reply);
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
