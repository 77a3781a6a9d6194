//! Which context is whose: root contexts and the streams below them, and the callbacks of streams.
//!
//! The SDK would do this too, but at a price that every request pays: a box, three tables and a callback more. Here a stream
//! of which nothing has to be kept is kept nowhere, and its end is told once. So these entry points stand in the place of the
//! SDK's own (`own_proxy_on_x` becomes `proxy_on_x` when the module is built, and `proxy_on_delete` goes); all else, root
//! contexts among it, stays with the SDK. What a callback means is known in [`crate::stream`].

use std::cell::RefCell;

use proxy_wasm::types::Action;

use crate::stream;
use crate::vm::SharedVm;

thread_local! {
    static CONTEXTS: RefCell<Contexts> = const { RefCell::new(Contexts::new()) };
}

/// The contexts of this module. Their ids are the host's, one number space for all.
struct Contexts {
    /// Few: one for each configuration that runs here, the old one among them while it drains.
    roots: Vec<Root>,
    /// Streams whose head has not come yet, with their roots. The host brings the head at once, so there is hardly ever
    /// more than one.
    headless: Vec<(u32, u32)>,
}

struct Root {
    id: u32,
    /// None before it is configured, and when that failed.
    vm: Option<SharedVm>,
}

impl Contexts {
    const fn new() -> Self {
        Self {
            roots: Vec::new(),
            headless: Vec::new(),
        }
    }

    fn is_root(&self, id: u32) -> bool {
        self.roots.iter().any(|root| root.id == id)
    }

    /// The VM of a stream whose head has come now.
    fn begun(&mut self, stream: u32) -> Option<SharedVm> {
        let place = self.headless.iter().position(|&(id, _)| id == stream)?;
        let (_, root) = self.headless.swap_remove(place);
        let root = self.roots.iter().find(|it| it.id == root)?;
        root.vm.clone()
    }

    /// The VM that keeps something of a stream.
    fn keeper(&self, stream: u32) -> Option<SharedVm> {
        let mut vms = self.roots.iter().filter_map(|root| root.vm.as_ref());
        vms.find(|vm| vm.try_borrow().is_ok_and(|vm| vm.keeps(stream)))
            .cloned()
    }
}

/// Takes note of the VM of a root context that is configured.
pub fn configured(root: u32, vm: &SharedVm) {
    with(|contexts| {
        if let Some(root) = contexts.roots.iter_mut().find(|it| it.id == root) {
            root.vm = Some(SharedVm::clone(vm));
        }
    });
}

/// Forgets a root context that the host will not call again.
pub fn ended(root: u32) {
    with(|contexts| contexts.roots.retain(|it| it.id != root));
}

fn with<R: Default>(look: impl FnOnce(&mut Contexts) -> R) -> R {
    CONTEXTS.with(|contexts| {
        // Borrowed already only if a host called back into the module, which no host may.
        contexts
            .try_borrow_mut()
            .map_or_else(|_| R::default(), |mut contexts| look(&mut contexts))
    })
}

fn created(context: u32, parent: u32) {
    if parent == 0 {
        with(|contexts| {
            contexts.roots.push(Root {
                id: context,
                vm: None,
            });
        });
        sdk::created(context);
    } else {
        with(|contexts| contexts.headless.push((context, parent)));
    }
}

fn request_headers(stream: u32, end: bool) -> Action {
    match with(|contexts| contexts.begun(stream)) {
        Some(vm) => stream::on_request_headers(&vm, stream, end),
        // Without a configuration: the host lets no request come that far.
        None => Action::Pause,
    }
}

fn done(context: u32) -> bool {
    if with(|contexts| contexts.is_root(context)) {
        let is_done = sdk::done(context);
        if is_done {
            ended(context);
        }
        return is_done;
    }
    let keeper = with(|contexts| {
        contexts.headless.retain(|&(id, _)| id != context);
        contexts.keeper(context)
    });
    if let Some(vm) = keeper {
        stream::on_done(&vm, context);
    }
    true
}

/// What comes for a stream of which nothing is kept: it was answered, or its head never came.
const UNKNOWN: Action = Action::Pause;

#[expect(
    unsafe_code,
    reason = "the names under which the host calls, and the SDK's own functions that these stand in for"
)]
mod abi {
    use proxy_wasm::types::Action;

    use super::{Contexts, UNKNOWN, stream, with};

    #[unsafe(no_mangle)]
    extern "C" fn own_proxy_on_context_create(context: u32, parent: u32) {
        super::created(context, parent);
    }

    #[unsafe(no_mangle)]
    extern "C" fn own_proxy_on_done(context: u32) -> bool {
        super::done(context)
    }

    #[unsafe(no_mangle)]
    extern "C" fn own_proxy_on_request_headers(stream: u32, _count: usize, end: bool) -> Action {
        super::request_headers(stream, end)
    }

    #[unsafe(no_mangle)]
    extern "C" fn own_proxy_on_request_body(stream: u32, bytes: usize, end: bool) -> Action {
        let vm = with(|contexts: &mut Contexts| contexts.keeper(stream));
        vm.map_or(UNKNOWN, |vm| {
            stream::on_request_body(&vm, stream, bytes, end)
        })
    }

    #[unsafe(no_mangle)]
    extern "C" fn own_proxy_on_request_trailers(stream: u32, _count: usize) -> Action {
        let vm = with(|contexts: &mut Contexts| contexts.keeper(stream));
        vm.map_or(UNKNOWN, |vm| stream::on_request_trailers(&vm, stream))
    }
}

#[expect(
    unsafe_code,
    reason = "the SDK offers these to the host alone, under their names in the ABI"
)]
mod sdk {
    unsafe extern "C" {
        safe fn proxy_on_context_create(context: u32, parent: u32);
        safe fn proxy_on_done(context: u32) -> bool;
    }

    /// A root context was created.
    pub(super) fn created(root: u32) {
        proxy_on_context_create(root, 0);
    }

    /// A root context is to end: whether it has.
    pub(super) fn done(root: u32) -> bool {
        proxy_on_done(root)
    }
}
