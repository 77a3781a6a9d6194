//! Calls to other services. All are owned by the root context, whoever asks for them.
//!
//! Only what can be told at once is answered here (an unknown cluster, a missing header); everything else comes as an
//! answer later.

use wasmtime::Linker;

use super::{Answer, Call, Refusal, proxy, read, text, write_u32};
use crate::abi::{Status, decode_pairs};
use crate::effects::{Effect, GrpcTarget, HttpCall};
use crate::headers::Headers;
use crate::state::State;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    proxy!(linker, "proxy_http_call", http_call,
        (upstream: u32, upstream_len: u32, headers: u32, headers_len: u32, body: u32, body_len: u32,
         trailers: u32, trailers_len: u32, timeout_ms: u32, token_ptr: u32));
    proxy!(linker, "proxy_grpc_call", grpc_call,
        (upstream: u32, upstream_len: u32, service: u32, service_len: u32, method: u32, method_len: u32,
         metadata: u32, metadata_len: u32, message: u32, message_len: u32, timeout_ms: u32,
         token_ptr: u32));
    proxy!(linker, "proxy_grpc_stream", grpc_stream,
        (upstream: u32, upstream_len: u32, service: u32, service_len: u32, method: u32, method_len: u32,
         metadata: u32, metadata_len: u32, token_ptr: u32));
    proxy!(linker, "proxy_grpc_send", grpc_send,
        (token: u32, message: u32, message_len: u32, end_stream: u32));
    proxy!(linker, "proxy_grpc_cancel", grpc_cancel, (token: u32));
    proxy!(linker, "proxy_grpc_close", grpc_close, (token: u32));
    Ok(())
}

fn pairs(call: &Call<'_>, ptr: u32, len: u32) -> Result<Headers, Refusal> {
    Ok(decode_pairs(&read(call, ptr, len)?).unwrap_or_default())
}

#[allow(clippy::too_many_arguments, reason = "the ABI's own list of arguments")]
fn http_call(
    call: &mut Call<'_>,
    upstream: u32,
    upstream_len: u32,
    headers: u32,
    headers_len: u32,
    body: u32,
    body_len: u32,
    trailers: u32,
    trailers_len: u32,
    timeout_ms: u32,
    token_ptr: u32,
) -> Answer {
    let cluster = text(&read(call, upstream, upstream_len)?);
    let body = read(call, body, body_len)?;
    let mut headers = pairs(call, headers, headers_len)?;
    let trailers = pairs(call, trailers, trailers_len)?;
    write_u32(call, token_ptr, 0)?;
    let state = call.data_mut();
    let authority = headers.get(":authority").or_else(|| headers.get("host"));
    if i32::try_from(timeout_ms).is_err()
        || !state.plugin.clusters.contains(&cluster)
        || headers.get(":method").is_none()
        || headers.get(":path").is_none()
        || authority.is_none()
    {
        return Err(Status::BadArgument.into());
    }
    if !body.is_empty() {
        headers.set(b"content-length", body.len().to_string().as_bytes());
    }
    let token = state.calls.next_http();
    state.effects.push(Effect::HttpCall(HttpCall {
        token,
        cluster,
        headers,
        body,
        trailers,
        timeout_ms,
    }));
    write_u32(call, token_ptr, token)
}

#[allow(clippy::too_many_arguments, reason = "the ABI's own list of arguments")]
fn target(
    call: &Call<'_>,
    upstream: u32,
    upstream_len: u32,
    service: u32,
    service_len: u32,
    method: u32,
    method_len: u32,
    metadata: u32,
    metadata_len: u32,
) -> Result<GrpcTarget, Refusal> {
    let cluster = text(&read(call, upstream, upstream_len)?);
    let service = text(&read(call, service, service_len)?);
    let method = text(&read(call, method, method_len)?);
    let metadata = pairs(call, metadata, metadata_len)?;
    // Envoy takes the name for a serialized GrpcService first; an unknown name is therefore one that does not parse.
    if !call.data().plugin.clusters.contains(&cluster) {
        return Err(Status::ParseFailure.into());
    }
    Ok(GrpcTarget {
        cluster,
        service,
        method,
        metadata,
    })
}

#[allow(clippy::too_many_arguments, reason = "the ABI's own list of arguments")]
fn grpc_call(
    call: &mut Call<'_>,
    upstream: u32,
    upstream_len: u32,
    service: u32,
    service_len: u32,
    method: u32,
    method_len: u32,
    metadata: u32,
    metadata_len: u32,
    message: u32,
    message_len: u32,
    timeout_ms: u32,
    token_ptr: u32,
) -> Answer {
    let target = target(
        call,
        upstream,
        upstream_len,
        service,
        service_len,
        method,
        method_len,
        metadata,
        metadata_len,
    )?;
    let message = read(call, message, message_len)?;
    let state = call.data_mut();
    let token = state.calls.next_grpc_call();
    state.effects.push(Effect::GrpcCall {
        token,
        target,
        message,
        timeout_ms,
    });
    write_u32(call, token_ptr, token)
}

#[allow(clippy::too_many_arguments, reason = "the ABI's own list of arguments")]
fn grpc_stream(
    call: &mut Call<'_>,
    upstream: u32,
    upstream_len: u32,
    service: u32,
    service_len: u32,
    method: u32,
    method_len: u32,
    metadata: u32,
    metadata_len: u32,
    token_ptr: u32,
) -> Answer {
    let target = target(
        call,
        upstream,
        upstream_len,
        service,
        service_len,
        method,
        method_len,
        metadata,
        metadata_len,
    )?;
    let state = call.data_mut();
    let token = state.calls.next_grpc_stream();
    state.effects.push(Effect::GrpcOpen { token, target });
    write_u32(call, token_ptr, token)
}

fn is_call(token: u32) -> bool {
    token % 2 == 1
}

/// Numbers that Envoy never gives out are bad arguments, others that it does not know are not found.
fn token_or_refusal(token: u32) -> Result<(), Status> {
    if token == 0 || token == u32::MAX {
        return Err(Status::BadArgument);
    }
    Ok(())
}

fn grpc_send(
    call: &mut Call<'_>,
    token: u32,
    message: u32,
    message_len: u32,
    end_stream: u32,
) -> Answer {
    let message = read(call, message, message_len)?;
    token_or_refusal(token)?;
    if is_call(token) {
        return Err(Status::BadArgument.into());
    }
    let state = call.data_mut();
    let stream = state.calls.streams.get(&token).ok_or(Status::NotFound)?;
    // On a stream that the other side closed, Envoy says Ok and sends nothing.
    if !stream.remote_closed {
        state.effects.push(Effect::GrpcSend {
            token,
            message,
            end_stream: end_stream != 0,
        });
    }
    Ok(())
}

fn grpc_cancel(call: &mut Call<'_>, token: u32) -> Answer {
    token_or_refusal(token)?;
    let state = call.data_mut();
    let known = if is_call(token) {
        state.calls.grpc.remove(&token)
    } else {
        state.calls.streams.remove(&token).is_some()
    };
    if !known {
        return Err(Status::NotFound.into());
    }
    state.effects.push(Effect::GrpcCancel { token });
    Ok(())
}

fn grpc_close(call: &mut Call<'_>, token: u32) -> Answer {
    token_or_refusal(token)?;
    if is_call(token) {
        return grpc_cancel(call, token);
    }
    let state = call.data_mut();
    let stream = state
        .calls
        .streams
        .get_mut(&token)
        .ok_or(Status::NotFound)?;
    stream.local_closed = true;
    if stream.remote_closed {
        state.calls.streams.remove(&token);
    } else {
        state.effects.push(Effect::GrpcClose { token });
    }
    Ok(())
}
