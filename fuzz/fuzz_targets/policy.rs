//! What it does stands in `tests/src/fuzz/policy.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| taskcell_tests::fuzz::run("policy", input));
