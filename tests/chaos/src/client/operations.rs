//! Changes: sent until they are acknowledged or refused, with one identity.

use std::time::Instant;

use http::StatusCode;

use super::{Client, Mark, RETRY_MS};
use crate::board::{Count, Success};
use crate::books::{Book, Effect, Identity, Operation};
use crate::connection::{Answer, Broken, Write};

/// The most points of one operation. Redemptions take more than adds bring, so that some are refused.
const MOST_ADDED: u64 = 50;
const MOST_REDEEMED: u64 = 80;
/// One of so many operations is known by its key, the others by the id of their entry.
const KEYED: u64 = 4;

/// The request of that operation, the same each time.
pub(crate) fn write_of(book: &Book, operation: &Operation) -> Write {
    let (verb, query) = match operation.effect {
        Effect::Add => ("addPoints", "?siteCode=main"),
        Effect::Redeem => ("redeemPoints", ""),
    };
    let Operation { name, points, .. } = operation;
    let (id, key) = match operation.identity {
        Identity::Entry => (format!(r#""id":"{name}","#), None),
        Identity::Key => (String::new(), Some(name.clone())),
    };
    Write {
        path: format!("/customer/{}/{verb}{query}", book.customer),
        body: format!(r#"{{{id}"points":{points},"description":"{name}"}}"#),
        key,
    }
}

/// What came of sending once.
enum Outcome {
    Done(Answer),
    /// For good; `is_unknown`: there is no account.
    Refused {
        is_unknown: bool,
    },
    /// May be carried out, have been carried out, or not.
    Doubtful,
    /// Certainly not carried out.
    NotSent,
    /// What may not be answered.
    Wrong(String),
}

impl Client {
    /// Does one operation. Given up only when all is over.
    pub(super) async fn change(&mut self, book: &Book, effect: Effect) {
        let operation = self.operation(effect);
        let write = write_of(book, &operation);
        let begun = Instant::now();
        book.send(&operation);
        let mut is_doubtful = false;
        loop {
            let gateway = self.chance.index(self.connections.len());
            match self.send_once(gateway, &write, effect).await {
                Outcome::Done(answer) => {
                    return self.acknowledged(gateway, book, &operation, begun, &answer);
                }
                Outcome::Refused { .. } if is_doubtful => {
                    // An earlier copy may be held up in a gateway, and come when the points are there.
                    self.count(Count::LeftOpen);
                    return;
                }
                Outcome::Refused { is_unknown } => {
                    let bounds = book.bounds(begun);
                    if !bounds.may_refuse(is_unknown) {
                        let what = format!("{operation:?} is refused, but the points are there");
                        self.find(gateway, book, &what);
                    }
                    book.refused(&operation.name);
                    self.count(Count::Refused);
                    self.board().succeeded(Success::Other);
                    return;
                }
                Outcome::Wrong(what) => {
                    let what = format!("{} is answered {what}", operation.name);
                    return self.find(gateway, book, &what);
                }
                Outcome::NotSent => {}
                Outcome::Doubtful if is_doubtful => {}
                Outcome::Doubtful => {
                    is_doubtful = true;
                    self.count(Count::Unknown);
                }
            }
            if self.board().is_over() {
                return;
            }
            self.pause(RETRY_MS).await;
            self.count(Count::Retried);
        }
    }

    fn operation(&mut self, effect: Effect) -> Operation {
        self.made += 1;
        let most = match effect {
            Effect::Add => MOST_ADDED,
            Effect::Redeem => MOST_REDEEMED,
        };
        Operation {
            name: format!("op-{}-{}", self.number, self.made),
            effect,
            points: 1 + self.chance.below(most),
            identity: match self.chance.below(KEYED) {
                0 => Identity::Key,
                _ => Identity::Entry,
            },
        }
    }

    async fn send_once(&mut self, gateway: usize, write: &Write, effect: Effect) -> Outcome {
        let ticket = self.board().leaves(gateway);
        let Some(connection) = self.connections.get_mut(gateway) else {
            return Outcome::NotSent;
        };
        let outcome = connection.write(write).await;
        let without_quorum = self.board().ends(ticket, &outcome);
        let answer = match outcome {
            Ok(answer) => answer,
            Err(Broken::Unsent) => return Outcome::NotSent,
            Err(Broken::Cut | Broken::Silent) => return Outcome::Doubtful,
        };
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            self.count(Count::Unavailable);
            return Outcome::Doubtful;
        }
        if without_quorum {
            return Outcome::Wrong(format!("while most members are gone: {}", answer.brief()));
        }
        match (answer.status, effect) {
            (StatusCode::CREATED, _) => Outcome::Done(answer),
            (StatusCode::BAD_REQUEST, Effect::Redeem) => Outcome::Refused { is_unknown: false },
            (StatusCode::NOT_FOUND, Effect::Redeem) => Outcome::Refused { is_unknown: true },
            _ => Outcome::Wrong(answer.brief()),
        }
    }

    fn acknowledged(
        &mut self,
        gateway: usize,
        book: &Book,
        operation: &Operation,
        begun: Instant,
        answer: &Answer,
    ) {
        book.done(&operation.name);
        self.count(Count::Acknowledged);
        if answer.is_replay() {
            self.count(Count::FoundDone);
        }
        self.board().succeeded(Success::Write);
        let Some(revision) = answer.revision() else {
            let what = format!("{} is acknowledged without a revision", operation.name);
            return self.find(gateway, book, &what);
        };
        let mark = Mark {
            revision,
            begun,
            effect: operation.effect,
            points: operation.points,
        };
        self.marks.insert(book.customer.clone(), mark);
    }
}
