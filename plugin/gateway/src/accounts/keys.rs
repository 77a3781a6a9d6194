//! Where an account lives in the engine.
//!
//! A key can be built only from a [`Tenant`], and only `access` makes one: no path, query, body or header ever selects
//! a tenant. Every listable prefix ends in `/`; names are percent-encoded, so a `/` cannot occur in one.

use crate::access::Tenant;
use crate::percent;

/// Everything the gateway keeps in the engine stands below this, and carries the layout's version.
const ROOT: &str = "/points/1";

/// Below it, the account documents.
const ACCOUNT: &str = "account";

/// Below it, the history segments.
const HISTORY: &str = "history";

/// How many hexadecimal digits of the hash name a bucket: 12 bits, 4096 buckets a tenant.
const BUCKET_DIGITS: usize = 3;

/// The longest customer id, in bytes after percent-decoding.
pub const MAX_CUSTOMER_ID_BYTES: usize = 128;

/// A customer's id within its tenant: 1 to [`MAX_CUSTOMER_ID_BYTES`] bytes of UTF-8 without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId(String);

/// Why bytes are no customer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomerIdError {
    /// No bytes at all.
    Empty,
    /// Over [`MAX_CUSTOMER_ID_BYTES`].
    TooLong,
    /// Not UTF-8.
    NotUtf8,
    /// A control character, NUL among them.
    ControlCharacter,
}

impl CustomerId {
    /// Checks decoded bytes.
    ///
    /// # Errors
    /// [`CustomerIdError`]
    pub fn new(bytes: Vec<u8>) -> Result<Self, CustomerIdError> {
        if bytes.is_empty() {
            return Err(CustomerIdError::Empty);
        }
        if bytes.len() > MAX_CUSTOMER_ID_BYTES {
            return Err(CustomerIdError::TooLong);
        }
        let text = String::from_utf8(bytes).map_err(|_| CustomerIdError::NotUtf8)?;
        if text.chars().any(char::is_control) {
            return Err(CustomerIdError::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The engine's key of one account document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey(String);

impl AccountKey {
    /// The key of one customer's account.
    #[must_use]
    pub fn new(tenant: &Tenant, customer: &CustomerId) -> Self {
        Self(format!("{ROOT}/{ACCOUNT}/{}", place_of(tenant, customer)))
    }

    /// The key's bytes, as the engine knows it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the history segments of one customer stand in the engine.
///
/// Numbers in keys have 20 digits, so that keys stand in the order of generations and of entries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistoryKeys(String);

impl HistoryKeys {
    /// Those of the account under `account`.
    #[must_use]
    pub fn of(account: &AccountKey) -> Self {
        let account_root = format!("{ROOT}/{ACCOUNT}/");
        // Every account's key begins so.
        let place = account.as_str().strip_prefix(&account_root);
        Self(format!("{ROOT}/{HISTORY}/{}/", place.unwrap_or_default()))
    }

    /// The prefix of all segments of the customer, of every life; ends in `/`.
    #[must_use]
    pub fn all_lives(&self) -> &str {
        &self.0
    }

    /// The prefix of all segments of one life; ends in `/`.
    #[must_use]
    pub fn life(&self, generation: u64) -> String {
        format!("{}{generation:020}/", self.0)
    }

    /// The key of the segment that begins with entry `first`.
    #[must_use]
    pub fn segment(&self, generation: u64, first: u64) -> Vec<u8> {
        format!("{}{first:020}", self.life(generation)).into_bytes()
    }
}

/// The prefix of every account document of a tenant; ends in `/`.
#[must_use]
pub fn tenant_prefix(tenant: &Tenant) -> String {
    format!(
        "{ROOT}/{ACCOUNT}/{}/",
        percent::encode(tenant.as_str().as_bytes())
    )
}

/// Tenant, bucket and customer, as they stand in every key of that customer.
fn place_of(tenant: &Tenant, customer: &CustomerId) -> String {
    let digest = account_digest(tenant, customer);
    let bucket: String = digest
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .chars()
        .take(BUCKET_DIGITS)
        .collect();
    format!(
        "{}/{bucket}/{}",
        percent::encode(tenant.as_str().as_bytes()),
        percent::encode(customer.as_str().as_bytes())
    )
}

/// The customer whose account document is kept under `key`, when `key` is one of this tenant's.
#[must_use]
pub fn customer_of(tenant: &Tenant, key: &[u8]) -> Option<CustomerId> {
    let below = key.strip_prefix(tenant_prefix(tenant).as_bytes())?;
    let encoded = below.get(BUCKET_DIGITS..)?.strip_prefix(b"/")?;
    let customer = CustomerId::new(percent::decode(encoded).ok()?).ok()?;
    (AccountKey::new(tenant, &customer).as_bytes() == key).then_some(customer)
}

/// The end (not included) of the range of all keys that start with `prefix`, as etcd wants it.
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    // Every key: etcd's convention for "from `key` on, without end".
    vec![0]
}

/// A fixed hash of (tenant, customer): never change it, buckets are part of stored keys.
fn account_digest(tenant: &Tenant, customer: &CustomerId) -> [u8; 32] {
    let mut hash = hmac_sha256::Hash::new();
    hash.update(tenant.as_str());
    // Neither a tenant nor a customer id holds a NUL, so no two pairs hash the same input.
    hash.update([0]);
    hash.update(customer.as_str());
    hash.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::test_support::permit;

    #[test]
    fn keys_are_what_they_always_were() {
        // Stored data depends on them. The buckets were computed by another program.
        let long = "x".repeat(128);
        for (tenant, customer, expected) in [
            ("acme", "614", "/points/1/account/acme/fe1/614"),
            ("acmf", "614", "/points/1/account/acmf/ec8/614"),
            ("other", "614", "/points/1/account/other/b40/614"),
            ("acme", "a/b", "/points/1/account/acme/87e/a%2Fb"),
            (
                "acme",
                "größe",
                "/points/1/account/acme/918/gr%C3%B6%C3%9Fe",
            ),
            ("acme", &long, &format!("/points/1/account/acme/65a/{long}")),
        ] {
            let permit = permit(tenant);
            let customer = CustomerId::new(customer.into()).unwrap();
            let key = AccountKey::new(permit.tenant(), &customer);
            assert_eq!(key.as_str(), expected);
            assert_eq!(customer_of(permit.tenant(), key.as_bytes()), Some(customer));
        }
    }

    #[test]
    fn segments_stand_beside_their_account_in_the_order_of_their_entries() {
        let permit = permit("acme");
        let customer = CustomerId::new(b"a/b".to_vec()).unwrap();
        let keys = HistoryKeys::of(&AccountKey::new(permit.tenant(), &customer));
        assert_eq!(keys.all_lives(), "/points/1/history/acme/87e/a%2Fb/");
        assert_eq!(
            keys.life(2),
            "/points/1/history/acme/87e/a%2Fb/00000000000000000002/"
        );
        let key = keys.segment(2, 65);
        let expected = "/points/1/history/acme/87e/a%2Fb/00000000000000000002/00000000000000000065";
        assert_eq!(key, expected.as_bytes());
        let ascending = [
            keys.segment(1, u64::MAX),
            keys.segment(2, 1),
            keys.segment(2, 9),
            keys.segment(2, 10),
            keys.segment(10, 1),
            keys.segment(u64::MAX, u64::MAX),
        ];
        assert!(ascending.is_sorted());
        assert_eq!(customer_of(permit.tenant(), &key), None);
    }

    #[test]
    fn no_other_key_names_a_customer() {
        let permit = permit("acme");
        for key in [
            "/points/1/account/acme/fe2/614",
            "/points/1/account/acme/fe1/6%314",
            "/points/1/account/acme/FE1/614",
            "/points/1/account/acme/fe1/614/",
            "/points/1/account/acme/fe1/",
            "/points/1/account/acme/fe1614",
            "/points/1/account/acme/fe",
            "/points/1/account/acme/",
            "/points/1/account/acmf/ec8/614",
            "/points/1/history/acme/fe1/614",
            "/points/2/account/acme/fe1/614",
            "",
        ] {
            assert_eq!(customer_of(permit.tenant(), key.as_bytes()), None, "{key}");
        }
    }

    #[test]
    fn a_tenants_range_holds_its_keys_and_nobody_elses() {
        let range = |tenant: &str| {
            let start = tenant_prefix(permit(tenant).tenant()).into_bytes();
            let end = prefix_end(&start);
            start..end
        };
        let key = |tenant: &str, customer: &str| {
            let customer = CustomerId::new(customer.into()).unwrap();
            let key = AccountKey::new(permit(tenant).tenant(), &customer);
            key.as_bytes().to_vec()
        };
        let tenants = ["acm", "acme", "acme0", "acmee", "acmf"];
        for mine in tenants {
            for theirs in tenants {
                for customer in ["614", "\u{10ffff}", "/", "~"] {
                    let inside = range(mine).contains(&key(theirs, customer));
                    assert_eq!(inside, mine == theirs, "{mine} {theirs} {customer}");
                }
            }
        }
    }

    #[test]
    fn a_prefix_ends_just_behind_its_last_key() {
        assert_eq!(prefix_end(b"/a/"), b"/a0");
        assert_eq!(prefix_end(b"a\xff"), b"b");
        assert_eq!(prefix_end(b"\xff\xff"), [0]);
    }

    #[test]
    fn customer_ids() {
        for (given, expected) in [
            (&b"614"[..], None),
            (b"a/b", None),
            ("größe".as_bytes(), None),
            (&[b'x'; 128][..], None),
            (b"", Some(CustomerIdError::Empty)),
            (&[b'x'; 129][..], Some(CustomerIdError::TooLong)),
            (b"a\0b", Some(CustomerIdError::ControlCharacter)),
            (b"a\x7f", Some(CustomerIdError::ControlCharacter)),
            (b"\xff", Some(CustomerIdError::NotUtf8)),
        ] {
            assert_eq!(CustomerId::new(given.to_vec()).err(), expected, "{given:?}");
        }
    }
}
