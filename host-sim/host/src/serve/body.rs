//! A body fed from a channel: responses to clients, requests to upstreams, requests of gRPC streams.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc::UnboundedReceiver;

use super::backlog::Backlog;

/// What a body is fed with.
#[derive(Debug)]
pub enum Part {
    /// Bytes; when true, the last ones.
    Data(Bytes, bool),
    /// Trailers, which end it.
    Trailers(http::HeaderMap),
    /// It breaks off: the peer sees a reset, not an end.
    Broken,
}

/// The body was broken off on purpose.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
pub struct BrokenOff;

/// See the module's text. Holds `guard` for as long as the body lives.
#[derive(Debug)]
pub struct FedBody<G> {
    whole: Option<Bytes>,
    parts: Option<UnboundedReceiver<Part>>,
    guard: Option<G>,
    backlog: Option<Backlog>,
}

impl<G> FedBody<G> {
    /// Nothing but these bytes.
    pub fn whole(bytes: Bytes) -> Self {
        Self {
            whole: Some(bytes).filter(|bytes| !bytes.is_empty()),
            parts: None,
            guard: None,
            backlog: None,
        }
    }

    /// What comes through the channel.
    pub fn fed(parts: UnboundedReceiver<Part>, guard: Option<G>) -> Self {
        Self {
            whole: None,
            parts: Some(parts),
            guard,
            backlog: None,
        }
    }

    /// Tells `backlog` what was taken.
    pub fn counted(mut self, backlog: Backlog) -> Self {
        self.backlog = Some(backlog);
        self
    }
}

impl<G: Unpin> Body for FedBody<G> {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(bytes) = self.whole.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let Some(parts) = self.parts.as_mut() else {
            return Poll::Ready(None);
        };
        let part = std::task::ready!(parts.poll_recv(context));
        let (frame, over) = match part {
            Some(Part::Data(bytes, last)) => {
                if let Some(backlog) = &self.backlog {
                    backlog.take(bytes.len());
                }
                (Some(Ok(Frame::data(bytes))), last)
            }
            Some(Part::Trailers(trailers)) => (Some(Ok(Frame::trailers(trailers))), true),
            Some(Part::Broken) => (Some(Err(BrokenOff)), true),
            None => (None, true),
        };
        if over {
            self.parts = None;
            self.guard = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.whole.is_none() && self.parts.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.whole, &self.parts) {
            (Some(bytes), _) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            (None, None) => SizeHint::with_exact(0),
            (None, Some(_)) => SizeHint::default(),
        }
    }
}
