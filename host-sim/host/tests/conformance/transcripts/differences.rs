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
const EXIT: &str = "`proc_exit`";
const STREAMS: &str = "gRPC streams";
const TOKENS: &str = "gRPC tokens";
const RANDOM: &str = "`random_get`";

/// All of them.
#[rustfmt::skip]
pub const DIFFERENCES: &[Difference] = &[
    known(REPLIES, "ending: reply 204 with a body", "client()", "204 * \"\"", "204 * \"body\""),
    known(EXIT, "ending: exit", "client()", "503 *", "200 *"),
    known(EXIT, "ending: exit", "proc_exit(3), afterwards", "nothing", "0"),
    known(FOREIGN, "*", "proxy_call_foreign_function(\"compress\" 0 bytes)", "1 untouched", "0 *"),
    known(FOREIGN, "*", "proxy_call_foreign_function(\"verify_signature\" * bytes)", "2 untouched", "2 nothing"),
    known(RANDOM, "*", "random_get(65537)", "58", "28"),
    known(TOKENS, "*", "proxy_grpc_cancel(unknown *)", "1", "2"),
    known(TOKENS, "*", "proxy_grpc_close(unknown *)", "1", "2"),
    known(TOKENS, "*", "proxy_grpc_send(unknown 0)", "1", "2"),
    known(BUFFERS, "vm start", "proxy_get_buffer_bytes(kind=7*", "*", "1*"),
    known(BUFFERS, "vm start", "proxy_set_buffer_bytes(kind=7*", "*", "1"),
    known(BUFFERS, "*", "proxy_get_buffer_bytes(kind=8*", "0 untouched", "0 \"*\""),
    known(BUFFERS, "*", "proxy_get_buffer_bytes(*", "0 untouched", "0 nothing"),
    known(BUFFERS, "*", "proxy_get_buffer_bytes(* outside", "0", "6"),
    known(BUFFERS, "*", "proxy_set_buffer_bytes(* start=0 length=1 \"y\")", "2", "0"),
    known(BUFFERS, "*", "proxy_get_buffer_bytes(* after \"y\"", "0 \"<body>\"", "0 \"ybody>\""),
    known(BUFFERS, "grpc*", "proxy_set_buffer_bytes(kind=5 *", "2", "0"),
    known(BUFFERS, "grpc*", "proxy_get_buffer_bytes(kind=5) after *", "0 \"echo*", "0 \"*"),
    known(MAPS, "*", "proxy_get_header_map_pairs(map=*)", "*", "*"),
    known(MAPS, "local, *", "proxy_*_header_map_value(map=3 *", "2*", "0*"),
    known(MAPS, "*", "proxy_get_header_map_value(map=*", "2 untouched", "1 untouched"),
    known(MAPS, "local, log", "proxy_get_header_map_value(map=1 *", "0 *", "1 untouched"),
    known(STREAMS, "grpc stream, initial metadata", "proxy_get_header_map_value(map=* name=\":status\")", "1 untouched", "0 \"200\""),
    known(STREAMS, "grpc stream, close", "proxy_get_status()", "0 nothing", "0 \"via_upstream\""),
    known(PROPERTIES, "*", "proxy_get_property(*", "1 untouched", "3 untouched"),
    known(PROPERTIES, "*", "proxy_get_property(*", "1 untouched", "0 *"),
    known(PROPERTIES, "*", "proxy_get_property(own of two parts)", "0 \"3\"", "1 untouched"),
    known(PROPERTIES, "passed, *", "proxy_get_property(request.*", "0 *", "1 untouched"),
    known(PROPERTIES, "*", "proxy_get_property(response.headers.:status)", "0 \"200\"", "1 untouched"),
    known(PROPERTIES, "*", "proxy_get_property(request.path*", "0 \"4\"", "*"),
];
