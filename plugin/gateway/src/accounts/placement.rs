//! Which of the engine's clusters holds which accounts: each cluster has a contiguous range of the buckets of every tenant.
//!
//! The one place that knows the rule. It depends on the number of clusters and on their order alone, so all gateways of
//! one engine must have both alike; a change of either leaves accounts where nobody looks for them, until they are moved.

use std::ops::Range;

use super::keys::{AccountKey, prefix_end, tenant_prefix};
use crate::access::Tenant;

/// Buckets that a tenant's accounts fall into.
const BUCKETS: u16 = 4096;

/// The clusters that may be configured, at most.
pub const MAX_CLUSTERS: usize = 16;

/// The rule for so many clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    clusters: u16,
}

impl Placement {
    /// The rule for so many clusters, of 1 to [`MAX_CLUSTERS`]; others count as the nearest of these.
    #[must_use]
    pub fn new(clusters: usize) -> Self {
        let clusters = clusters.clamp(1, MAX_CLUSTERS);
        Self {
            clusters: u16::try_from(clusters).unwrap_or(1),
        }
    }

    /// How many clusters there are.
    #[must_use]
    pub fn clusters(self) -> usize {
        self.clusters.into()
    }

    /// The place, in the order of the configuration, of the cluster that holds an account and its history.
    #[must_use]
    pub fn of(self, key: &AccountKey) -> usize {
        let scaled = u32::from(key.bucket()).saturating_mul(self.clusters.into());
        let place = scaled.checked_div(BUCKETS.into()).unwrap_or(0);
        usize::try_from(place).unwrap_or(0)
    }

    /// The buckets that the cluster at this place holds.
    #[must_use]
    pub fn buckets(self, place: usize) -> Range<u16> {
        let place = u16::try_from(place).unwrap_or(self.clusters);
        self.first(place)..self.first(place.saturating_add(1))
    }

    /// The first bucket of the cluster at this place.
    fn first(self, place: u16) -> u16 {
        let scaled = u32::from(place.min(self.clusters)).saturating_mul(BUCKETS.into());
        u16::try_from(scaled.div_ceil(self.clusters.into())).unwrap_or(BUCKETS)
    }
}

/// The keys of a tenant's accounts in these buckets: the first and the end, which is not included.
#[must_use]
pub fn bucket_range(tenant: &Tenant, buckets: &Range<u16>) -> (Vec<u8>, Vec<u8>) {
    let prefix = tenant_prefix(tenant);
    let start = |bucket: u16| match bucket {
        // What is no bucket at all is seen by whoever looks at the first or at the last.
        0 => prefix.clone().into_bytes(),
        BUCKETS.. => prefix_end(prefix.as_bytes()),
        bucket => format!("{prefix}{bucket:03x}").into_bytes(),
    };
    (start(buckets.start), start(buckets.end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::test_support::permit;
    use crate::accounts::keys::CustomerId;

    #[test]
    fn every_account_is_in_the_range_of_its_cluster_and_of_no_other() {
        let permit = permit("acme");
        for clusters in 1..=MAX_CLUSTERS {
            let placement = Placement::new(clusters);
            let ranges: Vec<_> = (0..clusters)
                .map(|place| bucket_range(permit.tenant(), &placement.buckets(place)))
                .collect();
            let mut held = vec![0_usize; clusters];
            for number in 0..5000 {
                let customer = CustomerId::new(format!("{number}").into_bytes()).unwrap();
                let key = AccountKey::new(permit.tenant(), &customer);
                let place = placement.of(&key);
                assert_eq!(place, usize::from(key.bucket()) * clusters / 4096);
                for (other, (start, end)) in ranges.iter().enumerate() {
                    let inside = (start.as_slice()..end.as_slice()).contains(&key.as_bytes());
                    assert_eq!(inside, other == place, "{clusters} {number}");
                }
                held[place] += 1;
            }
            let fair = 5000 / clusters;
            assert!(held.iter().all(|&it| it > fair / 2), "{held:?}");
        }
    }

    #[test]
    fn the_ranges_of_all_clusters_are_the_tenants_range() {
        let permit = permit("acme");
        for clusters in 1..=MAX_CLUSTERS {
            let placement = Placement::new(clusters);
            let mut end = tenant_prefix(permit.tenant()).into_bytes();
            for place in 0..clusters {
                let (from, to) = bucket_range(permit.tenant(), &placement.buckets(place));
                assert_eq!(from, end);
                assert!(from < to);
                end = to;
            }
            assert_eq!(end, prefix_end(tenant_prefix(permit.tenant()).as_bytes()));
        }
    }
}
