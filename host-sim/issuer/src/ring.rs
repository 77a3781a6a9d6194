//! Which key signs and which keys are published.
//!
//! The newest key of the issuer's algorithm signs. Every key in the folder is published but those whose successor is older
//! than the life of a token. The folder is looked at for each request, for other processes work on it too: it is a listing
//! of at most a few names, and keys are read once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use signing_keys::{Algorithm, Error, KeyFile, KeyFolder, Result, SigningKey};

/// How often a listing is taken again because a file of it was gone when it was read.
const ATTEMPTS: usize = 3;

/// The keys of an issuer.
#[derive(Debug)]
pub(crate) struct Ring {
    folder: KeyFolder,
    algorithm: Algorithm,
    keep_retired: Duration,
    read: Mutex<BTreeMap<KeyFile, Arc<SigningKey>>>,
}

/// What a rotation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The `kid` of the key that signs now.
    pub key_id: String,
    /// The `kid` of every key that is published now, that one first.
    pub published: Vec<String>,
}

impl Ring {
    /// The keys in `folder`; the first one is made when it is missing.
    pub fn open(
        folder: KeyFolder,
        algorithm: Algorithm,
        keep_retired: Duration,
        now: SystemTime,
    ) -> Result<Self> {
        let ring = Self {
            folder,
            algorithm,
            keep_retired,
            read: Mutex::default(),
        };
        ring.published(now)?;
        Ok(ring)
    }

    /// The key that signs.
    pub fn current(&self) -> Result<Arc<SigningKey>> {
        self.attempt(|| {
            let list = self.list()?;
            let newest = list.iter().rfind(|file| file.algorithm == self.algorithm);
            match newest {
                Some(file) => self.load(*file),
                // Somebody emptied the folder this very moment.
                None => self.folder.newest(self.algorithm).map(Arc::new),
            }
        })
    }

    /// The published keys, the one that signs first. Files of keys that are no longer published are removed.
    pub fn published(&self, now: SystemTime) -> Result<Vec<Arc<SigningKey>>> {
        self.attempt(|| {
            let list = self.list()?;
            if list.iter().any(|file| self.has_expired(file, &list, now)) {
                self.folder
                    .remove(|file, all| self.has_expired(file, all, now))?;
            }
            let mut files: Vec<KeyFile> = list
                .iter()
                .copied()
                .filter(|file| !self.has_expired(file, &list, now))
                .collect();
            files.sort_by_key(|file| {
                let is_foreign = file.algorithm != self.algorithm;
                (is_foreign, std::cmp::Reverse(file.generation))
            });
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.retain(|file, _| files.contains(file));
            drop(read);
            files.into_iter().map(|file| self.load(file)).collect()
        })
    }

    /// Makes a new key. With `drop_old` the former ones of its algorithm are removed.
    pub fn rotate(&self, drop_old: bool, now: SystemTime) -> Result<Rotated> {
        // First of all: there may be no room for a new one before these are gone.
        self.published(now)?;
        let drop_retired = || {
            self.folder.remove(|file, all| {
                file.algorithm == self.algorithm && successor(file, all).is_some()
            })
        };
        if drop_old {
            drop_retired()?;
        }
        let key_id = self.folder.add(self.algorithm)?.id().to_owned();
        if drop_old {
            drop_retired()?;
        }
        let published = self.published(now)?;
        Ok(Rotated {
            key_id,
            published: published.iter().map(|key| key.id().to_owned()).collect(),
        })
    }

    /// The folder's keys, with one that can sign among them.
    fn list(&self) -> Result<Vec<KeyFile>> {
        let list = self.folder.list()?;
        if list.iter().any(|file| file.algorithm == self.algorithm) {
            return Ok(list);
        }
        self.folder.newest(self.algorithm)?;
        self.folder.list()
    }

    fn load(&self, file: KeyFile) -> Result<Arc<SigningKey>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = read.get(&file) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(self.folder.load(file)?);
        read.insert(file, Arc::clone(&key));
        Ok(key)
    }

    /// Another process may remove a file between our listing and our reading.
    fn attempt<T>(&self, act: impl Fn() -> Result<T>) -> Result<T> {
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            match act() {
                Err(error) if is_missing(&error) && left > 0 => {}
                result => return result,
            }
        }
    }

    fn has_expired(&self, file: &KeyFile, all: &[KeyFile], now: SystemTime) -> bool {
        let retired = successor(file, all).map(|next| next.made);
        // A successor from the future was made just now by a clock that differs: its time has not begun.
        retired.is_some_and(|since| {
            now.duration_since(since)
                .is_ok_and(|age| age > self.keep_retired)
        })
    }
}

fn is_missing(error: &Error) -> bool {
    error.is_missing_file()
}

/// The key that took over from `file`.
fn successor<'a>(file: &KeyFile, all: &'a [KeyFile]) -> Option<&'a KeyFile> {
    all.iter()
        .filter(|other| other.algorithm == file.algorithm && other.generation > file.generation)
        .min_by_key(|other| other.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(3600);

    fn ids(keys: &[Arc<SigningKey>]) -> Vec<String> {
        keys.iter().map(|key| key.id().to_owned()).collect()
    }

    fn ring(dir: &tempfile::TempDir, algorithm: Algorithm) -> Ring {
        let folder = KeyFolder::open(&dir.path().join("keys")).expect("a folder");
        Ring::open(folder, algorithm, KEEP, SystemTime::now()).expect("keys")
    }

    #[test]
    fn a_retired_key_stays_published_for_as_long_as_its_tokens_live() {
        let dir = tempfile::tempdir().expect("a directory");
        let ring = ring(&dir, Algorithm::Es256);
        let now = SystemTime::now();
        let first = ring.current().expect("a key").id().to_owned();
        let rotated = ring.rotate(false, now).expect("rotated");
        assert_ne!(rotated.key_id, first);
        let both = vec![rotated.key_id.clone(), first];
        assert_eq!(rotated.published, both);
        assert_eq!(ring.current().expect("a key").id(), rotated.key_id);

        let soon = now + KEEP - Duration::from_secs(5);
        assert_eq!(ids(&ring.published(soon).expect("keys")), both);
        let late = now + KEEP + Duration::from_secs(5);
        assert_eq!(
            ids(&ring.published(late).expect("keys")),
            [rotated.key_id.as_str()]
        );
        assert_eq!(
            ring.folder.list().expect("a list").len(),
            1,
            "its file is gone"
        );
        // However late: the newest key never goes.
        assert_eq!(
            ids(&ring.published(late + 9 * KEEP).expect("keys")),
            [rotated.key_id]
        );
    }

    #[test]
    fn old_keys_are_dropped_at_once_when_asked_and_other_algorithms_are_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let foreign = ring(&dir, Algorithm::EdDsa)
            .current()
            .expect("a key")
            .id()
            .to_owned();
        let ring = ring(&dir, Algorithm::Es256);
        let now = SystemTime::now();
        ring.rotate(false, now).expect("rotated");
        let rotated = ring.rotate(true, now).expect("rotated");
        assert_eq!(rotated.published, [rotated.key_id.clone(), foreign]);
    }

    #[test]
    fn a_full_ring_refuses_to_forget_keys_that_tokens_need() {
        let dir = tempfile::tempdir().expect("a directory");
        let ring = ring(&dir, Algorithm::EdDsa);
        let now = SystemTime::now();
        for _ in 1..signing_keys::MAX_KEYS {
            ring.rotate(false, now).expect("rotated");
        }
        let before = ids(&ring.published(now).expect("keys"));
        assert_eq!(before.len(), signing_keys::MAX_KEYS);
        assert!(matches!(ring.rotate(false, now), Err(Error::Full { .. })));
        assert_eq!(ids(&ring.published(now).expect("keys")), before);
        assert_eq!(ring.rotate(true, now).expect("rotated").published.len(), 1);
        for _ in 1..signing_keys::MAX_KEYS {
            ring.rotate(false, now).expect("rotated");
        }
        // Time makes room, too.
        let late = SystemTime::now() + KEEP + Duration::from_secs(5);
        assert!(ring.rotate(false, late).is_ok());
    }

    #[test]
    fn what_another_process_does_to_the_folder_is_seen() {
        let dir = tempfile::tempdir().expect("a directory");
        let (one, two) = (ring(&dir, Algorithm::Es256), ring(&dir, Algorithm::Es256));
        let now = SystemTime::now();
        let rotated = one.rotate(true, now).expect("rotated");
        assert_eq!(two.current().expect("a key").id(), rotated.key_id);
        assert_eq!(ids(&two.published(now).expect("keys")), rotated.published);
        let added = two.folder.newest(Algorithm::EdDsa).expect("a key");
        assert!(ids(&one.published(now).expect("keys")).contains(&added.id().to_owned()));
    }
}
