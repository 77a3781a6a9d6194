//! What is known to differ between this host and Envoy, call by call, and where the documentation argues it.

/// Lines that differ.
pub struct Difference {
    /// The phase; `*` at its end stands for anything.
    pub phase: &'static str,
    /// The call with its arguments, likewise.
    pub call: &'static str,
    /// The words that the item of `docs/host-facts.md` begins with.
    pub argued: &'static str,
}

/// All of them.
pub const DIFFERENCES: &[Difference] = &[];
