//! The little of WASI that the module is linked against. The numbers are WASI's errno.

use super::{OUTSIDE, Transcript};
use crate::raw::*;

pub fn all(t: &mut Transcript) {
    let mut bytes = [0_u8; 64];
    unsafe {
        let status = random_get(bytes.as_mut_ptr(), bytes.len());
        let form = if bytes == [0; 64] { "zeroes" } else { "chance" };
        t.told("random_get(64)", status, form);
        t.status("random_get(0)", random_get(bytes.as_mut_ptr(), 0));
        t.status("random_get(outside)", random_get(OUTSIDE as *mut u8, 4));
        let mut many = vec![0_u8; 65_537];
        t.status("random_get(65536)", random_get(many.as_mut_ptr(), 65_536));
        t.status("random_get(65537)", random_get(many.as_mut_ptr(), 65_537));
        let (mut count, mut size) = (usize::MAX, usize::MAX);
        let status = environ_sizes_get(&mut count, &mut size);
        t.told("environ_sizes_get()", status, &format!("{count} {size}"));
        t.status(
            "environ_sizes_get(count outside)",
            environ_sizes_get(OUTSIDE as *mut usize, &mut size),
        );
        t.status(
            "environ_sizes_get(size outside)",
            environ_sizes_get(&mut count, OUTSIDE as *mut usize),
        );
        let (mut list, mut text) = ([0_usize; 4], [0_u8; 64]);
        t.status(
            "environ_get()",
            environ_get(list.as_mut_ptr(), text.as_mut_ptr()),
        );
        t.status(
            "environ_get(outside)",
            environ_get(OUTSIDE as *mut usize, text.as_mut_ptr()),
        );
    }
    let text = "a line\n";
    let parts = [[text.as_ptr() as usize, 2], [text.as_ptr() as usize + 2, 5]];
    let nothing = [[text.as_ptr() as usize, 0]];
    let outside = [[OUTSIDE, 4]];
    let write =
        |t: &mut Transcript, what: &str, fd: u32, parts: *const [usize; 2], count: usize| {
            let mut written = usize::MAX;
            let errno = unsafe { fd_write(fd, parts, count, &mut written) };
            let form = if written == usize::MAX {
                "untouched".to_owned()
            } else {
                written.to_string()
            };
            t.told(&format!("fd_write({what})"), errno, &form);
        };
    for fd in [0, 1, 2, 3, u32::MAX] {
        write(t, &format!("to {fd}"), fd, parts.as_ptr(), 2);
    }
    write(t, "of nothing", 2, nothing.as_ptr(), 1);
    write(t, "of no parts", 2, parts.as_ptr(), 0);
    write(t, "of a part outside", 2, outside.as_ptr(), 1);
    write(t, "of parts outside", 2, OUTSIDE as *const [usize; 2], 1);
    let errno = unsafe { fd_write(2, parts.as_ptr(), 2, OUTSIDE as *mut usize) };
    t.status("fd_write(number outside)", errno);
}
