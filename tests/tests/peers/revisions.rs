//! Servers of revision 2026-07-28, and of both: built with the SDKs of Python, TypeScript and Rust, and one of our own.
//! The library and the program talk to them, with the same component as to servers of 2025-11-25.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use taskcell::Session;
use taskcell::mrtr::{Caller, Discovered, Options, PROTOCOL_VERSION, Server, discover, discovered};
use taskcell_test_support::cli::{self, Ran};
use taskcell_test_support::conversation::soon;
use taskcell_test_support::handlers::{cells, stock};
use taskcell_test_support::http_server::HttpServer;
use taskcell_test_support::provision::{node_peers, node_peers_2026, peers_skipped, python_peers_2026};
use taskcell_test_support::server::options;
use taskcell_test_support::stdio_server::StdioServer;

use crate::servers::flags;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const RUST: &str = env!("CARGO_BIN_EXE_rmcp-server");
const OURS: &str = env!("CARGO_BIN_EXE_modern-server");

/// What the handlers answer: a name, a city, and a workspace.
fn script() -> Value {
    json!({
        "elicitation": [{ "match": "name", "content": { "name": "Ada" } }],
        "sampling": [{ "match": "capital", "answer": "Paris" }],
    })
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn python() -> Vec<String> {
    vec![text(&python_peers_2026().unwrap()), text(&here("peers/python-2026/server.py"))]
}

fn typescript() -> Vec<String> {
    let script = text(&here("peers/node-2026/server.mjs"));
    vec!["node".to_owned(), script, text(&node_peers_2026().unwrap())]
}

fn rust() -> Vec<String> {
    vec![RUST.to_owned()]
}

fn ours(mode: &str) -> Vec<String> {
    vec![OURS.to_owned(), mode.to_owned()]
}

// ---- The library ----

/// A call, and where in its result stands what.
type Row = (&'static str, Value, &'static str, &'static str);

fn rows() -> Vec<Row> {
    let tool = |name: &str| json!({ "name": name, "arguments": {} });
    #[rustfmt::skip]
    let rows = vec![
        ("tools/call",     tool("three"),                  "/content/0/text",          "Ada, Paris, file:///workspace"),
        ("tools/call",     tool("rounds"),                 "/content/0/text",          "paged known Ada, accept"),
        ("tools/call",     tool("stateless"),              "/content/0/text",          "file:///workspace, None"),
        ("prompts/get",    json!({ "name": "greeting" }),  "/messages/0/content/text", "Hello Ada"),
        ("resources/read", json!({ "uri": "asks://it" }),  "/contents/0/text",         "it of Ada"),
    ];
    rows
}

async fn library(server: &[String], rows: Vec<Row>) {
    let handlers = stock(cells(8), &script()).await.unwrap();
    let server = Arc::new(StdioServer::start(server).unwrap());
    let answer = soon(server.request("server/discover", discover(&handlers, &Options::default()))).await.unwrap();
    let Discovered::Modern { server: Some(name), .. } = discovered(&answer.unwrap()) else {
        panic!("another revision, or no name")
    };
    let mut session = options();
    session.server = name;
    session.protocol_version = PROTOCOL_VERSION.to_owned();
    let (session, _) = Session::new(handlers, session);
    let caller = Caller::new(&session, server, Options::default());
    for (method, params, place, expected) in rows {
        let params: Box<RawValue> = to_raw_value(&params).unwrap();
        let result = soon(caller.call(method, &params)).await.unwrap();
        let result = result.unwrap_or_else(|error| panic!("{method} {params}: {error}"));
        let result: Value = serde_json::from_str(result.get()).unwrap();
        assert_eq!(result.pointer(place), Some(&json!(expected)), "{method} {params}: {result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_of_the_sdk_of_python() {
    if !peers_skipped("inputs_of_the_sdk_of_python") {
        library(&python(), rows()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_of_the_sdk_of_typescript() {
    if !peers_skipped("inputs_of_the_sdk_of_typescript") {
        library(&typescript(), rows()).await;
    }
}

/// Its server is the one that has the extension of tasks.
#[tokio::test(flavor = "multi_thread")]
async fn inputs_and_tasks_of_the_sdk_of_rust() {
    let mut rows = rows();
    rows.push(("tools/call", json!({ "name": "task" }), "/content/0/text", "Ada, Paris"));
    library(&rust(), rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_and_tasks_of_our_own_server() {
    let roots = r#"[{"uri":"file:///workspace","name":"workspace"}]"#;
    let row = |tool: &str| ("tools/call", json!({ "name": tool }), "/content/0/text", roots);
    library(&ours("plain"), vec![row("roots"), row("task")]).await;
}

// ---- The program ----

/// The arguments that are the same for all servers: one component, and no word of a revision.
fn arguments() -> Vec<String> {
    let handler = text(&here("../host/cli/assets/stock.wasm"));
    let set = format!("script={}", script());
    let arguments = ["run", "--json", "--handler", &handler, "--grant", "tasks", "--grant", "progress", "--set", &set];
    arguments.map(str::to_owned).into()
}

fn run(more: &[&str], server: &[String]) -> Ran {
    let mut arguments = arguments();
    arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
    arguments.extend(flags(server));
    cli::run(PROGRAM, &arguments).unwrap()
}

/// What the document says of a call: the revision, the tool's text, and which kinds were asked by which handler.
fn called(more: &[&str], server: &[String]) -> (String, String, Vec<String>) {
    let ran = run(more, server);
    let document = ran.json().unwrap_or_else(|error| panic!("{server:?}: {error:?}"));
    assert_eq!(ran.code, Some(0), "{server:?}: {ran:?}");
    let said = document["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{ran:?}")).to_owned();
    let requests = document["requests"].as_array().unwrap().iter();
    let mut kinds: Vec<_> = requests
        .map(|request| {
            assert!(request["handler"].as_str().unwrap().ends_with("stock.wasm"), "{ran:?}");
            request["kind"].as_str().unwrap().to_owned()
        })
        .collect();
    kinds.sort();
    let version = document["protocolVersion"].as_str().unwrap().to_owned();
    let name = document["serverInfo"].as_object();
    assert!(document["server"]["name"].is_string() && name.is_none(), "{ran:?}");
    assert!(ran.stderr.contains(&format!("({version})")), "{ran:?}");
    (version, said, kinds)
}

/// One file, the same arguments: a server of 2025-11-25 sends requests, one of 2026-07-28 asks by its results.
#[test]
fn one_component_serves_both_eras() {
    if peers_skipped("one_component_serves_both_eras") {
        return;
    }
    let everything = node_peers().unwrap().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let everything = ["node".to_owned(), text(&everything), "stdio".to_owned()];
    let sampling = ["--tool", "trigger-sampling-request", "--args", r#"{"prompt":"capital","maxTokens":20}"#];
    let (version, said, kinds) = called(&sampling, &everything);
    assert_eq!((version.as_str(), kinds.as_slice()), ("2025-11-25", &["sampling".to_owned()][..]));
    assert!(said.contains("Paris"), "{said}");
    let (version, said, kinds) = called(&["--tool", "get-roots-list"], &everything);
    assert_eq!((version.as_str(), kinds.contains(&"roots".to_owned())), ("2025-11-25", true));
    assert!(said.contains("file:///workspace"), "{said}");

    let all = ["elicitation", "roots", "sampling"];
    for server in [python(), typescript(), rust()] {
        let (version, said, kinds) = called(&["--protocol", "2026-07-28", "--tool", "three"], &server);
        assert_eq!((version.as_str(), said.as_str()), ("2026-07-28", "Ada, Paris, file:///workspace"), "{server:?}");
        assert_eq!(kinds, all, "{server:?}");
    }
    // A server of both eras is spoken to in either, with the same outcome; the earlier one comes first.
    for flags in [&[][..], &["--protocol", "2025-11-25"]] {
        let (version, said, kinds) = called(&[flags, &["--tool", "three"]].concat(), &python());
        assert_eq!((version.as_str(), said.as_str()), ("2025-11-25", "Ada, Paris, file:///workspace"));
        assert_eq!(kinds, all);
    }
}

/// The same servers over streamable HTTP. Plain JSON is one of two ways in which Rust's answers.
#[tokio::test(flavor = "multi_thread")]
async fn one_component_serves_both_eras_over_http() {
    let mut servers = vec![rust(), [rust(), vec!["json".to_owned()]].concat()];
    if !peers_skipped("one_component_serves_both_eras_over_http") {
        servers.push(python());
    }
    for command in servers {
        let server = HttpServer::start(&command).await.unwrap();
        let url = [server.url()];
        let modern = |tool: &str| called(&["--protocol", "2026-07-28", "--tool", tool], &url);
        assert_eq!(modern("three").1, "Ada, Paris, file:///workspace", "{command:?}");
        assert_eq!(modern("rounds").1, "paged known Ada, accept", "{command:?}");
        assert_eq!(modern("stateless").1, "file:///workspace, None", "{command:?}");
    }
}

#[test]
fn tasks_of_a_server_are_followed() {
    let roots = r#"[{"uri":"file:///workspace","name":"workspace"}]"#;
    for tool in ["roots", "task"] {
        let (version, said, kinds) = called(&["--tool", tool], &ours("plain"));
        assert_eq!((version.as_str(), said.as_str()), ("2026-07-28", roots));
        assert_eq!(kinds, ["roots"]);
    }
    let ran = run(&["--tool", "task"], &ours("plain"));
    for state in ["working", "waiting for input", "completed"] {
        assert!(ran.stderr.contains(&format!("server's task task is {state}")), "{state}: {ran:?}");
    }
}

/// Which revision is spoken with which server, and what is said of one with which there is none.
#[test]
fn the_revision_is_found() {
    let listed = |more: &[&str], mode: &str, version: &str, tool: &str| {
        let ran = run(more, &ours(mode));
        let document = ran.json().unwrap_or_else(|error| panic!("{mode}: {error:?}"));
        assert_eq!(document["protocolVersion"], version, "{mode}: {ran:?}");
        assert_eq!(document["tools"][0]["name"], tool, "{mode}: {ran:?}");
    };
    listed(&[], "plain", "2026-07-28", "roots");
    listed(&["--protocol", "2026-07-28"], "plain", "2026-07-28", "roots");
    listed(&[], "unnamed", "2026-07-28", "roots");
    listed(&[], "old", "2025-11-25", "of an old server");
    listed(&["--protocol", "2025-11-25"], "old", "2025-11-25", "of an old server");
    listed(&[], "old-and-strict", "2025-11-25", "of an old server");

    let refused = |more: &[&str], mode: &str, words: &[&str]| {
        let ran = run(more, &ours(mode));
        assert_eq!(ran.code, Some(2), "{mode}: {ran:?}");
        assert!(words.iter().all(|word| ran.stderr.contains(word)), "{mode}: {words:?} are not in {ran:?}");
    };
    refused(&[], "next", &["2027-03-01", "2026-07-28"]);
    refused(&["--protocol", "2026-07-28"], "old", &["does not speak MCP 2026-07-28", "--protocol auto"]);
    refused(&["--protocol", "2026-07-28"], "old-and-strict", &["the server ended"]);
    refused(&["--protocol", "2025-11-25"], "plain", &["the server refused initialize"]);
    refused(&["--protocol", "2024"], "plain", &["--protocol"]);
}

/// A request of the server has no place in this revision: it is told of, and nobody answers.
#[test]
fn requests_of_a_modern_server_are_not_answered() {
    let ran = run(&["--tool", "roots"], &ours("sends"));
    let document = ran.json().unwrap();
    assert_eq!(document["requests"], json!([]), "{ran:?}");
    assert_eq!(document["result"]["content"][0]["text"], "it was asked", "{ran:?}");
    assert!(ran.stderr.contains("server asked roots/list, which this revision does not allow"), "{ran:?}");
}

/// Whoever interrupts the program leaves no task running.
#[cfg(unix)]
#[test]
fn an_interrupted_call_cancels_its_task() {
    let mut arguments = arguments();
    arguments.extend(["--tool", "endless", "--"].map(str::to_owned));
    arguments.extend(ours("plain"));
    let mut command = cli::command(PROGRAM);
    let mut program = command.args(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(program.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut seen = Vec::new();
    let mut until = |word: &str| {
        let found = lines.find(|line| {
            seen.push(line.clone());
            line.contains(word)
        });
        assert!(found.is_some(), "no {word:?} in {seen:?}");
    };
    until("still at it");
    assert!(cli::signal(&program, "TERM").unwrap());
    until(r#"tasks/cancel of "endless""#);
    until("interrupted");
    assert_eq!(program.wait().unwrap().code(), Some(2));
}
