//! What a module lets through, on its way to an upstream over HTTP/1.1, and the upstream's answer on its way back.
//!
//! One task per request. Bodies pass as they come, bounded in both directions. Says how each way of failing looks to the
//! client, as Envoy's router does; whether a module holds something back is the VM's affair.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::backlog::Backlog;
use super::body::{FedBody, Part};
use super::callout::{Broken, Cluster, DISCONNECTED};
use super::convert::{add_all, from_map, to_map};
use super::local::{Local, StreamKey, Task};
use crate::headers::Headers;
use crate::stream::Side;

/// The request's way to its upstream, as long as it is open.
#[derive(Debug)]
pub(super) struct Forwarded {
    parts: UnboundedSender<Part>,
    backlog: Backlog,
    /// Told when nothing more of the request follows: from then on the upstream's time runs.
    whole: Rc<Notify>,
}

impl Forwarded {
    /// Handed over, and not taken by the upstream.
    pub fn waiting_bytes(&self) -> usize {
        self.backlog.bytes()
    }

    /// A part of the body.
    pub fn body(&self, data: Vec<u8>, end_stream: bool) {
        self.backlog.add(data.len());
        let _ = self.parts.send(Part::Data(Bytes::from(data), end_stream));
        if end_stream {
            self.whole.notify_one();
        }
    }

    /// What ends it.
    pub fn trailers(&self, trailers: &Headers) {
        let _ = self.parts.send(Part::Trailers(to_map(trailers)));
        self.whole.notify_one();
    }
}

/// Why there is no whole answer.
enum Fault {
    /// Envoy's words for it.
    Broken(&'static str),
    /// No answer in time.
    Overdue,
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Self::Broken(match broken {
            Broken::Connect => "remote connection failure",
            Broken::BeforeHead | Broken::AfterHead => "connection termination",
        })
    }
}

type Body = FedBody<()>;

impl Local {
    /// Sends a request to the upstream that its path leads to; without a route it is answered with 404.
    pub(super) fn forward(self: &Rc<Self>, key: StreamKey, headers: &Headers, end_stream: bool) {
        let cluster = self
            .routes
            .find(headers)
            .and_then(|name| self.clusters.get(name))
            .cloned();
        let Some(cluster) = cluster else {
            self.answer(key, 404, "");
            return;
        };
        let whole = Rc::new(Notify::new());
        let body = if end_stream {
            whole.notify_one();
            Body::whole(Bytes::new())
        } else {
            let (parts, receiver) = unbounded_channel();
            let backlog = Backlog::new(Rc::clone(&self.progress));
            let body = Body::fed(receiver, None).counted(backlog.clone());
            let whole = Rc::clone(&whole);
            self.keep_forwarded(
                key,
                Forwarded {
                    parts,
                    backlog,
                    whole,
                },
            );
            body
        };
        let Some(request) = request(headers, body, self.limits.route.as_millis()) else {
            self.answer(key, 503, &words("protocol error"));
            return;
        };
        let local = Rc::clone(self);
        self.spawn(Task::Upstream(key.stream()), async move {
            let begun = Cell::new(false);
            let overdue = async {
                whole.notified().await;
                tokio::time::sleep(local.limits.route).await;
            };
            let ended = tokio::select! {
                ended = exchange(&local, key, &cluster, request, &begun) => ended,
                () = overdue => Err(Fault::Overdue),
            };
            match ended {
                Ok(()) => {}
                Err(_) if begun.get() => local.break_off(key),
                Err(Fault::Broken(reason)) => local.answer(key, 503, &words(reason)),
                Err(Fault::Overdue) => local.answer(key, 504, "upstream request timeout"),
            }
        });
    }
}

fn words(reason: &str) -> String {
    format!("{DISCONNECTED}{reason}")
}

/// `None`: the module left something that is no HTTP request.
fn request(headers: &Headers, body: Body, limit_ms: u128) -> Option<Request<Body>> {
    let mut request = Request::new(body);
    let text = |name: &str| std::str::from_utf8(headers.get(name)?).ok();
    *request.method_mut() = text(":method")?.parse().ok()?;
    *request.uri_mut() = text(":path")?.parse().ok()?;
    let authority = HeaderValue::from_bytes(headers.get(":authority")?).ok()?;
    let map = request.headers_mut();
    *map = to_map(headers);
    map.insert("host", authority);
    let limit = HeaderValue::from_str(&limit_ms.to_string()).ok()?;
    map.insert("x-envoy-expected-rq-timeout-ms", limit);
    if !request.body().is_end_stream() && !request.headers().contains_key("content-length") {
        // Said aloud: the client would take a GET of unknown length for one without a body, and leave the body out.
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert("transfer-encoding", chunked);
    }
    Some(request)
}

/// Sends the request and gives the answer to the VM as it comes.
async fn exchange(
    local: &Rc<Local>,
    key: StreamKey,
    cluster: &Cluster,
    request: Request<Body>,
    begun: &Cell<bool>,
) -> Result<(), Fault> {
    let started = Instant::now();
    let mut sender = cluster.http1().await?;
    let sent = sender.send_request(request).await;
    let (head, mut body) = sent
        .map_err(|_| Fault::from(Broken::BeforeHead))?
        .into_parts();
    let mut headers = Headers::default();
    headers.add(b":status", head.status.as_str().as_bytes());
    add_all(&mut headers, &head.headers);
    headers.set(
        b"x-envoy-upstream-service-time",
        started.elapsed().as_millis().to_string().as_bytes(),
    );
    begun.set(true);
    let mut over = body.is_end_stream();
    local.call(key, |vm| vm.response_headers(key.stream(), headers, over));
    while !over {
        local.room(key, Side::Response).await;
        match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    over = body.is_end_stream();
                    local.call(key, |vm| vm.response_body(key.stream(), &data, over));
                }
                Err(frame) => {
                    over = true;
                    let trailers = frame.trailers_ref().map(from_map).unwrap_or_default();
                    local.call(key, |vm| vm.response_trailers(key.stream(), trailers));
                }
            },
            None => {
                over = true;
                local.call(key, |vm| vm.response_body(key.stream(), &[], true));
            }
            Some(Err(_)) => return Err(Broken::AfterHead.into()),
        }
    }
    Ok(())
}
