//! The engine without a gateway: many tasks, each with one compare-and-put on the way at any time.
//!
//! The transaction is the gateway's own: compare the key's revision, put, or else hand back what is there. On keys of a
//! task's own the compare holds every time; on one hot key the task that lost takes the revision that it was handed and
//! tries again, and only a put that was done counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use engine::rpc::kv_client::KvClient;
use etcd_wire::compare::{CompareResult, CompareTarget, TargetUnion};
use etcd_wire::{
    Compare, PutRequest, RangeRequest, RequestOp, TxnRequest, TxnResponse, request_op, response_op,
};
use tonic::transport::{Channel, Endpoint};

use crate::latency;

/// No call takes longer.
const CALL_BOUND: Duration = Duration::from_secs(10);

/// Command line of `bench-native compares`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The engine.
    #[arg(long, value_name = "IP:PORT")]
    engine: SocketAddr,
    /// Tasks that write at the same time.
    #[arg(long)]
    connections: u16,
    /// HTTP/2 connections that they share.
    #[arg(long, default_value_t = 1)]
    channels: u16,
    /// For how long.
    #[arg(long)]
    seconds: u16,
    /// What all keys begin with. No key below it may be there yet, for that is what the first compare says.
    #[arg(long)]
    prefix: String,
    /// Keys of all tasks together, in turn.
    #[arg(long, default_value_t = 32_768)]
    keys: u32,
    /// All tasks write one key.
    #[arg(long)]
    hot: bool,
    /// Bytes of a value.
    #[arg(long, default_value_t = 600)]
    value_bytes: usize,
}

/// What one task did.
#[derive(Debug, Default)]
struct Done {
    latencies: Vec<u32>,
    refused: u64,
}

/// Writes until the time is up, and prints the counts.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut clients = Vec::new();
    for _ in 0..arguments.channels.max(1) {
        clients.push(client(arguments.engine).await?);
    }
    let arguments = Arc::new(arguments);
    let start = Instant::now();
    let end = start + Duration::from_secs(u64::from(arguments.seconds));
    let clients = clients.iter().cycle().take(arguments.connections.into());
    let tasks: Vec<_> = clients
        .enumerate()
        .map(|(task, client)| {
            tokio::spawn(write(client.clone(), Arc::clone(&arguments), task, end))
        })
        .collect();
    let mut all = Done::default();
    for task in tasks {
        let done = task.await.context("a task")??;
        all.latencies.extend(done.latencies);
        all.refused += done.refused;
    }
    crate::say(&latency::result(
        all.latencies,
        start.elapsed(),
        all.refused,
    ));
    Ok(())
}

async fn write(
    mut client: KvClient<Channel>,
    arguments: Arc<Arguments>,
    task: usize,
    end: Instant,
) -> anyhow::Result<Done> {
    let keys = match arguments.hot {
        true => vec![format!("{}hot", arguments.prefix)],
        false => (0..(arguments.keys / u32::from(arguments.connections)).max(1))
            .map(|key| format!("{}{task}/{key}", arguments.prefix))
            .collect(),
    };
    let mut keys: Vec<(Bytes, i64)> = keys.into_iter().map(|key| (key.into(), 0)).collect();
    let value = Bytes::from(vec![b'v'; arguments.value_bytes]);
    let mut done = Done::default();
    loop {
        for (key, revision) in &mut keys {
            let begin = Instant::now();
            if begin >= end {
                return Ok(done);
            }
            loop {
                let request = compare_and_put(key, *revision, &value);
                let answer = client.txn(request).await.context("a transaction")?;
                let (succeeded, now) = outcome(answer.into_inner())?;
                *revision = now;
                if succeeded {
                    break;
                }
                done.refused += 1;
                if Instant::now() >= end {
                    return Ok(done);
                }
            }
            let took = begin.elapsed().as_micros();
            done.latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
        }
    }
}

/// A client on a connection of its own.
pub async fn client(engine: SocketAddr) -> anyhow::Result<KvClient<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{engine}"))?
        .tcp_nodelay(true)
        .timeout(CALL_BOUND);
    let channel = endpoint.connect().await;
    Ok(KvClient::new(channel.with_context(|| {
        format!("connect to the engine at {engine}")
    })?))
}

fn compare_and_put(key: &Bytes, revision: i64, value: &Bytes) -> TxnRequest {
    TxnRequest {
        compare: vec![Compare {
            result: CompareResult::Equal.into(),
            target: CompareTarget::Mod.into(),
            key: key.clone(),
            target_union: Some(TargetUnion::ModRevision(revision)),
            ..Compare::default()
        }],
        success: vec![RequestOp {
            request: Some(request_op::Request::RequestPut(PutRequest {
                key: key.clone(),
                value: value.clone(),
                ..PutRequest::default()
            })),
        }],
        failure: vec![RequestOp {
            request: Some(request_op::Request::RequestRange(RangeRequest {
                key: key.clone(),
                ..RangeRequest::default()
            })),
        }],
    }
}

/// Whether it was put, and the key's revision now.
fn outcome(answer: TxnResponse) -> anyhow::Result<(bool, i64)> {
    if answer.succeeded {
        let header = answer.header.context("an answer without a header")?;
        return Ok((true, header.revision));
    }
    let first = answer.responses.into_iter().next();
    match first.and_then(|operation| operation.response) {
        Some(response_op::Response::ResponseRange(range)) => {
            let held = range.kvs.first().map_or(0, |held| held.mod_revision);
            Ok((false, held))
        }
        other => bail!("a range was asked for, and the answer is {other:?}"),
    }
}
