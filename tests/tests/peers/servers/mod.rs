//! Real servers, unmodified, over stdio and over streamable HTTP: each asks the client what it can ask.
//!
//! A server is asked to call its client by one of its tools, and the tool's text says what came of it. What is expected
//! stands in one table for each kind of server, a row for a call, and holds whoever takes the tasks: handlers of their
//! own, or the host around plain ones.

mod sdk;
mod server_everything;

use std::path::Path;

use serde_json::Value;
use taskcell_test_support::cli::run;
use taskcell_test_support::guests::build_guest;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");

/// Who takes the kinds of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The stock handler, which exports all kinds.
    OwnHandlers,
    /// The host, around a guest that knows nothing of tasks and has no roots.
    Managed,
}

/// What a call of a tool left behind.
struct Called {
    /// The exit code: 0, or 1 when the tool failed.
    code: Option<i32>,
    /// The text of the tool's result.
    text: String,
    /// The kinds that were asked for, in order.
    kinds: Vec<String>,
}

impl Mode {
    fn arguments(self) -> Vec<String> {
        if self == Self::OwnHandlers {
            return Vec::new();
        }
        let plain = build_guest(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/plain_kinds")).unwrap();
        let arguments = ["--tasks", "managed", "--grant", "progress", "--handler"];
        arguments.into_iter().map(str::to_owned).chain([plain.display().to_string()]).collect()
    }

    /// Whether a handler answers a kind, and not the host.
    fn has_handler(self, kind: &str) -> bool {
        self == Self::OwnHandlers || ["sampling", "elicitation"].contains(&kind)
    }
}

/// Flags that name a server, which is a program with its arguments or a URL alone.
pub(crate) fn flags(server: &[String]) -> Vec<String> {
    let flag = if server.len() == 1 && server[0].starts_with("http://") { "--url" } else { "--" };
    std::iter::once(flag.to_owned()).chain(server.iter().cloned()).collect()
}

/// Calls a tool of a server; the handlers answer by a script. The two modes keep their tasks in different stores.
fn call(mode: Mode, server: &[String], script: &Value, tool: &str, arguments: &Value) -> Called {
    let folder = tempfile::tempdir().unwrap();
    let store = match mode {
        Mode::OwnHandlers => folder.path().join("tasks.db").display().to_string(),
        Mode::Managed => ":memory:".to_owned(),
    };
    call_with_store(&store, mode, server, script, tool, arguments)
}

/// The same, with the tasks in this store.
fn call_with_store(
    store: &str,
    mode: Mode,
    server: &[String],
    script: &Value,
    tool: &str,
    arguments: &Value,
) -> Called {
    let (arguments, script) = (arguments.to_string(), format!("script={script}"));
    let mut command: Vec<_> = ["run", "--json", "--store", store].map(str::to_owned).into();
    command.extend(mode.arguments());
    command.extend(["--set", &script, "--tool", tool, "--args", &arguments].map(str::to_owned));
    command.extend(flags(server));
    let ran = run(PROGRAM, &command).unwrap();
    let document = ran.json().unwrap_or_else(|error| panic!("{mode:?} {tool}: {error:?}"));
    let blocks = document["result"]["content"].as_array().unwrap_or_else(|| panic!("{mode:?} {tool}: {ran:?}"));
    let text = blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n");
    let mut kinds = Vec::new();
    for request in document["requests"].as_array().unwrap() {
        let Some(kind) = request["kind"].as_str() else { continue };
        assert_eq!(request["handler"].is_string(), mode.has_handler(kind), "{mode:?} {tool}: {request}");
        kinds.push(kind.to_owned());
    }
    Called { code: ran.code, text, kinds }
}
