//! Reads, and what they may show.

use std::time::{Duration, Instant};

use http::StatusCode;

use super::Client;
use crate::board::{Count, Success};
use crate::books::{Book, Bounds};
use crate::connection::{Answer, Recency};
use crate::summary::{self, Demand};
use crate::{MAX_STALENESS, STALE_IF_ERROR};

impl Client {
    /// A balance as the gateway is configured to answer it.
    pub(super) async fn bounded_balance(&mut self, book: &Book) {
        let begun = Instant::now();
        if let Some((gateway, answer)) = self.balance(book, Recency::Bounded).await {
            self.count(Count::BoundedReads);
            let age = self.age(&answer);
            let bounds = book.bounds(begun.checked_sub(age).unwrap_or(begun));
            self.judge(gateway, book, &answer, bounds, "bounded");
        }
    }

    /// A balance that must know all that was acknowledged before it was asked for.
    pub(super) async fn strict_balance(&mut self, book: &Book) {
        let begun = Instant::now();
        if let Some((gateway, answer)) = self.balance(book, Recency::Strict).await {
            self.count(Count::StrictReads);
            if answer.is_stale() {
                self.find(gateway, book, "a strict read is answered with a stale one");
            }
            self.judge(gateway, book, &answer, book.bounds(begun), "strict");
        }
    }

    /// A balance that must know this client's last write, through any gateway.
    pub(super) async fn session_balance(&mut self, book: &Book) {
        let Some(mark) = self.marks.get(&book.customer).copied() else {
            return self.bounded_balance(book).await;
        };
        let recency = Recency::Session(mark.revision);
        if let Some((gateway, answer)) = self.balance(book, recency).await {
            self.count(Count::SessionReads);
            let bounds = book.bounds(mark.begun).knowing(mark.effect, mark.points);
            self.judge(gateway, book, &answer, bounds, "session");
        }
    }

    /// A whole history, held against the books.
    pub(super) async fn summary(&mut self, book: &Book) {
        let begun = Instant::now();
        let path = format!("/customer/{}/summary", book.customer);
        let Some((gateway, answer)) = self.get(book, &path, Recency::Bounded).await else {
            return;
        };
        self.count(Count::BoundedReads);
        let age = self.age(&answer);
        let since = Demand::Before(begun.checked_sub(age).unwrap_or(begun));
        let body = (answer.status == StatusCode::OK).then_some(&*answer.body);
        if let Err(wrong) = summary::check(body, book, since) {
            self.find(gateway, book, &format!("summary: {wrong}"));
        }
    }

    async fn balance(&mut self, book: &Book, recency: Recency) -> Option<(usize, Answer)> {
        let path = format!("/customer/{}", book.customer);
        self.get(book, &path, recency).await
    }

    /// Asks any gateway once; tells which, and what came if it was 200 or 404.
    async fn get(&mut self, book: &Book, path: &str, recency: Recency) -> Option<(usize, Answer)> {
        let gateway = self.chance.index(self.connections.len());
        let ticket = self.board().leaves(gateway);
        let outcome = self.connections.get_mut(gateway)?.read(path, recency).await;
        let without_quorum = self.board().ends(ticket, &outcome);
        let answer = outcome.ok()?;
        match answer.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                self.count(Count::Unavailable);
                return None;
            }
            StatusCode::OK | StatusCode::NOT_FOUND => {}
            _ => {
                let what = format!("GET {path} is answered {}", answer.brief());
                self.find(gateway, book, &what);
                return None;
            }
        }
        if without_quorum && recency == Recency::Strict {
            let what = format!(
                "strictly read while most members are gone: {}",
                answer.brief()
            );
            self.find(gateway, book, &what);
            return None;
        }
        self.board().succeeded(Success::Other);
        Some((gateway, answer))
    }

    /// How old it may be.
    fn age(&self, answer: &Answer) -> Duration {
        if answer.is_stale() {
            self.count(Count::StaleReads);
            STALE_IF_ERROR
        } else {
            MAX_STALENESS
        }
    }

    fn judge(&self, gateway: usize, book: &Book, answer: &Answer, bounds: Bounds, kind: &str) {
        let balance = match answer.status {
            StatusCode::NOT_FOUND => None,
            _ => {
                let text = std::str::from_utf8(&answer.body);
                let Some(balance) = text.ok().and_then(|text| text.parse().ok()) else {
                    let what = format!("a balance is {}", answer.brief());
                    return self.find(gateway, book, &what);
                };
                Some(balance)
            }
        };
        if !bounds.allow(balance) {
            let what = format!("a {kind} read tells {balance:?}, and it must be {bounds}");
            self.find(gateway, book, &what);
        }
    }
}
