//! A request that cannot be judged yet: its head, and what of its body has come meanwhile.
//!
//! A request is judged while the host holds its head. Where the judgement has to wait (for a key, say), the head is kept
//! here, and so is the body that goes on arriving, within the bounds that would count anyway.

/// A request that is not judged yet.
pub(super) struct Incoming {
    /// Names and values, as they were sent.
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether the head is all there is.
    pub(super) end: bool,
    pub(super) body: Arrived,
}

impl Incoming {
    pub(super) fn new(headers: &[(&[u8], &[u8])], end: bool, body: Arrived) -> Self {
        Self {
            headers: headers
                .iter()
                .map(|&(name, value)| (name.to_vec(), value.to_vec()))
                .collect(),
            end,
            body,
        }
    }

    pub(super) fn headers(&self) -> Vec<(&[u8], &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
            .collect()
    }

    /// The raw path.
    pub(super) fn path(&self) -> &[u8] {
        let mut headers = self.headers.iter();
        let path = headers.find(|(name, _)| name == b":path");
        path.map_or(b"", |(_, value)| value)
    }
}

/// What of a body has arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Arrived {
    /// Nothing.
    #[default]
    Nothing,
    /// So many bytes, and not the end.
    Part {
        /// How many.
        total_bytes: usize,
    },
    /// All of it.
    Whole(Vec<u8>),
    /// All of it, longer than any body may be; it is not kept.
    TooLong {
        /// How many bytes.
        total_bytes: usize,
    },
    /// All of it, but the host does not hand it over.
    Lost,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the token nor the body.
        f.debug_struct("Incoming")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
