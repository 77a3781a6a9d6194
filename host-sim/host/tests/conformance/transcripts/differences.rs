//! What is known to differ between this host and Envoy, call by call, and where the documentation argues it.

/// Lines that differ. `*` stands for anything in all patterns.
pub struct Difference {
    /// The phases.
    pub phase: &'static str,
    /// The calls with their arguments.
    pub call: &'static str,
    /// What this host says.
    pub here: &'static str,
    /// What Envoy says.
    pub envoy: &'static str,
    /// The words that the item of `docs/host-facts.md` begins with.
    pub argued: &'static str,
}

const fn known(
    argued: &'static str,
    phase: &'static str,
    call: &'static str,
    here: &'static str,
    envoy: &'static str,
) -> Difference {
    Difference {
        phase,
        call,
        here,
        envoy,
        argued,
    }
}

const PROPERTIES: &str = "Properties";
const BUFFERS: &str = "Buffers";
const MAPS: &str = "Maps";
const REPLIES: &str = "A local reply";
const FOREIGN: &str = "Foreign functions";
const STREAMS: &str = "gRPC streams";

/// All of them.
#[rustfmt::skip]
pub const DIFFERENCES: &[Difference] = &[
    known(REPLIES, "ending: reply 204 with a body", "client()", "204 * \"\"", "204 * \"body\""),
    known(FOREIGN, "*", "proxy_call_foreign_function(\"compress\" 0 bytes)", "1 untouched", "0 *"),
    known(BUFFERS, "*", "proxy_get_buffer_bytes(kind=8*", "0 nothing", "0 \"*\""),
    known(MAPS, "http, answer", "proxy_get_header_map_pairs(map=6)", "0 :status=*", "0 :status=* transfer-encoding=\"chunked\" *"),
    known(MAPS, "passed, response headers", "proxy_get_header_map_pairs(map=2)", "0 :status=*", "0 :status=* transfer-encoding=\"chunked\" *"),
    known(MAPS, "local, log", "proxy_get_header_map_pairs(map=2)", "0 :status=*", "0 :status=* date server *"),
    known(MAPS, "passed, log", "proxy_get_header_map_pairs(map=2)", "0 :status=* date trailer=*", "0 :status=* date server trailer=*"),
    known(MAPS, "passed, log", "proxy_get_header_map_pairs(map=3)", "0 nothing", "0 x-keep=\"1\""),
    known(MAPS, "passed, log", "proxy_get_header_map_pairs(map=0)", "0 *", "0 * x-envoy-expected-rq-timeout-ms=\"1000\" *"),
    known(MAPS, "local, *", "proxy_*_header_map_value(map=3 *", "2*", "0*"),
    known(MAPS, "local, log", "proxy_get_header_map_value(map=3 *", "1 untouched", "0 *"),
    known(MAPS, "local, *", "proxy_get_header_map_value(map=3 *", "2 untouched", "1 untouched"),
    known(MAPS, "local, log", "proxy_get_header_map_value(map=1 *", "0 *", "1 untouched"),
    known(STREAMS, "grpc stream, close", "proxy_get_status()", "0 nothing", "0 \"via_upstream\""),
    known(PROPERTIES, "*", "proxy_get_property(connection.*)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(destination.*)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(metadata)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(request.duration)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(request.headers)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(request.size)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(request.total_size)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(response.backend_latency)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(response.code_details)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(response.flags)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(response.grpc_status)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(response.size)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(response.total_size)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(source.port)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(upstream.*)", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(xds.*)", "1 untouched", "0 *"),
];
