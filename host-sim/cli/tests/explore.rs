//! `host-sim explore` as a process: what it prints, its exit codes, and a failure that is run again from its file.

use std::path::Path;
use std::process::{Command, Output};

fn explore(arguments: &[&str]) -> Output {
    explore_in(Path::new("."), arguments)
}

fn explore_in(folder: &Path, arguments: &[&str]) -> Output {
    let wasm = testbed::wasm().expect("the filter is built");
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-sim"));
    command
        .current_dir(folder)
        .arg("explore")
        .arg("--wasm")
        .arg(wasm)
        .args(arguments);
    command.output().expect("host-sim runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn what_holds_ends_with_0_and_says_what_was_done() {
    let output = explore(&["--seed", "7", "--seeds", "2", "--operations", "60"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let out = out(&output);
    assert!(out.starts_with("2 seeds, 120 operations, "), "{out}");
    assert!(out.contains("\nanswers: "), "{out}");
}

#[test]
fn what_does_not_hold_ends_with_1_and_can_be_run_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let output = explore(&[
        "--faults",
        "stale-read",
        "--seeds",
        "40",
        "--operations",
        "300",
        "--threads",
        "1",
        "--trace",
        path(&first),
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", out(&output));
    assert!(out(&output).contains(" fails: "), "{}", out(&output));
    assert!(out(&output).contains("shrunk from "), "{}", out(&output));
    let again = explore(&["--replay", path(&first), "--trace", path(&second)]);
    assert_eq!(again.status.code(), Some(1), "{}", out(&again));
    assert_eq!(
        err(&again),
        err(&output)
            .lines()
            .last()
            .map(|it| format!("{it}\n"))
            .unwrap_or_default()
    );
    assert!(out(&again).ends_with("\nas recorded\n"), "{}", out(&again));
    let read = |path: &Path| std::fs::read(path).expect("a record");
    assert_eq!(read(&first), read(&second));

    // Without `--trace` nothing is written, neither over the record nor elsewhere.
    let default = folder.path().join("fleet-failure.jsonl");
    std::fs::rename(&second, &default).expect("moved");
    let last = |output: &Output| {
        let out = out(output);
        out.lines().last().unwrap_or_default().to_owned()
    };
    let lines = String::from_utf8(read(&default)).expect("UTF-8");
    let again = explore_in(folder.path(), &["--replay", path(&default)]);
    assert_eq!(again.status.code(), Some(1), "{}", out(&again));
    assert_eq!(last(&again), "as recorded");
    assert_eq!(read(&first), read(&default), "it is left as it was");

    // Another time in the record than in the run.
    let (before, after) = lines.split_once("\"at_us\":").expect("a violation");
    std::fs::write(&second, format!("{before}\"at_us\":1{after}")).expect("written");
    let other = explore_in(folder.path(), &["--replay", path(&second)]);
    assert_eq!(other.status.code(), Some(1), "{}", out(&other));
    assert!(
        last(&other).starts_with("not as recorded: "),
        "{}",
        out(&other)
    );

    // What made it fail is gone.
    let kept = |line: &&str| !line.contains("\"stale-read\":");
    let mended: Vec<&str> = lines.lines().filter(kept).collect();
    std::fs::write(&second, mended.join("\n")).expect("written");
    let mended = explore_in(folder.path(), &["--replay", path(&second)]);
    assert_eq!(mended.status.code(), Some(0), "{}", out(&mended));
    assert!(
        out(&mended).starts_with("everything holds\nnot as recorded: "),
        "{}",
        out(&mended)
    );
    assert_eq!(read(&first), read(&default), "it is left as it was");
}

#[test]
fn a_command_line_without_sense_ends_with_2() {
    for (arguments, words) in [
        (
            ["--faults", "nonsense"],
            "there is no fault `nonsense`; there are call-lost, ",
        ),
        (
            ["--without", "nonsense"],
            "there is no check `nonsense`; there are fold, ",
        ),
        (["--seeds", "0"], "0 is not in 1.."),
        (["--gateways", "17"], "17 is not in 1..=16"),
    ] {
        let output = explore(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(err(&output).contains(words), "{}", err(&output));
    }
}

#[test]
fn a_file_that_is_no_record_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("nothing");
    let missing = explore(&["--replay", path(&file)]);
    assert_eq!(missing.status.code(), Some(1));
    std::fs::write(&file, "nothing").expect("written");
    let output = explore(&["--replay", path(&file)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("line 1: "), "{}", err(&output));
}

#[test]
fn help_tells_what_every_fault_and_check_means() {
    let output = explore(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let out = out(&output);
    for words in [
        "leader-loss",
        "For a while there is no leader",
        "own-writes",
        "What a gateway acknowledged",
    ] {
        assert!(out.contains(words), "{out}");
    }
}
