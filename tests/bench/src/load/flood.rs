//! A flood: one thread that sends distinct requests at a given rate, or as fast as it can, and counts the answers by status.
//!
//! No packaged tool sends thousands of requests a second at a fixed rate with a header that never repeats. Each request is
//! prepared as bytes and stamped with a running number just before it is sent, so a server can remember none of them.
//! Nothing here waits on a single connection: the thread looks at all of them in turn and sleeps when none has anything. A
//! connection has one request on the way at a time: Envoy stops reading from a client that sends several and is answered
//! locally.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};

use super::answers::Answers;
use super::stamped::Stamped;

/// No flood lasts longer, whoever forgets to stop it.
const MAX_DURATION: Duration = Duration::from_secs(120);
/// How long the last answers are waited for.
const DRAIN_BOUND: Duration = Duration::from_secs(2);
/// How long a connection may take to be made.
const CONNECT_BOUND: Duration = Duration::from_secs(5);
/// Between two looks when nothing moves: at a given rate, and at full speed.
const PACED_PAUSE: Duration = Duration::from_micros(500);
const FULL_PAUSE: Duration = Duration::from_micros(50);
/// Bytes that one read may bring.
const READ_BYTES: usize = 16 * 1024;
/// Connections made again after the server closed one; a server that closes after every answer is not flooded but dialled.
const MAX_RECONNECTS: u64 = 1000;

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// That many a second, whatever the server does, as long as connections are free to send on.
    PerSecond(u32),
    /// As fast as the thread can and the server answers.
    Full,
}

impl Pace {
    /// How many should have been sent by now.
    fn due(self, elapsed: Duration) -> u64 {
        match self {
            Self::PerSecond(rate) => {
                let micros = elapsed.as_micros().saturating_mul(u128::from(rate)) / 1_000_000;
                u64::try_from(micros).unwrap_or(u64::MAX)
            }
            Self::Full => u64::MAX,
        }
    }
}

impl std::fmt::Display for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PerSecond(rate) => write!(f, "{rate}/s"),
            Self::Full => f.write_str("full speed"),
        }
    }
}

/// What is to be sent, and how.
#[derive(Clone, Debug)]
pub struct Flood {
    /// Sent in turn.
    pub requests: Arc<[Stamped]>,
    /// How fast.
    pub pace: Pace,
    /// On how many connections.
    pub connections: u16,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FloodCount {
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests sent.
    pub sent: u64,
    /// Requests on the way when the server closed their connection.
    pub cut: u64,
    /// How long requests were sent.
    pub elapsed: Duration,
}

impl FloodCount {
    /// All answers.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Answers a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.answered() as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

/// A flood on its way. Dropped, it stops too.
#[derive(Debug)]
pub struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<FloodCount>>>,
}

impl Flood {
    /// Starts to flood `server` from a thread of its own, until it is stopped or two minutes have passed.
    ///
    /// # Errors
    /// When the connections cannot be made.
    pub fn start(self, server: SocketAddr) -> anyhow::Result<Running> {
        /// Floods of one process start their numbers far apart, so that none repeats another's requests.
        static FLOODS: AtomicU64 = AtomicU64::new(1);
        ensure!(!self.requests.is_empty(), "a flood without a request");
        let first = FLOODS.fetch_add(1, Ordering::Relaxed) << 36;
        let connections = (0..self.connections)
            .map(|_| Connection::open(server))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || self.send(server, connections, first, &stopped));
        Ok(Running {
            stop,
            thread: Some(thread),
        })
    }

    fn send(
        &self,
        server: SocketAddr,
        mut connections: Vec<Connection>,
        first: u64,
        stop: &AtomicBool,
    ) -> anyhow::Result<FloodCount> {
        let pause = match self.pace {
            Pace::PerSecond(_) => PACED_PAUSE,
            Pace::Full => FULL_PAUSE,
        };
        let mut requests = self.requests.iter().cycle();
        let mut count = FloodCount::default();
        let mut reconnects = 0;
        let start = Instant::now();
        loop {
            let mut moved = false;
            for connection in &mut connections {
                moved |= connection.move_on(&mut count)?;
                if connection.closed {
                    reconnects += 1;
                    ensure!(
                        reconnects <= MAX_RECONNECTS,
                        "the server closed {MAX_RECONNECTS} connections of the flood"
                    );
                    *connection = Connection::open(server)?;
                }
            }
            count.elapsed = start.elapsed();
            if stop.load(Ordering::Relaxed) || count.elapsed > MAX_DURATION {
                break;
            }
            let due = self.pace.due(count.elapsed).saturating_sub(count.sent);
            let free = connections.iter_mut().filter(|one| !one.on_the_way);
            for connection in free.take(usize::try_from(due).unwrap_or(usize::MAX)) {
                if let Some(request) = requests.next() {
                    request.append(first + count.sent, &mut connection.output);
                    count.sent += 1;
                    connection.on_the_way = true;
                    moved = true;
                    // Sent at once: the next look may be a pause away.
                    connection.write()?;
                }
            }
            if !moved || matches!(self.pace, Pace::PerSecond(_)) {
                std::thread::sleep(pause);
            }
        }
        let deadline = Instant::now() + DRAIN_BOUND;
        while connections.iter().any(|one| one.on_the_way && !one.closed) {
            ensure!(
                Instant::now() < deadline,
                "the flood's last requests were not answered within {DRAIN_BOUND:?}"
            );
            for connection in &mut connections {
                connection.move_on(&mut count)?;
            }
            std::thread::sleep(pause);
        }
        Ok(count)
    }
}

impl Running {
    /// Stops it and waits for the answers to what was sent.
    ///
    /// # Errors
    /// When it went wrong on the way: a connection could not be made again, or an answer was not understood.
    pub fn stop(mut self) -> anyhow::Result<FloodCount> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("a flood stops once")?;
        let outcome = thread.join();
        outcome.map_err(|_| anyhow!("the flood's thread panicked"))?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Whoever drops it instead of stopping it has a failure of their own to tell.
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    output: Vec<u8>,
    answers: Answers,
    on_the_way: bool,
    closed: bool,
}

impl Connection {
    fn open(server: SocketAddr) -> anyhow::Result<Self> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&server, CONNECT_BOUND)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(stream)
        };
        Ok(Self {
            stream: connect().with_context(|| format!("connect to {server}"))?,
            output: Vec::new(),
            answers: Answers::default(),
            on_the_way: false,
            closed: false,
        })
    }

    /// Writes and reads what can be without waiting; whether anything came.
    fn move_on(&mut self, count: &mut FloodCount) -> anyhow::Result<bool> {
        if !self.on_the_way {
            return Ok(false);
        }
        self.write()?;
        let mut bytes = [0_u8; READ_BYTES];
        let length = match self.stream.read(&mut bytes) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error).context("read from the server"),
        };
        if length == 0 {
            count.cut += 1;
            self.closed = true;
            return Ok(true);
        }
        let (statuses, on_the_way) = (&mut count.statuses, &mut self.on_the_way);
        self.answers
            .read(&bytes[..length], |status| {
                *statuses.entry(status).or_default() += 1;
                *on_the_way = false;
            })
            .map_err(|_| anyhow!("the server's answer is not understood"))?;
        Ok(true)
    }

    fn write(&mut self) -> anyhow::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The read that follows says so, and counts what was on the way.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                    ) =>
                {
                    self.output.clear();
                }
                Err(error) => return Err(error).context("write to the server"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn requests() -> Arc<[Stamped]> {
        let request = Stamped::new("/x", "Bearer aaaaaaaaaaaaaaaaaaaa.b.c").expect("a request");
        Arc::new([request])
    }

    #[test]
    fn a_pace_is_a_number_by_now() {
        let pace = Pace::PerSecond(5000);
        assert_eq!(pace.due(Duration::ZERO), 0);
        assert_eq!(pace.due(Duration::from_millis(1500)), 7500);
        assert_eq!(pace.due(Duration::from_micros(399)), 1);
    }

    #[test]
    fn all_that_is_sent_is_answered_and_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("an address");
        let (enough, wait_for_enough) = std::sync::mpsc::channel();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let (mut seen, mut bytes) = (0_u64, [0_u8; 4096]);
            loop {
                let length = stream.read(&mut bytes).expect("read");
                let ends = bytes[..length].iter().filter(|byte| **byte == b'\n');
                // Four lines a request.
                let before = seen / 4;
                seen += ends.count() as u64;
                for _ in before..seen / 4 {
                    let answer = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno";
                    stream.write_all(answer).expect("write");
                }
                if seen > 400 {
                    // Whoever waits has heard it the first time.
                    let _ = enough.send(());
                }
                if length == 0 {
                    return seen / 4;
                }
            }
        });
        let flood = Flood {
            requests: requests(),
            pace: Pace::Full,
            connections: 1,
        };
        let running = flood.start(address).expect("a flood");
        wait_for_enough.recv().expect("some requests");
        let count = running.stop().expect("counts");
        assert_eq!(count.cut, 0);
        assert_eq!(count.statuses, BTreeMap::from([(401, count.sent)]));
        assert_eq!(server.join().expect("the server"), count.sent);
    }
}
