//! The host calls that the product's module imports, as its own import section names them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wasmparser::{Parser, Payload};

/// The names, without the module's that they are imported from.
pub fn imports() -> BTreeSet<String> {
    let path = std::env::var_os("REWARD_POINTS_WASM").map_or_else(built, PathBuf::from);
    let module = std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: build it (`cargo xtask build`), or name it in REWARD_POINTS_WASM",
            path.display()
        )
    });
    let mut names = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&module) {
        if let Payload::ImportSection(imports) = payload.expect("a module") {
            for import in imports.into_imports() {
                names.insert(import.expect("an import").name.to_owned());
            }
        }
    }
    assert!(!names.is_empty(), "a module that imports nothing");
    names
}

fn built() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../../target/plugin/reward_points.wasm")
}
