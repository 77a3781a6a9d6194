//! The fuzzer: libFuzzer around one of the targets. `cargo xtask fuzz` builds it with the flags that it needs and starts it.
//!
//! `FUZZ_TARGET` names the target; without it all targets are listed, a line each: name, longest input, dictionary, what it is
//! about, with tabs in between. `FUZZ_SEEDS` names a directory into which the target's seeds are put before anything runs.
#![no_main]
#![allow(clippy::print_stdout, reason = "a command-line tool speaks on stdout")]
#![allow(unsafe_code, reason = "libFuzzer's macro exports functions by name")]

use std::sync::OnceLock;

use fuzz::Target;

static TARGET: OnceLock<Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: prepare(),
    |data: &[u8]| {
        if let Some(target) = TARGET.get() {
            (target.run)(data);
        }
    }
);

fn prepare() {
    let Ok(name) = std::env::var("FUZZ_TARGET") else {
        for target in fuzz::targets::TARGETS {
            let Target {
                name,
                max_len,
                dictionary,
                about,
                ..
            } = target;
            println!("{name}\t{max_len}\t{dictionary}\t{about}");
        }
        std::process::exit(0);
    };
    let target = fuzz::targets::named(&name);
    let target = *target.unwrap_or_else(|| panic!("FUZZ_TARGET={name:?} is no target"));
    assert!(fuzz::steps::are_counted(), "built without coverage");
    if let Some(directory) = std::env::var_os("FUZZ_SEEDS") {
        let directory = std::path::Path::new(&directory);
        for (number, seed) in (target.seeds)().iter().enumerate() {
            let file = directory.join(format!("seed-{number:03}"));
            std::fs::write(&file, seed)
                .unwrap_or_else(|error| panic!("write {}: {error}", file.display()));
        }
    }
    TARGET.get_or_init(|| target);
}
