//! Where an account lives in the engine.
//!
//! A key can be built only from a [`Tenant`], and only `access` makes one: no path, query, body or header ever selects
//! a tenant. Every listable prefix ends in `/`; names are percent-encoded, so a `/` cannot occur in one.

mod known;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::rc::Rc;

pub use self::known::Keys;
use crate::access::Tenant;
use crate::percent;
use crate::planted::{Bug, is_planted};

/// What stands before every account's tenant.
const ACCOUNTS: &str = "/points/1/account/";

/// Where the heartbeats of all gateways stand.
const GATEWAYS: &str = "/points/1/gateway/";

/// What stands before every history segment's tenant.
const HISTORIES: &str = "/points/1/history/";

/// How many hexadecimal digits of the digest name a bucket: 12 bits, 4096 buckets a tenant.
const BUCKET_DIGITS: usize = 3;

/// Most keys are no longer, in bytes.
const TYPICAL_KEY_BYTES: usize = 80;

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

/// A fixed hash of (tenant, customer), the same at every gateway: it stands for the account where its name would be too
/// long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccountDigest([u8; 32]);

/// The order of the bytes, found by eight at a time: an ordered map of accounts looks at the first eight and is done.
impl Ord for AccountDigest {
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, _) = self.0.as_chunks();
        let (theirs, _) = other.0.as_chunks();
        let number = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
        ours.iter().map(number).cmp(theirs.iter().map(number))
    }
}

impl PartialOrd for AccountDigest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl AccountDigest {
    /// The digest of the account whose document the engine keeps under `key`; none when it is no account's key. It gives
    /// access to nothing, so it needs no [`Tenant`].
    #[must_use]
    pub fn of_key(key: &[u8]) -> Option<Self> {
        let mut parts = key
            .strip_prefix(ACCOUNTS.as_bytes())?
            .split(|&it| it == b'/');
        let (tenant, _bucket, customer) = (parts.next()?, parts.next()?, parts.next()?);
        // The same rules hold for a tenant as for a customer, stricter ones besides.
        let tenant = CustomerId::new(percent::decode(tenant).ok()?).ok()?;
        let customer = CustomerId::new(percent::decode(customer).ok()?).ok()?;
        let digest = Self::new(tenant.as_str(), &customer);
        let same = key_of(tenant.as_str(), &digest, &customer).as_bytes() == key;
        same.then_some(digest)
    }

    /// Never change it: buckets are part of stored keys.
    fn new(tenant: &str, customer: &CustomerId) -> Self {
        let mut hash = hmac_sha256::Hash::new();
        if !is_planted(Bug::TenantNotInDigest) {
            hash.update(tenant);
        }
        // Neither a tenant nor a customer id holds a NUL, so no two pairs hash the same input.
        hash.update([0]);
        hash.update(customer.as_str());
        Self(hash.finalize())
    }

    /// All of it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bucket of the account within its tenant: 0 to 4095.
    #[must_use]
    pub const fn bucket(&self) -> u16 {
        let [first, second, ..] = self.0;
        u16::from_be_bytes([first, second]) >> 4
    }
}

/// The engine's key of one account document, and the digest that belongs to it. Cheap to clone.
// Derived comparisons are those of the text: it comes first, and the same text has the same digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    text: Rc<str>,
    digest: AccountDigest,
}

impl AccountKey {
    /// The key of one customer's account.
    #[must_use]
    pub fn new(tenant: &Tenant, customer: &CustomerId) -> Self {
        let digest = AccountDigest::new(tenant.as_str(), customer);
        let text = key_of(tenant.as_str(), &digest, customer);
        Self {
            text: text.into(),
            digest,
        }
    }

    /// The account's digest.
    #[must_use]
    pub const fn digest(&self) -> &AccountDigest {
        &self.digest
    }

    /// The bucket of the account within its tenant: 0 to 4095.
    #[must_use]
    pub const fn bucket(&self) -> u16 {
        self.digest.bucket()
    }

    /// The key's bytes, as the engine knows it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn key_of(tenant: &str, digest: &AccountDigest, customer: &CustomerId) -> String {
    let mut key = prefix_of(tenant);
    // Every request for an account makes one, so no formatting machinery.
    let bucket = digest.bucket();
    let digits: [u16; BUCKET_DIGITS] = [bucket >> 8, bucket >> 4 & 15, bucket & 15];
    key.extend(
        digits
            .map(u32::from)
            .into_iter()
            .filter_map(|digit| char::from_digit(digit, 16)),
    );
    key.push('/');
    percent::encode_to(&mut key, customer.as_str().as_bytes());
    key
}

fn prefix_of(tenant: &str) -> String {
    let mut prefix = String::with_capacity(TYPICAL_KEY_BYTES);
    prefix.push_str(ACCOUNTS);
    percent::encode_to(&mut prefix, tenant.as_bytes());
    prefix.push('/');
    prefix
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
        // Every account's key begins so.
        let place = account.as_str().strip_prefix(ACCOUNTS);
        Self(format!("{HISTORIES}{}/", place.unwrap_or_default()))
    }

    /// Those of the account whose document the engine keeps under `key`; none when it is no account's key.
    #[must_use]
    pub fn of_key(key: &[u8]) -> Option<Self> {
        AccountDigest::of_key(key)?;
        let place = std::str::from_utf8(key).ok()?.strip_prefix(ACCOUNTS)?;
        Some(Self(format!("{HISTORIES}{place}/")))
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
    prefix_of(tenant.as_str())
}

/// The prefix of all keys of the bucket that `key` is in, as far as it is an account's; ends in `/`.
#[must_use]
pub fn bucket_prefix(key: &[u8]) -> Option<&[u8]> {
    let place = key.strip_prefix(ACCOUNTS.as_bytes())?;
    let mut slashes = place.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let (_, (bucket_end, _)) = (slashes.next()?, slashes.next()?);
    let length = ACCOUNTS.len().saturating_add(bucket_end).saturating_add(1);
    key.get(..length)
}

/// The prefix of every account document there is; ends in `/`.
#[must_use]
pub fn accounts_prefix() -> String {
    ACCOUNTS.to_owned()
}

/// The key of one gateway's heartbeat, by the random name that it gave itself.
#[must_use]
pub fn heartbeat(name: &[u8; 16]) -> String {
    format!("{GATEWAYS}{:032x}", u128::from_be_bytes(*name))
}

/// The range, its end not included, that holds every account document and every heartbeat, and no history segment.
#[must_use]
pub fn fed_range() -> (Vec<u8>, Vec<u8>) {
    let end = prefix_end(GATEWAYS.as_bytes());
    (accounts_prefix().into_bytes(), end)
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
