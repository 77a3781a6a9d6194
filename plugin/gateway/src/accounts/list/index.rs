//! A tenant's live accounts in the order of their ids, as its stores were at one moment: what makes a page cheap that is
//! not the first.
//!
//! Of a tenant of any size an index holds a stretch of bounded size, and the count of all. Who keeps an index, and for how
//! long one is good, is decided elsewhere.

use super::Part;
use super::ids::Ids;
use crate::access::Tenant;
use crate::accounts::keys::CustomerId;
use crate::engine::StoreId;

/// Bytes that the ids of one index may take: some 500,000 of usual length.
pub const INDEX_BYTES: usize = 16 * 1024 * 1024;

/// A store as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The store.
    pub store: StoreId,
    /// Its revision then.
    pub revision: i64,
}

/// Names the moments of all stores that a listing shows: the same at every worker that lists the same moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    /// The mark of these moments, in the order of the clusters.
    #[must_use]
    pub fn of(moments: &[Moment]) -> Self {
        let mut hash = hmac_sha256::Hash::new();
        for moment in moments {
            hash.update(moment.store.0.to_be_bytes());
            hash.update(moment.revision.to_be_bytes());
        }
        let digest = hash.finalize();
        let first = digest.first_chunk::<8>().copied();
        Self(u64::from_be_bytes(first.unwrap_or_default()))
    }

    /// The mark in a cursor.
    #[must_use]
    pub fn read(digits: &str) -> Option<Self> {
        let plain = digits.len() == 16 && digits.bytes().all(|it| it.is_ascii_hexdigit());
        let number = plain.then(|| u64::from_str_radix(digits, 16).ok());
        number.flatten().map(Self)
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A stretch of a tenant's accounts, in order.
#[derive(Debug)]
pub struct Index {
    /// Whose accounts they are.
    pub tenant: Tenant,
    /// When, in the order of the clusters.
    pub moments: Vec<Moment>,
    /// All live accounts of the tenant.
    pub total: u64,
    /// Behind whom the stretch begins; none: at the first account.
    after: Option<CustomerId>,
    ids: Ids,
    /// Whether accounts follow behind the stretch.
    cut: bool,
}

impl Index {
    /// The name of its moments.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark::of(&self.moments)
    }

    /// What it takes of memory, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.ids.bytes()
    }

    /// Whether the stretch holds this part of the list.
    #[must_use]
    pub fn holds(&self, part: &Part) -> bool {
        self.find(part).is_some()
    }

    /// The accounts of a part of the list, and whether more follow; none when the stretch does not hold the part.
    #[must_use]
    pub fn page(&self, part: &Part) -> Option<(Vec<CustomerId>, bool)> {
        let (skip, take) = self.find(part)?;
        let more = self.cut || skip.saturating_add(take) < self.ids.len();
        Some((self.ids.part(skip, take), more))
    }

    /// Whether the other one shows the same stretch of the same moments.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let one = (&self.tenant, &self.moments, &self.after);
        one == (&other.tenant, &other.moments, &other.after)
    }

    /// Behind how many accounts of the stretch a part begins, and how many it has at most.
    fn find(&self, part: &Part) -> Option<(usize, usize)> {
        let (skip, take) = match part {
            Part::Page { skip, take } if self.after.is_none() => (*skip, *take),
            Part::After { customer, take, .. } if self.after.as_ref() <= Some(customer) => {
                (self.ids.up_to(customer), *take)
            }
            _ => return None,
        };
        let all_there = !self.cut || skip.saturating_add(take) <= self.ids.len();
        all_there.then_some((skip, take))
    }
}

/// An index in the making: takes the accounts in any order and keeps the first that fit.
#[derive(Debug)]
pub struct Gathering {
    after: Option<CustomerId>,
    most_bytes: usize,
    ids: Ids,
    /// Nothing behind this one is kept.
    last: Option<CustomerId>,
    total: u64,
}

impl Gathering {
    /// Of the accounts behind `after` as many as fit into so many bytes, at least half of that in use if there are more.
    #[must_use]
    pub fn new(after: Option<CustomerId>, most_bytes: usize) -> Self {
        Self {
            after,
            most_bytes,
            ids: Ids::default(),
            last: None,
            total: 0,
        }
    }

    /// Takes one live account.
    pub fn take(&mut self, customer: &CustomerId) {
        self.total = self.total.saturating_add(1);
        let before = self.after.as_ref().is_some_and(|it| customer <= it);
        let behind = self.last.as_ref().is_some_and(|it| customer > it);
        if before || behind {
            return;
        }
        self.ids.push(customer.as_str());
        if self.ids.bytes() > self.most_bytes {
            // Half of it goes at once, so that the sorting is paid for by what fits in again.
            self.ids.sort();
            self.ids.keep_first(self.ids.len().div_ceil(2));
            self.last = self.ids.last();
        }
    }

    /// What it takes of memory, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.ids.bytes()
    }

    /// All were taken.
    #[must_use]
    pub fn finish(mut self, tenant: Tenant, moments: Vec<Moment>) -> Index {
        self.ids.sort();
        // Besides the order, this gives back what the vectors have to spare.
        self.ids.keep_first(self.ids.len());
        Index {
            tenant,
            moments,
            total: self.total,
            after: self.after,
            ids: self.ids,
            cut: self.last.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::test_support::permit;

    fn id(number: usize) -> CustomerId {
        CustomerId::new(format!("{number:04}").into_bytes()).expect("an id")
    }

    fn gather(after: Option<usize>, most_bytes: usize) -> Index {
        let mut gathering = Gathering::new(after.map(id), most_bytes);
        // In no order: 7 and 1000 have no common factor.
        for number in 0..1000 {
            gathering.take(&id(number * 7 % 1000));
            assert!(gathering.bytes() <= most_bytes);
        }
        gathering.finish(permit("acme").tenant().clone(), Vec::new())
    }

    fn after(number: usize, take: usize) -> Part {
        let (customer, mark) = (id(number), None);
        Part::After {
            customer,
            take,
            mark,
        }
    }

    #[test]
    fn an_index_holds_what_fits_and_says_what_it_does_not_know() {
        let all = gather(None, 1_000_000);
        let page = |skip, take| Part::Page { skip, take };
        let ids = |range: std::ops::Range<usize>| range.map(id).collect::<Vec<_>>();
        assert_eq!(all.page(&page(10, 5)), Some((ids(10..15), true)));
        assert_eq!(all.page(&page(990, 10)), Some((ids(990..1000), false)));
        assert_eq!(all.page(&page(990, 20)), Some((ids(990..1000), false)));
        assert_eq!(all.page(&after(9, 5)), Some((ids(10..15), true)));
        assert_eq!(all.page(&Part::Whole), None);
        let cut = gather(None, 2400);
        let held = cut.ids.len();
        assert!((100..=200).contains(&held), "{held}");
        assert_eq!((all.total, cut.total), (1000, 1000));
        assert_eq!(cut.page(&page(0, held)), Some((ids(0..held), true)));
        assert_eq!(cut.page(&page(1, held)), None);
        assert_eq!(cut.page(&after(held - 1, 1)), None);
        let next = gather(Some(held - 1), 2400);
        assert_eq!(
            next.page(&after(held - 1, 9)),
            Some((ids(held..held + 9), true))
        );
        assert_eq!(next.page(&after(held - 2, 9)), None);
        assert_eq!(next.page(&page(0, 9)), None);
        let last = gather(Some(949), 2400);
        assert_eq!(last.page(&after(949, 50)), Some((ids(950..1000), false)));
    }

    #[test]
    fn a_mark_names_stores_and_revisions() {
        let moment = |store, revision| Moment {
            store: StoreId(store),
            revision,
        };
        let one = Mark::of(&[moment(1, 5), moment(2, 6)]);
        assert_eq!(one, Mark::of(&[moment(1, 5), moment(2, 6)]));
        for other in [
            &[moment(1, 5), moment(2, 7)][..],
            &[moment(3, 5), moment(2, 6)],
            &[moment(1, 5)],
        ] {
            assert_ne!(one, Mark::of(other));
        }
        assert_eq!(Mark::read(&one.to_string()), Some(one));
        for bad in ["", "0", "+000000000000001", "00000000000000000"] {
            assert_eq!(Mark::read(bad), None, "{bad}");
        }
    }
}
