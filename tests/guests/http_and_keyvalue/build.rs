//! Tells the linker to leave its own WASI out.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        // The linker's copy of `wasi:io` does not merge with the part of it in `wit/deps`.
        println!("cargo:rustc-link-arg-cdylib=--wasi-adapter=none");
    }
}
