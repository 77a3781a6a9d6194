//! One front: what it says of an account, and its bytes.
//!
//! Decides what the bytes mean and which of two fronts of one account says more. Where it stands is others' to know.

use ledger::{Balance, BalanceSpan, State, Timestamp};

use super::layout::{Class, FRONT_BYTES};
use crate::engine::StoreId;

/// The bytes of an account's digest, with which every front begins.
pub(super) const DIGEST_BYTES: usize = 32;

/// Stands for "no earlier time" in place of milliseconds; no time of the calendar.
const EVER: i64 = i64::MIN;

/// Stands for "no later time".
const NEVER: i64 = i64::MAX;

/// What there is of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: the engine has no such key.
    Absent,
    /// A deleted account's tombstone.
    Erased,
    /// An account, with its balance and for how long that holds.
    Live(BalanceSpan),
}

impl Standing {
    /// What a state comes to, with the balance that it has at `clock`.
    #[must_use]
    pub fn of(state: &State, clock: Timestamp) -> Self {
        match state {
            State::Absent => Self::Absent,
            State::Erased(_) => Self::Erased,
            State::Live(account) => Self::Live(account.balance_span(clock)),
        }
    }
}

/// What is held of an account besides its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Front {
    /// The store that it was seen in.
    pub store: StoreId,
    /// The epoch of the feed by which it is kept current; 0: by none.
    pub epoch: u32,
    /// The revision of the last change; of an account that is not there, the store's revision when that was seen.
    pub revision: i64,
    /// What there is.
    pub standing: Standing,
    /// Where the document is to be looked for, if it was ever held.
    pub(super) class: Option<Class>,
}

impl Front {
    /// This front after `news` of the same revision of the same store.
    pub(super) fn joined(&self, news: &Self) -> Self {
        let standing = match (self.standing, news.standing) {
            // The balance that was told before the last expiry is of no use any more.
            (Standing::Live(held), Standing::Live(new)) if held.since >= new.since => self.standing,
            _ => news.standing,
        };
        Self {
            epoch: self.epoch.max(news.epoch),
            standing,
            class: news.class.or(self.class),
            ..*self
        }
    }

    /// The bytes behind the digest.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (tag, span) = match self.standing {
            Standing::Absent => (0, None),
            Standing::Erased => (1, None),
            Standing::Live(span) => (2, Some(span)),
        };
        let class = match self.class {
            None => 0,
            Some(Class::Small) => 1,
            Some(Class::Medium) => 2,
            Some(Class::Large) => 3,
        };
        let millis = |time: Option<Timestamp>, none| time.map_or(none, Timestamp::as_millis);
        let balance = span.map_or(0, |it| it.balance.get());
        let since = millis(span.and_then(|it| it.since), EVER);
        let until = millis(span.and_then(|it| it.until), NEVER);
        out.extend_from_slice(&self.store.0.to_be_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.revision.to_be_bytes());
        out.extend_from_slice(&[tag, class]);
        out.extend_from_slice(&balance.to_be_bytes());
        out.extend_from_slice(&since.to_be_bytes());
        out.extend_from_slice(&until.to_be_bytes());
    }

    /// Reads the bytes behind the digest; none when they are not ours.
    pub(super) fn read(bytes: &[u8; FRONT_BYTES - DIGEST_BYTES]) -> Option<Self> {
        let (store, rest) = bytes.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (revision, rest) = rest.split_first_chunk()?;
        let (&[tag, class], rest) = rest.split_first_chunk()?;
        let (balance, rest) = rest.split_first_chunk()?;
        let (since, rest) = rest.split_first_chunk()?;
        let (until, _) = rest.split_first_chunk()?;
        let standing = match tag {
            0 => Standing::Absent,
            1 => Standing::Erased,
            2 => Standing::Live(BalanceSpan {
                balance: Balance::new(u64::from_be_bytes(*balance))?,
                since: time(i64::from_be_bytes(*since), EVER)?,
                until: time(i64::from_be_bytes(*until), NEVER)?,
            }),
            _ => return None,
        };
        let class = match class {
            0 => None,
            1 => Some(Class::Small),
            2 => Some(Class::Medium),
            3 => Some(Class::Large),
            _ => return None,
        };
        Some(Self {
            store: StoreId(u64::from_be_bytes(*store)),
            epoch: u32::from_be_bytes(*epoch),
            revision: i64::from_be_bytes(*revision),
            standing,
            class,
        })
    }
}

/// The time of so many milliseconds, which may be none; the outer none: it is outside the calendar.
fn time(millis: i64, none: i64) -> Option<Option<Timestamp>> {
    if millis == none {
        return Some(None);
    }
    Timestamp::from_millis(millis).map(Some)
}
