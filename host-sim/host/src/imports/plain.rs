//! The rest of the ABI: logs, time, ticks, stream control, local replies, the effective context.

use wasmtime::Linker;

use super::{Answer, Call, hand_over, proxy, read, text, write_u32, write_u64};
use crate::abi::{LogLevel, Status, decode_pairs};
use crate::effects::Effect;
use crate::state::{Deferred, ROOT_CONTEXT, State};
use crate::stream::{LocalReply, Side};

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    proxy!(linker, "proxy_log", log, (level: u32, ptr: u32, len: u32));
    proxy!(linker, "proxy_get_log_level", log_level, (level_ptr: u32));
    proxy!(linker, "proxy_get_current_time_nanoseconds", time, (time_ptr: u32));
    proxy!(linker, "proxy_set_tick_period_milliseconds", set_tick, (period_ms: u32));
    proxy!(linker, "proxy_continue_stream", resume, (kind: u32));
    proxy!(linker, "proxy_close_stream", close, (kind: u32));
    proxy!(linker, "proxy_send_local_response", reply,
        (status: u32, details: u32, details_len: u32, body: u32, body_len: u32, headers: u32,
         headers_len: u32, grpc_status: i32));
    proxy!(linker, "proxy_set_effective_context", effective, (context: u32));
    proxy!(linker, "proxy_done", done, ());
    proxy!(linker, "proxy_get_status", status,
        (code_ptr: u32, ptr_ptr: u32, size_ptr: u32));
    Ok(())
}

fn log(call: &mut Call<'_>, level: u32, ptr: u32, len: u32) -> Answer {
    let level = LogLevel::from_wasm(level).ok_or(Status::BadArgument)?;
    let message = read(call, ptr, len)?;
    write_log(call.data_mut(), level, &message);
    Ok(())
}

/// Shows a line unless it is below the plugin's level.
pub(super) fn write_log(state: &mut State, level: LogLevel, message: &[u8]) {
    if level >= state.plugin.log_level {
        let message = text(message);
        state.effects.push(Effect::Log { level, message });
    }
}

fn log_level(call: &mut Call<'_>, level_ptr: u32) -> Answer {
    let level = call.data().plugin.log_level;
    write_u32(call, level_ptr, level as u32)
}

fn time(call: &mut Call<'_>, time_ptr: u32) -> Answer {
    let now = call.data().clock.now_ns();
    write_u64(call, time_ptr, now)
}

fn set_tick(call: &mut Call<'_>, period_ms: u32) -> Answer {
    call.data_mut().effects.push(Effect::SetTick { period_ms });
    Ok(())
}

/// The kinds of stream: of an HTTP request, and of a raw connection, which a filter of requests does not have.
fn side(kind: u32) -> Result<Option<Side>, Status> {
    match kind {
        0 => Ok(Some(Side::Request)),
        1 => Ok(Some(Side::Response)),
        2 | 3 => Ok(None),
        _ => Err(Status::BadArgument),
    }
}

fn resume(call: &mut Call<'_>, kind: u32) -> Answer {
    let Some(side) = side(kind)? else {
        // As measured: the downstream one is let through, the upstream one is not there.
        return if kind == 2 {
            Ok(())
        } else {
            Err(Status::Unimplemented.into())
        };
    };
    let state = call.data_mut();
    let id = state.acting();
    if let Some(stream) = state.streams.get_mut(&id) {
        // Whichever side is resumed, Envoy takes the request's maps away.
        stream.request.headers_open = false;
        stream.request.trailers_open = false;
        state
            .deferred
            .push_back(Deferred::Resume { stream: id, side });
    }
    Ok(())
}

fn close(call: &mut Call<'_>, kind: u32) -> Answer {
    if side(kind)?.is_none() {
        return Ok(());
    }
    let state = call.data_mut();
    let id = state.acting();
    if state.streams.contains_key(&id) {
        state.deferred.push_back(Deferred::Reset { stream: id });
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the ABI's own list of arguments")]
fn reply(
    call: &mut Call<'_>,
    status: u32,
    details: u32,
    details_len: u32,
    body: u32,
    body_len: u32,
    headers: u32,
    headers_len: u32,
    grpc_status: i32,
) -> Answer {
    read(call, details, details_len)?;
    let body = read(call, body, body_len)?;
    let headers = decode_pairs(&read(call, headers, headers_len)?).unwrap_or_default();
    let state = call.data_mut();
    let stream = state.acting();
    if state.streams.contains_key(&stream) {
        let reply = LocalReply {
            status,
            headers,
            body,
            grpc_status,
        };
        state.deferred.push_back(Deferred::Reply { stream, reply });
    }
    // Even when another context is answered: Envoy stops the callback that is running.
    state.stop_iteration = true;
    Ok(())
}

fn effective(call: &mut Call<'_>, context: u32) -> Answer {
    let state = call.data_mut();
    if !state.has_context(context) {
        return Err(Status::BadArgument.into());
    }
    state.effective = context;
    Ok(())
}

fn done(call: &mut Call<'_>) -> Answer {
    let state = call.data_mut();
    if !state.draining || state.acting() != ROOT_CONTEXT {
        return Err(Status::NotFound.into());
    }
    state.draining = false;
    state.deferred.push_back(Deferred::Drained);
    Ok(())
}

fn status(call: &mut Call<'_>, code_ptr: u32, ptr_ptr: u32, size_ptr: u32) -> Answer {
    let delivery = &call.data().delivery;
    let (code, message) = (delivery.status_code, delivery.status_message.clone());
    write_u32(call, code_ptr, code)?;
    hand_over(call, message.as_bytes(), ptr_ptr, size_ptr)
}
