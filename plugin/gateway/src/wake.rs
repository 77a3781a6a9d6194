//! Who waits, and what is brought to them: the words in which the worker and its exchanges speak of waiting.

use crate::accounts::job::Outcome;

/// Names an exchange that waits; the shell's own number for the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u32);

/// An exchange to go on with, and what it waited for.
#[derive(Debug)]
pub struct Woken {
    /// The exchange.
    pub exchange: ExchangeId,
    /// What has come.
    pub news: News,
}

/// What an exchange waited for.
#[derive(Debug)]
pub enum News {
    /// The end of its job.
    Outcome(Outcome),
    /// Something that its token needs may be there now: a key, or the list of revoked tokens.
    Access,
}
