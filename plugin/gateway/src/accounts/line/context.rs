//! What surrounds one step of a line, and how what it learned is remembered.

use ledger::State;

use crate::accounts::copies::{AccountCopy, Copies, Kept, Standing};
use crate::accounts::keys::AccountKey;
use crate::engine::{Found, StoreId};
use crate::host::Host;

/// How often what was learned is offered to the copies when others write there all the time: what was acknowledged here
/// must be read here.
const MAX_INSTALLS: usize = 8;

/// Moment and surroundings of one step.
pub struct Context<'a, H> {
    /// The machine around the core.
    pub host: &'a H,
    /// What this gateway remembers of accounts.
    pub copies: &'a Copies,
    /// The worker's steady clock, in milliseconds.
    pub steady_ms: i64,
    /// The store that last answered for this account's cluster.
    pub store: Option<StoreId>,
    /// To which epoch a copy may be confirmed that this store answered at this revision; asked when the copy is held. Who
    /// keeps copies current knows it.
    pub may_confirm: &'a dyn Fn(StoreId, i64) -> Option<u32>,
}

impl<H: Host> Context<'_, H> {
    /// Remembers what an answer of the engine says of an account, before anybody is told: this gateway's next read and
    /// next write start from it. `at` is a revision of the store at which the account was so.
    pub(super) fn remember_found(&self, key: &AccountKey, found: &Found, state: &State) {
        let document = found.document.as_ref();
        let copy = AccountCopy {
            store: found.store,
            epoch: 0,
            revision: document.map_or(found.revision, |it| it.revision),
            standing: Standing::of(state, self.host.now()),
            document: document.map(|it| it.value.as_ref()),
        };
        self.remember(key, &copy, found.revision);
    }

    /// The same of what this gateway itself has written.
    pub(super) fn remember(&self, key: &AccountKey, known: &AccountCopy<'_>, at: i64) {
        let (host, account) = (self.host, key.digest());
        for _ in 0..MAX_INSTALLS {
            match self.copies.install(host, account, known) {
                Kept::Held => {
                    // Otherwise it is no more than a base for writes.
                    let _ = self
                        .copies
                        .confirm(host, account, known.store, known.revision, || {
                            (self.may_confirm)(known.store, at)
                        });
                    return;
                }
                Kept::Newer | Kept::NotHeld => return,
                Kept::GivenUp => {}
            }
        }
    }
}
