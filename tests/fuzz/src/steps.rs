//! Bounds on work: how many edges of the program a call may go along for so many bytes of input.
//!
//! Counted, never timed, so the same input gives the same verdict on every machine. Counts only in the instrumented build of
//! `cargo xtask fuzz`; elsewhere there is nothing to count with, and calls are just made.

/// Edges that any call may go along, however short its input.
const FREE: u64 = 20_000;

/// Runs `call`, which may go along [`FREE`] edges and `per_byte` for each of `bytes`.
///
/// # Panics
/// When it took more: work then grows faster than the input.
pub fn bounded<T>(what: &str, bytes: usize, per_byte: u64, call: impl FnOnce() -> T) -> T {
    let before = so_far();
    let value = call();
    let steps = so_far().wrapping_sub(before);
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let allowed = FREE.saturating_add(bytes.saturating_mul(per_byte));
    assert!(
        steps <= allowed,
        "{what}: {steps} steps for {bytes} bytes, {allowed} are allowed"
    );
    value
}

/// Whether anything is counted: without, no bound would ever be passed.
#[must_use]
pub fn are_counted() -> bool {
    let before = so_far();
    let spaces = |text: &str| text.bytes().filter(|&byte| byte == b' ').count();
    std::hint::black_box(spaces(std::hint::black_box("a b c")));
    so_far() != before
}

#[cfg(feature = "libfuzzer")]
#[allow(unsafe_code, reason = "a function of `steps.c` without parameters")]
fn so_far() -> u64 {
    unsafe extern "C" {
        safe fn fuzz_steps() -> std::ffi::c_ulong;
    }
    fuzz_steps()
}

#[cfg(not(feature = "libfuzzer"))]
fn so_far() -> u64 {
    0
}
