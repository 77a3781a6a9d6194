//! Keys that one VM has made lately: the digest of an account that is asked for again is not computed again.
//!
//! Decides only which keys are remembered. A key is found by all of its tenant and customer, never by a hash alone, so that
//! none is ever mistaken for another's.

use std::cell::RefCell;

use super::{AccountKey, CustomerId};
use crate::access::Tenant;

/// Keys that a VM remembers, about 250 bytes each at the usual lengths and 1 KiB at most. An account has one place.
const PLACES: usize = 2_048;

/// The keys that one VM has made.
#[derive(Debug)]
pub struct Keys {
    places: RefCell<Vec<Option<Known>>>,
}

#[derive(Debug, Clone)]
struct Known {
    tenant: Tenant,
    customer: CustomerId,
    key: AccountKey,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            places: RefCell::new(vec![None; PLACES]),
        }
    }
}

impl Keys {
    /// The key of one customer's account: [`AccountKey::new`].
    #[must_use]
    pub fn of(&self, tenant: &Tenant, customer: &CustomerId) -> AccountKey {
        // Borrowed already only if a host called back into the module, which no host may.
        let Ok(mut places) = self.places.try_borrow_mut() else {
            return AccountKey::new(tenant, customer);
        };
        let place = places.get_mut(place_of(tenant.as_str(), customer.as_str()));
        if let Some(Some(known)) = &place
            && known.customer == *customer
            && known.tenant == *tenant
        {
            return known.key.clone();
        }
        let key = AccountKey::new(tenant, customer);
        if let Some(place) = place {
            *place = Some(Known {
                tenant: tenant.clone(),
                customer: customer.clone(),
                key: key.clone(),
            });
        }
        key
    }
}

/// A hash that is cheap and no more (eight bytes at a time, by the multiplier of Fibonacci hashing): who makes two accounts
/// share a place slows both down to what a key costs anyway.
fn place_of(tenant: &str, customer: &str) -> usize {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = MULTIPLIER;
    for text in [tenant.as_bytes(), customer.as_bytes()] {
        for chunk in text.chunks(8) {
            let mut word = [0; 8];
            for (into, &byte) in word.iter_mut().zip(chunk) {
                *into = byte;
            }
            hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
            // The product's upper half depends on all bytes, its lower half hardly on the last ones.
            hash ^= hash >> 32;
        }
    }
    let [a, b, ..] = hash.wrapping_mul(MULTIPLIER).to_be_bytes();
    usize::from(u16::from_be_bytes([a, b])) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(id: &str) -> CustomerId {
        CustomerId::new(id.into()).expect("an id")
    }

    #[test]
    fn a_remembered_key_is_the_one_that_would_be_made() {
        let keys = Keys::default();
        // More than there are places, each asked for twice at once and again when others have come.
        for _ in 0..2 {
            for number in 0..3 * PLACES {
                let tenant = Tenant::for_test(["acme", "acme1", "acm"][number % 3]);
                let customer = customer(&format!("{number}"));
                let expected = AccountKey::new(&tenant, &customer);
                assert_eq!(keys.of(&tenant, &customer), expected);
                assert_eq!(keys.of(&tenant, &customer), expected);
            }
        }
    }

    #[test]
    fn two_tenants_never_share_a_key_though_their_names_run_together() {
        let keys = Keys::default();
        let pairs = [("acme", "1614"), ("acme1", "614"), ("acme16", "14")];
        let of = |(tenant, id)| keys.of(&Tenant::for_test(tenant), &customer(id));
        let all: std::collections::BTreeSet<_> = pairs.map(of).into();
        assert_eq!(all.len(), pairs.len());
        for pair in pairs {
            assert!(of(pair).as_str().contains(&format!("/{}/", pair.0)));
        }
    }

    #[test]
    fn neighbours_are_spread_over_the_places() {
        let places: std::collections::BTreeSet<_> = (0..PLACES)
            .map(|number| place_of("acme", &format!("customer-{number}")))
            .collect();
        // As many as chance would fill: 1 - 1/e of them, less some luck.
        assert!(places.len() > PLACES * 58 / 100, "{}", places.len());
    }
}
