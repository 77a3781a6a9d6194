//! The part of WASI that a Rust module is linked against, with the answers that Envoy gives.
//!
//! Clock and randomness come from the ports; standard output and error become log lines; there are no files, arguments or
//! environment. Numbers are WASI's errno.

use wasmtime::Linker;

use super::{Call, Refusal, plain, read, write, write_u32, write_u64};
use crate::abi::LogLevel;
use crate::state::State;

const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const NOSYS: u32 = 52;
const NOTSUP: u32 = 58;

/// A module that asks for more random bytes at once is broken.
const MAX_RANDOM_BYTES: u32 = 64 * 1024;

/// What an operation comes to: an errno, or a trap.
type Errno = Result<u32, Refusal>;

fn number(answer: Errno) -> wasmtime::Result<u32> {
    match answer {
        Ok(errno) => Ok(errno),
        // Memory outside the module is the only status that the helpers give.
        Err(Refusal::Status(_)) => Ok(FAULT),
        Err(Refusal::Trap(error)) => Err(error),
    }
}

macro_rules! wasi {
    ($linker:expr, $name:literal, $function:expr, ($($argument:ident: $kind:ty),*)) => {
        $linker.func_wrap(
            "wasi_snapshot_preview1",
            $name,
            |mut call: Call<'_>, $($argument: $kind),*| number($function(&mut call, $($argument),*)),
        )?;
    };
}

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasi!(linker, "clock_time_get", clock_time_get, (id: u32, precision: u64, time_ptr: u32));
    wasi!(linker, "random_get", random_get, (ptr: u32, len: u32));
    wasi!(linker, "fd_write", fd_write, (fd: u32, iovs: u32, iovs_len: u32, written_ptr: u32));
    wasi!(linker, "fd_fdstat_get", fd_fdstat_get, (fd: u32, stat_ptr: u32));
    wasi!(linker, "environ_sizes_get", no_list, (count_ptr: u32, size_ptr: u32));
    wasi!(linker, "args_sizes_get", no_list, (count_ptr: u32, size_ptr: u32));
    wasi!(linker, "environ_get", |_: &mut Call<'_>, _, _| Ok(SUCCESS), (a: u32, b: u32));
    wasi!(linker, "args_get", |_: &mut Call<'_>, _, _| Ok(SUCCESS), (a: u32, b: u32));
    wasi!(linker, "sched_yield", |_: &mut Call<'_>| Ok(SUCCESS), ());
    wasi!(linker, "fd_close", |_: &mut Call<'_>, _| Ok(SUCCESS), (fd: u32));
    wasi!(linker, "fd_seek", |_: &mut Call<'_>, _, _, _, _| Ok(SUCCESS),
        (fd: u32, offset: i64, whence: u32, result_ptr: u32));
    wasi!(linker, "fd_read", |_: &mut Call<'_>, _, _, _, _| Ok(NOSYS),
        (fd: u32, iovs: u32, iovs_len: u32, read_ptr: u32));
    wasi!(linker, "fd_prestat_get", |_: &mut Call<'_>, _, _| Ok(BADF), (fd: u32, ptr: u32));
    wasi!(linker, "fd_prestat_dir_name", |_: &mut Call<'_>, _, _, _| Ok(BADF),
        (fd: u32, ptr: u32, len: u32));
    linker.func_wrap(
        "wasi_snapshot_preview1",
        "proc_exit",
        |mut call: Call<'_>, code: u32| {
            // As in Envoy it returns. What a compiler puts behind it traps.
            let line = format!("the module wants to end with exit code {code}");
            plain::write_log(call.data_mut(), LogLevel::Error, line.as_bytes());
        },
    )?;
    Ok(())
}

fn clock_time_get(call: &mut Call<'_>, id: u32, _precision: u64, time_ptr: u32) -> Errno {
    let time = match id {
        0 => call.data().clock.now_ns(),
        1 => call.data().clock.monotonic_ns(),
        _ => return Ok(NOTSUP),
    };
    write_u64(call, time_ptr, time)?;
    Ok(SUCCESS)
}

fn random_get(call: &mut Call<'_>, ptr: u32, len: u32) -> Errno {
    if len > MAX_RANDOM_BYTES {
        return Ok(INVAL);
    }
    let mut bytes = read(call, ptr, len)?;
    call.data_mut().random.fill(&mut bytes);
    write(call, ptr, &bytes)?;
    Ok(SUCCESS)
}

fn fd_write(call: &mut Call<'_>, fd: u32, iovs: u32, iovs_len: u32, written_ptr: u32) -> Errno {
    let level = match fd {
        1 => LogLevel::Info,
        2 => LogLevel::Error,
        _ => return Ok(BADF),
    };
    let table_len = iovs_len.saturating_mul(8);
    let mut line = Vec::new();
    for entry in read(call, iovs, table_len)?.chunks_exact(8) {
        let word = |at: usize| {
            entry[at..]
                .iter()
                .take(4)
                .rev()
                .fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte))
        };
        line.extend(read(call, word(0), word(4))?);
    }
    let written = u32::try_from(line.len()).unwrap_or(u32::MAX);
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if written > 0 {
        plain::write_log(call.data_mut(), level, &line);
    }
    write_u32(call, written_ptr, written)?;
    Ok(SUCCESS)
}

/// Standard output and error may be written to; everything else is zero.
fn fd_fdstat_get(call: &mut Call<'_>, fd: u32, stat_ptr: u32) -> Errno {
    if fd != 1 && fd != 2 {
        return Ok(BADF);
    }
    let mut stat = [0; 24];
    stat[8] = 64;
    write(call, stat_ptr, &stat)?;
    Ok(SUCCESS)
}

fn no_list(call: &mut Call<'_>, count_ptr: u32, size_ptr: u32) -> Errno {
    write_u32(call, count_ptr, 0)?;
    write_u32(call, size_ptr, 0)?;
    Ok(SUCCESS)
}
