//! Keys in the engine, by `KV/Txn` and `KV/Range` alone: all that the embedded engine has of etcd's KV service.
//!
//! Knows no entries, only keys that are there or not.

use std::time::Duration;

use engine::rpc::kv_client::KvClient;
use etcd_wire::request_op::Request;
use etcd_wire::response_op::Response;
use etcd_wire::{DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, TxnResponse};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use super::entry::PREFIX_END;

/// How long the engine may take to be reached, and for each call.
const CALL_BOUND: Duration = Duration::from_secs(10);
/// Keys of one page. Of the longest, 12 KiB, they stay under the 4 MiB that a gRPC client takes.
const PAGE_KEYS: i64 = 250;

/// What the engine did not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No address of an engine.
    #[error("{given:?} is no HOST:PORT: {source}")]
    Address {
        /// What was given.
        given: String,
        /// Why.
        source: tonic::transport::Error,
    },
    /// A call failed.
    #[error("the engine: {code}: {message}", code = status.code(), message = status.message())]
    Call {
        /// The engine's answer, or the transport's.
        status: Box<Status>,
    },
}

impl From<Status> for StoreError {
    fn from(status: Status) -> Self {
        Self::Call {
            status: Box::new(status),
        }
    }
}

/// An engine.
#[derive(Debug)]
pub struct Store {
    client: KvClient<Channel>,
}

/// A part of the list.
#[derive(Debug)]
pub struct Page {
    /// Ascending.
    pub keys: Vec<Vec<u8>>,
    /// Whether more keys follow.
    pub more: bool,
}

impl Store {
    /// The engine at `address`, not yet connected to.
    ///
    /// # Errors
    /// [`StoreError::Address`].
    pub fn connect(address: &str) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Address {
            given: address.to_owned(),
            source,
        };
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(failed)?;
        let channel = endpoint
            .connect_timeout(CALL_BOUND)
            .timeout(CALL_BOUND)
            .connect_lazy();
        Ok(Self {
            client: KvClient::new(channel),
        })
    }

    /// Puts `key` with an empty value, whether or not it is there.
    ///
    /// # Errors
    /// [`StoreError::Call`].
    pub async fn put(&mut self, key: Vec<u8>) -> Result<(), StoreError> {
        let put = PutRequest {
            key: key.into(),
            ..Default::default()
        };
        self.txn(Request::RequestPut(put)).await.map(drop)
    }

    /// Deletes `key`; whether it was there.
    ///
    /// # Errors
    /// [`StoreError::Call`].
    pub async fn remove(&mut self, key: Vec<u8>) -> Result<bool, StoreError> {
        let delete = DeleteRangeRequest {
            key: key.into(),
            ..Default::default()
        };
        let done = self.txn(Request::RequestDeleteRange(delete)).await?;
        Ok(done.responses.iter().any(|answer| {
            matches!(&answer.response, Some(Response::ResponseDeleteRange(deleted)) if deleted.deleted > 0)
        }))
    }

    /// The keys from `from` on, up to a page.
    ///
    /// # Errors
    /// [`StoreError::Call`].
    pub async fn page(&mut self, from: &[u8]) -> Result<Page, StoreError> {
        let range = RangeRequest {
            key: from.to_vec().into(),
            range_end: PREFIX_END.into(),
            limit: PAGE_KEYS,
            keys_only: true,
            ..Default::default()
        };
        let answer = self.client.range(range).await?.into_inner();
        Ok(Page {
            keys: answer.kvs.iter().map(|kv| kv.key.to_vec()).collect(),
            more: answer.more,
        })
    }

    async fn txn(&mut self, operation: Request) -> Result<TxnResponse, StoreError> {
        let request = TxnRequest {
            success: vec![RequestOp {
                request: Some(operation),
            }],
            ..Default::default()
        };
        Ok(self.client.txn(request).await?.into_inner())
    }
}
