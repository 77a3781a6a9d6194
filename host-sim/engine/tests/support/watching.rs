//! One watch stream under test: requests in, answers out, each wait bounded.

use std::time::Duration;

use etcd_wire::watch_request::RequestUnion;
use etcd_wire::{
    Event, WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest,
    WatchResponse,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::server::{Server, anonymous};

/// An answer that does not come by then does not come.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// An open watch stream.
pub struct Watching {
    requests: mpsc::Sender<WatchRequest>,
    answers: Answers,
}

/// etcd answers a call's headers with its first message, so the call is only awaited when a message is.
enum Answers {
    Opening(JoinHandle<Result<Streaming<WatchResponse>, Status>>),
    Open(Box<Streaming<WatchResponse>>),
}

impl Watching {
    pub fn open(server: &Server) -> Watching {
        let (requests, sent) = mpsc::channel(16);
        let mut client = server.watch();
        let opening = tokio::spawn(async move {
            let answers = client.watch(ReceiverStream::new(sent)).await;
            answers.map(|answers| answers.into_inner())
        });
        Watching {
            requests,
            answers: Answers::Opening(opening),
        }
    }

    pub async fn send(&self, request: RequestUnion) {
        let request = WatchRequest {
            request_union: Some(request),
        };
        self.requests.send(request).await.expect("an open stream");
    }

    /// Creates a watch and returns the answer to that.
    pub async fn create(&mut self, request: WatchCreateRequest) -> WatchResponse {
        self.send(RequestUnion::CreateRequest(request)).await;
        let answer = self.next().await;
        assert!(answer.created, "{answer:?}");
        answer
    }

    pub async fn cancel(&self, watch_id: i64) {
        self.send(RequestUnion::CancelRequest(WatchCancelRequest { watch_id }))
            .await;
    }

    pub async fn ask_progress(&self) {
        self.send(RequestUnion::ProgressRequest(WatchProgressRequest {}))
            .await;
    }

    /// The next answer, made comparable.
    pub async fn next(&mut self) -> WatchResponse {
        let mut answer = self
            .try_next()
            .await
            .expect("no failure")
            .expect("an answer, not the end of the stream");
        anonymous(&mut answer.header);
        answer
    }

    /// The next answer, the end, or the failure of the stream.
    pub async fn try_next(&mut self) -> Result<Option<WatchResponse>, Status> {
        tokio::time::timeout(ANSWER_LIMIT, self.message())
            .await
            .expect("an answer in time")
    }

    async fn message(&mut self) -> Result<Option<WatchResponse>, Status> {
        if let Answers::Opening(opening) = &mut self.answers {
            let opened = opening.await.expect("the call does not panic")?;
            self.answers = Answers::Open(Box::new(opened));
        }
        match &mut self.answers {
            Answers::Open(answers) => answers.message().await,
            Answers::Opening(_) => unreachable!("opened above"),
        }
    }

    /// The next `count` events of any watch, in the order of arrival, each with its watch.
    pub async fn events(&mut self, count: usize) -> Vec<(i64, Event)> {
        let mut events = Vec::new();
        while events.len() < count {
            let answer = self.next().await;
            assert!(!answer.events.is_empty(), "{answer:?}");
            let known = answer.header.map_or(0, |header| header.revision);
            for event in answer.events {
                let changed = event.kv.as_ref().map_or(0, |kv| kv.mod_revision);
                assert!(changed <= known, "an event of the future: {event:?}");
                events.push((answer.watch_id, event));
            }
        }
        assert_eq!(events.len(), count, "{events:?}");
        events
    }
}

/// A watch on a range from `start_revision` on.
pub fn on(key: &str, range_end: &str, start_revision: i64) -> WatchCreateRequest {
    WatchCreateRequest {
        key: key.to_owned().into(),
        range_end: range_end.to_owned().into(),
        start_revision,
        ..Default::default()
    }
}
