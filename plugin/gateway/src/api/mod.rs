//! What was asked, and how it is answered: paths, parameters and bodies in, replies out.
//!
//! Pure translation between bytes and meaning. Nothing here knows an account's state or who is asking.

pub mod bad_input;
pub mod body;
pub mod cors;
pub mod failure;
pub mod head;
pub mod input;
pub mod media_type;
pub mod recency;
pub mod render;
pub mod reply;
pub mod route;
