//! Every bound of the engine in one place, with its reason.
//!
//! Bounds that etcd has too carry etcd's default value, so that a client which fits one fits the other.

use std::time::Duration;

/// Operations in one list of a Txn, nested ones sharing what their parents leave over. etcd's default.
pub const MAX_TXN_OPERATIONS: usize = 128;
/// Encoded size of a writing request, in bytes. etcd's default.
pub const MAX_REQUEST_BYTES: usize = 1_572_864;
/// Largest message taken off the wire, in bytes: what etcd adds for its envelope, so that a request a little too
/// large is refused with etcd's own words and not by the transport.
pub const MAX_MESSAGE_BYTES: usize = MAX_REQUEST_BYTES + 512 * 1024;
/// Keys and values in one answer, in bytes. etcd has no such bound and can be driven out of memory by one Range.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// Transactions waiting for the writer.
pub const MAX_QUEUED_TXNS: usize = 4_096;
/// Bytes of all transactions waiting for the writer or being written.
pub const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;
/// Transactions that share one commit. More would only lengthen the wait of the first.
pub const MAX_GROUP_TXNS: usize = 1_024;
/// Bytes of the transactions that share one commit.
pub const MAX_GROUP_BYTES: usize = 16 * 1024 * 1024;

/// Reads that run at the same time, each on a thread of the blocking pool.
pub const MAX_RUNNING_READS: usize = 32;
/// Reads that run or wait for a thread.
pub const MAX_WAITING_READS: usize = 4_096;

/// Revisions that pile up past the retained ones before the writer compacts them in one go.
pub const COMPACTION_STEP: i64 = 1_000;
/// Rows of the past that one commit may forget besides twice those that it writes, so that none waits long for it.
pub const MIN_COMPACTION_ROWS: u64 = 4_000;
/// Bytes of the past that one commit may forget besides twice those that it writes.
pub const MIN_COMPACTION_BYTES: u64 = 8 * 1024 * 1024;

/// Watches on one stream.
pub const MAX_WATCHES_PER_STREAM: usize = 1_024;
/// Watch streams on the whole engine.
pub const MAX_WATCH_STREAMS: usize = 4_096;
/// History rows looked at in one step of catching up; a revision is never split.
pub const MAX_WATCH_BATCH_ROWS: usize = 1_000;
/// Bytes of events gathered in one step of catching up; a revision is never split.
pub const MAX_WATCH_BATCH_BYTES: usize = 1024 * 1024;
/// Answers that may wait in memory for a slow reader of a watch stream.
pub const WATCH_OUTPUT_DEPTH: usize = 4;

/// Concurrent calls on one HTTP/2 connection.
pub const MAX_CONCURRENT_STREAMS: u32 = 4_096;
/// HTTP/2 window of one connection, in bytes: bounds what half-received requests occupy.
pub const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// HTTP/2 window of one call, in bytes: a whole request fits without a round trip.
pub const STREAM_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// A silent connection is asked for a sign of life this often.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// A connection that does not answer for this long is closed.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long open calls may go on after the engine was told to stop.
pub const STOP_GRACE: Duration = Duration::from_secs(5);
