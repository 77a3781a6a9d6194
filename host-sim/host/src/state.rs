//! Everything a VM's host calls may see or change: kept in the wasmtime store, never in a global.
//!
//! Knows which context a call speaks for, what is being delivered right now, and collects what is to be done after the
//! call. It never calls into the module.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use wasmtime::{Memory, StoreLimits, StoreLimitsBuilder, TypedFunc};

use crate::abi::{MapType, Status};
use crate::effects::Effect;
use crate::headers::Headers;
use crate::metrics::VmMetrics;
use crate::plugin::Plugin;
use crate::ports::{Clock, Random};
use crate::shared::{Address, Shared};
use crate::stream::{LocalReply, Side, Stream};

/// Envoy's cap on a module's linear memory.
pub const MAX_MEMORY_BYTES: usize = 1 << 30;

/// What a trap says that [`crate::Vm::trap_after`] has ordered.
pub const ORDERED_TRAP: &str = "this trap was ordered";

/// The context of the VM itself, which no callback carries.
pub(crate) const VM_CONTEXT: u32 = 0;
/// The root context: one plugin, hence always the first.
pub(crate) const ROOT_CONTEXT: u32 = 1;

/// The answer of an HTTP callout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallResponse {
    /// With `:status`.
    pub headers: Headers,
    /// Whole.
    pub body: Vec<u8>,
    /// May be empty.
    pub trailers: Headers,
}

/// What a callback that is running may read besides its stream.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub call: Option<CallResponse>,
    pub grpc_initial: Option<Headers>,
    pub grpc_trailing: Option<Headers>,
    pub grpc_message: Option<Vec<u8>>,
    pub status_code: u32,
    pub status_message: String,
}

/// How far an open gRPC stream is closed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GrpcStream {
    pub local_closed: bool,
    pub remote_closed: bool,
}

/// Callouts in flight, all owned by the root context.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub http: BTreeSet<u32>,
    pub grpc: BTreeSet<u32>,
    pub streams: BTreeMap<u32, GrpcStream>,
    last_http: u32,
    /// Calls get odd tokens, streams even ones, from one row of numbers.
    next_grpc: u32,
}

impl Calls {
    pub fn next_http(&mut self) -> u32 {
        loop {
            self.last_http = self.last_http.wrapping_add(1);
            if self.last_http != 0 && self.http.insert(self.last_http) {
                return self.last_http;
            }
        }
    }

    pub fn next_grpc_call(&mut self) -> u32 {
        loop {
            let token = self.next_grpc_number(1);
            if self.grpc.insert(token) {
                return token;
            }
        }
    }

    pub fn next_grpc_stream(&mut self) -> u32 {
        loop {
            let token = self.next_grpc_number(0);
            if token != 0 && !self.streams.contains_key(&token) {
                self.streams.insert(token, GrpcStream::default());
                return token;
            }
        }
    }

    fn next_grpc_number(&mut self, parity: u32) -> u32 {
        self.next_grpc = self.next_grpc.wrapping_add(1);
        if self.next_grpc % 2 != parity {
            self.next_grpc = self.next_grpc.wrapping_add(1);
        }
        self.next_grpc
    }
}

/// What a host call leaves to be done when the callback has returned.
#[derive(Debug)]
pub(crate) enum Deferred {
    Resume { stream: u32, side: Side },
    Reply { stream: u32, reply: LocalReply },
    Reset { stream: u32 },
    Drained,
}

/// The module's side of memory exchange.
#[derive(Clone)]
pub(crate) struct Guest {
    pub memory: Memory,
    pub allocate: TypedFunc<u32, u32>,
}

/// The store's data.
pub(crate) struct State {
    pub plugin: Arc<Plugin>,
    pub shared: Arc<Shared>,
    pub address: Address,
    pub clock: Rc<dyn Clock>,
    pub random: Box<dyn Random>,
    pub guest: Option<Guest>,
    pub limits: StoreLimits,
    pub current: u32,
    pub effective: u32,
    pub root_created: bool,
    pub streams: BTreeMap<u32, Stream>,
    pub next_context: u32,
    /// The plugin's configuration is readable during its callbacks only.
    pub configuring: bool,
    pub draining: bool,
    pub calls: Calls,
    pub delivery: Delivery,
    pub metrics: VmMetrics,
    pub effects: Vec<Effect>,
    pub deferred: VecDeque<Deferred>,
    /// A local reply was asked for in this callback: whatever it returns, the stream is held.
    pub stop_iteration: bool,
    /// After how many host calls the module is to trap; none: it is not.
    pub traps_after: Option<u32>,
}

impl State {
    pub fn new(
        plugin: Arc<Plugin>,
        shared: Arc<Shared>,
        address: Address,
        clock: Rc<dyn Clock>,
        random: Box<dyn Random>,
    ) -> Self {
        Self {
            plugin,
            shared,
            address,
            clock,
            random,
            guest: None,
            limits: StoreLimitsBuilder::new()
                .memory_size(MAX_MEMORY_BYTES)
                .build(),
            current: VM_CONTEXT,
            effective: VM_CONTEXT,
            root_created: false,
            streams: BTreeMap::new(),
            next_context: ROOT_CONTEXT,
            configuring: false,
            draining: false,
            calls: Calls::default(),
            delivery: Delivery::default(),
            metrics: VmMetrics::default(),
            effects: Vec::new(),
            deferred: VecDeque::new(),
            stop_iteration: false,
            traps_after: None,
        }
    }

    /// Counts a host call, and traps the module at the one at which it is to.
    pub fn before_host_call(&mut self) -> wasmtime::Result<()> {
        match &mut self.traps_after {
            None => Ok(()),
            Some(0) => Err(wasmtime::Error::msg(ORDERED_TRAP)),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    /// Whether a callback or `set_effective_context` may name it.
    pub fn has_context(&self, id: u32) -> bool {
        id == VM_CONTEXT
            || (id == ROOT_CONTEXT && self.root_created)
            || self.streams.contains_key(&id)
    }

    /// The context that a host call speaks for: the effective one while it lives, else the callback's own.
    pub fn acting(&self) -> u32 {
        if self.effective != VM_CONTEXT && self.has_context(self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    /// The stream that a host call speaks for.
    pub fn acting_stream(&mut self) -> Option<&mut Stream> {
        let id = self.acting();
        self.streams.get_mut(&id)
    }

    /// A map to read. Without one it is [`Status::BadArgument`]; while a request is logged, when Envoy shows all maps,
    /// [`Status::NotFound`], as for a name in an empty one.
    pub fn map(&mut self, kind: MapType) -> Result<&Headers, Status> {
        let missing = match self.acting_stream() {
            Some(stream) if stream.logging => Status::NotFound,
            _ => Status::BadArgument,
        };
        let found = match kind {
            MapType::CallResponseHeaders => self.delivery.call.as_ref().map(|call| &call.headers),
            MapType::CallResponseTrailers => self
                .delivery
                .call
                .as_ref()
                .map(|call| &call.trailers)
                .filter(|trailers| !trailers.is_empty()),
            MapType::GrpcInitialMetadata => self.delivery.grpc_initial.as_ref(),
            MapType::GrpcTrailingMetadata => self.delivery.grpc_trailing.as_ref(),
            _ => {
                let stream = self.acting_stream().ok_or(Status::BadArgument)?;
                let logging = stream.logging;
                let half = match kind {
                    MapType::RequestHeaders | MapType::RequestTrailers => &stream.request,
                    _ => &stream.response,
                };
                if matches!(kind, MapType::RequestHeaders | MapType::ResponseHeaders) {
                    (half.headers_open || logging).then_some(&half.headers)
                } else {
                    half.trailers
                        .as_ref()
                        .filter(|_| half.trailers_open || logging)
                }
            }
        };
        found.ok_or(missing)
    }

    /// A map to change: only a stream's own, and only while it is held.
    pub fn map_mut(&mut self, kind: MapType) -> Result<&mut Headers, Status> {
        let stream = self.acting_stream().ok_or(Status::BadArgument)?;
        let half = match kind {
            MapType::RequestHeaders | MapType::RequestTrailers => &mut stream.request,
            MapType::ResponseHeaders | MapType::ResponseTrailers => &mut stream.response,
            _ => return Err(Status::BadArgument),
        };
        let found = if matches!(kind, MapType::RequestHeaders | MapType::ResponseHeaders) {
            half.headers_open.then_some(&mut half.headers)
        } else if half.trailers_open {
            half.trailers.as_mut()
        } else {
            None
        };
        found.ok_or(Status::BadArgument)
    }
}
