//! What stands in a worker's place: something that takes a proxy's callbacks and says what it wants done.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use gateway::config::Config;
use host::{Address, CallResponse, Effect, Headers, Plugin, Program, Shared};

use super::core::CoreGuest;
use super::wasm::WasmGuest;
use super::world::Clock;
use crate::driver::{Result, Setting, Trouble};

/// What went wrong inside: the VM is lost.
#[derive(Debug)]
pub(super) struct Trap(pub String);

/// Shorthand.
pub(super) type Run<T> = std::result::Result<T, Trap>;

/// See the module's text. Numbers of streams and calls are the guest's own.
pub(super) trait Guest {
    fn request_headers(&mut self, headers: Headers, end: bool) -> Run<u32>;
    fn request_body(&mut self, stream: u32, data: &[u8], end: bool) -> Run<()>;
    fn request_trailers(&mut self, stream: u32, trailers: Headers) -> Run<()>;
    /// The upstream has answered.
    fn answered(
        &mut self,
        stream: u32,
        headers: Headers,
        body: &[u8],
        trailers: Headers,
    ) -> Run<()>;
    /// The proxy itself answers: no upstream, or none in time.
    fn answered_by_proxy(&mut self, stream: u32, status: u16, body: &str) -> Run<()>;
    fn left(&mut self, stream: u32) -> Run<()>;
    fn tick(&mut self) -> Run<()>;
    fn queue_ready(&mut self, context: u32, queue: u32) -> Run<()>;
    fn fetched(&mut self, token: u32, response: Option<CallResponse>) -> Run<()>;
    fn message(&mut self, token: u32, message: Vec<u8>) -> Run<()>;
    fn closed(&mut self, token: u32, grpc_status: u32) -> Run<()>;
    fn take_effects(&mut self) -> Vec<Effect>;
    /// A gauge that the guest itself keeps; those of a module are in the shared metrics.
    fn gauge(&self, name: &str) -> Option<u64>;
}

/// Starts guests of one kind with one configuration.
pub(super) enum Start {
    Core(Box<Config>),
    Wasm(Program, Arc<Plugin>),
}

/// Where a guest is put.
pub(super) struct Seat {
    pub shared: Arc<Shared>,
    pub clock: Clock,
    pub number: u32,
    pub seed: u64,
}

impl Start {
    pub(super) fn core(setting: &Setting) -> Result<Self> {
        let json = setting.configuration.to_string();
        let config = Config::parse(json.as_bytes()).map_err(Trouble::of)?;
        Ok(Self::Core(Box::new(config)))
    }

    pub(super) fn wasm(setting: &Setting, program: Program) -> Self {
        let plugin = Plugin {
            plugin_configuration: setting.configuration.to_string().into_bytes(),
            clusters: clusters(setting),
            ..Plugin::default()
        };
        Self::Wasm(program, Arc::new(plugin))
    }

    pub(super) fn guest(&self, seat: Seat) -> Result<Box<dyn Guest>> {
        Ok(match self {
            Self::Core(config) => Box::new(CoreGuest::start(config, seat)?),
            Self::Wasm(program, plugin) => {
                let setting = host::Setting {
                    plugin: Arc::clone(plugin),
                    shared: seat.shared,
                    address: Address(seat.number),
                    clock: Rc::new(seat.clock),
                    random: Box::new(host::ports::Seeded::new(seat.seed)),
                };
                Box::new(WasmGuest::start(program, setting)?)
            }
        })
    }
}

/// The clusters that a configuration names.
fn clusters(setting: &Setting) -> BTreeSet<String> {
    let configuration = &setting.configuration;
    let engines = configuration["engine"]["clusters"].as_array();
    let issuers = configuration["issuers"].as_array();
    let issuers = issuers.into_iter().flatten();
    let fetched = issuers.map(|issuer| &issuer["jwks_uri"]["cluster"]);
    let names = engines.into_iter().flatten().chain(fetched);
    names
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect()
}
