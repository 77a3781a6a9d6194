//! Every host call that the product's module imports, called with good, boundary and bad arguments: one line for each call.
//!
//! A line is `name(arguments) => status [what came back]`. The lines of one battery depend on nothing but the host and the
//! phase of the request that it is asked in, so that two hosts can be compared line by line. What differs from run to run (ids,
//! times, chance) is told by its form.
//!
//! No call of a battery ends, resumes or answers a request, and none leaves a callout behind: those that do have a request of
//! their own, in `endings`.

mod buffers;
mod callouts;
pub mod endings;
mod maps;
mod metrics;
mod plain;
mod properties;
mod shared;
mod wasi;

use std::ptr::null_mut;

use crate::raw;

/// An address that no module's memory reaches: linear memory ends at 1 GiB.
pub const OUTSIDE: usize = 0xffff_ff00;
/// What a variable holds that the host has not touched.
const UNTOUCHED: usize = 0x5a5a_5a5a;
/// Longer bytes are told by their number.
const SHOWN_BYTES: usize = 60;

/// Lines so far.
#[derive(Default)]
pub struct Transcript(Vec<String>);

impl Transcript {
    /// Notes a call that gives a status only.
    pub fn status(&mut self, call: &str, status: u32) {
        self.0.push(format!("{call} => {status}"));
    }

    /// Notes a call with what it gave besides the status.
    pub fn told(&mut self, call: &str, status: u32, what: &str) {
        self.0.push(format!("{call} => {status} {what}"));
    }

    /// Makes and notes a call that gives bytes; shown as `show` says.
    pub fn bytes_as(
        &mut self,
        call: &str,
        show: impl FnOnce(&[u8]) -> String,
        make: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
    ) {
        let (mut data, mut size) = (UNTOUCHED as *mut u8, UNTOUCHED);
        let status = make(&mut data, &mut size);
        let what = match (data as usize, size) {
            (UNTOUCHED, UNTOUCHED) => "untouched".to_owned(),
            (0, 0) => "nothing".to_owned(),
            (UNTOUCHED, size) => format!("no address, {size} bytes"),
            (_, UNTOUCHED) => "an address, no size".to_owned(),
            (0, size) => format!("address 0, {size} bytes"),
            (_, size) => {
                // SAFETY: the host filled memory that this module's allocator made with that size.
                let bytes = unsafe { Vec::from_raw_parts(data, size, size) };
                show(&bytes)
            }
        };
        self.told(call, status, &what);
    }

    /// The same; the bytes are shown.
    pub fn bytes(&mut self, call: &str, make: impl FnOnce(*mut *mut u8, *mut usize) -> u32) {
        self.bytes_as(call, shown, make);
    }

    /// The same call with each of the two variables outside of memory.
    pub fn bytes_nowhere(
        &mut self,
        call: &str,
        mut make: impl FnMut(*mut *mut u8, *mut usize) -> u32,
    ) {
        let (mut data, mut size) = (null_mut(), 0);
        let no_address = make(OUTSIDE as *mut *mut u8, &mut size);
        self.status(&format!("{call}, address outside"), no_address);
        let no_size = make(&mut data, OUTSIDE as *mut usize);
        self.status(&format!("{call}, size outside"), no_size);
    }

    /// All lines, each with the phase before it.
    pub fn text(&self, phase: &str) -> String {
        self.0
            .iter()
            .map(|line| format!("{phase} {line}\n"))
            .collect()
    }
}

/// Bytes, or how many there are.
pub fn shown(bytes: &[u8]) -> String {
    if bytes.len() > SHOWN_BYTES {
        return format!("{} bytes", bytes.len());
    }
    format!("\"{}\"", bytes.escape_ascii())
}

/// The battery, asked in the name of context `own`.
pub fn battery(own: u32) -> Transcript {
    let mut transcript = Transcript::default();
    plain::all(&mut transcript, own);
    maps::all(&mut transcript);
    buffers::all(&mut transcript);
    shared::data(&mut transcript);
    shared::queues(&mut transcript);
    metrics::all(&mut transcript);
    properties::all(&mut transcript);
    callouts::all(&mut transcript);
    wasi::all(&mut transcript);
    transcript
}

/// Makes the battery and keeps its lines in shared data, under the phase's name.
pub fn record(phase: &str, own: u32) {
    keep(phase, &battery(own));
}

/// Keeps lines in shared data, under the phase's name.
pub fn keep(phase: &str, transcript: &Transcript) {
    let text = transcript.text(phase);
    let key = format!("transcript {phase}");
    raw::set_data(key.as_bytes(), text.as_bytes(), 0);
}
