//! A real server whose process or connections are lost: server-everything, which keeps the events of its streams.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use taskcell_gateway::http_client::{ConnectionLimits, Credentials};
use taskcell_test_support::http_server::HttpServer;
use taskcell_test_support::provision::{node_peers, peers_skipped};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{Client, request};

pub(super) async fn everything() -> HttpServer {
    let script = node_peers().unwrap().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let command = ["node".to_owned(), script.display().to_string(), "streamableHttp".to_owned()];
    HttpServer::start(&command).await.unwrap()
}

fn long_call(id: u64, seconds: u64) -> Value {
    let arguments = json!({ "duration": seconds, "steps": 4 });
    let params =
        json!({ "name": "trigger-long-running-operation", "arguments": arguments, "_meta": { "progressToken": id } });
    request(id, "tools/call", &params)
}

impl Client {
    /// Takes what arrives until a message that `wanted` wants.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let next = self.next().await;
            assert!(next.get("failed").is_none(), "{next}");
            if wanted(&next) {
                return next;
            }
        }
    }
}

/// Forwards connections to `to`, and drops all of them when told.
async fn forwarder(to: SocketAddr) -> (SocketAddr, Arc<watch::Sender<u64>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, cut) = (listener.local_addr().unwrap(), Arc::new(watch::Sender::new(0)));
    let cuts = Arc::clone(&cut);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut is_cut = cuts.subscribe();
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(to).await else { return };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                    _ = is_cut.changed() => {}
                }
            });
        }
    });
    (address, cut)
}

#[tokio::test]
async fn a_call_outlives_its_connections() {
    if peers_skipped("a_call_outlives_its_connections") {
        return;
    }
    let server = everything().await;
    let (address, cut) = forwarder(server.address()).await;
    let url = format!("http://{address}/mcp");
    let mut client = Client::at(&url, Credentials::default(), ConnectionLimits::default()).await;
    client.initialize().await;
    client.send(long_call(1, 2)).await;
    client.until(|message| message["params"]["progress"] == 1).await;
    cut.send_modify(|cuts| *cuts += 1);
    let answer = client.until(|message| message["id"] == 1).await;
    assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("completed"), "{answer}");
    client.close().await;
}

#[tokio::test]
async fn a_server_that_was_restarted_is_initialized_again() {
    if peers_skipped("a_server_that_was_restarted_is_initialized_again") {
        return;
    }
    let mut server = everything().await;
    let mut client = Client::at(&server.url(), Credentials::default(), ConnectionLimits::default()).await;
    client.initialize().await;
    client.send(request(1, "tools/list", &json!({}))).await;
    client.until(|message| message["id"] == 1).await;
    server.restart().await.unwrap();
    client.send(long_call(2, 0)).await;
    let answer = client.until(|message| message["id"] == 2).await;
    assert!(answer["result"]["content"].is_array(), "{answer}");
    client.close().await;
}
