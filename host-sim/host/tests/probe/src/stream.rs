//! The stream's side: one case per path, tried when the headers come, or later where the case needs a body or an answer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Bytes, MapType, MetricType};

use crate::{QUEUE, TICKS, calls, fetch, raw, reply, shown, vm};

pub struct Probe {
    pub id: u32,
    pub case: String,
    pub lines: Vec<String>,
    /// Under which name every phase of this request makes all host calls; empty: it does not.
    pub transcript: String,
}

impl Context for Probe {
    fn on_http_call_response(&mut self, _token: u32, headers: usize, body: usize, trailers: usize) {
        self.transcribe("answer");
        let mut lines = vec![format!(
            "call headers={} body={body} trailers={trailers}",
            headers > 0
        )];
        for name in [":status", "x-from", "content-type"] {
            let (status, value) = raw::map_value(6, name);
            lines.push(format!("{name} {status} {}", shown(&value)));
        }
        let (status, _) = raw::map_value(6, "x-envoy-upstream-service-time");
        lines.push(format!("upstream-service-time {status}"));
        let (status, bytes) = raw::buffer(4, 0, 200);
        lines.push(format!("body {status} {}", shown(&bytes)));
        let (code, message) = raw::status();
        if headers == 0 {
            lines.push(format!("status {code} {message}"));
        }
        reply(&lines);
    }

    fn on_grpc_call_response(&mut self, _token: u32, status: u32, size: usize) {
        self.transcribe("answer");
        let body = self
            .get_grpc_call_response_body(0, size)
            .unwrap_or_default();
        let (code, message) = raw::status();
        reply(&[format!(
            "grpc {status} {} status={code} message={message}",
            shown(&body)
        )]);
    }

    fn on_grpc_stream_initial_metadata(&mut self, _token: u32, _count: u32) {
        self.transcribe("initial metadata");
        let from = self
            .get_grpc_stream_initial_metadata_value("x-from")
            .unwrap_or_default();
        self.lines.push(format!("initial {}", shown(&from)));
    }

    fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
        if self.lines.len() == 1 {
            self.transcribe("message");
        }
        let message = self.get_grpc_stream_message(0, size).unwrap_or_default();
        self.lines.push(format!("message {}", shown(&message)));
        if message == b"echo 2" {
            self.send_grpc_stream_message(token, Some(b"3"), true);
        }
    }

    fn on_grpc_stream_trailing_metadata(&mut self, _token: u32, _count: u32) {
        self.transcribe("trailing metadata");
        self.lines.push("trailing".to_owned());
    }

    fn on_grpc_stream_close(&mut self, token: u32, status: u32) {
        self.transcribe("close");
        self.lines.push(format!("closed {status}"));
        self.lines.push(format!(
            "send after close {}",
            raw::grpc_send(token, b"x", false)
        ));
        reply(&self.lines);
    }

    fn on_done(&mut self) -> bool {
        self.note("done");
        self.phase("done");
        true
    }
}

impl Probe {
    fn note(&self, what: &str) {
        if ["life", "silent"].contains(&self.case.as_str()) {
            let (had, _) = self.get_shared_data(&self.case);
            let text = format!(
                "{} {what}",
                String::from_utf8(had.unwrap_or_default()).unwrap_or_default()
            );
            let _ = self.set_shared_data(&self.case, Some(text.as_bytes()), None);
        }
    }

    /// All host calls, when this request is for that.
    fn transcribe(&self, phase: &str) {
        if !self.transcript.is_empty() {
            calls::record(&format!("{}, {phase}", self.transcript), self.id);
        }
    }

    /// The same in the phases of the request itself.
    fn phase(&self, phase: &str) {
        if ["transcript", "to-transcript"].contains(&self.case.as_str()) {
            self.transcribe(phase);
        }
    }

    /// An answer of four bytes: what a transcript leaves a body as.
    fn answer(&self) {
        let headers = vec![("content-type", "text/plain"), ("x-one", "1")];
        let _ = hostcalls::send_http_response(200, headers, Some(b"body"));
    }

    fn wake_root(&self, item: &str) {
        // The last registrant of a name is woken: this VM's root, as of now.
        let queue = self.register_shared_queue(QUEUE);
        let _ = self.enqueue_shared_queue(queue, Some(item.as_bytes()));
    }

    fn headers_case(&mut self, end_of_stream: bool) -> Action {
        match self.case.as_str() {
            "headers" => {
                let lines: Vec<String> = self
                    .get_http_request_headers_bytes()
                    .iter()
                    .map(|(name, value): &(String, Bytes)| format!("{name}={}", shown(value)))
                    .collect();
                reply(&lines);
            }
            // One more on a counter by that name: which VM, and how many it finds then.
            "count" => {
                let name = self.get_http_request_header("x-name").unwrap_or_default();
                let value = hostcalls::define_metric(MetricType::Counter, &name)
                    .and_then(|id| hostcalls::increment_metric(id, 1).map(|()| id))
                    .and_then(hostcalls::get_metric);
                reply(&[vm().to_string(), format!("{value:?}")]);
            }
            "tick-period" => {
                let asked = self.get_http_request_header("x-ms").unwrap_or_default();
                let status = unsafe {
                    raw::proxy_set_tick_period_milliseconds(asked.parse().unwrap_or_default())
                };
                reply(&[status.to_string()]);
            }
            "ticks" => reply(&[TICKS.load(Ordering::Relaxed).to_string()]),
            // Answered when all of it is there.
            "transcript" => {}
            "to-transcript" => return Action::Continue,
            // Made by a stream in the root's name.
            "transcript-root" => {
                calls::record("a stream in the root's name", 1);
                raw::set_effective_context(self.id);
                reply(&["done".to_owned()]);
            }
            "transcript-queue" => self.wake_root(&format!("{} transcript", self.id)),
            "transcript-hold" => {
                let id = self.id.to_string();
                let _ = self.set_shared_data("transcript-hold", Some(id.as_bytes()), None);
            }
            "transcript-tick" => {
                let number = raw::random().to_string();
                let _ = self.set_shared_data("transcript-tick", Some(number.as_bytes()), None);
                reply(&["asked".to_owned()]);
            }
            "transcript-text" => {
                let phase = self.get_http_request_header("x-phase").unwrap_or_default();
                let (text, _) = self.get_shared_data(&format!("transcript {phase}"));
                let _ = hostcalls::send_http_response(200, vec![], text.as_deref());
            }
            "ending" => {
                let name = self.get_http_request_header("x-ending").unwrap_or_default();
                if calls::endings::end(&name) {
                    reply(&["not ended".to_owned()]);
                }
            }
            "status" => reply(&raw::statuses(self.id)),
            "shared" => reply(&raw::shared_data()),
            "metrics" => reply(&raw::metrics()),
            "property" => reply(&raw::properties()),
            "callouts" => reply(&raw::callout_statuses()),
            // `x-arguments` in hexadecimal, and so is the result.
            "foreign" => {
                let name = self.get_http_request_header("x-name").unwrap_or_default();
                let arguments = self
                    .get_http_request_header("x-arguments")
                    .unwrap_or_default();
                let (status, result) = raw::foreign(&name, &from_hex(&arguments));
                let result: String = result.iter().map(|byte| format!("{byte:02x}")).collect();
                reply(&[format!("{status} {result}")]);
            }
            "time" => reply(&raw::time_and_chance()),
            "queue" => self.wake_root(&format!("{} x y", self.id)),
            "root-grpc" => self.wake_root(&format!("{} grpc Echo", self.id)),
            "root-grpc-slow" => self.wake_root(&format!("{} grpc Slow", self.id)),
            "shared-value" => {
                let key = self.get_http_request_header("x-key").unwrap_or_default();
                let (value, _) = self.get_shared_data(&key);
                reply(&[shown(&value.unwrap_or_default())]);
            }
            "fetch" => {
                let asked = self.get_http_request_header("x-asked").unwrap_or_default();
                let _ = self.set_shared_data(fetch::ASKED, Some(asked.as_bytes()), None);
                reply(&["asked".to_owned()]);
            }
            "http-call" => {
                let path = self.get_http_request_header("x-path").unwrap_or_default();
                let cluster = self
                    .get_http_request_header("x-cluster")
                    .unwrap_or_else(|| "up".to_owned());
                let sent = self.dispatch_http_call(
                    &cluster,
                    vec![
                        (":method", "POST"),
                        (":path", &path),
                        (":authority", "up.test"),
                        ("x-a", "1"),
                    ],
                    Some(b"ping"),
                    vec![],
                    Duration::from_millis(300),
                );
                if let Err(status) = sent {
                    reply(&[format!("not sent {}", status as u32)]);
                }
            }
            "grpc-call" => {
                let method = self.get_http_request_header("x-path").unwrap_or_default();
                let cluster = self
                    .get_http_request_header("x-cluster")
                    .unwrap_or_else(|| "up2".to_owned());
                let sent = self.dispatch_grpc_call(
                    &cluster,
                    "test.Service",
                    &method,
                    vec![("x-meta", b"1")],
                    Some(b"hello"),
                    Duration::from_millis(300),
                );
                if let Err(status) = sent {
                    reply(&[format!("not sent {}", status as u32)]);
                }
            }
            "grpc-stream" => {
                let cluster = self
                    .get_http_request_header("x-cluster")
                    .unwrap_or_else(|| "up2".to_owned());
                match self.open_grpc_stream(&cluster, "test.Service", "Chat", vec![]) {
                    Ok(token) => {
                        self.send_grpc_stream_message(token, Some(b"1"), false);
                        self.send_grpc_stream_message(token, Some(b"2"), false);
                    }
                    Err(status) => reply(&[format!("not opened {}", status as u32)]),
                }
            }
            "to-pass" | "to-late" | "to-body" | "to-dead" | "to-elsewhere" => {
                let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, "x-secret");
                self.set_http_request_header("x-replaced", Some("new"));
                self.add_http_request_header("x-added", "1");
                self.add_http_request_header("x-added", "2");
                if self.case == "to-elsewhere" {
                    self.set_http_request_header(":path", Some("/elsewhere/echo"));
                }
                if self.case == "to-body" && !end_of_stream {
                    // Collects the body first and replaces it then.
                    return Action::Pause;
                }
                return Action::Continue;
            }
            // The root changes it and lets it go, in a tick.
            "to-hold" => {
                let _ = self.set_shared_data("change", Some(self.id.to_string().as_bytes()), None);
            }
            // Nobody ever answers.
            "silent" => self.note("begun"),
            "twice" => {
                reply(&["first".to_owned()]);
                reply(&["second".to_owned()]);
            }
            "empty" => {
                let _ = hostcalls::send_http_response(
                    201,
                    vec![
                        ("content-type", "application/json"),
                        ("x-one", "1"),
                        ("x-one", "2"),
                    ],
                    None,
                );
            }
            "untyped" => {
                let _ = hostcalls::send_http_response(400, vec![], Some(b"text"));
            }
            "trap" => panic!("asked to trap"),
            "reset" => {
                let _ = hostcalls::reset_http_request();
            }
            "hold" => {
                let _ = self.set_shared_data("hold", Some(self.id.to_string().as_bytes()), None);
            }
            "life" => reply(&["alive".to_owned()]),
            "pass" | "pass-mutated" => {
                self.add_http_request_header("x-added", "1");
                return Action::Continue;
            }
            "body" => {
                self.lines.push(format!("headers end={end_of_stream}"));
                if end_of_stream {
                    reply(&self.lines);
                }
            }
            _ => reply(&["unknown case".to_owned()]),
        }
        Action::Pause
    }
}

impl HttpContext for Probe {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let path = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, ":path")
            .ok()
            .flatten()
            .unwrap_or_default();
        let case = String::from_utf8_lossy(&path)
            .trim_start_matches("/probe/")
            .to_owned();
        // Whatever goes on to an upstream is one case; what the upstream does is in the rest of the path.
        self.case = match case.split('/').collect::<Vec<_>>()[..] {
            [
                "to",
                how @ ("pass" | "late" | "hold" | "body" | "elsewhere" | "dead" | "transcript"),
                ..,
            ] => format!("to-{how}"),
            _ => case,
        };
        let name = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, "x-transcript");
        let name = name.ok().flatten().unwrap_or_default();
        self.transcript = String::from_utf8_lossy(&name).into_owned();
        self.phase("request headers");
        self.headers_case(end_of_stream)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if ["transcript", "to-transcript"].contains(&self.case.as_str()) {
            // Where the network cuts a body is its own affair; all of this one comes in one part.
            if size > 0 {
                self.phase("request body");
            }
            if end_of_stream && self.case == "transcript" {
                self.answer();
            }
            return if self.case == "transcript" {
                Action::Pause
            } else {
                Action::Continue
            };
        }
        if ["hold", "to-pass", "to-dead", "to-elsewhere"].contains(&self.case.as_str()) {
            return Action::Continue;
        }
        if self.case == "to-hold" && raw::map_value(0, ":method").0 != 0 {
            // Its headers have gone on.
            return Action::Continue;
        }
        if self.case == "to-body" && end_of_stream {
            self.set_http_request_body(0, size, b"replaced");
            self.set_http_request_header("content-length", None);
            return Action::Continue;
        }
        if self.case != "body" {
            return Action::Pause;
        }
        let body = self.get_http_request_body(0, size).unwrap_or_default();
        self.lines.push(format!(
            "body size={size} read={} end={end_of_stream}",
            body.len()
        ));
        if end_of_stream {
            // How the bytes were cut is the network's affair; that the last call sees all of them is the host's.
            let (status, _) = raw::map_value(0, ":method");
            reply(&[
                self.lines[0].clone(),
                self.lines[self.lines.len() - 1].clone(),
                format!("headers still {status}"),
            ]);
        }
        Action::Pause
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        self.phase("request trailers");
        if self.case == "transcript" {
            self.answer();
            return Action::Pause;
        }
        if self.case.starts_with("to-") {
            self.set_http_request_trailer("x-drop", None);
            self.add_http_request_trailer("x-more", "1");
            let held = self.case == "to-hold" && raw::map_value(0, ":method").0 == 0;
            return if held {
                Action::Pause
            } else {
                Action::Continue
            };
        }
        let trailer = self
            .get_http_request_trailer_bytes("x-t")
            .unwrap_or_default();
        let body = self
            .get_http_request_body(0, usize::MAX)
            .unwrap_or_default();
        reply(&[format!(
            "trailers {count} {} body={}",
            shown(&trailer),
            body.len()
        )]);
        Action::Pause
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.phase("response headers");
        self.add_http_response_header(
            "x-probe",
            if end_of_stream {
                "headers-end"
            } else {
                "headers"
            },
        );
        if self.case.starts_with("to-") {
            self.set_http_response_header("x-from", Some("module"));
            self.set_http_response_header("x-internal", None);
            if self.case == "to-late" {
                let _ = hostcalls::send_http_response(418, vec![("x-late", "1")], Some(b"late"));
                return Action::Pause;
            }
        }
        if self.case.starts_with("pass") {
            let (pairs, _) = raw::map_pairs(0);
            let (value, _) = raw::map_value(0, ":method");
            let text = format!("pairs={pairs} value={value} add={}", raw::add(0, "x", "y"));
            self.add_http_response_header("x-after-continue", &text);
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if size > 0 {
            self.phase("response body");
        }
        if self.case == "to-body" {
            if !end_of_stream {
                return Action::Pause;
            }
            let body = self.get_http_response_body(0, size).unwrap_or_default();
            self.set_http_response_body(0, size, &body.to_ascii_uppercase());
        }
        self.note(&format!("response-body {size} {end_of_stream}"));
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.phase("response trailers");
        self.set_http_response_trailer("x-drop", None);
        Action::Continue
    }

    fn on_log(&mut self) {
        self.phase("log");
        let (status, path) = raw::map_value(0, ":path");
        self.note(&format!("log({status} {})", shown(&path)));
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.note("deleted");
        self.phase("delete");
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks_exact(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}
