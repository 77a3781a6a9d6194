//! What must hold, by name, and what is said when it does not.

use crate::named::named;

named! {
    /// Something that must hold of every fleet.
    Check, "check", not_in_all() {
        /// Each revision of an account goes on from the one before it, its balance is the fold of its history and never negative, lots are used in their order and what a redemption took from them sums to its points.
        Fold = "fold",
        /// Entries never change or vanish; segments are written once, hold what the history holds, and are there before a document refers to them; operations, keys and ended lives are remembered for a day, in documents and in what sweepers leave.
        History = "history",
        /// Every operation is done at most once under its id or key, whatever is repeated; one that was refused, with no try of unknown outcome beside it, is not done; every deletion ends at most one life.
        ExactlyOnce = "exactly-once",
        /// A change that was acknowledged is in the engine, as it was asked for, no later than its answer, and its revision is one of its account.
        Acknowledged = "acknowledged",
        /// A refusal was true at a moment between request and answer.
        Refused = "refused",
        /// Who sends an operation again that was acknowledged is told the same.
        SameAnswer = "same-answer",
        /// An answer from the engine is not older than its request.
        Strict = "strict",
        /// An answer from a copy is not older than `max_staleness_ms` and its `Age`, plus what its gateway's clock was set back meanwhile.
        Bounded = "bounded",
        /// An answer is not older than the revision that was asked for.
        Session = "session",
        /// What a gateway acknowledged it also reads.
        OwnWrites = "own-writes",
        /// An answer says where it came from, `Age` is within the bound, and nothing strict comes from a copy.
        Source = "source",
        /// A list shows every account of its tenant, no other, all as they were at one revision between request and answer.
        Listing = "listing",
        /// Nothing of one tenant, account or operation shows up at another.
        Isolation = "isolation",
        /// Every request has exactly one answer, in time; of many additions while nothing is wrong with the engine, some are acknowledged.
        Answered = "answered",
        /// Nobody is told anything but what the API has for what was asked: no 500, no 401.
        Status = "status",
        /// When all is over and the engine is there, every worker answers a strict read, none holds a job and every VM can end at once.
        Rest = "rest",
        /// No VM traps by itself.
        Trap = "trap",
        /// Memory, shared data and queues stay within their bounds.
        Memory = "memory",
    }
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Violation {
    /// What.
    pub check: Check,
    /// When, in microseconds since the start.
    pub at_us: u64,
    /// Of which account, as (tenant, customer), if of one.
    pub account: Option<(u8, u32)>,
    /// In words.
    pub words: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, rest) = (self.at_us / 1_000_000, self.at_us % 1_000_000);
        write!(f, "{} at {seconds}.{rest:06} s: {}", self.check, self.words)
    }
}
