//! Refusals of changes: each must have been true at one moment between its request and its answer.
//!
//! Several changes of one account may become one commit, and a refusal may have been true only between two of them. Their
//! entries tell what the balance was at those moments; where a life of the account ended within a commit, what was written
//! before is not to be seen, and any refusal is taken for true.

use serde::Deserialize;

use super::book::Book;
use super::commits::hash_of;
use super::{Answer, Asked, Auditor, Standing};
use crate::checks::Check;
use crate::plan::{Kind, Name, Operation};
use crate::wire;

impl Auditor {
    pub(super) fn refused(
        &mut self,
        asked: &Asked,
        operation: &Operation,
        answer: &Answer,
        at_us: u64,
    ) {
        let clock_ms = self.shown(asked.gateway, asked.asked_us, at_us);
        let Some(book) = self.books.get(&asked.account) else {
            return;
        };
        let times = (asked.asked_us, at_us);
        let id = match operation.named {
            Name::Id(number) => Some(wire::id(number)),
            _ => None,
        };
        let was_true = match (operation.kind, answer.status) {
            (Kind::Redeem { points }, 400) => insufficient(&answer.body)
                .map(|told| is_insufficient(book, points.into(), told, times, clock_ms)),
            (Kind::Redeem { .. }, 404) => {
                Some(book.between(times.0, times.1).any(|(it, _)| it.was_gone()))
            }
            (Kind::Create { .. }, 409) => Some(
                was_there(book, times)
                    || id.is_some_and(|id| holds(book, &id, asked.number, times)),
            ),
            (Kind::Add { .. } | Kind::Redeem { .. }, 409) => {
                id.map(|id| holds(book, &id, asked.number, times))
            }
            _ => None,
        };
        let shown = answer.shown();
        match was_true {
            Some(true) => {}
            Some(false) if book.is_spoiled => {}
            Some(false) => {
                let words = format!(
                    "operation {} ({:?}) was refused, and that was true at no moment since it was asked for: {shown}",
                    asked.number, operation.kind
                );
                self.violated(Check::Refused, at_us, Some(asked.account), words);
            }
            None => {
                let words = format!(
                    "operation {} ({:?}) has an answer that the API does not have: {shown}",
                    asked.number, operation.kind
                );
                self.violated(Check::Status, at_us, Some(asked.account), words);
            }
        }
    }
}

/// What a refused redemption was told: how much was wanted, and how much there is.
fn insufficient(body: &[u8]) -> Option<(u64, u64)> {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    let problem: Problem = serde_json::from_slice(body).ok()?;
    let rest = problem.detail.strip_prefix("Cannot redeem ")?;
    let (wanted, rest) = rest.split_once(" points: only ")?;
    let active = rest.strip_suffix(" are active")?;
    Some((wanted.parse().ok()?, active.parse().ok()?))
}

fn is_insufficient(
    book: &Book,
    points: u64,
    (wanted, active): (u64, u64),
    (from_us, to_us): (u64, u64),
    clock_ms: (i64, i64),
) -> bool {
    if wanted != points || active >= points {
        return false;
    }
    book.between(from_us, to_us).any(|(version, _)| {
        let of_all = match &version.standing {
            Standing::Live { amount, .. } => amount.may_be(active, clock_ms),
            _ => false,
        };
        let since = version.at_us >= from_us;
        let before = book.before(version.revision);
        let within = book.within(version, before);
        // An account that began in this commit may have begun empty, before its first entry.
        let begun = active == 0 && version.is_live() && before.is_none_or(|it| !it.is_live());
        let between = begun || within.iter().any(|it| it.balance_after == active);
        of_all || since && (version.ended > 0 || between)
    })
}

/// Whether there was an account at one moment.
fn was_there(book: &Book, (from_us, to_us): (u64, u64)) -> bool {
    book.between(from_us, to_us)
        .any(|(it, _)| it.is_live() || it.ended > 0)
}

/// Whether another operation of a life that was there had this id.
fn holds(book: &Book, id: &str, number: u32, (from_us, to_us): (u64, u64)) -> bool {
    let id = hash_of(&id);
    book.between(from_us, to_us).any(|(version, _)| {
        let life = book.life_of(&version.standing);
        let held = life.is_some_and(|life| {
            life.entries
                .iter()
                .any(|it| it.id == id && it.number != number)
        });
        held || version.ended > 0
    })
}
