//! What is built for the benchmark alone.

use std::path::PathBuf;

/// Where it is.
#[derive(Clone, Debug)]
pub struct Builds {
    /// `bench-native`, optimised.
    pub native: PathBuf,
    /// The module of the filter that does nothing.
    pub empty_filter: PathBuf,
}
