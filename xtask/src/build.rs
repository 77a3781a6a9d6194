//! `cargo xtask build`: the filter's module, built, checked and put where the Envoy configuration expects it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::toolchain::{WASM_TARGET, ensure_target};
use crate::wasm_shape::{MAX_MODULE_BYTES, Shape, check};
use crate::{cargo, progress, unused_exports};

const PROFILE: &str = "wasm";
const MODULE: &str = "reward_points.wasm";
/// The filter's package. It is built for wasm alone: natively its host functions have nobody to link with.
pub const WASM_ONLY: &str = "filter";

/// Builds and checks the module, prints its size and imports, and returns where it is.
///
/// # Errors
/// When the toolchain lacks the target and cannot get it, the build fails, or the module's shape is refused.
pub fn run() -> anyhow::Result<PathBuf> {
    let (path, shape) = module()?;
    println!("{}", path.display());
    println!(
        "size    {} bytes of at most {MAX_MODULE_BYTES}",
        shape.bytes
    );
    for (module, names) in &shape.imports {
        println!(
            "imports {module}: {} functions ({})",
            names.len(),
            names.join(", ")
        );
    }
    Ok(path)
}

/// Builds and checks the module without a word on stdout.
///
/// # Errors
/// As [`run`].
pub fn module() -> anyhow::Result<(PathBuf, Shape)> {
    ensure_target()?;
    progress("building the filter (wasm)");
    cargo::run(&[
        "build",
        "--package",
        "filter",
        "--profile",
        PROFILE,
        "--target",
        WASM_TARGET,
    ])?;
    let built = testbed::cargo_target_dir()
        .join(WASM_TARGET)
        .join(PROFILE)
        .join(MODULE);
    let bytes = std::fs::read(&built).with_context(|| format!("read {}", built.display()))?;
    let bytes = unused_exports::removed(&bytes).with_context(|| built.display().to_string())?;
    let shape = check(&bytes).with_context(|| built.display().to_string())?;
    let path = testbed::target_dir().join("plugin").join(MODULE);
    put(&bytes, &path)?;
    Ok((path, shape))
}

/// Builds `host-sim`, unless `$HOST_SIM` names one, and returns where it is.
///
/// # Errors
/// When the build fails, or what `$HOST_SIM` names is not there.
pub fn host_sim() -> anyhow::Result<PathBuf> {
    if std::env::var_os("HOST_SIM").is_some_and(|given| !given.is_empty()) {
        return Ok(testbed::host_sim()?);
    }
    progress("building host-sim (the first time takes minutes)");
    // With the whole workspace selected, dependencies get the features that the tests use: one build of them serves both.
    cargo::run(&[
        "build",
        "--workspace",
        "--exclude",
        WASM_ONLY,
        "--bin",
        "host-sim",
    ])?;
    Ok(testbed::host_sim()?)
}

/// Writes whole or not at all: a gateway may be loading the file right now. The same content keeps its time.
fn put(bytes: &[u8], path: &Path) -> anyhow::Result<()> {
    if std::fs::read(path).is_ok_and(|held| held == bytes) {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let draft = path.with_extension(format!("wasm.{}", std::process::id()));
    std::fs::write(&draft, bytes).with_context(|| format!("write {}", draft.display()))?;
    std::fs::rename(&draft, path).with_context(|| format!("write {}", path.display()))
}
