//! The callbacks of a module, looked up once. A callback that a module lacks is simply not called.

use wasmtime::{Instance, Store, TypedFunc, WasmParams, WasmResults};

use crate::state::State;

type Callback<P, R = ()> = Option<TypedFunc<P, R>>;

/// Named as in the ABI, without `proxy_on_`.
pub(super) struct Exports {
    pub initialize: Callback<()>,
    pub context_create: Callback<(u32, u32)>,
    pub vm_start: Callback<(u32, u32), u32>,
    pub configure: Callback<(u32, u32), u32>,
    pub tick: Callback<u32>,
    pub queue_ready: Callback<(u32, u32)>,
    pub done: Callback<u32, u32>,
    pub log: Callback<u32>,
    pub delete: Callback<u32>,
    pub request_headers: Callback<(u32, u32, u32), u32>,
    pub request_body: Callback<(u32, u32, u32), u32>,
    pub request_trailers: Callback<(u32, u32), u32>,
    pub response_headers: Callback<(u32, u32, u32), u32>,
    pub response_body: Callback<(u32, u32, u32), u32>,
    pub response_trailers: Callback<(u32, u32), u32>,
    pub http_call_response: Callback<(u32, u32, u32, u32, u32)>,
    pub grpc_initial_metadata: Callback<(u32, u32, u32)>,
    pub grpc_receive: Callback<(u32, u32, u32)>,
    pub grpc_trailing_metadata: Callback<(u32, u32, u32)>,
    pub grpc_close: Callback<(u32, u32, u32)>,
}

fn find<P: WasmParams, R: WasmResults>(
    store: &mut Store<State>,
    instance: &Instance,
    name: &str,
) -> Callback<P, R> {
    instance.get_typed_func(store, name).ok()
}

impl Exports {
    pub fn find(store: &mut Store<State>, instance: &Instance) -> Self {
        Self {
            initialize: find(store, instance, "_initialize")
                .or_else(|| find(store, instance, "_start")),
            context_create: find(store, instance, "proxy_on_context_create"),
            vm_start: find(store, instance, "proxy_on_vm_start"),
            configure: find(store, instance, "proxy_on_configure"),
            tick: find(store, instance, "proxy_on_tick"),
            queue_ready: find(store, instance, "proxy_on_queue_ready"),
            done: find(store, instance, "proxy_on_done"),
            log: find(store, instance, "proxy_on_log"),
            delete: find(store, instance, "proxy_on_delete"),
            request_headers: find(store, instance, "proxy_on_request_headers"),
            request_body: find(store, instance, "proxy_on_request_body"),
            request_trailers: find(store, instance, "proxy_on_request_trailers"),
            response_headers: find(store, instance, "proxy_on_response_headers"),
            response_body: find(store, instance, "proxy_on_response_body"),
            response_trailers: find(store, instance, "proxy_on_response_trailers"),
            http_call_response: find(store, instance, "proxy_on_http_call_response"),
            grpc_initial_metadata: find(store, instance, "proxy_on_grpc_receive_initial_metadata"),
            grpc_receive: find(store, instance, "proxy_on_grpc_receive"),
            grpc_trailing_metadata: find(
                store,
                instance,
                "proxy_on_grpc_receive_trailing_metadata",
            ),
            grpc_close: find(store, instance, "proxy_on_grpc_close"),
        }
    }
}
