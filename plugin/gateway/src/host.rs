//! The synchronous facilities of the machine around the core, as one port.
//!
//! Whatever answers at once (clock, randomness, shared data, counters, log) is a method here; whatever answers later
//! (a call to the engine) is an effect that [`crate::worker::Worker`] hands out. The core never reaches past this trait.

pub mod verify_signature;

use ledger::Timestamp;

use crate::access::Algorithm;

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
    /// Reads that the gateway's own copy answered.
    CopyHits,
    /// Reads that an older copy answered because the engine did not.
    StaleReads,
    /// Commits that started from a document in shared data and saved a read.
    BaseHits,
    /// Answers of the engine, or to fetches, that nothing waited for any more.
    LateAnswers,
    /// Requests that access control let through.
    Allowed,
    /// Requests without a good token.
    Unauthenticated,
    /// Requests that their token, or no token, entitles to.
    Forbidden,
    /// Requests that could not be decided on.
    Undecided,
    /// Requests that a rule in report mode would have refused.
    WouldRefuse,
    /// Requests that named another tenant than their token.
    TenantMismatch,
    /// Requests that came with a header that only the gateway may set.
    ForgedIdentity,
    /// Requests with a revoked token.
    RevokedTokens,
    /// Tokens that were remembered as verified.
    TokenCacheHits,
    /// Tokens that were remembered as bad.
    RefusedTokenCacheHits,
    /// Tokens that were not looked at because the budget for bad ones was spent.
    TokensOverBudget,
    /// Signatures that the host checked.
    SignaturesNative,
    /// Signatures that were checked in the module.
    SignaturesComputed,
    /// Fetches of a key set.
    KeyFetches,
    /// Those of them that an unknown key id led to.
    KeyRefetches,
    /// Those that brought nothing usable.
    KeyFetchFailures,
    /// Readings of the deny-list that brought nothing usable, and entries in it that make no sense.
    DenyListFailures,
    /// Times that a VM took over an engine's feed.
    FeedTakeovers,
    /// Watches that were opened for a feed.
    FeedOpenings,
    /// Changes of accounts that a feed told of, whether there is a copy or not.
    FeedEvents,
    /// Times that all copies had to be confirmed anew, the first time of a gateway included.
    FeedDoubts,
    /// Tombstones of deleted accounts that were removed.
    SweptTombstones,
    /// Segments of ended lives that were removed.
    SweptSegments,
}

impl Counter {
    /// Every counter, for a shell that defines them once per VM.
    pub const ALL: [Self; 35] = [
        Self::Success,
        Self::ClientError,
        Self::ServerError,
        Self::PassedOn,
        Self::EngineCalls,
        Self::EngineFailures,
        Self::CommitConflicts,
        Self::CommitResends,
        Self::CopyHits,
        Self::StaleReads,
        Self::BaseHits,
        Self::LateAnswers,
        Self::Allowed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Undecided,
        Self::WouldRefuse,
        Self::TenantMismatch,
        Self::ForgedIdentity,
        Self::RevokedTokens,
        Self::TokenCacheHits,
        Self::RefusedTokenCacheHits,
        Self::TokensOverBudget,
        Self::SignaturesNative,
        Self::SignaturesComputed,
        Self::KeyFetches,
        Self::KeyRefetches,
        Self::KeyFetchFailures,
        Self::DenyListFailures,
        Self::FeedTakeovers,
        Self::FeedOpenings,
        Self::FeedEvents,
        Self::FeedDoubts,
        Self::SweptTombstones,
        Self::SweptSegments,
    ];

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }

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
            Self::CopyHits => "reward_points.reads.copy_hits",
            Self::StaleReads => "reward_points.reads.stale",
            Self::BaseHits => "reward_points.commit.base_hits",
            Self::LateAnswers => "reward_points.engine.late_answers",
            Self::Allowed => "reward_points.access.allowed",
            Self::Unauthenticated => "reward_points.access.unauthenticated",
            Self::Forbidden => "reward_points.access.forbidden",
            Self::Undecided => "reward_points.access.undecided",
            Self::WouldRefuse => "reward_points.access.would_refuse",
            Self::TenantMismatch => "reward_points.access.tenant_mismatch",
            Self::ForgedIdentity => "reward_points.access.forged_identity",
            Self::RevokedTokens => "reward_points.access.revoked",
            Self::TokenCacheHits => "reward_points.tokens.cache_hits",
            Self::RefusedTokenCacheHits => "reward_points.tokens.refused_cache_hits",
            Self::TokensOverBudget => "reward_points.tokens.over_budget",
            Self::SignaturesNative => "reward_points.signatures.native",
            Self::SignaturesComputed => "reward_points.signatures.computed",
            Self::KeyFetches => "reward_points.keys.fetches",
            Self::KeyRefetches => "reward_points.keys.refetches",
            Self::KeyFetchFailures => "reward_points.keys.fetch_failures",
            Self::DenyListFailures => "reward_points.deny_list.failures",
            Self::FeedTakeovers => "reward_points.feed.takeovers",
            Self::FeedOpenings => "reward_points.feed.openings",
            Self::FeedEvents => "reward_points.feed.events",
            Self::FeedDoubts => "reward_points.feed.doubts",
            Self::SweptTombstones => "reward_points.sweep.tombstones",
            Self::SweptSegments => "reward_points.sweep.segments",
        }
    }
}

/// What the gateway shows as a level. All workers of a gateway show one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gauge {
    /// How old the keys are that were fetched for an issuer, by its place in the configuration, in seconds.
    KeyAgeSeconds(u8),
    /// How the last fetch of an issuer's keys ended: 0 not yet, 1 well, 2 no answer, 3 a refusal, 4 too large, 5 no key
    /// set, 6 no usable key.
    KeyFetchResult(u8),
    /// How many keys an issuer has at the moment.
    Keys(u8),
    /// Whether the host checks signatures of this algorithm (1), or the module does (0).
    NativeSignatures(Algorithm),
    /// Entries of the engine's deny-list.
    DenyListEntries,
    /// How long ago the engine's deny-list was read, in seconds.
    DenyListAgeSeconds,
    /// The epoch of the feed of an engine's cluster, by its place in the configuration: another number after each doubt.
    FeedEpoch(u8),
    /// For how long that feed has proved nothing, in milliseconds.
    FeedAgeMs(u8),
}

impl Gauge {
    /// The metric's name, as it stands in `/stats`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::KeyAgeSeconds(issuer) => {
                format!("reward_points.issuer.{issuer}.key_age_seconds")
            }
            Self::KeyFetchResult(issuer) => {
                format!("reward_points.issuer.{issuer}.key_fetch_result")
            }
            Self::Keys(issuer) => format!("reward_points.issuer.{issuer}.keys"),
            Self::NativeSignatures(algorithm) => {
                let algorithm = algorithm.name().to_ascii_lowercase();
                format!("reward_points.signatures.native.{algorithm}")
            }
            Self::DenyListEntries => "reward_points.deny_list.entries".to_owned(),
            Self::DenyListAgeSeconds => "reward_points.deny_list.age_seconds".to_owned(),
            Self::FeedEpoch(cluster) => format!("reward_points.feed.{cluster}.epoch"),
            Self::FeedAgeMs(cluster) => format!("reward_points.feed.{cluster}.age_ms"),
        }
    }
}

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// What happens all the time and is wanted on record.
    Info,
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

    /// Gives an entry that never has content another version, so that whoever remembers the last one sees that something
    /// has changed. The only write that asks for nothing: there is nothing to overwrite.
    fn shared_touch(&self, key: &str);

    /// Checks a signature outside the module, many times faster than it could be done inside. Whether a host does it, and
    /// does it right, is found out once by [`crate::access::NativeCrypto::detect`].
    fn check_signature(&self, check: &SignatureCheck<'_>) -> NativeVerdict;

    /// Adds one to a counter.
    fn count(&self, counter: Counter);

    /// Shows a level.
    fn gauge(&self, gauge: Gauge, value: u64);

    /// Whether a line of this severity would be written at all. One that is costly to make need not be made otherwise.
    fn writes(&self, severity: Severity) -> bool;

    /// Writes a line for the operator. Never a token, a key or a body.
    fn log(&self, severity: Severity, line: &str);
}

#[cfg(test)]
mod tests {
    use super::Counter;

    #[test]
    fn every_counter_is_in_its_place() {
        for (place, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(counter.place(), place, "{counter:?}");
        }
    }
}
