//! What it does stands in `tests/support/src/fuzz/decode.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| taskcell_test_support::fuzz::run("decode", input));
