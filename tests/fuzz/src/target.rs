//! What a target is, and where its files are.

use std::path::PathBuf;

/// What a target's parser said of an input. Both are right; a wrong answer is a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was taken, or the main part of it was.
    Accepted,
    /// It was refused.
    Refused,
}

impl Seen {
    /// Accepted, if this is so.
    #[must_use]
    pub const fn accepted(is: bool) -> Self {
        if is { Self::Accepted } else { Self::Refused }
    }
}

/// One parser under test, with all that must hold of it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of its corpus, too.
    pub name: &'static str,
    /// Whose bytes they are, and what is asserted, in a line.
    pub about: &'static str,
    /// Longest input that the fuzzer makes, in bytes.
    pub max_len: usize,
    /// The file of words in `dictionaries` that helps to find inputs, without its ending.
    pub dictionary: &'static str,
    /// Inputs to begin with, made by the product's own encoders and from the tables of its tests.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Runs one input.
    ///
    /// # Panics
    /// When something does not hold.
    pub run: fn(&[u8]) -> Seen,
}

impl Target {
    /// Where committed inputs are.
    #[must_use]
    pub fn corpus(&self) -> PathBuf {
        root().join("corpus").join(self.name)
    }

    /// Where inputs are that once failed.
    #[must_use]
    pub fn crashes(&self) -> PathBuf {
        root().join("crashes").join(self.name)
    }
}

/// This crate's directory.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
