//! A server to test: the embedded engine in this process, or a real etcd started for the purpose.
//!
//! Both are fresh, on free loopback ports, and end with their handle; etcd ends with this process, too, whatever ends it.

use std::net::{Ipv4Addr, SocketAddr};

use engine::rpc::kv_client::KvClient;
use engine::rpc::maintenance_client::MaintenanceClient;
use engine::rpc::watch_client::WatchClient;
use engine::{Config, Running};
use etcd_wire::{RangeRequest, RangeResponse, ResponseHeader, TxnRequest, TxnResponse};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// Answers of any size are taken.
const ANSWER_LIMIT: usize = 512 * 1024 * 1024;

/// A server under test.
pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    channel: Channel,
    kind: Kind,
}

enum Kind {
    Embedded { running: Running, _data: TempDir },
    Etcd { process: testbed::Engine },
}

/// A request of a table.
#[derive(Debug, Clone)]
pub enum Call {
    Range(RangeRequest),
    Txn(TxnRequest),
    Compact(i64),
}

impl From<RangeRequest> for Call {
    fn from(request: RangeRequest) -> Call {
        Call::Range(request)
    }
}

impl From<TxnRequest> for Call {
    fn from(request: TxnRequest) -> Call {
        Call::Txn(request)
    }
}

/// What came back, without what tells one server from another.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Range(RangeResponse),
    Txn(TxnResponse),
    Compacted,
    Refused(Code, String),
}

impl Outcome {
    pub fn code(&self) -> Code {
        match self {
            Outcome::Refused(code, _) => *code,
            _ => Code::Ok,
        }
    }
}

impl Server {
    /// The embedded engine.
    pub async fn embedded() -> Server {
        Server::embedded_with(|_| {}).await
    }

    /// The embedded engine with another configuration.
    pub async fn embedded_with(configure: impl FnOnce(&mut Config)) -> Server {
        let data = TempDir::new().expect("a temporary directory");
        let mut config = Config::new((Ipv4Addr::LOCALHOST, 0).into(), data.path());
        configure(&mut config);
        let running = engine::start(config).await.expect("the engine starts");
        let address = running.local_addr();
        Server {
            name: "embedded",
            address,
            channel: connect(address).expect("a valid address"),
            kind: Kind::Embedded {
                running,
                _data: data,
            },
        }
    }

    /// A real etcd. A machine without one fails the test: a suite that skips proves nothing.
    pub async fn etcd() -> Server {
        let starting = tokio::task::spawn_blocking(|| testbed::Engine::etcd().start());
        let process = starting.await.expect("starting does not panic");
        // The error carries the tail of its log.
        let process = process.unwrap_or_else(|error| panic!("this suite needs an etcd: {error}"));
        let address = process.address();
        Server {
            name: "etcd",
            address,
            channel: connect(address).expect("a valid address"),
            kind: Kind::Etcd { process },
        }
    }

    /// One of each, the engine first.
    pub async fn pair() -> [Server; 2] {
        [Server::embedded().await, Server::etcd().await]
    }

    pub fn kv(&self) -> KvClient<Channel> {
        KvClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_LIMIT)
    }

    pub fn watch(&self) -> WatchClient<Channel> {
        WatchClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_LIMIT)
    }

    pub fn maintenance(&self) -> MaintenanceClient<Channel> {
        MaintenanceClient::new(self.channel.clone())
    }

    /// The engine's handle.
    pub fn running(&self) -> &Running {
        match &self.kind {
            Kind::Embedded { running, .. } => running,
            Kind::Etcd { .. } => panic!("etcd runs in a process of its own"),
        }
    }

    /// Stops the engine; its directory goes with it.
    pub async fn stop(self) {
        match self.kind {
            Kind::Embedded { running, _data } => running.stop().await.expect("the engine stops"),
            Kind::Etcd { process } => drop(process),
        }
    }

    /// Makes a call and returns what it came to, headers checked and made comparable.
    pub async fn call(&self, call: &Call) -> Outcome {
        let outcome = match call {
            Call::Range(request) => self.kv().range(request.clone()).await.map(|response| {
                let mut response = response.into_inner();
                anonymous(&mut response.header);
                Outcome::Range(response)
            }),
            Call::Txn(request) => self.kv().txn(request.clone()).await.map(|response| {
                let mut response = response.into_inner();
                anonymous(&mut response.header);
                Outcome::Txn(response)
            }),
            Call::Compact(revision) => self.compact(*revision).await.map(|()| Outcome::Compacted),
        };
        outcome
            .unwrap_or_else(|status| Outcome::Refused(status.code(), status.message().to_owned()))
    }

    async fn compact(&self, revision: i64) -> Result<(), Status> {
        match &self.kind {
            Kind::Embedded { running, .. } => Ok(running.compact(revision).await?),
            Kind::Etcd { .. } => etcd_compact(self.channel.clone(), revision).await,
        }
    }
}

/// Checks that a header says who answered, then forgets it: two servers differ in that.
pub fn anonymous(header: &mut Option<ResponseHeader>) {
    let header = header.as_mut().expect("every answer has a header");
    assert_ne!(header.cluster_id, 0);
    assert_ne!(header.member_id, 0);
    assert!(header.raft_term >= 1);
    *header = ResponseHeader {
        revision: header.revision,
        ..Default::default()
    };
}

fn connect(address: SocketAddr) -> Result<Channel, tonic::transport::Error> {
    Ok(Endpoint::from_shared(format!("http://{address}"))?
        .tcp_nodelay(true)
        .connect_lazy())
}

/// etcd's `KV/Compact`, which is not among the calls that the gateway makes.
async fn etcd_compact(channel: Channel, revision: i64) -> Result<(), Status> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct CompactionRequest {
        #[prost(int64, tag = "1")]
        revision: i64,
        #[prost(bool, tag = "2")]
        physical: bool,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct CompactionResponse {}

    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("a channel");
    let codec = tonic_prost::ProstCodec::<CompactionRequest, CompactionResponse>::default();
    let path = tonic::codegen::http::uri::PathAndQuery::from_static("/etcdserverpb.KV/Compact");
    let request = CompactionRequest {
        revision,
        physical: true,
    };
    client
        .unary(tonic::Request::new(request), path, codec)
        .await
        .map(|_| ())
}
