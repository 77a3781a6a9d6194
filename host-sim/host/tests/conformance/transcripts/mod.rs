//! Call by call: every host call that the product's module imports, made by the probe in every phase there is with good,
//! boundary and bad arguments, in this host and in the real Envoy; what the two answer is compared line by line.
//!
//! The list of imports is read from the module itself: one that no transcript has called fails the test. A difference that
//! is not in the list of known ones fails it, and so does a known one that is gone.

mod compare;
mod differences;
mod phases;
mod product;

use std::collections::BTreeSet;

use crate::common::upstream::Upstream;
use crate::common::{clusters, gateways_with};

#[test]
fn every_call_that_the_module_imports_answers_as_in_envoy() {
    let upstream = Upstream::start();
    let gateways = gateways_with(&clusters(upstream.address), "transcript", 1);
    let told: Vec<compare::Told> = gateways.iter().map(phases::tell).collect();
    let [host, envoy] = &told[..] else {
        panic!("two gateways");
    };
    let called =
        |told: &compare::Told| -> BTreeSet<String> { told.calls().map(str::to_owned).collect() };
    let imported = product::imports();
    for (whose, told) in [("host", host), ("Envoy", envoy)] {
        let missing: Vec<_> = imported.difference(&called(told)).cloned().collect();
        assert!(missing.is_empty(), "never called in {whose}: {missing:?}");
        eprintln!("{whose}: {} lines", told.len());
    }
    compare::compare(host, envoy);
}
