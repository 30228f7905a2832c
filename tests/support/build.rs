//! Refuses a hostile guest that no test runs: each program stands in the table of attacks, all of which are run.
#![allow(clippy::expect_used, reason = "a build script fails by panicking")]

use std::path::Path;
use std::{env, fs};

const TABLE: &str = "src/attacks/table.rs";
const PROGRAMS: &[&str] = &[
    "../guests/hostile/src/behaviors/answers",
    "../guests/hostile/src/behaviors/beginnings",
    "../guests/hostile/src/behaviors/work",
    "../guests/hostile/raw/requests",
    "../guests/hostile/raw/load",
];

fn main() {
    let root = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let root = Path::new(&root);
    println!("cargo:rerun-if-changed={TABLE}");
    let table = fs::read_to_string(root.join(TABLE)).expect("the table of attacks is read");
    for folder in PROGRAMS {
        println!("cargo:rerun-if-changed={folder}");
        for entry in fs::read_dir(root.join(folder)).expect("a folder of programs") {
            let file = entry.expect("an entry of the folder").path();
            let name = file.file_stem().expect("a file has a name").to_string_lossy();
            assert!(
                table.contains(&format!("\"{name}\"")),
                "{folder}/{name} is run by no test: give it a row in tests/support/{TABLE}"
            );
        }
    }
}
