//! The engine on the network: three gRPC services over HTTP/2, their bounds, and how serving ends.
//!
//! Translates between messages and the engine's own functions; what an answer says is decided in `txn` and `store`.

mod events;
mod kv;
mod maintenance;
mod watch;
mod watches;

use std::future::Future;
use std::sync::Arc;

use etcd_wire::ResponseHeader;
use tokio::net::TcpListener;
use tokio::sync::watch as latest;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::limits::{
    CONNECTION_WINDOW_BYTES, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, MAX_CONCURRENT_STREAMS,
    MAX_MESSAGE_BYTES, STOP_GRACE, STREAM_WINDOW_BYTES,
};
use crate::rpc::kv_server::KvServer;
use crate::rpc::maintenance_server::MaintenanceServer;
use crate::rpc::watch_server::WatchServer;
use crate::{ServeError, Shared};

/// Serves until `shutdown` completes or the writer fails; then ends watches, and waits for other calls for a grace
/// period.
pub async fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (stop, stopping) = latest::channel(false);
    let writer_ending = shared.writer_ending.clone();
    let router = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .add_service(
            KvServer::new(kv::Kv::new(Arc::clone(&shared)))
                .max_decoding_message_size(MAX_MESSAGE_BYTES),
        )
        .add_service(
            WatchServer::new(watch::Watch::new(Arc::clone(&shared), stopping.clone()))
                .max_decoding_message_size(MAX_MESSAGE_BYTES),
        )
        .add_service(MaintenanceServer::new(maintenance::Maintenance::new(
            shared,
        )));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let mut told = stopping;
    let serving = router.serve_with_incoming_shutdown(incoming, async move {
        // An error means that the sender is gone, and with it the caller.
        let _ = told.wait_for(|stop| *stop).await;
    });
    tokio::pin!(serving);
    let ended = tokio::select! {
        served = &mut serving => return Ok(served?),
        () = shutdown => Ok(()),
        // An engine that only reads would look alive to whoever watches over it.
        reason = writer_ending.reason() => Err(ServeError::Writer(reason)),
    };
    stop.send_replace(true);
    // A peer that never lets go of its calls does not keep the engine up.
    let served = tokio::time::timeout(STOP_GRACE, serving).await;
    ended?;
    Ok(served.unwrap_or(Ok(()))?)
}

impl Shared {
    /// The header of an answer given at `revision`.
    fn header(&self, revision: i64) -> ResponseHeader {
        let identity = self.reads.identity();
        ResponseHeader {
            cluster_id: identity.cluster_id,
            member_id: identity.member_id,
            revision,
            raft_term: identity.term,
        }
    }

    /// Adds to a header that carries a revision who it is that answers.
    fn fill(&self, header: &mut Option<ResponseHeader>) {
        let revision = header.as_ref().map_or(0, |header| header.revision);
        *header = Some(self.header(revision));
    }

    /// The newest revision on disk.
    fn revision(&self) -> i64 {
        *self.newest.borrow()
    }
}
