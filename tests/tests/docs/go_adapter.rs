//! What the program embeds for Go: the adapter is what its source is assembled to, and the runtime package is that of
//! the crate that makes the bindings.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use taskcell_test_support::provision::repository;
use wit_component::StringEncoding;
use wit_parser::Resolve;

/// Set TASKCELL_BLESS to put what is assembled in the place of the embedded file.
#[test]
fn the_embedded_adapter_is_what_the_source_is_assembled_to() {
    let assets = repository().join("host/cli/assets");
    let mut resolve = Resolve::default();
    let package = resolve.push_file(assets.join("go-adapter.wit")).unwrap();
    let world = resolve.select_world(&[package], Some("adapter")).unwrap();
    let mut assembled = wat::parse_file(assets.join("go-adapter.wat")).unwrap();
    wit_component::embed_component_metadata(&mut assembled, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let embedded = assets.join("go-adapter.wasm");
    if std::env::var_os("TASKCELL_BLESS").is_some() {
        std::fs::write(&embedded, &assembled).unwrap();
    }
    assert!(
        std::fs::read(&embedded).unwrap_or_default() == assembled,
        "host/cli/assets/go-adapter.wasm is not what go-adapter.wat is assembled to: run this test with TASKCELL_BLESS=1"
    );
}

#[test]
fn the_embedded_runtime_package_is_that_of_the_bindings() {
    let theirs = bindings_package();
    let ours = repository().join("host/cli/assets/go-pkg");
    for file in ["go.mod", "LICENSE", "wit/async", "wit/runtime", "wit/types"] {
        let (ours, theirs) = (contents(&ours.join(file)), contents(&theirs.join(file)));
        assert!(
            ours == theirs,
            "host/cli/assets/go-pkg/{file} is not that of the crate wit-bindgen-go: copy it from there"
        );
    }
}

/// The runtime package in the sources of the crate that cargo uses.
///
/// Asks for the packages of this platform only, and without `--offline`: the build of this test fetched those, and a
/// fresh machine has never seen the packages of other platforms.
fn bindings_package() -> PathBuf {
    let cargo = || Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let version = said(cargo().arg("-vV"));
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", host]);
    let metadata: Value = serde_json::from_str(&said(metadata.current_dir(repository()))).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let package = packages.find(|package| package["name"] == "wit-bindgen-go").unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("src/pkg")
}

/// The standard output of a command that must succeed.
fn said(command: &mut Command) -> String {
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// What is in a file, or in the files of a folder, by name.
fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if path.is_file() {
        return vec![(PathBuf::new(), std::fs::read(path).unwrap())];
    }
    let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = files.map(|file| (file.file_name().into(), std::fs::read(file.path()).unwrap())).collect();
    files.sort();
    files
}
