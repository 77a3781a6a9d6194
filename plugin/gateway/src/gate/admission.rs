//! A token that was let in: verified, in time and not revoked at the moment of asking.
//!
//! What is remembered of a verified token is a [`Remembered`]; only the gate turns one into an [`Admission`].

use std::cell::OnceCell;
use std::rc::Rc;

use crate::access::{Identity, Unauthenticated, VerifiedToken};
use crate::config::IdentityHeaders;

/// Bytes of a subject's hash that are shown: enough to tell the subjects of a log apart.
const SHOWN_HASH_BYTES: usize = 8;

/// What is remembered of a verified token.
pub(super) struct Remembered {
    token: VerifiedToken,
    told_to_upstreams: Rc<[(String, String)]>,
    salt: Rc<str>,
    /// Computed when it is first asked for: hashing costs more than most of what a request needs.
    subject_hash: OnceCell<Option<Box<str>>>,
}

impl Remembered {
    pub(super) fn new(token: VerifiedToken, salt: &Rc<str>, names: &IdentityHeaders) -> Self {
        let told = token.identity().told_to_upstreams();
        let mut headers = vec![
            (names.tenant.clone(), told.tenant),
            (names.scopes.clone(), told.scopes),
        ];
        headers.extend(told.subject.map(|subject| (names.subject.clone(), subject)));
        Self {
            told_to_upstreams: headers.into(),
            salt: Rc::clone(salt),
            subject_hash: OnceCell::new(),
            token,
        }
    }

    fn subject_hash(&self) -> Option<&str> {
        let hash = |subject: &str| {
            let digest = hmac_sha256::HMAC::mac(subject.as_bytes(), self.salt.as_bytes());
            digest
                .iter()
                .take(SHOWN_HASH_BYTES)
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                .into_boxed_str()
        };
        self.subject_hash
            .get_or_init(|| self.token.subject().map(hash))
            .as_deref()
    }

    pub(super) const fn token(&self) -> &VerifiedToken {
        &self.token
    }
}

/// A token that was let in. It holds for the request at hand, not for later ones.
#[derive(Clone)]
pub struct Admission(Rc<Remembered>);

impl Admission {
    /// The admission of a token that holds at `now_ms`, in milliseconds since the epoch.
    pub(super) fn new(remembered: Rc<Remembered>, now_ms: i64) -> Result<Self, Unauthenticated> {
        remembered.token.identity_at(now_ms)?;
        Ok(Self(remembered))
    }

    pub(super) fn token(&self) -> &VerifiedToken {
        &self.0.token
    }

    /// Who it speaks for.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        self.0.token.identity()
    }

    /// The headers, names and values, that tell an upstream who it is.
    #[must_use]
    pub fn told_to_upstreams(&self) -> Rc<[(String, String)]> {
        Rc::clone(&self.0.told_to_upstreams)
    }

    /// The hash of its subject, for the log: HMAC-SHA256 under the configured salt, cut to eight bytes, in hex.
    #[must_use]
    pub fn subject_hash(&self) -> Option<&str> {
        self.0.subject_hash()
    }
}
