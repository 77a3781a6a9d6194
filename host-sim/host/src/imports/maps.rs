//! Header and trailer maps: all at once, one at a time, and changes.

use wasmtime::Linker;

use super::{Answer, Call, hand_over, proxy, read};
use crate::abi::{MapType, Status, decode_pairs, encode_pairs};
use crate::state::State;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    proxy!(linker, "proxy_get_header_map_pairs", pairs,
        (map: u32, ptr_ptr: u32, size_ptr: u32));
    proxy!(linker, "proxy_set_header_map_pairs", set_pairs,
        (map: u32, ptr: u32, size: u32));
    proxy!(linker, "proxy_get_header_map_value", value,
        (map: u32, key: u32, key_len: u32, ptr_ptr: u32, size_ptr: u32));
    proxy!(linker, "proxy_add_header_map_value", add,
        (map: u32, key: u32, key_len: u32, value: u32, value_len: u32));
    proxy!(linker, "proxy_replace_header_map_value", replace,
        (map: u32, key: u32, key_len: u32, value: u32, value_len: u32));
    proxy!(linker, "proxy_remove_header_map_value", remove,
        (map: u32, key: u32, key_len: u32));
    Ok(())
}

fn kind(map: u32) -> Result<MapType, Status> {
    MapType::from_wasm(map).ok_or(Status::BadArgument)
}

fn pairs(call: &mut Call<'_>, map: u32, ptr_ptr: u32, size_ptr: u32) -> Answer {
    // Where a single value is a bad argument, all pairs of a missing map are simply none.
    let bytes = call
        .data_mut()
        .map(kind(map)?)
        .map(encode_pairs)
        .unwrap_or_default();
    hand_over(call, &bytes, ptr_ptr, size_ptr)
}

fn set_pairs(call: &mut Call<'_>, map: u32, ptr: u32, size: u32) -> Answer {
    let map = kind(map)?;
    let headers = decode_pairs(&read(call, ptr, size)?).unwrap_or_default();
    *call.data_mut().map_mut(map)? = headers;
    Ok(())
}

fn value(
    call: &mut Call<'_>,
    map: u32,
    key: u32,
    key_len: u32,
    ptr_ptr: u32,
    size_ptr: u32,
) -> Answer {
    let map = kind(map)?;
    let name = read(call, key, key_len)?;
    let value = call
        .data_mut()
        .map(map)?
        .get_bytes(&name)
        .ok_or(Status::NotFound)?
        .to_vec();
    hand_over(call, &value, ptr_ptr, size_ptr)
}

fn add(
    call: &mut Call<'_>,
    map: u32,
    key: u32,
    key_len: u32,
    value: u32,
    value_len: u32,
) -> Answer {
    let map = kind(map)?;
    let (name, value) = (read(call, key, key_len)?, read(call, value, value_len)?);
    call.data_mut().map_mut(map)?.add(&name, &value);
    Ok(())
}

fn replace(
    call: &mut Call<'_>,
    map: u32,
    key: u32,
    key_len: u32,
    value: u32,
    value_len: u32,
) -> Answer {
    let map = kind(map)?;
    let (name, value) = (read(call, key, key_len)?, read(call, value, value_len)?);
    call.data_mut().map_mut(map)?.set(&name, &value);
    Ok(())
}

fn remove(call: &mut Call<'_>, map: u32, key: u32, key_len: u32) -> Answer {
    let map = kind(map)?;
    let name = read(call, key, key_len)?;
    call.data_mut().map_mut(map)?.remove(&name);
    Ok(())
}
