//! The handlers that the program embeds are what their sources build to.

use std::path::Path;

use sha2::{Digest, Sha256};
use taskcell_test_support::guests::build_guest;

/// Set TASKCELL_BLESS to put the built components in the places of the embedded ones.
#[test]
fn the_embedded_handlers_are_what_their_sources_build_to() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (embedded, source) in [("stock", "rust-scripted"), ("ask", "ask")] {
        let asset = root.join(format!("host/cli/assets/{embedded}.wasm"));
        let built = std::fs::read(build_guest(&root.join("guest-examples").join(source)).unwrap()).unwrap();
        if std::env::var_os("TASKCELL_BLESS").is_some() {
            std::fs::write(&asset, &built).unwrap();
        }
        let found = std::fs::read(&asset).unwrap();
        let digest = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            (digest(&found), found.len()),
            (digest(&built), built.len()),
            "host/cli/assets/{embedded}.wasm is not what guest-examples/{source} builds to: run `just stock`"
        );
    }
}
