//! The indexes that one worker keeps, and which listing may use which.
//!
//! A first page and a whole list are never answered from one: they show the newest. A page behind a cursor shows the moment
//! that the cursor was made at, as long as its index is kept. Any other page may show what is a little old.

use std::collections::VecDeque;
use std::rc::Rc;

use super::Part;
use super::index::{Index, Mark};
use crate::access::Tenant;

/// Bytes that all indexes of one worker may take; the one that was used the longest ago goes first.
pub const INDEXES_BYTES: usize = 64 * 1024 * 1024;

/// How long an index is kept, in milliseconds from its making: the longest that a listing along cursors shows one moment.
pub const KEPT_MS: i64 = 300_000;

/// How old an index may be that a page by number is answered from, or one along a cursor whose own index is gone, in
/// milliseconds.
pub const REUSED_MS: i64 = 10_000;

/// The indexes of one worker.
#[derive(Debug, Default)]
pub struct Indexes {
    /// The one that was used last comes last.
    held: VecDeque<Held>,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    index: Rc<Index>,
    mark: Mark,
    made_ms: i64,
}

impl Indexes {
    /// The index to answer this part from, at this time of the steady clock.
    pub fn find(&mut self, tenant: &Tenant, part: &Part, now_ms: i64) -> Option<Rc<Index>> {
        let mark = match part {
            Part::Whole | Part::Page { skip: 0, .. } => return None,
            Part::Page { .. } => None,
            Part::After { mark, .. } => *mark,
        };
        self.expire(now_ms);
        let holds = |it: &&Held| it.index.tenant == *tenant && it.index.holds(part);
        let recent = |it: &&Held| now_ms.saturating_sub(it.made_ms) <= REUSED_MS;
        let all = || self.held.iter().filter(holds);
        let own = all().find(|it| Some(it.mark) == mark);
        let found = own.or_else(|| all().filter(recent).max_by_key(|it| it.made_ms))?;
        let index = Rc::clone(&found.index);
        self.used(&index);
        Some(index)
    }

    /// An index of the moment that a cursor was made at, though it need not hold the cursor's part.
    #[must_use]
    pub fn of_mark(&self, tenant: &Tenant, mark: Mark) -> Option<&Index> {
        let mut held = self.held.iter();
        let found = held.find(|it| it.index.tenant == *tenant && it.mark == mark);
        found.map(|it| it.index.as_ref())
    }

    /// Keeps an index that was made now, in place of one that is the same.
    pub fn put(&mut self, index: Rc<Index>, now_ms: i64) {
        self.expire(now_ms);
        self.retain(|it| !it.index.is_same(&index));
        self.bytes = self.bytes.saturating_add(index.bytes());
        self.held.push_back(Held {
            mark: index.mark(),
            index,
            made_ms: now_ms,
        });
        while self.bytes > INDEXES_BYTES {
            let Some(oldest) = self.held.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(oldest.index.bytes());
        }
    }

    /// Forgets those of a tenant: their moments cannot be read any more.
    pub fn forget(&mut self, tenant: &Tenant) {
        self.retain(|it| it.index.tenant != *tenant);
    }

    /// Forgets those that were kept long enough.
    pub fn expire(&mut self, now_ms: i64) {
        self.retain(|it| now_ms.saturating_sub(it.made_ms) < KEPT_MS);
    }

    fn used(&mut self, index: &Rc<Index>) {
        let place = self.held.iter().position(|it| Rc::ptr_eq(&it.index, index));
        if let Some(held) = place.and_then(|place| self.held.remove(place)) {
            self.held.push_back(held);
        }
    }

    fn retain(&mut self, keeps: impl Fn(&Held) -> bool) {
        self.held.retain(keeps);
        let bytes = self.held.iter().map(|it| it.index.bytes());
        self.bytes = bytes.fold(0, usize::saturating_add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::test_support::permit;
    use crate::accounts::keys::CustomerId;
    use crate::accounts::list::index::{Gathering, INDEX_BYTES, Moment};
    use crate::engine::StoreId;

    const SECOND: Part = Part::Page { skip: 1, take: 1 };

    fn index(revision: i64, accounts: usize) -> Rc<Index> {
        let mut gathering = Gathering::new(None, INDEX_BYTES);
        for number in 0..accounts {
            // As long as an id may be.
            let id = CustomerId::new(format!("{number:0128}").into_bytes());
            gathering.take(&id.expect("an id"));
        }
        let store = StoreId(1);
        let tenant = permit("acme").tenant().clone();
        Rc::new(gathering.finish(tenant, vec![Moment { store, revision }]))
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_least_used_goes_first() {
        let permit = permit("acme");
        let tenant = permit.tenant();
        let mut indexes = Indexes::default();
        let each = index(1, 60_000).bytes();
        let most = INDEXES_BYTES / each;
        for revision in 1..=most {
            let revision = i64::try_from(revision).expect("small");
            indexes.put(index(revision, 60_000), revision);
        }
        let marks: Vec<Mark> = indexes.held.iter().map(|it| it.mark).collect();
        assert_eq!(marks.len(), most);
        // The first one is used again, so the second goes.
        let customer = CustomerId::new(b"1".to_vec()).expect("an id");
        let after = Part::After {
            customer,
            take: 1,
            mark: Some(marks[0]),
        };
        let found = indexes
            .find(tenant, &after, 99)
            .expect("the one of the mark");
        assert_eq!(found.mark(), marks[0]);
        indexes.put(index(1000, 60_000), 100);
        assert!(indexes.bytes <= INDEXES_BYTES);
        assert!(indexes.of_mark(tenant, marks[0]).is_some());
        assert!(indexes.of_mark(tenant, marks[1]).is_none());
        // The newest one answers a page by number.
        let newest = indexes.find(tenant, &SECOND, 100).expect("the newest");
        assert_eq!(newest.moments[0].revision, 1000);
        indexes.forget(tenant);
        assert_eq!((indexes.bytes, indexes.held.len()), (0, 0));
    }

    #[test]
    fn the_same_index_is_kept_once_and_counts_as_new() {
        let permit = permit("acme");
        let mut indexes = Indexes::default();
        for now_ms in 0..100 {
            indexes.put(index(7, 3), now_ms);
        }
        assert_eq!(indexes.held.len(), 1);
        assert_eq!(indexes.bytes, index(7, 3).bytes());
        let mut found = |now_ms| indexes.find(permit.tenant(), &SECOND, now_ms).is_some();
        assert!(found(99 + REUSED_MS));
        assert!(!found(99 + REUSED_MS + 1));
        let mut found = |part: Part| indexes.find(permit.tenant(), &part, 99).is_some();
        assert!(!found(Part::Whole));
        assert!(!found(Part::Page { skip: 0, take: 1 }));
        indexes.expire(99 + KEPT_MS);
        assert_eq!(indexes.held.len(), 0);
    }
}
