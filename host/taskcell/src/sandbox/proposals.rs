//! WebAssembly proposals that the engine disables, and the error text for a component that needs one.
//!
//! Such a component is not broken, and building it again changes nothing: its author must learn what to switch off.

use crate::error::LoadFault;

/// A part of WebAssembly that the engine leaves out.
struct Proposal {
    /// Errors of the compiler for a component that needs the proposal. wasmtime has no error type for them.
    said: &'static [&'static str],
    /// Name of the proposal.
    name: &'static str,
    /// Remedy for the author.
    remedy: &'static str,
}

const fn row(said: &'static [&'static str], name: &'static str, remedy: &'static str) -> Proposal {
    Proposal { said, name, remedy }
}

/// The parts. The first that fits counts, so a part whose words are in another's stands before that.
#[rustfmt::skip]
const PROPOSALS: &[Proposal] = &[
    row(&["legacy_exceptions", "legacy exceptions"],
        "WebAssembly's legacy exceptions", "build it without exceptions"),
    row(&["exceptions proposal", "exceptions support", "exception handling feature", "exception refs"],
        "WebAssembly exceptions", "build it without them (C++: `-fno-exceptions`)"),
    row(&["shared-everything-threads"],
        "WebAssembly shared-everything threads", "build it for one thread"),
    row(&["threads must be enabled", "threads support", "component model threading"],
        "WebAssembly threads", "build it for one thread"),
    row(&["stack switching"],
        "WebAssembly stack switching", "build it without"),
    row(&["memory64", "component model 64-bit"],
        "64-bit WebAssembly memory", "build it for wasm32"),
    row(&["relaxed SIMD"],
        "relaxed SIMD", "build it without (`-C target-feature=-relaxed-simd`, `-mno-relaxed-simd`)"),
    row(&["tail calls"],
        "WebAssembly tail calls", "build it without (`-mno-tail-call`)"),
    row(&["custom descriptors"],
        "WebAssembly custom descriptors", "build it without"),
    row(&["gc proposal", "gc types", "gc feature", "gc support", "requires gc", "cm-gc"],
        "WebAssembly garbage collection (GC)", "build it with a tool chain that brings its own collector"),
    row(&["custom page sizes"],
        "WebAssembly custom page sizes", "build it with pages of 64 KiB"),
    row(&["wide arithmetic"],
        "WebAssembly wide arithmetic", "build it without"),
    row(&["memory control"],
        "WebAssembly memory control", "build it without"),
    row(&["component model async", "async stackful", "more async builtins"],
        "the component model's async, which came with WASI 0.3", "this host speaks WASI 0.2: build it for that"),
    row(&["component model error-context", "component model `value`s", "fixed-length lists", "fixed size lists"],
        "a part of the component model that is not finished", "build it without"),
];

/// Finds the disabled proposal that the compiler's error is about, if any.
pub(super) fn needed(reason: &str) -> Option<LoadFault> {
    let fits = |proposal: &&Proposal| proposal.said.iter().any(|said| reason.contains(said));
    let Proposal { name, remedy, .. } = PROPOSALS.iter().find(fits)?;
    Some(LoadFault::LeftOut { needs: name, remedy })
}
