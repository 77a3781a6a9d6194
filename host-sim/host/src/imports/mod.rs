//! What a module may import, and how its memory is read and written.
//!
//! `env.proxy_*` is the proxy-wasm ABI, `wasi_snapshot_preview1.*` the little of WASI that a Rust module needs. An import
//! that is not defined here becomes a trap that names itself, so nothing is ever silently faked.

mod buffers;
mod callouts;
mod foreign;
mod maps;
mod plain;
mod properties;
mod shared;
mod wasi;

use wasmtime::{Caller, Engine, InstancePre, Linker, Module};

use crate::abi::Status;
use crate::state::{Guest, State};

/// A host call in progress.
pub(crate) type Call<'a> = Caller<'a, State>;

/// Why a host call does not answer [`Status::Ok`].
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Tell the module.
    Status(Status),
    /// Stop the module.
    Trap(wasmtime::Error),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<wasmtime::Error> for Refusal {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

/// What a host call comes to.
pub(crate) type Answer = Result<(), Refusal>;

/// The number that goes back to the module.
fn number(answer: Answer) -> wasmtime::Result<u32> {
    match answer {
        Ok(()) => Ok(Status::Ok as u32),
        Err(Refusal::Status(status)) => Ok(status as u32),
        Err(Refusal::Trap(error)) => Err(error),
    }
}

/// Defines `env.<name>` from a function over [`Call`] and the listed numbers.
macro_rules! proxy {
    ($linker:expr, $name:literal, $function:path, ($($argument:ident: $kind:ty),*)) => {
        $linker.func_wrap(
            "env",
            $name,
            |mut call: $crate::imports::Call<'_>, $($argument: $kind),*| {
                call.data_mut().before_host_call()?;
                $crate::imports::number($function(&mut call, $($argument),*))
            },
        )?;
    };
}
pub(crate) use proxy;

/// The module with all its imports, ready to be instantiated.
pub(crate) fn link(engine: &Engine, module: &Module) -> wasmtime::Result<InstancePre<State>> {
    let mut linker = Linker::new(engine);
    buffers::define(&mut linker)?;
    callouts::define(&mut linker)?;
    foreign::define(&mut linker)?;
    maps::define(&mut linker)?;
    plain::define(&mut linker)?;
    properties::define(&mut linker)?;
    shared::define(&mut linker)?;
    wasi::define(&mut linker)?;
    linker.define_unknown_imports_as_traps(module)?;
    linker.instantiate_pre(module)
}

fn guest(call: &Call<'_>) -> Result<Guest, Refusal> {
    call.data().guest.clone().ok_or_else(|| {
        Refusal::Trap(wasmtime::Error::msg(
            "a host call before the module was instantiated",
        ))
    })
}

fn range(ptr: u32, len: u32, size: usize) -> Result<std::ops::Range<usize>, Refusal> {
    let outside = Refusal::Status(Status::InvalidMemoryAccess);
    let (Ok(start), Ok(len)) = (usize::try_from(ptr), usize::try_from(len)) else {
        return Err(outside);
    };
    match start.checked_add(len) {
        Some(end) if end <= size => Ok(start..end),
        _ => Err(outside),
    }
}

/// A copy of the module's memory there.
pub(crate) fn read(call: &Call<'_>, ptr: u32, len: u32) -> Result<Vec<u8>, Refusal> {
    let memory = guest(call)?.memory;
    let data = memory.data(call);
    Ok(data[range(ptr, len, data.len())?].to_vec())
}

/// Overwrites the module's memory there.
pub(crate) fn write(call: &mut Call<'_>, ptr: u32, bytes: &[u8]) -> Answer {
    let memory = guest(call)?.memory;
    let data = memory.data_mut(call);
    let len = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
    let place = range(ptr, len, data.len())?;
    data[place].copy_from_slice(bytes);
    Ok(())
}

/// Writes a 32-bit number.
pub(crate) fn write_u32(call: &mut Call<'_>, ptr: u32, value: u32) -> Answer {
    write(call, ptr, &value.to_le_bytes())
}

/// Writes a 64-bit number.
pub(crate) fn write_u64(call: &mut Call<'_>, ptr: u32, value: u64) -> Answer {
    write(call, ptr, &value.to_le_bytes())
}

/// Gives bytes to the module in memory that it allocates; no bytes become a null pointer.
pub(crate) fn hand_over(call: &mut Call<'_>, bytes: &[u8], ptr_ptr: u32, size_ptr: u32) -> Answer {
    let len = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
    let mut place = 0;
    if len > 0 {
        let allocate = guest(call)?.allocate;
        place = allocate.call(&mut *call, len)?;
        if place == 0 {
            return Err(Status::InvalidMemoryAccess.into());
        }
        write(call, place, bytes)?;
    }
    write_u32(call, ptr_ptr, place)?;
    write_u32(call, size_ptr, len)
}

/// Text for logs and names: what is not UTF-8 is shown as such.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
