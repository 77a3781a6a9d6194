//! `cargo xtask build`: the filter's module, built, checked and put where the Envoy configuration expects it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::toolchain::{WASM_TARGET, ensure_target};
use crate::wasm_shape::{MAX_MODULE_BYTES, Shape, check};
use crate::{cargo, progress, unused_exports};

const PROFILE: &str = "wasm";
const MODULE: &str = "reward_points.wasm";
const PLANTED_BUGS: &str = "planted_bugs.wasm";
/// The name of the setting that only a module with planted bugs knows.
const PLANTED_MARK: &[u8] = b"planted_bug";
const EMPTY_FILTER: &str = "bench_empty_filter.wasm";
const NATIVE: &str = "bench-native";
/// The packages of the filter and of the one that the benchmark compares it with. They are built for wasm alone: natively
/// their host functions have nobody to link with.
pub const WASM_ONLY: [&str; 2] = ["filter", "bench-empty-filter"];

/// What to build.
#[derive(Clone, Copy, Debug, Args)]
pub struct Options {
    /// Build the module with mistakes in it, for tests of the simulation, to target/plugin/planted_bugs.wasm instead.
    #[arg(long)]
    planted_bugs: bool,
}

/// Builds what is wanted.
///
/// # Errors
/// As [`run`] and [`planted_bugs`].
pub fn wanted(options: Options) -> anyhow::Result<()> {
    if options.planted_bugs {
        println!("{}", planted_bugs()?.display());
        return Ok(());
    }
    run().map(drop)
}

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
    let bytes = wasm("filter", MODULE, &[])?;
    let shape = check(&bytes).context(MODULE)?;
    ensure!(
        !knows_planted_bugs(&bytes),
        "{MODULE} was built with planted bugs"
    );
    let path = testbed::target_dir().join("plugin").join(MODULE);
    put(&bytes, &path)?;
    Ok((path, shape))
}

/// Builds the module with planted bugs, and returns where it is. Never what is shipped: it stands apart from the other.
///
/// # Errors
/// When the build fails.
pub fn planted_bugs() -> anyhow::Result<PathBuf> {
    ensure_target()?;
    progress("building the filter with planted bugs (wasm)");
    let bytes = wasm("filter", MODULE, &["--features", "planted-bugs"])?;
    ensure!(
        knows_planted_bugs(&bytes),
        "{PLANTED_BUGS} was built without planted bugs"
    );
    let path = testbed::target_dir().join("plugin").join(PLANTED_BUGS);
    put(&bytes, &path)?;
    Ok(path)
}

fn knows_planted_bugs(module: &[u8]) -> bool {
    module
        .windows(PLANTED_MARK.len())
        .any(|window| window == PLANTED_MARK)
}

/// Builds the filter that does nothing, as the other one is built, and returns where it is.
///
/// # Errors
/// When the build fails.
pub fn empty_filter() -> anyhow::Result<PathBuf> {
    ensure_target()?;
    progress("building the empty filter (wasm)");
    let bytes = wasm("bench-empty-filter", EMPTY_FILTER, &[])?;
    let path = testbed::target_dir().join("bench").join(EMPTY_FILTER);
    put(&bytes, &path)?;
    Ok(path)
}

/// Builds what the benchmark compares with, optimised, and returns where it is.
///
/// # Errors
/// When the build fails.
pub fn native() -> anyhow::Result<PathBuf> {
    progress("building bench-native, optimised (the first time takes minutes)");
    cargo::run(&["build", "--package", NATIVE, "--release"])?;
    Ok(testbed::cargo_target_dir().join("release").join(NATIVE))
}

/// A module of the wasm profile without its unused exports.
fn wasm(package: &str, module: &str, more: &[&str]) -> anyhow::Result<Vec<u8>> {
    let mut arguments = vec![
        "build",
        "--package",
        package,
        "--profile",
        PROFILE,
        "--target",
        WASM_TARGET,
    ];
    arguments.extend(more);
    cargo::run(&arguments)?;
    let built = testbed::cargo_target_dir()
        .join(WASM_TARGET)
        .join(PROFILE)
        .join(module);
    let bytes = std::fs::read(&built).with_context(|| format!("read {}", built.display()))?;
    unused_exports::removed(&bytes).with_context(|| built.display().to_string())
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
    let mut args = vec!["build", "--workspace"];
    args.extend(WASM_ONLY.iter().flat_map(|package| ["--exclude", *package]));
    args.extend(["--bin", "host-sim"]);
    cargo::run(&args)?;
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
