//! `host-sim run`: what it says and with which code it ends, on the driver that needs nothing.

use std::path::Path;
use std::process::{Command, Output};

const GOOD: &str = "scenario: good\ngiven:\n  accounts: { alice: 7 }\nwhen:\n  - send: GET /reward-points/customer/alice\n    then: { body: '7' }\n";
const BAD: &str = "scenario: bad\nwhen:\n  - send: GET /reward-points/customer/alice\n    then: { status: 200 }\n";
const ELSEWHERE: &str = "scenario: elsewhere\nnot_on: { core: it has no wire }\nwhen:\n  - raw: x\n    then: { no_answer: true }\n";

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-sim"))
        .arg("run")
        .args(args)
        .current_dir(folder)
        .output()
        .expect("host-sim runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
    folder
}

#[test]
fn all_passed_is_code_0_with_a_count() {
    let folder = folder(&[
        ("a.yaml", GOOD),
        ("deep/b.yml", ELSEWHERE),
        ("notes.txt", "no scenario"),
    ]);
    let output = run(
        folder.path(),
        &["--driver", "core", "--junit", "out.xml", "."],
    );
    let said = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{said}{}",
        text(&output.stderr)
    );
    assert!(
        said.ends_with("core   1 passed, 0 failed, 1 cannot run here\n"),
        "{said}"
    );
    assert!(
        said.contains("cannot run on core: ./deep/b.yml: it has no wire\n"),
        "{said}"
    );
    assert!(text(&output.stderr).contains("[2/2]"), "progress");
    let junit = std::fs::read_to_string(folder.path().join("out.xml")).expect("the file");
    assert!(
        junit.contains("tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"1\""),
        "{junit}"
    );
}

#[test]
fn a_failure_is_code_1_with_file_line_and_difference() {
    let folder = folder(&[("a.yaml", GOOD), ("b.yaml", BAD)]);
    let output = run(
        folder.path(),
        &["--driver", "core", "--jobs", "1", "a.yaml", "b.yaml"],
    );
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let shown = "b.yaml:4: when[0].then\n  on core: bad\n  status: expected 200, got 404\n";
    assert!(said.contains(shown), "{said}");
    assert!(
        said.ends_with("core   1 passed, 1 failed, 0 cannot run here\n"),
        "{said}"
    );
}

#[test]
fn nothing_played_is_code_2_and_says_why() {
    let folder = folder(&[
        ("wrong.yaml", "scenario: a\nwhen:\n  - sned: GET /x\n"),
        ("empty/none.txt", ""),
    ]);
    let cases: [(&[&str], &str); 6] = [
        (
            &["wrong.yaml"],
            "wrong.yaml:3: when[0].sned: there is no such field; did you mean \"send\"?",
        ),
        (&["missing.yaml"], "missing.yaml"),
        (&["empty"], "empty: no scenarios there"),
        (&[], "PATH"),
        (&["--driver", "evnoy", "wrong.yaml"], "evnoy"),
        (&["--jobs", "0", "wrong.yaml"], "--jobs"),
    ];
    for (args, words) in cases {
        let output = run(folder.path(), args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}\n{said}");
        assert!(said.contains(words), "{args:?}\n{said}");
    }
    std::fs::write(folder.path().join("good.yaml"), GOOD).expect("a file");
    for (args, words) in [
        (
            ["--driver", "wasm", "--wasm", "no.wasm", "good.yaml"],
            "wasm: cannot read no.wasm",
        ),
        (
            ["--driver", "envoy", "--envoy", "no/envoy", "good.yaml"],
            "envoy: no/envoy: there is no such file",
        ),
    ] {
        let output = run(folder.path(), &args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            said.contains(words) && said.contains("--driver chooses other drivers"),
            "{said}"
        );
    }
}

#[test]
fn scenarios_of_which_none_can_be_played_are_code_2() {
    let folder = folder(&[("a.yaml", ELSEWHERE), ("b.yaml", ELSEWHERE)]);
    let output = run(folder.path(), &["--driver", "core", "."]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.ends_with("core   0 passed, 0 failed, 2 cannot run here\n"),
        "{said}"
    );
    let why = text(&output.stderr);
    assert!(
        why.contains("nothing was played: no scenario can be on the chosen drivers"),
        "{why}"
    );
}

#[test]
fn help_and_schema_are_there() {
    let folder = folder(&[]);
    let help = text(&run(folder.path(), &["--help"]).stdout);
    for word in [
        "given",
        "not_on",
        "--junit",
        "--driver",
        "--jobs",
        "Exit code",
        "--config",
    ] {
        assert!(help.contains(word), "{word}\n{help}");
    }
    let schema = text(&run(folder.path(), &["--schema"]).stdout);
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    assert!(schema["$defs"]["step"].is_object());
}
