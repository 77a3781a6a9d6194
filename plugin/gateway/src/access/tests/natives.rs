//! Which hosts are trusted with a signature, and what follows when they change their minds.

use ledger::Timestamp;
use serde_json::json;
use std::cell::Cell;

use crate::access::test_support::*;
use crate::access::{Access, Algorithm, BearerToken, Effort, NativeCrypto, Unauthenticated};
use crate::host::{
    Counter, Gauge, Hash, Host, Mismatch, NativeVerdict, NoRandomness, Severity, Shared,
    SignatureCheck, When,
};
use crate::test_support::host::TestHost;

/// A host that says something else than the truth.
struct Odd<F> {
    host: TestHost,
    verdict: F,
    asked: Cell<u32>,
}

fn odd<F: Fn(&SignatureCheck<'_>, NativeVerdict) -> NativeVerdict>(verdict: F) -> Odd<F> {
    Odd {
        host: TestHost::alone(),
        verdict,
        asked: Cell::new(0),
    }
}

impl<F: Fn(&SignatureCheck<'_>, NativeVerdict) -> NativeVerdict> Host for Odd<F> {
    fn now(&self) -> Timestamp {
        self.host.now()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        self.host.random(bytes)
    }

    fn shared_get(&self, key: &str) -> Shared {
        self.host.shared_get(key)
    }

    fn shared_set(&self, key: &str, value: &[u8], when: When) -> Result<(), Mismatch> {
        self.host.shared_set(key, value, when)
    }

    fn shared_touch(&self, key: &str) {
        self.host.shared_touch(key);
    }

    fn check_signature(&self, check: &SignatureCheck<'_>) -> NativeVerdict {
        self.asked.set(self.asked.get() + 1);
        (self.verdict)(check, self.host.check_signature(check))
    }

    fn count(&self, counter: Counter) {
        self.host.count(counter);
    }

    fn gauge(&self, gauge: Gauge, value: u64) {
        self.host.gauge(gauge, value);
    }

    fn writes(&self, severity: Severity) -> bool {
        self.host.writes(severity)
    }

    fn log(&self, severity: Severity, line: &str) {
        self.host.log(severity, line);
    }
}

fn trusted(native: NativeCrypto) -> Vec<&'static str> {
    let contained = |algorithm: &Algorithm| native.contains(*algorithm);
    let contained = Algorithm::ALL.into_iter().filter(contained);
    contained.map(Algorithm::name).collect()
}

#[test]
fn a_host_is_trusted_with_what_it_judges_right() {
    use NativeVerdict::{Genuine, Unavailable, Wrong};
    let all = ["RS256", "RS384", "RS512", "ES256", "ES384"];
    assert_eq!(trusted(NativeCrypto::none()), [""; 0]);
    assert_eq!(trusted(NativeCrypto::detect(&TestHost::alone())), all);
    let off = TestHost::alone();
    off.native.set(false);
    assert_eq!(NativeCrypto::detect(&off), NativeCrypto::none());

    let always = |verdict| NativeCrypto::detect(&odd(move |_, _| verdict));
    for verdict in [Genuine, Wrong, Unavailable] {
        assert_eq!(always(verdict), NativeCrypto::none(), "{verdict:?}");
    }
    let contrary = odd(|_, right| if right == Genuine { Wrong } else { Genuine });
    assert_eq!(NativeCrypto::detect(&contrary), NativeCrypto::none());

    let only_sha256 = odd(|check, right| {
        if check.hash == Hash::Sha256 {
            right
        } else {
            Wrong
        }
    });
    assert_eq!(
        trusted(NativeCrypto::detect(&only_sha256)),
        ["RS256", "ES256"]
    );
    let is_rsa = |check: &SignatureCheck<'_>| check.signature.len() == 256;
    let only_rsa = odd(move |check, right| if is_rsa(check) { right } else { Unavailable });
    assert_eq!(
        trusted(NativeCrypto::detect(&only_rsa)),
        ["RS256", "RS384", "RS512"]
    );
    let careless = odd(|check, right| {
        if check.hash == Hash::Sha384 {
            Genuine
        } else {
            right
        }
    });
    assert_eq!(
        trusted(NativeCrypto::detect(&careless)),
        ["RS256", "RS512", "ES256"]
    );
}

#[test]
fn a_host_that_overlooks_a_changed_text_or_signature_is_not_trusted() {
    use NativeVerdict::Genuine;
    for overlooked in 0..2 {
        // Of each three questions the first is about the right signature, the others about a changed one and a changed text.
        let asked = Cell::new(0);
        let host = odd(|_, right| {
            let question = asked.get();
            asked.set(question + 1);
            if question % 3 == overlooked + 1 {
                Genuine
            } else {
                right
            }
        });
        let native = NativeCrypto::detect(&host);
        assert!(!native.contains(Algorithm::Rs256), "{overlooked}");
    }
}

fn effort(
    access: &Access,
    token: &str,
    native: NativeCrypto,
    host: &impl Host,
) -> (Option<Unauthenticated>, Effort) {
    let value = format!("Bearer {token}");
    let token = BearerToken::from_authorization(Some(value.as_bytes())).unwrap();
    match access.verify(token, native, host) {
        Ok(verified) => (None, verified.effort()),
        Err(rejected) => (Some(rejected.reason), rejected.effort),
    }
}

#[test]
fn what_a_look_costs() {
    let access = access();
    let host = TestHost::alone();
    for algorithm in Algorithm::ALL {
        let good = token(algorithm, &claims());
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let mut wrong = decode(signature);
        *wrong.last_mut().unwrap() ^= 1;
        let forged = format!("{signed}.{}", encode(&wrong));
        let unknown = sign(
            algorithm,
            &json!({"alg": algorithm.name(), "kid": "?"}).to_string(),
            &claims().to_string(),
        );
        let expected = if native().contains(algorithm) {
            Effort::Native
        } else {
            Effort::Computed
        };
        for (native, expected) in [
            (native(), expected),
            (NativeCrypto::none(), Effort::Computed),
        ] {
            let effort = |token| effort(&access, token, native, &host);
            assert_eq!(effort(&good), (None, expected), "{algorithm:?}");
            let refused = (Some(Unauthenticated::BadSignature), expected);
            assert_eq!(effort(&forged), refused, "{algorithm:?}");
            let no_signature = format!("{signed}.{}", encode(&wrong[1..]));
            let refused = (Some(Unauthenticated::BadSignature), Effort::Cheap);
            assert_eq!(effort(&no_signature), refused, "{algorithm:?}");
            let cheap = (Some(Unauthenticated::UnknownKey), Effort::Cheap);
            assert_eq!(effort(&unknown), cheap, "{algorithm:?}");
        }
    }
}

#[test]
fn a_host_that_stops_answering_is_replaced_by_computing() {
    let access = access();
    let native = native();
    let host = TestHost::alone();
    host.native.set(false);
    for algorithm in Algorithm::ALL {
        let good = token(algorithm, &claims());
        assert_eq!(
            effort(&access, &good, native, &host),
            (None, Effort::Computed)
        );
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let mut wrong = decode(signature);
        *wrong.last_mut().unwrap() ^= 1;
        let forged = format!("{signed}.{}", encode(&wrong));
        let refused = (Some(Unauthenticated::BadSignature), Effort::Computed);
        assert_eq!(effort(&access, &forged, native, &host), refused);
    }
}

#[test]
fn only_what_the_host_can_check_is_asked_of_it() {
    let access = access();
    for algorithm in Algorithm::ALL {
        let host = odd(|_, right| right);
        let good = token(algorithm, &claims());
        assert_eq!(effort(&access, &good, native(), &host).0, None);
        let expected = u32::from(native().contains(algorithm));
        assert_eq!(host.asked.get(), expected, "{algorithm:?}");
        assert_eq!(effort(&access, &good, NativeCrypto::none(), &host).0, None);
        assert_eq!(host.asked.get(), expected, "{algorithm:?}");
    }
}
