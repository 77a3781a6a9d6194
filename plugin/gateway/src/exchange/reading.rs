//! Answering reads: how current they must be, and what a copy answers without asking the engine.

use ledger::{State, Timestamp};

use super::Exchange;
use super::request::Asked;
use crate::accounts::copies::Standing;
use crate::accounts::document;
use crate::accounts::history::whole;
use crate::accounts::job::{Job, Wanted};
use crate::accounts::keys::AccountKey;
use crate::accounts::terms::{Bound, Terms};
use crate::api::failure::Failure;
use crate::api::recency::Recency;
use crate::api::render;
use crate::api::reply::Reply;
use crate::config::{ReadMode, ReadsConfig};
use crate::host::{Counter, Host};
use crate::planted::{Bug, is_planted};
use crate::worker::Worker;

/// Where an answer came from, as its client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The gateway's own copy.
    Copy {
        /// Whatever it lacks was committed at most so long ago, in milliseconds.
        age_ms: i64,
        /// Whether it is older than the configuration promises.
        stale: bool,
    },
    /// The engine.
    Engine,
}

impl Source {
    /// The reply, saying so.
    pub(super) fn tell(self, reply: Reply) -> Reply {
        match self {
            Self::Engine if is_planted(Bug::EngineSaysCache) => {
                reply.with("x-points-source", "cache").with("age", "0")
            }
            Self::Engine => reply.with("x-points-source", "engine"),
            Self::Copy { age_ms, stale } => {
                let seconds = age_ms.max(0).checked_div(1000).unwrap_or(0);
                let reply = reply
                    .with("x-points-source", "cache")
                    .with("age", seconds.to_string());
                match stale {
                    true => reply.with("x-points-stale", "true"),
                    false => reply,
                }
            }
        }
    }
}

/// What a read may be answered from when the engine does not answer.
#[derive(Debug)]
pub(super) struct Fallback {
    key: AccountKey,
    wanted: Wanted,
    bound: Bound,
}

impl Fallback {
    /// The same read once more, for the engine alone.
    pub(super) fn again(self) -> Job {
        Job::Read(self.key, self.wanted, Terms::STRICT)
    }
}

/// How current the answer to a read must be.
pub(super) fn terms(recency: Recency, mode: ReadMode, reads: &ReadsConfig) -> Terms {
    let asked_ms = recency
        .max_age_s
        .map_or(i64::MAX, |seconds| i64::from(seconds).saturating_mul(1000));
    let strict = recency.no_cache || asked_ms == 0 || mode == ReadMode::Strict;
    if strict && !is_planted(Bug::StrictFromCopy) {
        return Terms::STRICT;
    }
    let bound = |most_ms: u32| Bound {
        max_age_ms: i64::from(most_ms).min(asked_ms),
        at_least: recency.at_least,
    };
    Terms {
        copy: Some(bound(reads.max_staleness_ms)),
        fallback: (reads.stale_if_error_ms > 0).then(|| bound(reads.stale_if_error_ms)),
    }
}

/// What the job may be answered from when the engine does not answer.
pub(super) fn fallback(job: &Job) -> Option<Fallback> {
    match job {
        Job::Read(key, wanted, terms) => terms.fallback.map(|bound| Fallback {
            key: key.clone(),
            wanted: *wanted,
            bound,
        }),
        Job::Change(..) | Job::List(_) => None,
    }
}

impl Exchange {
    /// Answers a read from the gateway's own copy, if that will do.
    pub(super) fn glance(
        &mut self,
        asked: &Asked,
        job: &Job,
        worker: &Worker,
        host: &impl Host,
    ) -> Option<Result<Reply, Failure>> {
        let Job::Read(key, _, terms) = job else {
            return None;
        };
        let (answer, age_ms) = from_copy(asked, key, terms.copy?, worker, host.now(), host)?;
        let stale = false;
        self.frame.source = Some(Source::Copy { age_ms, stale });
        Some(answer)
    }

    /// Answers a read that the engine did not answer from an older copy, if that will do.
    pub(super) fn fall_back(
        &mut self,
        asked: &Asked,
        fallback: Option<&Fallback>,
        worker: &Worker,
        now: Timestamp,
        host: &impl Host,
    ) -> Option<Result<Reply, Failure>> {
        let Fallback { key, bound, .. } = fallback?;
        let (answer, age_ms) = from_copy(asked, key, *bound, worker, now, host)?;
        host.count(Counter::StaleReads);
        // The feed may have come back in the meantime.
        let stale = age_ms > i64::from(worker.config().reads.max_staleness_ms);
        self.frame.source = Some(Source::Copy { age_ms, stale });
        Some(answer)
    }
}

/// What the gateway's own copy answers, if it is within the bound and says enough.
fn from_copy(
    asked: &Asked,
    key: &AccountKey,
    bound: Bound,
    worker: &Worker,
    now: Timestamp,
    host: &impl Host,
) -> Option<(Result<Reply, Failure>, i64)> {
    let glance = worker.glance(key, bound, now, host)?;
    let answer = match (glance.front.standing, asked) {
        (Standing::Absent | Standing::Erased, Asked::Balance(id) | Asked::Summary(id)) => {
            Err(Failure::UnknownCustomer(id.clone()))
        }
        (Standing::Live(span), Asked::Balance(_)) => {
            let balance = match span.at(now) {
                Some(balance) => balance,
                // Something has expired since: the document tells what is left.
                None => live(worker, key, &glance, host)?.balance(now),
            };
            Ok(Reply::json(200, render::balance(balance)))
        }
        (Standing::Live(_), Asked::Summary(id)) => {
            let account = live(worker, key, &glance, host)?;
            // Something has left the document, or it cannot be read: the engine is asked.
            let history = whole(account, &[]).ok()?;
            Ok(Reply::json(200, render::summary(id, &history, now)))
        }
        _ => return None,
    };
    host.count(Counter::CopyHits);
    Some((answer, glance.age_ms))
}

fn live(
    worker: &Worker,
    key: &AccountKey,
    glance: &crate::worker::Glance,
    host: &impl Host,
) -> Option<ledger::Account> {
    let document = worker.document(key, glance, host)?;
    // What cannot be read is told by who asks the engine for it.
    match document::decode(&document) {
        Ok(State::Live(account)) => Some(account),
        _ => None,
    }
}
