//! How current a read must be.

/// What a read may be answered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The gateway's own copy will do, if it is as current as this; none: the engine is asked.
    pub copy: Option<Bound>,
    /// An older copy will do when the engine does not answer; none: it will not.
    pub fallback: Option<Bound>,
}

/// How current a copy must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Whatever the copy lacks was committed at most so long ago, in milliseconds.
    pub max_age_ms: i64,
    /// The copy has all changes up to this revision of the engine; 0: any will do.
    pub at_least: i64,
}

impl Terms {
    /// The engine itself, and nothing else.
    pub const STRICT: Self = Self {
        copy: None,
        fallback: None,
    };
}
