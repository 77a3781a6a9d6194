//! The machine around the core: a clock that is set, shared data by Envoy's rules, no cryptography of its own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use gateway::host::{
    Counter, Gauge, Host, Mismatch, NativeVerdict, NoRandomness, Severity, Shared, SharedVersion,
    SignatureCheck, When,
};
use ledger::Timestamp;

/// The time at which the tokens of the seeds are valid, in seconds since the epoch.
pub const NOW_SECONDS: i64 = 1_750_000_000;
/// The same in milliseconds.
pub const NOW_MS: i64 = NOW_SECONDS * 1000;

/// A host for one input.
#[derive(Debug)]
pub struct FuzzHost {
    now_ms: Cell<i64>,
    random: Cell<u8>,
    entries: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    /// What stands under every key that nobody has written yet.
    planted: Option<Vec<u8>>,
}

impl FuzzHost {
    /// A host whose shared data is empty.
    #[must_use]
    pub fn new() -> Self {
        Self {
            now_ms: Cell::new(NOW_MS),
            random: Cell::new(0),
            entries: RefCell::default(),
            planted: None,
        }
    }

    /// A host in whose shared data these bytes stand under every key.
    #[must_use]
    pub fn planted(bytes: &[u8]) -> Self {
        Self {
            planted: Some(bytes.to_vec()),
            ..Self::new()
        }
    }

    /// Lets time pass.
    pub fn pass(&self, ms: i64) {
        self.now_ms.set(self.now_ms.get().saturating_add(ms));
    }

    /// The longest value that was written.
    #[must_use]
    pub fn longest_written(&self) -> usize {
        let entries = self.entries.borrow();
        entries.values().map(|(it, _)| it.len()).max().unwrap_or(0)
    }
}

impl Default for FuzzHost {
    fn default() -> Self {
        Self::new()
    }
}

/// The version of what was planted.
const PLANTED: u32 = 1;

impl Host for FuzzHost {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms.get()).expect("a time within the calendar")
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in bytes {
            *byte = self.random.get();
            self.random.set(byte.wrapping_mul(5).wrapping_add(113));
        }
        Ok(())
    }

    fn shared_get(&self, key: &str) -> Shared {
        match (self.entries.borrow().get(key), &self.planted) {
            (Some((value, version)), _) if value.is_empty() => {
                Shared::Erased(SharedVersion(*version))
            }
            (Some((value, version)), _) => Shared::Held(value.clone(), SharedVersion(*version)),
            (None, Some(planted)) if planted.is_empty() => Shared::Erased(SharedVersion(PLANTED)),
            (None, Some(planted)) => Shared::Held(planted.clone(), SharedVersion(PLANTED)),
            (None, None) => Shared::Absent,
        }
    }

    fn shared_set(&self, key: &str, value: &[u8], when: When) -> Result<(), Mismatch> {
        let mut entries = self.entries.borrow_mut();
        let held = match (entries.get(key), &self.planted) {
            (Some((_, version)), _) => Some(*version),
            (None, Some(_)) => Some(PLANTED),
            (None, None) => None,
        };
        let fits = match when {
            When::Absent => held.is_none(),
            When::Version(SharedVersion(version)) => held == Some(version),
        };
        if !fits {
            return Err(Mismatch);
        }
        let version = held.unwrap_or(PLANTED).wrapping_add(1);
        entries.insert(key.to_owned(), (value.to_vec(), version));
        Ok(())
    }

    fn shared_touch(&self, key: &str) {
        let mut entries = self.entries.borrow_mut();
        let version = entries.get(key).map_or(PLANTED, |(_, version)| *version);
        entries.insert(key.to_owned(), (Vec::new(), version.wrapping_add(1)));
    }

    fn check_signature(&self, _: &SignatureCheck<'_>) -> NativeVerdict {
        NativeVerdict::Unavailable
    }

    fn count(&self, _: Counter) {}

    fn gauge(&self, _: Gauge, _: u64) {}

    fn writes(&self, _: Severity) -> bool {
        true
    }

    fn log(&self, _: Severity, line: &str) {
        // DEL and its like stand in JSON as they are, and harm no line.
        assert!(
            !line.bytes().any(|it| it < b' '),
            "a line for the operator holds a control character: {line:?}"
        );
    }
}
