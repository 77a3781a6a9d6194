//! Something that is costly to make, kept for those who come later. A failure is not: the next one tries again.

use std::sync::{Mutex, PoisonError};

use crate::driver::Result;

pub(super) struct Kept<T>(Mutex<Option<T>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Kept<T> {
    /// What is kept; if nothing is, what is made now. Others wait meanwhile.
    pub(super) fn get_or_make(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*kept {
            return Ok(kept.clone());
        }
        let made = make()?;
        *kept = Some(made.clone());
        Ok(made)
    }

    /// What is kept.
    pub(super) fn get(&self) -> Option<T> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Trouble;

    #[test]
    fn what_was_made_is_kept_and_a_failure_is_not() {
        let kept = Kept::default();
        assert_eq!(kept.get(), None);
        let failed = kept.get_or_make(|| Err(Trouble("no port".to_owned())));
        assert_eq!(failed, Err(Trouble("no port".to_owned())));
        assert_eq!(kept.get(), None);
        assert_eq!(kept.get_or_make(|| Ok(1)), Ok(1));
        assert_eq!(kept.get_or_make(|| Ok(2)), Ok(1));
        assert_eq!(kept.get(), Some(1));
    }
}
