//! The accounts as the members of the engine hold them: each member has the same bytes at the same revision, every
//! document can be read, and none says anything else than the books.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::accounts::{document, keys};
use serde_json::{Value, json};
use testbed::Request;

use crate::books::{Book, Effect, Fate};
use crate::stage::{member_name, pause};
use crate::world::World;

/// How long a member may take to come up to a revision.
const CATCH_UP_BOUND: Duration = Duration::from_secs(30);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// By key: the revision of the last change, and the document.
type Held = BTreeMap<String, (String, Vec<u8>)>;

/// Holds all members against each other and against the books, and tells the board what differs. Tells how many documents
/// there are.
///
/// # Errors
/// When a member does not tell.
pub(crate) fn compare(members: &[SocketAddr], world: &World) -> anyhow::Result<usize> {
    let first = *members.first().context("an etcd without members")?;
    let revision = revision(first)?;
    let board = &world.board;
    let mut expected: Option<Held> = None;
    for (number, member) in members.iter().enumerate() {
        let held = held(*member, &revision).with_context(|| member_name(number))?;
        match &expected {
            None => expected = Some(held),
            Some(expected) if *expected == held => {}
            Some(expected) => {
                let differs = |key: &&String| expected.get(*key) != held.get(*key);
                let keys: Vec<_> = expected.keys().chain(held.keys()).filter(differs).collect();
                let name = member_name(number);
                board.find(format!(
                    "{name} holds other documents than member-1: {keys:?}"
                ));
            }
        }
    }
    let held = expected.unwrap_or_default();
    let mut seen = 0;
    for book in &world.books {
        let tenant = world.tenant(book.tenant);
        let (start, end) = (
            format!("{}{tenant}/", keys::accounts_prefix()),
            format!("/{}", book.customer),
        );
        let mut found = held
            .iter()
            .filter(|(key, _)| key.starts_with(&start) && key.ends_with(&end));
        let document = found.next().map(|(_, (_, document))| document.as_slice());
        seen += usize::from(document.is_some());
        if let Err(wrong) = check(document, book) {
            let customer = &book.customer;
            board.find(format!("the document of {tenant}/{customer}: {wrong}"));
        }
    }
    if seen != held.len() {
        let count = held.len();
        board.find(format!(
            "the engine holds {count} accounts, the books {seen}"
        ));
    }
    Ok(held.len())
}

fn check(document: Option<&[u8]>, book: &Book) -> Result<(), String> {
    let done = book.all(|fate| matches!(fate, Fate::Done(_)));
    let points = |effect| -> u64 {
        let of = done.iter().filter(|it| it.effect == effect);
        of.map(|it| it.points).sum()
    };
    let expected = (
        done.len() as u64,
        points(Effect::Add).saturating_sub(points(Effect::Redeem)),
    );
    let state = document.map(document::decode).transpose();
    let state = state.map_err(|error| error.to_string())?;
    let account = state.as_ref().and_then(|state| state.live());
    let told = account.map_or((0, 0), |account| {
        let balance = account.balance(account.updated_at());
        (account.sequence(), balance.get())
    });
    if told == expected {
        Ok(())
    } else {
        Err(format!(
            "it has {} entries and {} points, the books {} and {}",
            told.0, told.1, expected.0, expected.1
        ))
    }
}

/// A revision that most members have.
fn revision(member: SocketAddr) -> anyhow::Result<String> {
    let nothing = json!({ "key": STANDARD.encode("/"), "count_only": true });
    let answer = range(member, &nothing)?;
    let revision = answer["header"]["revision"].as_str();
    Ok(revision.context("a member without a revision")?.to_owned())
}

/// What this member itself holds at that revision, once it has come so far.
fn held(member: SocketAddr, revision: &str) -> anyhow::Result<Held> {
    let prefix = keys::accounts_prefix();
    let end = keys::prefix_end(prefix.as_bytes());
    let request = json!({
        "key": STANDARD.encode(&prefix),
        "range_end": STANDARD.encode(end),
        "revision": revision,
        "serializable": true,
    });
    let begun = Instant::now();
    let answer = loop {
        match range(member, &request) {
            Ok(answer) => break answer,
            Err(error) => {
                ensure!(begun.elapsed() < CATCH_UP_BOUND, "{error:#}");
                pause(PAUSE)?;
            }
        }
    };
    let pairs = answer["kvs"].as_array().map_or(&[][..], Vec::as_slice);
    pairs
        .iter()
        .map(|pair| entry(pair).context("a key"))
        .collect()
}

fn entry(pair: &Value) -> Option<(String, (String, Vec<u8>))> {
    let decoded = |name: &str| STANDARD.decode(pair[name].as_str()?).ok();
    let key = String::from_utf8(decoded("key")?).ok()?;
    let revision = pair["mod_revision"].as_str()?.to_owned();
    Some((key, (revision, decoded("value")?)))
}

fn range(member: SocketAddr, request: &Value) -> anyhow::Result<Value> {
    let answer = Request::new("POST", "/v3/kv/range")
        .json(request.to_string())
        .send(member)?;
    ensure!(
        answer.status == 200,
        "a range is answered {} {}",
        answer.status,
        answer.text()
    );
    serde_json::from_slice(&answer.body).context("a range's answer")
}
