//! VMs driven by hand: a clock that stands, seeded chance, effects looked at one by one. No thread, no socket.

mod common;

use std::rc::Rc;
use std::sync::Arc;

use common::program;
use host::ports::{Manual, Seeded};
use host::{
    Address, CallResponse, Effect, Headers, LogLevel, Plugin, Program, Setting, Shared, StartError,
    StartFailure, StreamInfo, VM_RELOADS, VM_TRAPS, Vm, Worker,
};

fn plugin(configuration: &str) -> Plugin {
    Plugin {
        plugin_configuration: configuration.as_bytes().to_vec(),
        clusters: ["up".to_owned(), "up2".to_owned()].into(),
        ..Plugin::default()
    }
}

fn start_at(plugin: Plugin, shared: &Arc<Shared>, address: u32) -> Result<Vm, StartFailure> {
    Vm::start(
        &program(),
        Setting {
            plugin: Arc::new(plugin),
            shared: Arc::clone(shared),
            address: Address(address),
            clock: Rc::new(Manual::at(1_700_000_000_000_000_000)),
            random: Box::new(Seeded::new(7)),
        },
    )
}

fn start(plugin: Plugin) -> Vm {
    start_at(plugin, &Arc::default(), 1).expect("the probe starts")
}

/// Gives the VM a request for a probe's case and returns its number and what the VM wants done.
fn ask(vm: &mut Vm, case: &str, end_stream: bool) -> (u32, Vec<Effect>) {
    let path = format!("/probe/{case}");
    let headers = Headers::from_pairs([
        (":authority", "a"),
        (":path", &path),
        (":method", "POST"),
        ("x-path", "/ok"),
    ]);
    vm.take_effects();
    let id = vm
        .request_headers(StreamInfo::default(), headers, end_stream)
        .expect("no trap");
    (id, vm.take_effects())
}

fn body_of(effects: &[Effect]) -> String {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::ResponseBody { data, .. } => Some(String::from_utf8_lossy(data).into_owned()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_refused_configuration_shows_what_the_module_said() {
    let failure = start_at(plugin("refuse"), &Arc::default(), 1).expect_err("refused");
    assert!(matches!(failure.error, StartError::ConfigurationRefused));
    assert!(
        failure.log.contains(&(
            LogLevel::Error,
            "configuration: field `a.b` is wrong".to_owned()
        )),
        "{failure}"
    );
    let failure = start_at(plugin("trap"), &Arc::default(), 1).expect_err("trapped");
    assert!(matches!(failure.error, StartError::Trapped(_)), "{failure}");
    assert!(failure.to_string().contains("asked to"), "{failure}");
}

#[test]
fn the_same_inputs_give_the_same_effects() {
    let run = || {
        let mut vm = start(plugin(""));
        let mut all = vm.take_effects();
        for case in [
            "headers",
            "shared",
            "time",
            "queue",
            "http-call",
            "grpc-call",
        ] {
            all.extend(ask(&mut vm, case, true).1);
        }
        all
    };
    let first = run();
    assert!(first.len() >= 12, "{first:?}");
    assert_eq!(first, run());
}

#[test]
fn by_default_a_pause_at_the_headers_hides_the_body_until_the_stream_is_resumed() {
    let mut vm = start(Plugin {
        allow_on_headers_stop_iteration: false,
        max_body_buffer_bytes: 4,
        ..plugin("")
    });
    let (id, _) = ask(&mut vm, "hold", false);
    vm.request_body(id, b"abc", false).expect("no trap");
    assert!(!vm.is_backed_up(id));
    vm.request_body(id, b"def", true).expect("no trap");
    assert!(vm.is_backed_up(id), "past the limit the client has to wait");
    assert_eq!(vm.take_effects(), [], "nothing passes, nothing is refused");
    vm.tick().expect("no trap");
    let effects = vm.take_effects();
    assert!(
        matches!(
            &effects[..],
            [
                Effect::ForwardHeaders { end_stream: false, .. },
                Effect::ForwardBody { data, end_stream: true, .. }
            ] if data == b"abcdef"
        ),
        "{effects:?}"
    );
    assert!(!vm.is_backed_up(id));
}

#[test]
fn an_allowed_pause_shows_each_part_with_all_that_came_before() {
    let mut vm = start(plugin(""));
    let (id, effects) = ask(&mut vm, "body", false);
    assert_eq!(effects, []);
    vm.request_body(id, b"abc", false).expect("no trap");
    vm.request_body(id, b"defg", true).expect("no trap");
    assert_eq!(
        body_of(&vm.take_effects()),
        "headers end=false\nbody size=7 read=7 end=true\nheaders still 0"
    );
    assert_eq!(vm.open_streams(), [0_u32; 0], "answered, logged, deleted");
}

#[test]
fn a_body_past_the_limit_is_413_and_the_module_does_not_see_the_rest() {
    let mut vm = start(Plugin {
        max_body_buffer_bytes: 5,
        ..plugin("")
    });
    let (id, _) = ask(&mut vm, "body", false);
    vm.request_body(id, b"abcde", false).expect("no trap");
    assert_eq!(vm.take_effects(), [], "the limit itself is allowed");
    vm.request_body(id, b"f", true).expect("no trap");
    let effects = vm.take_effects();
    assert_eq!(body_of(&effects), "Payload Too Large");
    vm.request_body(id, b"late", true).expect("dropped");
    assert_eq!(vm.take_effects(), []);
}

#[test]
fn answers_come_once_and_late_ones_change_nothing() {
    let mut vm = start(plugin(""));
    let (_, effects) = ask(&mut vm, "http-call", true);
    let Some(Effect::HttpCall(call)) = effects.first() else {
        panic!("a callout: {effects:?}");
    };
    assert_eq!((call.cluster.as_str(), call.timeout_ms), ("up", 300));
    let answer = || {
        Some(CallResponse {
            headers: Headers::from_pairs([(":status", "200")]),
            ..CallResponse::default()
        })
    };
    let token = call.token;
    vm.http_call_response(token + 1, answer()).expect("no trap");
    assert_eq!(vm.take_effects(), [], "an unknown token");
    vm.http_call_response(token, answer()).expect("no trap");
    assert!(body_of(&vm.take_effects()).starts_with("call headers=true"));
    vm.http_call_response(token, answer()).expect("no trap");
    assert_eq!(vm.take_effects(), [], "the second answer");

    // The stream that asked is gone: the SDK drops the answer.
    let (id, effects) = ask(&mut vm, "http-call", true);
    let Some(Effect::HttpCall(call)) = effects.first() else {
        panic!("a callout: {effects:?}");
    };
    let token = call.token;
    vm.stream_gone(id).expect("no trap");
    assert!(vm.take_effects().contains(&Effect::Finished { stream: id }));
    vm.http_call_response(token, None).expect("no trap");
    assert_eq!(vm.take_effects(), []);
}

#[test]
fn the_last_to_register_a_queue_is_woken_wherever_it_lives() {
    let shared = Arc::<Shared>::default();
    let mut one = start_at(plugin(""), &shared, 1).expect("starts");
    let mut two = start_at(plugin(""), &shared, 2).expect("starts");
    let woken = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::QueueReady { to, queue } => Some((to.address, to.context, *queue)),
            _ => None,
        })
    };
    let queue = shared
        .queues
        .resolve("points", b"probe")
        .expect("registered");
    let (_, effects) = ask(&mut one, "queue", true);
    assert_eq!(woken(&effects), Some((Address(1), 1, queue)));
    let (_, effects) = ask(&mut two, "queue", true);
    assert_eq!(woken(&effects), Some((Address(2), 1, queue)));
    // Both items lie there; whoever is woken takes both, and answers only streams of its own.
    two.queue_ready(1, queue).expect("no trap");
    assert_eq!(body_of(&two.take_effects()), "woken for 1");
}

#[test]
fn a_trapped_vm_comes_back_after_its_pause_and_finds_the_shared_data() {
    let shared = Arc::<Shared>::default();
    let clock = Manual::at(1_000_000_000);
    let mut worker = Worker::start(
        program(),
        Arc::new(plugin("")),
        Arc::clone(&shared),
        Address(1),
        Rc::new(clock.clone()),
        Box::new(|| Box::new(Seeded::new(1))),
        1_000,
    )
    .expect("starts");
    shared.data.set("points", b"kept", b"yes", 0).expect("set");
    let vm = worker.vm().expect("runs");
    let (held, _) = ask(vm, "hold", true);
    let headers = Headers::from_pairs([(":path", "/probe/trap"), (":method", "GET")]);
    vm.request_headers(StreamInfo::default(), headers, true)
        .expect_err("traps");
    vm.tick().expect_err("stays dead");
    let lost = worker.collect().lost.expect("lost");
    assert!(lost.streams.contains(&held), "{lost:?}");
    assert_eq!(shared.metrics.value(VM_TRAPS), Some(1));
    assert!(worker.vm().is_none());
    assert!(worker.vm_for_request().expect("refused only").is_none());

    clock.advance_ns(999_999_999);
    assert!(worker.vm_for_request().expect("refused only").is_none());
    clock.advance_ns(1);
    assert!(worker.vm_for_request().expect("starts").is_some());
    assert_eq!(worker.generation(), 2);
    assert_eq!(shared.metrics.value(VM_RELOADS), Some(1));
    let kept = shared.data.get("points", b"kept").map(|entry| entry.0);
    assert_eq!(kept, Some(b"yes".to_vec()));
}

#[test]
fn a_trap_that_was_ordered_comes_at_a_host_call() {
    let mut vm = start(plugin(""));
    vm.trap_after(1_000_000);
    ask(&mut vm, "hold", true);
    vm.trap_after(0);
    vm.trap_never();
    ask(&mut vm, "hold", true);
    vm.trap_after(0);
    let headers = Headers::from_pairs([(":path", "/probe/hold"), (":method", "GET")]);
    let trapped = vm.request_headers(StreamInfo::default(), headers, true);
    let trapped = trapped.expect_err("traps");
    assert!(trapped.0.contains(host::ORDERED_TRAP), "{trapped}");
}

#[test]
fn a_root_that_drained_says_so() {
    let mut vm = start(plugin(""));
    assert_eq!(vm.begin_shutdown(), Ok(true));

    let mut vm = start(plugin("drain"));
    assert_eq!(vm.begin_shutdown(), Ok(false), "it has something to finish");
    vm.take_effects();
    vm.tick().expect("no trap");
    assert_eq!(vm.take_effects(), [Effect::Drained]);
}

/// A module by hand: one import of type `() -> ()`, called by `_initialize`; the least that the ABI asks for.
fn module(import: &str, memory_pages: u32) -> Vec<u8> {
    fn leb(mut value: u32) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let byte = u8::try_from(value & 0x7f).expect("7 bits");
            value >>= 7;
            out.push(if value == 0 { byte } else { byte | 0x80 });
            if value == 0 {
                return out;
            }
        }
    }
    fn length(bytes: &[u8]) -> Vec<u8> {
        leb(u32::try_from(bytes.len()).expect("small"))
    }
    fn name(text: &str) -> Vec<u8> {
        [length(text.as_bytes()), text.as_bytes().to_vec()].concat()
    }
    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [vec![id], length(content), content.to_vec()].concat()
    }
    let export = |text: &str, kind: u8, index: u8| [name(text), vec![kind, index]].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f]),
        section(
            2,
            &[vec![1], name("env"), name(import), vec![0, 0]].concat(),
        ),
        section(3, &[3, 0, 1, 0]),
        section(5, &[vec![1, 0], leb(memory_pages)].concat()),
        section(
            7,
            &[
                vec![4],
                export("memory", 2, 0),
                export("proxy_abi_version_0_2_1", 0, 1),
                export("proxy_on_memory_allocate", 0, 2),
                export("_initialize", 0, 3),
            ]
            .concat(),
        ),
        section(
            10,
            &[3, 2, 0, 0x0b, 4, 0, 0x41, 0, 0x0b, 4, 0, 0x10, 0, 0x0b],
        ),
    ]
    .concat()
}

fn start_bytes(bytes: &[u8]) -> StartFailure {
    let program = Program::from_bytes(bytes).expect("a sound module");
    let setting = Setting {
        plugin: Arc::new(plugin("")),
        shared: Arc::default(),
        address: Address(1),
        clock: Rc::new(Manual::at(0)),
        random: Box::new(Seeded::new(1)),
    };
    Vm::start(&program, setting).expect_err("cannot start")
}

#[test]
fn an_import_that_is_not_implemented_traps_and_names_itself() {
    let failure = start_bytes(&module("proxy_no_such_call", 1));
    assert!(matches!(failure.error, StartError::Trapped(_)), "{failure}");
    assert!(
        failure.to_string().contains("env::proxy_no_such_call"),
        "{failure}"
    );
}

#[test]
fn memory_is_capped_at_one_gibibyte() {
    let pages = u32::try_from(host::MAX_MEMORY_BYTES / 65_536).expect("small");
    let failure = start_bytes(&module("proxy_no_such_call", pages + 1));
    assert!(
        matches!(failure.error, StartError::Instantiate(_)),
        "{failure}"
    );
    let failure = start_bytes(&module("proxy_no_such_call", pages));
    assert!(matches!(failure.error, StartError::Trapped(_)), "{failure}");
}

#[test]
fn what_is_no_filter_is_refused() {
    assert!(Program::from_bytes(b"not wasm").is_err());
    let bytes = module("x", 1);
    let at = bytes
        .windows(7)
        .position(|seven| seven == b"version")
        .expect("exported");
    let mut other = bytes;
    other[at] = b'w';
    assert!(Program::from_bytes(&other).is_err(), "another ABI");
}
