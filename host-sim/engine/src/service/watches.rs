//! The watches of one stream: who wants to hear of which keys, and from which revision on.
//!
//! A watch is only a position in the store's history. Nothing is kept for it in memory, so a slow one costs
//! nothing and loses nothing, short of a compaction past its position.

use std::collections::BTreeMap;

use bytes::Bytes;
use etcd_wire::watch_create_request::FilterType;
use etcd_wire::{Event, WatchCreateRequest};

use crate::limits::MAX_WATCHES_PER_STREAM;
use crate::store::{Change, Keys};

/// What a client asked to hear of.
#[derive(Debug, Clone)]
pub struct Interest {
    keys: Keys,
    no_put: bool,
    no_delete: bool,
    /// Events carry what was there before.
    pub prev_kv: bool,
}

impl Interest {
    /// Whether a change of `key` is to be told.
    pub fn wants(&self, change: Change, key: &[u8]) -> bool {
        let filtered = match change {
            Change::Put => self.no_put,
            Change::Delete => self.no_delete,
        };
        !filtered && self.keys.contains(key)
    }
}

/// One watch.
#[derive(Debug, Clone)]
pub struct Watched {
    /// What it is about.
    pub interest: Interest,
    /// The first revision that it has not been told of.
    pub next: i64,
    /// Answers over the message bound are cut into several.
    pub fragment: bool,
    /// It wants to hear of progress when nothing happens.
    pub progress_notify: bool,
    /// It was told something since the last round of progress.
    pub told: bool,
}

/// Why a watch was not created; the text is what the client reads.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The range holds no key.
    #[error("mvcc: watcher range is empty")]
    EmptyRange,
    /// The client chose a number that is taken.
    #[error("mvcc: duplicate watch ID provided on the WatchStream")]
    DuplicateId,
    /// The stream has as many watches as it may.
    #[error("etcdserver: too many watches on one stream")]
    TooMany,
}

/// The watches of one stream, by number.
#[derive(Debug, Default)]
pub struct Watches {
    by_id: BTreeMap<i64, Watched>,
    next_id: i64,
}

impl Watches {
    /// Adds a watch when the store is at `revision`; returns its number.
    pub fn create(
        &mut self,
        request: &WatchCreateRequest,
        revision: i64,
    ) -> Result<i64, CreateError> {
        // etcd reads an empty key as the smallest one.
        let key = if request.key.is_empty() {
            Bytes::from_static(&[0])
        } else {
            request.key.clone()
        };
        let keys = Keys::new(&key, &request.range_end);
        if keys.is_empty() {
            return Err(CreateError::EmptyRange);
        }
        if self.by_id.len() >= MAX_WATCHES_PER_STREAM {
            return Err(CreateError::TooMany);
        }
        let id = self.number(request.watch_id)?;
        let has = |filter: FilterType| request.filters.contains(&(filter as i32));
        self.by_id.insert(
            id,
            Watched {
                interest: Interest {
                    keys,
                    no_put: has(FilterType::Noput),
                    no_delete: has(FilterType::Nodelete),
                    prev_kv: request.prev_kv,
                },
                next: match request.start_revision {
                    0 => revision.saturating_add(1),
                    start => start,
                },
                fragment: request.fragment,
                progress_notify: request.progress_notify,
                told: false,
            },
        );
        Ok(id)
    }

    /// 0 asks for a free number.
    fn number(&mut self, wanted: i64) -> Result<i64, CreateError> {
        if wanted != 0 {
            return if self.by_id.contains_key(&wanted) {
                Err(CreateError::DuplicateId)
            } else {
                Ok(wanted)
            };
        }
        while self.by_id.contains_key(&self.next_id) {
            self.next_id = self.next_id.saturating_add(1);
        }
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        Ok(id)
    }

    /// Removes a watch; false when there is none of that number.
    pub fn remove(&mut self, id: i64) -> bool {
        self.by_id.remove(&id).is_some()
    }

    /// The oldest revision that some watch has not been told of and that has happened by `revision`.
    pub fn behind(&self, revision: i64) -> Option<i64> {
        let oldest = self.by_id.values().map(|watched| watched.next).min()?;
        (oldest <= revision).then_some(oldest)
    }

    /// What watches that are behind `revision` are interested in.
    pub fn interests(&self, revision: i64) -> Vec<Interest> {
        self.by_id
            .values()
            .filter(|watched| watched.next <= revision)
            .map(|watched| watched.interest.clone())
            .collect()
    }

    /// Numbers of the watches whose position was compacted away; they are removed.
    pub fn remove_compacted(&mut self, compacted: i64) -> Vec<i64> {
        self.by_id
            .extract_if(.., |_, watched| watched.next < compacted)
            .map(|(id, _)| id)
            .collect()
    }

    /// Hands out `events`, which are all there are up to and including revision `through`; moves every watch past it.
    pub fn deliver(&mut self, events: &[(Change, Event)], through: i64) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for (id, watched) in &mut self.by_id {
            if watched.next > through {
                continue;
            }
            let mine: Vec<Event> = events
                .iter()
                .filter_map(|(change, event)| watched.share(*change, event))
                .collect();
            watched.next = through.saturating_add(1);
            if !mine.is_empty() {
                watched.told = true;
                deliveries.push(Delivery {
                    watch_id: *id,
                    events: mine,
                    fragment: watched.fragment,
                });
            }
        }
        deliveries
    }

    /// Numbers of the watches that want to hear of progress and heard nothing since the last time.
    pub fn silent(&mut self) -> Vec<i64> {
        self.by_id
            .iter_mut()
            .filter(|(_, watched)| watched.progress_notify)
            .filter_map(|(id, watched)| (!std::mem::take(&mut watched.told)).then_some(*id))
            .collect()
    }
}

/// Events for one watch.
#[derive(Debug)]
pub struct Delivery {
    /// Its number.
    pub watch_id: i64,
    /// At least one.
    pub events: Vec<Event>,
    /// Whether they may be cut into several answers.
    pub fragment: bool,
}

impl Watched {
    fn share(&self, change: Change, event: &Event) -> Option<Event> {
        let kv = event.kv.as_ref()?;
        if kv.mod_revision < self.next || !self.interest.wants(change, &kv.key) {
            return None;
        }
        let mut event = event.clone();
        if !self.interest.prev_kv {
            event.prev_kv = None;
        }
        Some(event)
    }
}
