//! How jobs end: their outcome goes to the exchange that waits, or is only a step to what was asked for; or the client leaves.

use super::{Place, Running, Worker};
use crate::accounts::errand::Errand;
use crate::accounts::history::Recall;
use crate::accounts::job::Outcome;
use crate::accounts::line::{Seat, Settled};
use crate::planted::{Bug, is_planted};
use crate::wake::{ExchangeId, News, Woken};

impl Worker {
    /// Takes note that an exchange's client has left. Reads end; a write goes on, it may have been applied already.
    pub fn gone(&mut self, exchange: ExchangeId) {
        self.gate.gone(exchange);
        let Some(&ticket) = self.tickets.get(&exchange) else {
            return;
        };
        let place = self.jobs.get(&ticket).map(|running| running.place);
        if !matches!(place, Some(Place::Changes(_))) {
            self.forget(ticket);
            self.jobs.remove(&ticket);
            self.tickets.remove(&exchange);
        }
    }

    /// Takes a job out of where it waits.
    pub(super) fn forget(&mut self, ticket: u64) {
        match self.jobs.get(&ticket).map(|running| running.place) {
            Some(Place::Reads(line)) => self.lines.forget(line, ticket),
            Some(Place::Changes(line)) => {
                self.errands.forget(ticket);
                self.lines.forget(line, ticket);
            }
            Some(Place::Errand) => self.errands.forget(ticket),
            None => {}
        }
    }

    /// Wakes the exchanges of all jobs that have ended, and lets those go on that have not.
    pub(super) fn wake_settled(&mut self) {
        for (ticket, looked) in self.errands.take_looked() {
            let place = self.jobs.get(&ticket).map(|running| running.place);
            if let Some(Place::Changes(line)) = place {
                self.lines.looked(line, ticket, looked);
            }
        }
        for settled in self.lines.take_settled() {
            if !self.recall(&settled) {
                self.wake(settled);
            }
        }
        for settled in self.errands.take_settled() {
            // A change whose look came to an end of its own still stands in its line.
            self.forget(settled.ticket);
            self.wake(settled);
        }
    }

    /// Goes on with a read of which more is wanted than the document. Whether it is one.
    fn recall(&mut self, settled: &Settled) -> bool {
        let Settled { ticket, outcome } = settled;
        let Some(running) = self.jobs.get_mut(ticket) else {
            return false;
        };
        let (Some(key), Outcome::Read { account, .. }) = (&running.history, outcome) else {
            return false;
        };
        let account = account.as_deref();
        let Some(recall) = account.and_then(|account| Recall::of(key, account)) else {
            return false;
        };
        let seat = Seat {
            ticket: *ticket,
            deadline_ms: running.deadline_ms,
            impatient: false,
        };
        running.place = Place::Errand;
        // A recall asks for no index, so the time does not matter to it.
        self.errands
            .begin(Errand::Recall(Box::new(recall)), seat, 0);
        true
    }

    pub(super) fn wake(&mut self, settled: Settled) {
        let Some(running) = self.jobs.remove(&settled.ticket) else {
            return;
        };
        if is_planted(Bug::Leaks) {
            let taken = std::hint::black_box(vec![1_u8; 1 << 20]);
            std::mem::forget(taken);
        }
        if is_planted(Bug::NeverIdle) && settled.ticket.is_multiple_of(64) {
            let kept = Running {
                deadline_ms: i64::MAX,
                history: None,
                ..running
            };
            self.jobs.insert(settled.ticket, kept);
        }
        self.tickets.remove(&running.exchange);
        if is_planted(Bug::LostWakeUp) && settled.ticket.is_multiple_of(64) {
            return;
        }
        self.woken.push(Woken {
            exchange: running.exchange,
            news: News::Outcome(settled.outcome),
        });
    }
}
