//! A server to test: the embedded engine in this process, or a real etcd started for the purpose.
//!
//! Both are fresh, on free loopback ports, and end with their handle.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engine::rpc::kv_client::KvClient;
use engine::rpc::maintenance_client::MaintenanceClient;
use engine::rpc::watch_client::WatchClient;
use engine::{Config, Running};
use etcd_wire::{
    RangeRequest, RangeResponse, ResponseHeader, StatusRequest, TxnRequest, TxnResponse,
};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How long a server may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Somebody else may take a free port between finding and using it.
const PORT_ATTEMPTS: usize = 5;
/// Answers of any size are taken.
const ANSWER_LIMIT: usize = 512 * 1024 * 1024;

/// A server under test.
pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    channel: Channel,
    kind: Kind,
    _data: TempDir,
}

enum Kind {
    Embedded(Running),
    Etcd(EtcdProcess),
}

/// Ends the process however the test ends.
struct EtcdProcess(Child);

impl Drop for EtcdProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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
            kind: Kind::Embedded(running),
            _data: data,
        }
    }

    /// A real etcd. A machine without one fails the test: a suite that skips proves nothing.
    pub async fn etcd() -> Server {
        let program = std::env::var_os("ETCD").unwrap_or_else(|| "etcd".into());
        for _ in 0..PORT_ATTEMPTS {
            let data = TempDir::new().expect("a temporary directory");
            let (client, peer) = (free_port(), free_port());
            let (client_url, peer_url) = (
                format!("http://127.0.0.1:{client}"),
                format!("http://127.0.0.1:{peer}"),
            );
            let spawned = Command::new(&program)
                .arg("--data-dir")
                .arg(data.path())
                .args(["--logger", "zap", "--log-level", "fatal"])
                .args(["--listen-client-urls", &client_url])
                .args(["--advertise-client-urls", &client_url])
                .args(["--listen-peer-urls", &peer_url])
                .args(["--initial-advertise-peer-urls", &peer_url])
                .args(["--initial-cluster", &format!("default={peer_url}")])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let mut process = match spawned {
                Ok(child) => EtcdProcess(child),
                Err(error) => panic!(
                    "cannot run {program:?} ({error}): this suite needs a real etcd. \
                     Install it with `apt-get install etcd-server`, or set ETCD to its path."
                ),
            };
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, client));
            let channel = connect(address).expect("a valid address");
            if ready(&channel, &mut process).await {
                return Server {
                    name: "etcd",
                    address,
                    channel,
                    kind: Kind::Etcd(process),
                    _data: data,
                };
            }
        }
        panic!("etcd did not start in {PORT_ATTEMPTS} attempts");
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
            Kind::Embedded(running) => running,
            Kind::Etcd(_) => panic!("etcd runs in a process of its own"),
        }
    }

    /// Stops the engine; the directory goes with the returned guard.
    pub async fn stop(self) {
        match self.kind {
            Kind::Embedded(running) => running.stop().await.expect("the engine stops"),
            Kind::Etcd(process) => drop(process),
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
            Kind::Embedded(running) => Ok(running.compact(revision).await?),
            Kind::Etcd(_) => etcd_compact(self.channel.clone(), revision).await,
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

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

/// Whether the process answers; false when it ended, which is what a taken port does.
async fn ready(channel: &Channel, process: &mut EtcdProcess) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < START_LIMIT {
        if process.0.try_wait().expect("the process's state").is_some() {
            return false;
        }
        let status = MaintenanceClient::new(channel.clone())
            .status(StatusRequest {})
            .await;
        if status.is_ok_and(|status| status.into_inner().leader != 0) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("etcd did not answer within {START_LIMIT:?}");
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
