//! Random calls from a seed, over few keys, so that they collide: nested transactions, deletes, reads of the past.
//!
//! Calls that every server refuses are generated too; what matters is that all agree.

use etcd_wire::compare::{CompareResult, TargetUnion};
use etcd_wire::{Compare, RangeRequest, RequestOp, TxnRequest};

use super::requests::{RESULTS, delete, get, keys, nested, put_as, when};
use super::server::Call;

const KEYS: [&str; 6] = ["a", "b", "ba", "c", "d", "e"];
const ENDS: [&str; 6] = ["", "", "", "c", "e", "\0"];
const VALUES: [&str; 4] = ["", "x", "y", "zz"];

/// A small generator of its own: what a seed means must not change with a library's version.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// The next call for a store that is at about `revision`.
    pub fn call(&mut self, revision: i64) -> Call {
        match self.below(40) {
            0 => Call::Compact(revision - self.below(12) as i64 + 1),
            1..=11 => Call::Range(self.range(revision)),
            _ => Call::Txn(self.txn(revision, 2)),
        }
    }

    fn range(&mut self, revision: i64) -> RangeRequest {
        let mut request = keys(self.pick(&KEYS), self.pick(&ENDS));
        let about = |random: &mut Random| revision - random.below(14) as i64 + 1;
        if self.one_in(2) {
            request.revision = about(self);
        }
        if self.one_in(3) {
            request.limit = self.below(4) as i64;
        }
        // Descending over equal values is left out: the order of equal ones is not defined.
        if self.one_in(4) {
            request.sort_order = self.below(3) as i32;
        }
        request.keys_only = self.one_in(5);
        request.count_only = self.one_in(6);
        request.serializable = self.one_in(3);
        if self.one_in(6) {
            request.min_mod_revision = about(self);
        }
        if self.one_in(6) {
            request.max_mod_revision = about(self);
        }
        if self.one_in(8) {
            request.min_create_revision = about(self);
        }
        if self.one_in(8) {
            request.max_create_revision = about(self);
        }
        request
    }

    fn compare(&mut self, revision: i64) -> Compare {
        let about = revision - self.below(6) as i64;
        let wanted = match self.below(5) {
            0 => TargetUnion::Version(self.below(4) as i64),
            1 => TargetUnion::CreateRevision(about),
            2 => TargetUnion::Value(self.pick(&VALUES).into()),
            _ => TargetUnion::ModRevision(if self.one_in(3) { 0 } else { about }),
        };
        // Most compares should hold now and then, or the success branches would never be tried.
        let result = if self.one_in(2) {
            CompareResult::NotEqual
        } else {
            self.pick(&RESULTS)
        };
        when(self.pick(&KEYS), self.pick(&ENDS), result, wanted)
    }

    fn txn(&mut self, revision: i64, depth: u32) -> TxnRequest {
        let compares = self.below(3);
        let (success, failure) = (self.below(4), self.below(3));
        TxnRequest {
            compare: (0..compares).map(|_| self.compare(revision)).collect(),
            success: (0..success)
                .map(|_| self.operation(revision, depth))
                .collect(),
            failure: (0..failure)
                .map(|_| self.operation(revision, depth))
                .collect(),
        }
    }

    fn operation(&mut self, revision: i64, depth: u32) -> RequestOp {
        match self.below(10) {
            0..=3 => {
                let prev_kv = self.one_in(3);
                put_as(self.pick(&KEYS), self.pick(&VALUES), |put| {
                    put.prev_kv = prev_kv;
                })
            }
            4 => delete(self.pick(&KEYS), self.pick(&ENDS), self.one_in(2)),
            5 | 6 => get(self.range(revision)),
            _ if depth > 0 => nested(self.txn(revision, depth - 1)),
            _ => put_as(self.pick(&KEYS), self.pick(&VALUES), |_| {}),
        }
    }
}
