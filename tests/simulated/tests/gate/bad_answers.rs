//! The key server answers, but not with keys: the last good ones stay, and the operator is told why.

use serde_json::{Value, json};
use signing_keys::Algorithm;
use simulated::{Served, World, es256, jwks, signing_key, token};

use crate::common::{assert_everywhere, fetching, settled_with};

/// In every body; never in the log.
const MARK: &str = "body-of-the-answer";

/// What a server may answer, what the gauge shows then, and the word in the log.
fn answers() -> Vec<(&'static str, Served, u64, &'static str)> {
    let good = es256("good").public_jwk();
    let set = |keys: &[Value]| Served::ok(jwks(keys).to_string());
    let whole = jwks(&[good.clone(), json!({ "note": MARK })]).to_string();
    let with = |changes: Value| {
        let mut key = good.clone();
        let members = key.as_object_mut().expect("an object");
        members.extend(changes.as_object().expect("an object").clone());
        key
    };
    let many = |number: usize| -> Vec<Value> {
        (0..number)
            .map(|number| with(json!({ "kid": format!("{MARK}-{number}") })))
            .collect()
    };
    let mut short_rsa = signing_key(Algorithm::Rs256, MARK).public_jwk();
    // 1024 bits.
    let modulus: String = short_rsa["n"]
        .as_str()
        .expect("text")
        .chars()
        .take(171)
        .collect();
    short_rsa["n"] = json!(modulus);
    let unusable = [
        short_rsa,
        json!({ "kty": "oct", "kid": MARK, "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" }),
        with(json!({ "use": "enc" })),
        with(json!({ "d": "AAAA" })),
        with(json!({ "x": "AAAA" })),
        json!({ "kty": "EC", "crv": "secp256k1", "kid": MARK }),
        json!(MARK),
    ];
    let ten_megabytes = [MARK.as_bytes(), &vec![b' '; 10 << 20][..]].concat();
    let html = format!("<html><body>{MARK}</body></html>");
    vec![
        (
            "garbage",
            Served::ok([MARK.as_bytes(), &[0xff, 0, 0x80]].concat()),
            5,
            "malformed",
        ),
        (
            "cut off",
            Served::ok(&whole[..whole.len() - 1]),
            5,
            "malformed",
        ),
        ("10 MB", Served::ok(ten_megabytes), 4, "too_large"),
        (
            "a byte over 64 KiB",
            Served::ok(vec![b' '; 65_537]),
            4,
            "too_large",
        ),
        ("no body", Served::ok(""), 5, "malformed"),
        ("an empty set", set(&[]), 6, "unusable"),
        ("unusable keys", set(&unusable), 6, "unusable"),
        ("65 keys", set(&many(65)), 5, "malformed"),
        (
            "one name twice",
            set(&[with(json!({ "kid": MARK })), with(json!({ "kid": MARK }))]),
            5,
            "malformed",
        ),
        (
            "a redirect",
            Served::status(302, MARK).with("location", "https://elsewhere.example/"),
            3,
            "refused",
        ),
        (
            "HTML",
            Served::ok(html).with("content-type", "text/html"),
            5,
            "malformed",
        ),
        ("404", Served::status(404, MARK), 3, "refused"),
        ("503 of its own", Served::status(503, MARK), 3, "refused"),
        ("206", Served::status(206, whole), 3, "refused"),
        ("no connection", Served::NoConnection, 2, "unreachable"),
        ("closed", Served::Closed, 2, "unreachable"),
        ("broken off", Served::BrokenOff, 2, "unreachable"),
        ("no answer", Served::Never, 2, "unreachable"),
    ]
}

fn fetch_result(world: &World) -> u64 {
    world.metric("reward_points.issuer.0.key_fetch_result")
}

#[test]
fn whatever_the_issuer_answers_the_last_good_keys_stay_and_the_log_says_why() {
    let key = es256("good");
    let good = token(&key, json!({}));
    let fresh = |number: usize| token(&key, json!({ "sub": format!("user-{number}") }));
    let mut world = settled_with(fetching(json!({ "refresh_seconds": 10 })), &[&key]);
    for (number, (what, served, result, word)) in answers().into_iter().enumerate() {
        let logged = world.log().len();
        world.serve(move |_| served.clone());
        // The next fetch, its time limit, a tick.
        world.advance(10_000 + 1_000 + 100);

        assert_eq!(fetch_result(&world), result, "{what}");
        assert_eq!(world.metric("reward_points.issuer.0.keys"), 1, "{what}");
        assert_everywhere(&mut world, &good, 200, what);
        assert_everywhere(&mut world, &fresh(number), 200, what);
        let lines = &world.log()[logged..];
        let expected = format!("keys of https://issuer.example/: fetch failed: {word}");
        assert!(
            lines.iter().any(|line| line.text == expected),
            "{what}: {lines:?}"
        );
        assert!(
            lines.iter().all(|line| !line.text.contains(MARK)),
            "{what}: {lines:?}"
        );

        world.publish(&[&key]);
        // The longest pause after failures here is the refresh itself.
        world.advance(10_000 + 100);
        assert_eq!(fetch_result(&world), 1, "{what}: and good again");
    }
}

#[test]
fn keys_that_cannot_be_used_are_left_out_of_a_set_that_has_others() {
    let (key, other) = (es256("good"), es256("other"));
    let (good, of_other) = (token(&key, json!({})), token(&other, json!({})));
    let mut world = settled_with(fetching(json!({ "refresh_seconds": 10 })), &[&key, &other]);
    assert_everywhere(&mut world, &of_other, 200, "at first");
    // The other's private half got published: it is nobody's key any more.
    let mut leaked = other.public_jwk();
    leaked["d"] = json!("AAAA");
    let set = [key.public_jwk(), leaked, json!({ "kty": "unheard-of" })];
    world.serve(move |_| Served::keys(&set));
    world.advance(10_100);
    assert_everywhere(&mut world, &good, 200, "the good one stays");
    assert_everywhere(&mut world, &of_other, 401, "the other does not");
    let told = "keys of https://issuer.example/: 2 of the set cannot be used and are left out";
    assert!(
        world.log().iter().any(|line| line.text == told),
        "{:?}",
        world.log()
    );
}
