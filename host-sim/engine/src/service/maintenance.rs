//! `Maintenance/Status`: that the engine is there, which one, and how large.

use std::sync::Arc;

use etcd_wire::{StatusRequest, StatusResponse};
use tonic::{Request, Response, Status};

use crate::Shared;
use crate::rpc::maintenance_server::Maintenance as MaintenanceService;

/// The etcd version whose API is served; what follows the `+` says that this is not etcd.
const VERSION: &str = "3.4.23+embedded";

/// The service.
pub struct Maintenance {
    shared: Arc<Shared>,
}

impl Maintenance {
    /// Over this engine.
    pub fn new(shared: Arc<Shared>) -> Maintenance {
        Maintenance { shared }
    }
}

#[tonic::async_trait]
impl MaintenanceService for Maintenance {
    async fn status(
        &self,
        _request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        let header = self.shared.header(self.shared.revision());
        let file = tokio::fs::metadata(self.shared.reads.path()).await?;
        let db_size = i64::try_from(file.len()).unwrap_or(i64::MAX);
        let index = header.revision.cast_unsigned();
        Ok(Response::new(StatusResponse {
            version: VERSION.to_owned(),
            db_size,
            db_size_in_use: db_size,
            leader: header.member_id,
            raft_index: index,
            raft_term: header.raft_term,
            raft_applied_index: index,
            errors: Vec::new(),
            is_learner: false,
            header: Some(header),
        }))
    }
}
