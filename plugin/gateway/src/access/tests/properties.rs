//! Whatever bytes arrive: no panic, and no identity that was not signed for.

use proptest::prelude::*;
use std::sync::OnceLock;

use crate::access::test_support::*;
use crate::access::{Access, Algorithm};
use crate::strict_json::parse_object;

fn shared() -> &'static Access {
    static ACCESS: OnceLock<Access> = OnceLock::new();
    ACCESS.get_or_init(access)
}

fn good_tokens() -> &'static [Vec<u8>] {
    static TOKENS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let signed = |algorithm| format!("Bearer {}", token(algorithm, &claims())).into_bytes();
    TOKENS.get_or_init(|| Algorithm::ALL.map(signed).to_vec())
}

fn bearer(token: &str) -> Vec<u8> {
    format!("Bearer {token}").into_bytes()
}

/// One change to a list of bytes.
#[derive(Debug, Clone)]
enum Edit {
    Replace(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Replace(at, byte) => bytes[at.index(length)] = *byte,
            Self::Remove(at) => {
                bytes.remove(at.index(length));
            }
            Self::Insert(at, byte) => bytes.insert(at.index(length), *byte),
            Self::Truncate(at) => bytes.truncate(at.index(length)),
            Self::Swap(one, other) => bytes.swap(one.index(length), other.index(length)),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(&b"AZaz09-_.= \"{}:,"[..])];
    prop_oneof![
        (at(), byte()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        at().prop_map(Edit::Remove),
        (at(), byte()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        at().prop_map(Edit::Truncate),
        (at(), at()).prop_map(|(one, other)| Edit::Swap(one, other)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_authenticate(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        as_bearer in any::<bool>(),
    ) {
        let value = if as_bearer { [b"Bearer ", &bytes[..]].concat() } else { bytes };
        prop_assert!(authenticate_at(shared(), Some(&value), NOW_MS).is_err());
    }

    #[test]
    fn a_changed_token_never_authenticates(
        which in 0..Algorithm::ALL.len(),
        edits in prop::collection::vec(edit(), 1..4),
    ) {
        let original = &good_tokens()[which];
        prop_assert!(authenticate_at(shared(), Some(original), NOW_MS).is_ok());
        let mut changed = original.clone();
        for edit in &edits {
            edit.apply(&mut changed);
        }
        let text = |value: &[u8]| {
            let (scheme, token) = value.split_at_checked(7)?;
            let is_bearer = scheme.eq_ignore_ascii_case(b"bearer ");
            is_bearer.then(|| token.trim_ascii_start().to_vec())
        };
        // Letter case of the scheme and more spaces are the same credentials; anything else must be refused.
        if text(&changed) != text(original) {
            prop_assert!(authenticate_at(shared(), Some(&changed), NOW_MS).is_err());
        }
    }

    #[test]
    fn signed_nonsense_never_panics(header in ".{0,80}", claims in ".{0,200}", at in any::<i64>()) {
        for header in [&header, r#"{"alg":"EdDSA"}"#] {
            let value = bearer(&sign(Algorithm::EdDsa, header, &claims));
            prop_assert!(authenticate_at(shared(), Some(&value), at).is_err());
        }
    }

    #[test]
    fn odd_claims_of_a_genuine_token_give_a_well_formed_identity_or_none(
        edits in prop::collection::vec(edit(), 0..4),
        at in NOW_MS - 100_000..NOW_MS + 100_000,
    ) {
        let mut text = claims().to_string().into_bytes();
        for edit in &edits {
            edit.apply(&mut text);
        }
        if let Ok(text) = String::from_utf8(text) {
            let value = bearer(&sign(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, &text));
            if let Ok(identity) = authenticate_at(shared(), Some(&value), at) {
                let tenant = identity.tenant.as_str();
                prop_assert!((3..=16).contains(&tenant.len()));
                prop_assert!(tenant.starts_with(|first: char| first.is_ascii_lowercase()));
                prop_assert!(tenant.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
            }
        }
    }

    #[test]
    fn json_that_is_read_is_json_elsewhere_too(edits in prop::collection::vec(edit(), 0..4)) {
        let mut text = claims().to_string().into_bytes();
        for edit in &edits {
            edit.apply(&mut text);
        }
        let ours = parse_object(&text, 16).is_ok();
        let theirs = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text);
        prop_assert!(!ours || theirs.is_ok());
    }
}
