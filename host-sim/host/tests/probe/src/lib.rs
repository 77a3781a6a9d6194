//! A filter that asks its host everything: each path under `/probe/` tries one thing and replies with what it found.
//!
//! The same module runs in Envoy and in this host, so the two can be compared answer by answer. Raw host calls are made
//! where the SDK would turn an unexpected status into a panic.

mod calls;
mod fetch;
mod raw;
mod stream;

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel, MapType, MetricType};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| Box::new(Root { id, waiting: Vec::new(), ticks: 0, holding: Vec::new(), changed: Vec::new(), fetching: Default::default(), drains: false, draining: false, serves: Cell::new(false), transcribed: String::new() }));
}}

struct Root {
    id: u32,
    waiting: Vec<u32>,
    ticks: u64,
    holding: Vec<u32>,
    changed: Vec<u32>,
    fetching: fetch::Fetching,
    /// Configured to finish something first when it is to go.
    drains: bool,
    draining: bool,
    /// Requests come to this VM: it is a worker's.
    serves: Cell<bool>,
    /// The last request for a transcript of a tick.
    transcribed: String,
}

const QUEUE: &str = "probe";

/// Tells this VM from all others, those that it replaces included.
pub fn vm() -> u64 {
    static VM: OnceLock<u64> = OnceLock::new();
    *VM.get_or_init(raw::random)
}

/// How often this VM has ticked.
pub static TICKS: AtomicU64 = AtomicU64::new(0);

fn reply(lines: &[String]) {
    let body = lines.join("\n");
    let _ = hostcalls::send_http_response(
        200,
        vec![("content-type", "text/plain")],
        Some(body.as_bytes()),
    );
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

impl Context for Root {
    fn on_http_call_response(&mut self, _token: u32, headers: usize, body: usize, trailers: usize) {
        self.fetching.answered(headers, body, trailers);
    }

    fn on_grpc_call_response(&mut self, _token: u32, status: u32, size: usize) {
        self.answer_waiting(format!("grpc status={status} size={size}"));
    }

    fn on_done(&mut self) -> bool {
        self.draining = self.drains;
        !self.drains
    }
}

impl Root {
    fn answer_waiting(&mut self, text: String) {
        for id in self.waiting.drain(..) {
            let found = raw::set_effective_context(id);
            if found == 0 {
                reply(std::slice::from_ref(&text));
            } else {
                let _ =
                    hostcalls::set_shared_data("gone", Some(found.to_string().as_bytes()), None);
            }
        }
    }
}

impl Root {
    /// A request that waits at its headers: changed in the root's turn, then let go.
    fn change_and_release(&mut self) {
        let (value, _) = self.get_shared_data("change");
        let Some(id) = value.and_then(|v| String::from_utf8(v).ok()?.parse().ok()) else {
            return;
        };
        // All VMs read the note, one of them has the stream. Numbers come back in a new VM only.
        if self.changed.contains(&id) || raw::set_effective_context(id) != 0 {
            return;
        }
        self.changed.push(id);
        let map = MapType::HttpRequestHeaders;
        let _ = hostcalls::remove_map_value(map, "x-secret");
        let _ = hostcalls::set_map_value(map, "x-replaced", Some("by the root"));
        let _ = hostcalls::add_map_value(map, "x-added", "later");
        let _ = hostcalls::resume_http_request();
    }
}

impl Root {
    /// Every host call in a tick, once for each request for it; and in the name of a stream that waits for that.
    fn transcribe(&mut self) {
        let text = |key: &str| {
            let (value, _) = hostcalls::get_shared_data(key).unwrap_or_default();
            String::from_utf8(value.unwrap_or_default()).unwrap_or_default()
        };
        let asked = text("transcript-tick");
        if self.transcribed != asked {
            let whose = if self.serves.get() {
                "a worker"
            } else {
                "the main thread"
            };
            calls::record(&format!("tick of {whose}"), self.id);
            self.transcribed = asked;
        }
        let held = text("transcript-hold").parse().unwrap_or(0);
        // Of all VMs one has the stream, as long as it waits.
        if held > self.id && self.serves.get() && raw::set_effective_context(held) == 0 {
            let _ = hostcalls::set_shared_data("transcript-hold", None, None);
            calls::record("tick in a stream's name", held);
            reply(&["done".to_owned()]);
        }
    }
}

impl RootContext for Root {
    fn on_vm_start(&mut self, _size: usize) -> bool {
        if self.get_vm_configuration().as_deref() == Some(b"transcript") {
            calls::record("vm start", self.id);
        }
        true
    }

    fn on_configure(&mut self, size: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        log(&format!("configured with {size} bytes, root {}", self.id));
        match &configuration[..] {
            b"refuse" => {
                let _ = hostcalls::log(LogLevel::Error, "configuration: field `a.b` is wrong");
                return false;
            }
            b"trap" => panic!("asked to"),
            b"drain" => self.drains = true,
            b"transcript" => calls::record("configuration", self.id),
            _ => {}
        }
        if let Ok(id) = hostcalls::define_metric(MetricType::Counter, "probe_configured") {
            let _ = hostcalls::increment_metric(id, 1);
        }
        let id = self.register_shared_queue(QUEUE);
        log(&format!("queue {id}"));
        self.set_tick_period(Duration::from_millis(20));
        true
    }

    fn on_tick(&mut self) {
        self.ticks += 1;
        let ticks = TICKS.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.serves.get() {
            let _ =
                hostcalls::set_shared_data("main-ticks", Some(ticks.to_string().as_bytes()), None);
        }
        if self.draining {
            self.draining = false;
            let _ = hostcalls::set_shared_data("drained", Some(b"yes"), None);
            if let Ok(id) = hostcalls::define_metric(MetricType::Counter, "probe_drained") {
                let _ = hostcalls::increment_metric(id, 1);
            }
            self.done();
        }
        let _ = hostcalls::set_shared_data("ticks", Some(self.ticks.to_string().as_bytes()), None);
        let (value, _) = self.get_shared_data("hold");
        if let Some(id) = value.and_then(|v| String::from_utf8(v).ok()?.parse().ok())
            && !self.holding.contains(&id)
            && raw::set_effective_context(id) == 0
        {
            self.holding.push(id);
            let _ = hostcalls::resume_http_request();
        }
        self.change_and_release();
        self.fetching.tick();
        self.transcribe();
    }

    fn on_queue_ready(&mut self, queue: u32) {
        while let Ok(Some(item)) = self.dequeue_shared_queue(queue) {
            let text = String::from_utf8(item).unwrap_or_default();
            let mut words = text.split(' ');
            let id: u32 = words.next().and_then(|w| w.parse().ok()).unwrap_or(0);
            match words.next() {
                // Dispatched by the root, answered in the stream's name, if it still is there.
                Some("grpc") => {
                    self.waiting.push(id);
                    let _ = hostcalls::set_shared_data("sent", Some(b"yes"), None);
                    let method = words.next().unwrap_or("Echo");
                    let sent = self.dispatch_grpc_call(
                        "up2",
                        "test.Service",
                        method,
                        vec![("x-meta", b"1")],
                        Some(b"hello"),
                        Duration::from_millis(500),
                    );
                    if let Err(status) = sent {
                        self.answer_waiting(format!("not sent {}", status as u32));
                    }
                }
                Some("transcript") => {
                    calls::record("queue", self.id);
                    if raw::set_effective_context(id) == 0 {
                        reply(&["done".to_owned()]);
                    }
                }
                _ => {
                    let found = raw::set_effective_context(id);
                    if found == 0 {
                        reply(&[format!("woken for {}", words.count())]);
                    }
                }
            }
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        self.serves.set(true);
        Some(Box::new(stream::Probe {
            id,
            case: String::new(),
            lines: Vec::new(),
            transcript: String::new(),
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

fn log(text: &str) {
    let _ = hostcalls::log(LogLevel::Info, text);
}
