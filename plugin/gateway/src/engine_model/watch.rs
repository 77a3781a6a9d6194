//! The model's watches: each is a position in its history, read when somebody asks for it.

use bytes::Bytes;
use etcd_wire::event::EventType;
use etcd_wire::watch_request::RequestUnion;
use etcd_wire::{Event, WatchCreateRequest, WatchRequest, WatchResponse};
use prost::Message;

use super::Engine;

/// One client's watch.
#[derive(Debug)]
pub struct Watch {
    /// The cluster that it was opened to.
    pub cluster: String,
    start: Bytes,
    end: Bytes,
    next: i64,
}

impl Engine {
    /// Opens a stream with this message; the watch, and the message that says that it stands.
    ///
    /// # Panics
    /// When it is not the message with which the gateway opens a watch.
    pub fn watch(&self, cluster: &str, message: Bytes) -> (Watch, Bytes) {
        let request = WatchRequest::decode(message).expect("a message");
        let Some(RequestUnion::CreateRequest(create)) = request.request_union else {
            panic!("the first message of a stream creates a watch");
        };
        let plain = WatchCreateRequest {
            key: create.key.clone(),
            range_end: create.range_end.clone(),
            start_revision: create.start_revision,
            fragment: true,
            ..WatchCreateRequest::default()
        };
        assert_eq!(create, plain, "the gateway watches in one way");
        let watch = Watch {
            cluster: cluster.to_owned(),
            start: create.key,
            end: create.range_end,
            next: match create.start_revision {
                0 => self.revision + 1,
                from => from,
            },
        };
        let created = WatchResponse {
            header: self.header(),
            created: true,
            ..WatchResponse::default()
        };
        (watch, created.encode_to_vec().into())
    }

    /// The next revision that the watch is to be told of.
    pub fn next_news(&self, watch: &Watch) -> Option<i64> {
        let wanted = |put: &&super::Put| {
            put.revision >= watch.next && (&watch.start..&watch.end).contains(&&put.key)
        };
        self.changes.iter().find(wanted).map(|put| put.revision)
    }

    /// What the watch has not been told yet, in one message.
    pub fn tell(&self, watch: &mut Watch) -> Option<Bytes> {
        self.tell_up_to(watch, self.revision)
    }

    /// As [`Engine::tell`], of revisions up to this one alone.
    pub fn tell_up_to(&self, watch: &mut Watch, revision: i64) -> Option<Bytes> {
        let mut answer = WatchResponse {
            header: self.header(),
            ..WatchResponse::default()
        };
        if watch.next < self.compacted {
            watch.next = i64::MAX;
            answer.canceled = true;
            answer.compact_revision = self.compacted;
            return Some(answer.encode_to_vec().into());
        }
        let told = watch.next..=revision;
        answer.events = self
            .changes
            .iter()
            .filter(|put| told.contains(&put.revision))
            .filter(|put| (&watch.start..&watch.end).contains(&&put.key))
            .map(|put| Event {
                r#type: match put.is_deletion {
                    false => EventType::Put.into(),
                    true => EventType::Delete.into(),
                },
                kv: Some(self.key_value(put, false)),
                ..Event::default()
            })
            .collect();
        watch.next = watch.next.max(revision.saturating_add(1));
        (!answer.events.is_empty()).then(|| answer.encode_to_vec().into())
    }
}
