//! Where a walk over all accounts goes on: page after page, each of a range that holds few keys besides.
//!
//! An engine goes through every key of a range that it is asked about, however few it may answer with (etcd counts them,
//! whatever the limit). Asked for "the next hundred of all that is left", a million accounts cost it five thousand million
//! steps a walk, and some millions cost it more time for each page than a call may take. So where a range turns out to hold many,
//! the walk asks about the rest of the bucket that it is in, and when nothing is left there, about what else begins with a byte less of
//! that bucket's prefix, and so on. A range of which no answer came is halved.

use crate::accounts::keys::{accounts_prefix, bucket_prefix, prefix_end};
use crate::engine::{MalformedAnswer, RangePage};

/// Keys that an engine may have to go through for one page: some milliseconds of its time.
const MOST_COUNTED: i64 = 10_000;

/// Ranges that are narrower than this many others are not halved again: then the keys are not what takes the time.
const MAX_DEPTH: usize = 256;

/// A walk, and the place that it has come to.
#[derive(Debug)]
pub(super) struct Walk {
    /// Where the next range begins.
    next_key: Vec<u8>,
    /// Where ranges end, the next one first from behind: each behind the ones after it. The first is the end of all accounts.
    ends: Vec<Vec<u8>>,
}

/// What has become of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walked {
    /// It goes on where accounts were found.
    On,
    /// There was nothing in the range; it goes on behind it.
    Past,
    /// It has seen all accounts there are, and begins anew.
    Round,
}

impl Walk {
    /// A walk that begins.
    pub(super) fn new() -> Self {
        let all = accounts_prefix().into_bytes();
        Self {
            ends: vec![prefix_end(&all)],
            next_key: all,
        }
    }

    /// The range of the next page, its end not included.
    pub(super) fn range(&self) -> (&[u8], &[u8]) {
        let end = self.ends.last().map(Vec::as_slice).unwrap_or_default();
        (&self.next_key, end)
    }

    /// Takes the page of that range.
    ///
    /// # Errors
    /// The page is of another range, or there is more of nothing.
    pub(super) fn took(&mut self, page: &RangePage) -> Result<Walked, MalformedAnswer> {
        let (start, end) = self.range();
        let is_of_range = |key: &[u8]| (start..end).contains(&key);
        if !page.documents.iter().all(|it| is_of_range(&it.key)) {
            return Err(MalformedAnswer);
        }
        let last = page.documents.last();
        if page.more {
            let last = &last.ok_or(MalformedAnswer)?.key;
            if page.count > MOST_COUNTED {
                self.narrow_to_bucket(last);
            }
            self.next_key = last.to_vec();
            self.next_key.push(0);
            return Ok(Walked::On);
        }
        let end = self.ends.pop().unwrap_or_default();
        if self.ends.is_empty() {
            *self = Self::new();
            return Ok(Walked::Round);
        }
        self.next_key = end;
        Ok(match last {
            Some(_) => Walked::On,
            None => Walked::Past,
        })
    }

    /// No answer came: perhaps the engine had to go through too many keys.
    pub(super) fn failed(&mut self) {
        let (start, end) = self.range();
        if let Some(middle) = middle(start, end).filter(|_| self.ends.len() < MAX_DEPTH) {
            self.ends.push(middle);
        }
    }

    /// Asks about the bucket of `key` next, then about ever more behind it. A key that is no account's is in none.
    fn narrow_to_bucket(&mut self, key: &[u8]) {
        let bucket = bucket_prefix(key).unwrap_or_default();
        for length in accounts_prefix().len()..=bucket.len() {
            let end = prefix_end(bucket.get(..length).unwrap_or_default());
            if self.ends.last().is_some_and(|outer| end < *outer) {
                self.ends.push(end);
            }
        }
    }
}

/// A key about halfway between two, if one begins between them that is not much longer.
fn middle(start: &[u8], end: &[u8]) -> Option<Vec<u8>> {
    let same = start
        .iter()
        .zip(end)
        .take_while(|(one, other)| one == other);
    let same = same.count();
    let byte = |key: &[u8], place: usize| key.get(place).copied().map_or(0, u16::from);
    let mut middle = start.get(..same)?.to_vec();
    // Behind the last byte stands nothing, which is less than any.
    let mut most = byte(end, same);
    for place in same..=start.len() {
        let least = byte(start, place);
        let between = least.checked_add(most)?.checked_div(2)?;
        if between > least {
            middle.push(u8::try_from(between).ok()?);
            return Some(middle);
        }
        middle.push(u8::try_from(least).ok()?);
        most = 256;
    }
    None
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::engine::{Document, StoreId};

    /// A page of these, of so many that the engine has.
    fn page(keys: &[&str], count: usize) -> RangePage {
        let document = |key: &&str| Document {
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: Bytes::new(),
            revision: 1,
        };
        RangePage {
            documents: keys.iter().map(document).collect(),
            more: count > keys.len(),
            count: i64::try_from(count).expect("not so many"),
            revision: 1,
            store: StoreId(1),
        }
    }

    /// Walks over these keys, so many a page; what was found, and the keys in each range that was asked about. No answer comes
    /// about a range of over `most` keys.
    fn walked_within(keys: &[String], limit: usize, most: usize) -> (Vec<String>, Vec<usize>) {
        let mut walk = Walk::new();
        let (mut seen, mut counted) = (Vec::new(), Vec::new());
        loop {
            let (start, end) = walk.range();
            let place = |bound: &[u8]| keys.partition_point(|it| it.as_bytes() < bound);
            let within = &keys[place(start)..place(end)];
            counted.push(within.len());
            if within.len() > most {
                walk.failed();
                continue;
            }
            let some = &within[..limit.min(within.len())];
            seen.extend_from_slice(some);
            let some: Vec<&str> = some.iter().map(String::as_str).collect();
            let walked = walk.took(&page(&some, within.len()));
            if walked.expect("a page of its range") == Walked::Round {
                return (seen, counted);
            }
        }
    }

    fn walked(keys: &[String], limit: usize) -> (Vec<String>, Vec<usize>) {
        walked_within(keys, limit, usize::MAX)
    }

    fn keys(tenants: &[&str], each: u32) -> Vec<String> {
        let mut keys: Vec<String> = tenants
            .iter()
            .flat_map(|tenant| {
                (0..each).map(move |number| {
                    // Spread over the buckets.
                    let bucket = number.wrapping_mul(2_654_435_761) >> 20;
                    format!("/points/1/account/{tenant}/{bucket:03x}/{number}")
                })
            })
            .collect();
        keys.sort();
        keys
    }

    fn odd_keys() -> Vec<String> {
        let odd = [
            "",
            "/",
            "//",
            "a/b",
            "a/b/c/d",
            "\u{7f}",
            "\u{1}",
            "\u{10ffff}/\u{10ffff}/x",
            "zz",
        ];
        odd.map(|it| format!("/points/1/account/{it}")).to_vec()
    }

    #[test]
    fn every_account_is_met_once() {
        for keys in [
            Vec::new(),
            keys(&["acme"], 1),
            keys(&["a", "acme", "acmf", "zoo"], 3),
            keys(&["acme", "acme2", "other"], 700),
            // One sorts before the slash behind the other; nobody else writes here, but who knows.
            [keys(&["a", "a%20", "a-1", "%FF"], 5_000), odd_keys()].concat(),
        ] {
            let mut keys = keys;
            keys.sort();
            for limit in [1, 2, 100, 10_000] {
                let (seen, _) = walked(&keys, limit);
                assert_eq!(seen, keys, "{limit} a page");
            }
        }
    }

    #[test]
    fn the_engine_goes_through_few_accounts_for_a_page() {
        let keys = keys(&["acme", "big", "shop1", "shop2"], 20_000);
        let (seen, counted) = walked(&keys, 100);
        assert!(seen == keys);
        let (calls, steps) = (counted.len(), counted.iter().sum::<usize>());
        // "The next hundred of what is left" takes 800 calls and 32 million steps.
        assert!(calls < 1000, "{calls} calls");
        assert!(steps < 8_000_000, "{steps} steps");
    }

    #[test]
    fn an_engine_that_has_no_time_for_many_is_asked_about_fewer() {
        let mut keys = [keys(&["acme", "big", "shop1"], 2_000), odd_keys()].concat();
        keys.sort();
        for most in [1, 10, 500, 5_000] {
            let (seen, counted) = walked_within(&keys, most.min(100), most);
            assert!(seen == keys, "{most}");
            let failed = counted.iter().filter(|it| **it > most).count();
            assert!(failed < counted.len(), "{failed} of {}", counted.len());
        }
    }

    #[test]
    fn the_middle_lies_between() {
        for (start, end, expected) in [
            (&b"a/"[..], &b"a0"[..], Some(&b"a/\x80"[..])),
            (b"a/", b"a/\x80", Some(b"a/\x40")),
            (b"a", b"c", Some(b"b")),
            (b"a", b"b", Some(b"a\x80")),
            (b"a\xff", b"b", Some(b"a\xff\x80")),
            (b"a\xfe", b"b", Some(b"a\xff")),
            (b"a", b"a\0", None),
            (b"a", b"a\x01", None),
            (b"a", b"a\x02", Some(b"a\x01")),
        ] {
            let found = middle(start, end);
            assert_eq!(found.as_deref(), expected, "{start:?} {end:?}");
            assert!(found.is_none_or(|it| start < it.as_slice() && it.as_slice() < end));
        }
    }

    #[test]
    fn few_accounts_take_no_more_calls_than_pages() {
        let names: Vec<String> = (0..100).map(|it| format!("shop{it:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (_, counted) = walked(&keys(&names, 20), 100);
        assert_eq!(counted.len(), 2000 / 100);
    }

    #[test]
    fn a_page_that_was_not_asked_for_ends_nothing() {
        let mut walk = Walk::new();
        for (keys, count) in [
            (&[][..], 5),
            (&["/points/1/gateway/0"][..], 1),
            (&["/points/1/account/a/000/1", "/points/2"][..], 9),
        ] {
            assert_eq!(walk.took(&page(keys, count)), Err(MalformedAnswer));
        }
        let first = page(&["/points/1/account/a/000/1"], 2);
        assert_eq!(walk.took(&first), Ok(Walked::On));
        assert_eq!(walk.took(&first), Err(MalformedAnswer), "once more");
    }
}
