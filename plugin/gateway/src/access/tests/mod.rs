//! Access as its callers see it, with real signatures.

mod configuration;
mod credentials;
mod identities;
mod properties;
mod signatures;
mod times;
