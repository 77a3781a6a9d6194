//! The engine's keys, past the gateways: by the same calls that these make.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::rpc::kv_client::KvClient;
use etcd_wire::request_op::Request;
use etcd_wire::{DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

use crate::driver::{KeySeen, Result, Trouble};

/// How long the engine may take to be reached, and for each call.
const CALL_BOUND: Duration = Duration::from_secs(10);

pub(super) struct Store {
    client: KvClient<Channel>,
    runtime: Arc<Runtime>,
}

impl Store {
    pub(super) fn connect(address: SocketAddr, runtime: &Arc<Runtime>) -> Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(Trouble::of)?;
        let _inside = runtime.enter();
        let channel = endpoint
            .connect_timeout(CALL_BOUND)
            .timeout(CALL_BOUND)
            .connect_lazy();
        Ok(Self {
            client: KvClient::new(channel),
            runtime: Arc::clone(runtime),
        })
    }

    pub(super) fn mark(&self, key: &[u8], present: bool) -> Result<()> {
        let key = bytes::Bytes::copy_from_slice(key);
        let request = if present {
            Request::RequestPut(PutRequest {
                key,
                ..PutRequest::default()
            })
        } else {
            Request::RequestDeleteRange(DeleteRangeRequest {
                key,
                ..DeleteRangeRequest::default()
            })
        };
        let txn = TxnRequest {
            success: vec![RequestOp {
                request: Some(request),
            }],
            ..TxnRequest::default()
        };
        let mut client = self.client.clone();
        let done = self.runtime.block_on(client.txn(txn));
        done.map(drop).map_err(Trouble::of)
    }

    pub(super) fn keys(&self, prefix: &[u8]) -> Result<Vec<KeySeen>> {
        let mut end = prefix.to_vec();
        // Prefixes end in `/`, which is no last byte.
        if let Some(last) = end.last_mut() {
            *last = last.saturating_add(1);
        }
        let range = RangeRequest {
            key: bytes::Bytes::copy_from_slice(prefix),
            range_end: end.into(),
            keys_only: true,
            ..RangeRequest::default()
        };
        let mut client = self.client.clone();
        let answer = self
            .runtime
            .block_on(client.range(range))
            .map_err(Trouble::of)?;
        let keys = answer.into_inner().kvs.into_iter();
        Ok(keys
            .map(|it| KeySeen {
                key: it.key.to_vec(),
                writes: u64::try_from(it.version).unwrap_or(0),
            })
            .collect())
    }
}
