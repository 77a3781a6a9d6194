//! One life of an account, entry by entry: its history folded anew, whatever the document says of it.

use ledger::{Entry, EntryKind};

use super::book::{Fact, Life, Lot, shown_hash};
use super::commits::{Written, Wrong, hash_of};
use crate::checks::Check;
use crate::wire;

/// Segments of one life: last entry and hash, by first entry.
type Segments = std::collections::BTreeMap<u64, (u64, u64)>;

impl Life {
    /// The next document of this life.
    pub(super) fn go_on(
        &mut self,
        account: &ledger::Account,
        written: &mut Vec<Written>,
        segments: Option<&Segments>,
    ) -> Result<(), Wrong> {
        let history = |words: String| Err((Check::History, words));
        let archived = account.archived().map_or(0, |it| it.sequence);
        let known = self.entries.len() as u64;
        if archived < self.archived || account.sequence() < known || archived > known {
            return history(format!(
                "the document holds entries {} to {}; {known} were there, {} of them in segments",
                archived + 1,
                account.sequence(),
                self.archived
            ));
        }
        while self.archived < archived {
            let covered = segments.and_then(|it| it.get(&(self.archived + 1)));
            match covered {
                Some(&(last, _)) if last <= archived => self.archived = last,
                _ => {
                    return history(format!(
                        "entries from {} on have left the document, and no segment holds them",
                        self.archived + 1
                    ));
                }
            }
        }
        if self.entries.is_empty()
            && let Some(opening) = account.opened_by()
        {
            self.ids.insert(hash_of(&opening.id.as_str()));
        }
        for entry in account.entries() {
            let place = usize::try_from(entry.sequence.saturating_sub(1)).unwrap_or(usize::MAX);
            match self.entries.get(place) {
                Some(fact) if fact.hash == hash_of(entry) => {}
                Some(_) => return history(format!("entry {} has changed", entry.sequence)),
                None if place == self.entries.len() => written.push(self.write(entry)?),
                None => {
                    return history(format!(
                        "entry {} came before those ahead of it",
                        entry.sequence
                    ));
                }
            }
        }
        self.expire(account.updated_at().as_millis());
        let same = account.lots().len() == self.lots.len()
            && account
                .lots()
                .iter()
                .zip(self.lots.values())
                .all(|(held, lot)| {
                    held.sequence == lot.sequence && held.remaining.get() == lot.left
                });
        if !same {
            let held: Vec<_> = account
                .lots()
                .iter()
                .map(|it| (it.sequence, it.remaining.get()))
                .collect();
            let lots: Vec<_> = self
                .lots
                .values()
                .map(|it| (it.sequence, it.left))
                .collect();
            return Err((
                Check::Fold,
                format!("the open lots are {held:?}, by the history they are {lots:?}"),
            ));
        }
        Ok(())
    }

    fn expire(&mut self, now_ms: i64) {
        while let Some(first) = self.lots.first_entry()
            && first.key().0 <= now_ms
        {
            self.active = self.active.saturating_sub(first.remove().left);
        }
    }

    fn write(&mut self, entry: &Entry) -> Result<Written, Wrong> {
        let sequence = entry.sequence;
        let fold = |words: String| Err((Check::Fold, format!("entry {sequence}: {words}")));
        let now_ms = entry.recorded_at.as_millis();
        if now_ms < self.recorded_at_ms {
            return fold("it is older than the one before it".to_owned());
        }
        self.recorded_at_ms = now_ms;
        self.expire(now_ms);
        let points = entry.points.get();
        let is_added = match &entry.kind {
            EntryKind::Added { valid_until, .. } => {
                let end_ms = valid_until.map_or(i64::MAX, ledger::Timestamp::as_millis);
                if end_ms > now_ms {
                    let id = entry.identity.id.as_str().to_owned();
                    let order = (end_ms, entry.created_at.as_millis(), id);
                    let lot = Lot {
                        sequence,
                        left: points,
                    };
                    self.lots.insert(order, lot);
                    self.active += points;
                }
                true
            }
            EntryKind::Redeemed { takes } => {
                let mut wanted = points;
                for take in takes {
                    let taken = take.points.get();
                    let Some(mut first) = self.lots.first_entry() else {
                        return fold(format!("lot {} is used, and none is open", take.lot));
                    };
                    let lot = *first.get();
                    if lot.sequence != take.lot || taken > lot.left || taken > wanted {
                        return fold(format!(
                            "{taken} of {wanted} points are taken from lot {}; the next one is {} with {}",
                            take.lot, lot.sequence, lot.left
                        ));
                    }
                    if lot.left == taken {
                        first.remove();
                    } else if wanted != taken {
                        return fold(format!("lot {} is left before it is empty", lot.sequence));
                    } else {
                        first.get_mut().left -= taken;
                    }
                    wanted -= taken;
                    self.active -= taken;
                }
                if wanted > 0 {
                    return fold(format!(
                        "{wanted} of {points} points are taken from nowhere"
                    ));
                }
                false
            }
        };
        if entry.balance_after.get() != self.active {
            let (told, active) = (entry.balance_after.get(), self.active);
            return fold(format!("it leaves {told} points, by the history {active}"));
        }
        let id = hash_of(&entry.identity.id.as_str());
        if !self.ids.insert(id) {
            let words = format!(
                "entry {sequence} has an id that was there: {}",
                entry.identity.id.as_str()
            );
            return Err((Check::ExactlyOnce, words));
        }
        let description = entry.description.as_ref().map_or("", |it| it.as_str());
        let Some(number) = wire::number_of(description) else {
            let words = format!("entry {sequence} is of no operation: {description:?}");
            return Err((Check::Isolation, words));
        };
        let shown = shown_hash(number, points, self.active, is_added);
        let sum = self.entries.last().map_or(0, |it| it.sum);
        self.entries.push(Fact {
            hash: hash_of(entry),
            number,
            id,
            balance_after: self.active,
            sum: sum.wrapping_add(shown),
        });
        Ok(Written {
            number,
            points,
            is_added,
        })
    }
}
