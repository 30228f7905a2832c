//! Sets the layout of the component's memory.
//!
//! Linker arguments stand here and not in `.cargo/config.toml`, because RUSTFLAGS in the environment would
//! replace those.

/// Room for the deepest script that the JSON parser accepts, and for a pattern on a text of 256 characters. The stack
/// comes first in memory, so that an overflow traps instead of writing over data.
const STACK: u32 = 256 * 1024;

/// Stack, data and a heap that ordinary requests fit into: no cell grows its memory for them.
const INITIAL_MEMORY: u32 = 1024 * 1024;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        // No code here speaks the older WASI that the linker can translate, and the linker's own copy of `wasi:io`
        // does not merge with the part of it in `wit/deps`.
        println!("cargo:rustc-link-arg-cdylib=--wasi-adapter=none");
        println!("cargo:rustc-link-arg-cdylib=-zstack-size={STACK}");
        println!("cargo:rustc-link-arg-cdylib=--stack-first");
        println!("cargo:rustc-link-arg-cdylib=--initial-memory={INITIAL_MEMORY}");
    }
}
