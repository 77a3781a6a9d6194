//! The shape that the filter's module must have for Envoy to load it: what it imports, what it exports, how large it is.
//!
//! A stray dependency shows here first: one that reaches for JavaScript's glue (`__wbindgen_*`) or a socket brings an
//! import that Envoy does not offer, and Envoy would say so only when it loads the module.

use std::collections::BTreeMap;

use wasmparser::{Parser, Payload};

/// The module is sent to every gateway and compiled whole at load, per worker: a budget keeps both short.
pub const MAX_MODULE_BYTES: usize = 1536 * 1024;
/// Functions of the proxy-wasm host.
const PROXY_MODULE: &str = "env";
const PROXY_PREFIX: &str = "proxy_";
/// Functions of the system interface that Envoy offers.
const WASI_MODULE: &str = "wasi_snapshot_preview1";
/// How Envoy recognises the ABI.
const ABI_EXPORT_PREFIX: &str = "proxy_abi_version_";

/// What a good module consists of.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    /// Its size in bytes.
    pub bytes: usize,
    /// Imported functions by module.
    pub imports: BTreeMap<String, Vec<String>>,
}

/// Why a module is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not WebAssembly, or malformed.
    Malformed(String),
    /// It imports what Envoy does not offer.
    Imports(Vec<String>),
    /// It is no proxy-wasm module.
    NoAbi,
    /// It is over [`MAX_MODULE_BYTES`].
    TooLarge(usize),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(reason) => write!(f, "not a WebAssembly module: {reason}"),
            Self::Imports(names) => {
                write!(f, "imports that Envoy does not offer: {}", names.join(", "))
            }
            Self::NoAbi => write!(f, "no export {ABI_EXPORT_PREFIX}*: not a proxy-wasm module"),
            Self::TooLarge(bytes) => {
                write!(f, "{bytes} bytes, over the budget of {MAX_MODULE_BYTES}")
            }
        }
    }
}

impl std::error::Error for Refused {}

/// Checks a module.
///
/// # Errors
/// The first of [`Refused`], in the order malformed, imports, ABI, size.
pub fn check(module: &[u8]) -> Result<Shape, Refused> {
    let malformed = |error: wasmparser::BinaryReaderError| Refused::Malformed(error.to_string());
    let mut imports: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut strangers, mut has_abi) = (Vec::new(), false);
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(malformed)? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(malformed)?;
                    if !is_offered(import.module, import.name) {
                        strangers.push(format!("{}.{}", import.module, import.name));
                    }
                    imports
                        .entry(import.module.to_owned())
                        .or_default()
                        .push(import.name.to_owned());
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    has_abi |= export
                        .map_err(malformed)?
                        .name
                        .starts_with(ABI_EXPORT_PREFIX);
                }
            }
            _ => {}
        }
    }
    if !strangers.is_empty() {
        return Err(Refused::Imports(strangers));
    }
    if !has_abi {
        return Err(Refused::NoAbi);
    }
    if module.len() > MAX_MODULE_BYTES {
        return Err(Refused::TooLarge(module.len()));
    }
    Ok(Shape {
        bytes: module.len(),
        imports,
    })
}

fn is_offered(module: &str, name: &str) -> bool {
    module == WASI_MODULE || (module == PROXY_MODULE && name.starts_with(PROXY_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module that imports functions of those names, exports one of that name, and is padded by a custom section.
    fn module(imports: &[(&str, &str)], export: &str, padding: usize) -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        section(&mut bytes, 1, &[1, 0x60, 0, 0]); // one type: no parameters, no results
        let mut content = vec![byte(imports.len())];
        for (module, name) in imports {
            content.extend(string(module));
            content.extend(string(name));
            content.extend([0, 0]); // a function of type 0
        }
        section(&mut bytes, 2, &content);
        section(&mut bytes, 3, &[1, 0]); // one function of our own
        let mut content = vec![1];
        content.extend(string(export));
        content.extend([0, byte(imports.len())]);
        section(&mut bytes, 7, &content);
        section(&mut bytes, 10, &[1, 2, 0, 0x0B]); // its empty body
        let mut content = string("padding");
        content.extend(std::iter::repeat_n(0, padding));
        section(&mut bytes, 0, &content);
        bytes
    }

    fn section(bytes: &mut Vec<u8>, id: u8, content: &[u8]) {
        bytes.push(id);
        let mut length = content.len();
        while length >= 0x80 {
            bytes.push(byte(length & 0x7F) | 0x80);
            length >>= 7;
        }
        bytes.push(byte(length));
        bytes.extend_from_slice(content);
    }

    fn string(text: &str) -> Vec<u8> {
        let mut bytes = vec![byte(text.len())];
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    fn byte(number: usize) -> u8 {
        u8::try_from(number).expect("a small number")
    }

    const GOOD: [(&str, &str); 2] = [
        ("env", "proxy_log"),
        ("wasi_snapshot_preview1", "random_get"),
    ];
    const ABI: &str = "proxy_abi_version_0_2_1";

    #[test]
    fn a_proxy_wasm_module_passes_with_its_imports_listed() {
        let shape = check(&module(&GOOD, ABI, 0)).expect("a good module");
        assert_eq!(shape.imports["env"], ["proxy_log"]);
        assert_eq!(shape.imports["wasi_snapshot_preview1"], ["random_get"]);
    }

    #[test]
    fn imports_that_envoy_does_not_offer_are_refused_by_name() {
        let strangers = [
            ("env", "__wbindgen_describe"),
            ("env", "log"),
            ("__wbindgen_placeholder__", "proxy_log"),
            ("wasi_snapshot_preview2", "random_get"),
        ];
        for (from, name) in strangers {
            let refused =
                check(&module(&[GOOD[0], (from, name), GOOD[1]], ABI, 0)).expect_err("refused");
            assert_eq!(refused, Refused::Imports(vec![format!("{from}.{name}")]));
        }
    }

    #[test]
    fn what_is_no_filter_or_too_large_is_refused() {
        assert_eq!(check(&module(&GOOD, "main", 0)), Err(Refused::NoAbi));
        assert!(matches!(check(b"not wasm"), Err(Refused::Malformed(_))));
        let rest = module(&GOOD, ABI, 100_000).len() - 100_000;
        assert!(check(&module(&GOOD, ABI, MAX_MODULE_BYTES - rest)).is_ok());
        let refused = check(&module(&GOOD, ABI, MAX_MODULE_BYTES - rest + 1));
        assert_eq!(refused, Err(Refused::TooLarge(MAX_MODULE_BYTES + 1)));
    }
}
