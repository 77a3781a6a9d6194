//! Metrics: the three kinds and others, ids that were given out and ids that were not.

use super::{OUTSIDE, Transcript};
use crate::raw::*;

pub fn all(t: &mut Transcript) {
    let name = format!("probe_{}", random());
    let define = |t: &mut Transcript, kind: u32, name: &str, what: &str| -> u32 {
        let mut id = u32::MAX;
        let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) };
        let form = if id == u32::MAX {
            "untouched".to_owned()
        } else {
            format!("an id of kind {}", id % 4)
        };
        t.told(&format!("proxy_define_metric({what})"), status, &form);
        id
    };
    let ids = [
        ("counter", define(t, 0, &format!("{name}_c"), "counter")),
        ("gauge", define(t, 1, &format!("{name}_g"), "gauge")),
        ("histogram", define(t, 2, &format!("{name}_h"), "histogram")),
    ];
    for kind in [3, 4, 9, u32::MAX] {
        define(t, kind, &name, &format!("kind {kind}"));
    }
    let again = define(t, 0, &format!("{name}_c"), "counter again");
    t.told(
        "proxy_define_metric(counter again), id",
        0,
        if again == ids[0].1 {
            "the same"
        } else {
            "another"
        },
    );
    // The names of a counter and of a gauge are two names.
    let gauge_of_counter = define(t, 1, &format!("{name}_c"), "gauge of a counter's name");
    unsafe {
        let mut id = 0;
        t.status(
            "proxy_define_metric(name outside)",
            proxy_define_metric(0, OUTSIDE as *const u8, 4, &mut id),
        );
        t.status(
            "proxy_define_metric(id outside)",
            proxy_define_metric(0, name.as_ptr(), name.len(), OUTSIDE as *mut u32),
        );
    }
    let get = |t: &mut Transcript, id: u32, what: &str| {
        let mut value = u64::MAX / 3;
        let status = unsafe { proxy_get_metric(id, &mut value) };
        let value = if value == u64::MAX / 3 {
            "untouched".to_owned()
        } else {
            value.to_string()
        };
        t.told(&format!("proxy_get_metric({what})"), status, &value);
    };
    for (kind, id) in ids {
        get(t, id, &format!("{kind}, new"));
        for value in [5, 0, 1 << 40] {
            let status = unsafe { proxy_record_metric(id, value) };
            t.status(&format!("proxy_record_metric({kind} {value})"), status);
            get(t, id, &format!("{kind}, after {value}"));
        }
        for by in [2, 0, -1, i64::MAX, -(1 << 50)] {
            let status = unsafe { proxy_increment_metric(id, by) };
            t.status(&format!("proxy_increment_metric({kind} {by})"), status);
            get(t, id, &format!("{kind}, moved by {by}"));
        }
        let status = unsafe { proxy_get_metric(id, OUTSIDE as *mut u64) };
        t.status(&format!("proxy_get_metric({kind}, value outside)"), status);
    }
    get(t, again, "counter by its other id");
    get(t, gauge_of_counter, "gauge of a counter's name");
    for id in [0, 1, 2, 3, 400_000, 400_001, 400_002, 400_003, u32::MAX] {
        get(t, id, &format!("unknown id {id}"));
        let record = unsafe { proxy_record_metric(id, 1) };
        t.status(&format!("proxy_record_metric(unknown id {id})"), record);
        let increment = unsafe { proxy_increment_metric(id, 1) };
        t.status(
            &format!("proxy_increment_metric(unknown id {id})"),
            increment,
        );
    }
}
