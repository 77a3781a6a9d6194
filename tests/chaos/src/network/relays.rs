//! A TCP relay for each link between a gateway and a member. A cut link holds back what is sent until it is mended, as a
//! network does whose packets are lost and sent again; whoever connects meanwhile waits.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::Context as _;
use testbed::Port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What is passed on at once.
const PART_BYTES: usize = 16 * 1024;

/// Relays by gateway and member.
#[derive(Debug)]
pub(crate) struct Relays {
    runtime: Handle,
    links: HashMap<(u8, u8), Relay>,
}

#[derive(Debug)]
struct Relay {
    is_cut: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    _port: Port,
}

impl Relays {
    pub(super) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            links: HashMap::new(),
        }
    }

    /// Begins to relay, and tells where.
    ///
    /// # Errors
    /// When there is no free port.
    pub(super) fn add(
        &mut self,
        gateway: u8,
        member: u8,
        to: SocketAddr,
    ) -> anyhow::Result<SocketAddr> {
        let port = Port::free()?;
        let address = port.address();
        let listener = self.runtime.block_on(TcpListener::bind(address));
        let listener = listener.context("listen for a relay")?;
        let is_cut = watch::Sender::new(false);
        let accepting = self.runtime.spawn(accept(listener, to, is_cut.subscribe()));
        let relay = Relay {
            is_cut,
            accepting,
            _port: port,
        };
        self.links.insert((gateway, member), relay);
        Ok(address)
    }

    pub(super) fn set_cut(&self, gateway: u8, member: u8, is_cut: bool) {
        if let Some(relay) = self.links.get(&(gateway, member)) {
            relay.is_cut.send_replace(is_cut);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Its connections end with it.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, is_cut: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(relay(stream, to, is_cut.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn relay(from: TcpStream, to: SocketAddr, mut is_cut: watch::Receiver<bool>) {
    if is_cut.wait_for(|is_cut| !is_cut).await.is_err() {
        return;
    }
    let Ok(there) = TcpStream::connect(to).await else {
        // Dropped: the caller sees a connection that ends at once.
        return;
    };
    let _ = (from.set_nodelay(true), there.set_nodelay(true));
    let (from_read, from_write) = from.into_split();
    let (there_read, there_write) = there.into_split();
    // When one way ends, so does the other: both of gRPC's ends close whole connections.
    tokio::select! {
        () = pass(from_read, there_write, is_cut.clone()) => {}
        () = pass(there_read, from_write, is_cut) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut is_cut: watch::Receiver<bool>) {
    let mut part = vec![0; PART_BYTES];
    loop {
        let read = from.read(&mut part).await;
        // The end of a connection does not pass a cut link either.
        if is_cut.wait_for(|is_cut| !is_cut).await.is_err() {
            return;
        }
        let passed = match read {
            Ok(length) if length > 0 => part.get(..length).unwrap_or_default(),
            _ => return,
        };
        if to.write_all(passed).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Long enough for a loopback, and only waited for where nothing may come.
    const NOTHING_COMES: Duration = Duration::from_millis(100);
    const BOUND: Duration = Duration::from_secs(10);

    #[test]
    fn a_cut_link_holds_back_what_is_sent_until_it_is_mended() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut relays = Relays::new(runtime.handle().clone());
        let echo = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("listen");
        let to = echo.local_addr().expect("an address");
        runtime.spawn(async move {
            let (mut stream, _) = echo.accept().await.expect("a connection");
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
        let address = relays.add(3, 0, to).expect("a relay");
        runtime.block_on(async {
            let mut stream = TcpStream::connect(address).await.expect("connect");
            let mut answer = [0];
            stream.write_all(b"a").await.expect("send");
            let echoed = tokio::time::timeout(BOUND, stream.read_exact(&mut answer)).await;
            echoed.expect("in time").expect("an echo");
            relays.set_cut(3, 0, true);
            stream.write_all(b"b").await.expect("send");
            let echoed = tokio::time::timeout(NOTHING_COMES, stream.read_exact(&mut answer));
            assert!(echoed.await.is_err(), "it went through");
            relays.set_cut(3, 0, false);
            let echoed = tokio::time::timeout(BOUND, stream.read_exact(&mut answer)).await;
            echoed.expect("in time").expect("an echo");
            assert_eq!(answer, *b"b");
        });
    }
}
