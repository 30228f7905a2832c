//! `taskcell new` and `taskcell build` in Go: what is written builds without a network and passes `taskcell check`.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use taskcell_test_support::cli;
use taskcell_test_support::provision::{go_variables, language_skipped, repository};

/// The program with Go, and without a proxy to take modules from.
fn taskcell(arguments: &[&str]) -> Output {
    let mut command = cli::command(env!("CARGO_BIN_EXE_taskcell-cli"));
    command.args(arguments).envs(go_variables().unwrap()).output().unwrap()
}

fn well(output: &Output) -> String {
    let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{log}", output.status);
    said.into_owned()
}

/// All kinds, and sets of them that leave out each part of the code.
#[test]
fn go_builds_and_passes() {
    if language_skipped("go", "new_go") {
        return;
    }
    for kinds in ["all", "elicitation,roots", "get-task"] {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("handler").to_str().unwrap().to_owned();
        well(&taskcell(&["new", &project, "--lang", "go", "--kinds", kinds]));
        let mut unformatted = Command::new("go");
        unformatted.args(["fmt", "./..."]).current_dir(&project).envs(go_variables().unwrap());
        let unformatted = unformatted.env("GOFLAGS", "-mod=mod").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&unformatted.stdout), "", "{kinds}: not formatted");
        well(&taskcell(&["build", &project]));
        let (component, fixtures) = (format!("{project}/build/handler.wasm"), format!("{project}/fixtures"));
        well(&taskcell(&["check", &component, "--fixtures", &fixtures]));
        // What is wrong in the author's code is said by Go, with its place.
        let code = format!("{project}/handler/handler.go");
        fs::write(&code, fs::read_to_string(&code).unwrap() + "\nfunc wrong() string { return 1 }\n").unwrap();
        let failed = taskcell(&["build", &project]);
        let said = String::from_utf8_lossy(&failed.stderr);
        let has_code = kinds != "get-task";
        assert!(!has_code || (failed.status.code() == Some(2) && said.contains("handler/handler.go:")), "{said}");
    }
}

/// What a program in Go finds in its cell, by the adapter: clocks, sleep, random numbers and the log; nothing else.
#[test]
fn a_cell_in_go_has_clocks_and_random_and_the_log() {
    if language_skipped("go", "new_go") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("handler").to_str().unwrap().to_owned();
    well(&taskcell(&["new", &project, "--lang", "go", "--kinds", "sampling,roots"]));
    fs::copy(repository().join("tests/data/go/handler.go"), format!("{project}/handler/handler.go")).unwrap();
    well(&taskcell(&["build", &project]));

    let component = format!("{project}/build/handler.wasm");
    let ran = taskcell(&["-v", "call", "--handler", &component, "roots/list"]);
    let log = String::from_utf8_lossy(&ran.stderr).into_owned();
    let answer: Value = serde_json::from_str(&well(&ran)).unwrap();
    let found: Vec<_> = answer["result"]["roots"].as_array().unwrap().iter().collect();
    let found: Vec<_> =
        found.iter().map(|root| (root["name"].as_str().unwrap(), root["uri"] == "file:///true")).collect();
    let expected = [
        ("wall-clock", true),
        ("sleep", true),
        ("goroutines", true),
        ("random", true),
        ("crypto", true),
        ("file", false),
        ("environment", false),
        ("arguments", false),
        ("socket", false),
    ];
    assert_eq!(found, expected);
    assert!(log.contains("guest prints: on stdout") && log.contains("guest prints: on stderr"), "{log}");

    let prompt = r#"{"messages":[],"maxTokens":1}"#;
    let ran = taskcell(&["-v", "call", "--handler", &component, "sampling/createMessage", prompt]);
    let (answer, log) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(answer.contains(r#""kind": "trap""#), "{answer}");
    for part in ["guest prints: panic: on purpose", "handler.go:"] {
        assert!(log.contains(part), "{part}: {log}");
    }
}
