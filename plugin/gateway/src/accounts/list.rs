//! Listing a tenant's accounts by customer id.
//!
//! Keys are ordered by bucket first, so the first page by customer id needs a look at every key: a listing walks through
//! the tenant's whole range at one pinned revision and keeps the smallest ids that it was asked for. Memory is bounded
//! by [`Limits`], a call's answer by how many documents it asks for.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::{Account, State};

use super::document;
use super::job::{Outcome, Progress};
use super::keys::{CustomerId, customer_of, prefix_end, tenant_prefix};
use crate::access::Tenant;
use crate::engine::{Method, RangePage, read_page, read_range};

/// Documents asked for in a listing's first call, before their size is known: even if each is as large as a document
/// may be, the answer fits Envoy's buffer for a call (32 MiB).
const FIRST_CALL_DOCUMENTS: usize = 24;

/// Documents asked for in one call at most.
const MAX_CALL_DOCUMENTS: usize = 1000;

/// The size of an answer that later calls aim at, in bytes.
const TARGET_ANSWER_BYTES: usize = 2 * 1024 * 1024;

/// Accounts, deleted ones among them, that one listing looks at before it is refused.
pub const MAX_SCANNED_ACCOUNTS: u64 = 1_000_000;

/// How often one listing begins again because its revision was compacted away. Each beginning has the time of a whole
/// listing, so without a bound a store that is compacted all the time would keep a client waiting for ever.
const MAX_RESTARTS: u32 = 3;

/// gRPC status `OUT_OF_RANGE`: the pinned revision was compacted away.
const OUT_OF_RANGE: u32 = 11;

/// Which part of the list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// `take` accounts behind the first `skip`.
    Page {
        /// How many accounts stand in front.
        skip: usize,
        /// How many accounts at most.
        take: usize,
    },
    /// `take` accounts behind a customer.
    After {
        /// The last customer of the page before.
        customer: CustomerId,
        /// How many accounts at most.
        take: usize,
    },
}

/// What one listing may hold at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Accounts of an unpaged list.
    pub max_accounts: usize,
    /// Bytes of documents kept.
    pub max_bytes: usize,
}

/// A listing of one tenant's accounts.
#[derive(Debug)]
pub struct List {
    tenant: Tenant,
    part: Part,
    limits: Limits,
    /// 0 until the first answer tells the revision that the rest is pinned to.
    revision: i64,
    next_key: Vec<u8>,
    call_documents: usize,
    kept: BTreeMap<CustomerId, Bytes>,
    kept_bytes: usize,
    live_accounts: u64,
    scanned_accounts: u64,
    restarts: u32,
}

/// One part of a tenant's list.
#[derive(Debug)]
pub struct Listing {
    /// The accounts, by customer id ascending.
    pub accounts: Vec<(CustomerId, Account)>,
    /// All accounts of the tenant, at the listing's revision.
    pub total: u64,
    /// Whether accounts follow behind the last one.
    pub more: bool,
}

impl List {
    /// Lists `part` of the tenant's accounts.
    #[must_use]
    pub fn new(tenant: Tenant, part: Part, limits: Limits) -> Self {
        let next_key = tenant_prefix(&tenant).into_bytes();
        Self {
            tenant,
            part,
            limits,
            revision: 0,
            next_key,
            call_documents: FIRST_CALL_DOCUMENTS,
            kept: BTreeMap::new(),
            kept_bytes: 0,
            live_accounts: 0,
            scanned_accounts: 0,
            restarts: 0,
        }
    }

    pub(super) fn next_call(&self) -> (Method, Bytes) {
        let end = prefix_end(tenant_prefix(&self.tenant).as_bytes());
        let limit = i64::try_from(self.call_documents).unwrap_or(1);
        (
            Method::Range,
            read_range(&self.next_key, &end, limit, self.revision),
        )
    }

    pub(super) fn answered(&mut self, message: Bytes) -> Progress {
        let answer_bytes = message.len();
        let Ok(page) = read_page(message) else {
            return Progress::Senseless;
        };
        let documents = page.documents.len();
        if self.revision == 0 {
            self.revision = page.revision;
        }
        let more = page.more;
        if let Err(outcome) = self.take_page(page) {
            return Progress::Done(outcome);
        }
        if more {
            self.aim(answer_bytes, documents);
            return Progress::Call;
        }
        Progress::Done(self.finish())
    }

    /// After a failed call: ask for less, and begin again when the pinned revision is gone. One that has begun
    /// [`MAX_RESTARTS`] times again keeps asking for what is gone, and so runs out of time.
    pub(super) fn failed(&mut self, grpc_status: u32) {
        self.call_documents = (self.call_documents / 2).max(1);
        if grpc_status == OUT_OF_RANGE && self.restarts < MAX_RESTARTS {
            let restarts = self.restarts.saturating_add(1);
            *self = Self::new(self.tenant.clone(), self.part.clone(), self.limits);
            self.restarts = restarts;
        }
    }

    fn take_page(&mut self, page: RangePage) -> Result<(), Outcome> {
        for found in page.documents {
            self.next_key = found.key.to_vec();
            self.next_key.push(0);
            self.scanned_accounts = self.scanned_accounts.saturating_add(1);
            if self.scanned_accounts > MAX_SCANNED_ACCOUNTS {
                return Err(Outcome::ListTooLong);
            }
            let customer = customer_of(&self.tenant, &found.key).ok_or(Outcome::Corrupt)?;
            match document::decode(&found.value) {
                Ok(State::Live(_)) => self.take_account(customer, found.value)?,
                Ok(State::Absent | State::Erased(_)) => {}
                Err(_) => return Err(Outcome::Corrupt),
            }
        }
        Ok(())
    }

    fn take_account(&mut self, customer: CustomerId, value: Bytes) -> Result<(), Outcome> {
        self.live_accounts = self.live_accounts.saturating_add(1);
        if let Part::After { customer: last, .. } = &self.part
            && customer <= *last
        {
            return Ok(());
        }
        self.kept_bytes = self.kept_bytes.saturating_add(value.len());
        // A copy, not a slice of the whole answer: what is not kept must not stay in memory.
        self.kept.insert(customer, Bytes::copy_from_slice(&value));
        if self.kept.len() > self.most_kept() {
            if self.part == Part::Whole {
                return Err(Outcome::ListTooLong);
            }
            if let Some((_, dropped)) = self.kept.pop_last() {
                self.kept_bytes = self.kept_bytes.saturating_sub(dropped.len());
            }
        }
        if self.kept_bytes > self.limits.max_bytes {
            return Err(Outcome::ListTooLong);
        }
        Ok(())
    }

    /// How many of the smallest ids can matter; for a page one more than it shows, which tells that more follow.
    fn most_kept(&self) -> usize {
        match self.part {
            Part::Whole => self.limits.max_accounts,
            Part::Page { skip, take } => skip.saturating_add(take).saturating_add(1),
            Part::After { take, .. } => take.saturating_add(1),
        }
    }

    fn aim(&mut self, answer_bytes: usize, documents: usize) {
        let each = answer_bytes.checked_div(documents).unwrap_or(1).max(1);
        self.call_documents = TARGET_ANSWER_BYTES
            .checked_div(each)
            .unwrap_or(1)
            .clamp(FIRST_CALL_DOCUMENTS, MAX_CALL_DOCUMENTS);
    }

    fn finish(&mut self) -> Outcome {
        let (skip, take) = match self.part {
            Part::Whole => (0, usize::MAX),
            Part::Page { skip, take } => (skip, take),
            Part::After { take, .. } => (0, take),
        };
        let more = self.kept.len() > skip.saturating_add(take);
        let mut accounts = Vec::new();
        for (customer, value) in std::mem::take(&mut self.kept)
            .into_iter()
            .skip(skip)
            .take(take)
        {
            match document::decode(&value) {
                Ok(State::Live(account)) => accounts.push((customer, account)),
                _ => return Outcome::Corrupt,
            }
        }
        Outcome::Listed(Listing {
            accounts,
            total: self.live_accounts,
            more,
        })
    }
}
