//! `taskcell record`, as an author uses it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::json;
use taskcell_test_support::cli::{Ran, names, run};
use taskcell_test_support::provision::{node_peers, peers_skipped, repository};

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SERVER: &str = env!("CARGO_BIN_EXE_fake-server");
const LATER_SERVER: &str = env!("CARGO_BIN_EXE_modern-server");

static STOCK: LazyLock<String> = LazyLock::new(|| text(&repository().join("host/cli/assets/stock.wasm")));

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn record(folder: &Path, arguments: &[&str], server: &[&str]) -> Ran {
    let folder = text(folder);
    let ran = run(PROGRAM, &[&["record", &folder, "--quiet"], arguments, &["--"], server].concat()).unwrap();
    assert!(ran.stderr.contains("fixtures were written to"), "{ran:?}");
    ran
}

/// Checks the stock handler with what was recorded; these fixtures fail, and nothing else.
fn failed(fixtures: &Path, arguments: &[&str], expected: &[&str]) {
    let ran = run(PROGRAM, &[&["check", &STOCK, "--json", "--fixtures", &text(fixtures)], arguments].concat()).unwrap();
    let found = ran.cases("failed").unwrap();
    let expected: Vec<_> = expected.iter().map(|name| ("fixture".to_owned(), (*name).to_owned())).collect();
    assert_eq!(found, expected, "{ran:?}");
}

/// What is recorded of a run passes with the same handler, fails with one that answers otherwise, and stays as it is
/// when more is recorded. Nobody else can read it.
#[test]
fn what_is_recorded_can_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = folder.path().join("a/fixtures");
    for tool in ["make-task", "use-task", "ask"] {
        let ran = record(&fixtures, &["--tool", tool], &[SERVER, "any"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let expected = [
        "001-sampling-createMessage-task",
        "002-sampling-createMessage-task",
        "003-elicitation-create",
        "004-elicitation-create",
    ];
    assert_eq!(names(&fixtures).unwrap(), expected);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(fixtures.clone()), 0o700);
    assert_eq!(mode(fixtures.join(expected[1])), 0o700);
    assert_eq!(mode(fixtures.join(expected[1]).join("request.json")), 0o600);
    assert_eq!(mode(fixtures.join(expected[1]).join("expected.json")), 0o600);
    failed(&fixtures, &[], &[]);
    let script = json!({ "sampling": [{ "answer": "something else" }] });
    failed(&fixtures, &["--set", &format!("script={script}")], &expected[1..2]);
    assert_eq!(names(&folder.path().join("a")).unwrap(), ["fixtures"]);
}

#[test]
fn what_is_recorded_of_server_everything_can_be_checked() {
    if peers_skipped("what_is_recorded_of_server_everything_can_be_checked") {
        return;
    }
    let script = node_peers().unwrap().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let server = ["node", &text(&script), "stdio"];
    let folder = tempfile::tempdir().unwrap();
    let tools = [
        "trigger-sampling-request",
        "trigger-elicitation-request",
        "get-roots-list",
        "trigger-sampling-request-async",
        "trigger-elicitation-request-async",
    ];
    for tool in tools {
        let arguments = if tool.contains("sampling") { r#"{"prompt":"hello","maxTokens":20}"# } else { "{}" };
        let ran = record(folder.path(), &["--tool", tool, "--args", arguments], &server);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let recorded = names(folder.path()).unwrap().join(" ");
    for method in [
        "sampling-createMessage",
        "elicitation-create",
        "roots-list",
        "sampling-createMessage-task",
        "elicitation-create-task",
    ] {
        assert!(recorded.contains(method), "{recorded}");
    }
    failed(folder.path(), &[], &[]);
}

/// What a server of the later revision asks by its results is recorded as the request that asks the same.
#[test]
fn what_a_server_of_2026_07_28_asks_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let ran = record(folder.path(), &["--tool", "roots"], &[LATER_SERVER, "plain"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(names(folder.path()).unwrap(), ["001-roots-list"]);
    failed(folder.path(), &[], &[]);
}
