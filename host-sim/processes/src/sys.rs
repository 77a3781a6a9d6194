//! The few system calls that the standard library lacks: process-group signals, death with the parent, noticing SIGINT and
//! SIGTERM, and the limit on open files. All `unsafe` of this crate is in this file.
#![allow(
    unsafe_code,
    reason = "signals, prctl and pre_exec have no safe form in the standard library"
)]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static NOTED: AtomicBool = AtomicBool::new(false);

/// Signals that a process harness sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: please end.
    Terminate,
    /// SIGKILL: end now.
    Kill,
    /// SIGSTOP: freeze.
    Stop,
    /// SIGCONT: thaw.
    Continue,
}

/// Sends `signal` to the process group led by `pid`. A group that is already gone is no error.
pub fn signal_group(pid: u32, signal: Signal) {
    let number = match signal {
        Signal::Terminate => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
        Signal::Stop => libc::SIGSTOP,
        Signal::Continue => libc::SIGCONT,
    };
    // A pid of 0 or 1 would address our own group or every process: children never have either.
    if let Ok(group) = i32::try_from(pid)
        && group > 1
    {
        // SAFETY: kill takes plain integers and touches no memory of ours.
        unsafe { libc::kill(-group, number) };
    }
}

/// Makes the child a group leader that the kernel kills when the thread that started it ends.
pub fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    command.process_group(0);
    // SAFETY: between fork and exec only async-signal-safe calls are made, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before prctl took effect.
            if u32::try_from(libc::getppid()) != Ok(parent) {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

/// From now on SIGINT and SIGTERM only set what [`interrupted`] tells.
pub fn stop_on_signals() {
    extern "C" fn note(_signal: libc::c_int) {
        INTERRUPTED.store(true, Ordering::SeqCst);
    }
    NOTED.store(true, Ordering::SeqCst);
    let handler = note as extern "C" fn(libc::c_int);
    for number in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        unsafe { libc::signal(number, handler as libc::sighandler_t) };
    }
}

/// Lets this process, and those that it starts from now on, open as many files as the machine allows it. Returns how many
/// those are.
///
/// # Errors
/// When the system refuses.
pub fn raise_file_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a local of that very type, which outlives the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above; the call only reads.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit.rlim_cur)
}

/// Whether SIGINT or SIGTERM came since [`stop_on_signals`].
#[must_use]
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Whether [`stop_on_signals`] was called.
pub fn signals_are_noted() -> bool {
    NOTED.load(Ordering::SeqCst)
}
