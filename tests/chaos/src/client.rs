//! One client: it adds, redeems and reads, repeats what was not answered with the same identity through any gateway, and
//! writes down what it learns.
//!
//! What an answer may be is judged here, at once and by the books: a balance that cannot be, a session that misses its own
//! write, a refusal of points that must have been there, and anything that is acknowledged while most members are gone.

mod operations;
mod reads;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use testbed::Chance;

use crate::GATEWAYS;
use crate::board::{Board, Count};
use crate::books::{Book, Effect};
use crate::connection::Connection;
use crate::world::World;

pub(crate) use operations::write_of;

/// Between two things that a client does: users think. Faults are looked for here, not the limits of the machine.
const THINKING_MS: std::ops::Range<u64> = 100..500;
/// Before the same is sent again: less than `Retry-After` asks for, as impatient clients do.
const RETRY_MS: std::ops::Range<u64> = 30..200;

/// Of a hundred things that a client does.
const ADDS: u64 = 30;
const REDEMPTIONS: u64 = 25;
const BOUNDED_BALANCES: u64 = 17;
const SESSION_BALANCES: u64 = 15;
const STRICT_BALANCES: u64 = 7;
// The rest are summaries.

/// A write that was acknowledged: what a session that follows it must see.
#[derive(Clone, Copy, Debug)]
struct Mark {
    revision: u64,
    /// Everything that was acknowledged before then stands before it.
    begun: Instant,
    effect: Effect,
    points: u64,
}

/// A client.
pub(crate) struct Client {
    number: usize,
    chance: Chance,
    world: Arc<World>,
    connections: [Connection; GATEWAYS],
    shared: Vec<Arc<Book>>,
    private: Vec<Arc<Book>>,
    /// By customer: its last write there.
    marks: HashMap<String, Mark>,
    made: u64,
}

impl Client {
    pub(crate) fn new(number: usize, seed: u64, world: Arc<World>) -> Self {
        let (shared, private) = world.books_of(number);
        Self {
            number,
            // Part 0 is the plan's.
            chance: Chance::new(seed, number as u64 + 1),
            connections: world.connections(World::tenant_of(number)),
            world,
            shared,
            private,
            marks: HashMap::new(),
            made: 0,
        }
    }

    /// Goes on until the board says that it is over.
    pub(crate) async fn run(mut self) {
        while !self.board().is_over() {
            self.do_something().await;
            self.pause(THINKING_MS).await;
        }
    }

    async fn do_something(&mut self) {
        let book = self.some_book();
        let choice = self.chance.below(100);
        let mut end = ADDS;
        if choice < end {
            return self.change(&book, Effect::Add).await;
        }
        end += REDEMPTIONS;
        if choice < end {
            return self.change(&book, Effect::Redeem).await;
        }
        end += BOUNDED_BALANCES;
        if choice < end {
            return self.bounded_balance(&book).await;
        }
        end += SESSION_BALANCES;
        if choice < end {
            return self.session_balance(&book).await;
        }
        end += STRICT_BALANCES;
        if choice < end {
            return self.strict_balance(&book).await;
        }
        self.summary(&book).await;
    }

    /// Half of the time one that many clients change.
    fn some_book(&mut self) -> Arc<Book> {
        let books = match self.chance.below(2) {
            0 => &self.shared,
            _ => &self.private,
        };
        let index = self.chance.index(books.len());
        // Every client has accounts of both kinds.
        Arc::clone(books.get(index).unwrap_or(&self.private[0]))
    }

    async fn pause(&mut self, ms: std::ops::Range<u64>) {
        let length = ms.start + self.chance.below(ms.end - ms.start);
        tokio::time::sleep(Duration::from_millis(length)).await;
    }

    fn board(&self) -> &Board {
        &self.world.board
    }

    fn count(&self, count: Count) {
        self.board().count(count);
    }

    /// Tells the board what is wrong with an account.
    fn find(&self, gateway: usize, book: &Book, what: &str) {
        let tenant = self.world.tenant(book.tenant);
        let name = crate::gateway_name(gateway);
        let Book { customer, .. } = book;
        self.board()
            .find(format!("{tenant}/{customer} through {name}: {what}"));
    }
}
