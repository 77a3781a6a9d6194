//! A host for tests: a clock that is set, randomness from a seed, shared data by Envoy's rules, signatures checked by other code
//! than the module's own, everything counted.
//!
//! Several hosts can share one clock and one map of shared data, as the workers of one gateway do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ledger::Timestamp;
use p256::pkcs8::DecodePublicKey as _;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::sha2::{Sha256, Sha384, Sha512};

use crate::access::test_support::NOW_MS;
use crate::host::{
    Counter, Gauge, Hash, Host, Mismatch, NativeVerdict, NoRandomness, Severity, Shared,
    SharedVersion, SignatureCheck, When,
};

/// Shared data as Envoy keeps it: one map, a version for each key, no deletion.
#[derive(Default)]
pub(crate) struct SharedData {
    entries: BTreeMap<String, (Vec<u8>, u32)>,
    last_version: u32,
    /// The next so many conditional writes lose against another writer that leaves this value first.
    pub(crate) interference: Vec<Vec<u8>>,
}

impl SharedData {
    pub(crate) fn get(&self, key: &str) -> Shared {
        match self.entries.get(key) {
            None => Shared::Absent,
            Some((value, version)) if value.is_empty() => Shared::Erased(SharedVersion(*version)),
            Some((value, version)) => Shared::Held(value.clone(), SharedVersion(*version)),
        }
    }

    /// Envoy's `set`: 0 writes blindly, any other number has to match on a key that exists and is not looked at on one
    /// that does not.
    fn set(&mut self, key: &str, value: &[u8], cas: u32) -> Result<(), Mismatch> {
        if let Some((_, version)) = self.entries.get(key)
            && cas != 0
            && cas != *version
        {
            return Err(Mismatch);
        }
        self.last_version += 1;
        let entry = (value.to_vec(), self.last_version);
        self.entries.insert(key.to_owned(), entry);
        Ok(())
    }

    pub(crate) fn put(&mut self, key: &str, value: &[u8]) {
        self.set(key, value, 0).expect("a blind write");
    }

    /// Writes as a worker does.
    pub(crate) fn write(&mut self, key: &str, value: &[u8], when: When) -> Result<(), Mismatch> {
        match when {
            When::Absent => self.set(key, value, u32::MAX),
            When::Version(SharedVersion(version)) => self.set(key, value, version),
        }
    }

    /// The bytes of all values.
    pub(crate) fn value_bytes(&self) -> usize {
        self.entries.values().map(|(value, _)| value.len()).sum()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }
}

/// The host of one worker.
pub(crate) struct TestHost {
    clock: Rc<Cell<i64>>,
    /// How far this worker's clock is off.
    pub(crate) skew_ms: Cell<i64>,
    pub(crate) shared: Rc<RefCell<SharedData>>,
    pub(crate) no_randomness: Cell<bool>,
    /// Whether it checks signatures.
    pub(crate) native: Cell<bool>,
    /// Whether lines of level info go nowhere.
    pub(crate) quiet: Cell<bool>,
    random: Cell<u64>,
    counters: RefCell<BTreeMap<&'static str, u64>>,
    pub(crate) gauges: RefCell<BTreeMap<String, u64>>,
    pub(crate) lines: RefCell<Vec<(Severity, String)>>,
}

impl TestHost {
    pub(crate) fn new(clock: Rc<Cell<i64>>, shared: Rc<RefCell<SharedData>>, seed: u64) -> Self {
        Self {
            clock,
            skew_ms: Cell::new(0),
            shared,
            no_randomness: Cell::new(false),
            native: Cell::new(true),
            quiet: Cell::new(false),
            random: Cell::new(seed),
            counters: RefCell::default(),
            gauges: RefCell::default(),
            lines: RefCell::default(),
        }
    }

    /// A host of its own, at the time at which the test tokens are valid.
    pub(crate) fn alone() -> Self {
        Self::new(Rc::new(Cell::new(NOW_MS)), Rc::default(), 1)
    }

    pub(crate) fn counted(&self, counter: Counter) -> u64 {
        self.counters
            .borrow()
            .get(counter.name())
            .copied()
            .unwrap_or(0)
    }
}

impl Host for TestHost {
    fn now(&self) -> Timestamp {
        let now = self.clock.get() + self.skew_ms.get();
        Timestamp::from_millis(now).expect("a time within the calendar")
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        if self.no_randomness.get() {
            return Err(NoRandomness);
        }
        let mut seed = self.random.get();
        for byte in bytes {
            *byte = (next_random(&mut seed) >> 56) as u8;
        }
        self.random.set(seed);
        Ok(())
    }

    fn shared_get(&self, key: &str) -> Shared {
        self.shared.borrow().get(key)
    }

    fn shared_set(&self, key: &str, value: &[u8], when: When) -> Result<(), Mismatch> {
        let mut shared = self.shared.borrow_mut();
        if let Some(other) = shared.interference.pop() {
            shared.put(key, &other);
        }
        shared.write(key, value, when)
    }

    fn shared_touch(&self, key: &str) {
        self.shared.borrow_mut().put(key, &[]);
    }

    fn check_signature(&self, check: &SignatureCheck<'_>) -> NativeVerdict {
        if !self.native.get() {
            return NativeVerdict::Unavailable;
        }
        match is_genuine(check) {
            None => NativeVerdict::Unavailable,
            Some(true) => NativeVerdict::Genuine,
            Some(false) => NativeVerdict::Wrong,
        }
    }

    fn count(&self, counter: Counter) {
        *self
            .counters
            .borrow_mut()
            .entry(counter.name())
            .or_default() += 1;
    }

    fn gauge(&self, gauge: Gauge, value: u64) {
        self.gauges.borrow_mut().insert(gauge.name(), value);
    }

    fn writes(&self, severity: Severity) -> bool {
        severity != Severity::Info || !self.quiet.get()
    }

    fn log(&self, severity: Severity, line: &str) {
        self.lines.borrow_mut().push((severity, line.to_owned()));
    }
}

/// What a host would say: the key is read from its DER form, the signature too. `None` when the key is none.
fn is_genuine(check: &SignatureCheck<'_>) -> Option<bool> {
    let SignatureCheck {
        hash,
        public_key_der: key,
        signature,
        text,
    } = *check;
    if let Ok(key) = rsa::RsaPublicKey::from_public_key_der(key) {
        use rsa::pkcs1v15::{Signature, VerifyingKey};
        use rsa::signature::Verifier as _;
        let signature = Signature::try_from(signature).ok()?;
        let verified = match hash {
            Hash::Sha256 => VerifyingKey::<Sha256>::new(key).verify(text, &signature),
            Hash::Sha384 => VerifyingKey::<Sha384>::new(key).verify(text, &signature),
            Hash::Sha512 => VerifyingKey::<Sha512>::new(key).verify(text, &signature),
        };
        return Some(verified.is_ok());
    }
    use p256::ecdsa::signature::Verifier as _;
    if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(key) {
        assert_eq!(hash, Hash::Sha256, "ES256");
        let signature = p256::ecdsa::Signature::from_der(signature).expect("minimal DER");
        return Some(key.verify(text, &signature).is_ok());
    }
    let key = p384::ecdsa::VerifyingKey::from_public_key_der(key).ok()?;
    assert_eq!(hash, Hash::Sha384, "ES384");
    let signature = p384::ecdsa::Signature::from_der(signature).expect("minimal DER");
    Some(key.verify(text, &signature).is_ok())
}

/// SplitMix64: a good spread from any seed, the same on every machine.
pub(crate) fn next_random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
