//! Copies of accounts: newer wins, memory is bounded, nothing that is not ours is believed.

mod content;
mod interleavings;
mod memory;
mod model;
mod near;
mod sharing;

use ledger::{Balance, BalanceSpan, Timestamp};

use super::{AccountCopy, AccountDigest, Bytes, Copies, Front, Kept, Known, Standing, StoreId};
use crate::access::Tenant;
use crate::accounts::keys::{AccountKey, CustomerId};
use crate::test_support::host::TestHost;

const STORE: StoreId = StoreId(3);

/// The least that can be configured: 318 entries of fronts, and so many documents by class.
const LEAST: u64 = 1024 * 1024;

fn account(customer: &str) -> AccountDigest {
    let customer = CustomerId::new(customer.as_bytes().to_vec()).expect("an id");
    *AccountKey::new(&Tenant::for_test("acme"), &customer).digest()
}

fn t(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("a time")
}

/// A live account whose balance never changes by itself.
fn live(points: u64) -> Standing {
    span(points, None, None)
}

fn span(points: u64, since: Option<i64>, until: Option<i64>) -> Standing {
    Standing::Live(BalanceSpan {
        balance: Balance::new(points).expect("a balance"),
        since: since.map(t),
        until: until.map(t),
    })
}

/// A live account at a revision, with the revision's number as its balance.
fn at(revision: i64, document: &[u8]) -> AccountCopy<'_> {
    AccountCopy {
        store: STORE,
        epoch: 0,
        revision,
        standing: live(revision.unsigned_abs()),
        document: Some(document),
    }
}

fn known(revision: i64, document: &[u8]) -> Option<Known> {
    Some(Known {
        store: STORE,
        revision,
        document: Bytes::copy_from_slice(document),
    })
}

/// So many accounts that share an entry of fronts.
fn neighbours(copies: &Copies, many: usize) -> Vec<AccountDigest> {
    let first = account("614");
    let name = copies.layout.front_name(&first);
    let others = (0..).map(|number| account(&format!("c{number}")));
    let others = others.filter(|it| copies.layout.front_name(it) == name);
    std::iter::once(first).chain(others).take(many).collect()
}

/// Another account with the same document entry as `of`, and another entry of fronts.
fn rival(copies: &Copies, of: &AccountDigest) -> AccountDigest {
    let class = super::Class::Small;
    let name = copies.layout.document_name(class, of);
    let front = copies.layout.front_name(of);
    let others = (0..).map(|number| account(&format!("c{number}")));
    let mut others = others.filter(|it| copies.layout.document_name(class, it) == name);
    others
        .find(|it| copies.layout.front_name(it) != front)
        .expect("another account")
}

/// A host, and copies as small as can be.
fn small() -> (TestHost, Copies) {
    (TestHost::alone(), Copies::new(LEAST))
}
