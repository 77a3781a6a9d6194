//! The engine's side of the conversation: which calls exist, how they are written, what an answer says.
//!
//! Messages and effects only. When a call is made or a stream opened, for whom and how often is decided in `accounts` and `worker`.

mod batch;
mod call;
mod messages;
mod removal;
mod stream;
mod watch;

pub use batch::{Commit, commit_all, read_all, read_commit, read_commits, read_found};
pub use call::{Answer, Call, CallId, Method};
pub use messages::{
    CommitAnswer, Document, Found, MalformedAnswer, RangePage, StoreId, read_documents, read_keys,
    read_page, read_range, read_several,
};
pub use removal::{Removed, read_removal, remove_document, remove_range};
pub use stream::{StreamEffect, StreamId};
pub use watch::{Change, MAX_MESSAGE_BYTES, Watched, read_watched, watch_range};
