//! Listing a tenant's accounts by customer id.
//!
//! Keys are ordered by bucket first, so an order by customer id needs a look at every account once: a [`Scan`] walks
//! through the tenant's ranges, each cluster's at one pinned revision. A whole list keeps the documents on the way; for a
//! page an [`Index`] of ids is made, which serves the pages that follow, and the documents of the page are fetched at the
//! index's revisions. Last come the segments of those accounts whose history is not all in their documents: segments never
//! change, so they belong to the pinned revision whenever they are read. Memory is bounded by [`Limits`] and
//! [`INDEX_BYTES`], a call's answer by how many documents it asks for.

mod ids;
pub mod index;
pub mod indexes;
mod page;
mod scan;

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use ledger::History;

use self::index::{Gathering, INDEX_BYTES, Index, Mark};
use self::indexes::Indexes;
use self::page::{Bad, Page};
use self::scan::Scan;
use super::document::{self, DocumentError};
use super::history::Stored;
use super::job::{Corrupt, Outcome, Progress};
use super::keys::{CustomerId, customer_of};
use super::placement::Placement;
use crate::access::Tenant;
use crate::engine::{Document, Method, read_page};

/// Calls that one listing has under way at most.
pub const STRANDS: usize = 4;

/// Documents asked for in a listing's first call, before their size is known: even if each is as large as a document
/// may be, the answer fits Envoy's buffer for a call (32 MiB).
const FIRST_CALL_DOCUMENTS: usize = 24;

/// The size of an answer that later calls aim at, in bytes.
const TARGET_ANSWER_BYTES: usize = 2 * 1024 * 1024;

/// Accounts, deleted ones among them, that one listing looks at before it is refused.
pub const MAX_SCANNED_ACCOUNTS: u64 = 1_000_000;

/// How often one listing begins again because its revision was compacted away. Each beginning has the time of a whole
/// listing, so without a bound a store that is compacted all the time would keep a client waiting for ever.
const MAX_RESTARTS: u32 = 3;

/// gRPC status `OUT_OF_RANGE`: the pinned revision was compacted away, or is none that the store has come to.
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
        /// The moments that the page before showed, if that is known.
        mark: Option<Mark>,
    },
}

/// What one listing may hold at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Accounts of an unpaged list.
    pub max_accounts: usize,
    /// Bytes of documents and segments, and of an unpaged list's ids.
    pub max_bytes: usize,
}

/// A call that a listing wants to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The place of the cluster to ask.
    pub place: usize,
    /// The method to call.
    pub method: Method,
    /// The encoded request.
    pub message: Bytes,
}

/// A listing of one tenant's accounts.
#[derive(Debug)]
pub struct List {
    tenant: Tenant,
    part: Part,
    limits: Limits,
    placement: Placement,
    stage: Stage,
    scanned_accounts: u64,
    restarts: u32,
    /// What the page comes from.
    index: Option<Rc<Index>>,
    /// An index that was made and that nobody has taken yet.
    made: Option<Rc<Index>>,
    total: u64,
    more: bool,
}

#[derive(Debug)]
enum Stage {
    /// Every account is looked at.
    Scans(Scan, Kept),
    /// What is wanted of them is known.
    Gathers(Page),
}

/// What is kept of the accounts that were looked at.
#[derive(Debug)]
enum Kept {
    Documents(BTreeMap<CustomerId, Bytes>, usize),
    Ids(Gathering),
}

/// One part of a tenant's list.
#[derive(Debug)]
pub struct Listing {
    /// The accounts with their histories, by customer id ascending. Encoded: decoded they take several times the memory.
    pub accounts: Vec<(CustomerId, Stored)>,
    /// All accounts of the tenant, at the listing's moment.
    pub total: u64,
    /// Whether accounts follow behind the last one.
    pub more: bool,
    /// The moments that it shows; none for a whole list, behind which nothing comes.
    pub mark: Option<Mark>,
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
        let kept = Kept::of(&part);
        Self {
            stage: Stage::Scans(Scan::new(tenant.clone(), placement, None), kept),
            tenant,
            part,
            limits,
            placement,
            scanned_accounts: 0,
            restarts: 0,
            index: None,
            made: None,
            total: 0,
            more: false,
        }
    }

    /// Makes use of an index that is held, before the first call; the outcome if nothing has to be asked.
    pub fn start(&mut self, indexes: &mut Indexes, now_ms: i64) -> Option<Outcome> {
        if let Some(index) = indexes.find(&self.tenant, &self.part, now_ms) {
            return match self.gather(index) {
                Progress::Done(outcome) => Some(outcome),
                _ => None,
            };
        }
        if let Part::After {
            mark: Some(mark), ..
        } = self.part
            && let Some(known) = indexes.of_mark(&self.tenant, mark)
        {
            // Its stretch has come to an end; the next one is of the same moment.
            let scan = Scan::new(self.tenant.clone(), self.placement, Some(&known.moments));
            self.stage = Stage::Scans(scan, Kept::of(&self.part));
        }
        None
    }

    /// Whose accounts they are.
    #[must_use]
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Takes the index that was made on the way.
    pub const fn take_made(&mut self) -> Option<Rc<Index>> {
        self.made.take()
    }

    /// Bytes that the list holds besides its own small size.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        match &self.stage {
            Stage::Scans(_, Kept::Documents(_, bytes)) => *bytes,
            Stage::Scans(_, Kept::Ids(gathering)) => gathering.bytes(),
            Stage::Gathers(page) => page.bytes(),
        }
    }

    /// The call that one of its [`STRANDS`] has to make; none while there is nothing to do for it. The same bytes every time
    /// until an answer is taken or it failed.
    pub fn next_call(&mut self, strand: usize) -> Option<Ask> {
        match &mut self.stage {
            Stage::Scans(scan, _) => scan.next_call(strand),
            Stage::Gathers(page) => page.next_call(strand, self.index.as_deref()),
        }
    }

    /// Takes the engine's answer to a strand's last call.
    pub fn answered(&mut self, strand: usize, message: Bytes) -> Progress {
        match &mut self.stage {
            Stage::Scans(..) => self.scanned(strand, message),
            Stage::Gathers(page) => match page.answered(strand, message, self.index.as_deref()) {
                Ok(()) => self.go_on(),
                Err(Bad::Senseless) => Progress::Senseless,
                Err(Bad::Outdated) => self.begin_again(),
                Err(Bad::Corrupt(corrupt)) => Progress::Done(Outcome::Corrupt(corrupt)),
            },
        }
    }

    /// After a failed call of a strand: ask for less, or begin again when the pinned revision is gone. One that has begun
    /// [`MAX_RESTARTS`] times again keeps asking for what is gone, and so runs out of time.
    pub fn failed(&mut self, strand: usize, grpc_status: u32) -> Progress {
        match &mut self.stage {
            Stage::Scans(scan, _) => scan.failed(),
            Stage::Gathers(page) => page.failed(strand),
        }
        match grpc_status {
            OUT_OF_RANGE => self.begin_again(),
            _ => Progress::Senseless,
        }
    }

    fn begin_again(&mut self) -> Progress {
        if self.restarts >= MAX_RESTARTS {
            return Progress::Senseless;
        }
        let restarts = self.restarts.saturating_add(1);
        let (tenant, part) = (self.tenant.clone(), self.part.clone());
        *self = Self::new(tenant, part, self.limits, self.placement);
        self.restarts = restarts;
        Progress::Again
    }

    fn scanned(&mut self, strand: usize, message: Bytes) -> Progress {
        let answer_bytes = message.len();
        let Ok(page) = read_page(message) else {
            return Progress::Senseless;
        };
        let Stage::Scans(scan, _) = &mut self.stage else {
            return Progress::Senseless;
        };
        let Ok(documents) = scan.answered(strand, page, answer_bytes) else {
            return self.begin_again();
        };
        let seen_all = scan.seen_all();
        for document in documents {
            if let Err(outcome) = self.take(&document) {
                return Progress::Done(outcome);
            }
        }
        let Some(moments) = seen_all else {
            return Progress::Call;
        };
        let Stage::Scans(_, kept) = &mut self.stage else {
            return Progress::Senseless;
        };
        match std::mem::replace(kept, Kept::Documents(BTreeMap::new(), 0)) {
            Kept::Documents(kept, _) => {
                self.total = u64::try_from(kept.len()).unwrap_or(u64::MAX);
                self.show(kept.into_iter().map(|(id, document)| (id, Some(document))))
            }
            Kept::Ids(gathering) => {
                let index = Rc::new(gathering.finish(self.tenant.clone(), moments));
                self.made = Some(Rc::clone(&index));
                self.gather(index)
            }
        }
    }

    fn take(&mut self, found: &Document) -> Result<(), Outcome> {
        self.scanned_accounts = self.scanned_accounts.saturating_add(1);
        if self.scanned_accounts > MAX_SCANNED_ACCOUNTS {
            return Err(Outcome::TooManyAccounts);
        }
        let corrupt = |error| Outcome::Corrupt(Corrupt::new(&found.key, error));
        let customer = customer_of(&self.tenant, &found.key)
            .ok_or_else(|| corrupt(DocumentError::ForeignKey))?;
        if !document::is_live(&found.value).map_err(corrupt)? {
            return Ok(());
        }
        let Stage::Scans(_, kept) = &mut self.stage else {
            return Ok(());
        };
        match kept {
            Kept::Ids(gathering) => gathering.take(&customer),
            Kept::Documents(kept, bytes) => {
                *bytes = bytes.saturating_add(held(&customer, &found.value));
                // A copy, not a slice of the whole answer: what is not kept must not stay in memory.
                kept.insert(customer, Bytes::copy_from_slice(&found.value));
                if kept.len() > self.limits.max_accounts || *bytes > self.limits.max_bytes {
                    return Err(Outcome::ListTooLong);
                }
            }
        }
        Ok(())
    }

    /// Goes on with the page that this index knows.
    fn gather(&mut self, index: Rc<Index>) -> Progress {
        let Some((ids, more)) = index.page(&self.part) else {
            return Progress::Done(Outcome::ListTooLong);
        };
        self.total = index.total;
        self.more = more;
        self.index = Some(index);
        self.show(ids.into_iter().map(|id| (id, None)))
    }

    /// Goes on with these accounts and their documents, as far as they are known.
    fn show(
        &mut self,
        accounts: impl IntoIterator<Item = (CustomerId, Option<Bytes>)>,
    ) -> Progress {
        match Page::new(self.tenant.clone(), self.placement, accounts) {
            Ok(page) => self.stage = Stage::Gathers(page),
            Err(corrupt) => return Progress::Done(Outcome::Corrupt(corrupt)),
        }
        self.go_on()
    }

    fn go_on(&mut self) -> Progress {
        let Stage::Gathers(page) = &mut self.stage else {
            return Progress::Senseless;
        };
        if page.bytes() > self.limits.max_bytes {
            return Progress::Done(Outcome::ListTooLong);
        }
        if !page.is_complete() {
            return Progress::Call;
        }
        Progress::Done(Outcome::Listed(Listing {
            accounts: page.finish(),
            total: self.total,
            more: self.more,
            mark: self.index.as_deref().map(Index::mark),
        }))
    }
}

impl Kept {
    fn of(part: &Part) -> Self {
        match part {
            Part::Whole => Self::Documents(BTreeMap::new(), 0),
            Part::Page { .. } => Self::Ids(Gathering::new(None, INDEX_BYTES)),
            Part::After { customer, .. } => {
                Self::Ids(Gathering::new(Some(customer.clone()), INDEX_BYTES))
            }
        }
    }
}

/// How many documents the next call asks for, when so many took so many bytes.
fn aim(answer_bytes: usize, documents: usize, most: usize) -> usize {
    let each = answer_bytes.checked_div(documents).unwrap_or(1).max(1);
    TARGET_ANSWER_BYTES
        .checked_div(each)
        .unwrap_or(1)
        .clamp(FIRST_CALL_DOCUMENTS, most)
}

/// What an id and its document hold of memory, the map's own share included.
fn held(customer: &CustomerId, document: &Bytes) -> usize {
    const SHARE_OF_MAP: usize = 96;
    SHARE_OF_MAP
        .saturating_add(customer.as_str().len())
        .saturating_add(document.len())
}
