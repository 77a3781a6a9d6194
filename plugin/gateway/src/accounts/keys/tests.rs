//! Keys, digests and ranges: whose they are, and that they never change.

use super::*;
use crate::access::test_support::permit;

#[test]
fn keys_are_what_they_always_were() {
    // Stored data depends on them. The buckets were computed by another program.
    let long = "x".repeat(128);
    for (tenant, customer, expected) in [
        ("acme", "614", "/points/1/account/acme/fe1/614"),
        ("acmf", "614", "/points/1/account/acmf/ec8/614"),
        ("other", "614", "/points/1/account/other/b40/614"),
        ("acme", "a/b", "/points/1/account/acme/87e/a%2Fb"),
        (
            "acme",
            "größe",
            "/points/1/account/acme/918/gr%C3%B6%C3%9Fe",
        ),
        ("acme", &long, &format!("/points/1/account/acme/65a/{long}")),
    ] {
        let permit = permit(tenant);
        let customer = CustomerId::new(customer.into()).unwrap();
        let key = AccountKey::new(permit.tenant(), &customer);
        assert_eq!(key.as_str(), expected);
        assert_eq!(customer_of(permit.tenant(), key.as_bytes()), Some(customer));
        assert_eq!(AccountDigest::of_key(key.as_bytes()), Some(*key.digest()));
        let bucket = format!("/{:03x}/", key.bucket());
        assert!(expected.contains(&bucket), "{bucket}");
    }
}

#[test]
fn segments_stand_beside_their_account_in_the_order_of_their_entries() {
    let permit = permit("acme");
    let customer = CustomerId::new(b"a/b".to_vec()).unwrap();
    let keys = HistoryKeys::of(&AccountKey::new(permit.tenant(), &customer));
    assert_eq!(keys.all_lives(), "/points/1/history/acme/87e/a%2Fb/");
    assert_eq!(
        keys.life(2),
        "/points/1/history/acme/87e/a%2Fb/00000000000000000002/"
    );
    let key = keys.segment(2, 65);
    let expected = "/points/1/history/acme/87e/a%2Fb/00000000000000000002/00000000000000000065";
    assert_eq!(key, expected.as_bytes());
    let ascending = [
        keys.segment(1, u64::MAX),
        keys.segment(2, 1),
        keys.segment(2, 9),
        keys.segment(2, 10),
        keys.segment(10, 1),
        keys.segment(u64::MAX, u64::MAX),
    ];
    assert!(ascending.is_sorted());
    assert_eq!(customer_of(permit.tenant(), &key), None);
    let account = AccountKey::new(permit.tenant(), &customer);
    assert_eq!(HistoryKeys::of_key(account.as_bytes()), Some(keys));
    assert_eq!(HistoryKeys::of_key(&key), None);
}

#[test]
fn no_other_key_names_a_customer() {
    let permit = permit("acme");
    for key in [
        "/points/1/account/acme/fe2/614",
        "/points/1/account/acme/fe1/6%314",
        "/points/1/account/acme/FE1/614",
        "/points/1/account/acme/fe1/614/",
        "/points/1/account/acme/fe1/",
        "/points/1/account/acme/fe1614",
        "/points/1/account/acme/fe",
        "/points/1/account/acme/",
        "/points/1/account/acmf/ec8/614",
        "/points/1/history/acme/fe1/614",
        "/points/2/account/acme/fe1/614",
        "",
    ] {
        assert_eq!(customer_of(permit.tenant(), key.as_bytes()), None, "{key}");
        let other_tenant = key == "/points/1/account/acmf/ec8/614";
        let digest = AccountDigest::of_key(key.as_bytes());
        assert_eq!(digest.is_some(), other_tenant, "{key}");
    }
}

#[test]
fn a_digest_is_the_hash_of_tenant_and_customer() {
    // Computed by another program.
    let digest = AccountDigest::of_key(b"/points/1/account/acme/fe1/614").unwrap();
    let expected = "fe1de622b03ce35cbef855c74499b770fc0924cda628ed1b3b4c91d19bad6c90";
    let hex: String = digest.as_bytes().map(|it| format!("{it:02x}")).concat();
    assert_eq!(hex, expected);
    for key in [
        &b"/points/1/account/%61cme/fe1/614"[..],
        b"/points/1/account/acme/fe1/\xff",
        b"/points/1/account/acme/fe1/614/1",
        b"/points/1/account/acme%00/fe1/614",
        b"/points/1/account//fe1/614",
        b"points/1/account/acme/fe1/614",
    ] {
        assert_eq!(AccountDigest::of_key(key), None, "{key:?}");
    }
}

#[test]
fn a_tenants_range_holds_its_keys_and_nobody_elses() {
    let range = |tenant: &str| {
        let start = tenant_prefix(permit(tenant).tenant()).into_bytes();
        let end = prefix_end(&start);
        start..end
    };
    let key = |tenant: &str, customer: &str| {
        let customer = CustomerId::new(customer.into()).unwrap();
        let key = AccountKey::new(permit(tenant).tenant(), &customer);
        key.as_bytes().to_vec()
    };
    let tenants = ["acm", "acme", "acme0", "acmee", "acmf"];
    for mine in tenants {
        for theirs in tenants {
            for customer in ["614", "\u{10ffff}", "/", "~"] {
                let inside = range(mine).contains(&key(theirs, customer));
                assert_eq!(inside, mine == theirs, "{mine} {theirs} {customer}");
            }
        }
    }
}

#[test]
fn the_feeds_range_holds_accounts_and_heartbeats_and_no_history() {
    let (start, end) = fed_range();
    let range = start..end;
    let customer = CustomerId::new("614".into()).unwrap();
    let account = AccountKey::new(permit("acme").tenant(), &customer);
    assert!(range.contains(&account.as_bytes().to_vec()));
    assert!(range.contains(&heartbeat(&[0; 16]).into_bytes()));
    assert!(range.contains(&heartbeat(&[0xff; 16]).into_bytes()));
    for outside in ["/points/1/history/acme/fe1/614/1/1", "/points/1/revoked/x"] {
        assert!(!range.contains(&outside.as_bytes().to_vec()), "{outside}");
    }
}

#[test]
fn a_prefix_ends_just_behind_its_last_key() {
    assert_eq!(prefix_end(b"/a/"), b"/a0");
    assert_eq!(prefix_end(b"a\xff"), b"b");
    assert_eq!(prefix_end(b"\xff\xff"), [0]);
}

#[test]
fn customer_ids() {
    for (given, expected) in [
        (&b"614"[..], None),
        (b"a/b", None),
        ("größe".as_bytes(), None),
        (&[b'x'; 128][..], None),
        (b"", Some(CustomerIdError::Empty)),
        (&[b'x'; 129][..], Some(CustomerIdError::TooLong)),
        (b"a\0b", Some(CustomerIdError::ControlCharacter)),
        (b"a\x7f", Some(CustomerIdError::ControlCharacter)),
        (b"\xff", Some(CustomerIdError::NotUtf8)),
    ] {
        assert_eq!(CustomerId::new(given.to_vec()).err(), expected, "{given:?}");
    }
}
