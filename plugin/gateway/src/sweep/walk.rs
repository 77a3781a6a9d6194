//! Where a walk over all accounts goes on: page after page, each of a range that holds few keys besides.
//!
//! An engine goes through every key of a range that it is asked about, however few it may answer with (etcd counts them,
//! whatever the limit). Asked for "the next hundred of all that is left", a million accounts cost it five thousand million
//! steps a walk. So where a range turns out to hold many, the walk asks about the rest of the bucket that it is in, and when nothing is
//! left there, about what else begins with a byte less of that bucket's prefix, and so on.

use crate::accounts::keys::{accounts_prefix, bucket_prefix, prefix_end};
use crate::engine::{MalformedAnswer, RangePage};

/// Keys that an engine may have to go through for one page: some milliseconds of its time.
const MOST_COUNTED: i64 = 10_000;

/// A walk, and the place that it has come to.
#[derive(Debug)]
pub(super) struct Walk {
    /// What all keys of the next range begin with.
    scope: Vec<u8>,
    /// Where the next range begins.
    next_key: Vec<u8>,
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
        Self {
            scope: accounts_prefix().into_bytes(),
            next_key: accounts_prefix().into_bytes(),
        }
    }

    /// The range of the next page, its end not included.
    pub(super) fn range(&self) -> (&[u8], Vec<u8>) {
        (&self.next_key, prefix_end(&self.scope))
    }

    /// Takes the page of that range.
    ///
    /// # Errors
    /// The page is of another range, or there is more of nothing.
    pub(super) fn took(&mut self, page: &RangePage) -> Result<Walked, MalformedAnswer> {
        let (start, end) = self.range();
        let (start, end) = (start.to_vec(), end);
        let is_of_range = |key: &[u8]| (start.as_slice()..end.as_slice()).contains(&key);
        if !page.documents.iter().all(|it| is_of_range(&it.key)) {
            return Err(MalformedAnswer);
        }
        let last = page.documents.last();
        if page.more {
            let last = &last.ok_or(MalformedAnswer)?.key;
            // A key that is no account's is passed, and the range stays as it is.
            if page.count > MOST_COUNTED
                && let Some(bucket) = bucket_prefix(last)
                && bucket.len() > self.scope.len()
            {
                self.scope = bucket.to_vec();
            }
            self.next_key = last.to_vec();
            self.next_key.push(0);
            return Ok(Walked::On);
        }
        if self.scope.len() <= accounts_prefix().len() {
            *self = Self::new();
            return Ok(Walked::Round);
        }
        self.next_key = end;
        self.scope.pop();
        Ok(match last {
            Some(_) => Walked::On,
            None => Walked::Past,
        })
    }
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

    /// Walks over these keys, so many a page; what was found, and the keys in each range that was asked about.
    fn walked(keys: &[String], limit: usize) -> (Vec<String>, Vec<usize>) {
        let mut walk = Walk::new();
        let (mut seen, mut counted) = (Vec::new(), Vec::new());
        loop {
            let (start, end) = walk.range();
            let range = start..end.as_slice();
            let within: Vec<&str> = keys
                .iter()
                .map(String::as_str)
                .filter(|it| range.contains(&it.as_bytes()))
                .collect();
            counted.push(within.len());
            let some = &within[..limit.min(within.len())];
            seen.extend(some.iter().map(ToString::to_string));
            let walked = walk.took(&page(some, within.len()));
            if walked.expect("a page of its range") == Walked::Round {
                return (seen, counted);
            }
        }
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

    #[test]
    fn every_account_is_met_once() {
        for keys in [
            Vec::new(),
            keys(&["acme"], 1),
            keys(&["a", "acme", "acmf", "zoo"], 3),
            keys(&["acme", "acme2", "other"], 700),
        ] {
            for limit in [1, 2, 100, 10_000] {
                let (seen, _) = walked(&keys, limit);
                assert_eq!(seen, keys, "{limit} a page");
            }
        }
    }

    #[test]
    fn the_engine_goes_through_few_accounts_for_a_page() {
        let keys = keys(&["acme", "big", "shop1", "shop2"], 20_000);
        let (_, counted) = walked(&keys, 100);
        let (calls, steps) = (counted.len(), counted.iter().sum::<usize>());
        // "The next hundred of what is left" takes 800 calls and 32 million steps.
        assert!(calls < 1000, "{calls} calls");
        assert!(steps < 8_000_000, "{steps} steps");
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
