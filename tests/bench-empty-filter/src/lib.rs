//! A wasm filter that looks at nothing and answers every request with the same balance.
//!
//! It is what any filter of this SDK costs at least: entering the VM, making a context, one local reply. Whatever ours
//! needs above it is ours. It decides nothing, reads nothing and holds nothing.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

/// As long as a balance is, and of its type.
const HEADERS: [(&str, &str); 1] = [("content-type", "application/json")];
const BODY: &[u8] = b"2000";

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Constant))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Constant;

impl Context for Constant {}

impl HttpContext for Constant {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.send_http_response(200, HEADERS.to_vec(), Some(BODY));
        Action::Pause
    }
}

#[allow(
    unsafe_code,
    reason = "the macro exports the module's entry point under the name that the host looks for"
)]
mod entry {
    use super::Root;

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(Root));
    }}
}
