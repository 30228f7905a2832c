//! Real servers, unmodified, over stdio: each asks the client what it can ask.
//!
//! A server is asked to call its client by one of its tools, and the tool's text says what came of it. What is expected
//! stands in one table for each kind of server, a row for a call.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod sdk;
mod server_everything;

use serde_json::Value;
use taskcell_tests::cli::run;

/// What a call of a tool left behind.
struct Called {
    /// The exit code: 0, or 1 when the tool failed.
    code: Option<i32>,
    /// The text of the tool's result.
    text: String,
    /// The kinds that were asked for, in order.
    kinds: Vec<String>,
}

/// Calls a tool of a server; the handlers answer by a script.
fn call(server: &[String], script: &Value, tool: &str, arguments: &Value) -> Called {
    let (arguments, script) = (arguments.to_string(), format!("script={script}"));
    let mut command = vec!["run", "--json", "--set", &script, "--tool", tool, "--args", &arguments, "--"];
    command.extend(server.iter().map(String::as_str));
    let ran = run(env!("CARGO_BIN_EXE_taskcell-cli"), &command).unwrap();
    let document = ran.json().unwrap_or_else(|error| panic!("{tool}: {error:?}"));
    let blocks = document["result"]["content"].as_array().unwrap_or_else(|| panic!("{tool}: {ran:?}"));
    let text = blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n");
    let requests = document["requests"].as_array().unwrap();
    let kinds = requests.iter().filter_map(|request| request["kind"].as_str()).map(str::to_owned).collect();
    Called { code: ran.code, text, kinds }
}
