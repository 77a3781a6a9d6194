//! What is known about one operation in history that has left the account.
//!
//! An account sees only the ids of the entries that it holds. Whether an operation was written before, or its id belongs
//! to another one, may have to be looked up among the entries that have left: of this life, and of lives that ended not
//! long ago. A [`Looked`] can only be made by looking, so `apply` never takes "not looked" for "not there".

use crate::memory::is_remembered;
use crate::{Entry, Identity, Operation, Segment, State, Timestamp};

/// What has been seen of one operation's id in history that has left the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    identity: Identity,
    /// The life and the newest entry of the state on which the operation was first sent with unknown outcome.
    sent: Option<(u64, u64)>,
    /// By generation: up to which entry all have been seen.
    seen: Vec<(u64, u64)>,
    found: Vec<Holder>,
}

/// An entry with the id, in one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    generation: u64,
    identity: Identity,
    recorded_at: Timestamp,
}

/// History that has to be looked through before an operation can be judged: the entries `first` to `last` of one life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unseen {
    /// Which life of the account.
    pub generation: u64,
    /// The first entry that was not looked at.
    pub first: u64,
    /// The last one that has to be.
    pub last: u64,
}

/// A segment does not begin where looking has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder;

impl Looked {
    /// Nothing was looked at yet, and the operation was never sent.
    pub fn nothing(operation: &Operation) -> Looked {
        Looked {
            identity: operation.mark().identity.clone(),
            sent: None,
            seen: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Takes note that a write of the operation, computed from `state`, has an unknown outcome. From then on a generated
    /// id has to be looked for as well, among what may have been written since the first such write.
    pub fn sent(&mut self, state: &State) {
        let sent = match state {
            State::Absent => (0, 0),
            State::Live(account) => (account.generation, account.sequence()),
            State::Erased(tombstone) => (tombstone.generation, u64::MAX),
        };
        self.sent.get_or_insert(sent);
    }

    /// Looks through a segment. One that was seen already changes nothing.
    ///
    /// # Errors
    /// [`OutOfOrder`] when entries in front of it have not been seen; nothing was looked at.
    pub fn look_through(&mut self, segment: &Segment) -> Result<(), OutOfOrder> {
        let generation = segment.generation();
        let seen = self.seen_of(generation);
        if segment.first() > seen.saturating_add(1) {
            return Err(OutOfOrder);
        }
        let unseen = segment.entries().filter(|entry| entry.sequence > seen);
        let held = |entry: &&Entry| entry.identity.id == self.identity.id;
        let found: Vec<Holder> = unseen
            .filter(held)
            .map(|entry| Holder {
                generation,
                identity: entry.identity.clone(),
                recorded_at: entry.recorded_at,
            })
            .collect();
        self.found.extend(found);
        let seen = seen.max(segment.last());
        match self.seen.iter_mut().find(|(of, _)| *of == generation) {
            Some((_, up_to)) => *up_to = seen,
            None => self.seen.push((generation, seen)),
        }
        Ok(())
    }

    fn seen_of(&self, generation: u64) -> u64 {
        let seen = self.seen.iter().find(|(of, _)| *of == generation);
        seen.map_or(0, |(_, up_to)| *up_to)
    }

    /// What has to be looked through next before the operation can be judged on `state` at `now`.
    pub(crate) fn unseen(&self, state: &State, now: Timestamp) -> Option<Unseen> {
        let (live, memory) = match state {
            State::Absent => return None,
            State::Live(account) => (
                account.archived.map(|it| (account.generation, it.sequence)),
                &account.memory,
            ),
            State::Erased(tombstone) => (None, &tombstone.memory),
        };
        let ended = memory
            .histories
            .iter()
            .filter(|it| is_remembered(it.at, now));
        let ended = ended.map(|it| (it.generation, it.archived));
        let mut unseen = ended.chain(live).filter_map(|(generation, last)| {
            let seen = self.seen_of(generation);
            (self.matters(generation, last) && seen < last).then_some(Unseen {
                generation,
                first: seen.saturating_add(1),
                last,
            })
        });
        unseen.next()
    }

    /// Whether entries up to `last` of a life can hold the operation or its id. A generated id is nobody else's, and the
    /// operation itself cannot stand among what was there before it was sent.
    fn matters(&self, generation: u64, last: u64) -> bool {
        self.identity.fingerprint.is_some()
            || self.sent.is_some_and(|(life, newest)| {
                generation > life || (generation == life && last > newest)
            })
    }

    /// The operation of the life `generation` that has the id, as far as it was looked at.
    pub(crate) fn holder_in(&self, generation: u64) -> Option<&Identity> {
        let mut found = self.found.iter();
        let holder = found.find(|holder| holder.generation == generation)?;
        Some(&holder.identity)
    }

    /// Whether this very operation is one that an ended life of `memory` still counts as done.
    pub(crate) fn has_retired(&self, memory: &crate::Memory, now: Timestamp) -> bool {
        let ended = memory
            .histories
            .iter()
            .filter(|it| is_remembered(it.at, now));
        let mut all = ended.flat_map(|life| self.found.iter().map(move |found| (life, found)));
        all.any(|(life, found)| {
            found.generation == life.generation
                && found.identity == self.identity
                && crate::Memory::retires(&found.identity, found.recorded_at, life.at)
        })
    }

    pub(crate) fn is_of(&self, identity: &Identity) -> bool {
        self.identity == *identity
    }
}
