//! The host checks signatures, or the module does: no token is judged otherwise.

use ct_codecs::{Base64UrlSafeNoPadding, Encoder as _};
use serde_json::json;
use signing_keys::{Algorithm, SigningKey};
use simulated::{START_SECONDS, Setup, World, configuration, es256, forged, signing_key, token};

struct Case {
    what: &'static str,
    token: String,
    status: u16,
}

/// One key of each kind, named by its algorithm.
fn keys() -> [SigningKey; 3] {
    Algorithm::ALL.map(|algorithm| signing_key(algorithm, algorithm.name()))
}

fn cases(keys: &[SigningKey; 3]) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut case = |what, token, status| {
        cases.push(Case {
            what,
            token,
            status,
        });
    };
    for key in keys {
        let good = token(key, json!({}));
        let (signed, signature) = good.rsplit_once('.').expect("three parts");
        let swapped = signature.replacen(
            &signature[20..21],
            if &signature[20..21] == "A" { "B" } else { "A" },
            1,
        );
        let last = format!("{signed}.{}", &signature[..signature.len() - 4]);
        let longer = format!("{signed}.{signature}AAAA");
        let other = token(key, json!({ "sub": "mallory" }));
        let others = other.rsplit_once('.').expect("three parts").1;
        let now = START_SECONDS;
        case("good", good.clone(), 200);
        case("a changed signature", format!("{signed}.{swapped}"), 401);
        case("a short signature", last, 401);
        case("a long signature", longer, 401);
        case(
            "another token's signature",
            format!("{signed}.{others}"),
            401,
        );
        case("no signature", format!("{signed}."), 401);
        case("expired", token(key, json!({ "exp": now - 31 })), 401);
        case(
            "expired, in the leeway",
            token(key, json!({ "exp": now - 20 })),
            200,
        );
        case("not yet valid", token(key, json!({ "nbf": now + 40 })), 401);
        case(
            "issued in the future",
            token(key, json!({ "iat": now + 40 })),
            401,
        );
        case("no end", token(key, json!({ "exp": null })), 401);
        case("no tenant", token(key, json!({ "tenant": null })), 401);
        case(
            "another issuer",
            token(key, json!({ "iss": "https://evil.example/" })),
            401,
        );
        let name = key.id();
        case(
            "another key of that name",
            token(&signing_key(key.algorithm(), name), json!({})),
            401,
        );
        for algorithm in Algorithm::ALL {
            if algorithm != key.algorithm() {
                let confused = signing_key(algorithm, name);
                case(
                    "a key's name with another algorithm",
                    token(&confused, json!({})),
                    401,
                );
            }
        }
    }
    case("nobody signed", forged("ES256", "mallory"), 401);
    case("r and s are zero", with_signature(&keys[1], &[0; 64]), 401);
    case(
        "r and s are too large",
        with_signature(&keys[1], &[0xff; 64]),
        401,
    );
    case(
        "a modulus of zeros",
        with_signature(&keys[0], &[0; 256]),
        401,
    );
    case(
        "a modulus of ones",
        with_signature(&keys[0], &[0xff; 256]),
        401,
    );
    case("unknown key", token(&es256("unknown"), json!({})), 401);
    case("no token", "x".to_owned(), 401);
    cases
}

fn with_signature(key: &SigningKey, signature: &[u8]) -> String {
    let good = token(key, json!({}));
    let (signed, _) = good.rsplit_once('.').expect("three parts");
    let signature = Base64UrlSafeNoPadding::encode_to_string(signature).expect("it encodes");
    format!("{signed}.{signature}")
}

fn world(native_signatures: bool, keys: &[SigningKey; 3]) -> World {
    let mut plugin = configuration();
    // More bad tokens at once than the budget for them would have looked at.
    plugin["tokens"] = json!({ "refused_share_percent": 100 });
    let mut setup = Setup::of(plugin);
    setup.native_signatures = native_signatures;
    let mut world = setup.start();
    world.publish(&keys.each_ref());
    world.advance(200);
    world
}

#[test]
fn the_verdict_is_the_same_whoever_checks_the_signature() {
    let keys = keys();
    let cases = cases(&keys);
    assert_eq!(
        keys.each_ref().map(|key| key.id()),
        ["RS256", "ES256", "EdDSA"]
    );
    for native in [true, false] {
        let mut world = world(native, &keys);
        for case in &cases {
            for vm in [0, 3] {
                let done = world.get(vm, &case.token);
                let (what, status) = (case.what, done.status());
                assert_eq!(
                    status, case.status,
                    "{what}, native {native}: {}",
                    case.token
                );
            }
        }
    }
}

#[test]
fn the_gauges_show_who_checks_what() {
    let keys = keys();
    for (native, shown, by_host, by_module) in [
        (true, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0], 2, 1),
        (false, [0; 10], 0, 3),
    ] {
        let mut world = world(native, &keys);
        let names = [
            "rs256", "rs384", "rs512", "es256", "es384", "ps256", "ps384", "ps512", "eddsa",
            "hs256",
        ];
        let gauge = |name| world.metric(&format!("reward_points.signatures.native.{name}"));
        assert_eq!(names.map(gauge), shown, "native {native}");
        for key in &keys {
            assert_eq!(world.get(0, &token(key, json!({}))).status(), 200);
        }
        // A worker tells what it has counted with its next tick.
        world.advance(100);
        let counted = ["native", "computed"]
            .map(|who| world.metric(&format!("reward_points.signatures.{who}")));
        assert_eq!(counted, [by_host, by_module], "native {native}");
    }
}
