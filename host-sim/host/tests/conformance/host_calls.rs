//! The statuses and values of host calls that concern no network.

use super::{on_each, said};
use crate::common::client::get;
use crate::common::until;

#[test]
fn host_calls_answer_with_envoys_statuses() {
    let expected = "\
map 0 pairs=0 value=1 add=0
map 1 pairs=0 value=2 add=2
map 2 pairs=0 value=2 add=2
map 3 pairs=0 value=2 add=2
map 4 pairs=0 value=2 add=2
map 5 pairs=0 value=2 add=2
map 6 pairs=0 value=2 add=2
map 7 pairs=0 value=2 add=2
map 8 pairs=2 value=2 add=2
map 9 pairs=2 value=2 add=2
buffer 0 0 set=2
buffer 1 0 set=2
buffer 2 0 set=2
buffer 3 0 set=2
buffer 4 1 set=1
buffer 5 0 set=2
buffer 6 0 set=2
buffer 7 1 set=1
buffer 8 0 set=2
buffer 9 2 set=2
effective none=2 self=0 root=0 vm=0
resume kinds 0 12 2
close kind 2
done 1
foreign 1
outside memory 6";
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/status", &[]),
            expected,
            "{}",
            gateway.name()
        );
    });
}

#[test]
fn shared_data_and_queues_follow_envoys_rules() {
    let expected = "\
absent 1
create 0 again 8
get 0 1 versioned=true
cas 0 stale 8
blind 0
empty 0 0 versioned=true
resolve none 1
register 0 0 same=true
resolve 0 same=true
other vm 1
unknown queue 1 1
empty queue 7";
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/shared", &[]),
            expected,
            "{}",
            gateway.name()
        );
    });
}

#[test]
fn metrics_follow_envoys_rules() {
    let expected = "\
define 0 0 0 unknown=2
kinds 0 1 2
counter 0 minus=2
counter record 0 grew=true
gauge 0 0 (0, 4)
histogram 0 inc=2 get=2
unknown 1 1 1";
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/metrics", &[]),
            expected,
            "{}",
            gateway.name()
        );
        let stats = || get(gateway.admin(), "/stats?filter=probe_level").body;
        until("the gauge is shown", || {
            stats().contains("wasmcustom.probe_level: 4\n")
        });
        let prometheus = get(gateway.admin(), "/stats/prometheus").body;
        assert!(
            prometheus.contains("\nprobe_level{} 4\n") || prometheus.contains("\nprobe_level 4\n"),
            "{}: the bare name",
            gateway.name()
        );
    });
}

#[test]
fn properties_are_envoys() {
    let expected = "\
plugin_name 0 points
plugin_root_id 0 
plugin_vm_id 0 points
request.path 0 /probe/property
request.url_path 0 /probe/property
request.method 0 GET
request.scheme 0 http
request.host 0 probe.test
request.protocol 0 HTTP/1.1
request.headers.x-a 0 1,3
request.query 0 
request.nothing 1 
nothing 1 
tenant 1 
response.code 1 
request.useragent 1 
set 0
get 0 acme";
    on_each(|gateway| {
        let body = said(gateway, "/probe/property", &[("x-a", b"1"), ("x-a", b"3")]);
        assert_eq!(body, expected, "{}", gateway.name());
    });
}

#[test]
fn time_and_chance_reach_the_module() {
    let expected = "after 2020 true\nmonotonic true\nenvironment 0\nchance true";
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/time", &[]),
            expected,
            "{}",
            gateway.name()
        );
    });
}
