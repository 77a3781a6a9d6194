//! The messages of Envoy's foreign function `verify_signature`, by which a module has a signature checked natively.
//!
//! Knows their wire form only (`source/extensions/common/wasm/ext/verify_signature.proto` in Envoy); how the function is
//! called is the shell's matter, and what a verdict means is decided in `access`.

use prost::Message;

use super::{Hash, NativeVerdict, SignatureCheck};

/// The name under which the host offers the function.
pub const FUNCTION: &str = "verify_signature";

#[derive(Clone, PartialEq, Message)]
struct Arguments {
    #[prost(string, tag = "1")]
    hash_function: String,
    #[prost(bytes = "vec", tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    text: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(bool, tag = "1")]
    result: bool,
}

/// The encoded arguments that ask for `check`.
#[must_use]
pub fn arguments(check: &SignatureCheck<'_>) -> Vec<u8> {
    let hash_function = match check.hash {
        Hash::Sha256 => "sha256",
        Hash::Sha384 => "sha384",
        Hash::Sha512 => "sha512",
    };
    Arguments {
        hash_function: hash_function.to_owned(),
        public_key: check.public_key_der.to_vec(),
        signature: check.signature.to_vec(),
        text: check.text.to_vec(),
    }
    .encode_to_vec()
}

/// What the encoded answer says. An answer without any byte is one whose fields all have their defaults: the signature is
/// wrong. Bytes that are no such message are no verdict.
#[must_use]
pub fn verdict(answer: &[u8]) -> NativeVerdict {
    match Answer::decode(answer) {
        Ok(Answer { result: true }) => NativeVerdict::Genuine,
        Ok(Answer { result: false }) => NativeVerdict::Wrong,
        Err(_) => NativeVerdict::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_written_as_envoy_reads_them() {
        let encoded = |hash| {
            arguments(&SignatureCheck {
                hash,
                public_key_der: b"\x30\x00",
                signature: b"sig",
                text: b"a.b",
            })
        };
        let fields = b"\x12\x02\x30\x00\x1a\x03sig\x22\x03a.b";
        for (hash, name) in [
            (Hash::Sha256, b"sha256"),
            (Hash::Sha384, b"sha384"),
            (Hash::Sha512, b"sha512"),
        ] {
            let expected = [b"\x0a\x06", &name[..], fields].concat();
            assert_eq!(encoded(hash), expected);
        }
    }

    #[test]
    fn only_a_plain_yes_is_genuine() {
        let table: [(&[u8], NativeVerdict); 8] = [
            (b"\x08\x01", NativeVerdict::Genuine),
            (b"\x08\x01\x12\x00", NativeVerdict::Genuine),
            (b"", NativeVerdict::Wrong),
            (b"\x08\x00", NativeVerdict::Wrong),
            (b"\x12\x02no", NativeVerdict::Wrong),
            (b"\x08", NativeVerdict::Unavailable),
            (b"\x0a\x01\x01", NativeVerdict::Unavailable),
            (b"\xff", NativeVerdict::Unavailable),
        ];
        for (answer, expected) in table {
            assert_eq!(verdict(answer), expected, "{answer:?}");
        }
    }
}
