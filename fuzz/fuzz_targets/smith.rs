//! What it does stands in `tests/src/fuzz/smith.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| taskcell_tests::fuzz::run("smith", input));
