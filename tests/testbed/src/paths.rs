//! Where things are: the repository's root, its `target` directory and what the build leaves there.
//!
//! The environment wins (`REWARD_POINTS_WASM`, `HOST_SIM`), so that a test run can be pointed at other builds.

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

/// The `host-sim` program: `$HOST_SIM`, else the development build.
///
/// # Errors
/// [`Error::NotBuilt`] when there is no such file.
pub fn host_sim() -> Result<PathBuf> {
    let path = from_env("HOST_SIM").unwrap_or_else(|| cargo_target_dir().join("debug/host-sim"));
    existing(path, "host-sim", "cargo build -p host-sim")
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
