//! The stock handler that the program embeds is what its source builds to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use sha2::{Digest, Sha256};
use taskcell_tests::guests::build_guest;

/// Set TASKCELL_BLESS to put the built component in the place of the embedded one.
#[test]
fn the_embedded_stock_handler_is_what_the_source_builds_to() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let embedded = root.join("host/assets/stock.wasm");
    let built = std::fs::read(build_guest(&root.join("guest-examples/rust-scripted")).unwrap()).unwrap();
    if std::env::var_os("TASKCELL_BLESS").is_some() {
        std::fs::write(&embedded, &built).unwrap();
    }
    let embedded = std::fs::read(&embedded).unwrap();
    let digest = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(
        (digest(&embedded), embedded.len()),
        (digest(&built), built.len()),
        "host/assets/stock.wasm is not what guest-examples/rust-scripted builds to: run `just stock`"
    );
}
