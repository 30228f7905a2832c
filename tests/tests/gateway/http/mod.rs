//! Streamable HTTP towards servers: a connection to a server that answers by a script, and the program with `--url`.

mod faults;
mod modern;
mod proxy;
mod real;
mod run;
mod sessions;
mod streams;
mod transport;

use std::time::Duration;

use serde_json::{Value, json};
use taskcell_gateway::http_client::{ConnectionLimits, Credentials, Endpoint, HttpConnector};
use taskcell_gateway::{Connection, Connector, Frame, TransportError};
use taskcell_test_support::scripted_http::{HttpAsked, HttpReply, ScriptedHttp};

/// Time longer than anything here takes.
const GUARD: Duration = Duration::from_secs(30);

/// Connection to a server.
struct Client(Connection);

impl Client {
    async fn to(server: &ScriptedHttp) -> Self {
        Self::with(server, ConnectionLimits::default()).await
    }

    async fn with(server: &ScriptedHttp, limits: ConnectionLimits) -> Self {
        Self::at(&server.url(), Credentials::default(), limits).await
    }

    async fn at(url: &str, credentials: Credentials, limits: ConnectionLimits) -> Self {
        let endpoint = Endpoint::parse(url).unwrap();
        Self(HttpConnector::new(endpoint, credentials, limits, false).unwrap().connect().await.unwrap())
    }

    /// Sends a message as it is written.
    async fn send(&self, message: impl ToString) {
        self.0.sender.send(Frame::from(message.to_string())).await.unwrap();
    }

    /// Returns what arrives next: a message, or an error as an object.
    async fn next(&mut self) -> Value {
        let next = tokio::time::timeout(GUARD, self.0.receiver.next()).await.expect("nothing arrives");
        match next.expect("the connection has ended") {
            Ok(frame) => serde_json::from_slice(&frame).unwrap(),
            Err(TransportError::NotAnswered { id, cause }) => {
                let id: Value = serde_json::from_slice(&id).unwrap();
                json!({ "failed": id, "kind": cause.kind(), "why": cause.to_string() })
            }
            Err(error) => json!({ "error": error.kind(), "final": error.is_final() }),
        }
    }

    /// Initializes the server with revision 2025-11-25.
    async fn initialize(&mut self) {
        self.send(initialize()).await;
        assert_eq!(self.next().await["result"]["protocolVersion"], "2025-11-25");
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    }

    async fn close(mut self) {
        self.0.sender.close().await;
        while let Some(more) = self.0.receiver.next().await {
            more.unwrap();
        }
    }
}

fn initialize() -> Value {
    let params =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "c", "version": "0" } });
    request("first", "initialize", &params)
}

fn request(id: impl Into<Value>, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

/// Request of revision 2026-07-28.
fn modern(id: u64, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    request(id, method, &params)
}

/// Response that a faultless server gives. Sessions are named by their number.
fn usual(asked: &HttpAsked, nth: usize) -> HttpReply {
    let message = asked.message();
    match (asked.method.as_str(), message.as_str()) {
        ("POST", "initialize") => HttpReply::json(&asked.result(&json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": { "name": "scripted", "version": "1" },
        })))
        .header("Mcp-Session-Id", &format!("session-{nth}")),
        ("POST", message) if message.is_empty() || message.starts_with("notifications/") => HttpReply::status(202),
        ("POST", "tools/list") => HttpReply::json(&asked.result(&json!({
            "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }], "resultType": "complete",
        }))),
        ("POST", "tools/call") => HttpReply::json(&asked.result(&json!({ "content": [{ "type": "text", "text": "done" }] }))),
        ("POST", _) => HttpReply::json(&asked.result(&json!({}))),
        ("DELETE", _) => HttpReply::status(200),
        _ => HttpReply::status(405),
    }
}
