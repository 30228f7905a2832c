//! The server's end of a stream: what a test writes there, and what it finds.

use rmcp::ServiceExt;
use rmcp::service::{RoleClient, RunningService};
use serde_json::{Value, json};
use taskcell_rmcp::Adapter;
use taskcell_test_support::conversation::soon;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, split};

use super::application::Own;

/// The server's end.
pub(crate) struct Wire {
    from: BufReader<ReadHalf<DuplexStream>>,
    to: WriteHalf<DuplexStream>,
    seen: Vec<Value>,
}

/// A connection that is initialized.
pub(crate) struct Connected {
    pub(crate) client: RunningService<RoleClient, Own>,
    pub(crate) own: Own,
    pub(crate) wire: Wire,
    /// The request for it.
    pub(crate) initialize: Value,
}

type Stream = (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>);

/// Both ends of a stream: the client's, and the server's.
pub(crate) fn pipe() -> (Stream, Wire) {
    let (clients, servers) = tokio::io::duplex(1 << 20);
    let (from, to) = split(servers);
    (split(clients), Wire { from: BufReader::new(from), to, seen: Vec::new() })
}

/// Connects an application to a server that the test is. Without an adapter it has rmcp's own transport.
pub(crate) async fn connect(adapter: Option<&Adapter>) -> Connected {
    let ((read, write), mut wire) = pipe();
    let own = Own::default();
    let application = own.clone();
    let starting = match adapter {
        Some(adapter) => tokio::spawn(application.serve(adapter.stdio(read, write))),
        None => tokio::spawn(application.serve((read, write))),
    };
    let initialize = wire.next().await;
    assert_eq!(initialize["method"], "initialize");
    let info = json!({ "name": "a server", "version": "7", "title": "A server" });
    let result = json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": info });
    wire.send(&json!({ "jsonrpc": "2.0", "id": initialize["id"], "result": result })).await;
    assert_eq!(wire.next().await["method"], "notifications/initialized");
    let client = soon(starting).await.unwrap().unwrap().unwrap();
    Connected { client, own, wire, initialize }
}

impl Wire {
    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_bytes(format!("{message}\n").as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        soon(self.to.write_all(bytes)).await.unwrap().unwrap();
    }

    /// The next line as it came; none at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = soon(self.from.read_line(&mut line)).await.unwrap().unwrap();
        (read > 0).then_some(line)
    }

    pub(crate) async fn next(&mut self) -> Value {
        let line = self.line().await.expect("the client has gone");
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.seen.push(message.clone());
        message
    }

    /// The first message that is so, of all that came.
    pub(crate) async fn find(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(seen) = self.seen.iter().find(|message| is_it(message)) {
            return seen.clone();
        }
        loop {
            let message = self.next().await;
            if is_it(&message) {
                return message;
            }
        }
    }

    /// Sends a request and gives its answer.
    pub(crate) async fn ask(&mut self, id: impl Into<Value>, method: &str, params: &Value) -> Value {
        let id = id.into();
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        self.find(|message| message.get("method").is_none() && message["id"] == id).await
    }
}
