//! The development issuer as a process of its own: same ports and keys whatever happens to it, and rotation on demand.

use serde_json::Value;
use testbed::{Issuer, Request};

fn published(issuer: &Issuer) -> Vec<String> {
    let answer = Request::new("GET", "/.well-known/jwks.json")
        .send(issuer.address())
        .expect("an answer");
    let set: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let keys = set["keys"].as_array().expect("keys");
    keys.iter()
        .map(|key| key["kid"].as_str().expect("a kid").to_owned())
        .collect()
}

#[test]
fn keys_outlive_the_process_that_made_them() {
    let mut issuer = Issuer::builder().start().expect("an issuer");
    let address = issuer.address();
    let first = published(&issuer);
    issuer.rotate(false).expect("rotated");
    let both = published(&issuer);
    assert_eq!((both.len(), &both[1..]), (2, first.as_slice()));
    issuer.process().kill();
    assert!(issuer.rotate(false).is_err());
    issuer.restart().expect("again");
    assert_eq!((issuer.address(), published(&issuer)), (address, both));
    issuer.rotate(true).expect("rotated");
    assert_eq!(published(&issuer).len(), 1);
    assert_eq!(
        issuer.process().stop().and_then(|status| status.code()),
        Some(0)
    );
}

#[test]
fn development_keys_are_published_also_those_made_while_it_runs() {
    let dir = tempfile::tempdir().expect("a directory");
    let keys = dir.path().join("keys");
    let issuer = Issuer::builder()
        .keys_dir(&keys)
        .start()
        .expect("an issuer");
    assert_eq!(published(&issuer).len(), 1);
    let dev = testbed::DevKeys::open(&keys).expect("keys");
    let mut all: Vec<_> = dev.jwks()["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|key| key["kid"].as_str().expect("a kid").to_owned())
        .collect();
    let mut published = published(&issuer);
    all.sort();
    published.sort();
    assert_eq!(published, all);
}
