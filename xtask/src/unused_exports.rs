//! Takes away the module's exports that do nothing: the host then leaves those calls out, several for each request.
//!
//! The SDK exports every callback of the ABI, and what the filter does not implement returns at once; but the host, which
//! cannot know that, switches into the module and back for each. Where the filter has a callback of its own, it takes the
//! place of the SDK's: two of one name cannot be linked, so it comes under another and is renamed here. What a callback
//! does is the filter's; here is only which ones it has none of.

use anyhow::Context as _;
use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{ExternalKind, Parser, Payload};

/// How the name of a callback begins that takes the place of the SDK's.
const OWN: &str = "own_";

/// The second of two callbacks at a context's end. The SDK forgets a context only then; own callbacks do so at the first.
const DELETE: &str = "proxy_on_delete";

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

/// The module without its unused exports, and with its own in the place of the SDK's; everything else as it was.
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
    let all = section.into_iter().collect::<Result<Vec<_>, _>>();
    let all = all.context("read the module's exports")?;
    let own: Vec<&str> = all
        .iter()
        .filter_map(|export| export.name.strip_prefix(OWN))
        .collect();
    let mut kept = ExportSection::new();
    for export in all {
        let is_unused = UNUSED.iter().any(|(name, _)| *name == export.name)
            || (export.name == DELETE && own.contains(&"proxy_on_done"));
        if is_unused || own.contains(&export.name) {
            continue;
        }
        let kind = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global => ExportKind::Global,
            ExternalKind::Tag => ExportKind::Tag,
        };
        let name = export.name.strip_prefix(OWN).unwrap_or(export.name);
        kept.export(name, kind, export.index);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module of two functions and a memory with these exports.
    fn module(functions: &[(&str, u32)]) -> Vec<u8> {
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        for &(name, index) in functions {
            exports.export(name, ExportKind::Func, index);
        }
        let mut module = Module::new();
        let mut types = wasm_encoder::TypeSection::new();
        types.ty().function([], []);
        module.section(&types);
        let mut functions = wasm_encoder::FunctionSection::new();
        functions.function(0);
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
        code.function(&body);
        module.section(&code);
        module.finish()
    }

    /// What is left of them, with the functions behind.
    fn left(functions: &[(&str, u32)]) -> Vec<(String, u32)> {
        let after = removed(&module(functions)).expect("a module");
        wasmparser::validate(&after).expect("still valid");
        Parser::new(0)
            .parse_all(&after)
            .filter_map(|payload| match payload.expect("a module") {
                Payload::ExportSection(section) => Some(section),
                _ => None,
            })
            .flatten()
            .map(|export| export.expect("an export"))
            .filter(|export| export.kind == ExternalKind::Func)
            .map(|export| (export.name.to_owned(), export.index))
            .collect()
    }

    fn owned(functions: &[(&str, u32)]) -> Vec<(String, u32)> {
        let owned = |&(name, index): &(&str, u32)| (name.to_owned(), index);
        functions.iter().map(owned).collect()
    }

    #[test]
    fn only_the_unused_exports_are_gone() {
        let kept = [
            ("proxy_on_tick", 0),
            ("proxy_on_done", 0),
            ("proxy_on_delete", 0),
        ];
        let all = [
            &kept[..],
            &[("proxy_on_log", 0), ("proxy_on_response_body", 0)],
        ];
        assert_eq!(left(&all.concat()), owned(&kept));
        assert!(removed(b"no module").is_err());
    }

    #[test]
    fn own_exports_take_the_place_of_the_sdks() {
        let all = [
            ("proxy_on_tick", 0),
            ("proxy_on_done", 0),
            ("own_proxy_on_done", 1),
            ("proxy_on_delete", 0),
        ];
        let expected = owned(&[("proxy_on_tick", 0), ("proxy_on_done", 1)]);
        assert_eq!(left(&all), expected);
        // Without an end of its own a module needs the SDK's second one.
        let all = [
            ("own_proxy_on_context_create", 1),
            ("proxy_on_done", 0),
            ("proxy_on_delete", 0),
        ];
        let expected = owned(&[
            ("proxy_on_context_create", 1),
            ("proxy_on_done", 0),
            ("proxy_on_delete", 0),
        ]);
        assert_eq!(left(&all), expected);
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
