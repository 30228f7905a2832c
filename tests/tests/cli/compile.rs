//! `taskcell compile`, as an author uses it.

use std::fmt::Write;
use std::fs;

use serde_json::{Value, json};
use taskcell_test_support::cli::{command, names};
use taskcell_test_support::compose::{component, component_of};
use taskcell_test_support::provision::repository;
use taskcell_test_support::pty::AtTerminal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");

/// A component that takes a while to compile.
fn large() -> Vec<u8> {
    let mut module = String::from("(module (memory 1)");
    for number in 0..20_000 {
        write!(module, "(func (param i32) (result i32) (local i32) (block (loop ").unwrap();
        for step in 0..12 {
            write!(
                module,
                "(local.set 1 (i32.add (i32.mul (local.get 0) (i32.const {number})) (i32.load (i32.const {step}))))"
            )
            .unwrap();
        }
        module.push_str("(br_if 1 (local.get 1)) (br 0))) (local.get 1))");
    }
    module.push(')');
    component_of(module, &[], &[], &[]).unwrap()
}

/// Compiled once, found the next time by whatever command; a terminal sees that it takes a while, and nothing else
/// does.
#[test]
fn compiling_ahead_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let (file, cache) = (folder.path().join("large.wasm"), folder.path().join("cache"));
    fs::write(&file, large()).unwrap();
    let compile = |more: &[&str]| {
        let mut command = command(PROGRAM);
        command.env("TERM", "xterm").env("TASKCELL_CACHE", &cache).args(["compile"]).arg(&file).args(more);
        command
    };
    let mut person = AtTerminal::start(compile(&[])).unwrap();
    person.expect("compiling large.wasm (").unwrap();
    let (code, stdout) = person.end().unwrap();
    assert_eq!(code, Some(0), "{}", person.text());
    assert!(stdout.contains("large.wasm: compiled in "), "{stdout}");
    let kept = names(&cache).unwrap();
    assert!(kept.len() == 1 && stdout.contains(&kept[0]), "{kept:?} {stdout}");

    let mut person = AtTerminal::start(compile(&["--json"])).unwrap();
    let (code, stdout) = person.end().unwrap();
    let documents: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &documents[0]["cached"], &documents[0]["key"]), (Some(0), &json!(true), &json!(kept[0])));
    assert!(!person.text().contains("compiling"), "{}", person.text());

    fs::write(&file, component(&["roots"], &[]).unwrap()).unwrap();
    let output = compile(&["-v"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("a component was compiled") && !said.contains("compiling large.wasm"), "{said}");
    assert_eq!(names(&cache).unwrap().len(), 2);
}

/// What cannot be kept is an error, and so is what is no component.
#[test]
fn what_cannot_be_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.wasm");
    let stock = repository().join("host/cli/assets/stock.wasm");
    fs::write(&garbage, b"garbage").unwrap();
    for (arguments, said) in [
        (vec!["compile", stock.to_str().unwrap(), "--no-cache"], "--no-cache leaves nowhere"),
        (vec!["compile", garbage.to_str().unwrap()], "is not a WebAssembly component"),
    ] {
        let mut command = command(PROGRAM);
        command.env_remove("TASKCELL_CACHE").args(&arguments);
        if !arguments.contains(&"--no-cache") {
            command.env("TASKCELL_CACHE", folder.path().join("cache"));
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{arguments:?}: {output:?}");
    }
}
