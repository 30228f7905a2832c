//! Peers: servers built with the SDKs of Python, TypeScript and Rust, and applications that use rmcp.

mod forms;
mod revisions;
mod rmcp;
mod servers;

use serde_json::{Value, json};

/// The script of handlers whose answers take as long as the prompt says, or fail.
fn sampling_script() -> Value {
    json!({
        "delayMs": 100,
        "pollIntervalMs": 50,
        "sampling": [
            { "match": "fail", "error": { "code": -7, "message": "The model exploded" } },
            { "match": "for ever", "delayMs": 600_000 },
            { "match": "a while", "delayMs": 1_500 },
        ],
    })
}
