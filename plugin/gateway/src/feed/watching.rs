//! What the holder makes of each message of its watch: it stands, something happened, it has ended.
//!
//! The order of the steps is what the argument in [`super`] rests on.

use bytes::Bytes;

use super::{Feed, HeldCopies, Link, PAUSE_MS, random};
use crate::accounts::keys;
use crate::engine::{Change, StoreId, Watched, read_watched};
use crate::gate::Moment;
use crate::host::{Counter, Host, Severity};
use crate::planted::{Bug, is_planted};

impl Feed {
    /// Takes a message of the stream.
    pub fn message(
        &mut self,
        message: Bytes,
        copies: &impl HeldCopies,
        now: Moment,
        host: &impl Host,
    ) {
        let Some(link) = self.holding.as_ref().map(|holding| holding.link) else {
            return;
        };
        match (read_watched(message), link) {
            (Ok(Watched::Created { store, revision }), Link::Opening { from, .. }) => {
                self.created(from, store, revision, now, host);
            }
            (Ok(Watched::Events { events, partial }), Link::Up) => {
                self.happened(&events, partial, copies, now, host);
            }
            (Ok(Watched::Canceled { compacted: true }), _) => self.doubt(now, host, true),
            (Ok(Watched::Canceled { compacted: false }), _) => self.hang_up(now),
            (_, Link::Down { .. }) => {}
            // Nonsense, or a message out of turn. What it was to tell is lost.
            _ => self.doubt(now, host, false),
        }
    }

    /// The watch stands.
    fn created(&mut self, from: i64, store: StoreId, revision: i64, now: Moment, host: &impl Host) {
        let (Some(record), Some(holding)) = (&self.record, &mut self.holding) else {
            return;
        };
        if from > 0 && (record.store != store || revision < record.seen) {
            self.doubt(now, host, true);
            return;
        }
        holding.link = Link::Up;
        holding.beat.restart(now);
        if from == 0 {
            holding.anew = false;
            let first_epoch = random(host).map_or(1, |bytes: [u8; 4]| u32::from_be_bytes(bytes));
            let held = self.change(now, host, |record| {
                if record.epoch == 0 || !is_planted(Bug::EpochKept) {
                    record.epoch = next_epoch(record.epoch, first_epoch);
                }
                record.store = store;
                record.working_to = revision;
                record.seen = revision;
                // What was proved, was proved of another epoch's copies.
                record.confirmed_ms = 0;
                record.beat_revision = 0;
            });
            if !held {
                return;
            }
            host.count(Counter::FeedDoubts);
            let line = format!(
                "feed of {}: all copies are to be confirmed anew",
                self.cluster
            );
            host.log(Severity::Info, &line);
        }
        self.beat(now);
    }

    /// Brings what happened to the copies.
    fn happened(
        &mut self,
        events: &[(Bytes, Change)],
        partial: bool,
        copies: &impl HeldCopies,
        now: Moment,
        host: &impl Host,
    ) {
        let (Some((_, last)), Some(record)) = (events.last(), &self.record) else {
            return;
        };
        let (newest, store) = (last.revision, record.store);
        let beat_key = keys::heartbeat(&record.beat);
        if !self.change(now, host, |it| it.working_to = it.working_to.max(newest)) {
            return;
        }
        let accounts = keys::accounts_prefix();
        let (mut in_doubt, mut beats) = (false, Vec::new());
        for (key, change) in events {
            if key.starts_with(accounts.as_bytes()) {
                host.count(Counter::FeedEvents);
                in_doubt |= copies.refresh(host, key, store, change).is_err();
            } else if *key == beat_key.as_bytes() {
                beats.push(change);
            }
        }
        let mut confirmed_ms = None;
        if let Some(holding) = &mut self.holding {
            for change in &beats {
                let sent_ms = holding.beat.came(change.value.as_ref());
                let proved_ms = match is_planted(Bug::FreshAtArrival) {
                    true => sent_ms.map(|_| now.wall_ms),
                    false => sent_ms,
                };
                confirmed_ms = proved_ms.or(confirmed_ms);
            }
            if confirmed_ms.is_some() {
                holding.pause_ms = PAUSE_MS.0;
            }
        }
        let held = self.change(now, host, |record| {
            if !partial {
                record.seen = record.seen.max(newest);
            }
            if in_doubt {
                record.epoch = next_epoch(record.epoch, 1);
            }
            if let Some(change) = beats.last() {
                record.beat_revision = change.value.as_ref().map_or(0, |_| change.revision);
            }
            record.confirmed_ms = confirmed_ms.unwrap_or(record.confirmed_ms);
        });
        if held && in_doubt {
            host.count(Counter::FeedDoubts);
        }
    }
}

/// The epoch after this one; `first` is a feed's first. Never 0.
fn next_epoch(epoch: u32, first: u32) -> u32 {
    match epoch {
        0 => first.max(1),
        epoch => epoch.wrapping_add(1).max(1),
    }
}
