//! A callout by a root context in its tick, on each VM that ticks: what came of it stands in shared data.

use std::time::Duration;

use proxy_wasm::hostcalls;

use crate::{raw, shown};

/// What is asked for, as a stream left it: `NUMBER TIMEOUT_MS CLUSTER PATH`.
pub const ASKED: &str = "fetch";

/// One root's fetching. Each number is fetched once.
#[derive(Default)]
pub struct Fetching {
    number: String,
}

impl Fetching {
    pub fn tick(&mut self) {
        let asked = hostcalls::get_shared_data(ASKED).ok();
        let asked = asked.and_then(|(value, _)| String::from_utf8(value?).ok());
        let asked = asked.unwrap_or_default();
        let words: Vec<_> = asked.split(' ').collect();
        let [number, timeout_ms, cluster, path] = words[..] else {
            return;
        };
        if self.number == number {
            return;
        }
        self.number = number.to_owned();
        let headers = vec![
            (":method", "GET"),
            (":path", path),
            (":authority", "up.test"),
        ];
        let timeout = Duration::from_millis(timeout_ms.parse().unwrap_or(0));
        let sent = hostcalls::dispatch_http_call(cluster, headers, None, vec![], timeout);
        if let Err(status) = sent {
            self.note(&format!("not sent {}", status as u32));
        }
    }

    pub fn answered(&self, headers: usize, body: usize, trailers: usize) {
        let (status, value) = raw::map_value(6, ":status");
        let (read, bytes) = raw::buffer(4, 0, usize::MAX);
        let (_, time) = raw::map_value(6, "x-envoy-upstream-service-time");
        let (code, message) = raw::status();
        let ended = if headers == 0 {
            format!(" status={code} {message}")
        } else {
            String::new()
        };
        self.note(&format!(
            "headers={} {status} {} body={body} read={read} {} trailers={trailers} upstream={} {}{ended}",
            headers > 0,
            shown(&value),
            bytes.len(),
            !time.is_empty(),
            shown(&bytes[..bytes.len().min(100)]).trim_end_matches('x'),
        ));
    }

    /// Adds a line; several VMs do.
    fn note(&self, line: &str) {
        let key = format!("fetched-{}", self.number);
        loop {
            let (had, version) = hostcalls::get_shared_data(&key).unwrap_or_default();
            let text = [&had.unwrap_or_default()[..], line.as_bytes(), b"\n"].concat();
            let version = version.or(Some(u32::MAX));
            if hostcalls::set_shared_data(&key, Some(&text), version).is_ok() {
                return;
            }
        }
    }
}
