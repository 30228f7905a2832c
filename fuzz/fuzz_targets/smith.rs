//! What it does stands in `tests/support/src/fuzz/smith.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| taskcell_test_support::fuzz::run("smith", input));
