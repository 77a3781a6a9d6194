//! What became of a request.

use host::Headers;

/// Names a request for the life of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ask(pub(crate) u64);

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went on to its upstream with these headers.
    PassedOn(Headers),
    /// The gateway answered it.
    Replied {
        /// With `:status`.
        headers: Headers,
        /// Whole.
        body: Vec<u8>,
    },
    /// Its VM was lost while it waited.
    Lost,
}

/// A request that is over.
#[derive(Clone, Debug)]
pub struct Done {
    /// Which.
    pub ask: Ask,
    /// Who was asked.
    pub vm: usize,
    /// When it came, in milliseconds since the start.
    pub asked_ms: u64,
    /// When it was decided.
    pub done_ms: u64,
    /// How.
    pub outcome: Outcome,
}

impl Done {
    /// What its client sees: 200 when it was passed on, 0 when it was lost.
    #[must_use]
    pub fn status(&self) -> u16 {
        match &self.outcome {
            Outcome::PassedOn(_) => 200,
            Outcome::Replied { headers, .. } => headers
                .get(":status")
                .and_then(|status| std::str::from_utf8(status).ok()?.parse().ok())
                .unwrap_or(0),
            Outcome::Lost => 0,
        }
    }

    /// For how long it waited.
    #[must_use]
    pub fn waited_ms(&self) -> u64 {
        self.done_ms - self.asked_ms
    }

    /// A header of the reply, or of what was passed on.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = match &self.outcome {
            Outcome::PassedOn(headers) | Outcome::Replied { headers, .. } => headers,
            Outcome::Lost => return None,
        };
        headers
            .get(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }
}
