//! Bugs that are put in on purpose, one at a time, to show that the simulation finds each of them.
//!
//! Only a build with the feature `planted-bugs` has them, and there only the one that its configuration names
//! (`planted_bug`); every other build asks a constant. Each is a mistake that somebody could make in the place where it
//! stands, and says what it breaks. Nothing else is decided here.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    feature = "planted-bugs",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Bug {
    /// A commit compares with nothing: whoever writes last wins.
    BlindWrite,
    /// A commit of unknown outcome is made again as another operation.
    FreshIdOnResend,
    /// No answer to a commit is taken for a good one.
    UnknownAsDone,
    /// A failed compare is taken for a commit that was made.
    ConflictAsDone,
    /// A write is answered when its commit leaves, not when it is answered.
    AnsweredBeforeCommit,
    /// Of a batch, what became of the first commit is taken for what became of all.
    FirstSpeaksForAll,
    /// Each operation of a fold starts from the base: the last one forgets the others.
    FoldForgets,
    /// A document is committed without the entries of a segment that was never put.
    SegmentNotPut,
    /// The digest of an account does not cover its tenant.
    TenantNotInDigest,
    /// An older front replaces a newer one.
    OlderReplacesNewer,
    /// A copy counts as current although the feed has passed its revision.
    ConfirmedWithoutLook,
    /// Who waits for one of so many outcomes is never woken.
    LostWakeUp,
    /// A read that follows a session is answered from any copy.
    SessionIgnored,
    /// A strict read is answered from a copy.
    StrictFromCopy,
    /// A copy of any age answers a bounded read.
    BoundIgnored,
    /// Copies stay current across a gap of the watch.
    EpochKept,
    /// A watch goes on one revision too late.
    ResumeOffByOne,
    /// A heartbeat proves the moment at which it came, not the one at which it was sent.
    FreshAtArrival,
    /// A deleted account is forgotten at once.
    SweptEarly,
    /// A redemption takes points that have expired.
    RedeemsExpired,
    /// An operation is not recognised by the id that its client gave it.
    ClientIdIgnored,
    /// A refusal is told from a copy of which nobody knows whether it still is so.
    RefusalFromCopy,
    /// A strict read takes part in a read that was begun before it came.
    JoinsReadUnderWay,
    /// An operation that was done already is refused when it is sent again.
    ReplayRefused,
    /// What was committed is not put into the copies before it is acknowledged.
    NotRemembered,
    /// An answer from the engine says that it came from a copy.
    EngineSaysCache,
    /// A list leaves out an account.
    ListForgets,
    /// A conflict is answered as a fault of the gateway's own.
    ConflictAsFault,
    /// A job that is over is kept.
    NeverIdle,
    /// The VM traps when a commit of several operations is repeated.
    Traps,
    /// Memory is taken with every outcome and never given back.
    Leaks,
    /// A redemption uses the lots up from the last one on.
    TakesNewestFirst,
    /// An operation that is refused because its id was used is done all the same, under another one.
    RefusedAndDone,
    /// A change is acknowledged with the revision before the one that it was made at.
    RevisionBehind,
    /// Who sends an operation with its key again is not told that it was done before.
    ReplayNotSaid,
    /// The descriptions of changes are dropped.
    DescriptionDropped,
    /// A tombstone does not remember the operations of its life that clients gave no id.
    OwnIdsForgotten,
}

impl Bug {
    /// All of them, in the order in which they are declared.
    pub const ALL: [(Self, &'static str); 37] = [
        (Self::BlindWrite, "blind_write"),
        (Self::FreshIdOnResend, "fresh_id_on_resend"),
        (Self::UnknownAsDone, "unknown_as_done"),
        (Self::ConflictAsDone, "conflict_as_done"),
        (Self::AnsweredBeforeCommit, "answered_before_commit"),
        (Self::FirstSpeaksForAll, "first_speaks_for_all"),
        (Self::FoldForgets, "fold_forgets"),
        (Self::SegmentNotPut, "segment_not_put"),
        (Self::TenantNotInDigest, "tenant_not_in_digest"),
        (Self::OlderReplacesNewer, "older_replaces_newer"),
        (Self::ConfirmedWithoutLook, "confirmed_without_look"),
        (Self::LostWakeUp, "lost_wake_up"),
        (Self::SessionIgnored, "session_ignored"),
        (Self::StrictFromCopy, "strict_from_copy"),
        (Self::BoundIgnored, "bound_ignored"),
        (Self::EpochKept, "epoch_kept"),
        (Self::ResumeOffByOne, "resume_off_by_one"),
        (Self::FreshAtArrival, "fresh_at_arrival"),
        (Self::SweptEarly, "swept_early"),
        (Self::RedeemsExpired, "redeems_expired"),
        (Self::ClientIdIgnored, "client_id_ignored"),
        (Self::RefusalFromCopy, "refusal_from_copy"),
        (Self::JoinsReadUnderWay, "joins_read_under_way"),
        (Self::ReplayRefused, "replay_refused"),
        (Self::NotRemembered, "not_remembered"),
        (Self::EngineSaysCache, "engine_says_cache"),
        (Self::ListForgets, "list_forgets"),
        (Self::ConflictAsFault, "conflict_as_fault"),
        (Self::NeverIdle, "never_idle"),
        (Self::Traps, "traps"),
        (Self::Leaks, "leaks"),
        (Self::TakesNewestFirst, "takes_newest_first"),
        (Self::RefusedAndDone, "refused_and_done"),
        (Self::RevisionBehind, "revision_behind"),
        (Self::ReplayNotSaid, "replay_not_said"),
        (Self::DescriptionDropped, "description_dropped"),
        (Self::OwnIdsForgotten, "own_ids_forgotten"),
    ];
}

#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn is_planted(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
pub(crate) use chosen::{is_planted, plant};

#[cfg(feature = "planted-bugs")]
mod chosen {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static CHOSEN: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Puts in this one and takes out any other, in all workers of this thread.
    pub(crate) fn plant(bug: Option<Bug>) {
        ledger::planted::take_newest_first(bug == Some(Bug::TakesNewestFirst));
        CHOSEN.set(bug);
    }

    pub(crate) fn is_planted(bug: Bug) -> bool {
        CHOSEN.get() == Some(bug)
    }
}
