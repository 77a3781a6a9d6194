//! How the copies' share of memory is divided, and the names of their entries.
//!
//! Decides how many entries there are of each kind and which one is an account's. Everything that a name's content depends
//! on is in the name: the format, and `cache_bytes`, from which the rest follows. So a filter of another version or
//! configuration reads and writes other entries. Knows nothing of what stands in them.

use crate::accounts::keys::AccountDigest;

/// What may be configured, in bytes.
pub const CACHE_BYTES: std::ops::RangeInclusive<u64> = 1024 * 1024..=4 * 1024 * 1024 * 1024;

/// What is configured when nothing is said, in bytes.
pub const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Documents over this size are not held: they cost more to copy than a read costs.
pub const MAX_HELD_BYTES: usize = 32 * 1024;

/// Of this and of everything in this module and in `record`, `fronts` and `documents` that says what bytes mean or where
/// they stand: another number is another set of entries.
const FORMAT: &str = "rp/4/";

/// What an entry of Envoy's shared data takes besides its value, its name included, in bytes.
const ENTRY_BYTES: u64 = 200;

/// Accounts that share one entry of fronts. More would make every balance read copy more; with fewer, more accounts would be
/// pushed out while there is room elsewhere: with eight, when there are as many accounts as places, one in seven has none.
pub(super) const WAYS: usize = 8;

/// The most stripes that there are: entries without content that tell when a front has changed. With more of them, less is
/// read anew when other accounts change; every VM keeps all their names.
const MOST_STRIPES: u64 = 1_024;

/// The bytes of one front, its account's digest included.
pub(super) const FRONT_BYTES: usize = 78;

/// What stands before a document, in bytes.
pub(super) const DOCUMENT_HEAD_BYTES: usize = 48;

/// A size class of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Up to 1 KiB.
    Small,
    /// Up to 4 KiB.
    Medium,
    /// Up to [`MAX_HELD_BYTES`].
    Large,
}

impl Class {
    pub(super) const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    /// The class of a document of so many bytes; none: it is not held.
    pub(super) fn of(bytes: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|it| bytes <= it.max_bytes())
    }

    /// The longest document, in bytes.
    pub(super) const fn max_bytes(self) -> usize {
        match self {
            Self::Small => 1024,
            Self::Medium => 4 * 1024,
            Self::Large => MAX_HELD_BYTES,
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Small => 's',
            Self::Medium => 'm',
            Self::Large => 'l',
        }
    }
}

/// A number of entries of one size.
#[derive(Debug)]
struct Arena {
    /// What all their names begin with.
    prefix: String,
    entries: u64,
}

impl Arena {
    fn new(cache_bytes: u64, percent: u64, value_bytes: usize, letter: char) -> Self {
        let value_bytes = u64::try_from(value_bytes).unwrap_or(u64::MAX);
        let share = cache_bytes.saturating_mul(percent) / 100;
        let each = value_bytes.saturating_add(ENTRY_BYTES).max(1);
        Self {
            prefix: format!("{FORMAT}{cache_bytes:x}/{letter}/"),
            entries: share.checked_div(each).unwrap_or(0),
        }
    }

    /// The name of the entry that eight bytes of a digest choose. Every request needs one, so no formatting machinery.
    fn name(&self, choice: u64) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        /// Digits of the last entry of the largest arena, and some.
        const MOST_DIGITS: usize = 8;
        let number = choice.checked_rem(self.entries).unwrap_or(0);
        let mut name = String::with_capacity(self.prefix.len().saturating_add(MOST_DIGITS));
        name.push_str(&self.prefix);
        let mut begun = false;
        for place in (0..MOST_DIGITS).rev() {
            let shift = u32::try_from(place).unwrap_or(0).saturating_mul(4);
            let digit = number.checked_shr(shift).unwrap_or(0) & 15;
            begun |= digit != 0 || place == 0;
            if begun {
                let digit = usize::try_from(digit).ok().and_then(|it| DIGITS.get(it));
                name.extend(digit.copied().map(char::from));
            }
        }
        name
    }
}

/// Fronts, and documents by size.
///
/// A quarter goes to fronts: at 64 MiB that is 162,880 accounts whose balance is answered at once, each for 103 bytes. Of
/// the rest nearly half goes to small documents, because the typical one has 0.6 KB, and fits: at 64 MiB that is 18,465 of
/// them, and 3,089 and 386 of the larger ones. Only writes and summaries want documents, so there may be fewer of them.
#[derive(Debug)]
pub(super) struct Layout {
    fronts: Arena,
    small: Arena,
    medium: Arena,
    large: Arena,
    /// The names of the stripes.
    stripes: Vec<String>,
}

impl Layout {
    pub(super) fn new(cache_bytes: u64) -> Self {
        let documents = |percent, class: Class| {
            let value_bytes = DOCUMENT_HEAD_BYTES.saturating_add(class.max_bytes());
            Arena::new(cache_bytes, percent, value_bytes, class.letter())
        };
        let stripes = Arena::new(cache_bytes, 1, 0, 'v');
        Self {
            fronts: Arena::new(cache_bytes, 25, WAYS.saturating_mul(FRONT_BYTES), 'f'),
            small: documents(35, Class::Small),
            medium: documents(20, Class::Medium),
            large: documents(19, Class::Large),
            stripes: (0..stripes.entries.min(MOST_STRIPES))
                .map(|number| stripes.name(number))
                .collect(),
        }
    }

    /// The entry that holds an account's front.
    pub(super) fn front_name(&self, account: &AccountDigest) -> String {
        let [_, choice, _, _] = quarters(account);
        self.fronts.name(choice)
    }

    /// The entry without content whose version changes after every change of the entry that holds this account's front. All
    /// accounts that share that entry share this one: who pushes another out of it changes both.
    pub(super) fn stripe_name(&self, account: &AccountDigest) -> &str {
        let [_, choice, _, _] = quarters(account);
        let stripes = u64::try_from(self.stripes.len()).unwrap_or(u64::MAX);
        let entry = choice.checked_rem(self.fronts.entries).unwrap_or(0);
        let stripe = usize::try_from(entry.checked_rem(stripes).unwrap_or(0));
        let name = stripe.ok().and_then(|stripe| self.stripes.get(stripe));
        name.map_or("", String::as_str)
    }

    /// The entry that holds an account's document of this class. Chosen by other bytes than the front's, so that accounts
    /// that share one do not share the other.
    pub(super) fn document_name(&self, class: Class, account: &AccountDigest) -> String {
        let [_, _, choice, _] = quarters(account);
        self.documents(class).name(choice)
    }

    const fn documents(&self, class: Class) -> &Arena {
        match class {
            Class::Small => &self.small,
            Class::Medium => &self.medium,
            Class::Large => &self.large,
        }
    }

    /// How many entries there are: of fronts, of documents by class, and of stripes.
    #[cfg(test)]
    pub(super) fn entries(&self) -> [u64; 5] {
        let [fronts, small, medium, large] =
            [&self.fronts, &self.small, &self.medium, &self.large].map(|arena| arena.entries);
        [fronts, small, medium, large, self.stripes.len() as u64]
    }
}

/// The digest as four numbers. The first is left alone: buckets are made of it, and an engine may come to be chosen by them.
fn quarters(account: &AccountDigest) -> [u64; 4] {
    let mut numbers = [0; 4];
    let (chunks, _) = account.as_bytes().as_chunks::<8>();
    for (number, chunk) in numbers.iter_mut().zip(chunks) {
        *number = u64::from_be_bytes(*chunk);
    }
    numbers
}
