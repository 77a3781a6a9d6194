//! Signing keys in a folder that only its owner can read, and the tokens that they sign.
//!
//! It decides how keys are made, named, stored and found again. It refuses to know what a token says, how long a key is
//! good for and who publishes it: that is for the issuer, which rotates keys, and for the testbed, which signs tokens
//! without an issuer. Both work on the same folder, also at the same time.

mod error;
mod folder;
mod key;

use jwt_simple::algorithms::HS256Key;

pub use error::{Error, Result};
pub use folder::{KeyFile, KeyFolder, MAX_KEYS};
pub use key::{Algorithm, SigningKey};

/// 128 random bits in hex, for what must not be guessed or met twice.
#[must_use]
pub fn random_id() -> String {
    let bytes = HS256Key::generate().to_bytes();
    bytes
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
