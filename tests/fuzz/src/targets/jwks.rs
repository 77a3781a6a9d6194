//! Key sets as issuers publish them: what is kept and what is skipped adds up, and no secret is ever a key.

use gateway::access::{
    Access, Algorithm, IssuerConfig, KeySet, MAX_FETCHED_BYTES, MAX_FETCHED_KEYS, TenantConfig,
};
use serde_json::{Value, json};

use crate::json::is_strict_object;
use crate::signing::{ISSUER, jwks};
use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "jwks",
    about: "an issuer's key set: kept and skipped keys add up, none is private, the same set is the same keys again",
    max_len: 8192,
    dictionary: "jwks",
    seeds,
    run,
};

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

fn run(bytes: &[u8]) -> Seen {
    let read = bounded("key set", bytes.len(), 500, || {
        KeySet::from_fetched(bytes, &Algorithm::ALL)
    });
    let Ok(read) = read else {
        return Seen::Refused;
    };
    assert!(bytes.len() <= MAX_FETCHED_BYTES);
    assert!(is_strict_object(bytes, 16), "no strict JSON");
    let view: Value = serde_json::from_slice(bytes).expect("JSON");
    let published = view["keys"].as_array().expect("a list of keys");
    assert!(published.len() <= MAX_FETCHED_KEYS);
    let public = |key: &&Value| {
        let is_public = PRIVATE.iter().all(|name| key.get(name).is_none());
        is_public && matches!(key["kty"].as_str(), Some("RSA" | "EC" | "OKP"))
    };
    let skipped = read.skipped;
    let mut access = access_without_keys();
    let (issuer, _) = access.issuers().next().expect("one issuer");
    access.replace_keys(issuer, read.keys);
    let kept = access.key_count(issuer);
    assert_eq!(kept + skipped, published.len(), "kept and skipped");
    assert!(
        (1..=published.iter().filter(public).count()).contains(&kept),
        "{kept} kept"
    );
    // Written anew: the same keys, and so the same for whom they serve.
    let again = serde_json::to_vec(&view).expect("JSON");
    if again.len() <= MAX_FETCHED_BYTES {
        let again = KeySet::from_fetched(&again, &Algorithm::ALL).expect("the same set");
        assert_eq!(again.skipped, skipped);
        access.replace_keys(issuer, again.keys);
        assert_eq!(access.key_count(issuer), kept);
    }
    // An issuer with fewer algorithms has no more keys.
    if let Ok(fewer) = KeySet::from_fetched(bytes, &[Algorithm::Es256, Algorithm::EdDsa]) {
        assert!(fewer.skipped >= skipped, "fewer algorithms, more keys");
    }
    Seen::Accepted
}

fn access_without_keys() -> Access {
    let config = json!({
        "issuer": ISSUER,
        "algorithms": ["ES256"],
        "jwks_uri": {"cluster": "issuer", "uri": "https://issuer.test/keys"},
    });
    let issuer: IssuerConfig = serde_json::from_value(config).expect("an issuer");
    Access::new(&[issuer], &TenantConfig::default(), &[]).expect("a good issuer")
}

fn seeds() -> Vec<Vec<u8>> {
    let all = jwks();
    let one = |place: usize| all["keys"][place].clone();
    let with = |place: usize, name: &str, value: Value| {
        let mut key = one(place);
        key[name] = value;
        json!({"keys": [key]})
    };
    let sets = [
        all.clone(),
        json!({"keys": [one(1)]}),
        json!({"keys": [one(2), one(2)]}),
        json!({"keys": [one(4), {"kty": "RSA"}, 7, null]}),
        json!({"keys": []}),
        json!({"keys": {}}),
        with(1, "d", "AA".into()),
        with(1, "use", "enc".into()),
        with(1, "kid", Value::Null),
        with(2, "key_ops", json!(["sign"])),
        with(2, "y", one(2)["x"].clone()),
        with(2, "crv", "P-384".into()),
        with(3, "alg", "ES256".into()),
        with(4, "e", "AAEAAQ".into()),
        with(4, "n", "AQAB".into()),
    ];
    sets.iter()
        .map(|set| set.to_string().into_bytes())
        .collect()
}
