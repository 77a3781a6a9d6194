//! The texts that an entry carries: its id, its reference and its description.
//!
//! Only length and control characters are judged. Uniqueness of an id is a rule of the account, not of the text.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use std::fmt;

/// Why a text is refused; it names the limit that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidText {
    /// The text must have at least one byte.
    Empty,
    /// The text is longer than this many bytes of UTF-8.
    TooLong {
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// The text holds a control character.
    ControlCharacter,
}

impl fmt::Display for InvalidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidText::Empty => write!(f, "must not be empty"),
            InvalidText::TooLong { max_bytes } => {
                write!(f, "must not be longer than {max_bytes} bytes")
            }
            InvalidText::ControlCharacter => write!(f, "must not contain control characters"),
        }
    }
}

impl std::error::Error for InvalidText {}

fn within(text: &str, max_bytes: usize) -> Result<(), InvalidText> {
    if text.len() > max_bytes {
        return Err(InvalidText::TooLong { max_bytes });
    }
    Ok(())
}

/// The id of an entry: 1 to 128 bytes without control characters, unique within one life of an account.
#[derive(Debug, Clone)]
pub struct EntryId(IdText);

/// Most ids are UUIDs: those take no memory of their own, and every document has one for each entry.
#[derive(Debug, Clone)]
enum IdText {
    /// The UUID that it was made from, and its text: known without reading or writing it again.
    Uuid {
        bytes: [u8; 16],
        text: [u8; 36],
    },
    // Shared, because open lots carry ids and are cloned for every write.
    Given(Arc<str>),
}

impl EntryId {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Checks and takes an id.
    ///
    /// # Errors
    /// The text is empty, longer than [`EntryId::MAX_BYTES`], or holds a control character.
    pub fn new(text: impl Into<String>) -> Result<EntryId, InvalidText> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidText::Empty);
        }
        within(&text, EntryId::MAX_BYTES)?;
        if text.chars().any(char::is_control) {
            return Err(InvalidText::ControlCharacter);
        }
        Ok(EntryId(IdText::Given(text.into())))
    }

    /// The id that is this UUID, in its canonical lower-case text (RFC 9562, section 4).
    pub fn from_uuid(bytes: [u8; 16]) -> EntryId {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
        let mut text = [b'-'; 36];
        let mut places = text.iter_mut();
        for (place, byte) in bytes.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                places.next();
            }
            for (value, character) in [byte >> 4, byte & 0x0f].into_iter().zip(&mut places) {
                *character = digit(value);
            }
        }
        EntryId(IdText::Uuid { bytes, text })
    }

    /// The id as it was given.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // Digits and hyphens are text.
            IdText::Uuid { text, .. } => std::str::from_utf8(text).unwrap_or_default(),
            IdText::Given(text) => text,
        }
    }

    /// The UUID that this id was made from, if it was made from one. The same text may have been given as text.
    pub fn uuid(&self) -> Option<[u8; 16]> {
        match self.0 {
            IdText::Uuid { bytes, .. } => Some(bytes),
            IdText::Given(_) => None,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            IdText::Uuid { text, .. } => text,
            IdText::Given(text) => text.as_bytes(),
        }
    }
}

// An id is its text, however it was made; texts stand in the order of their bytes.
impl PartialEq for EntryId {
    fn eq(&self, other: &EntryId) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for EntryId {}

impl PartialOrd for EntryId {
    fn partial_cmp(&self, other: &EntryId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EntryId {
    fn cmp(&self, other: &EntryId) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for EntryId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// A label that ties an entry to something outside, such as an order: at most 256 bytes, several entries may share one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferenceId(String);

impl ReferenceId {
    /// The longest reference, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Checks and takes a reference.
    ///
    /// # Errors
    /// The text is longer than [`ReferenceId::MAX_BYTES`].
    pub fn new(text: impl Into<String>) -> Result<ReferenceId, InvalidText> {
        let text = text.into();
        within(&text, ReferenceId::MAX_BYTES)?;
        Ok(ReferenceId(text))
    }

    /// The reference as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a person reads about an entry: at most 4,096 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Description(String);

impl Description {
    /// The longest description, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// Checks and takes a description.
    ///
    /// # Errors
    /// The text is longer than [`Description::MAX_BYTES`].
    pub fn new(text: impl Into<String>) -> Result<Description, InvalidText> {
        let text = text.into();
        within(&text, Description::MAX_BYTES)?;
        Ok(Description(text))
    }

    /// The description as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
