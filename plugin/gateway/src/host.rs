//! The synchronous facilities of the machine around the core, as one port.
//!
//! Whatever answers at once (clock, randomness, shared data, counters, log) is a method here; whatever answers later
//! (a call to the engine) is an effect that [`crate::worker::Worker`] hands out. The core never reaches past this trait.

pub mod verify_signature;

use ledger::Timestamp;

/// What the gateway counts. Names are fixed: a tenant or a customer never becomes part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Requests answered with 2xx.
    Success,
    /// Requests answered with 4xx.
    ClientError,
    /// Requests answered with 5xx.
    ServerError,
    /// Requests let through to their upstream.
    PassedOn,
    /// Calls made to the engine.
    EngineCalls,
    /// Calls to the engine whose outcome is unknown: no answer, or an answer other than success.
    EngineFailures,
    /// Commits that found another revision than the one they were computed from.
    CommitConflicts,
    /// Commits sent again after an unknown outcome.
    CommitResends,
    /// Writes that started from a document in shared data and saved a read.
    BaseHits,
    /// Answers of the engine that nothing waited for any more.
    LateAnswers,
}

impl Counter {
    /// Every counter, for a shell that defines them once per VM.
    pub const ALL: [Self; 10] = [
        Self::Success,
        Self::ClientError,
        Self::ServerError,
        Self::PassedOn,
        Self::EngineCalls,
        Self::EngineFailures,
        Self::CommitConflicts,
        Self::CommitResends,
        Self::BaseHits,
        Self::LateAnswers,
    ];

    /// The metric's name, as it stands in `/stats`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "reward_points.replies.success",
            Self::ClientError => "reward_points.replies.client_error",
            Self::ServerError => "reward_points.replies.server_error",
            Self::PassedOn => "reward_points.passed_on",
            Self::EngineCalls => "reward_points.engine.calls",
            Self::EngineFailures => "reward_points.engine.failures",
            Self::CommitConflicts => "reward_points.commit.conflicts",
            Self::CommitResends => "reward_points.commit.resends",
            Self::BaseHits => "reward_points.commit.base_hits",
            Self::LateAnswers => "reward_points.engine.late_answers",
        }
    }
}

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something an operator should look at when it repeats.
    Warning,
    /// Something that cost a client its answer.
    Error,
}

/// One entry of shared data as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shared {
    /// The key was never written.
    Absent,
    /// The key was emptied; shared data cannot forget a key.
    Erased(SharedVersion),
    /// A value and its version.
    Held(Vec<u8>, SharedVersion),
}

/// The version of one entry of shared data, for the next conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedVersion(pub u32);

/// On what a write to shared data depends. There is no blind write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Only when the key was never written.
    Absent,
    /// Only when the entry still has this version.
    Version(SharedVersion),
}

/// A conditional write to shared data met another state than it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch;

/// The source of randomness failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRandomness;

/// A hash function of the SHA-2 family (FIPS 180-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// A signature to be checked by native code: RSASSA-PKCS1-v1_5 or ECDSA, as the type of the key says.
#[derive(Clone, Copy)]
pub struct SignatureCheck<'a> {
    /// The hash that was signed.
    pub hash: Hash,
    /// The key as DER of a `SubjectPublicKeyInfo` (RFC 5280, section 4.1).
    pub public_key_der: &'a [u8],
    /// RSA: as many bytes as the modulus has. ECDSA: DER of `SEQUENCE { r, s }`, both already known to be in range.
    pub signature: &'a [u8],
    /// What was signed, not hashed yet.
    pub text: &'a [u8],
}

/// What native code says about a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NativeVerdict {
    /// It is the key's over the text.
    Genuine,
    /// It is not.
    Wrong,
    /// The machine does not check signatures, or not this kind, or did not answer: nothing is known.
    Unavailable,
}

/// What the machine around the core offers at once.
pub trait Host {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` from a cryptographic source.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails; what `bytes` holds then must not be used.
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;

    /// Reads an entry of the data that all workers share.
    fn shared_get(&self, key: &str) -> Shared;

    /// Writes an entry of the data that all workers share.
    ///
    /// # Errors
    /// [`Mismatch`] when the entry is not as `when` says; nothing is written then.
    fn shared_set(&self, key: &str, value: &[u8], when: When) -> Result<(), Mismatch>;

    /// Checks a signature outside the module, many times faster than it could be done inside. Whether a host does it, and
    /// does it right, is found out once by [`crate::access::NativeCrypto::detect`].
    fn check_signature(&self, check: &SignatureCheck<'_>) -> NativeVerdict;

    /// Adds one to a counter.
    fn count(&self, counter: Counter);

    /// Writes a line for the operator. Never a token, a key or a body.
    fn log(&self, severity: Severity, line: &str);
}
