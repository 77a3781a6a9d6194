//! `host-sim revoke`: writes and lists the entries by which gateways refuse tokens before these expire.
//!
//! It decides what an entry is called in the engine, and it writes and reads with the two calls that etcd and the embedded
//! engine share. What an entry does to a token is decided in the gateway.

mod entry;
mod store;

use std::time::{SystemTime, UNIX_EPOCH};

use entry::{Entry, EntryError, What};
use store::{Store, StoreError};

use crate::announce;

/// Command line of `host-sim revoke`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["jti", "sub", "issued_before", "list"]))]
pub struct Arguments {
    /// The engine.
    #[arg(long, value_name = "HOST:PORT")]
    engine: String,
    /// The issuer of the tokens, exactly as in their claim `iss`.
    #[arg(
        long,
        value_name = "URL",
        required_unless_present = "list",
        conflicts_with = "list"
    )]
    issuer: Option<String>,
    /// The token with this `jti`.
    #[arg(long, value_name = "ID")]
    jti: Option<String>,
    /// All tokens with this `sub`.
    #[arg(long, value_name = "SUBJECT")]
    sub: Option<String>,
    /// All tokens issued before this time.
    #[arg(long, value_name = "RFC3339|UNIX-SECONDS")]
    issued_before: Option<String>,
    /// Take the entry back.
    #[arg(long, conflicts_with = "list")]
    remove: bool,
    /// Print all entries, one a line: issuer, kind and value.
    #[arg(long)]
    list: bool,
}

/// Why nothing was revoked, taken back or listed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The entry cannot be that.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The engine.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Does what was asked for, once.
///
/// # Errors
/// [`Failure`]. After one from the engine it is not known whether the entry is there; the same command may be repeated.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let entry = entry(&arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut store = Store::connect(&arguments.engine)?;
        match entry {
            None => list(&mut store).await?,
            Some(entry) if arguments.remove => {
                let was_there = store.remove(entry.key()).await?;
                let done = if was_there { "removed" } else { "not there" };
                announce(&format!("{done}: {}", entry.line()));
            }
            Some(entry) => {
                store.put(entry.key()).await?;
                announce(&format!("revoked: {}", entry.line()));
            }
        }
        Ok(())
    })
}

fn entry(arguments: &Arguments) -> Result<Option<Entry>, EntryError> {
    let Some(issuer) = &arguments.issuer else {
        return Ok(None);
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let what = match (&arguments.jti, &arguments.sub, &arguments.issued_before) {
        (Some(id), ..) => What::Token(id.clone()),
        (_, Some(subject), _) => What::Subject(subject.clone()),
        (_, _, Some(time)) => What::IssuedBefore(entry::seconds(time, now)?),
        // One of the four is required.
        _ => return Ok(None),
    };
    Entry::new(issuer, what).map(Some)
}

async fn list(store: &mut Store) -> Result<(), StoreError> {
    let mut from = entry::PREFIX.as_bytes().to_vec();
    loop {
        let page = store.page(&from).await?;
        for key in &page.keys {
            match Entry::read(key) {
                Some(entry) => announce(&entry.line()),
                None => eprintln!(
                    "host-sim: not an entry: {}",
                    String::from_utf8_lossy(key).escape_debug()
                ),
            }
        }
        let Some(last) = page.keys.last().filter(|_| page.more) else {
            return Ok(());
        };
        // The next key that can be.
        from = [last.as_slice(), &[0]].concat();
    }
}
