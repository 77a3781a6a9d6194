//! One document to be fetched over HTTP, as an effect for the shell to carry out.

use bytes::Bytes;

/// Names one fetch for the life of a worker. Never used twice: a late answer finds nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u64);

/// A `GET` to make. It is owned by the VM's root, never by a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Under which name the answer comes back.
    pub id: FetchId,
    /// The cluster to ask.
    pub cluster: String,
    /// `:authority`
    pub authority: String,
    /// `:path`
    pub path: String,
    /// After how long the shell gives up and reports [`Fetched::Nothing`], in milliseconds.
    pub timeout_ms: u32,
    /// How long a body may be, in bytes; a longer one is not copied into the VM.
    pub max_bytes: usize,
}

/// How a fetch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// A whole answer, whatever its status.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Bytes,
    },
    /// An answer whose body is longer than was asked for.
    TooLarge,
    /// No answer, or none in time, or the call could not be made.
    Nothing,
}
