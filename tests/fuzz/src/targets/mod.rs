//! The targets, one module each, in the order in which they are run.

mod bodies;
mod configuration;
mod copies;
mod deny_list;
mod document;
mod engine;
mod exchange;
mod headers;
mod jwks;
mod path;
mod query;
mod records;
mod segment;
mod strict_json;
mod times;
mod token;

use crate::Target;

/// All of them.
pub const TARGETS: [Target; 16] = [
    headers::TARGET,
    path::TARGET,
    query::TARGET,
    strict_json::TARGET,
    bodies::TARGET,
    times::TARGET,
    token::TARGET,
    jwks::TARGET,
    configuration::TARGET,
    document::TARGET,
    segment::TARGET,
    copies::TARGET,
    records::TARGET,
    deny_list::TARGET,
    engine::TARGET,
    exchange::TARGET,
];

/// The target of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
