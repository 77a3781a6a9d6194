//! Whether what one gateway acknowledged is seen through another: clients of both, which know what was written.
//!
//! Some tasks add single points through the one and note when each was acknowledged; others read the same accounts through
//! the other and find out how old the oldest acknowledged add is that they do not see. A third kind are sessions: each adds
//! through the one and reads at once through the other with the revision that it was given, and must see what it wrote.
//! Gateways and engines may be killed meanwhile: what fails is counted and says nothing, what is answered is judged.

mod connection;
mod counter;
mod tally;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use connection::{Connection, REVISION};
use counter::{Counter, Judgement};
use tally::Tally;

/// Accounts that one session goes round: its reads come upon copies that are some writes old.
const SESSION_ACCOUNTS: u64 = 32;
/// Reads over the bound that are told one by one, by each task.
const TOLD: u64 = 3;

/// Command line of `bench-native coherence`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The gateway that is written through.
    #[arg(long, value_name = "IP:PORT")]
    write_to: SocketAddr,
    /// The gateway that is read through.
    #[arg(long, value_name = "IP:PORT")]
    read_from: SocketAddr,
    /// The header's value.
    #[arg(long)]
    authorization: String,
    /// What the ids of all customers begin with. None of them may be there yet.
    #[arg(long)]
    prefix: String,
    /// Accounts that are written and read.
    #[arg(long, default_value_t = 200)]
    accounts: u16,
    /// Writes a second, all together.
    #[arg(long, default_value_t = 1000)]
    writes_per_second: u32,
    /// Connections of the writers: one has one write on the way.
    #[arg(long, default_value_t = 64)]
    write_connections: u16,
    /// Reads a second, all together.
    #[arg(long, default_value_t = 1000)]
    reads_per_second: u32,
    /// Connections of the readers.
    #[arg(long, default_value_t = 16)]
    read_connections: u16,
    /// Session pairs a second, at most.
    #[arg(long, default_value_t = 1000)]
    pairs_per_second: u32,
    /// Sessions at the same time.
    #[arg(long, default_value_t = 16)]
    sessions: u16,
    /// After so many session pairs `paired` is printed; they go on.
    #[arg(long)]
    pairs: u64,
    /// Reads that are staler are counted and told on stderr, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    bound_ms: u64,
}

struct Shared {
    arguments: Arguments,
    authorization: HeaderValue,
    counters: Vec<Counter>,
    pairs: AtomicU64,
    stopped: AtomicBool,
}

/// Goes on until SIGTERM, and prints what was seen.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let tasks = [
        arguments.write_connections,
        arguments.read_connections,
        arguments.sessions,
    ];
    ensure!(
        tasks.iter().all(|count| *count > 0) && arguments.accounts >= arguments.write_connections,
        "each kind needs a connection, and each writer an account of its own"
    );
    let [writers, readers, sessions] = tasks;
    let authorization = HeaderValue::from_str(&arguments.authorization);
    let shared = Arc::new(Shared {
        authorization: authorization.context("no header's value")?,
        counters: (0..arguments.accounts)
            .map(|_| Counter::default())
            .collect(),
        pairs: AtomicU64::new(0),
        stopped: AtomicBool::new(false),
        arguments,
    });
    let start = Instant::now();
    let mut running = Vec::new();
    for task in 0..writers {
        running.push(tokio::spawn(write(Arc::clone(&shared), task)));
    }
    for task in 0..readers {
        running.push(tokio::spawn(read(Arc::clone(&shared), task)));
    }
    for task in 0..sessions {
        running.push(tokio::spawn(session(Arc::clone(&shared), task)));
    }
    terminate.recv().await;
    shared.stopped.store(true, Ordering::Relaxed);
    let elapsed = start.elapsed();
    let mut all = Tally::default();
    for task in running {
        all.add(task.await.context("a task")?);
    }
    crate::say(&all.result(elapsed));
    Ok(())
}

impl Shared {
    fn connect(&self, server: SocketAddr) -> Connection {
        Connection::new(server, self.authorization.clone())
    }

    fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    fn account(&self, place: usize, generation: u64) -> String {
        format!("{}{place}-{generation}", self.arguments.prefix)
    }
}

/// Adds a point to each of its accounts in turn.
async fn write(shared: Arc<Shared>, task: u16) -> Tally {
    let arguments = &shared.arguments;
    let tasks = arguments.write_connections;
    let mut gateway = shared.connect(arguments.write_to);
    let mut pace = pace(task, tasks, arguments.writes_per_second);
    let own = (0..shared.counters.len())
        .skip(task.into())
        .step_by(tasks.into());
    let mut tally = Tally::default();
    for place in own.cycle() {
        pace.tick().await;
        if !shared.goes_on() {
            break;
        }
        let Some(counter) = shared.counters.get(place) else {
            break;
        };
        let account = shared.account(place, counter.generation());
        match gateway.send(add(&account)).await {
            Ok(answer) if answer.status == StatusCode::CREATED => {
                counter.acknowledge(Instant::now());
                tally.writes.done += 1;
            }
            Ok(answer) => {
                tally.unexpected("addPoints", answer.status);
                counter.leave();
            }
            Err(failure) => {
                tally.writes.fail(failure);
                counter.leave();
            }
        }
    }
    tally
}

/// Reads all accounts in turn, from a place of its own on.
async fn read(shared: Arc<Shared>, task: u16) -> Tally {
    let arguments = &shared.arguments;
    let tasks = arguments.read_connections;
    let mut gateway = shared.connect(arguments.read_from);
    let mut pace = pace(task, tasks, arguments.reads_per_second);
    let bound = Duration::from_millis(arguments.bound_ms);
    let first = shared.counters.len() * usize::from(task) / usize::from(tasks);
    let places = (0..shared.counters.len()).cycle().skip(first);
    let mut tally = Tally::default();
    for place in places {
        pace.tick().await;
        if !shared.goes_on() {
            break;
        }
        let Some(counter) = shared.counters.get(place) else {
            break;
        };
        let generation = counter.generation();
        let account = shared.account(place, generation);
        let request = get(&account, None);
        let begun = Instant::now();
        let answer = match gateway.send(request).await {
            Ok(answer) => answer,
            Err(failure) => {
                tally.reads.fail(failure);
                continue;
            }
        };
        let Some(balance) = answer.balance() else {
            tally.unexpected("balance", answer.status);
            continue;
        };
        tally.reads.done += 1;
        tally.reads.from_copy += u64::from(answer.from_copy);
        match counter.judge(generation, balance, begun) {
            Judgement::Left => {}
            Judgement::Impossible => tally.impossible += 1,
            Judgement::Stale(age) => {
                let micros = u32::try_from(age.as_micros()).unwrap_or(u32::MAX);
                tally.staleness.push(micros);
                if age > bound {
                    tally.over += 1;
                    if tally.over <= TOLD {
                        let from = if answer.from_copy {
                            "a copy"
                        } else {
                            "the engine"
                        };
                        eprintln!("{account}: {balance} from {from} is {age:?} old");
                    }
                }
            }
        }
    }
    tally
}

/// Adds, and reads at once what it has added.
async fn session(shared: Arc<Shared>, task: u16) -> Tally {
    let arguments = &shared.arguments;
    let mut writing = shared.connect(arguments.write_to);
    let mut reading = shared.connect(arguments.read_from);
    let mut pace = pace(task, arguments.sessions, arguments.pairs_per_second);
    let mut accounts: Vec<(String, u64)> = Vec::new();
    let mut made = 0_u64;
    let mut new_account = || {
        made += 1;
        (format!("{}session-{task}-{made}", arguments.prefix), 0)
    };
    accounts.extend((0..SESSION_ACCOUNTS).map(|_| new_account()));
    let mut tally = Tally::default();
    'rounds: loop {
        for account in &mut accounts {
            pace.tick().await;
            if !shared.goes_on() {
                break 'rounds;
            }
            let written = match writing.send(add(&account.0)).await {
                Ok(answer) if answer.status == StatusCode::CREATED => answer,
                Ok(answer) => {
                    tally.unexpected("addPoints of a session", answer.status);
                    *account = new_account();
                    continue;
                }
                Err(failure) => {
                    tally.session_writes.fail(failure);
                    *account = new_account();
                    continue;
                }
            };
            account.1 += 1;
            let Some(revision) = written.revision else {
                tally.unexpected("addPoints without a revision", written.status);
                continue;
            };
            tally.session_writes.done += 1;
            let answer = match reading.send(get(&account.0, Some(revision))).await {
                Ok(answer) => answer,
                Err(failure) => {
                    tally.session_reads.fail(failure);
                    continue;
                }
            };
            let Some(balance) = answer.balance() else {
                tally.unexpected("balance of a session", answer.status);
                continue;
            };
            tally.session_reads.done += 1;
            tally.session_reads.from_copy += u64::from(answer.from_copy);
            if balance < account.1 {
                tally.session_stale += 1;
                if tally.session_stale <= TOLD {
                    eprintln!(
                        "{}: a session reads {balance} after {}",
                        account.0, account.1
                    );
                }
            }
            // Nobody else adds to it.
            tally.impossible += u64::from(balance > account.1);
            if shared.pairs.fetch_add(1, Ordering::Relaxed) + 1 == arguments.pairs {
                crate::say("paired all");
            }
        }
    }
    tally
}

/// This task's share of `per_second`, begun at a time of its own. A tick that was missed is not made up for.
fn pace(task: u16, tasks: u16, per_second: u32) -> Interval {
    let between = Duration::from_secs(1) / per_second.max(1);
    let first = tokio::time::Instant::now() + between * u32::from(task);
    let mut pace = interval_at(first, between * u32::from(tasks));
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    pace
}

fn add(customer: &str) -> Request<Full<Bytes>> {
    let path = format!("/reward-points/customer/{customer}/addPoints");
    let mut request = request(Method::POST, &path, Bytes::from_static(br#"{"points":1}"#));
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    request
}

fn get(customer: &str, revision: Option<HeaderValue>) -> Request<Full<Bytes>> {
    let path = format!("/reward-points/customer/{customer}");
    let mut request = request(Method::GET, &path, Bytes::new());
    if let Some(revision) = revision {
        request.headers_mut().insert(REVISION, revision);
    }
    request
}

fn request(method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    // A prefix that is no path is seen at once: everything is answered 404.
    *request.uri_mut() = path.parse().unwrap_or_default();
    request
}
