//! A server of revision 2026-07-28 that behaves as its argument says, for what no SDK's server does.
//!
//! Its tools: `roots` wants the client's roots and says what it was given, `task` runs as a task that wants them, too,
//! and `endless` runs as a task until it is cancelled. What the client has to be told of is said on stderr.

use std::io::BufRead;

use anyhow::{Context, Result};
use serde_json::{Value, json};

const VERSION: &str = "/_meta/io.modelcontextprotocol~1protocolVersion";

fn main() -> Result<()> {
    let mode = std::env::args().nth(1).context("no mode")?;
    let mut given = Value::Null;
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
        let params = message.get("params").unwrap_or(&Value::Null);
        let Some(id) = message.get("id") else {
            eprintln!("{method} {params}");
            continue;
        };
        let answer = match (mode.as_str(), method) {
            // As servers that end when the first request is another than `initialize`.
            ("old-and-strict", "server/discover") => return Ok(()),
            ("old" | "old-and-strict", "initialize") => Ok(json!({
                "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
                "serverInfo": { "name": "modern-server", "version": "1" },
            })),
            ("old" | "old-and-strict", "tools/list") => Ok(json!({ "tools": [{ "name": "of an old server" }] })),
            ("old", _) => Err((-32600, json!("not initialized"))),
            ("next", _) => Err((-32022, json!({ "supported": ["2027-03-01"], "requested": params.pointer(VERSION) }))),
            ("unnamed", "server/discover") => Ok(json!({ "supportedVersions": ["2026-07-28"], "capabilities": {} })),
            (_, "server/discover") => Ok(discovery()),
            (_, _) if params.pointer(VERSION) != Some(&json!("2026-07-28")) => Err((-32602, json!("no version"))),
            (_, "tools/list") => Ok(json!({ "resultType": "complete", "tools": [{ "name": "roots" }] })),
            ("sends", "tools/call") => {
                println!("{}", json!({ "jsonrpc": "2.0", "id": 1, "method": "roots/list" }));
                Ok(complete("it was asked"))
            }
            (_, "tools/call") => called(params),
            (_, "tasks/get") => Ok(task(params, &given)),
            (_, "tasks/update") => {
                given = params.pointer("/inputResponses/dirs/roots").cloned().unwrap_or_default();
                Ok(json!({ "resultType": "complete" }))
            }
            (_, "tasks/cancel") => {
                eprintln!("tasks/cancel of {}", params.get("taskId").unwrap_or(&Value::Null));
                Ok(json!({ "resultType": "complete" }))
            }
            _ => Err((-32601, json!("no such method"))),
        };
        let answer = match answer {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err((code, data)) => {
                json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": "no", "data": data } })
            }
        };
        println!("{answer}");
    }
    Ok(())
}

fn discovery() -> Value {
    json!({
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"], "ttlMs": 0, "cacheScope": "private",
        "capabilities": { "tools": {}, "extensions": { "io.modelcontextprotocol/tasks": {} } },
        "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "modern-server", "version": "1" } },
    })
}

fn complete(text: &str) -> Value {
    json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] })
}

fn called(params: &Value) -> Result<Value, (i32, Value)> {
    match (params.get("name").and_then(Value::as_str), params.pointer("/inputResponses/dirs/roots")) {
        (Some("roots"), None) => {
            let dirs = json!({ "method": "roots/list" });
            Ok(json!({ "resultType": "input_required", "inputRequests": { "dirs": dirs } }))
        }
        (Some("roots"), Some(roots)) => Ok(complete(&roots.to_string())),
        (Some(tool @ ("task" | "endless")), _) => Ok(json!({
            "resultType": "task", "taskId": tool, "status": "working", "ttlMs": null, "pollIntervalMs": 20,
            "createdAt": "2026-08-01T00:00:00Z", "lastUpdatedAt": "2026-08-01T00:00:00Z",
        })),
        _ => Err((-32602, json!("no such tool"))),
    }
}

/// The state of a task: `task` wants input until it was given some.
fn task(params: &Value, given: &Value) -> Value {
    let id = params.get("taskId").unwrap_or(&Value::Null);
    let mut state = json!({
        "resultType": "complete", "taskId": id, "status": "working", "ttlMs": null, "pollIntervalMs": 20,
        "createdAt": "2026-08-01T00:00:00Z", "lastUpdatedAt": "2026-08-01T00:00:00Z",
    });
    let more = match (id.as_str(), given) {
        (Some("task"), Value::Null) => {
            json!({ "status": "input_required", "inputRequests": { "dirs": { "method": "roots/list" } } })
        }
        (Some("task"), given) => json!({ "status": "completed", "result": complete(&given.to_string()) }),
        _ => json!({ "statusMessage": "still at it" }),
    };
    if let (Value::Object(state), Value::Object(more)) = (&mut state, more) {
        state.extend(more);
    }
    state
}
