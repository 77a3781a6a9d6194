//! The command as a process: its one line, its exit codes, its words when something is wrong.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn host_sim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-sim"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    host_sim(arguments).output().expect("host-sim runs")
}

/// Killed when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts it and returns its first line. A process that ends without one gives an empty line.
    fn start(arguments: &[&str]) -> (Self, String) {
        let mut child = host_sim(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("host-sim starts");
        let mut line = String::new();
        let mut reader = BufReader::new(child.stdout.take().expect("piped"));
        reader.read_line(&mut line).expect("readable");
        child.stdout = Some(reader.into_inner());
        (Self(child), line)
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.0.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(sent.success());
    }

    /// Asks it to stop; its exit code and whatever else it printed.
    fn stop(mut self) -> (Option<i32>, String) {
        self.signal("-TERM");
        let status = self.0.wait().expect("ends");
        let mut rest = String::new();
        let mut out = self.0.stdout.take().expect("piped");
        out.read_to_string(&mut rest).expect("readable");
        (status.code(), rest)
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn the_engine_says_where_it_listens_and_stops_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = path(folder.path());
    for _ in 0..2 {
        let (running, line) =
            Running::start(&["engine", "--listen", "127.0.0.1:0", "--data", data]);
        let address = line
            .strip_prefix("ready ")
            .expect("the documented line")
            .trim_end();
        let address: std::net::SocketAddr = address.parse().expect("IP:PORT");
        std::net::TcpStream::connect(address).expect("it listens");
        assert_eq!(running.stop(), (Some(0), String::new()));
    }
}

#[test]
fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let output = run(&[
        "engine",
        "--listen",
        &address,
        "--data",
        path(folder.path()),
    ]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains(&address), "{words}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_command_line_that_makes_no_sense_is_2() {
    for arguments in [
        &["serve"][..],
        &[
            "serve", "--wasm", "a", "--config", "b", "--engine", "h:1", "--data", "d",
        ],
        &[
            "serve",
            "--wasm",
            "a",
            "--config",
            "b",
            "--cluster",
            "nothing",
        ],
        &[
            "serve", "--wasm", "a", "--config", "b", "--route", "nothing",
        ],
        &["issuer"],
        &["issuer", "--keys", "k", "--alg", "none"],
        &["other"],
    ] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_served_says_why_and_is_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writable");
        path.display().to_string()
    };
    let (json, text) = (file("config.json", "{}"), file("text", "no JSON"));
    let named = file("named.json", r#"{"engine": {"clusters": ["points"]}}"#);
    let missing = folder.path().join("missing").display().to_string();
    for (wasm, config, said) in [
        (&json, &missing, "cannot read"),
        (&json, &text, "is not JSON"),
        (
            &json,
            &named,
            "give --engine, --data or --cluster points=HOST:PORT",
        ),
        (&missing, &json, "cannot read"),
        (&text, &json, "cannot compile the module"),
    ] {
        let output = run(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--wasm",
            wasm,
            "--config",
            config,
        ]);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.contains(said), "{words}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_issuer_says_where_it_listens_rotates_on_hang_up_and_stops_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    let arguments = [
        "issuer",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--keys",
        path(&keys),
    ];
    let published = |address: std::net::SocketAddr| {
        let answer = testbed::Request::new("GET", "/.well-known/jwks.json").send(address);
        let text = answer.expect("an answer").text();
        text.matches(r#""kid""#).count()
    };
    let address_in = |line: &str| -> std::net::SocketAddr {
        let address = line.strip_prefix("ready http://");
        let address = address.expect("the documented line").trim_end();
        address.parse().expect("IP:PORT")
    };
    let (running, line) = Running::start(&arguments);
    let address = address_in(&line);
    assert_eq!(published(address), 1);
    running.signal("-HUP");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while published(address) != 2 {
        assert!(std::time::Instant::now() < deadline, "no rotation");
        std::thread::yield_now();
    }
    assert_eq!(running.stop(), (Some(0), String::new()));
    let (running, line) = Running::start(&arguments);
    assert_eq!(published(address_in(&line)), 2, "over a restart");
    assert_eq!(running.stop(), (Some(0), String::new()));
}

#[test]
fn an_issuer_that_must_not_be_started_says_why_and_is_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    let (bad, missing) = (
        folder.path().join("bad.json"),
        folder.path().join("missing"),
    );
    std::fs::write(&bad, r#"{"clients": [{"id": "a", "secret": "hush"}]}"#).expect("writable");
    for (more, said) in [
        (&["--listen", "0.0.0.0:0"][..], "give --clients FILE"),
        (
            &["--admin", "0.0.0.0:0"],
            "admin listener must be on 127.0.0.1",
        ),
        (
            &["--clients", path(&bad)],
            "field `clients[0]`: missing field `tenant`",
        ),
        (&["--clients", path(&missing)], "cannot read"),
        (&["--keep-retired", "60"], "3600 seconds at least"),
    ] {
        // Refused before anything is listened on, so the usual port is not needed.
        let arguments = [&["issuer", "--keys", path(&keys)], more].concat();
        let output = run(&arguments);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.contains(said), "{words}");
        assert!(!words.contains("hush") && output.stdout.is_empty());
    }
}
