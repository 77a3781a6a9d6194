//! Answers to reads: which version of the account they show, and whether that one was current late enough.

use std::borrow::Cow;

use serde::Deserialize;

use super::book::{Book, shown_hash};
use super::{Answer, Asked, Auditor, Standing, Version};
use crate::checks::Check;
use crate::plan::{Kind, Operation, Recency};
use crate::wire;

/// Ages are told and counted in whole milliseconds, so one may be lost at either end.
const ROUNDING_US: u64 = 1_000;

/// What a read shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// There is no account.
    Nothing,
    /// A balance.
    Balance(u64),
    /// A balance, how many entries, and a hash of all of them.
    History(u64, usize, u64),
}

/// One summary, as a client reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary<'a> {
    #[serde(borrow)]
    pub(super) customer_id: Cow<'a, str>,
    pub(super) active_points: u64,
    #[serde(borrow)]
    summary: Lists<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lists<'a> {
    #[serde(borrow)]
    added_points_list: Vec<Line<'a>>,
    #[serde(borrow)]
    redeemed_points_list: Vec<Line<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow)]
    description: Cow<'a, str>,
    points: u64,
    all_points_after_creation: u64,
    #[serde(default)]
    used_points: u64,
}

impl Summary<'_> {
    /// What it shows. None: its lists contradict each other.
    /// What is shown as the description of a line that no client has asked for, if any is.
    pub(super) fn of_no_operation(&self) -> Option<&str> {
        let Lists {
            added_points_list: added,
            redeemed_points_list: redeemed,
        } = &self.summary;
        let mut descriptions = added.iter().chain(redeemed).map(|it| &*it.description);
        descriptions.find(|it| wire::number_of(it).is_none())
    }

    pub(super) fn shown(&self) -> Option<Shown> {
        let Lists {
            added_points_list: added,
            redeemed_points_list: redeemed,
        } = &self.summary;
        let used: u64 = added.iter().map(|it| it.used_points).sum();
        let taken: u64 = redeemed.iter().map(|it| it.points).sum();
        let hash = |line: &Line<'_>, is_added| {
            let number = wire::number_of(&line.description)?;
            let after = line.all_points_after_creation;
            Some(shown_hash(number, line.points, after, is_added))
        };
        let mut sum = 0_u64;
        for (lines, is_added) in [(added, true), (redeemed, false)] {
            for line in lines {
                sum = sum.wrapping_add(hash(line, is_added)?);
            }
        }
        let entries = added.len() + redeemed.len();
        (used == taken).then_some(Shown::History(self.active_points, entries, sum))
    }
}

impl Shown {
    /// Whether this is what a version shows to a clock between these.
    pub(super) fn is_of(&self, book: &Book, version: &Version, clock_ms: (i64, i64)) -> bool {
        match (self, &version.standing) {
            (Self::Nothing, Standing::Absent | Standing::Erased) => true,
            (Self::Balance(wanted), Standing::Live { amount, .. }) => {
                amount.may_be(*wanted, clock_ms)
            }
            (
                Self::History(wanted, number, sum),
                Standing::Live {
                    entries, amount, ..
                },
            ) => {
                let life = book.life_of(&version.standing);
                let last = entries.checked_sub(1);
                let fact = last.and_then(|it| life?.entries.get(it));
                entries == number
                    && fact.map_or(0, |it| it.sum) == *sum
                    && amount.may_be(*wanted, clock_ms)
            }
            _ => false,
        }
    }
}

impl Auditor {
    pub(super) fn read_answered(
        &mut self,
        asked: &Asked,
        operation: &Operation,
        answer: &Answer,
        at_us: u64,
    ) {
        let (Kind::Balance(recency) | Kind::Summary(recency)) = operation.kind else {
            return;
        };
        let customer = asked.account.customer_name();
        let shown = match (operation.kind, answer.status) {
            (_, 404) => Some(Shown::Nothing),
            (Kind::Balance(_), 200) => {
                let text = std::str::from_utf8(&answer.body).ok();
                text.and_then(|it| it.parse().ok()).map(Shown::Balance)
            }
            (Kind::Summary(_), 200) => {
                let summary: Option<Summary<'_>> = serde_json::from_slice(&answer.body).ok();
                let own = summary.filter(|it| it.customer_id == customer);
                if let Some(description) = own.as_ref().and_then(Summary::of_no_operation) {
                    let number = asked.number;
                    let words =
                        format!("operation {number} shows a line of no operation: {description:?}");
                    return self.violated(Check::Isolation, at_us, Some(asked.account), words);
                }
                own.and_then(|it| it.shown())
            }
            _ => None,
        };
        let Some(shown) = shown else {
            let words = format!(
                "operation {} ({:?}) has an answer that the API does not have: {}",
                asked.number,
                operation.kind,
                answer.shown()
            );
            return self.violated(Check::Status, at_us, Some(asked.account), words);
        };
        match self.since(asked, recency, answer, at_us) {
            Ok((since_us, check)) => {
                self.is_current(asked, &shown, answer, (since_us, at_us), check)
            }
            Err(words) => {
                let words = format!("operation {}: {words}: {}", asked.number, answer.shown());
                self.violated(Check::Source, at_us, Some(asked.account), words);
            }
        }
    }

    /// Since when at least what is shown must have been current at a moment, and what is broken if it was not.
    fn since(
        &self,
        asked: &Asked,
        recency: Recency,
        answer: &Answer,
        at_us: u64,
    ) -> Result<(u64, Check), String> {
        let is_copy = match answer.source.as_deref() {
            Some("engine") => return Ok((asked.asked_us, Check::Strict)),
            Some("cache") => true,
            _ => false,
        };
        let Some(age_s) = answer.age_s.filter(|_| is_copy) else {
            return Err("it does not say where it comes from, or how old it is".to_owned());
        };
        let bound_ms = match recency {
            Recency::Strict | Recency::MaxAge(0) => {
                return Err("it comes from a copy, which was not wanted".to_owned());
            }
            Recency::MaxAge(seconds) => self.max_staleness_ms.min(u64::from(seconds) * 1000),
            Recency::Bounded | Recency::Session => self.max_staleness_ms,
        };
        if age_s * 1000 > bound_ms {
            return Err(format!("it is older than {bound_ms} ms"));
        }
        let age_us = bound_ms.min((age_s + 1) * 1000) * 1000 + ROUNDING_US;
        Ok((
            self.older_by_clock(asked.gateway, at_us, age_us),
            Check::Bounded,
        ))
    }

    /// The moment so long ago by a gateway's clock: earlier than by true time when the clock was set back meanwhile.
    fn older_by_clock(&self, gateway: usize, at_us: u64, age_us: u64) -> u64 {
        let settings = self.clocks.get(gateway);
        settings.map_or_else(
            || at_us.saturating_sub(age_us),
            |clock| clock.settings().since(at_us, age_us),
        )
    }

    fn is_current(
        &mut self,
        asked: &Asked,
        shown: &Shown,
        answer: &Answer,
        (since_us, at_us): (u64, u64),
        check: Check,
    ) {
        let clock_ms = self.shown(asked.gateway, asked.asked_us, at_us);
        let book = self.books.get(&asked.account);
        let Some(book) = book.filter(|it| !it.is_spoiled) else {
            return;
        };
        // Each version that fits, by the revision up to which it was current.
        let fitting = book.between(since_us, at_us);
        let fitting = fitting.filter(|(version, _)| shown.is_of(book, version, clock_ms));
        let latest = fitting.map(|(_, next)| next).max();
        let (check, why) = match latest {
            None => {
                let ever = book.between(0, at_us);
                let ever = ever
                    .filter(|(version, _)| shown.is_of(book, version, clock_ms))
                    .last();
                let why = match ever {
                    Some((version, next)) => format!(
                        "that was so last from revision {} to {next}, not in the {} ms before the answer",
                        version.revision,
                        (at_us - since_us) / 1000
                    ),
                    None => "that was never so".to_owned(),
                };
                (check, why)
            }
            Some(next) if next <= asked.session => {
                let why = format!(
                    "revision {} was asked for, and that was so before {next}",
                    asked.session
                );
                (Check::Session, why)
            }
            Some(next) if next <= asked.own => {
                let why = format!(
                    "gateway {} had acknowledged revision {}, and that was so before {next}",
                    asked.gateway, asked.own
                );
                (Check::OwnWrites, why)
            }
            Some(_) => return,
        };
        let words = format!(
            "operation {} shows {shown:?}: {why}: {}",
            asked.number,
            answer.shown()
        );
        self.violated(check, at_us, Some(asked.account), words);
    }
}
