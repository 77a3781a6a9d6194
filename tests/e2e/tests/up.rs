//! `cargo xtask up` as a developer uses it: what it prints works when pasted, Ctrl-C ends all of it, and the data stays.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use testbed::{Command, Port, Process};

/// How long `up` may take: what is missing is built first.
const READY_BOUND: Duration = Duration::from_secs(300);
/// How long the end may take.
const END_BOUND: Duration = Duration::from_secs(30);

#[test]
fn the_default_is_envoy_on_the_embedded_engine() {
    up_and_down(&[]);
}

#[test]
fn host_sim_serves_the_same() {
    up_and_down(&["--gateway", "host-sim"]);
}

#[test]
fn etcd_serves_the_same() {
    up_and_down(&["--engine", "etcd"]);
}

fn up_and_down(options: &[&str]) {
    e2e::run(async {
        let target = testbed::cargo_target_dir().join("e2e");
        std::fs::create_dir_all(&target).expect("a directory");
        let dir = tempfile::tempdir_in(&target).expect("a directory");
        let port = Port::free().expect("a free port");
        let data = dir.path().join("data");

        let mut first = Up::start(options, &port, &data, dir.path());
        if options.is_empty() {
            let readme = std::fs::read_to_string(testbed::workspace_root().join("README.md"));
            let readme = readme.expect("the README");
            let (_, block) = readme.split_once("$ cargo xtask up\n").expect("its block");
            let (block, _) = block.split_once("\n```").expect("its end");
            // What follows the lines for curl is printed right after them.
            let log = first
                .process
                .wait_until("a last line", END_BOUND, |process| {
                    let log = process.log();
                    log.trim_end().ends_with("Ctrl-C stops").then_some(log)
                });
            assert_eq!(shown(block), shown(&log.expect("a last line")));
        }
        for (line, status) in first.curls.iter().zip([201, 201, 200]) {
            assert_status(&paste(line), status, line);
        }
        let summary = body(&paste(&first.curls[2]));
        assert!(summary.contains(r#""activePoints":60,"#), "{summary}");
        let granted = String::from_utf8_lossy(&paste(&first.curls[3]).stdout).into_owned();
        assert!(granted.contains(r#""access_token":"ey"#), "{granted}");
        first.interrupt();

        let mut second = Up::start(options, &port, &data, dir.path());
        assert_eq!(body(&paste(&second.curls[2])), summary, "after a restart");
        second.interrupt();
    });
}

/// The lines that every `up` prints, without what differs from one to the next: ports, tokens and folders.
fn shown(output: &str) -> Vec<String> {
    const STARTS: [&str; 5] = ["ready ", "token ", "curl ", "==> starting ", "==> admin "];
    let lines = output
        .lines()
        .filter(|line| STARTS.iter().any(|start| line.starts_with(start)));
    let words = |line: &str| -> Vec<String> {
        let words = line.split(' ').map(|word| {
            let is_folder = word.starts_with(['/', '…']);
            let word = match word.split_once("127.0.0.1:") {
                Some((before, after)) => {
                    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
                    format!("{before}127.0.0.1:PORT{after}")
                }
                None => word.to_owned(),
            };
            let is_token = word.starts_with("eyJ");
            match (is_folder, is_token) {
                (true, _) => "FOLDER".to_owned(),
                (_, true) => "TOKEN".to_owned(),
                _ => word,
            }
        });
        words.collect()
    };
    lines.map(|line| words(line).join(" ")).collect()
}

/// A running `cargo xtask up`.
struct Up {
    process: Process,
    curls: Vec<String>,
    /// What stands in the command lines of all that it starts.
    marks: [String; 2],
}

impl Up {
    fn start(options: &[&str], port: &Port, data: &Path, dir: &Path) -> Self {
        let number = port.number().to_string();
        let mut args = vec!["up", "--port", &number, "--data"];
        let data = data.to_str().expect("a path of text");
        args.push(data);
        args.extend(options);
        let mut process = Process::start(Command {
            name: format!("xtask {}", args.join(" ")),
            program: xtask(),
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            log: dir.join("up.log"),
        })
        .expect("xtask starts");
        let ready = process.wait_for_line("ready ", READY_BOUND).expect("ready");
        assert_eq!(ready, format!("http://127.0.0.1:{number}"));
        let token = process.wait_for_line("token ", END_BOUND).expect("a token");
        assert_eq!(token.split('.').count(), 3, "{token}");
        let whole = process.wait_until("four lines for curl", END_BOUND, |process| {
            let log = process.log();
            let lines = log.lines().filter(|line| line.starts_with("curl "));
            let lines: Vec<String> = lines.map(str::to_owned).collect();
            (lines.len() == 4 && log.ends_with('\n')).then_some(lines)
        });
        let run_dir = format!("/dev/run/{number}/");
        let up = Self {
            process,
            curls: whole.expect("four lines for curl"),
            marks: [run_dir, data.to_owned()],
        };
        assert!(!up.started().is_empty(), "no process of its own is found");
        up
    }

    /// Ctrl-C, and a look at what is left.
    fn interrupt(&mut self) {
        let pid = self.process.pid().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status();
        assert!(sent.expect("kill").success());
        let status = self.process.wait_for_end(END_BOUND).expect("an end");
        assert!(status.success(), "{status}\n{}", self.process.log_tail());
        assert_eq!(self.started(), Vec::<String>::new(), "left behind");
    }

    /// The command lines of the processes that it started and that run.
    fn started(&self) -> Vec<String> {
        let own = self.process.pid().to_string();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
            let Ok(line) = std::fs::read(entry.path().join("cmdline")) else {
                continue;
            };
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let marked = self.marks.iter().any(|mark| line.contains(mark.as_str()));
            if marked && entry.file_name() != *own {
                found.push(line);
            }
        }
        found
    }
}

/// The built program: `$XTASK`, else the development build.
fn xtask() -> PathBuf {
    let given = std::env::var_os("XTASK").map(PathBuf::from);
    let path = given.unwrap_or_else(|| testbed::cargo_target_dir().join("debug/xtask"));
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p xtask`",
        path.display()
    );
    path
}

/// Runs a line as a shell would that it was pasted into.
fn paste(line: &str) -> Output {
    let run = std::process::Command::new("sh").args(["-c", line]).output();
    let output = run.expect("sh");
    assert!(
        output.status.success(),
        "{line}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn assert_status(output: &Output, status: u16, line: &str) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.starts_with(&format!("HTTP/1.1 {status} ")),
        "{line}\n{text}"
    );
}

fn body(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    body.to_owned()
}
