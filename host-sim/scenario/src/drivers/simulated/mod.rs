//! Gateways under a simulated clock, with a model of the engine: everything is decided in one thread, from a seed.
//!
//! What runs in a worker's place is a [`guest::Guest`]: the core as native code, or the module in wasmtime. Both are given the
//! same callbacks and want the same effects, so the world around them is one, and a difference between them is a bug of one of
//! them. The world makes no shortcut for either: what Envoy does to a request on the way is done here as far as a filter
//! sees it.

mod core;
mod core_host;
mod guest;
mod network;
mod requests;
mod stage;
mod wasm;
mod world;

use std::path::Path;

use host::Program;

use self::guest::Start;
use self::world::World;
use crate::driver::{Driver, Need, Result, Setting, Stage, Trouble};

/// The core as native code.
#[derive(Debug, Default)]
pub struct Core;

/// The module in wasmtime.
#[derive(Debug)]
pub struct Wasm {
    program: Program,
}

impl Wasm {
    /// With the module in that file.
    ///
    /// # Errors
    /// When it cannot be read or compiled.
    pub fn load(module: &Path) -> Result<Self> {
        let program = Program::load(module).map_err(Trouble::of)?;
        Ok(Self { program })
    }
}

impl Driver for Core {
    fn name(&self) -> &'static str {
        "core"
    }

    fn cannot(&self, need: Need) -> bool {
        need == Need::Wire
    }

    fn kinship(&self, _setting: &Setting) -> String {
        String::new()
    }

    fn open(&self, setting: &Setting) -> Result<Box<dyn Stage>> {
        let start = Start::core(setting)?;
        Ok(Box::new(World::start(setting, start)?))
    }
}

impl Driver for Wasm {
    fn name(&self) -> &'static str {
        "wasm"
    }

    fn cannot(&self, need: Need) -> bool {
        need == Need::Wire
    }

    fn kinship(&self, _setting: &Setting) -> String {
        String::new()
    }

    fn open(&self, setting: &Setting) -> Result<Box<dyn Stage>> {
        let start = Start::wasm(setting, self.program.clone());
        Ok(Box::new(World::start(setting, start)?))
    }
}
