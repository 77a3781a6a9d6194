//! Walking through all of a tenant's accounts, in every cluster that holds some, several ranges of buckets at a time.
//!
//! Each cluster's first answer tells the moment that the rest of it is read at. What is done with an account is the
//! caller's.

use std::collections::VecDeque;
use std::ops::Range;

use super::index::Moment;
use super::{Ask, FIRST_CALL_DOCUMENTS, STRANDS, aim};
use crate::access::Tenant;
use crate::accounts::placement::{Placement, bucket_range};
use crate::engine::{Document, Method, RangePage, read_range};

/// Documents asked for in one call at most.
const MAX_CALL_DOCUMENTS: usize = 1000;

/// Accounts that a stretch is meant to have: etcd counts all keys up to the end of a range whatever the limit is, so to go
/// through a long range by many calls takes quadratic time. This many come in one call, unless their documents are large.
const STRETCH_ACCOUNTS: i64 = 750;

/// A walk under way.
#[derive(Debug)]
pub struct Scan {
    tenant: Tenant,
    moments: Vec<Option<Moment>>,
    strands: [Option<Stretch>; STRANDS],
    /// What no strand walks through yet.
    todo: VecDeque<Stretch>,
    call_documents: usize,
}

/// A range of keys of one cluster, walked through by one call after the other.
#[derive(Debug)]
struct Stretch {
    place: usize,
    buckets: Range<u16>,
    next_key: Vec<u8>,
    end: Vec<u8>,
    /// Whether it may fall into several, now that it is known to be long.
    divisible: bool,
}

/// Another store answered than before: what was seen belongs to nothing that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherStore;

impl Scan {
    /// Through all accounts of a tenant: as they are now, or were at these moments of all clusters.
    #[must_use]
    pub fn new(tenant: Tenant, placement: Placement, moments: Option<&[Moment]>) -> Self {
        let places = 0..placement.clusters();
        let stretch = |place| Stretch::new(&tenant, place, placement.buckets(place));
        Self {
            todo: places.clone().map(stretch).collect(),
            moments: places
                .map(|place| moments.and_then(|it| it.get(place)).copied())
                .collect(),
            strands: [const { None }; STRANDS],
            call_documents: FIRST_CALL_DOCUMENTS,
            tenant,
        }
    }

    /// The call that a strand has to make; the same bytes every time until an answer is taken or it failed.
    pub fn next_call(&mut self, strand: usize) -> Option<Ask> {
        let slot = self.strands.get_mut(strand)?;
        if slot.is_none() {
            *slot = self.todo.pop_front();
        }
        let stretch = slot.as_ref()?;
        let moment = self.moments.get(stretch.place).copied().flatten();
        let revision = moment.map_or(0, |it| it.revision);
        let limit = i64::try_from(self.call_documents).unwrap_or(1);
        Some(Ask {
            place: stretch.place,
            method: Method::Range,
            message: read_range(&stretch.next_key, &stretch.end, limit, revision),
        })
    }

    /// Takes the answer to a strand's call; the documents that it brought.
    ///
    /// # Errors
    /// [`OtherStore`]
    pub fn answered(
        &mut self,
        strand: usize,
        page: RangePage,
        answer_bytes: usize,
    ) -> Result<Vec<Document>, OtherStore> {
        let Some(mut stretch) = self.strands.get_mut(strand).and_then(Option::take) else {
            return Ok(Vec::new());
        };
        let moment = self.moments.get_mut(stretch.place);
        if let Some(moment) = moment {
            let known = moment.get_or_insert(Moment {
                store: page.store,
                revision: page.revision,
            });
            if known.store != page.store {
                return Err(OtherStore);
            }
        }
        if page.more
            && let Some(last) = page.documents.last()
        {
            self.call_documents = aim(answer_bytes, page.documents.len(), MAX_CALL_DOCUMENTS);
            stretch.next_key = last.key.to_vec();
            stretch.next_key.push(0);
            self.todo.extend(stretch.divide(&self.tenant, page.count));
            if let Some(slot) = self.strands.get_mut(strand) {
                *slot = Some(stretch);
            }
        }
        Ok(page.documents)
    }

    /// Asks for less after a failed call.
    pub fn failed(&mut self) {
        self.call_documents = self.call_documents.checked_div(2).unwrap_or(1).max(1);
    }

    /// The moments that were walked through, once all is seen.
    #[must_use]
    pub fn seen_all(&self) -> Option<Vec<Moment>> {
        let over = self.todo.is_empty() && self.strands.iter().all(Option::is_none);
        let moments = || self.moments.iter().copied().collect();
        over.then(moments).flatten()
    }
}

impl Stretch {
    fn new(tenant: &Tenant, place: usize, buckets: Range<u16>) -> Self {
        let (next_key, end) = bucket_range(tenant, &buckets);
        Self {
            place,
            buckets,
            next_key,
            end,
            divisible: true,
        }
    }

    /// Keeps its beginning and gives the rest to others, once: that each has [`STRETCH_ACCOUNTS`] of so many accounts, but
    /// no fewer than there are strands, and no more than there are buckets.
    fn divide(&mut self, tenant: &Tenant, accounts: i64) -> Vec<Self> {
        if !std::mem::take(&mut self.divisible) {
            return Vec::new();
        }
        let all = self.buckets.clone();
        let parts = accounts.checked_div(STRETCH_ACCOUNTS).unwrap_or(1);
        let parts = usize::try_from(parts).unwrap_or(1).max(STRANDS);
        let each = all.len().checked_div(parts).unwrap_or(1);
        let each = u16::try_from(each).unwrap_or(1).max(1);
        let mut others = Vec::new();
        let mut from = all.start;
        while from < all.end {
            let to = from.saturating_add(each);
            // The last one takes what does not come out even.
            let to = if to.saturating_add(each) > all.end {
                all.end
            } else {
                to
            };
            let mut other = Self::new(tenant, self.place, from..to);
            other.divisible = false;
            // What was seen already stands in front of the next key.
            if other.end > self.next_key {
                other.next_key = other.next_key.max(self.next_key.clone());
                others.push(other);
            }
            from = to;
        }
        if !others.is_empty() {
            *self = others.remove(0);
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::test_support::permit;

    #[test]
    fn a_stretch_falls_into_parts_without_gap_or_overlap() {
        let permit = permit("acme");
        let tenant = permit.tenant();
        for (buckets, accounts, parts) in [
            (0..4096, 0, 4),
            (0..4096, -1, 4),
            (0..4096, 3000, 4),
            (0..4096, 100_000, 136),
            (0..4096, i64::MAX, 4096),
            (1366..2731, 10_000, 13),
            (3840..4096, 1_000_000, 256),
        ] {
            let mut first = Stretch::new(tenant, 0, buckets.clone());
            let whole = (first.next_key.clone(), first.end.clone());
            // What was seen already is never in any part.
            let seen = first.next_key.clone();
            let others = first.divide(tenant, accounts);
            assert_eq!(others.len() + 1, parts, "{buckets:?} {accounts}");
            let mut next = seen;
            for part in std::iter::once(&first).chain(&others) {
                assert_eq!(part.next_key, next);
                assert!(part.next_key < part.end && !part.divisible);
                next.clone_from(&part.end);
            }
            assert_eq!(next, whole.1);
            assert!(first.divide(tenant, accounts).is_empty());
        }
        let mut late = Stretch::new(tenant, 0, 0..4096);
        late.next_key = b"/points/1/account/acme/7ff/x\0".to_vec();
        let others = late.divide(tenant, 0);
        assert_eq!(late.next_key, b"/points/1/account/acme/7ff/x\0");
        assert_eq!(
            (late.end.as_slice(), others.len()),
            (&b"/points/1/account/acme/800"[..], 2)
        );
    }
}
