//! What of an account may go: judged by its document and the clock alone.
//!
//! It knows nothing of whether anything is there to go, nor of calls.

use bytes::Bytes;
use ledger::{REMEMBERED_MS, State};

use crate::accounts::document::{self, Lives};
use crate::accounts::keys::HistoryKeys;
use crate::engine::Document;
use crate::planted::{Bug, is_planted};

/// For how long what is forgotten is kept all the same, in milliseconds: by so much may the clock of a gateway that still
/// remembers be behind the clock of the one that sweeps.
pub const SKEW_MS: i64 = 60 * 60 * 1000;

/// What may go of one account, as long as its document stands as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remains {
    /// The document's key.
    pub(super) key: Bytes,
    /// The document's revision.
    pub(super) revision: i64,
    /// Where its segments begin.
    pub(super) start: Vec<u8>,
    /// Where those end that may go; not included.
    pub(super) end: Vec<u8>,
    /// Whether the document itself, a tombstone, may go after them.
    pub(super) whole: bool,
}

/// What may go of the account with this document at `wall_ms`; none: nothing, or it cannot be read.
pub(super) fn remains(document: &Document, wall_ms: i64) -> Option<Remains> {
    let keys = HistoryKeys::of_key(&document.key)?;
    let (end, whole) = match document::lives(&document.value).ok()? {
        Lives::First => return None,
        Lives::Later {
            generation,
            remembered,
        } => {
            // Ended lives are listed in their order: all before the first one that counts are forgotten.
            let mut counting = remembered
                .iter()
                .filter(|(_, at)| !is_forgotten(*at, wall_ms));
            let oldest = counting.next().map_or(generation, |(life, _)| *life);
            (keys.life(oldest.min(generation)), false)
        }
        Lives::Ended => {
            // Everything, not only what is looked at here: a document that is not understood is not for us to remove.
            let Ok(State::Erased(tombstone)) = document::decode(&document.value) else {
                return None;
            };
            // Whatever it remembers is as old as the deletion or older.
            if !is_forgotten(tombstone.updated_at().as_millis(), wall_ms) {
                return None;
            }
            (keys.life(tombstone.generation().checked_add(1)?), true)
        }
    };
    Some(Remains {
        key: document.key.clone(),
        revision: document.revision,
        start: keys.all_lives().as_bytes().to_vec(),
        end: end.into_bytes(),
        whole,
    })
}

/// Whether what ended at `at_ms` is remembered by no gateway any more.
fn is_forgotten(at_ms: i64, wall_ms: i64) -> bool {
    if is_planted(Bug::SweptEarly) {
        return wall_ms > at_ms;
    }
    wall_ms.saturating_sub(at_ms) > REMEMBERED_MS.saturating_add(SKEW_MS)
}
