//! What travels next: a base, all that waits folded onto it, and what has to be done before.
//!
//! Whether there is a base at hand that is worth folding onto, whether a segment comes first, and who is told at once because
//! nothing is to be committed. What an answer means is not known here.

use std::collections::VecDeque;

use ledger::{Account, Segment};

use super::{Committing, Of, told};
use crate::accounts::document;
use crate::accounts::fold::{Folded, Verdict, fold};
use crate::accounts::history::{self, Look, Put};
use crate::accounts::job::Outcome;
use crate::accounts::keys::HistoryKeys;
use crate::accounts::line::{Base, Change, Context, Line, Settled};
use crate::engine::Commit;
use crate::host::{Counter, Host};
use crate::planted::{Bug, is_planted};

impl Line {
    /// Computes the next commit from the base and all that waits.
    pub(super) fn fold<H: Host>(&mut self, context: &Context<'_, H>, settled: &mut Vec<Settled>) {
        self.end_late(context.steady_ms, settled);
        let base = self
            .base
            .take()
            .filter(|base| self.is_newest(base, context));
        let Some(base) = base.or_else(|| self.remembered(context)) else {
            self.must_read = true;
            return;
        };
        if self.kept_in != Some(base.store) {
            self.kept.clear();
        }
        let operations: Vec<Folded<'_>> = self
            .changes
            .iter()
            .map(|change| Folded {
                operation: &change.operation,
                looked: &change.looked,
                unsure: change.unsure,
            })
            .collect();
        let folded = fold(&base.state, &operations, &self.kept, context.host.now());
        if (folded.next.is_some() || folded.too_large)
            && let Some((account, segment)) = self.next_segment(&base)
        {
            return self.archive(base, account, segment);
        }
        let taken: Vec<Change> = {
            let taken = folded.verdicts.len().min(self.changes.len());
            self.changes.drain(..taken).collect()
        };
        let mut judged = VecDeque::new();
        for (mut change, verdict) in taken.into_iter().zip(folded.verdicts) {
            match verdict {
                // Only the engine's own word is worth a walk: what shared data tells may never have been.
                Verdict::Unseen(unseen) if base.call.is_some() => {
                    let look = Look::new(self.key.clone(), unseen, change.looked.clone());
                    self.looks.push((change.seat, look));
                    self.looking.push(change);
                }
                verdict => {
                    let is_sent = !matches!(verdict, Verdict::Unseen(_));
                    if folded.next.is_some() && is_sent {
                        change.looked.sent(&base.state);
                    }
                    judged.push_back((change, verdict));
                }
            }
        }
        let Some(next) = folded.next else {
            return self.settle_unchanged(base, judged, settled);
        };
        if base.call.is_none() {
            context.host.count(Counter::BaseHits);
        }
        // Those that are not judged yet wait for the document that this commit makes certain.
        let (judged, unseen): (VecDeque<_>, VecDeque<_>) = judged
            .into_iter()
            .partition(|(_, verdict)| !matches!(verdict, Verdict::Unseen(_)));
        for (change, _) in unseen.into_iter().rev() {
            self.changes.push_front(change);
        }
        self.committing = Some(Committing {
            commit: Commit::new(self.key.as_bytes(), base.revision, next.document.clone()),
            call: None,
            repeated: false,
            of: Of::Document {
                state: next.state,
                document: next.document,
                members: judged,
            },
        });
    }

    /// Nothing is to be committed: who came before the call that brought the base is told, the others want a newer one.
    fn settle_unchanged(
        &mut self,
        base: Base,
        judged: VecDeque<(Change, Verdict)>,
        settled: &mut Vec<Settled>,
    ) {
        let mut unconfirmed = VecDeque::new();
        for (change, verdict) in judged {
            let confirmed = base.is_confirmed_for(change.seat) || is_planted(Bug::RefusalFromCopy);
            match told(change.seat, verdict, base.revision).filter(|_| confirmed) {
                Some(told) => settled.push(told),
                None => unconfirmed.push_back(change),
            }
        }
        self.must_read = !unconfirmed.is_empty();
        unconfirmed.append(&mut self.changes);
        self.changes = unconfirmed;
        self.base = Some(base);
    }

    /// Puts a segment first. Only of a base that the engine itself told: what shared data tells may never have been.
    fn archive(&mut self, base: Base, account: Account, segment: Segment) {
        if base.call.is_none() {
            self.must_read = true;
            return;
        }
        if is_planted(Bug::SegmentNotPut) {
            self.kept.push(segment);
            self.kept_in = Some(base.store);
            self.base = Some(base);
            return;
        }
        let put = Put::new(&HistoryKeys::of(&self.key), segment);
        self.committing = Some(Committing {
            commit: put.commit().clone(),
            call: None,
            repeated: false,
            of: Of::Segment {
                put,
                base,
                account: Box::new(account),
            },
        });
    }

    /// The next segment to be put, if one is due, with the base's account as it is without those before it.
    fn next_segment(&self, base: &Base) -> Option<(Account, Segment)> {
        if self.kept.len() >= history::MAX_SEGMENTS_A_WRITE {
            return None;
        }
        let account = base.state.live()?;
        // Most of the time nothing is due, and nothing is copied.
        if self.kept.is_empty() {
            let segment = history::due(account).into_iter().next()?;
            return Some((account.clone(), segment));
        }
        let account = self.kept.iter().fold(account.clone(), |account, segment| {
            account.clone().archive(segment).unwrap_or(account)
        });
        let segment = history::due(&account).into_iter().next()?;
        Some((account, segment))
    }

    /// One that is out of time is not begun: it would be answered 503 and change the account all the same.
    fn end_late(&mut self, steady_ms: i64, settled: &mut Vec<Settled>) {
        self.changes.retain(|change| {
            let in_time = steady_ms < change.seat.deadline_ms;
            if !in_time {
                settled.push(Settled {
                    ticket: change.seat.ticket,
                    outcome: Outcome::Unavailable,
                });
            }
            in_time
        });
    }

    /// Whether a base that is at hand is still the newest that this gateway knows. One that the engine told to those who wait
    /// is; of one that was left over, a look at shared data tells.
    fn is_newest<H: Host>(&self, base: &Base, context: &Context<'_, H>) -> bool {
        // Another store behind the same name: there the same revision may be another document's.
        if context.store != Some(base.store) {
            return false;
        }
        if base.call.is_some() {
            return true;
        }
        let front = context.copies.front(context.host, self.key.digest());
        match front.filter(|front| front.store == base.store) {
            Some(front) => front.revision <= base.revision,
            None => true,
        }
    }

    /// The document in shared data, if there is one.
    fn remembered<H: Host>(&self, context: &Context<'_, H>) -> Option<Base> {
        let known = context
            .copies
            .look_up(context.host, self.key.digest(), context.store?)?;
        Some(Base {
            state: document::decode(&known.document).ok()?,
            revision: known.revision,
            store: known.store,
            bytes: known.document.len(),
            call: None,
        })
    }
}
