//! Makes the tables of behaviors from the files in `src/behaviors`, and tells the linker to leave its own WASI out.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// The folders of behaviors, and the type of the functions in each.
const GROUPS: &[(&str, &str)] = &[
    ("answers", "fn(&crate::prelude::Cell<'_>) -> crate::prelude::Answer"),
    ("beginnings", "fn(crate::Task, crate::CreateMessageRequest) -> Result<crate::CreateTaskResult, crate::RpcError>"),
    ("work", "fn(&crate::Task, &crate::TaskInput) -> Result<crate::TaskOutput, crate::RpcError>"),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        // The linker's copy of `wasi:io` does not merge with the part of it in `wit/deps`.
        println!("cargo:rustc-link-arg-cdylib=--wasi-adapter=none");
    }
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let mut tables = String::new();
    for (group, function) in GROUPS {
        let folder = Path::new(&root).join("src/behaviors").join(group);
        println!("cargo:rerun-if-changed={}", folder.display());
        let files = fs::read_dir(&folder).expect("a folder of behaviors").map(|entry| entry.expect("a file").path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        let (mut modules, mut rows) = (String::new(), String::new());
        for (number, file) in files.iter().enumerate() {
            let name = file.file_stem().expect("a name").display();
            _ = writeln!(modules, "#[path = {file:?}] mod b{number};");
            _ = writeln!(rows, "({:?}, b{number}::behave),", name.to_string());
        }
        _ = writeln!(
            tables,
            "pub(crate) mod {group} {{ {modules} pub(crate) const TABLE: &[(&str, {function})] = &[{rows}]; }}"
        );
    }
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("behaviors.rs"), tables).expect("the tables are written");
}
