//! A request as far as it has come: its head, whether more follows, and what of its body came before it was judged.
//!
//! A request is judged when its head is there. Where that has to wait (for a key, say), the body goes on arriving; it is
//! kept here, within the bounds that would count anyway.

use crate::api::head::Head;

/// A request that is not judged yet.
#[derive(Clone)]
pub(super) struct Incoming {
    pub(super) head: Head,
    /// Names of headers that only the gateway may set, as the client sent them.
    pub(super) forged: Vec<String>,
    /// Whether the head is all there is.
    pub(super) end: bool,
    pub(super) body: Arrived,
}

/// What of a body has arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Arrived {
    /// So many bytes, and not the end.
    #[default]
    Nothing,
    /// So many bytes, and not the end.
    Part {
        /// How many.
        total_bytes: usize,
    },
    /// All of it.
    Whole(Vec<u8>),
    /// All of it, longer than any body may be; it is not kept.
    TooLong {
        /// How many bytes.
        total_bytes: usize,
    },
    /// All of it, but the host does not hand it over.
    Lost,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the token nor the body.
        f.debug_struct("Incoming")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
