//! Recognition of tools that ask the client in the manner of another revision than the agreed one.
//!
//! The tool may have acted before it failed, so the program never repeats the call. It tells the person which option to
//! use.

use serde_json::Value;

use taskcell::mrtr;
use taskcell::protocol::PROTOCOL_VERSION;

/// Error texts of tools that need requests from the server to the client, per server library.
const ASKS_BY_SENDING: [&str; 4] = [
    // mcp 2.3.0 (Python)
    "has no back-channel for server-initiated requests",
    // fastmcp 4.2.3 (Python)
    "is unavailable on 2026-07-28 connections",
    // @modelcontextprotocol/server 2.4.0
    "Server-to-client requests are not available on protocol revision",
    // tmcp 1.20.0
    "replayable: true",
];
/// Texts of tools that ask in their results.
const ASKS_BY_RESULTS: [&str; 3] = ["input_required", "InputRequired", "input-required"];

/// Returns advice on the option that the outcome calls for, as a line for people.
pub(crate) fn of(outcome: &Value, revision: &str) -> Option<String> {
    let failed = outcome.get("error").is_some() || outcome.pointer("/result/isError") == Some(&Value::Bool(true));
    if !failed {
        return None;
    }
    let text = outcome.to_string();
    let (texts, other): (&[&str], _) = match revision {
        mrtr::PROTOCOL_VERSION => (&ASKS_BY_SENDING, PROTOCOL_VERSION),
        _ => (&ASKS_BY_RESULTS, mrtr::PROTOCOL_VERSION),
    };
    texts
        .iter()
        .any(|known| text.contains(known))
        .then(|| format!("hint: the tool asks in a way that MCP {revision} does not support; try --protocol {other}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn known_texts_name_the_switch() {
        let error = |message: &str| json!({ "tool": "x", "error": { "code": -32600, "message": message } });
        let failed = |text: &str| json!({ "tool": "x", "result": { "content": [{ "type": "text", "text": text }], "isError": true } });
        let fine = |text: &str| json!({ "tool": "x", "result": { "content": [{ "type": "text", "text": text }] } });
        #[rustfmt::skip]
        let table = [
            (error("Cannot send 'elicitation/create': this transport context has no back-channel for server-initiated requests."), "2026-07-28", Some("--protocol 2025-11-25")),
            (failed("elicitation via server-initiated requests is unavailable on 2026-07-28 connections."), "2026-07-28", Some("--protocol 2025-11-25")),
            (failed("Server-to-client requests are not available on protocol revision 2026-07-28: ..."), "2026-07-28", Some("--protocol 2025-11-25")),
            (error("the tool must be declared `replayable: true`"), "2026-07-28", Some("--protocol 2025-11-25")),
            (error("input_required is not supported"), "2025-11-25", Some("--protocol 2026-07-28")),
            (error("input_required is not supported"), "2026-07-28", None),
            (error("no such tool"), "2026-07-28", None),
            (fine("has no back-channel for server-initiated requests"), "2026-07-28", None),
        ];
        for (outcome, revision, expected) in table {
            let hint = of(&outcome, revision);
            assert_eq!(hint.is_some(), expected.is_some(), "{outcome}");
            assert!(expected.is_none_or(|switch| hint.is_some_and(|hint| hint.contains(switch))), "{outcome}");
        }
    }
}
