//! The one watch that the gateway asks for, and what the engine answers to it.
//!
//! One watch a stream: then everything on the stream is about that watch, in the order of revisions. Answers may be cut
//! (`fragment`), since a whole one is as large as what happened while nobody listened.

use bytes::Bytes;
use etcd_wire::event::EventType;
use etcd_wire::watch_request::RequestUnion;
use etcd_wire::{Event, WatchCreateRequest, WatchRequest, WatchResponse};
use prost::Message;

use super::messages::{MalformedAnswer, StoreId};

/// The longest message that is read from a stream, in bytes. etcd cuts answers at 2 MiB, the embedded engine at its
/// bound of a request; only one event that is larger by itself could be over this, and no document is.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// One key's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The revision that made it.
    pub revision: i64,
    /// What stands there since; none: the key was deleted.
    pub value: Option<Bytes>,
}

/// One message of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// The watch stands.
    Created {
        /// The store that is watched.
        store: StoreId,
        /// The revision at which the store, or that member of it, was. A watch from now on begins behind it.
        revision: i64,
    },
    /// What happened, by revision ascending; nothing in between is missing. May be empty.
    Events {
        /// Key and change.
        events: Vec<(Bytes, Change)>,
        /// More of the same answer follows: the last revision may be incomplete.
        partial: bool,
    },
    /// The watch has ended, the stream has not.
    Canceled {
        /// What it should have told is forgotten: it can only begin anew.
        compacted: bool,
    },
}

/// Asks to watch the keys from `start` to `end` (not included), from revision `from` on (0: from now on).
#[must_use]
pub fn watch_range(start: &[u8], end: &[u8], from: i64) -> Bytes {
    WatchRequest {
        request_union: Some(RequestUnion::CreateRequest(WatchCreateRequest {
            key: Bytes::copy_from_slice(start),
            range_end: Bytes::copy_from_slice(end),
            start_revision: from,
            fragment: true,
            ..WatchCreateRequest::default()
        })),
    }
    .encode_to_vec()
    .into()
}

/// Reads one message of a stream with one watch.
///
/// # Errors
/// [`MalformedAnswer`]
pub fn read_watched(message: Bytes) -> Result<Watched, MalformedAnswer> {
    let answer = WatchResponse::decode(message).map_err(|_| MalformedAnswer)?;
    let header = answer.header.ok_or(MalformedAnswer)?;
    // A watch that is refused at once is created and canceled in one message.
    if answer.canceled {
        return Ok(Watched::Canceled {
            compacted: answer.compact_revision > 0,
        });
    }
    if answer.created {
        return Ok(Watched::Created {
            store: StoreId(header.cluster_id),
            revision: header.revision,
        });
    }
    // The header's revision says nothing here: for a watch that catches up it is ahead of the events.
    let events: Vec<_> = answer
        .events
        .into_iter()
        .map(read_event)
        .collect::<Result<_, _>>()?;
    let in_order = events.is_sorted_by_key(|(_, change)| change.revision);
    if !in_order {
        return Err(MalformedAnswer);
    }
    Ok(Watched::Events {
        events,
        partial: answer.fragment,
    })
}

fn read_event(event: Event) -> Result<(Bytes, Change), MalformedAnswer> {
    let kv = event.kv.ok_or(MalformedAnswer)?;
    let value = match EventType::try_from(event.r#type) {
        Ok(EventType::Put) => Some(kv.value),
        Ok(EventType::Delete) => None,
        Err(_) => return Err(MalformedAnswer),
    };
    if kv.mod_revision <= 0 {
        return Err(MalformedAnswer);
    }
    let revision = kv.mod_revision;
    Ok((kv.key, Change { revision, value }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcd_wire::{KeyValue, ResponseHeader};

    fn answer(change: impl FnOnce(&mut WatchResponse)) -> Result<Watched, MalformedAnswer> {
        let mut answer = WatchResponse {
            header: Some(ResponseHeader {
                cluster_id: 5,
                revision: 90,
                ..ResponseHeader::default()
            }),
            ..WatchResponse::default()
        };
        change(&mut answer);
        read_watched(answer.encode_to_vec().into())
    }

    fn event(kind: EventType, revision: i64) -> Event {
        Event {
            r#type: kind.into(),
            kv: Some(KeyValue {
                key: Bytes::from_static(b"k"),
                value: Bytes::from_static(b"v"),
                mod_revision: revision,
                ..KeyValue::default()
            }),
            ..Event::default()
        }
    }

    #[test]
    fn a_watch_is_asked_for_in_pieces_and_without_what_was_there_before() {
        let request = WatchRequest::decode(watch_range(b"a", b"b", 7)).expect("a message");
        let Some(RequestUnion::CreateRequest(create)) = request.request_union else {
            panic!("another request");
        };
        assert_eq!(
            create,
            WatchCreateRequest {
                key: Bytes::from_static(b"a"),
                range_end: Bytes::from_static(b"b"),
                start_revision: 7,
                fragment: true,
                ..WatchCreateRequest::default()
            }
        );
    }

    #[test]
    fn answers_say_what_happened() {
        assert_eq!(
            answer(|it| it.created = true),
            Ok(Watched::Created {
                store: StoreId(5),
                revision: 90
            })
        );
        assert_eq!(
            answer(|it| {
                it.events = vec![event(EventType::Put, 7), event(EventType::Delete, 9)];
                it.fragment = true;
            }),
            Ok(Watched::Events {
                events: vec![
                    (
                        Bytes::from_static(b"k"),
                        Change {
                            revision: 7,
                            value: Some(Bytes::from_static(b"v"))
                        }
                    ),
                    (
                        Bytes::from_static(b"k"),
                        Change {
                            revision: 9,
                            value: None
                        }
                    )
                ],
                partial: true
            })
        );
        // Progress, which nobody asked for, is an answer without events.
        assert_eq!(
            answer(|_| {}),
            Ok(Watched::Events {
                events: vec![],
                partial: false
            })
        );
        assert_eq!(
            answer(|it| (it.canceled, it.compact_revision) = (true, 12)),
            Ok(Watched::Canceled { compacted: true })
        );
        assert_eq!(
            answer(|it| (it.created, it.canceled) = (true, true)),
            Ok(Watched::Canceled { compacted: false })
        );
    }

    #[test]
    fn what_is_no_answer_is_malformed() {
        for refused in [
            answer(|it| it.header = None),
            answer(|it| {
                it.events = vec![event(EventType::Put, 9), event(EventType::Put, 7)];
            }),
            answer(|it| it.events = vec![event(EventType::Put, 0)]),
            answer(|it| it.events = vec![Event::default()]),
            answer(|it| {
                it.events = vec![Event {
                    r#type: 2,
                    ..event(EventType::Put, 7)
                }];
            }),
            read_watched(Bytes::from_static(b"\xff")),
        ] {
            assert_eq!(refused, Err(MalformedAnswer));
        }
    }
}
