//! After it is over: what was left unknown is settled by sending it once more, and then every account must be what the
//! books say, through each gateway, from its copy and from the engine, and in every member.

mod documents;
mod settle;

use std::sync::Arc;

use http::StatusCode;
use tokio::task::JoinSet;

use crate::MAX_STALENESS;
use crate::books::{Book, Fate};
use crate::connection::{Connection, Recency};
use crate::summary::{self, Demand, Told};
use crate::world::World;

pub(crate) use documents::compare as compare_documents;
pub(crate) use settle::all as settle;

/// How often a read is sent again that is not answered 200 or 404: everything works, but the machine may be busy.
const ATTEMPTS: usize = 20;
/// So many parts of a tenant's accounts are read at the same time.
const PARTS: usize = 4;

/// What was looked at, and held.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verified {
    pub(crate) accounts: usize,
    pub(crate) entries: usize,
    pub(crate) acknowledged: usize,
    pub(crate) documents: usize,
}

/// Reads every account through every gateway in every way; tells the board what is not as the books say.
pub(crate) async fn accounts(world: &Arc<World>) -> Verified {
    // What a copy may lack by its promise is there after that.
    tokio::time::sleep(MAX_STALENESS).await;
    let mut running = JoinSet::new();
    for tenant in 0..world.tenants() {
        for part in 0..PARTS {
            running.spawn(some_accounts(Arc::clone(world), tenant, part));
        }
    }
    let mut all = Verified::default();
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(verified) => {
                all.accounts += verified.accounts;
                all.entries += verified.entries;
                all.acknowledged += verified.acknowledged;
            }
            Err(error) => world.board.find(format!("a checking task: {error}")),
        }
    }
    all
}

async fn some_accounts(world: Arc<World>, tenant: usize, part: usize) -> Verified {
    let mut connections = world.connections(tenant);
    let mut verified = Verified::default();
    let books = world.books.iter().filter(|book| book.tenant == tenant);
    for book in books.skip(part).step_by(PARTS) {
        match account(&mut connections, book).await {
            Ok(told) => {
                verified.accounts += usize::from(told.entries > 0);
                verified.entries += told.entries;
            }
            Err(wrong) => {
                let (tenant, customer) = (world.tenant(tenant), &book.customer);
                world
                    .board
                    .find(format!("at the end, {tenant}/{customer}: {wrong}"));
            }
        }
        let done = book.all(|fate| matches!(fate, Fate::Done(_)));
        verified.acknowledged += done.len();
    }
    verified
}

/// One account: the same through all gateways, as read from the engine and as configured.
async fn account(connections: &mut [Connection], book: &Book) -> Result<Told, String> {
    let path = format!("/customer/{}", book.customer);
    let mut first: Option<(Told, Option<Vec<u8>>)> = None;
    for (gateway, connection) in connections.iter_mut().enumerate() {
        for recency in [Recency::Strict, Recency::Bounded] {
            let how = format!("{recency:?} through {}", crate::gateway_name(gateway));
            let wrong = |what: String| format!("{how}: {what}");
            let text = read(connection, &format!("{path}/summary"), recency).await;
            let text = text.map_err(wrong)?;
            let told = summary::check(text.as_deref(), book, Demand::Exactly).map_err(wrong)?;
            let balance = read(connection, &path, recency).await.map_err(wrong)?;
            let expected = text
                .is_some()
                .then(|| told.balance.to_string().into_bytes());
            if balance != expected {
                return Err(wrong(format!(
                    "the balance is {}, the summary tells {}",
                    shown(balance.as_deref()),
                    shown(expected.as_deref())
                )));
            }
            match &first {
                None => first = Some((told, text)),
                Some((_, before)) if *before == text => {}
                Some(_) => return Err(wrong("the summary is another one".to_owned())),
            }
        }
    }
    first
        .map(|(told, _)| told)
        .ok_or_else(|| "there is no gateway".to_owned())
}

/// The body of 200, or nothing for 404.
async fn read(
    connection: &mut Connection,
    path: &str,
    recency: Recency,
) -> Result<Option<Vec<u8>>, String> {
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        last = match connection.read(path, recency).await {
            Ok(answer) if answer.is_stale() => "a stale answer".to_owned(),
            Ok(answer) => match answer.status {
                StatusCode::OK => return Ok(Some(answer.body.to_vec())),
                StatusCode::NOT_FOUND => return Ok(None),
                _ => answer.brief(),
            },
            Err(broken) => format!("{broken:?}"),
        };
    }
    Err(format!("{path} is answered {last}"))
}

fn shown(body: Option<&[u8]>) -> String {
    body.map_or_else(
        || "nothing".to_owned(),
        |body| String::from_utf8_lossy(body).into_owned(),
    )
}
