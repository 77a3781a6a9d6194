//! What several VMs of one process share, and what each has for itself: metrics by name, ticks.

use std::collections::BTreeSet;

use super::{on_each, said};
use crate::common::client::{get, send};
use crate::common::upstream::Upstream;
use crate::common::{Gateway, clusters, gateways_with, until};

/// Ticks of the main thread's VM that stand for a while.
const WHILE_TICKS: u64 = 25;

/// One more on the counter: which VM did it, and what it found. Nothing where a VM is being replaced.
fn count(gateway: &Gateway, name: &str) -> Option<(String, String)> {
    let answer = send(
        gateway.address(),
        "GET",
        "/probe/count",
        &[("x-name", name.as_bytes())],
        b"",
    );
    if answer.status == 503 {
        return None;
    }
    assert_eq!(answer.status, 200, "{}: {answer:?}", gateway.name());
    let (vm, value) = answer.body.split_once('\n').expect("two lines");
    Some((vm.to_owned(), value.to_owned()))
}

#[test]
fn a_counter_is_one_for_all_vms_and_outlives_each() {
    let upstream = Upstream::start();
    for gateway in gateways_with(&clusters(upstream.address), "", 2) {
        let name = gateway.name();
        eprintln!("on {name}");
        let (mut vms, mut counted) = (BTreeSet::new(), 0_u64);
        // A connection of its own for each request: every worker gets some.
        let mut ask_until = |vms_wanted: usize| {
            until("every VM was asked", || {
                if let Some((vm, value)) = count(&gateway, "probe_of_all") {
                    counted += 1;
                    assert_eq!(value, format!("Ok({counted})"), "{name}");
                    vms.insert(vm);
                }
                vms.len() >= vms_wanted
            });
        };
        ask_until(2);
        // A VM is lost; the one in its place defines the same name and finds what was counted.
        assert_eq!(get(gateway.address(), "/probe/trap").status, 503, "{name}");
        ask_until(3);
        let stats = get(gateway.admin(), "/stats?filter=probe_of_all").body;
        assert!(
            stats.contains("wasmcustom.probe_of_all: "),
            "{name}: {stats}"
        );
    }
}

#[test]
fn a_tick_period_is_the_vms_own_and_0_stops_it() {
    on_each(|gateway| {
        let name = gateway.name();
        let set = |ms: u32| {
            let status = said(
                gateway,
                "/probe/tick-period",
                &[("x-ms", ms.to_string().as_bytes())],
            );
            assert_eq!(status, "0", "{name}: {ms} ms");
        };
        let number = |text: String| text.parse::<u64>().unwrap_or(0);
        let ticks = || number(said(gateway, "/probe/ticks", &[]));
        let main_ticks = || {
            number(said(
                gateway,
                "/probe/shared-value",
                &[("x-key", b"main-ticks")],
            ))
        };
        let a_while = || {
            let until_then = main_ticks() + WHILE_TICKS;
            until("the main thread's VM ticks", || main_ticks() >= until_then);
        };
        until("the worker's VM ticks", || ticks() > 0);
        for stopped_by in [0, u32::MAX] {
            set(stopped_by);
            let so_far = ticks();
            a_while();
            assert_eq!(ticks(), so_far, "{name}: a period of {stopped_by} ms");
            set(1);
            until("it ticks again", || ticks() >= so_far + WHILE_TICKS);
        }
    });
}

/// A changed configuration makes Envoy run VMs of a new generation beside the old ones until these have drained. This host
/// has one configuration for its life, so Envoy alone is asked.
#[test]
fn a_new_generation_of_vms_finds_what_the_old_one_counted_if_both_define_it() {
    let upstream = Upstream::start();
    for gateway in gateways_with(&clusters(upstream.address), "", 1) {
        let Gateway::Envoy(envoy) = &gateway else {
            continue;
        };
        let stat = |name: &str| {
            let text = get(envoy.admin, &format!("/stats?filter=^{name}$")).body;
            let value = text
                .trim()
                .rsplit_once(": ")
                .and_then(|(_, value)| value.parse().ok());
            value.unwrap_or(0_u64)
        };
        let vms = || stat("wasm.envoy.wasm.runtime.v8.active");
        let before = vms();
        let (old, value) = count(&gateway, "probe_of_all").expect("a count");
        assert_eq!(value, "Ok(1)");
        for counted in 1..=3 {
            let (_, value) = count(&gateway, "probe_of_the_old").expect("a count");
            assert_eq!(value, format!("Ok({counted})"));
        }
        envoy.reconfigure("next");
        let mut counted = 1_u64;
        until("the new generation answers", || {
            count(&gateway, "probe_of_all").is_some_and(|(vm, value)| {
                counted += 1;
                assert_eq!(value, format!("Ok({counted})"));
                vm != old
            })
        });
        until("the old generation is gone", || {
            stat("listener_manager.total_listeners_draining") == 0 && vms() == before
        });
        let (_, value) = count(&gateway, "probe_of_all").expect("a count");
        assert_eq!(value, format!("Ok({})", counted + 1), "defined by both");
        let (_, value) = count(&gateway, "probe_of_the_old").expect("a count");
        // Its last user took it along: what nobody defines any more begins again.
        assert_eq!(value, "Ok(1)", "defined by the old one alone, until now");
    }
}
