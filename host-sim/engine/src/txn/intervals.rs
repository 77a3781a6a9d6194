//! The set of keys that the deletes of a transaction cover, for the rule that no key is written twice.
//!
//! Kept as disjoint half-open intervals, so that a request with thousands of nested deletes costs no quadratic time.

use std::collections::BTreeMap;
use std::ops::Bound;

use etcd_wire::DeleteRangeRequest;

/// A union of half-open key intervals.
#[derive(Debug, Default)]
pub struct Intervals {
    /// start -> end; disjoint, not touching.
    spans: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Intervals {
    /// Adds what `request` deletes. As in etcd, the "from this key on" spelling covers nothing here: its end, one
    /// zero byte, lies before its start. Such a delete may stand beside a put of a key that it removes.
    pub fn add_request(&mut self, request: &DeleteRangeRequest) {
        let start = request.key.to_vec();
        let end = if request.range_end.is_empty() {
            [&start[..], &[0]].concat()
        } else {
            request.range_end.to_vec()
        };
        self.add(start, end);
    }

    /// Adds everything that `other` covers.
    pub fn add_all(&mut self, other: Intervals) {
        for (start, end) in other.spans {
            self.add(start, end);
        }
    }

    /// Whether `key` is covered.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.before(key)
            .is_some_and(|(_, end)| key < end.as_slice())
    }

    fn before(&self, key: &[u8]) -> Option<(&Vec<u8>, &Vec<u8>)> {
        self.spans
            .range::<[u8], _>((Bound::Unbounded, Bound::Included(key)))
            .next_back()
    }

    fn add(&mut self, mut start: Vec<u8>, mut end: Vec<u8>) {
        if end <= start {
            return;
        }
        // Swallow every span that overlaps or touches, each only once in the life of the set.
        while let Some((first, last)) = self
            .before(&end)
            .filter(|(_, last)| **last >= start)
            .map(|(first, last)| (first.clone(), last.clone()))
        {
            self.spans.remove(&first);
            start = start.min(first);
            end = end.max(last);
        }
        self.spans.insert(start, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(spans: &[(&str, &str)]) -> Intervals {
        let mut set = Intervals::default();
        for (key, range_end) in spans {
            set.add_request(&DeleteRangeRequest {
                key: key.to_string().into(),
                range_end: range_end.to_string().into(),
                prev_kv: false,
            });
        }
        set
    }

    #[test]
    fn a_union_is_what_its_parts_cover() {
        let spans = [("d", "f"), ("a", "b"), ("b", "c"), ("e", "h"), ("k", "")];
        let union = set(&spans);
        assert_eq!(union.spans.len(), 3);
        for key in ["a", "aa", "b", "bz", "d", "e", "g", "k"] {
            assert!(union.contains(key.as_bytes()), "{key}");
        }
        for key in ["c", "h", "j", "ka", "k\0", "z", ""] {
            assert!(!union.contains(key.as_bytes()), "{key}");
        }
    }

    #[test]
    fn a_delete_without_end_covers_nothing() {
        assert!(!set(&[("a", "\0")]).contains(b"b"));
        assert!(!set(&[("z", "a")]).contains(b"m"));
    }
}
