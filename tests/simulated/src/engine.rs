//! The engine as far as a deny-list needs one: keys without values, read in ranges.
//!
//! It answers with what is there now whatever revision is asked for, so a list must not be changed while it is read.

use std::collections::BTreeSet;

use etcd_wire::{KeyValue, RangeRequest, RangeResponse, ResponseHeader};
use prost::Message as _;

use crate::configuration::ISSUER;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers after this many milliseconds.
    Answers {
        /// That many.
        after_ms: u64,
    },
    /// Nobody listens.
    NoConnection,
    /// It never answers.
    Silent,
    /// What it answers is no message.
    Garbled,
}

/// See the module's text.
#[derive(Debug)]
pub struct Engine {
    /// How it is from now on.
    pub health: Health,
    /// How many ranges it was asked for.
    pub ranges: usize,
    keys: BTreeSet<Vec<u8>>,
    revision: i64,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            health: Health::Answers { after_ms: 2 },
            ranges: 0,
            keys: BTreeSet::new(),
            revision: 1,
        }
    }
}

impl Engine {
    /// Puts an entry of the deny-list: `jti`, `sub` or `issued-before`, and whom it means (`docs/revocation.md`).
    pub fn revoke(&mut self, kind: &str, value: &str) {
        self.put(entry(kind, value));
    }

    /// Deletes such an entry.
    pub fn take_back(&mut self, kind: &str, value: &str) {
        self.delete(&entry(kind, value));
    }

    /// Puts a key.
    pub fn put(&mut self, key: impl Into<Vec<u8>>) {
        self.keys.insert(key.into());
        self.revision += 1;
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: &str) {
        assert!(self.keys.remove(key.as_bytes()), "there is such a key");
        self.revision += 1;
    }

    /// Deletes all keys.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.revision += 1;
    }

    /// After how long the filter hears what: a message, or a gRPC status.
    pub(crate) fn range(&mut self, message: &[u8], timeout_ms: u64) -> (u64, Result<Vec<u8>, u32>) {
        const UNAVAILABLE: u32 = 14;
        self.ranges += 1;
        match self.health {
            Health::Answers { after_ms } if after_ms < timeout_ms => {
                (after_ms, Ok(self.answer(message)))
            }
            Health::Answers { .. } | Health::Silent => (timeout_ms, Err(UNAVAILABLE)),
            Health::NoConnection => (1, Err(UNAVAILABLE)),
            Health::Garbled => (1, Ok(vec![0xff; 40])),
        }
    }

    fn answer(&self, message: &[u8]) -> Vec<u8> {
        let asked = RangeRequest::decode(message).expect("the filter writes messages");
        let in_range = self
            .keys
            .range(asked.key.to_vec()..asked.range_end.to_vec());
        let limit = usize::try_from(asked.limit).expect("a limit");
        let count = in_range.clone().count();
        let kvs = in_range.take(limit).map(|key| KeyValue {
            key: key.clone().into(),
            mod_revision: 1,
            ..KeyValue::default()
        });
        let answer = RangeResponse {
            header: Some(ResponseHeader {
                revision: self.revision,
                ..ResponseHeader::default()
            }),
            kvs: kvs.collect(),
            more: count > limit,
            count: i64::try_from(count).expect("few"),
        };
        answer.encode_to_vec()
    }
}

fn entry(kind: &str, value: &str) -> String {
    let (issuer, value) = (percent_encoded(ISSUER), percent_encoded(value));
    format!("/points/1/revoked/{issuer}/{kind}/{value}")
}

fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encoded).collect()
}
