//! The accounts that a listing shows: their documents, as they were at its moment, and what has left these. Several calls
//! at a time.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::index::Index;
use super::{Ask, FIRST_CALL_DOCUMENTS, STRANDS, aim};
use crate::access::Tenant;
use crate::accounts::document;
use crate::accounts::history::{Stored, Walk};
use crate::accounts::job::Corrupt;
use crate::accounts::keys::{AccountKey, CustomerId, HistoryKeys};
use crate::accounts::placement::Placement;
use crate::engine::{Method, read_documents, read_several};

/// Documents fetched by one call at most: an etcd of default settings takes 128 operations.
const MAX_CALL_FETCHES: usize = 120;

/// The accounts of a page, in order, while they are gathered.
#[derive(Debug)]
pub struct Page {
    tenant: Tenant,
    placement: Placement,
    accounts: Vec<(CustomerId, Option<Stored>)>,
    /// By place of the cluster, the accounts whose documents are still to be fetched, by their numbers.
    to_fetch: BTreeMap<usize, VecDeque<usize>>,
    strands: [Strand; STRANDS],
    /// How many documents are there.
    documents: usize,
    /// Accounts whose segments nobody has begun to read.
    to_walk: VecDeque<(usize, Walk)>,
    call_documents: usize,
    /// Bytes of documents and segments.
    bytes: usize,
}

#[derive(Debug)]
enum Strand {
    Idle,
    Fetches(usize, Vec<usize>),
    Walks(usize, Walk),
}

/// Why an answer does not bring the page on.
#[derive(Debug)]
pub enum Bad {
    /// It makes no sense: the call is to be repeated.
    Senseless,
    /// The store does not hold what the index says: it is of no use any more.
    Outdated,
    /// A document cannot be read.
    Corrupt(Box<Corrupt>),
}

impl Page {
    /// Of these accounts; their documents are known, or are to be fetched.
    ///
    /// # Errors
    /// The document that cannot be read.
    pub fn new(
        tenant: Tenant,
        placement: Placement,
        accounts: impl IntoIterator<Item = (CustomerId, Option<Bytes>)>,
    ) -> Result<Self, Box<Corrupt>> {
        let mut page = Self {
            tenant,
            placement,
            accounts: Vec::new(),
            to_fetch: BTreeMap::new(),
            strands: [const { Strand::Idle }; STRANDS],
            documents: 0,
            to_walk: VecDeque::new(),
            call_documents: FIRST_CALL_DOCUMENTS,
            bytes: 0,
        };
        for (number, (customer, document)) in accounts.into_iter().enumerate() {
            if document.is_none() {
                let place = placement.of(&page.key(&customer));
                page.to_fetch.entry(place).or_default().push_back(number);
            }
            page.accounts.push((customer, None));
            if let Some(document) = document {
                page.take(number, document)?;
            }
        }
        Ok(page)
    }

    /// Bytes of documents and segments that it holds.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The call that a strand has to make; the same bytes every time until an answer is taken or it failed. Documents are
    /// read at the moment of `index`.
    pub fn next_call(&mut self, strand: usize, index: Option<&Index>) -> Option<Ask> {
        if matches!(self.strands.get(strand), Some(Strand::Idle)) {
            let next = self.next_fetch().or_else(|| self.next_walk())?;
            self.resume(strand, next);
        }
        match self.strands.get(strand) {
            Some(Strand::Fetches(place, numbers)) => {
                let moment = index.and_then(|it| it.moments.get(*place));
                let keys: Vec<AccountKey> =
                    numbers.iter().filter_map(|it| self.key_of(*it)).collect();
                let keys = keys.iter().map(AccountKey::as_bytes);
                Some(Ask {
                    place: *place,
                    method: Method::Txn,
                    message: read_several(keys, moment.map_or(0, |it| it.revision)),
                })
            }
            Some(Strand::Walks(number, walk)) => {
                let (method, message) = walk.next_call();
                let key = self.key_of(*number);
                Some(Ask {
                    place: key.map_or(0, |key| self.placement.of(&key)),
                    method,
                    message,
                })
            }
            Some(Strand::Idle) | None => None,
        }
    }

    /// Takes the answer to a strand's call.
    ///
    /// # Errors
    /// [`Bad`]
    pub fn answered(
        &mut self,
        strand: usize,
        message: Bytes,
        index: Option<&Index>,
    ) -> Result<(), Bad> {
        let Some(slot) = self.strands.get_mut(strand) else {
            return Err(Bad::Senseless);
        };
        match std::mem::replace(slot, Strand::Idle) {
            Strand::Idle => Ok(()),
            Strand::Fetches(place, numbers) => {
                let fetched = self.fetched(place, &numbers, message, index);
                if fetched.is_err() {
                    self.resume(strand, Strand::Fetches(place, numbers));
                }
                fetched
            }
            Strand::Walks(number, mut walk) => {
                let Ok(answer) = walk.answered(message) else {
                    self.resume(strand, Strand::Walks(number, walk));
                    return Err(Bad::Senseless);
                };
                if let Some((_, Some(stored))) = self.accounts.get_mut(number) {
                    for segment in answer.segments {
                        self.bytes = self.bytes.saturating_add(segment.len());
                        stored.segments.push(segment);
                    }
                }
                if answer.more {
                    self.resume(strand, Strand::Walks(number, walk));
                }
                Ok(())
            }
        }
    }

    /// Asks for less after a strand's call has failed.
    pub fn failed(&mut self, strand: usize) {
        match self.strands.get_mut(strand) {
            Some(Strand::Walks(_, walk)) => walk.failed(),
            Some(Strand::Fetches(place, numbers)) => {
                self.call_documents = numbers.len().checked_div(2).unwrap_or(1).max(1);
                let queue = self.to_fetch.entry(*place).or_default();
                while numbers.len() > self.call_documents
                    && let Some(number) = numbers.pop()
                {
                    queue.push_front(number);
                }
            }
            Some(Strand::Idle) | None => {}
        }
    }

    /// Whether all is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let idle = |it: &Strand| matches!(it, Strand::Idle);
        let documents = self.documents == self.accounts.len();
        documents && self.to_walk.is_empty() && self.strands.iter().all(idle)
    }

    /// Takes the accounts.
    #[must_use]
    pub fn finish(&mut self) -> Vec<(CustomerId, Stored)> {
        let accounts = std::mem::take(&mut self.accounts).into_iter();
        let all = accounts.filter_map(|(customer, stored)| Some((customer, stored?)));
        all.collect()
    }

    fn resume(&mut self, strand: usize, what: Strand) {
        if let Some(slot) = self.strands.get_mut(strand) {
            *slot = what;
        }
    }

    fn next_fetch(&mut self) -> Option<Strand> {
        let mut waiting = self.to_fetch.iter_mut();
        let (&place, queue) = waiting.find(|(_, queue)| !queue.is_empty())?;
        let count = self.call_documents.min(queue.len());
        Some(Strand::Fetches(place, queue.drain(..count).collect()))
    }

    fn next_walk(&mut self) -> Option<Strand> {
        let (number, walk) = self.to_walk.pop_front()?;
        Some(Strand::Walks(number, walk))
    }

    /// Takes the documents that were fetched: all that were asked for, they were there at the index's moment.
    fn fetched(
        &mut self,
        place: usize,
        numbers: &[usize],
        message: Bytes,
        index: Option<&Index>,
    ) -> Result<(), Bad> {
        let answer_bytes = message.len();
        let (store, documents) = read_documents(message).map_err(|_| Bad::Senseless)?;
        let known = index.and_then(|it| it.moments.get(place));
        if known.is_none_or(|it| it.store != store) || documents.len() != numbers.len() {
            return Err(Bad::Outdated);
        }
        for (&number, document) in numbers.iter().zip(&documents) {
            let key = self.key_of(number);
            if key.is_none_or(|key| key.as_bytes() != document.key) {
                return Err(Bad::Outdated);
            }
        }
        self.call_documents = aim(answer_bytes, documents.len(), MAX_CALL_FETCHES);
        for (&number, document) in numbers.iter().zip(documents) {
            self.take(number, document.value).map_err(Bad::Corrupt)?;
        }
        Ok(())
    }

    fn take(&mut self, number: usize, document: Bytes) -> Result<(), Box<Corrupt>> {
        if let Some(key) = self.key_of(number) {
            let archived = document::archived(&document);
            let archived = archived.map_err(|error| Corrupt::new(key.as_bytes(), error))?;
            if let Some((generation, last)) = archived {
                let walk = Walk::new(&HistoryKeys::of(&key), generation, 1, last);
                self.to_walk.push_back((number, walk));
            }
        }
        if let Some((_, stored)) = self.accounts.get_mut(number) {
            self.bytes = self.bytes.saturating_add(document.len());
            self.documents = self.documents.saturating_add(1);
            *stored = Some(Stored {
                document,
                segments: Vec::new(),
            });
        }
        Ok(())
    }

    fn key_of(&self, number: usize) -> Option<AccountKey> {
        let account = self.accounts.get(number);
        account.map(|(customer, _)| self.key(customer))
    }

    fn key(&self, customer: &CustomerId) -> AccountKey {
        AccountKey::new(&self.tenant, customer)
    }
}
