//! `KV/Range` and `KV/Txn`.
//!
//! Reads go to a snapshot, everything that might write goes to the writer, whichever branch it will take.

use std::sync::Arc;

use etcd_wire::{RangeRequest, RangeResponse, TxnRequest, TxnResponse};
use tonic::{Request, Response, Status};

use crate::Shared;
use crate::rpc::kv_server::Kv as KvService;
use crate::txn::{answer, check_range, check_txn, is_read_only, range};

/// The service.
pub struct Kv {
    shared: Arc<Shared>,
}

impl Kv {
    /// Over this engine.
    pub fn new(shared: Arc<Shared>) -> Kv {
        Kv { shared }
    }
}

#[tonic::async_trait]
impl KvService for Kv {
    async fn range(
        &self,
        request: Request<RangeRequest>,
    ) -> Result<Response<RangeResponse>, Status> {
        let request = request.into_inner();
        check_range(&request)?;
        let mut response = self
            .shared
            .reads
            .run(move |snapshot| range(&request, &snapshot.view(), snapshot.progress()))
            .await?;
        self.shared.fill(&mut response.header);
        Ok(Response::new(response))
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        let request = request.into_inner();
        check_txn(&request)?;
        let mut response = if is_read_only(&request) {
            self.shared
                .reads
                .run(move |snapshot| answer(&request, &snapshot.view(), snapshot.progress()))
                .await?
        } else {
            self.shared.writer.txn(request).await?
        };
        self.shared.fill(&mut response.header);
        Ok(Response::new(response))
    }
}
