//! Which keys a request means: etcd's three spellings of a range, as one type.
//!
//! `range_end` empty: the one key. A single zero byte: every key from `key` on. Else `key <= k < range_end`, which
//! is empty when the end does not lie behind the start.

use bytes::Bytes;

/// A set of keys without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    start: Bytes,
    /// Not included; `None`: no end.
    end: Option<Bytes>,
    single: bool,
}

impl Keys {
    /// From the two fields of a request.
    pub fn new(key: &Bytes, range_end: &Bytes) -> Keys {
        let (end, single) = match range_end.as_ref() {
            [] => {
                let mut end = Vec::with_capacity(key.len() + 1);
                end.extend_from_slice(key);
                end.push(0);
                (Some(Bytes::from(end)), true)
            }
            [0] => (None, false),
            _ => (Some(range_end.clone()), false),
        };
        Keys {
            start: key.clone(),
            end,
            single,
        }
    }

    /// The key, when exactly one is meant.
    pub fn single(&self) -> Option<&[u8]> {
        self.single.then_some(self.start.as_ref())
    }

    /// First key that may belong to the set.
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// First key past the set; `None`: the set has no end.
    pub fn end(&self) -> Option<&[u8]> {
        self.end.as_deref()
    }

    /// No key can belong to the set.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end <= &self.start)
    }

    /// Whether `key` belongs to the set.
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= self.start.as_ref() && self.end.as_ref().is_none_or(|end| key < end.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_spellings() {
        let keys = |start: &'static str, end: &'static str| Keys::new(&start.into(), &end.into());
        let rows = [
            // start, end, inside, outside
            ("b", "", vec!["b"], vec!["a", "b\0", "ba", "c"]),
            ("b", "\0", vec!["b", "ba", "\u{7f}"], vec!["a", ""]),
            ("b", "d", vec!["b", "b\0", "c"], vec!["a", "d", "e"]),
            ("d", "b", vec![], vec!["a", "b", "c", "d", "e"]),
        ];
        for (start, end, inside, outside) in rows {
            let set = keys(start, end);
            assert_eq!(set.is_empty(), inside.is_empty(), "{start:?}..{end:?}");
            for key in inside {
                assert!(set.contains(key.as_bytes()), "{key:?} in {set:?}");
            }
            for key in outside {
                assert!(!set.contains(key.as_bytes()), "{key:?} not in {set:?}");
            }
        }
    }
}
