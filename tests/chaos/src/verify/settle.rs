//! What clients left unknown: sent once more with the same identity, until it is acknowledged or refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::task::JoinSet;

use crate::books::{Book, Effect, Fate, Operation};
use crate::client::write_of;
use crate::connection::Connection;
use crate::world::World;

/// Copies of operations may still be held by a gateway that was frozen: it gives every one of them up within its budget,
/// two seconds, and the last call that it made for it within another.
const LATE_COPIES: Duration = Duration::from_secs(4);
/// How long it may take until one operation is settled: everything works by now.
const SETTLE_BOUND: Duration = Duration::from_secs(30);
/// Before the same is sent again.
const RETRY: Duration = Duration::from_millis(100);

/// Settles all of it, and tells how much there was.
pub(crate) async fn all(world: &Arc<World>) -> usize {
    tokio::time::sleep(LATE_COPIES).await;
    let mut running = JoinSet::new();
    for tenant in 0..world.tenants() {
        running.spawn(of_tenant(Arc::clone(world), tenant));
    }
    let mut count = 0;
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(settled) => count += settled,
            Err(error) => world.board.find(format!("a settling task: {error}")),
        }
    }
    count
}

async fn of_tenant(world: Arc<World>, tenant: usize) -> usize {
    let mut connections = world.connections(tenant);
    let mut count = 0;
    for book in world.books.iter().filter(|book| book.tenant == tenant) {
        for operation in book.all(|fate| fate == Fate::Unknown) {
            count += 1;
            if let Err(wrong) = settle(&mut connections, book, &operation).await {
                let (tenant, customer) = (world.tenant(tenant), &book.customer);
                let name = &operation.name;
                world.board.find(format!(
                    "{tenant}/{customer}: {name} is not settled: {wrong}"
                ));
            }
        }
    }
    count
}

async fn settle(
    connections: &mut [Connection],
    book: &Book,
    operation: &Operation,
) -> Result<(), String> {
    let write = write_of(book, operation);
    let begun = Instant::now();
    let mut last = String::new();
    while begun.elapsed() < SETTLE_BOUND {
        for connection in connections.iter_mut() {
            last = match connection.write(&write).await {
                Ok(answer) => match (answer.status, operation.effect) {
                    (StatusCode::CREATED, _) => {
                        book.done(&operation.name);
                        return Ok(());
                    }
                    (StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND, Effect::Redeem) => {
                        book.refused(&operation.name);
                        return Ok(());
                    }
                    (StatusCode::SERVICE_UNAVAILABLE, _) => answer.brief(),
                    _ => return Err(answer.brief()),
                },
                Err(broken) => format!("{broken:?}"),
            };
            tokio::time::sleep(RETRY).await;
        }
    }
    Err(last)
}
