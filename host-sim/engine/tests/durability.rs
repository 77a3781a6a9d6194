//! What was acknowledged outlives the process, whatever ends it; and a data directory is refused when it is not ours.
//!
//! The process that is killed is this test binary itself, run again with a variable that makes it serve an engine.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::rpc::kv_client::KvClient;
use engine::{Config, OpenError, StartError};
use support::requests::{all, get, keys, put, txn, unchanged};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

/// Size that the file of an engine on a full disk may reach, in the 512-byte blocks of `ulimit`.
const DISK_BLOCKS: usize = 16 * 1024;

/// Exit status of the process whose engine failed.
const FAILED: i32 = 3;
/// Makes the binary serve this directory instead of testing.
const SERVE: &str = "ENGINE_DURABILITY_SERVE";
/// Clients that write at the same time, so that groups form.
const WRITERS: usize = 16;
/// Acknowledged writes of one life before it ends.
const WRITES_PER_LIFE: usize = 300;
const LIVES: usize = 4;

fn config(data_dir: &Path) -> Config {
    Config::new((Ipv4Addr::LOCALHOST, 0).into(), data_dir)
}

/// Not a test of its own: the process that the test below kills.
#[tokio::test]
async fn serve_until_killed() {
    let Some(data_dir) = std::env::var_os(SERVE) else {
        return;
    };
    let mut running = engine::start(config(Path::new(&data_dir)))
        .await
        .expect("the engine starts");
    eprintln!("listening {}", running.local_addr());
    if let Err(error) = running.failed().await {
        eprintln!("{error}");
        std::process::exit(FAILED);
    }
}

/// An engine in a process of its own.
struct Life {
    child: Child,
    /// What it said on stderr before the line with its address.
    said: Vec<String>,
    /// What it says after it.
    output: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Drop for Life {
    /// SIGKILL: the process gets no chance to write anything more.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Life {
    fn begin(data_dir: &Path) -> Life {
        Life::begin_as(
            Command::new(std::env::current_exe().expect("this binary")),
            data_dir,
        )
    }

    /// On a disk that fills up: writing past the limit fails as it does there, instead of ending the process.
    fn begin_on_a_small_disk(data_dir: &Path) -> Life {
        Life::begin_as(Life::on_a_small_disk(DISK_BLOCKS), data_dir)
    }

    fn on_a_small_disk(blocks: usize) -> Command {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", r#"trap '' XFSZ; ulimit -f "$1"; shift; exec "$@""#])
            .args(["sh", &blocks.to_string()])
            .arg(std::env::current_exe().expect("this binary"));
        shell
    }

    fn begin_as(binary: Command, data_dir: &Path) -> Life {
        let life = Life::try_begin_as(binary, data_dir);
        life.unwrap_or_else(|said| panic!("it does not listen: {said:?}"))
    }

    /// An error is what a process said that ended without having listened.
    fn try_begin_as(mut binary: Command, data_dir: &Path) -> Result<Life, Vec<String>> {
        let mut child = binary
            .args(["--exact", "serve_until_killed", "--nocapture"])
            .env(SERVE, data_dir)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this binary runs again");
        let output = BufReader::new(child.stderr.take().expect("its output"));
        let mut life = Life {
            child,
            said: Vec::new(),
            output,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
        };
        for line in (&mut life.output).lines() {
            let line = line.expect("readable output");
            if let Some(address) = line.strip_prefix("listening ") {
                life.address = address.parse().expect("an address");
                return Ok(life);
            }
            life.said.push(line);
        }
        Err(std::mem::take(&mut life.said))
    }

    fn client(&self) -> KvClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        KvClient::new(endpoint.expect("a valid address").connect_lazy())
    }
}

/// Writes one pair of keys after another, until the engine is gone; returns the last pair that was acknowledged.
async fn write(
    mut client: KvClient<Channel>,
    writer: usize,
    from: usize,
    total: Arc<AtomicUsize>,
) -> usize {
    let mut last = from;
    loop {
        let number = last + 1;
        let value = number.to_string();
        let request = all([
            put(&format!("w/{writer:02}"), &value),
            put(&format!("log/{writer:02}/{number:06}"), &value),
        ]);
        match client.txn(request).await {
            Ok(_) => last = number,
            Err(_) => return last,
        }
        total.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kill_9() {
    let data = TempDir::new().expect("a temporary directory");
    let mut acknowledged = vec![0; WRITERS];
    let mut revision = 1;
    for life_number in 1..=LIVES {
        let life = Life::begin(data.path());
        let checked = life.said.iter().any(|line| line.contains("being checked"));
        assert_eq!(checked, life_number > 1, "{:?}", life.said);
        revision = check(&life, &mut acknowledged, revision).await;
        let total = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = acknowledged
            .iter()
            .enumerate()
            .map(|(writer, from)| {
                tokio::spawn(write(life.client(), writer, *from, Arc::clone(&total)))
            })
            .collect();
        while total.load(Ordering::SeqCst) < WRITES_PER_LIFE * life_number {
            assert!(writers.iter().any(|writer| !writer.is_finished()));
            tokio::task::yield_now().await;
        }
        drop(life);
        for (writer, written) in writers.into_iter().enumerate() {
            acknowledged[writer] = written.await.expect("a writer does not panic");
        }
    }
    let life = Life::begin(data.path());
    let last = check(&life, &mut acknowledged, revision).await;
    assert!(last > i64::try_from(WRITES_PER_LIFE * LIVES).expect("small"));
}

/// Every acknowledged pair is there, each pair whole, and revisions never went back. The one write of each client
/// that was under way may be there or not; if it is, it counts from now on.
async fn check(life: &Life, acknowledged: &mut [usize], revision: i64) -> i64 {
    let mut client = life.client();
    let mut newest = revision;
    for (writer, known) in acknowledged.iter_mut().enumerate() {
        let both = all([
            get(keys(&format!("w/{writer:02}"), "")),
            get(keys(
                &format!("log/{writer:02}/"),
                &format!("log/{writer:02}0"),
            )),
        ]);
        let response = client.txn(both).await.expect("a read").into_inner();
        newest = newest.max(response.header.expect("a header").revision);
        let [counter, log] = ranges(response);
        let found = counter.first().map_or(0, |kv| {
            let text = std::str::from_utf8(&kv.value).expect("digits");
            text.parse::<usize>().expect("a number")
        });
        assert!(
            found == *known || found == *known + 1,
            "writer {writer}: {known} acknowledged, {found} found"
        );
        assert_eq!(log.len(), found, "writer {writer}: a pair was torn");
        *known = found;
    }
    newest
}

fn ranges(response: etcd_wire::TxnResponse) -> [Vec<etcd_wire::KeyValue>; 2] {
    use etcd_wire::response_op::Response;
    let mut ranges = response
        .responses
        .into_iter()
        .map(|one| match one.response {
            Some(Response::ResponseRange(range)) => range.kvs,
            other => panic!("not a range: {other:?}"),
        });
    [(); 2].map(|()| ranges.next().expect("two answers"))
}

/// A first start that ends anywhere on its way leaves nothing that keeps the next one from starting.
#[tokio::test]
async fn a_first_start_cut_short_is_no_obstacle() {
    let mut cut_short = 0;
    for blocks in [0, 1, 8, 64, 512, 1024, 2048, 4096] {
        let data = TempDir::new().expect("a temporary directory");
        let data_dir = data.path().join("made/anew");
        if Life::try_begin_as(Life::on_a_small_disk(blocks), &data_dir).is_err() {
            cut_short += 1;
            assert!(!data_dir.join("engine.redb").exists(), "{blocks}");
        }
        let running = engine::start(config(&data_dir)).await.expect("a start");
        let mut client = Life::client_of(running.local_addr());
        client.txn(all([put("k", "v")])).await.expect("a write");
        running.stop().await.expect("a stop");
        let names: Vec<_> = std::fs::read_dir(&data_dir)
            .expect("the directory")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(names, ["engine.redb"], "{blocks}");
    }
    assert!(cut_short > 2, "the limits cut nothing short");
}

/// A disk that is full ends the process with the reason, and what was acknowledged before is there once there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_engine_with_a_word() {
    let data = TempDir::new().expect("a temporary directory");
    let mut life = Life::begin_on_a_small_disk(data.path());
    let mut client = life.client();
    let value = "x".repeat(256 * 1024);
    let bound = DISK_BLOCKS * 512 / value.len();
    let mut acknowledged = 0;
    let refused = loop {
        let request = all([put(&format!("k{acknowledged:03}"), &value)]);
        match client.txn(request).await {
            Ok(_) => acknowledged += 1,
            Err(status) => break status,
        }
        assert!(acknowledged < bound, "the disk never fills up");
    };
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
    assert!(acknowledged > 0);

    let mut said = String::new();
    life.output
        .read_to_string(&mut said)
        .expect("it ends by itself");
    let status = life.child.wait().expect("an exit status");
    assert_eq!(status.code(), Some(FAILED), "{said}");
    assert!(said.contains("nothing can be written any more"), "{said}");
    drop(life);

    let life = Life::begin(data.path());
    let mut everything = keys("k", "l");
    everything.count_only = true;
    let found = life.client().range(everything).await.expect("a read");
    let found = usize::try_from(found.into_inner().count).expect("a count");
    // The write that failed was not acknowledged: whether it is there is open.
    assert!(found == acknowledged || found == acknowledged + 1);
    life.client()
        .txn(all([put("k", "again")]))
        .await
        .expect("there is room again");
}

#[tokio::test]
async fn a_stopped_engine_opens_again_where_it_was() {
    let data = TempDir::new().expect("a temporary directory");
    let nested = data.path().join("made/when/missing");
    let mut identity = None;
    for round in 1..=3_i64 {
        let running = engine::start(config(&nested)).await.expect("a start");
        assert_eq!(running.revision(), round);
        let mut client = Life::client_of(running.local_addr());
        let request = txn(
            [unchanged("k", if round == 1 { 0 } else { round })],
            [put("k", "v")],
            [],
        );
        let response = client.txn(request).await.expect("a write").into_inner();
        assert!(response.succeeded);
        let header = response.header.expect("a header");
        assert_eq!(header.revision, round + 1);
        assert_eq!(header.raft_term, round.cast_unsigned());
        let who = (header.cluster_id, header.member_id);
        assert_eq!(*identity.get_or_insert(who), who);
        running.stop().await.expect("a stop");
    }
}

impl Life {
    fn client_of(address: SocketAddr) -> KvClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        KvClient::new(endpoint.expect("a valid address").connect_lazy())
    }
}

#[tokio::test]
async fn one_engine_at_a_time() {
    let data = TempDir::new().expect("a temporary directory");
    let life = Life::begin(data.path());
    let second = engine::start(config(data.path()))
        .await
        .expect_err("a refusal");
    assert!(
        matches!(second, StartError::Open(OpenError::InUse(_))),
        "{second:?}"
    );
    assert!(second.to_string().contains("in use by another engine"));
    drop(life);
    let third = engine::start(config(data.path())).await.expect("a start");
    third.stop().await.expect("a stop");
}

#[tokio::test]
async fn a_foreign_file_is_refused_and_left_alone() {
    let foreign: [&[u8]; 4] = [b"", b"not a database", &[0; 8192], b"redb but torn"];
    for content in foreign {
        let data = TempDir::new().expect("a temporary directory");
        let file = data.path().join("engine.redb");
        std::fs::write(&file, content).expect("a file");
        let refused = engine::start(config(data.path()))
            .await
            .expect_err("a refusal");
        assert!(
            matches!(refused, StartError::Open(OpenError::Damaged { .. })),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("engine.redb"), "{refused}");
        assert_eq!(std::fs::read(&file).expect("the file"), content);
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    for (table, format) in [("theirs", 1), ("meta", 99)] {
        let data = TempDir::new().expect("a temporary directory");
        let database = redb::Database::create(data.path().join("engine.redb")).expect("a database");
        let transaction = database.begin_write().expect("a transaction");
        let definition = redb::TableDefinition::<&str, i64>::new(table);
        transaction
            .open_table(definition)
            .expect("a table")
            .insert("format", format)
            .expect("a row");
        transaction.commit().expect("a commit");
        drop(database);
        let refused = engine::start(config(data.path()))
            .await
            .expect_err("a refusal");
        assert!(
            matches!(refused, StartError::Open(OpenError::Format { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_made_is_named() {
    let data = TempDir::new().expect("a temporary directory");
    let file = data.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let refused = engine::start(config(&file.join("below")))
        .await
        .expect_err("a refusal");
    assert!(
        matches!(refused, StartError::Open(OpenError::Directory { .. })),
        "{refused:?}"
    );
}
