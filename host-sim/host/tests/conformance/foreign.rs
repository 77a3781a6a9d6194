//! Foreign functions: `verify_signature`, and what the host says to every other name.

use std::collections::BTreeMap;

use super::{on_each, said};
use crate::common::Gateway;

const TEXT: &[u8] = b"what was signed";
const HASHES: [&str; 5] = ["sha1", "sha224", "sha256", "sha384", "sha512"];

/// What OpenSSL made: keys by name, signatures by key and hash, and the same keys as PEM.
struct Made {
    keys: BTreeMap<&'static str, Vec<u8>>,
    signatures: BTreeMap<(&'static str, &'static str), Vec<u8>>,
}

const PEM: [(&str, &str); 3] = [
    ("rsa2048", include_str!("../signatures/rsa2048.pem")),
    ("p256", include_str!("../signatures/p256.pem")),
    ("p384", include_str!("../signatures/p384.pem")),
];

fn made() -> Made {
    let mut made = Made {
        keys: BTreeMap::new(),
        signatures: BTreeMap::new(),
    };
    for line in include_str!("../signatures/openssl.txt").lines() {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["key", name, der] => drop(made.keys.insert(name, from_hex(der))),
            ["signature", name, hash, signature] => {
                drop(made.signatures.insert((name, hash), from_hex(signature)));
            }
            _ => assert!(line.starts_with('#'), "{line}"),
        }
    }
    made
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fields of a protobuf message, none of them longer than 16 KiB.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in fields {
        out.push(number << 3 | 2);
        let length = u16::try_from(value.len()).expect("short");
        out.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
        out.extend(*value);
    }
    out
}

/// Status, and what the message that came back says.
fn verified(gateway: &Gateway, arguments: &[u8]) -> String {
    called(gateway, "verify_signature", arguments)
}

fn called(gateway: &Gateway, name: &str, arguments: &[u8]) -> String {
    let arguments = to_hex(arguments);
    let answer = said(
        gateway,
        "/probe/foreign",
        &[
            ("x-name", name.as_bytes()),
            ("x-arguments", arguments.as_bytes()),
        ],
    );
    let (status, result) = answer.split_once(' ').expect("two words");
    match &from_hex(result)[..] {
        [] => status.to_owned(),
        [0x08, 1] => format!("{status} true"),
        [0x12, _, words @ ..] => format!("{status} false: {}", String::from_utf8_lossy(words)),
        other => format!("{status} {other:?}"),
    }
}

const NO_KEY: &str = "0 false: Failed to initialize digest verify.";
const WRONG: &str = "0 false: Failed to verify digest. Error code: 0";

#[test]
fn good_signatures_are_good_and_others_are_not() {
    let made = made();
    on_each(|gateway| {
        for (name, pem) in PEM {
            let key = &made.keys[name];
            for hash in HASHES {
                let signature = &made.signatures[&(name, hash)];
                let mut arguments = vec![
                    (1, hash.as_bytes()),
                    (2, &key[..]),
                    (3, &signature[..]),
                    (4, TEXT),
                ];
                let of = format!("{} {name} {hash}", gateway.name());
                assert_eq!(verified(gateway, &message(&arguments)), "0 true", "{of}");
                arguments[1] = (5, pem.as_bytes());
                assert_eq!(
                    verified(gateway, &message(&arguments)),
                    "0 true",
                    "{of} PEM"
                );

                let mut broken = signature.clone();
                *broken.last_mut().expect("not empty") ^= 1;
                for (field, value) in [
                    (2, (3, &broken[..])),
                    (2, (3, &signature[1..])),
                    (2, (3, &[][..])),
                    (3, (4, &b"another"[..])),
                    (3, (4, &[][..])),
                ] {
                    let mut arguments = arguments.clone();
                    arguments[field] = value;
                    assert_eq!(verified(gateway, &message(&arguments)), WRONG, "{of}");
                }
                // A hash of another length, a signature of another kind.
                arguments[0] = (1, if hash == "sha1" { b"sha256" } else { b"sha1" });
                assert_eq!(verified(gateway, &message(&arguments)), WRONG, "{of}");
            }
        }
    });
}

#[test]
fn what_cannot_be_verified_is_refused_in_envoys_words() {
    let made = made();
    let key = &made.keys["p256"];
    let signature = &made.signatures[&("p256", "sha256")];
    let whole = [
        (1, &b"sha256"[..]),
        (2, &key[..]),
        (3, &signature[..]),
        (4, TEXT),
    ];
    let with = |field: usize, value: (u8, &[u8])| {
        let mut changed = whole.map(|(number, value)| (number, value.to_vec()));
        changed[field] = (value.0, value.1.to_vec());
        message(
            &changed
                .each_ref()
                .map(|(number, value)| (*number, &value[..])),
        )
    };
    let trailing = [&key[..], b"more"].concat();
    let pem = PEM[1].1;
    let preamble = format!("words before\n{pem}words after\n");
    let crlf = pem.replace('\n', "\r\n");
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let long = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
    let private = pem.replace("PUBLIC KEY", "PRIVATE KEY");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("capitals", with(0, (1, b"SHA256")), "0 true"),
        (
            "unknown hash",
            with(0, (1, b"MD5")),
            "0 false: MD5 is not supported.",
        ),
        ("no hash", with(0, (1, b"")), "0 false:  is not supported."),
        ("hash that is no text", with(0, (1, b"\xff")), "2"),
        ("broken key", with(1, (2, b"no key")), NO_KEY),
        ("cut key", with(1, (2, &key[..key.len() - 1])), NO_KEY),
        ("bytes behind the key", with(1, (2, &trailing)), "0 true"),
        ("empty key", with(1, (2, b"")), "2"),
        ("no key", message(&[whole[0], whole[2], whole[3]]), "2"),
        ("empty PEM", with(1, (5, b"")), "2"),
        (
            "broken PEM",
            with(
                1,
                (
                    5,
                    b"-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----\n",
                ),
            ),
            NO_KEY,
        ),
        (
            "PEM of another kind",
            with(1, (5, private.as_bytes())),
            NO_KEY,
        ),
        (
            "PEM among words",
            with(1, (5, preamble.as_bytes())),
            "0 true",
        ),
        ("PEM with CR LF", with(1, (5, crlf.as_bytes())), "0 true"),
        ("PEM in one line", with(1, (5, long.as_bytes())), "0 true"),
        (
            "PEM without an end",
            with(1, (5, &pem.as_bytes()[..pem.len() - 12])),
            NO_KEY,
        ),
        ("PEM as DER", with(1, (2, pem.as_bytes())), NO_KEY),
        (
            "unknown hash and broken key",
            message(&[(1, b"x"), (2, b"no key")]),
            "0 false: x is not supported.",
        ),
        ("PEM that is no text", with(1, (5, key)), "2"),
        (
            "both",
            message(&[whole[0], whole[1], whole[2], whole[3], (5, pem.as_bytes())]),
            "2",
        ),
        ("nothing", Vec::new(), "2"),
        ("no protobuf", b"\x0a\xff".to_vec(), "2"),
        (
            "an unknown field",
            [message(&whole), message(&[(9, b"x")])].concat(),
            "0 true",
        ),
        ("Ed25519", with(1, (2, &made.keys["ed25519"])), NO_KEY),
        (
            "an unknown hash with Ed25519",
            message(&[(1, b"x"), (2, &made.keys["ed25519"])]),
            "0 false: x is not supported.",
        ),
        (
            "a curve that nobody takes",
            with(1, (2, &made.keys["k256"])),
            NO_KEY,
        ),
    ];
    on_each(|gateway| {
        let got: Vec<_> = cases
            .iter()
            .map(|(name, arguments, _)| (*name, verified(gateway, arguments)))
            .collect();
        let expected: Vec<_> = cases
            .iter()
            .map(|(name, _, expected)| (*name, (*expected).to_owned()))
            .collect();
        assert_eq!(got, expected, "{}", gateway.name());
    });
}

#[test]
fn a_function_that_nobody_offers_is_not_found() {
    on_each(|gateway| {
        for name in ["", "verify_signatur", "no_such_function"] {
            assert_eq!(called(gateway, name, b""), "1", "{} {name}", gateway.name());
        }
    });
}
