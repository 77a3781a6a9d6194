//! An account with its whole history, put together again from what it holds and from what has left it.
//!
//! A summary can be made of this only, so that none is ever cut off. Where segments are kept, and how many are read at a
//! time, is not known here.

use std::sync::Arc;

use crate::replay::{Facts, check_history};
use crate::{Account, Corrupt, Entry, Segment, Summary, Timestamp, summary};

/// An account and all its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    account: Account,
    archived: Vec<Arc<Entry>>,
}

impl History {
    /// The history of `account`, of which `segments` hold what has left it, in the order of their first entries. Segments
    /// behind what has left are no part of it: one may have been written for an account that then did not refer to it.
    ///
    /// # Errors
    /// The first invariant that is broken: the segments that count are those of this life and follow one another without
    /// gap or overlap up to the account's checkpoint, and with the account's entries they pass every check that an
    /// account passes whose entries have never left it.
    pub fn new(
        account: Account,
        segments: impl IntoIterator<Item = Segment>,
    ) -> Result<History, Corrupt> {
        let Some(until) = account.archived else {
            return Ok(History {
                account,
                archived: Vec::new(),
            });
        };
        let mut archived: Vec<Arc<Entry>> = Vec::new();
        let mut reached = 0_u64;
        for segment in segments {
            if segment.first() > until.sequence {
                break;
            }
            let at = segment.first();
            let is_next = Some(at) == reached.checked_add(1)
                && segment.generation() == account.generation
                && segment.last() <= until.sequence;
            if !is_next {
                return Err(Corrupt::Segments { at });
            }
            reached = segment.last();
            archived.extend(segment.into_entries());
        }
        let newest = archived.last();
        let meets = newest.is_some_and(|newest| {
            newest.sequence == until.sequence
                && newest.recorded_at == until.recorded_at
                && newest.balance_after == until.balance_after
        });
        if !meets {
            return Err(Corrupt::Segments { at: reached });
        }
        check_history(&Facts {
            created_at: account.created_at,
            updated_at: account.updated_at,
            opened_by: account.opened_by.as_ref(),
            lots: &account.lots,
            archived: None,
            entries: || archived.iter().chain(&account.entries).map(Arc::as_ref),
        })?;
        Ok(History { account, archived })
    }

    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// All entries of this life in the order of writing.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> + Clone {
        self.archived
            .iter()
            .chain(&self.account.entries)
            .map(Arc::as_ref)
    }

    /// The balance with the whole history behind it.
    pub fn summary(&self, clock: Timestamp) -> Summary<'_> {
        summary(self.entries(), clock.max(self.account.updated_at))
    }
}
