//! Which branch a transaction and each transaction nested in it take.
//!
//! All compares are decided up front, on the state before the transaction writes anything: a nested compare does
//! not see what its siblings or its parent put. With the branches known, the operations that will run are checked
//! too, so that a transaction is refused before it has written or not at all.

use std::cmp::Ordering;

use etcd_wire::compare::{CompareResult, CompareTarget, TargetUnion};
use etcd_wire::request_op::Request;
use etcd_wire::{Compare, PutRequest, RangeRequest, RequestOp, TxnRequest};
use redb::ReadableTable;

use crate::refusal::{Fault, Refusal};
use crate::store::{FormerKey, Keys, Progress, Scan, Version, View};

/// The branch of one transaction and, in the order of its operations, of those nested in that branch.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    /// Every compare held: the success branch.
    pub succeeded: bool,
    /// One for each nested transaction of the branch.
    pub nested: Vec<Path>,
}

impl Path {
    /// Decides `request` on `view`, the state at `progress`.
    pub fn decide<C, F>(
        request: &TxnRequest,
        view: &View<'_, C, F>,
        progress: Progress,
    ) -> Result<Path, Fault>
    where
        C: ReadableTable<&'static [u8], &'static [u8]>,
        F: ReadableTable<FormerKey, &'static [u8]>,
    {
        let path = Path::compare(request, view)?;
        // etcd looks through all puts first, then through all ranges.
        path.visit(request, &mut |operation| match operation {
            Request::RequestPut(put) => check_put(put, view),
            _ => Ok(()),
        })?;
        path.visit(request, &mut |operation| match operation {
            Request::RequestRange(range) => check_revision(range, progress),
            _ => Ok(()),
        })?;
        Ok(path)
    }

    /// The operations that this branch of `request` runs.
    pub fn operations<'r>(&self, request: &'r TxnRequest) -> &'r [RequestOp] {
        if self.succeeded {
            &request.success
        } else {
            &request.failure
        }
    }

    fn compare<C, F>(request: &TxnRequest, view: &View<'_, C, F>) -> Result<Path, Fault>
    where
        C: ReadableTable<&'static [u8], &'static [u8]>,
        F: ReadableTable<FormerKey, &'static [u8]>,
    {
        let mut path = Path {
            succeeded: true,
            nested: Vec::new(),
        };
        for compare in &request.compare {
            if !holds(compare, view)? {
                path.succeeded = false;
                break;
            }
        }
        for operation in path.operations(request) {
            if let Some(Request::RequestTxn(nested)) = &operation.request {
                path.nested.push(Path::compare(nested, view)?);
            }
        }
        Ok(path)
    }

    fn visit(
        &self,
        request: &TxnRequest,
        check: &mut impl FnMut(&Request) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut nested_paths = self.nested.iter();
        for operation in self.operations(request) {
            match &operation.request {
                Some(Request::RequestTxn(nested)) => {
                    if let Some(path) = nested_paths.next() {
                        path.visit(nested, check)?;
                    }
                }
                Some(other) => check(other)?,
                None => {}
            }
        }
        Ok(())
    }
}

fn check_put<C, F>(put: &PutRequest, view: &View<'_, C, F>) -> Result<(), Fault>
where
    C: ReadableTable<&'static [u8], &'static [u8]>,
    F: ReadableTable<FormerKey, &'static [u8]>,
{
    if (put.ignore_value || put.ignore_lease) && view.newest(&put.key, |_| ())?.is_none() {
        return Err(Refusal::KeyNotFound.into());
    }
    if put.lease != 0 {
        return Err(Refusal::LeaseNotFound.into());
    }
    Ok(())
}

/// Inside a transaction a negative revision is a compacted one once anything was compacted; on its own it means
/// "newest". The difference is etcd's.
fn check_revision(range: &RangeRequest, progress: Progress) -> Result<(), Fault> {
    match range.revision {
        0 => Ok(()),
        revision if revision > progress.revision => Err(Refusal::FutureRevision.into()),
        revision if revision < progress.compacted => Err(Refusal::Compacted.into()),
        _ => Ok(()),
    }
}

/// A compare over a range holds when it holds for every key in it; over no key, when it holds for a key that was
/// never written, which no comparison of values does.
fn holds<C, F>(compare: &Compare, view: &View<'_, C, F>) -> Result<bool, Fault>
where
    C: ReadableTable<&'static [u8], &'static [u8]>,
    F: ReadableTable<FormerKey, &'static [u8]>,
{
    let keys = Keys::new(&compare.key, &compare.range_end);
    let mut all = None;
    view.scan_newest(&keys, |_, version| {
        let holds = holds_for(compare, &version);
        all = Some(holds);
        if holds { Scan::Continue } else { Scan::Stop }
    })?;
    Ok(all.unwrap_or_else(|| {
        compare.target != CompareTarget::Value as i32
            && holds_for(
                compare,
                &Version {
                    create_revision: 0,
                    mod_revision: 0,
                    version: 0,
                    value: b"",
                },
            )
    }))
}

/// A wanted value of another kind than the target counts as zero or empty; an unknown target compares equal, an
/// unknown result holds: as in etcd.
fn holds_for(compare: &Compare, version: &Version<'_>) -> bool {
    let wanted = compare.target_union.as_ref();
    let order = match CompareTarget::try_from(compare.target) {
        Ok(CompareTarget::Version) => version.version.cmp(&match wanted {
            Some(TargetUnion::Version(wanted)) => *wanted,
            _ => 0,
        }),
        Ok(CompareTarget::Create) => version.create_revision.cmp(&match wanted {
            Some(TargetUnion::CreateRevision(wanted)) => *wanted,
            _ => 0,
        }),
        Ok(CompareTarget::Mod) => version.mod_revision.cmp(&match wanted {
            Some(TargetUnion::ModRevision(wanted)) => *wanted,
            _ => 0,
        }),
        Ok(CompareTarget::Value) => version.value.cmp(match wanted {
            Some(TargetUnion::Value(wanted)) => wanted.as_ref(),
            _ => b"",
        }),
        Ok(CompareTarget::Lease) => 0.cmp(&match wanted {
            Some(TargetUnion::Lease(wanted)) => *wanted,
            _ => 0,
        }),
        Err(_) => Ordering::Equal,
    };
    match CompareResult::try_from(compare.result) {
        Ok(CompareResult::Equal) => order == Ordering::Equal,
        Ok(CompareResult::NotEqual) => order != Ordering::Equal,
        Ok(CompareResult::Greater) => order == Ordering::Greater,
        Ok(CompareResult::Less) => order == Ordering::Less,
        Err(_) => true,
    }
}
