//! One life of an account, entry by entry: its history folded anew, whatever the document says of it.
//!
//! What is there is recorded first and judged after: whoever does not want to know of one wrong must not be told its echoes.

use ledger::{Entry, EntryKind, Take};

use super::book::{Fact, Life, Lot, shown_hash};
use super::commits::{Found, Recorded, Written, hash_of};
use crate::checks::Check;
use crate::wire;

/// Segments of one life: last entry and hash, by first entry.
type Segments = std::collections::BTreeMap<u64, (u64, u64)>;

impl Life {
    /// The next document of this life. Whether it could be recorded: one that tells another past cannot.
    pub(super) fn go_on(
        &mut self,
        account: &ledger::Account,
        segments: Option<&Segments>,
        found: &mut Found,
    ) -> Recorded {
        let archived = account.archived().map_or(0, |it| it.sequence);
        let known = self.entries.len() as u64;
        if archived < self.archived || account.sequence() < known || archived > known {
            let words = format!(
                "the document holds entries {} to {}; {known} were there, {} of them in segments",
                archived + 1,
                account.sequence(),
                self.archived
            );
            found.wrong(Check::History, words);
            return Recorded::Not;
        }
        while self.archived < archived {
            let covered = segments.and_then(|it| it.get(&(self.archived + 1)));
            match covered {
                Some(&(last, _)) if last <= archived => self.archived = last,
                _ => {
                    let words = format!(
                        "entries from {} on have left the document, and no segment holds them",
                        self.archived + 1
                    );
                    found.wrong(Check::History, words);
                    self.archived = archived;
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
            let wrong = match self.entries.get(place) {
                Some(fact) if fact.hash == hash_of(entry) => continue,
                Some(_) => format!("entry {} has changed", entry.sequence),
                None if place == self.entries.len() => match self.write(entry, found) {
                    Recorded::Yes => continue,
                    Recorded::Not => return Recorded::Not,
                },
                None => format!("entry {} came before those ahead of it", entry.sequence),
            };
            found.wrong(Check::History, wrong);
            return Recorded::Not;
        }
        self.expire(account.updated_at().as_millis());
        self.judge_lots(account, found);
        Recorded::Yes
    }

    fn judge_lots(&self, account: &ledger::Account, found: &mut Found) {
        let held = account.lots().iter();
        let held: Vec<_> = held.map(|it| (it.sequence, it.remaining.get())).collect();
        let lots = self.lots.values();
        let lots: Vec<_> = lots.map(|it| (it.sequence, it.left)).collect();
        if held != lots {
            let words = format!("the open lots are {held:?}, by the history they are {lots:?}");
            found.wrong(Check::Fold, words);
        }
    }

    fn expire(&mut self, now_ms: i64) {
        while let Some(first) = self.lots.first_entry()
            && first.key().0 <= now_ms
        {
            self.active = self.active.saturating_sub(first.remove().left);
        }
    }

    /// The next entry. One of no operation is not recorded: nobody can be shown it.
    fn write(&mut self, entry: &Entry, found: &mut Found) -> Recorded {
        let sequence = entry.sequence;
        let description = entry.description.as_ref().map_or("", |it| it.as_str());
        let Some(number) = wire::number_of(description) else {
            let words = format!("entry {sequence} is of no operation: {description:?}");
            found.wrong(Check::Isolation, words);
            return Recorded::Not;
        };
        let now_ms = entry.recorded_at.as_millis();
        let is_older = now_ms < self.recorded_at_ms;
        self.recorded_at_ms = now_ms;
        self.expire(now_ms);
        let points = entry.points.get();
        let folded = match &entry.kind {
            EntryKind::Added { valid_until, .. } => {
                let end_ms = valid_until.map_or(i64::MAX, ledger::Timestamp::as_millis);
                self.open(entry, end_ms, now_ms);
                Ok(())
            }
            EntryKind::Redeemed { takes } => self.take(points, takes),
        };
        let is_added = matches!(entry.kind, EntryKind::Added { .. });
        // As the document has it, since that is what everybody is told.
        let balance_after = entry.balance_after.get();
        let shown = shown_hash(number, points, balance_after, is_added);
        let sum = self.entries.last().map_or(0, |it| it.sum);
        let id = hash_of(&entry.identity.id.as_str());
        self.entries.push(Fact {
            hash: hash_of(entry),
            number,
            recorded_ms: now_ms,
            id,
            balance_after,
            sum: sum.wrapping_add(shown),
        });
        found.written.push(Written {
            number,
            points,
            is_added,
        });
        let mut fold = |words: &str| found.wrong(Check::Fold, format!("entry {sequence}: {words}"));
        if is_older {
            fold("it is older than the one before it");
        }
        if let Err(words) = folded {
            fold(&words);
        }
        if balance_after != self.active {
            let active = self.active;
            fold(&format!(
                "it leaves {balance_after} points, by the history {active}"
            ));
        }
        if !self.ids.insert(id) {
            let id = entry.identity.id.as_str();
            let words = format!("entry {sequence} has an id that was there: {id}");
            found.wrong(Check::ExactlyOnce, words);
        }
        Recorded::Yes
    }

    /// A lot, unless it had ended before it began.
    fn open(&mut self, entry: &Entry, end_ms: i64, now_ms: i64) {
        if end_ms > now_ms {
            let id = entry.identity.id.as_str().to_owned();
            let order = (end_ms, entry.created_at.as_millis(), id);
            let lot = Lot {
                sequence: entry.sequence,
                left: entry.points.get(),
            };
            self.lots.insert(order, lot);
            self.active += lot.left;
        }
    }

    /// A redemption takes from the lots in their order. What it says that it took is taken, in whatever order.
    fn take(&mut self, points: u64, takes: &[Take]) -> Result<(), String> {
        let mut wanted = points;
        let mut judged = Ok(());
        for (place, take) in takes.iter().enumerate() {
            let taken = take.points.get();
            let Some(first) = self.lots.values().next().copied() else {
                return Err(format!("lot {} is used, and none is open", take.lot));
            };
            let held = self.lots.iter().find(|(_, it)| it.sequence == take.lot);
            let Some((order, mut lot)) = held.map(|(order, lot)| (order.clone(), *lot)) else {
                return Err(format!("lot {} is used, which is not open", take.lot));
            };
            let is_last = place + 1 == takes.len();
            let is_next = lot.sequence == first.sequence && taken <= lot.left && taken <= wanted;
            if judged.is_ok() && !is_next {
                judged = Err(format!(
                    "{taken} of {wanted} points are taken from lot {}; the next one is {} with {}",
                    take.lot, first.sequence, first.left
                ));
            } else if judged.is_ok() && taken < lot.left && !is_last {
                judged = Err(format!("lot {} is left before it is empty", lot.sequence));
            }
            lot.left = lot.left.saturating_sub(taken);
            match lot.left {
                0 => self.lots.remove(&order),
                _ => self.lots.insert(order, lot),
            };
            wanted = wanted.saturating_sub(taken);
            self.active = self.active.saturating_sub(taken);
        }
        match wanted {
            0 => judged,
            _ => Err(format!(
                "{wanted} of {points} points are taken from nowhere"
            )),
        }
    }
}
