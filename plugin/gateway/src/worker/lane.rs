//! The way from one worker to one engine cluster: its batches of reads and of commits, and the store behind it.
//!
//! Reads and commits go by separate pipes: a read does not stand in line behind commits that are written to a disk.

use std::rc::Rc;

use bytes::Bytes;

use super::lines::LineId;
use super::pipe::{Batch, Pipe};
use crate::config::EngineConfig;
use crate::engine::{Call, CallId, Commit, Method, StoreId, commit_all, read_all};

/// Reads that one batch takes at most: even if each document is as large as one may be, the answer fits Envoy's buffer
/// for a call (32 MiB).
const MAX_BATCH_READS: usize = 24;

/// How long after its time limit a call's answer is still waited for before its place is given away, in milliseconds: a
/// shell that keeps its promise has answered by then.
const GRACE_MS: i64 = 1000;

/// One engine cluster as a worker sees it.
pub(super) struct Lane {
    pub cluster: Rc<str>,
    call_timeout_ms: u32,
    pub reads: Pipe<Bytes>,
    pub commits: Pipe<Commit>,
    /// The store that last answered.
    pub store: Option<StoreId>,
}

impl Lane {
    pub(super) fn new(cluster: &str, engine: &EngineConfig) -> Self {
        let most_in_flight = engine.max_in_flight;
        Self {
            cluster: cluster.into(),
            call_timeout_ms: engine.call_timeout_ms,
            reads: Pipe::new(engine.max_batch.min(MAX_BATCH_READS), most_in_flight),
            commits: Pipe::new(engine.max_batch, most_in_flight),
            store: None,
        }
    }

    /// Whether a batch may leave now.
    pub(super) fn is_ready(&self) -> bool {
        self.reads.is_ready() || self.commits.is_ready()
    }

    /// The call that carries these commits, for which somebody waits until `last_ms`; none when there are none.
    pub(super) fn send_commits(
        &mut self,
        call: CallId,
        parts: Vec<(LineId, Commit)>,
        last_ms: i64,
        now_ms: i64,
    ) -> Option<Call> {
        let commits: Vec<Commit> = parts.iter().map(|(_, commit)| commit.clone()).collect();
        if commits.is_empty() {
            return None;
        }
        let call = self.call(call, commit_all(&commits), last_ms, now_ms);
        let gone_ms = gone_ms(&call, now_ms);
        self.commits.sent(call.id, Batch { parts, gone_ms });
        Some(call)
    }

    /// The call that carries reads of these keys, for which somebody waits until `last_ms`; none when there are none.
    pub(super) fn send_reads(
        &mut self,
        call: CallId,
        parts: Vec<(LineId, Bytes)>,
        last_ms: i64,
        now_ms: i64,
    ) -> Option<Call> {
        let keys: Vec<Bytes> = parts.iter().map(|(_, key)| key.clone()).collect();
        if keys.is_empty() {
            return None;
        }
        let call = self.call(call, read_all(&keys), last_ms, now_ms);
        let gone_ms = gone_ms(&call, now_ms);
        self.reads.sent(call.id, Batch { parts, gone_ms });
        Some(call)
    }

    /// A call takes no longer than somebody waits for it, and not longer than one may take.
    fn call(
        &self,
        id: CallId,
        (method, message): (Method, Bytes),
        last_ms: i64,
        now_ms: i64,
    ) -> Call {
        let left_ms = last_ms.saturating_sub(now_ms);
        let most_ms = i64::from(self.call_timeout_ms);
        Call {
            id,
            cluster: self.cluster.as_ref().to_owned(),
            method,
            message,
            timeout_ms: u32::try_from(left_ms.clamp(1, most_ms)).unwrap_or(1),
        }
    }
}

fn gone_ms(call: &Call, now_ms: i64) -> i64 {
    now_ms
        .saturating_add(call.timeout_ms.into())
        .saturating_add(GRACE_MS)
}
