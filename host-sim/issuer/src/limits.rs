//! How much a client may send and hold, and how long it may take.

use std::time::Duration;

/// Clients of one issuer.
pub const MAX_CLIENTS: usize = 1000;
/// Bytes of a file of clients.
pub const MAX_CLIENTS_FILE_BYTES: u64 = 1024 * 1024;
/// Bytes of a client's id.
pub const MAX_ID_BYTES: usize = 128;
/// Bytes of a client's secret.
pub const MAX_SECRET_BYTES: usize = 256;
/// Scopes of one client. With [`MAX_SCOPE_BYTES`] a token stays under the 8 KiB that a gateway takes.
pub const MAX_SCOPES: usize = 32;
/// Bytes of one scope.
pub const MAX_SCOPE_BYTES: usize = 96;
/// Seconds that a token may live: a day.
pub const MAX_TOKEN_SECONDS: u64 = 24 * 3600;
/// Seconds that a token lives when its client says nothing else.
pub(crate) const DEFAULT_TOKEN_SECONDS: u64 = 3600;
/// Bytes of the issuer's name and of the public URL.
pub(crate) const MAX_URL_BYTES: usize = 512;

/// Bytes of a request's body; more is 413.
pub(crate) const MAX_BODY_BYTES: usize = 16 * 1024;
/// Bytes of a body over that which are still read, so that the answer is not lost in a reset.
pub(crate) const MAX_DISCARDED_BYTES: usize = 1024 * 1024;
/// Parameters of a form.
pub(crate) const MAX_PARAMETERS: usize = 64;
/// Bytes of a request's head; more is 431.
pub(crate) const MAX_HEAD_BYTES: usize = 16 * 1024;
/// For a request's head to come whole, from when the connection waits for it.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(10);
/// For a request's body to come whole; later is 408.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(10);
/// Clients connected at a time; more wait to be accepted.
pub(crate) const MAX_CONNECTIONS: usize = 256;
/// A connection is asked to end after this, so that a client that takes no bytes does not stay.
pub(crate) const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// For a connection to end after it was asked to.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(5);

/// Seconds that a key set may be remembered for. Short: a gateway that remembers longer misses a dropped key.
pub(crate) const KEY_SET_SECONDS: u32 = 30;
