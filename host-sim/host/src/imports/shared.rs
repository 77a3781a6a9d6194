//! What is shared between VMs: data, queues, metrics. The rules are in [`crate::shared`] and [`crate::metrics`].

use wasmtime::Linker;

use super::{Answer, Call, hand_over, proxy, read, text, write_u32, write_u64};
use crate::abi::Status;
use crate::effects::Effect;
use crate::shared::Registrant;
use crate::state::{ROOT_CONTEXT, State};

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    proxy!(linker, "proxy_get_shared_data", get_data,
        (key: u32, key_len: u32, ptr_ptr: u32, size_ptr: u32, cas_ptr: u32));
    proxy!(linker, "proxy_set_shared_data", set_data,
        (key: u32, key_len: u32, value: u32, value_len: u32, cas: u32));
    proxy!(linker, "proxy_register_shared_queue", register,
        (name: u32, name_len: u32, id_ptr: u32));
    proxy!(linker, "proxy_resolve_shared_queue", resolve,
        (vm_id: u32, vm_id_len: u32, name: u32, name_len: u32, id_ptr: u32));
    proxy!(linker, "proxy_dequeue_shared_queue", dequeue,
        (id: u32, ptr_ptr: u32, size_ptr: u32));
    proxy!(linker, "proxy_enqueue_shared_queue", enqueue,
        (id: u32, value: u32, value_len: u32));
    proxy!(linker, "proxy_define_metric", define_metric,
        (kind: u32, name: u32, name_len: u32, id_ptr: u32));
    proxy!(linker, "proxy_get_metric", get_metric, (id: u32, value_ptr: u32));
    proxy!(linker, "proxy_record_metric", record_metric, (id: u32, value: u64));
    proxy!(linker, "proxy_increment_metric", increment_metric, (id: u32, offset: i64));
    Ok(())
}

fn get_data(
    call: &mut Call<'_>,
    key: u32,
    key_len: u32,
    ptr_ptr: u32,
    size_ptr: u32,
    cas_ptr: u32,
) -> Answer {
    let key = read(call, key, key_len)?;
    let state = call.data();
    let (value, version) = state
        .shared
        .data
        .get(&state.plugin.vm_id, &key)
        .ok_or(Status::NotFound)?;
    hand_over(call, &value, ptr_ptr, size_ptr)?;
    write_u32(call, cas_ptr, version)
}

fn set_data(
    call: &mut Call<'_>,
    key: u32,
    key_len: u32,
    value: u32,
    value_len: u32,
    cas: u32,
) -> Answer {
    let (key, value) = (read(call, key, key_len)?, read(call, value, value_len)?);
    let state = call.data();
    let data = &state.shared.data;
    Ok(data.set(&state.plugin.vm_id, &key, &value, cas)?)
}

fn register(call: &mut Call<'_>, name: u32, name_len: u32, id_ptr: u32) -> Answer {
    let name = read(call, name, name_len)?;
    let state = call.data();
    let registrant = Registrant {
        address: state.address,
        context: ROOT_CONTEXT,
    };
    let queues = &state.shared.queues;
    let id = queues.register(&state.plugin.vm_id, &name, registrant);
    write_u32(call, id_ptr, id)
}

fn resolve(
    call: &mut Call<'_>,
    vm_id: u32,
    vm_id_len: u32,
    name: u32,
    name_len: u32,
    id_ptr: u32,
) -> Answer {
    let (vm_id, name) = (read(call, vm_id, vm_id_len)?, read(call, name, name_len)?);
    let state = call.data();
    let vm_id = if vm_id.is_empty() {
        state.plugin.vm_id.clone()
    } else {
        text(&vm_id)
    };
    let id = state
        .shared
        .queues
        .resolve(&vm_id, &name)
        .ok_or(Status::NotFound)?;
    write_u32(call, id_ptr, id)
}

fn dequeue(call: &mut Call<'_>, id: u32, ptr_ptr: u32, size_ptr: u32) -> Answer {
    let item = call.data().shared.queues.dequeue(id)?;
    hand_over(call, &item, ptr_ptr, size_ptr)
}

fn enqueue(call: &mut Call<'_>, id: u32, value: u32, value_len: u32) -> Answer {
    let value = read(call, value, value_len)?;
    let state = call.data_mut();
    let to = state.shared.queues.enqueue(id, &value)?;
    state.effects.push(Effect::QueueReady { to, queue: id });
    Ok(())
}

fn define_metric(call: &mut Call<'_>, kind: u32, name: u32, name_len: u32, id_ptr: u32) -> Answer {
    let name = text(&read(call, name, name_len)?);
    let state = call.data_mut();
    let id = state.metrics.define(&state.shared.metrics, kind, &name)?;
    write_u32(call, id_ptr, id)
}

fn get_metric(call: &mut Call<'_>, id: u32, value_ptr: u32) -> Answer {
    let state = call.data();
    let value = state.metrics.get(&state.shared.metrics, id)?;
    write_u64(call, value_ptr, value)
}

fn record_metric(call: &mut Call<'_>, id: u32, value: u64) -> Answer {
    let state = call.data();
    Ok(state.metrics.record(&state.shared.metrics, id, value)?)
}

fn increment_metric(call: &mut Call<'_>, id: u32, offset: i64) -> Answer {
    let state = call.data();
    Ok(state.metrics.increment(&state.shared.metrics, id, offset)?)
}
