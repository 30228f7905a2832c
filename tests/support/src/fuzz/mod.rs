//! Bodies of the fuzz targets: the use of an input and its invariants.
//!
//! They are plain functions that panic when an invariant is broken. The fuzzer (`fuzz/`, which needs a nightly
//! toolchain) and the test that replays its corpus (`tests/tests/sandbox/fuzz_corpus.rs`, which does not) therefore run
//! the same code.
#![allow(clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "a finding is a panic")]

mod cell;
mod decode;
mod dispatch;
mod load;
mod messages;
mod policy;
mod smith;

use std::future::Future;

/// A target, which takes any input.
pub type Target = fn(&[u8]);

/// All targets by name; a target's binary and corpus have the same name.
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
/// When the target does not exist, or an invariant is broken.
pub fn run(target: &str, input: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, run) = found.unwrap_or_else(|| panic!("there is no target {target}"));
    run(input);
}

/// Runs a future in its own runtime, so that no input leaves work for the next.
fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("no runtime");
    runtime.block_on(future)
}
