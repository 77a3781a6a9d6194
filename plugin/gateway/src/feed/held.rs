//! How the feed brings a change to the copy of its account.

use super::{HeldCopies, NotRefreshed};
use crate::accounts::copies::{AccountCopy, Copies, Front, Kept, Standing};
use crate::accounts::document;
use crate::accounts::keys::AccountDigest;
use crate::engine::{Change, StoreId};
use crate::host::Host;

impl HeldCopies for Copies {
    fn refresh(
        &self,
        host: &impl Host,
        key: &[u8],
        store: StoreId,
        change: &Change,
    ) -> Result<(), NotRefreshed> {
        let Some(account) = AccountDigest::of_key(key) else {
            // No account's key: nobody asks for it.
            return Ok(());
        };
        // Most changes are of accounts that are not held, or were made here: they cost one look.
        let is_news = |held: &Front| held.store == store && held.revision < change.revision;
        if self.front(host, &account).filter(is_news).is_none() {
            return Ok(());
        }
        let standing = match &change.value {
            None => Standing::Absent,
            Some(value) => {
                // What cannot be read is told to those who ask the engine for it.
                let state = document::decode(value).map_err(|_| NotRefreshed)?;
                Standing::of(&state, host.now())
            }
        };
        let copy = AccountCopy {
            store,
            // Whatever epoch the held copy has goes on.
            epoch: 0,
            revision: change.revision,
            standing,
            document: change.value.as_deref(),
        };
        match self.refresh(host, &account, &copy) {
            Kept::Held | Kept::Newer | Kept::NotHeld => Ok(()),
            Kept::GivenUp => Err(NotRefreshed),
        }
    }
}
