//! The bodies of the fuzz targets: what is done with an input, and what must hold.
//!
//! They are plain functions that panic when something does not hold, so that the fuzzer (`fuzz/`, which needs a nightly
//! toolchain) and the test that replays its corpus (`tests/tests/sandbox/fuzz_corpus.rs`, which does not) run the same.
#![allow(clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "a finding is a panic")]

mod cell;
mod decode;
mod dispatch;
mod load;
mod messages;
mod policy;
mod smith;

use std::future::Future;

/// A target: takes any input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its binary and of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("decode", decode::run),
    ("policy", policy::run),
    ("dispatch", dispatch::run),
    ("load", load::run),
    ("smith", smith::run),
];

/// Runs a target.
///
/// # Panics
/// When there is no such target, or something does not hold.
pub fn run(target: &str, input: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, run) = found.unwrap_or_else(|| panic!("there is no target {target}"));
    run(input);
}

/// Runs a future in a runtime of its own, so that no input leaves work to the next.
fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("no runtime");
    runtime.block_on(future)
}
