//! Compiles the counter of steps and puts it in the place of the fuzzer's own callback, only where the fuzzer is built.

fn main() {
    println!("cargo:rerun-if-changed=src/steps.c");
    #[cfg(feature = "libfuzzer")]
    {
        cc::Build::new().file("src/steps.c").compile("steps");
        println!("cargo:rustc-link-arg-bins=-Wl,--wrap=__sanitizer_cov_trace_pc");
    }
}
