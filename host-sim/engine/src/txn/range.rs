//! Answering a Range: which keys, in which order, how many of them.
//!
//! `count` is of all keys of the range at the revision, whatever limit and filters leave of them; that is etcd's
//! rule and the reason why a limited Range still walks over its whole range.

use etcd_wire::range_request::{SortOrder, SortTarget};
use etcd_wire::{KeyValue, RangeRequest, RangeResponse, ResponseHeader};
use redb::ReadableTable;

use crate::limits::MAX_ANSWER_BYTES;
use crate::refusal::{Fault, Refusal};
use crate::store::{FormerKey, Keys, Progress, Scan, Version, View};

/// Answers `request` on `view`, whose newest state is `progress`. The header carries the revision alone.
pub fn range<C, F>(
    request: &RangeRequest,
    view: &View<'_, C, F>,
    progress: Progress,
) -> Result<RangeResponse, Fault>
where
    C: ReadableTable<&'static [u8], &'static [u8]>,
    F: ReadableTable<FormerKey, &'static [u8]>,
{
    if request.revision > progress.revision {
        return Err(Refusal::FutureRevision.into());
    }
    let newest = request.revision <= 0 || request.revision == progress.revision;
    if !newest && request.revision < progress.compacted {
        return Err(Refusal::Compacted.into());
    }
    let mut found = Found::new(request);
    let keys = Keys::new(&request.key, &request.range_end);
    if newest {
        view.scan_newest(&keys, |key, version| found.row(key, &version))?;
    } else {
        view.scan_at(&keys, request.revision, |key, version| {
            found.row(key, &version)
        })?;
    }
    found.finish(progress.revision)
}

/// What a scan has gathered.
struct Found<'r> {
    request: &'r RangeRequest,
    /// Keys to gather; those past it are only counted.
    wanted: usize,
    kvs: Vec<KeyValue>,
    /// Keys that were gathered or filtered out, of at most `wanted`.
    fetched: usize,
    count: i64,
    bytes: usize,
}

impl<'r> Found<'r> {
    fn new(request: &'r RangeRequest) -> Self {
        let everything = request.limit <= 0
            || request.sort_order != SortOrder::None as i32
            || request.min_mod_revision != 0
            || request.max_mod_revision != 0
            || request.min_create_revision != 0
            || request.max_create_revision != 0;
        let wanted = if request.count_only {
            0
        } else if everything {
            usize::MAX
        } else {
            // One more than asked for: it tells that there is more.
            usize::try_from(request.limit).map_or(usize::MAX, |limit| limit.saturating_add(1))
        };
        Found {
            request,
            wanted,
            kvs: Vec::new(),
            fetched: 0,
            count: 0,
            bytes: 0,
        }
    }

    fn row(&mut self, key: &[u8], version: &Version<'_>) -> Scan {
        self.count = self.count.saturating_add(1);
        if self.fetched >= self.wanted {
            return Scan::Continue;
        }
        self.fetched += 1;
        if self.is_filtered_out(version) {
            return Scan::Continue;
        }
        let keys_only =
            self.request.keys_only && self.request.sort_target != SortTarget::Value as i32;
        let kv = version.message(key, keys_only);
        self.bytes += kv.key.len() + kv.value.len();
        self.kvs.push(kv);
        if self.bytes > MAX_ANSWER_BYTES {
            Scan::Stop
        } else {
            Scan::Continue
        }
    }

    fn is_filtered_out(&self, version: &Version<'_>) -> bool {
        let outside =
            |value: i64, min: i64, max: i64| (max != 0 && value > max) || (min != 0 && value < min);
        outside(
            version.mod_revision,
            self.request.min_mod_revision,
            self.request.max_mod_revision,
        ) || outside(
            version.create_revision,
            self.request.min_create_revision,
            self.request.max_create_revision,
        )
    }

    fn finish(mut self, revision: i64) -> Result<RangeResponse, Fault> {
        if self.bytes > MAX_ANSWER_BYTES {
            return Err(Refusal::AnswerTooLarge.into());
        }
        self.sort();
        let limit = usize::try_from(self.request.limit).unwrap_or(0);
        let more = limit > 0 && self.kvs.len() > limit;
        if more {
            self.kvs.truncate(limit);
        }
        if self.request.keys_only {
            for kv in &mut self.kvs {
                kv.value.clear();
            }
        }
        Ok(RangeResponse {
            header: Some(ResponseHeader {
                revision,
                ..Default::default()
            }),
            kvs: self.kvs,
            more,
            count: self.count,
        })
    }

    /// A target without an order sorts ascending; keys come in ascending order by themselves.
    fn sort(&mut self) {
        let target = SortTarget::try_from(self.request.sort_target).unwrap_or(SortTarget::Key);
        let descending = self.request.sort_order == SortOrder::Descend as i32;
        match target {
            SortTarget::Key => self.kvs.sort_by(|a, b| a.key.cmp(&b.key)),
            SortTarget::Version => self.kvs.sort_by_key(|kv| kv.version),
            SortTarget::Create => self.kvs.sort_by_key(|kv| kv.create_revision),
            SortTarget::Mod => self.kvs.sort_by_key(|kv| kv.mod_revision),
            SortTarget::Value => self.kvs.sort_by(|a, b| a.value.cmp(&b.value)),
        }
        if descending {
            // Equal ones keep their ascending order of keys, as etcd's sort of short lists leaves them.
            self.kvs.reverse();
            self.reverse_equal_runs(target);
        }
    }

    fn reverse_equal_runs(&mut self, target: SortTarget) {
        let equal = |a: &KeyValue, b: &KeyValue| match target {
            SortTarget::Key => false,
            SortTarget::Version => a.version == b.version,
            SortTarget::Create => a.create_revision == b.create_revision,
            SortTarget::Mod => a.mod_revision == b.mod_revision,
            SortTarget::Value => a.value == b.value,
        };
        self.kvs.chunk_by_mut(equal).for_each(<[KeyValue]>::reverse);
    }
}
