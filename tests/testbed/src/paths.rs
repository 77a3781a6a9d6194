//! Where things are: the repository's root, its `target` directory and what the build leaves there.
//!
//! The environment wins (`REWARD_POINTS_WASM`, `PLANTED_BUGS_WASM`, `HOST_SIM`), so that a test run can be pointed at other builds.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The root of the repository.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// `target` under the root: tools, development keys and the finished wasm are there whatever `CARGO_TARGET_DIR` says.
#[must_use]
pub fn target_dir() -> PathBuf {
    workspace_root().join("target")
}

/// Development keys and data.
#[must_use]
pub fn dev_dir() -> PathBuf {
    target_dir().join("dev")
}

/// The committed Envoy configuration.
#[must_use]
pub fn envoy_yaml() -> PathBuf {
    workspace_root().join("envoy/envoy.yaml")
}

/// The filter's module: `$REWARD_POINTS_WASM`, else what `cargo xtask build` leaves.
///
/// # Errors
/// [`Error::NotBuilt`] when there is no such file.
pub fn wasm() -> Result<PathBuf> {
    let path = from_env("REWARD_POINTS_WASM")
        .unwrap_or_else(|| target_dir().join("plugin/reward_points.wasm"));
    existing(path, "the filter's wasm", "cargo xtask build")
}

/// The same module with mistakes in it, one of which a configuration puts in: `$PLANTED_BUGS_WASM`, else what
/// `cargo xtask build --planted-bugs` leaves.
///
/// # Errors
/// [`Error::NotBuilt`] when there is no such file.
pub fn planted_bugs_wasm() -> Result<PathBuf> {
    let path = from_env("PLANTED_BUGS_WASM")
        .unwrap_or_else(|| target_dir().join("plugin/planted_bugs.wasm"));
    existing(
        path,
        "the filter's wasm with planted bugs",
        "cargo xtask build --planted-bugs",
    )
}

/// The `host-sim` program: `$HOST_SIM`, else the development build.
///
/// # Errors
/// [`Error::NotBuilt`] when there is no such file.
pub fn host_sim() -> Result<PathBuf> {
    let path = from_env("HOST_SIM").unwrap_or_else(|| built("host-sim"));
    existing(path, "host-sim", "cargo build -p host-sim")
}

/// The development build of the program `name`. It is looked for beside the running program first: where cargo put this
/// one, it puts the others too, whatever default target its configuration names.
fn built(name: &str) -> PathBuf {
    let usual = cargo_target_dir().join("debug").join(name);
    let running = std::env::current_exe().ok();
    let beside = running.as_deref().and_then(programs_beside);
    let found = beside
        .map(|dir| dir.join(name))
        .filter(|path| path.is_file());
    found.unwrap_or(usual)
}

/// The directory of development builds that `program` is in; test programs are one level below it, in `deps`.
fn programs_beside(program: &Path) -> Option<PathBuf> {
    let mut dir = program.parent()?;
    if dir.ends_with("deps") {
        dir = dir.parent()?;
    }
    dir.ends_with("debug").then(|| dir.to_path_buf())
}

/// Where cargo puts what it builds.
#[must_use]
pub fn cargo_target_dir() -> PathBuf {
    from_env("CARGO_TARGET_DIR").map_or_else(target_dir, |dir| workspace_root().join(dir))
}

fn from_env(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn existing(path: PathBuf, what: &'static str, command: &'static str) -> Result<PathBuf> {
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::NotBuilt {
            what,
            path,
            command,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_builds_are_beside_the_running_program() {
        let cases = [
            ("/t/debug/xtask", Some("/t/debug")),
            ("/t/debug/deps/up-0123", Some("/t/debug")),
            (
                "/t/some-triple/debug/deps/up-0123",
                Some("/t/some-triple/debug"),
            ),
            ("/t/release/xtask", None),
            ("/usr/bin/xtask", None),
            ("xtask", None),
        ];
        for (program, expected) in cases {
            let found = programs_beside(Path::new(program));
            assert_eq!(found, expected.map(PathBuf::from), "{program}");
        }
    }
}
