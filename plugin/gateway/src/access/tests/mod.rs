//! Access as its callers see it, with real signatures, each looked at by both verifiers.

mod configuration;
mod confusion;
mod credentials;
mod fetched;
mod identities;
mod issuers;
mod kept_claims;
mod keys;
mod natives;
mod properties;
mod signatures;
mod times;
