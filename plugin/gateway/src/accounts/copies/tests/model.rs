//! Against a naive model: a list for each entry of fronts, a cell for each of documents.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::accounts::copies::layout::{Class, MAX_HELD_BYTES, WAYS};

#[derive(Debug, Clone)]
struct Step {
    account: usize,
    what: What,
    store: u64,
    revision: i64,
    epoch: u32,
    /// The place of the document's length among [`SIZES`]; none: no document is given.
    size: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Install,
    Refresh,
    Confirm,
}

const SIZES: [usize; 5] = [0, 600, 1025, 5000, MAX_HELD_BYTES + 1];

/// Ten accounts that share one entry of fronts, and two that share a document's with two of them.
const ACCOUNTS: usize = 12;

fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        3 => Just(What::Install),
        2 => Just(What::Refresh),
        1 => Just(What::Confirm),
    ];
    let size = proptest::option::weighted(0.8, 0..SIZES.len());
    let store = prop_oneof![9 => Just(3_u64), 1 => Just(4)];
    (0..ACCOUNTS, what, store, 1..6_i64, 0..4_u32, size).prop_map(
        |(account, what, store, revision, epoch, size)| Step {
            account,
            what,
            store,
            revision,
            epoch,
            size,
        },
    )
}

/// The same for everybody who sees this revision of this account in this store.
fn document_of(step: &Step, size: usize) -> Vec<u8> {
    let tag = format!("{} {} {} ", step.account, step.store, step.revision);
    tag.into_bytes().into_iter().cycle().take(size).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    account: usize,
    store: u64,
    revision: i64,
    epoch: u32,
    class: Option<Class>,
}

/// What a cell of documents holds: of which account, store and revision, and how long.
type Cell = (usize, u64, i64, usize);

#[derive(Default)]
struct Naive {
    fronts: BTreeMap<String, Vec<Row>>,
    documents: BTreeMap<String, Cell>,
}

impl Naive {
    fn row(&mut self, copies: &Copies, account: usize, digest: &AccountDigest) -> Option<&mut Row> {
        let rows = self.fronts.entry(copies.layout.front_name(digest));
        let mut rows = rows.or_default().iter_mut();
        rows.find(|row| row.account == account)
    }

    fn confirm(&mut self, copies: &Copies, digest: &AccountDigest, step: &Step) -> bool {
        match self.row(copies, step.account, digest) {
            Some(row) if (row.store, row.revision) == (step.store, step.revision) => {
                row.epoch = row.epoch.max(step.epoch);
                true
            }
            _ => false,
        }
    }

    fn put(&mut self, copies: &Copies, digest: &AccountDigest, step: &Step) -> Kept {
        let size = step.size.map(|place| SIZES[place]);
        let class = size.and_then(Class::of);
        let mut new = Row {
            account: step.account,
            store: step.store,
            revision: step.revision,
            epoch: step.epoch,
            class,
        };
        match self.row(copies, step.account, digest).cloned() {
            None if step.what == What::Refresh => return Kept::NotHeld,
            Some(held) if held.store == new.store && held.revision > new.revision => {
                return Kept::Newer;
            }
            Some(held) if held.store == new.store && held.revision == new.revision => {
                new.epoch = new.epoch.max(held.epoch);
                new.class = new.class.or(held.class);
            }
            Some(held) if held.store == new.store => new.epoch = new.epoch.max(held.epoch),
            _ => {}
        }
        let rows = self
            .fronts
            .entry(copies.layout.front_name(digest))
            .or_default();
        let place = rows.iter().position(|row| row.account == step.account);
        match place {
            Some(place) if step.what == What::Refresh || rows[place] == new => rows[place] = new,
            place => {
                if let Some(place) = place {
                    rows.remove(place);
                } else if rows.len() == WAYS {
                    rows.remove(0);
                }
                rows.push(new);
            }
        }
        if let (Some(class), Some(size)) = (class, size) {
            let name = copies.layout.document_name(class, digest);
            let stays = self.documents.get(&name).is_some_and(|held| {
                let same = held.0 == step.account;
                let older = (held.1, held.2) != (step.store, step.revision)
                    && (held.1 != step.store || held.2 < step.revision);
                if same {
                    !older
                } else {
                    step.what == What::Refresh
                }
            });
            if !stays {
                let cell = (step.account, step.store, step.revision, size);
                self.documents.insert(name, cell);
            }
        }
        Kept::Held
    }
}

static DIGESTS: LazyLock<Vec<AccountDigest>> = LazyLock::new(|| {
    let copies = Copies::new(LEAST);
    let mut accounts = neighbours(&copies, ACCOUNTS - 2);
    for place in [0, 1] {
        accounts.push(rival(&copies, &accounts[place]));
    }
    accounts
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn copies_are_the_naive_model(script in proptest::collection::vec(step(), 1..60)) {
        let (host, copies) = small();
        let digests = &*DIGESTS;
        let mut model = Naive::default();
        for step in &script {
            let digest = &digests[step.account];
            let (store, epoch) = (StoreId(step.store), step.epoch);
            if step.what == What::Confirm {
                let confirmed = copies.confirm(&host, digest, store, step.revision, || Some(epoch));
                prop_assert_eq!(confirmed, model.confirm(&copies, digest, step), "{:?}", step);
            } else {
                let document = step.size.map(|place| document_of(step, SIZES[place]));
                let copy = AccountCopy {
                    store,
                    epoch,
                    document: document.as_deref(),
                    ..at(step.revision, b"")
                };
                let kept = if step.what == What::Install {
                    copies.install(&host, digest, &copy)
                } else {
                    copies.refresh(&host, digest, &copy)
                };
                prop_assert_eq!(kept, model.put(&copies, digest, step), "{:?}", step);
            }
            for (account, digest) in digests.iter().enumerate() {
                let row = model.row(&copies, account, digest).cloned();
                let front = copies.front(&host, digest);
                let seen = front.map(|it| Row {
                    account,
                    store: it.store.0,
                    revision: it.revision,
                    epoch: it.epoch,
                    class: it.class,
                });
                prop_assert_eq!(&seen, &row, "account {} after {:?}", account, step);
                let Some(row) = row else {
                    continue;
                };
                let cell = row.class.and_then(|class| {
                    let name = copies.layout.document_name(class, digest);
                    let cell = model.documents.get(&name);
                    cell.filter(|it| (it.0, it.1, it.2) == (account, row.store, row.revision))
                });
                let expected = cell.map(|&(_, store, revision, size)| {
                    let step = Step { store, revision, account, ..step.clone() };
                    document_of(&step, size)
                });
                let known = copies.look_up(&host, digest, StoreId(row.store));
                let document = known.map(|it| it.document.to_vec());
                prop_assert_eq!(document, expected, "account {} after {:?}", account, step);
            }
        }
    }
}
