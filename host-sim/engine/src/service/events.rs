//! Reading events out of the store's history, a bounded step at a time.
//!
//! A step ends between two revisions, never inside one: the changes of one transaction reach a watcher together.

use std::ops::RangeInclusive;

use etcd_wire::event::EventType;
use etcd_wire::{Event, KeyValue};

use super::watches::Interest;
use crate::limits::{MAX_WATCH_BATCH_BYTES, MAX_WATCH_BATCH_ROWS};
use crate::refusal::Fault;
use crate::store::{Change, Moment, Progress, Scan, Snapshot};

/// One step of history.
#[derive(Debug)]
pub struct Batch {
    /// What interested anyone, oldest first.
    pub events: Vec<(Change, Event)>,
    /// The last revision that was looked at whole.
    pub through: i64,
    /// How far the store had come.
    pub progress: Progress,
}

/// Reads in `revisions` what any of `interests` wants; the snapshot may know more, which is left for later. Reads
/// nothing when the first revision is compacted.
pub fn read(
    snapshot: &Snapshot,
    revisions: RangeInclusive<i64>,
    interests: &[Interest],
) -> Result<Batch, Fault> {
    let progress = snapshot.progress();
    let (from, to) = revisions.into_inner();
    let mut batch = Batch {
        events: Vec::new(),
        through: to,
        progress,
    };
    if from < progress.compacted {
        batch.through = from.saturating_sub(1);
        return Ok(batch);
    }
    let (mut rows, mut bytes, mut last) = (0_usize, 0_usize, from);
    snapshot.history(from, |moment, change, key| {
        if moment.revision > to {
            return Ok(Scan::Stop);
        }
        let full = rows >= MAX_WATCH_BATCH_ROWS || bytes >= MAX_WATCH_BATCH_BYTES;
        if full && moment.revision != last {
            batch.through = last;
            return Ok(Scan::Stop);
        }
        rows += 1;
        last = moment.revision;
        let mut takers = interests.iter().filter(|one| one.wants(change, key));
        if let Some(first) = takers.next() {
            let prev_kv = first.prev_kv || takers.any(|one| one.prev_kv);
            let event = event(snapshot, moment, change, key, prev_kv)?;
            bytes += size(&event.kv) + size(&event.prev_kv);
            batch.events.push((change, event));
        }
        Ok(Scan::Continue)
    })?;
    Ok(batch)
}

fn event(
    snapshot: &Snapshot,
    moment: Moment,
    change: Change,
    key: &[u8],
    prev_kv: bool,
) -> Result<Event, Fault> {
    let view = snapshot.view();
    let (kind, kv) = match change {
        Change::Put => (
            EventType::Put,
            view.at(key, moment, |version| version.message(key, false))?,
        ),
        Change::Delete => (
            EventType::Delete,
            Some(KeyValue {
                key: key.to_vec().into(),
                mod_revision: moment.revision,
                ..Default::default()
            }),
        ),
    };
    let before = moment.revision.saturating_sub(1);
    // A put that creates its key follows on nothing, even when the same transaction has deleted the key before.
    let creates = kv.as_ref().is_some_and(|kv| kv.version == 1);
    let prev_kv = if prev_kv && !creates && before >= snapshot.progress().compacted {
        view.at(key, Moment::after(before), |version| {
            version.message(key, false)
        })?
    } else {
        None
    };
    Ok(Event {
        r#type: kind as i32,
        kv,
        prev_kv,
    })
}

fn size(kv: &Option<KeyValue>) -> usize {
    kv.as_ref().map_or(0, |kv| kv.key.len() + kv.value.len())
}
