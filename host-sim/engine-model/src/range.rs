//! Reading: one key or a range of keys, now or as it was.

use std::ops::Bound;

use bytes::Bytes;
use etcd_wire::{RangeRequest, RangeResponse};

use super::{Change, INVALID_ARGUMENT, Model, OUT_OF_RANGE};

impl Model {
    pub(super) fn range(&self, request: &RangeRequest) -> Result<RangeResponse, u32> {
        check(request)?;
        self.check_revision(request.revision)?;
        let at = match request.revision {
            0 => self.revision,
            revision => revision,
        };
        let limit = match usize::try_from(request.limit) {
            Ok(0) => usize::MAX,
            Ok(limit) => limit,
            Err(_) => return Err(INVALID_ARGUMENT),
        };
        let (mut count, mut kvs) = (0_usize, Vec::new());
        for change in self.standing(&request.key, &request.range_end, at) {
            // As in etcd all keys of the range are counted, whatever the limit.
            count += 1;
            if kvs.len() < limit && !request.count_only {
                kvs.push(change.message(request.keys_only));
            }
        }
        Ok(RangeResponse {
            header: self.header(),
            more: !request.count_only && count > kvs.len(),
            count: i64::try_from(count).unwrap_or(i64::MAX),
            kvs,
        })
    }

    pub(super) fn check_revision(&self, revision: i64) -> Result<(), u32> {
        let forgotten = revision > 0 && revision < self.compacted;
        match revision > self.revision || forgotten {
            true => Err(OUT_OF_RANGE),
            false => Ok(()),
        }
    }

    /// What stood under the keys of a range at a revision, by key.
    pub(super) fn standing<'m>(
        &'m self,
        start: &Bytes,
        end: &Bytes,
        at: i64,
    ) -> impl Iterator<Item = &'m Change> {
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = match end.as_ref() {
            b"" => (Bound::Included(start), Bound::Included(start)),
            b"\0" => (Bound::Included(start), Bound::Unbounded),
            // A range that ends before it begins is empty.
            end => (
                Bound::Included(start),
                Bound::Excluded(end.max(start.as_ref())),
            ),
        };
        let seen = move |changes: &'m Vec<Change>| match changes.last() {
            Some(newest) if newest.revision <= at => Some(newest),
            _ => {
                let before = changes.partition_point(|it| it.revision <= at);
                changes.get(before.checked_sub(1)?)
            }
        };
        self.keys
            .range::<[u8], _>(bounds)
            .filter_map(move |(_, changes)| seen(changes))
            .filter(|change| change.value.is_some())
    }
}

/// Only what the gateway asks for.
pub(super) fn check(request: &RangeRequest) -> Result<(), u32> {
    let plain = RangeRequest {
        key: request.key.clone(),
        range_end: request.range_end.clone(),
        limit: request.limit,
        revision: request.revision,
        keys_only: request.keys_only,
        count_only: request.count_only,
        ..RangeRequest::default()
    };
    let negative = request.limit < 0 || request.revision < 0;
    match *request != plain || request.key.is_empty() || negative {
        true => Err(INVALID_ARGUMENT),
        false => Ok(()),
    }
}
