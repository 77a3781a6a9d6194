//! How long a request may wait for its answer.

use super::World;
use crate::checks::Check;

/// No request may wait longer for its answer, in microseconds: the time for access (6 s), the budget (2 s at most), a
/// tick, and room for calls of unknown outcome.
const PATIENCE_US: u64 = 12_000_000;

/// The same for a list, whose budget counts from one answer of the engine to the next.
const LIST_PATIENCE_US: u64 = 60_000_000;

impl World<'_> {
    /// Says so when a request has waited too long.
    pub(super) fn look_for_hanging(&mut self) {
        let now_us = self.now_us();
        for lists in [false, true] {
            let bound_us = if lists { LIST_PATIENCE_US } else { PATIENCE_US };
            loop {
                let queue = if lists {
                    &mut self.lists_waiting
                } else {
                    &mut self.waiting
                };
                let Some(&(asked_us, seat, stream, open)) = queue.front() else {
                    break;
                };
                let waits = self.open.get(&(seat, stream)).filter(|it| it.name == open);
                let Some(waits) = waits else {
                    queue.pop_front();
                    continue;
                };
                if now_us > asked_us + bound_us {
                    let (number, account) = (waits.asked.number, waits.asked.account);
                    let words = format!(
                        "operation {number} has waited for {} ms without an answer",
                        (now_us - asked_us) / 1000
                    );
                    self.auditor
                        .violated(Check::Answered, now_us, Some(account), words);
                    if !self.auditor.has_violation() {
                        // Nobody wants to know: its client goes, or this world would never end.
                        self.leave(number, false);
                        continue;
                    }
                }
                break;
            }
        }
    }
}
