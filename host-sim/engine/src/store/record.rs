//! Bytes of one row: a version of a key, and a line of history.
//!
//! Fixed-width little-endian numbers in front, the variable part last, so that the numbers are read without
//! copying the value. A row that does not fit the format is corruption and is reported as such.

use bytes::Bytes;
use etcd_wire::KeyValue;
use redb::StorageError;

/// Bytes of the three counters in front of a value.
const COUNTERS: usize = 24;

/// One version of one key, its value borrowed from the page it lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version<'a> {
    /// Main revision of the put that created the key.
    pub create_revision: i64,
    /// Main revision of the put that made this version.
    pub mod_revision: i64,
    /// Puts since the key was created, this one included.
    pub version: i64,
    /// The value as it was put.
    pub value: &'a [u8],
}

impl<'a> Version<'a> {
    /// The row's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(COUNTERS + self.value.len());
        for counter in [self.create_revision, self.mod_revision, self.version] {
            row.extend_from_slice(&counter.to_le_bytes());
        }
        row.extend_from_slice(self.value);
        row
    }

    /// Reads a row of `current`.
    pub fn decode(row: &'a [u8]) -> Result<Self, StorageError> {
        let (counters, value) = row
            .split_at_checked(COUNTERS)
            .ok_or_else(|| corrupted("a version is shorter than its counters"))?;
        let counter = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&counters[at..at + 8]);
            i64::from_le_bytes(bytes)
        };
        Ok(Version {
            create_revision: counter(0),
            mod_revision: counter(8),
            version: counter(16),
            value,
        })
    }

    /// Reads a row of `superseded`, where no bytes stand for "there was no such key".
    pub fn decode_former(row: &'a [u8]) -> Result<Option<Self>, StorageError> {
        if row.is_empty() {
            return Ok(None);
        }
        Version::decode(row).map(Some)
    }

    /// The message that a client gets; `keys_only` leaves the value out.
    pub fn message(&self, key: &[u8], keys_only: bool) -> KeyValue {
        KeyValue {
            key: Bytes::copy_from_slice(key),
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
            value: if keys_only {
                Bytes::new()
            } else {
                Bytes::copy_from_slice(self.value)
            },
            lease: 0,
        }
    }
}

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It got a value.
    Put,
    /// It was removed.
    Delete,
}

impl Change {
    /// The history row: what happened, then to which key.
    pub fn encode(self, key: &[u8]) -> Vec<u8> {
        let mut row = Vec::with_capacity(1 + key.len());
        row.push(match self {
            Change::Put => 0,
            Change::Delete => 1,
        });
        row.extend_from_slice(key);
        row
    }

    /// Reads a history row.
    pub fn decode(row: &[u8]) -> Result<(Self, &[u8]), StorageError> {
        match row.split_first() {
            Some((0, key)) => Ok((Change::Put, key)),
            Some((1, key)) => Ok((Change::Delete, key)),
            _ => Err(corrupted("a history row names no known change")),
        }
    }
}

fn corrupted(what: &str) -> StorageError {
    StorageError::Corrupted(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_survives_its_row() {
        let version = Version {
            create_revision: 2,
            mod_revision: i64::MAX,
            version: 7,
            value: b"v",
        };
        assert_eq!(Version::decode(&version.encode()).unwrap(), version);
        assert_eq!(
            Version::decode_former(&version.encode()).unwrap(),
            Some(version)
        );
        assert_eq!(Version::decode_former(b"").unwrap(), None);
    }

    #[test]
    fn a_torn_row_is_corruption() {
        assert!(Version::decode(&[0; COUNTERS - 1]).is_err());
        assert!(Change::decode(b"").is_err());
        assert!(Change::decode(b"\x02key").is_err());
    }

    #[test]
    fn a_change_survives_its_row() {
        for change in [Change::Put, Change::Delete] {
            assert_eq!(
                Change::decode(&change.encode(b"key")).unwrap(),
                (change, &b"key"[..])
            );
        }
    }
}
