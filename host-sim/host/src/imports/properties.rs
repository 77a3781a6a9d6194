//! `proxy_get_property` and `proxy_set_property`.
//!
//! Of Envoy's attributes those that an HTTP filter asks for; what a module sets itself is found again under its own name.
//! An attribute that is not offered is not found, and neither is one of a map that the module cannot read now. A whole group of
//! them cannot be serialized.

use wasmtime::Linker;

use super::{Answer, Call, hand_over, proxy, read};
use crate::abi::Status;
use crate::headers::Headers;
use crate::state::State;
use crate::stream::{Half, Stream};

/// Attributes that are several: Envoy knows them and has no bytes for them.
const GROUPS: [&[u8]; 4] = [b"request", b"response", b"source", b"filter_state"];

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    proxy!(linker, "proxy_get_property", get,
        (path: u32, path_len: u32, ptr_ptr: u32, size_ptr: u32));
    proxy!(linker, "proxy_set_property", set,
        (path: u32, path_len: u32, value: u32, value_len: u32));
    Ok(())
}

fn get(call: &mut Call<'_>, path: u32, path_len: u32, ptr_ptr: u32, size_ptr: u32) -> Answer {
    let path = read(call, path, path_len)?;
    let value = find(call.data_mut(), &path)?;
    hand_over(call, &value, ptr_ptr, size_ptr)
}

fn set(call: &mut Call<'_>, path: u32, path_len: u32, value: u32, value_len: u32) -> Answer {
    let (path, value) = (read(call, path, path_len)?, read(call, value, value_len)?);
    let stream = call.data_mut().acting_stream().ok_or(Status::NotFound)?;
    stream.filter_state.insert(path, value);
    Ok(())
}

fn find(state: &mut State, path: &[u8]) -> Result<Vec<u8>, Status> {
    match path {
        b"" => return Err(Status::SerializationFailure),
        b"plugin_name" => return Ok(state.plugin.name.clone().into_bytes()),
        b"plugin_root_id" => return Ok(state.plugin.root_id.clone().into_bytes()),
        b"plugin_vm_id" => return Ok(state.plugin.vm_id.clone().into_bytes()),
        _ => {}
    }
    let stream = state.acting_stream().ok_or(Status::NotFound)?;
    if GROUPS.contains(&path) {
        return Err(Status::SerializationFailure);
    }
    attribute(stream, path).ok_or(Status::NotFound)
}

/// One of Envoy's attributes, or what the module set under a name of one part.
fn attribute(stream: &Stream, path: &[u8]) -> Option<Vec<u8>> {
    let mut parts = path.split(|byte| *byte == 0);
    match (parts.next()?, parts.next(), parts.next()) {
        (name, None, None) => stream.filter_state.get(name).cloned(),
        (b"request", Some(b"headers"), Some(name)) => {
            readable(&stream.request, stream)?.joined(name)
        }
        (b"response", Some(b"headers"), Some(name)) => {
            readable(&stream.response, stream)?.joined(name)
        }
        (b"request", Some(attribute), None) => request(stream, attribute),
        (b"response", Some(b"code"), None) => {
            let status = std::str::from_utf8(stream.response.headers.get(":status")?).ok()?;
            Some(status.parse::<i64>().ok()?.to_le_bytes().to_vec())
        }
        (b"source", Some(b"address"), None) => {
            Some(stream.info.source_address.clone().into_bytes())
        }
        _ => None,
    }
}

/// Headers, while the module may read them.
fn readable<'a>(half: &'a Half, stream: &Stream) -> Option<&'a Headers> {
    (half.headers_open || stream.logging).then_some(&half.headers)
}

fn request(stream: &Stream, attribute: &[u8]) -> Option<Vec<u8>> {
    let headers = readable(&stream.request, stream);
    let header = |name: &str| headers?.get(name).map(<[u8]>::to_vec);
    let path = headers.and_then(|headers| headers.get(":path"));
    let question = path.and_then(|path| path.iter().position(|byte| *byte == b'?'));
    match attribute {
        b"path" => header(":path"),
        b"url_path" => path.map(|path| path[..question.unwrap_or(path.len())].to_vec()),
        b"query" => path
            .map(|path| question.map_or_else(Vec::new, |at| path[at.saturating_add(1)..].to_vec())),
        b"method" => header(":method"),
        b"scheme" => header(":scheme"),
        b"host" => header(":authority"),
        b"id" => header("x-request-id"),
        b"useragent" => header("user-agent"),
        b"referer" => header("referer"),
        b"protocol" => Some(stream.info.protocol.clone().into_bytes()),
        b"time" => Some(
            i64::try_from(stream.started_ns)
                .ok()?
                .to_le_bytes()
                .to_vec(),
        ),
        _ => None,
    }
}
