//! Bodies, messages and configurations: `proxy_get_buffer_bytes`, `proxy_set_buffer_bytes`.

use wasmtime::Linker;

use super::{Answer, Call, hand_over, proxy, read};
use crate::abi::{BufferType, Status};
use crate::state::State;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    proxy!(linker, "proxy_get_buffer_bytes", get,
        (kind: u32, start: u32, max: u32, ptr_ptr: u32, size_ptr: u32));
    proxy!(linker, "proxy_set_buffer_bytes", set,
        (kind: u32, start: u32, length: u32, ptr: u32, size: u32));
    Ok(())
}

fn get(
    call: &mut Call<'_>,
    kind: u32,
    start: u32,
    max: u32,
    ptr_ptr: u32,
    size_ptr: u32,
) -> Answer {
    let kind = BufferType::from_wasm(kind).ok_or(Status::BadArgument)?;
    let buffer = contents(call.data_mut(), kind)?;
    let (Ok(start), Ok(max)) = (usize::try_from(start), usize::try_from(max)) else {
        return Err(Status::BadArgument.into());
    };
    let end = start.saturating_add(max).min(buffer.len());
    let part = buffer.get(start..end).unwrap_or_default().to_vec();
    hand_over(call, &part, ptr_ptr, size_ptr)
}

/// A buffer that a stream could have but has not now reads as empty; one that only exists while something is delivered
/// is not found.
fn contents(state: &mut State, kind: BufferType) -> Result<&[u8], Status> {
    match kind {
        BufferType::RequestBody => Ok(state
            .acting_stream()
            .map_or(&[][..], |stream| &stream.request.body)),
        BufferType::ResponseBody => Ok(state
            .acting_stream()
            .map_or(&[][..], |stream| &stream.response.body)),
        BufferType::CallResponseBody => state
            .delivery
            .call
            .as_ref()
            .map(|response| &response.body[..])
            .ok_or(Status::NotFound),
        BufferType::GrpcMessage => Ok(state.delivery.grpc_message.as_deref().unwrap_or_default()),
        BufferType::VmConfiguration => Ok(&state.plugin.vm_configuration),
        BufferType::PluginConfiguration if state.configuring => {
            Ok(&state.plugin.plugin_configuration)
        }
        BufferType::PluginConfiguration => Err(Status::NotFound),
        BufferType::Connection | BufferType::CallData => Ok(&[]),
    }
}

/// What the module may change now: a body that is shown or held back, and the gRPC message that is being delivered.
fn changeable(state: &mut State, kind: BufferType) -> Option<&mut Vec<u8>> {
    let half = match kind {
        BufferType::RequestBody => &mut state.acting_stream()?.request,
        BufferType::ResponseBody => &mut state.acting_stream()?.response,
        BufferType::GrpcMessage => return state.delivery.grpc_message.as_mut(),
        _ => return None,
    };
    half.body_open.then_some(&mut half.body)
}

fn set(call: &mut Call<'_>, kind: u32, start: u32, length: u32, ptr: u32, size: u32) -> Answer {
    let kind = BufferType::from_wasm(kind).ok_or(Status::BadArgument)?;
    contents(call.data_mut(), kind)?;
    let data = read(call, ptr, size)?;
    let body = changeable(call.data_mut(), kind).ok_or(Status::BadArgument)?;
    let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(length)) else {
        return Err(Status::BadArgument.into());
    };
    // Envoy can prepend, append and replace the beginning or the whole; nothing in between.
    if start == 0 {
        body.splice(0..length.min(body.len()), data);
    } else if start >= body.len() {
        body.extend_from_slice(&data);
    } else {
        return Err(Status::BadArgument.into());
    }
    Ok(())
}
