//! The engine's side of the conversation: which calls exist, how they are written, what an answer says.
//!
//! Messages and effects only. When a call is made or a stream opened, for whom and how often is decided in `accounts` and `worker`.

mod call;
mod messages;
mod stream;
mod watch;

pub use call::{Answer, Call, CallId, Method};
pub use messages::{
    CommitAnswer, Document, Found, MalformedAnswer, RangePage, StoreId, compare_and_put,
    read_commit, read_document, read_documents, read_keys, read_one, read_page, read_range,
    read_several,
};
pub use stream::{StreamEffect, StreamId};
pub use watch::{Change, MAX_MESSAGE_BYTES, Watched, read_watched, watch_range};
