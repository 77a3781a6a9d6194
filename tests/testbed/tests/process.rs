//! The promises of the process harness, on small shell programs: what is reported, and that nothing survives its owner.

use std::path::Path;
use std::time::{Duration, Instant};

use testbed::{Command, Error, Process};

const BOUND: Duration = Duration::from_secs(30);
/// Tells this program, started by one of its own tests, to be the owner that is killed.
const OWNER_DIR: &str = "TESTBED_OWNER_DIR";

fn shell(dir: &Path, script: &str) -> Command {
    Command {
        name: "script".to_owned(),
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: Vec::new(),
        log: dir.join("script.log"),
    }
}

/// The state letter of a process (`R`, `S`, `T`, `Z`, ...); nothing when it is gone.
fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + BOUND;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {BOUND:?}: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_child_that_ends_early_is_reported_with_its_last_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child =
        Process::start(shell(dir.path(), "echo trouble ahead >&2; exit 3")).expect("start");
    let error = child
        .wait_for_line("ready ", BOUND)
        .expect_err("it never gets ready");
    assert!(matches!(error, Error::Ended { .. }), "{error}");
    let words = error.to_string();
    assert!(
        words.contains("exit status: 3") && words.contains("trouble ahead"),
        "{words}"
    );
}

#[test]
fn a_child_that_does_not_get_ready_is_reported_after_the_bound() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = Process::start(shell(
        dir.path(),
        "printf 'ready half a line'; exec sleep 1000",
    ))
    .expect("start");
    let error = child
        .wait_for_line("ready ", Duration::from_millis(50))
        .expect_err("no whole line");
    assert!(matches!(error, Error::NotReady { .. }), "{error}");
}

#[test]
fn a_missing_program_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let command = Command {
        program: "/nowhere/program".into(),
        ..shell(dir.path(), "")
    };
    let error = Process::start(command).expect_err("no such program");
    assert!(error.to_string().contains("/nowhere/program"), "{error}");
}

#[test]
fn after_a_kill_only_the_new_run_counts_as_ready() {
    let dir = tempfile::tempdir().expect("a directory");
    let script = "echo ready $$; exec sleep 1000";
    let mut child = Process::start(shell(dir.path(), script)).expect("start");
    assert_eq!(
        child.wait_for_line("ready ", BOUND).expect("ready"),
        child.pid().to_string()
    );
    let first = child.pid();
    child.kill();
    assert_eq!(state_of(first), None, "killed and reaped");
    assert_eq!(
        child.exit_status().expect("ended").code(),
        None,
        "by a signal"
    );

    child.restart().expect("restart");
    assert_ne!(child.pid(), first);
    assert_eq!(
        child.wait_for_line("ready ", BOUND).expect("ready"),
        child.pid().to_string()
    );
}

#[test]
fn a_frozen_child_can_still_be_stopped_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    // Nothing is started after it is ready: a shell that is stopped while it starts something never shows as stopped.
    let script =
        "trap 'kill $!; echo tidied up; exit 0' TERM; sleep 1000 & echo ready now; wait; wait";
    let mut child = Process::start(shell(dir.path(), script)).expect("start");
    child.wait_for_line("ready ", BOUND).expect("ready");
    child.freeze();
    eventually("frozen", || state_of(child.pid()) == Some('T'));
    child.thaw();
    eventually("thawed", || state_of(child.pid()) != Some('T'));
    child.freeze();
    eventually("frozen again", || state_of(child.pid()) == Some('T'));
    assert_eq!(child.stop().expect("ended").code(), Some(0));
    assert!(child.log().contains("tidied up"), "{}", child.log());
}

#[test]
fn dropping_a_child_ends_its_whole_group() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child =
        Process::start(shell(dir.path(), "sleep 1000 & echo ready $!; wait")).expect("start");
    let grandchild = child
        .wait_for_line("ready ", BOUND)
        .expect("ready")
        .parse()
        .expect("a pid");
    drop(child);
    eventually("the grandchild is gone", || {
        matches!(state_of(grandchild), None | Some('Z'))
    });
}

#[test]
fn a_child_outlives_the_thread_that_asked_for_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (go, path) = (dir.path().join("go"), dir.path().to_path_buf());
    let script = format!(
        "until [ -e '{}' ]; do sleep 0.01; done; echo ready still; exec sleep 1000",
        go.display()
    );
    let starter = std::thread::spawn(move || Process::start(shell(&path, &script)).expect("start"));
    let mut child = starter.join().expect("the thread ends well");
    std::fs::write(&go, "").expect("write");
    assert_eq!(
        child.wait_for_line("ready ", BOUND).expect("it lives"),
        "still"
    );
}

#[test]
fn nothing_survives_an_owner_that_is_killed() {
    if let Some(dir) = std::env::var_os(OWNER_DIR) {
        let child = Process::start(shell(Path::new(&dir), "exec sleep 1000")).expect("start");
        eprintln!("\nchild {}", child.pid());
        loop {
            std::thread::park();
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut owner = Process::start(Command {
        name: "owner".to_owned(),
        program: std::env::current_exe().expect("this program"),
        args: [
            "--exact",
            "nothing_survives_an_owner_that_is_killed",
            "--nocapture",
        ]
        .map(Into::into)
        .to_vec(),
        env: vec![(OWNER_DIR.to_owned(), dir.path().display().to_string())],
        log: dir.path().join("owner.log"),
    })
    .expect("start");
    let child: u32 = owner
        .wait_for_line("child ", BOUND)
        .expect("started")
        .parse()
        .expect("a pid");
    assert!(matches!(state_of(child), Some('S' | 'R' | 'D')), "it runs");
    owner.kill();
    eventually("the child of the killed owner is gone", || {
        matches!(state_of(child), None | Some('Z'))
    });
}
