//! `proxy_call_foreign_function`: of the functions that Envoy offers beside the ABI, `verify_signature` alone.
//!
//! Decides how a call is answered: arguments and result are Envoy's protobuf messages. What a signature is worth is
//! decided in [`crate::signature`]; a name that is not offered is not found.

use prost::Message as _;
use wasmtime::Linker;

use super::{Answer, Call, hand_over, proxy, read};
use crate::abi::Status;
use crate::signature::{PublicKey, verify};
use crate::state::State;

/// The one function that is offered.
const VERIFY_SIGNATURE: &[u8] = b"verify_signature";

/// What `verify_signature` is asked.
#[derive(Clone, PartialEq, prost::Message)]
struct Arguments {
    #[prost(string, tag = "1")]
    hash_function: String,
    /// DER of a SubjectPublicKeyInfo.
    #[prost(bytes = "vec", tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    text: Vec<u8>,
    #[prost(string, tag = "5")]
    public_key_pem: String,
}

/// What it answers.
#[derive(Clone, PartialEq, prost::Message)]
struct Verdict {
    #[prost(bool, tag = "1")]
    result: bool,
    /// Empty when the signature is good.
    #[prost(string, tag = "2")]
    error: String,
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    proxy!(linker, "proxy_call_foreign_function", call_function,
        (name: u32, name_len: u32, arguments: u32, arguments_len: u32, ptr_ptr: u32, size_ptr: u32));
    Ok(())
}

fn call_function(
    call: &mut Call<'_>,
    name: u32,
    name_len: u32,
    arguments: u32,
    arguments_len: u32,
    ptr_ptr: u32,
    size_ptr: u32,
) -> Answer {
    let name = read(call, name, name_len)?;
    let arguments = read(call, arguments, arguments_len)?;
    if name != VERIFY_SIGNATURE || !call.data().plugin.native_signatures {
        return Err(Status::NotFound.into());
    }
    // A refusal comes with an empty result.
    let (verdict, answer) = match verify_signature(&arguments) {
        Ok(verdict) => (verdict, Ok(())),
        Err(refusal) => (Vec::new(), Err(refusal.into())),
    };
    hand_over(call, &verdict, ptr_ptr, size_ptr)?;
    answer
}

/// The serialized verdict, also over a key that is none. That no key is named, or two are, is the caller's mistake.
fn verify_signature(arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let arguments = Arguments::decode(arguments).map_err(|_| Status::BadArgument)?;
    let key = match (&arguments.public_key[..], &arguments.public_key_pem[..]) {
        ([], "") => return Err(Status::BadArgument),
        (der, "") => PublicKey::from_der(der),
        ([], pem) => PublicKey::from_pem(pem),
        _ => return Err(Status::BadArgument),
    };
    let verified = verify(
        &arguments.hash_function,
        key.as_ref(),
        &arguments.signature,
        &arguments.text,
    );
    let verdict = match verified {
        Ok(()) => Verdict {
            result: true,
            error: String::new(),
        },
        Err(refusal) => Verdict {
            result: false,
            error: refusal.to_string(),
        },
    };
    Ok(verdict.encode_to_vec())
}
