//! A mistake in the ledger that is put in on purpose, to show that the simulation finds it. Only a build with the feature
//! `planted-bugs` has it, and there only when it is asked for; every other build asks a constant.

#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn takes_newest_first() -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
pub use chosen::take_newest_first;
#[cfg(feature = "planted-bugs")]
pub(crate) use chosen::takes_newest_first;

#[cfg(feature = "planted-bugs")]
mod chosen {
    use std::cell::Cell;

    thread_local! {
        static NEWEST_FIRST: Cell<bool> = const { Cell::new(false) };
    }

    /// Whether redemptions of this thread use the lots up from the last one on.
    pub fn take_newest_first(put_in: bool) {
        NEWEST_FIRST.set(put_in);
    }

    pub(crate) fn takes_newest_first() -> bool {
        NEWEST_FIRST.get()
    }
}
