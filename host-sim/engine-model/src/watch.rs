//! Watches: each is a position in the log, read on when its owner says that it may be.

use bytes::Bytes;
use etcd_wire::event::EventType;
use etcd_wire::watch_request::RequestUnion;
use etcd_wire::{Event, WatchCreateRequest, WatchRequest, WatchResponse};
use prost::Message;

use super::{Change, INVALID_ARGUMENT, Model};

/// Events of one message at most; more come in messages of their own, cut between two events.
const MAX_EVENTS: usize = 1_000;

/// One stream with its one watch.
#[derive(Debug, Clone)]
pub struct Watch {
    start: Bytes,
    end: Bytes,
    /// The first revision that it was not told of in full.
    next: i64,
    /// How many events of that revision it was told of.
    told: usize,
    over: bool,
}

impl Watch {
    fn wants(&self, change: &Change) -> bool {
        (&self.start..&self.end).contains(&&change.key)
    }
}

impl Model {
    /// Opens a stream with this message: the watch, and the message that says that it stands.
    ///
    /// # Errors
    /// [`INVALID_ARGUMENT`] for a message that the gateway would not send.
    pub fn watch(&self, message: Bytes) -> Result<(Watch, Vec<u8>), u32> {
        let request = WatchRequest::decode(message).map_err(|_| INVALID_ARGUMENT)?;
        let Some(RequestUnion::CreateRequest(create)) = request.request_union else {
            return Err(INVALID_ARGUMENT);
        };
        let plain = WatchCreateRequest {
            key: create.key.clone(),
            range_end: create.range_end.clone(),
            start_revision: create.start_revision,
            fragment: true,
            ..WatchCreateRequest::default()
        };
        if create != plain || create.key >= create.range_end {
            return Err(INVALID_ARGUMENT);
        }
        let watch = Watch {
            start: create.key,
            end: create.range_end,
            next: match create.start_revision {
                0 => self.revision + 1,
                from => from,
            },
            told: 0,
            over: false,
        };
        let created = WatchResponse {
            header: self.header(),
            created: true,
            ..WatchResponse::default()
        };
        Ok((watch, created.encode_to_vec()))
    }

    /// The next message of the watch: what it has not been told yet, or that this is forgotten, which ends it. None:
    /// there is nothing.
    pub fn tell(&self, watch: &mut Watch) -> Option<Vec<u8>> {
        if watch.over || watch.next > self.revision {
            return None;
        }
        if watch.next < self.compacted {
            watch.over = true;
            let cancelled = WatchResponse {
                // As etcd: a watch that has seen nothing names no revision.
                header: self
                    .header()
                    .map(|it| etcd_wire::ResponseHeader { revision: 0, ..it }),
                canceled: true,
                compact_revision: self.compacted,
                ..WatchResponse::default()
            };
            return Some(cancelled.encode_to_vec());
        }
        let mut answer = WatchResponse {
            header: self.header(),
            ..WatchResponse::default()
        };
        let mut skip = watch.told;
        let (mut last, mut of_last) = (watch.next, 0);
        let news = self.changes_after(watch.next - 1);
        for change in news.filter(|it| watch.wants(it)) {
            if change.revision != last {
                (last, of_last) = (change.revision, 0);
                skip = 0;
            }
            of_last += 1;
            if of_last <= skip {
                continue;
            }
            if answer.events.len() == MAX_EVENTS {
                answer.fragment = true;
                watch.next = last;
                watch.told = of_last - 1;
                return Some(answer.encode_to_vec());
            }
            answer.events.push(event(change));
        }
        watch.next = self.revision + 1;
        watch.told = 0;
        (!answer.events.is_empty()).then(|| answer.encode_to_vec())
    }
}

fn event(change: &Change) -> Event {
    let kind = match change.value {
        Some(_) => EventType::Put,
        None => EventType::Delete,
    };
    Event {
        r#type: kind.into(),
        kv: Some(change.message(false)),
        ..Event::default()
    }
}
