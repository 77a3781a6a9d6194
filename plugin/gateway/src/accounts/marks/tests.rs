//! Digests are stored: the vectors were computed by another program from the description in this module, and must stand.

use ledger::{Description, Points, ReferenceId};

use super::*;
use crate::test_support::host::TestHost;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lot(points: u64) -> NewLot {
    NewLot {
        reference_id: None,
        description: None,
        points: Points::new(points).expect("points"),
        created_at: None,
        valid_until: None,
        validity_months: None,
    }
}

fn redemption(points: u64) -> Redemption {
    Redemption {
        description: None,
        points: Points::new(points).expect("points"),
        created_at: None,
    }
}

fn at(millis: i64) -> Option<Timestamp> {
    Timestamp::from_millis(millis)
}

/// The fingerprint of a request with the id `a`.
fn given(digest: RequestDigest, kind: Kind) -> String {
    let id = EntryId::new("a").expect("an id");
    let mark = digest.mark(kind, Some(id), None, &TestHost::alone());
    let identity = mark.expect("no randomness is needed").identity;
    hex(&identity.fingerprint.expect("a fingerprint").0)
}

fn key_of(kind: Kind, key: &[u8]) -> KeyUse {
    let digest = RequestDigest::new(kind).lot("main", Some(&lot(5)));
    let mark = digest.mark(kind, None, Some(key), &TestHost::alone());
    mark.expect("randomness").key.expect("a key")
}

#[test]
fn fingerprints_are_what_they_always_were() {
    let full_lot = NewLot {
        reference_id: ReferenceId::new("order-1").ok(),
        description: Description::new("größe").ok(),
        created_at: at(-1),
        valid_until: at(1_893_456_000_000),
        validity_months: Some(12),
        ..lot(2_147_483_647)
    };
    let full_redemption = Redemption {
        description: Description::new("cup").ok(),
        created_at: at(1_750_000_000_000),
        ..redemption(5)
    };
    let add = || RequestDigest::new(Kind::Add);
    let create = || RequestDigest::new(Kind::Create);
    let redeem = || RequestDigest::new(Kind::Redeem);
    for (kind, digest, expected) in [
        (
            Kind::Add,
            add().lot("main", Some(&lot(5))),
            "eb9e4e78e58da75bb528802649cb92f8",
        ),
        (
            Kind::Add,
            add().lot("yearly", Some(&full_lot)),
            "753b6f5515650c534d8a69cc9cad1743",
        ),
        (
            Kind::Create,
            create().lot("main", None),
            "0ea1080eb288a3f86c361437edbbf3fb",
        ),
        (
            Kind::Create,
            create().lot("main", Some(&lot(5))),
            "9c439a7793b007424a28e817363021d7",
        ),
        (
            Kind::Redeem,
            redeem().redemption(&full_redemption),
            "3c07af52b5062bf7987813e40ea169e6",
        ),
        (
            Kind::Redeem,
            redeem().redemption(&redemption(1)),
            "fa6add8bb6bb2e1fceca9f617b5f157f",
        ),
    ] {
        assert_eq!(given(digest, kind), expected, "{kind:?}");
    }
}

#[test]
fn keys_are_digested_with_their_kind_and_carry_their_request() {
    for (kind, expected) in [
        (Kind::Create, "4e47f0a35ea849e4ea6cef0c533e2a97"),
        (Kind::Add, "6ac75ef9386c95b798fc4931764e07ab"),
        (Kind::Redeem, "f5c0e1c921bb868eac7548a10f338fdf"),
    ] {
        assert_eq!(hex(&key_of(kind, b"k-1").digest.0), expected, "{kind:?}");
    }
    let used = key_of(Kind::Add, b"k-1");
    assert_eq!(hex(&used.request.0), "d85d2aa528d4405406c60ec2c04f4a61");
    assert_ne!(used.digest, key_of(Kind::Add, b"k-2").digest);
}

#[test]
fn every_field_with_an_effect_makes_another_request() {
    let text = |text: &str| Description::new(text).ok();
    let label = |text: &str| ReferenceId::new(text).ok();
    let lots = [
        lot(5),
        lot(6),
        NewLot {
            description: text(""),
            ..lot(5)
        },
        NewLot {
            description: text("x"),
            ..lot(5)
        },
        NewLot {
            reference_id: label(""),
            ..lot(5)
        },
        NewLot {
            reference_id: label("x"),
            ..lot(5)
        },
        NewLot {
            valid_until: at(0),
            ..lot(5)
        },
        NewLot {
            created_at: at(0),
            ..lot(5)
        },
    ];
    let mut seen = std::collections::BTreeSet::new();
    let mut count = 0;
    for site in ["main", "x"] {
        for lot in &lots {
            for kind in [Kind::Add, Kind::Create] {
                seen.insert(given(RequestDigest::new(kind).lot(site, Some(lot)), kind));
                count += 1;
            }
        }
    }
    assert_eq!(seen.len(), count);
    // What a site's settings add is not the request's.
    let digest = |months| {
        let lot = NewLot {
            validity_months: months,
            ..lot(5)
        };
        given(
            RequestDigest::new(Kind::Add).lot("main", Some(&lot)),
            Kind::Add,
        )
    };
    assert_eq!(digest(None), digest(Some(12)));
}

#[test]
fn an_id_is_the_clients_or_a_random_one_and_never_the_clocks() {
    let host = TestHost::alone();
    let mark = |host: &TestHost| {
        let mark = RequestDigest::new(Kind::Delete).mark(Kind::Delete, None, None, host);
        mark.map(|mark| mark.identity)
    };
    let first = mark(&host).expect("randomness");
    let second = mark(&host).expect("randomness");
    assert_ne!(first.id, second.id, "in the same millisecond");
    assert_eq!(first.fingerprint, None);
    host.no_randomness.set(true);
    assert_eq!(mark(&host), Err(NoRandomness));
}
