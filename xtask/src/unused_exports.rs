//! Takes away the module's exports that do nothing: the host then leaves those calls out, several for each request.
//!
//! The SDK exports every callback of the ABI, and what the filter does not implement returns at once; but the host, which
//! cannot know that, switches into the module and back for each. What a callback does is the filter's; here is only which
//! ones it has none of.

use anyhow::Context as _;
use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{ExternalKind, Parser, Payload};

/// Callbacks that the filter does not implement, with the names of its methods that would.
const UNUSED: [(&str, &str); 11] = [
    ("proxy_on_log", "on_log"),
    ("proxy_on_response_headers", "on_http_response_headers"),
    ("proxy_on_response_body", "on_http_response_body"),
    ("proxy_on_response_trailers", "on_http_response_trailers"),
    ("proxy_on_new_connection", "on_new_connection"),
    ("proxy_on_downstream_data", "on_downstream_data"),
    (
        "proxy_on_downstream_connection_close",
        "on_downstream_close",
    ),
    ("proxy_on_upstream_data", "on_upstream_data"),
    ("proxy_on_upstream_connection_close", "on_upstream_close"),
    (
        "proxy_on_grpc_receive_initial_metadata",
        "on_grpc_stream_initial_metadata",
    ),
    (
        "proxy_on_grpc_receive_trailing_metadata",
        "on_grpc_stream_trailing_metadata",
    ),
];

/// The module without its unused exports; everything else as it was.
///
/// # Errors
/// When it is no module.
pub fn removed(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut trimmed = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("read the module")?;
        if let Payload::ExportSection(section) = payload {
            trimmed.section(&exports(section)?);
        } else if let Some((id, range)) = payload.as_section() {
            let (start, end) = (usize::try_from(range.start)?, usize::try_from(range.end)?);
            let data = module
                .get(start..end)
                .context("a section that is cut off")?;
            trimmed.section(&RawSection { id, data });
        }
    }
    Ok(trimmed.finish())
}

fn exports(section: wasmparser::ExportSectionReader<'_>) -> anyhow::Result<ExportSection> {
    let mut kept = ExportSection::new();
    for export in section {
        let export = export.context("read the module's exports")?;
        if UNUSED.iter().any(|(name, _)| *name == export.name) {
            continue;
        }
        let kind = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global => ExportKind::Global,
            ExternalKind::Tag => ExportKind::Tag,
        };
        kept.export(export.name, kind, export.index);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_unused_exports_are_gone() {
        let mut exports = ExportSection::new();
        exports.export("proxy_on_log", ExportKind::Func, 0);
        exports.export("proxy_on_tick", ExportKind::Func, 0);
        exports.export("memory", ExportKind::Memory, 0);
        exports.export("proxy_on_response_body", ExportKind::Func, 0);
        let mut module = Module::new();
        let mut types = wasm_encoder::TypeSection::new();
        types.ty().function([], []);
        module.section(&types);
        let mut functions = wasm_encoder::FunctionSection::new();
        functions.function(0);
        module.section(&functions);
        let mut memories = wasm_encoder::MemorySection::new();
        memories.memory(wasm_encoder::MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        module.section(&memories);
        module.section(&exports);
        let mut code = wasm_encoder::CodeSection::new();
        let mut body = wasm_encoder::Function::new([]);
        body.instructions().end();
        code.function(&body);
        module.section(&code);
        let before = module.finish();

        let after = removed(&before).expect("a module");
        wasmparser::validate(&after).expect("still valid");
        let names = |module: &[u8]| -> Vec<String> {
            Parser::new(0)
                .parse_all(module)
                .filter_map(|payload| match payload.expect("a module") {
                    Payload::ExportSection(section) => Some(section),
                    _ => None,
                })
                .flatten()
                .map(|export| export.expect("an export").name.to_owned())
                .collect()
        };
        assert_eq!(names(&before).len(), 4);
        assert_eq!(names(&after), ["proxy_on_tick", "memory"]);
        assert!(removed(b"no module").is_err());
    }

    /// A callback that the filter gets one day must not be taken away.
    #[test]
    fn the_filter_implements_none_of_them() {
        let sources = testbed::workspace_root().join("plugin/filter/src");
        for entry in std::fs::read_dir(sources).expect("the filter's sources") {
            let path = entry.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("a source file");
            for (export, method) in UNUSED {
                let defined = text.contains(&format!("fn {method}("));
                assert!(!defined, "{} has a use for {export}", path.display());
            }
        }
    }
}
