//! The folder: `ALGORITHM.GENERATION.private.jwk`, one key a file, the highest generation the newest.
//!
//! What the folder holds is the truth; nobody's memory is. Processes that share it agree: whoever writes holds the
//! folder's lock, every file appears whole, and readers take no lock.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Algorithm, Error, Result, SigningKey};

/// Keys that a folder holds at most: every gateway holds their public halves in memory.
pub const MAX_KEYS: usize = 8;
/// What key files end in.
const ENDING: &str = ".private.jwk";
/// Permission bits of anybody but the owner.
const OTHERS: u32 = 0o077;

/// A key's file. Two that are equal hold the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyFile {
    /// What its key signs with.
    pub algorithm: Algorithm,
    /// 1 for the first key of this algorithm, then counted up.
    pub generation: u32,
    /// When the key was made: the file's time.
    pub made: SystemTime,
}

impl KeyFile {
    fn name(algorithm: Algorithm, generation: u32) -> String {
        let algorithm = algorithm.name().to_ascii_lowercase();
        format!("{algorithm}.{generation}{ENDING}")
    }

    fn parse(name: &str) -> Option<(Algorithm, u32)> {
        let (algorithm, generation) = name.strip_suffix(ENDING)?.split_once('.')?;
        let generation = generation.parse().ok().filter(|number| *number > 0)?;
        let algorithm = Algorithm::ALL
            .into_iter()
            .find(|known| known.name().to_ascii_lowercase() == algorithm)?;
        // Only the one spelling that we write: `es256.01` would be a second name for the same generation.
        (Self::name(algorithm, generation) == name).then_some((algorithm, generation))
    }
}

/// The folder of keys.
#[derive(Clone, Debug)]
pub struct KeyFolder {
    path: PathBuf,
}

impl KeyFolder {
    /// The folder at `path`, made when missing.
    ///
    /// # Errors
    /// [`Error::Exposed`] when others than the owner may use it, [`Error::File`] when it cannot be made or looked at.
    pub fn open(path: &Path) -> Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(path).map_err(Error::file("create", path))?;
        refuse_exposed(path)?;
        Ok(Self {
            path: path.to_path_buf(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its keys, by algorithm, the newest of each last. Other files are none of ours.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be listed.
    pub fn list(&self) -> Result<Vec<KeyFile>> {
        let failed = |source| Error::file("list", &self.path)(source);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some((algorithm, generation)) = entry.file_name().to_str().and_then(KeyFile::parse)
            else {
                continue;
            };
            match entry.metadata().and_then(|file| file.modified()) {
                Ok(made) => found.push(KeyFile {
                    algorithm,
                    generation,
                    made,
                }),
                // Removed between two looks.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The key in `file`.
    ///
    /// # Errors
    /// [`Error::Exposed`], [`Error::File`] (see [`Error::is_missing_file`]) or [`Error::Key`].
    pub fn load(&self, file: KeyFile) -> Result<SigningKey> {
        let path = self.path_of(file);
        refuse_exposed(&path)?;
        let jwk = std::fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        SigningKey::from_private_jwk(file.algorithm, &jwk).map_err(|error| match error {
            Error::Key { what, reason } => Error::Key {
                what: format!("{what} in {}", path.display()),
                reason,
            },
            other => other,
        })
    }

    /// The newest key for `algorithm`; the first one is made when there is none.
    ///
    /// # Errors
    /// As [`KeyFolder::load`] and [`KeyFolder::add`].
    pub fn newest(&self, algorithm: Algorithm) -> Result<SigningKey> {
        if let Some(file) = self.newest_file(algorithm)? {
            return self.load(file);
        }
        let lock = self.lock()?;
        // Of several that start at once, the first one's key holds.
        match self.newest_file(algorithm)? {
            Some(file) => self.load(file),
            None => self.add_locked(algorithm, &lock),
        }
    }

    /// Makes the next key for `algorithm`, from now on its newest.
    ///
    /// # Errors
    /// [`Error::Full`] when there are [`MAX_KEYS`] already, [`Error::File`] and [`Error::Key`] when it cannot be made.
    pub fn add(&self, algorithm: Algorithm) -> Result<SigningKey> {
        let lock = self.lock()?;
        self.add_locked(algorithm, &lock)
    }

    /// Removes the keys for which `is_unwanted`, which sees the whole list as well. Whoever adds waits meanwhile.
    ///
    /// # Errors
    /// [`Error::File`] when one cannot be removed.
    pub fn remove(&self, is_unwanted: impl Fn(&KeyFile, &[KeyFile]) -> bool) -> Result<()> {
        let _lock = self.lock()?;
        let all = self.list()?;
        for file in all.iter().filter(|file| is_unwanted(file, &all)) {
            let path = self.path_of(*file);
            std::fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        }
        Ok(())
    }

    fn newest_file(&self, algorithm: Algorithm) -> Result<Option<KeyFile>> {
        let all = self.list()?;
        Ok(all.into_iter().rfind(|file| file.algorithm == algorithm))
    }

    fn add_locked(&self, algorithm: Algorithm, _lock: &File) -> Result<SigningKey> {
        let all = self.list()?;
        if all.len() >= MAX_KEYS {
            return Err(Error::Full {
                path: self.path.clone(),
                limit: MAX_KEYS,
            });
        }
        let newest = all.iter().rfind(|file| file.algorithm == algorithm);
        let generation = newest.map_or(0, |file| file.generation).saturating_add(1);
        let key = SigningKey::generate(algorithm)?;
        let path = self.path.join(KeyFile::name(algorithm, generation));
        // A draft that a killed process left is overwritten: the lock is ours.
        let draft = self.path.join("draft");
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft);
        let mut file = made.map_err(Error::file("create", &draft))?;
        file.write_all(key.private_jwk().as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(Error::file("write", &draft))?;
        std::fs::rename(&draft, &path).map_err(Error::file("create", &path))?;
        Ok(key)
    }

    /// Held until it is dropped. The folder itself is what is locked, so no further file is needed.
    fn lock(&self) -> Result<File> {
        let folder = File::open(&self.path).map_err(Error::file("open", &self.path))?;
        folder.lock().map_err(Error::file("lock", &self.path))?;
        Ok(folder)
    }

    fn path_of(&self, file: KeyFile) -> PathBuf {
        self.path
            .join(KeyFile::name(file.algorithm, file.generation))
    }
}

fn refuse_exposed(path: &Path) -> Result<()> {
    let metadata = std::fs::metadata(path).map_err(Error::file("look at", path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS == 0 {
        Ok(())
    } else {
        Err(Error::Exposed {
            path: path.to_path_buf(),
            mode,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_that_are_written_are_read() {
        for (name, expected) in [
            ("es256.1.private.jwk", Some((Algorithm::Es256, 1))),
            ("rs256.12.private.jwk", Some((Algorithm::Rs256, 12))),
            ("eddsa.2.private.jwk", Some((Algorithm::EdDsa, 2))),
            ("es256.private.jwk", None),
            ("es256.0.private.jwk", None),
            ("es256.01.private.jwk", None),
            ("es256.+1.private.jwk", None),
            ("es256.-1.private.jwk", None),
            ("es256.4294967296.private.jwk", None),
            ("ES256.1.private.jwk", None),
            ("none.1.private.jwk", None),
            ("es256.1.private.jwk.1", None),
            ("draft", None),
        ] {
            assert_eq!(KeyFile::parse(name), expected, "{name}");
        }
    }
}
