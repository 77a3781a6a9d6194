//! `Watch/Watch`: one task per stream, which brings its watches up to the newest revision and then waits.
//!
//! The task reads history from the store at its client's pace: while an answer waits to be taken, nothing is read. So a
//! slow client holds a bounded number of answers, whatever happens in the store meanwhile.

use std::sync::Arc;

use etcd_wire::watch_request::RequestUnion;
use etcd_wire::{Event, WatchCreateRequest, WatchRequest, WatchResponse};
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch as latest};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::events;
use super::watches::{Delivery, Watches};
use crate::Shared;
use crate::limits::{MAX_REQUEST_BYTES, WATCH_OUTPUT_DEPTH};
use crate::refusal::Refusal;
use crate::rpc::watch_server::Watch as WatchService;

/// The number in answers that concern no watch: progress of the stream, and a watch that was not created.
const NO_WATCH: i64 = -1;

/// The service.
pub struct Watch {
    shared: Arc<Shared>,
    stopping: latest::Receiver<bool>,
}

impl Watch {
    /// Over this engine; streams end when `stopping` turns true.
    pub fn new(shared: Arc<Shared>, stopping: latest::Receiver<bool>) -> Watch {
        Watch { shared, stopping }
    }
}

#[tonic::async_trait]
impl WatchService for Watch {
    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let place = Arc::clone(&self.shared.watch_streams)
            .try_acquire_owned()
            .map_err(|_| Refusal::TooManyRequests)?;
        let (output, answers) = mpsc::channel(WATCH_OUTPUT_DEPTH);
        let stream = Stream {
            shared: Arc::clone(&self.shared),
            newest: self.shared.newest.clone(),
            watches: Watches::default(),
            progress_asked: 0,
            told: 0,
            output,
            _place: place,
        };
        let mut stopping = self.stopping.clone();
        tokio::spawn(async move {
            let output = stream.output.clone();
            let ended = tokio::select! {
                ended = stream.run(request.into_inner()) => ended,
                _ = stopping.wait_for(|stop| *stop) => Err(Refusal::Stopped.into()),
            };
            if let Err(status) = ended {
                // Full or closed: the client is slow or gone, and sees the stream end either way.
                let _ = output.try_send(Err(status));
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

/// One client's stream.
struct Stream {
    shared: Arc<Shared>,
    newest: latest::Receiver<i64>,
    watches: Watches,
    /// Progress requests that are not answered yet.
    progress_asked: u32,
    /// Every watch has been told everything up to here.
    told: i64,
    output: mpsc::Sender<Result<WatchResponse, Status>>,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    async fn run(mut self, mut requests: Streaming<WatchRequest>) -> Result<(), Status> {
        let period = self.shared.progress_interval;
        let mut progress = interval_at(Instant::now() + period, period);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let revision = self.revision();
            let behind = self.watches.behind(revision).is_some();
            if !behind {
                self.told = revision;
                self.answer_progress().await?;
            }
            tokio::select! {
                // Requests first: a client that cancels does not have to read on.
                biased;
                request = requests.message() => match request? {
                    Some(request) => self.request(request).await?,
                    None => return Ok(()),
                },
                // Ready at once when there is something to tell.
                () = std::future::ready(()), if behind => self.catch_up().await?,
                changed = self.newest.changed() => changed.map_err(|_| Refusal::Stopped)?,
                _ = progress.tick() => self.tell_silent().await?,
                () = self.output.closed() => return Ok(()),
            }
        }
    }

    fn revision(&mut self) -> i64 {
        *self.newest.borrow_and_update()
    }

    async fn request(&mut self, request: WatchRequest) -> Result<(), Status> {
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => self.create(&create).await,
            Some(RequestUnion::CancelRequest(cancel)) => {
                if !self.watches.remove(cancel.watch_id) {
                    return Ok(());
                }
                let revision = self.revision();
                self.send(WatchResponse {
                    header: Some(self.shared.header(revision)),
                    watch_id: cancel.watch_id,
                    canceled: true,
                    ..Default::default()
                })
                .await
            }
            Some(RequestUnion::ProgressRequest(_)) => {
                self.progress_asked = self.progress_asked.saturating_add(1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn create(&mut self, request: &WatchCreateRequest) -> Result<(), Status> {
        let revision = self.revision();
        let created = self.watches.create(request, revision);
        let mut response = WatchResponse {
            header: Some(self.shared.header(revision)),
            created: true,
            ..Default::default()
        };
        match created {
            Ok(id) => response.watch_id = id,
            Err(error) => {
                response.watch_id = NO_WATCH;
                response.canceled = true;
                response.cancel_reason = error.to_string();
            }
        }
        self.send(response).await
    }

    /// One step towards the newest revision, for all watches that are behind.
    async fn catch_up(&mut self) -> Result<(), Status> {
        let revision = self.revision();
        let Some(from) = self.watches.behind(revision) else {
            return Ok(());
        };
        let interests = self.watches.interests(revision);
        let batch = self
            .shared
            .reads
            .run_patiently(move |snapshot| events::read(snapshot, from..=revision, &interests))
            .await?;
        let compacted = batch.progress.compacted;
        for watch_id in self.watches.remove_compacted(compacted) {
            self.send(WatchResponse {
                // etcd names no revision here: the watch has seen none.
                header: Some(self.shared.header(0)),
                watch_id,
                canceled: true,
                compact_revision: compacted,
                ..Default::default()
            })
            .await?;
        }
        for delivery in self.watches.deliver(&batch.events, batch.through) {
            self.deliver(delivery, batch.through).await?;
        }
        Ok(())
    }

    /// Sends events, cut to the message bound when the client can join them again.
    async fn deliver(&mut self, delivery: Delivery, revision: i64) -> Result<(), Status> {
        let mut rest = delivery.events.into_iter().peekable();
        while rest.peek().is_some() {
            let mut events: Vec<Event> = Vec::new();
            let mut bytes = 0;
            while let Some(event) = rest.peek() {
                bytes += event.encoded_len();
                if delivery.fragment && bytes > MAX_REQUEST_BYTES && !events.is_empty() {
                    break;
                }
                events.extend(rest.next());
            }
            self.send(WatchResponse {
                header: Some(self.shared.header(revision)),
                watch_id: delivery.watch_id,
                fragment: rest.peek().is_some(),
                events,
                ..Default::default()
            })
            .await?;
        }
        Ok(())
    }

    /// Called when every watch has been told everything: only then is progress the truth.
    async fn answer_progress(&mut self) -> Result<(), Status> {
        while self.progress_asked > 0 {
            self.progress_asked -= 1;
            self.tell_progress(NO_WATCH).await?;
        }
        Ok(())
    }

    async fn tell_silent(&mut self) -> Result<(), Status> {
        for watch_id in self.watches.silent() {
            self.tell_progress(watch_id).await?;
        }
        Ok(())
    }

    async fn tell_progress(&mut self, watch_id: i64) -> Result<(), Status> {
        // Not the newest revision of this instant, which the watches may not have been told of yet.
        self.send(WatchResponse {
            header: Some(self.shared.header(self.told)),
            watch_id,
            ..Default::default()
        })
        .await
    }

    async fn send(&self, response: WatchResponse) -> Result<(), Status> {
        self.output
            .send(Ok(response))
            .await
            .map_err(|_| Status::cancelled("the client is gone"))
    }
}
