//! Every committed input through every target, without the fuzzer: seeds, corpora and what once failed.

use std::collections::BTreeSet;
use std::path::Path;

use fuzz::targets::TARGETS;
use fuzz::{Seen, Target, target};

/// Files that a corpus may have: what is committed is minimised.
const MAX_FILES: usize = 40;

/// Bytes that one file may have.
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// The files of a directory; none when it is not there.
fn files(directory: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("a file").path();
        let bytes = std::fs::metadata(&path).expect("its size").len();
        assert!(bytes <= MAX_FILE_BYTES, "{}: {bytes} bytes", path.display());
        std::fs::read(&path).expect("its content")
    };
    entries.map(read).collect()
}

/// All inputs of one target.
fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let mut inputs = (target.seeds)();
    inputs.extend(files(&target.corpus()));
    inputs.extend(files(&target.crashes()));
    inputs
}

#[test]
fn every_input_goes_through_every_target() {
    let all: BTreeSet<Vec<u8>> = TARGETS
        .iter()
        .flat_map(inputs)
        .chain([Vec::new()])
        .collect();
    for target in TARGETS {
        for input in &all {
            let run = || (target.run)(input);
            let outcome = std::panic::catch_unwind(run);
            let shown = input.escape_ascii();
            assert!(outcome.is_ok(), "{} fails on {shown}", target.name);
        }
    }
}

#[test]
fn seeds_and_corpus_reach_both_sides_of_a_parser() {
    for target in TARGETS {
        let seen: Vec<Seen> = inputs(&target).iter().map(|it| (target.run)(it)).collect();
        for side in [Seen::Accepted, Seen::Refused] {
            let count = seen.iter().filter(|it| **it == side).count();
            assert!(count > 1, "{}: {side:?} {count} times", target.name);
        }
    }
}

/// The names of what is in a directory of this crate; none when it is not there.
fn directories(kind: &str) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(target::root().join(kind)) else {
        return BTreeSet::new();
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.expect("a directory").file_name();
        name.into_string().expect("a name")
    };
    entries.map(name).collect()
}

/// The targets that the manual tells of: the first column of its table.
fn documented() -> BTreeSet<String> {
    let manual = target::root().join("../../docs/fuzzing.md");
    let manual = std::fs::read_to_string(manual).expect("the manual");
    let (_, section) = manual.split_once("\n## Targets\n").expect("its table");
    let section = section.split("\n## ").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("| `")?.split_once("` |")?;
        Some(name.to_owned())
    });
    names.collect()
}

#[test]
fn targets_corpora_and_the_manual_name_the_same() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len(), "a name is there twice");
    assert_eq!(documented(), targets, "docs/fuzzing.md and the targets");
    assert_eq!(directories("corpus"), targets, "corpora and the targets");
}

#[test]
fn what_is_committed_is_small_and_belongs_to_a_target() {
    let root = target::root();
    for kind in ["corpus", "crashes"] {
        for name in directories(kind) {
            assert!(
                fuzz::targets::named(&name).is_some(),
                "{kind}/{name} is nobody's"
            );
            let count = files(&root.join(kind).join(&name)).len();
            assert!(count <= MAX_FILES, "{kind}/{name} has {count} files");
            assert!(count > 0, "{kind}/{name} is empty");
        }
    }
    for target in TARGETS {
        let dictionary = root.join(format!("dictionaries/{}.dict", target.dictionary));
        let is_there = dictionary.is_file() || target.dictionary == "none";
        assert!(is_there, "{}", dictionary.display());
    }
}
