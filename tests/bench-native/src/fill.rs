//! Many accounts in an engine, quickly: one account's document, made by the gateway itself, copied under many keys.
//!
//! A document does not say whose it is, its key does. The key's form is repeated here, as any other program's that reads
//! the store would; whether the gateway finds what was put is for the caller to check.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use engine::rpc::kv_client::KvClient;
use etcd_wire::{PutRequest, RangeRequest, RequestOp, TxnRequest, request_op};
use tonic::transport::Channel;

use crate::compares::client;

/// Puts of one transaction: etcd takes 128 operations.
const BATCH: u64 = 100;
/// Transactions on the way.
const AT_ONCE: u64 = 8;

/// Command line of `bench-native fill`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The engine.
    #[arg(long, value_name = "IP:PORT")]
    engine: SocketAddr,
    /// Whose accounts.
    #[arg(long)]
    tenant: String,
    /// The customer whose document is copied.
    #[arg(long)]
    like: String,
    /// What the ids of the new customers begin with; a number follows, from 0.
    #[arg(long)]
    customer_prefix: String,
    /// How many.
    #[arg(long)]
    count: u64,
}

/// Puts them all, and prints how many and of what size.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut kv = client(arguments.engine).await?;
    let document = document(&mut kv, &key(&arguments.tenant, &arguments.like)).await?;
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|task| {
            let (kv, document) = (kv.clone(), document.clone());
            let (tenant, prefix) = (arguments.tenant.clone(), arguments.customer_prefix.clone());
            let firsts = (task * BATCH..arguments.count).step_by((AT_ONCE * BATCH) as usize);
            let count = arguments.count;
            tokio::spawn(async move {
                let mut kv = kv;
                for first in firsts {
                    let keys = (first..count.min(first + BATCH))
                        .map(|number| key(&tenant, &format!("{prefix}{number}")));
                    put(&mut kv, keys, &document).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await.context("a task")??;
    }
    let counts = serde_json::json!({ "accounts": arguments.count, "bytes": document.len() });
    crate::say(&format!("result {counts}"));
    Ok(())
}

async fn document(kv: &mut KvClient<Channel>, key: &str) -> anyhow::Result<Bytes> {
    let request = RangeRequest {
        key: Bytes::from(key.to_owned()),
        ..RangeRequest::default()
    };
    let answer = kv.range(request).await.context("read a document")?;
    let held = answer.into_inner().kvs.into_iter().next();
    let held = held.with_context(|| format!("there is nothing under {key}"))?;
    Ok(held.value)
}

async fn put(
    kv: &mut KvClient<Channel>,
    keys: impl Iterator<Item = String>,
    document: &Bytes,
) -> anyhow::Result<()> {
    let request = TxnRequest {
        success: keys
            .map(|key| RequestOp {
                request: Some(request_op::Request::RequestPut(PutRequest {
                    key: Bytes::from(key),
                    value: document.clone(),
                    ..PutRequest::default()
                })),
            })
            .collect(),
        ..TxnRequest::default()
    };
    let answer = kv.txn(request).await.context("put documents")?;
    ensure!(answer.into_inner().succeeded, "documents were not put");
    Ok(())
}

/// The key of an account whose names hold nothing that has to be encoded.
fn key(tenant: &str, customer: &str) -> String {
    let mut hash = hmac_sha256::Hash::new();
    hash.update(tenant);
    hash.update([0]);
    hash.update(customer);
    let [first, second, ..] = hash.finalize();
    let bucket = format!("{first:02x}{:x}", second >> 4);
    format!("/points/1/account/{tenant}/{bucket}/{customer}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_gateways() {
        // Those that the gateway's own tests hold it to.
        let cases = [
            ("acme", "614", "/points/1/account/acme/fe1/614"),
            ("other", "614", "/points/1/account/other/b40/614"),
        ];
        for (tenant, customer, expected) in cases {
            assert_eq!(key(tenant, customer), expected);
        }
    }
}
