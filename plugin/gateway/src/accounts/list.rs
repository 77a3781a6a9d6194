//! Listing a tenant's accounts by customer id.
//!
//! Keys are ordered by bucket first, so the first page by customer id needs a look at every key: a listing walks through
//! the tenant's whole range at one pinned revision and keeps the smallest ids that it was asked for; the documents of a
//! page that has others in front are fetched then, and last the segments of those accounts whose history is not all in
//! their documents: segments never change, so they belong to the pinned revision whenever they are read. Memory is bounded by [`Limits`], a call's answer by how many documents
//! it asks for.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ledger::History;

use super::document::{self, DocumentError};
use super::history::{Stored, Walk};
use super::job::{Corrupt, Outcome, Progress};
use super::keys::{AccountKey, CustomerId, HistoryKeys, customer_of};
use super::placement::Placement;
use crate::access::Tenant;
use crate::engine::{Method, RangePage, read_documents, read_page, read_range, read_several};

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
    /// Bytes kept: documents, segments, ids and their share of the map.
    pub max_bytes: usize,
}

/// A listing of one tenant's accounts.
#[derive(Debug)]
pub struct List {
    tenant: Tenant,
    part: Part,
    limits: Limits,
    placement: Placement,
    /// The place of the cluster whose keys are walked through; the clusters come one after the other.
    walks_at: usize,
    /// Of each cluster, 0 until its first answer tells the revision that the rest is pinned to.
    revisions: Vec<i64>,
    next_key: Vec<u8>,
    end: Vec<u8>,
    call_documents: usize,
    /// The smallest ids so far; with their documents, unless they are fetched at the end.
    kept: BTreeMap<CustomerId, Option<Bytes>>,
    kept_bytes: usize,
    live_accounts: u64,
    scanned_accounts: u64,
    restarts: u32,
    /// Once all keys were seen: what is wanted of them, part of it still to be fetched.
    page: Option<Page>,
}

/// The accounts that are wanted, by customer id ascending.
#[derive(Debug)]
struct Page {
    /// Grouped by their cluster's place.
    to_fetch: VecDeque<(usize, AccountKey, CustomerId)>,
    accounts: Vec<(CustomerId, Stored)>,
    /// How many of `accounts` are complete with their segments; with the walk through those of the next one, if it has any.
    complete: usize,
    walk: Option<Walk>,
    more: bool,
}

/// One part of a tenant's list.
#[derive(Debug)]
pub struct Listing {
    /// The accounts with their histories, by customer id ascending. Encoded: decoded they take several times the memory.
    pub accounts: Vec<(CustomerId, Stored)>,
    /// All accounts of the tenant, at the listing's revision.
    pub total: u64,
    /// Whether accounts follow behind the last one.
    pub more: bool,
}

impl Listing {
    /// One account of the listing, with its whole history.
    ///
    /// # Errors
    /// The outcome of the listing when it cannot be read.
    pub fn history(customer: &CustomerId, stored: &Stored) -> Result<History, Box<Corrupt>> {
        let history = stored.history();
        history.map_err(|error| Corrupt::new(customer.as_str().as_bytes(), error))
    }
}

impl List {
    /// Lists `part` of the tenant's accounts.
    #[must_use]
    pub fn new(tenant: Tenant, part: Part, limits: Limits, placement: Placement) -> Self {
        let (next_key, end) = placement.range(&tenant, 0);
        Self {
            tenant,
            part,
            limits,
            placement,
            walks_at: 0,
            revisions: vec![0; placement.clusters()],
            next_key,
            end,
            call_documents: FIRST_CALL_DOCUMENTS,
            kept: BTreeMap::new(),
            kept_bytes: 0,
            live_accounts: 0,
            scanned_accounts: 0,
            restarts: 0,
            page: None,
        }
    }

    /// Bytes that the list holds besides its own small size.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// The call that the list waits for. The same bytes every time until an answer is taken.
    #[must_use]
    pub fn next_call(&self) -> (Method, Bytes) {
        if let Some(page) = &self.page {
            if let Some(walk) = &page.walk {
                return walk.next_call();
            }
            let keys = page.next_fetch();
            let keys = keys.iter().map(AccountKey::as_bytes);
            return (Method::Txn, read_several(keys, self.revision()));
        }
        let limit = i64::try_from(self.call_documents).unwrap_or(1);
        (
            Method::Range,
            read_range(&self.next_key, &self.end, limit, self.revision()),
        )
    }

    /// Takes the engine's answer to the last call.
    pub fn answered(&mut self, message: Bytes) -> Progress {
        match &self.page {
            Some(page) if page.walk.is_some() => return self.walked(message),
            Some(_) => return self.fetched(message),
            None => {}
        }
        let answer_bytes = message.len();
        let Ok(page) = read_page(message) else {
            return Progress::Senseless;
        };
        let documents = page.documents.len();
        if let Some(revision) = self.revisions.get_mut(self.walks_at)
            && *revision == 0
        {
            *revision = page.revision;
        }
        let more = page.more;
        if let Err(outcome) = self.take_page(page) {
            return Progress::Done(outcome);
        }
        if more {
            self.aim(answer_bytes, documents);
            return Progress::Call;
        }
        self.walks_at = self.walks_at.saturating_add(1);
        if self.walks_at < self.placement.clusters() {
            (self.next_key, self.end) = self.placement.range(&self.tenant, self.walks_at);
            return Progress::Call;
        }
        self.seen_all()
    }

    /// After a failed call: ask for less, and begin again when the pinned revision is gone. One that has begun
    /// [`MAX_RESTARTS`] times again keeps asking for what is gone, and so runs out of time.
    pub fn failed(&mut self, grpc_status: u32) {
        self.call_documents = (self.call_documents / 2).max(1);
        if let Some(walk) = self.page.as_mut().and_then(|page| page.walk.as_mut()) {
            walk.failed();
        }
        if grpc_status == OUT_OF_RANGE && self.restarts < MAX_RESTARTS {
            let restarts = self.restarts.saturating_add(1);
            let (tenant, part) = (self.tenant.clone(), self.part.clone());
            *self = Self::new(tenant, part, self.limits, self.placement);
            self.restarts = restarts;
        }
    }

    /// The place of the cluster that the next call goes to.
    #[must_use]
    pub fn place(&self) -> usize {
        let Some(page) = &self.page else {
            return self.walks_at;
        };
        let walked = page.accounts.get(page.complete);
        let walked = walked.filter(|_| page.walk.is_some());
        match (walked, page.next_fetch().first()) {
            (Some((customer, _)), _) => self.placement.of(&self.key(customer)),
            (None, Some(key)) => self.placement.of(key),
            (None, None) => 0,
        }
    }

    /// The revision that the next call reads at: 0 is the newest.
    fn revision(&self) -> i64 {
        self.revisions.get(self.place()).copied().unwrap_or(0)
    }

    fn key(&self, customer: &CustomerId) -> AccountKey {
        AccountKey::new(&self.tenant, customer)
    }

    fn take_page(&mut self, page: RangePage) -> Result<(), Outcome> {
        for found in page.documents {
            self.next_key = found.key.to_vec();
            self.next_key.push(0);
            self.scanned_accounts = self.scanned_accounts.saturating_add(1);
            if self.scanned_accounts > MAX_SCANNED_ACCOUNTS {
                return Err(Outcome::TooManyAccounts);
            }
            let corrupt = |error| Outcome::Corrupt(Corrupt::new(&found.key, error));
            let customer = customer_of(&self.tenant, &found.key)
                .ok_or_else(|| corrupt(DocumentError::ForeignKey))?;
            if document::is_live(&found.value).map_err(corrupt)? {
                self.take_account(customer, &found.value)?;
            }
        }
        Ok(())
    }

    fn take_account(&mut self, customer: CustomerId, value: &Bytes) -> Result<(), Outcome> {
        self.live_accounts = self.live_accounts.saturating_add(1);
        if let Part::After { customer: last, .. } = &self.part
            && customer <= *last
        {
            return Ok(());
        }
        // A copy, not a slice of the whole answer: what is not kept must not stay in memory.
        let document = self
            .keeps_documents()
            .then(|| Bytes::copy_from_slice(value));
        self.kept_bytes = self.kept_bytes.saturating_add(held(&customer, &document));
        self.kept.insert(customer, document);
        if self.kept.len() > self.most_kept() {
            if self.part == Part::Whole {
                return Err(Outcome::ListTooLong);
            }
            if let Some((customer, document)) = self.kept.pop_last() {
                self.kept_bytes = self.kept_bytes.saturating_sub(held(&customer, &document));
            }
        }
        if self.kept_bytes > self.limits.max_bytes {
            return Err(Outcome::ListTooLong);
        }
        Ok(())
    }

    /// Behind others, a page's accounts are known only when all keys were seen: to keep the documents of all that stand
    /// in front would bound how deep a page may be.
    const fn keeps_documents(&self) -> bool {
        !matches!(self.part, Part::Page { skip: 1.., .. })
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

    fn seen_all(&mut self) -> Progress {
        let (skip, take) = match self.part {
            Part::Whole => (0, usize::MAX),
            Part::Page { skip, take } => (skip, take),
            Part::After { take, .. } => (0, take),
        };
        let more = self.kept.len() > skip.saturating_add(take);
        let mut page = Page {
            to_fetch: VecDeque::new(),
            accounts: Vec::new(),
            complete: 0,
            walk: None,
            more,
        };
        let kept = std::mem::take(&mut self.kept);
        self.kept_bytes = 0;
        for (customer, document) in kept.into_iter().skip(skip).take(take) {
            self.kept_bytes = self.kept_bytes.saturating_add(held(&customer, &document));
            match document {
                Some(document) => page.take(customer, document),
                None => {
                    let key = self.key(&customer);
                    let place = self.placement.of(&key);
                    page.to_fetch.push_back((place, key, customer));
                }
            }
        }
        page.to_fetch.make_contiguous().sort_by_key(|it| it.0);
        self.go_on(page)
    }

    /// Takes the documents that were fetched: all that were asked for, they are there at the pinned revision.
    fn fetched(&mut self, message: Bytes) -> Progress {
        let Some(mut page) = self.page.take() else {
            return Progress::Senseless;
        };
        let wanted = page.next_fetch();
        let found = read_documents(message).unwrap_or_default();
        let all_there = found.len() == wanted.len()
            && wanted
                .iter()
                .zip(&found)
                .all(|(key, document)| key.as_bytes() == document.key);
        if !all_there {
            self.page = Some(page);
            return Progress::Senseless;
        }
        for document in found {
            let Some((_, _, customer)) = page.to_fetch.pop_front() else {
                break;
            };
            self.kept_bytes = self.kept_bytes.saturating_add(document.value.len());
            page.take(customer, document.value);
        }
        if page.to_fetch.is_empty() {
            page.accounts.sort_by(|one, other| one.0.cmp(&other.0));
        }
        if self.kept_bytes > self.limits.max_bytes {
            return Progress::Done(Outcome::ListTooLong);
        }
        self.go_on(page)
    }

    /// Takes segments of the account that is next to be complete.
    fn walked(&mut self, message: Bytes) -> Progress {
        let Some(mut page) = self.page.take() else {
            return Progress::Senseless;
        };
        let answer = page.walk.as_mut().map(|walk| walk.answered(message));
        let (Some(Ok(answer)), Some((_, stored))) = (answer, page.accounts.get_mut(page.complete))
        else {
            self.page = Some(page);
            return Progress::Senseless;
        };
        for segment in answer.segments {
            self.kept_bytes = self.kept_bytes.saturating_add(segment.len());
            stored.segments.push(segment);
        }
        if self.kept_bytes > self.limits.max_bytes {
            return Progress::Done(Outcome::ListTooLong);
        }
        if answer.more {
            self.page = Some(page);
            return Progress::Call;
        }
        page.walk = None;
        page.complete = page.complete.saturating_add(1);
        self.go_on(page)
    }

    fn go_on(&mut self, mut page: Page) -> Progress {
        if !page.to_fetch.is_empty() {
            self.page = Some(page);
            return Progress::Call;
        }
        while let Some((customer, stored)) = page.accounts.get(page.complete) {
            match document::archived(&stored.document) {
                Ok(None) => page.complete = page.complete.saturating_add(1),
                Ok(Some((generation, last))) => {
                    let keys = HistoryKeys::of(&self.key(customer));
                    page.walk = Some(Walk::new(&keys, generation, 1, last));
                    self.page = Some(page);
                    return Progress::Call;
                }
                Err(error) => {
                    let key = self.key(customer);
                    return Progress::Done(Outcome::Corrupt(Corrupt::new(key.as_bytes(), error)));
                }
            }
        }
        Progress::Done(Outcome::Listed(Listing {
            accounts: page.accounts,
            total: self.live_accounts,
            more: page.more,
        }))
    }
}

impl Page {
    /// What the next call asks for: accounts of one cluster.
    fn next_fetch(&self) -> Vec<AccountKey> {
        let place = self.to_fetch.front().map(|it| it.0);
        let same = self.to_fetch.iter().take_while(|it| Some(it.0) == place);
        let first = same.take(FIRST_CALL_DOCUMENTS);
        first.map(|(_, key, _)| key.clone()).collect()
    }

    fn take(&mut self, customer: CustomerId, document: Bytes) {
        let stored = Stored {
            document,
            segments: Vec::new(),
        };
        self.accounts.push((customer, stored));
    }
}

/// What an id and its document hold of memory, the map's own share included.
fn held(customer: &CustomerId, document: &Option<Bytes>) -> usize {
    const SHARE_OF_MAP: usize = 96;
    let document = document.as_ref().map_or(0, Bytes::len);
    SHARE_OF_MAP
        .saturating_add(customer.as_str().len())
        .saturating_add(document)
}
