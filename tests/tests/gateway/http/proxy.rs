//! `taskcell proxy --url`: a client on pipes in front of a server of streamable HTTP.

use serde_json::{Value, json};
use taskcell_test_support::provision::peers_skipped;
use taskcell_test_support::scripted_http::{HttpAsked, HttpReply, ScriptedHttp};

use super::real::everything;
use super::run::sampling;
use super::{initialize, request, usual};
use crate::program::Proxy;

/// Answers of the stock handler, which answers only where it has a script.
const SCRIPT: &str = r#"script={"sampling":[{"answer":"from the handler"}]}"#;

impl Proxy {
    /// Sends what a client without capabilities begins with. Returns the answer.
    fn begin(&mut self) -> Value {
        self.send(&initialize().to_string());
        let answer = self.next();
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        answer
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_is_answered_for_over_http() {
    let server = sampling().await;
    let arguments = ["--set", SCRIPT, "--url", &server.url(), "--token-env", "MY_TOKEN"];
    let mut proxy = Proxy::with_arguments(&arguments, &[("MY_TOKEN", "secret")]);
    assert_eq!(proxy.begin()["result"]["serverInfo"]["name"], "scripted");
    proxy.send(&request(1, "tools/call", &json!({ "name": "echo" })).to_string());
    // The question in between is not the client's.
    let answer = proxy.next();
    assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!(1), &json!("asked")), "{answer}");
    let ran = proxy.end();
    assert!(ran.code == Some(0) && !ran.stderr.contains("secret"), "{ran:?}");
    let asked = server.asked();
    let answered = asked.iter().map(HttpAsked::json).find(|message| message["id"] == "s-1").unwrap();
    assert_eq!(answered["result"]["content"]["text"], "from the handler");
    assert!(asked.iter().all(|asked| asked.header("authorization") == "Bearer secret"));
    assert_eq!(server.log().last().unwrap(), "DELETE session-0");
}

/// The client sees neither the end of a session nor its replacement, and is told of what fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_outlives_the_servers_session() {
    let server = ScriptedHttp::start(|asked, nth| match (asked.message().as_str(), nth) {
        ("tools/call", 0) => HttpReply::status(404),
        ("tools/call", 2) => HttpReply::status(401),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut proxy = Proxy::with_arguments(&["--url", &server.url()], &[]);
    proxy.begin();
    let call = |id: u64| request(id, "tools/call", &json!({ "name": "echo" })).to_string();
    proxy.send(&call(1));
    assert_eq!(proxy.next()["result"]["content"][0]["text"], "done");
    proxy.send(&call(2));
    let error = proxy.next();
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(2), &json!(-32603)), "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains("--token-env"), "{error}");
    proxy.send(&call(3));
    assert_eq!(proxy.next()["id"], 3);
    let ran = proxy.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert_eq!(server.log().iter().filter(|line| line.starts_with("POST initialize")).count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_real_server_asks_a_client_without_capabilities() {
    if peers_skipped("a_real_server_asks_a_client_without_capabilities") {
        return;
    }
    let server = everything().await;
    let mut proxy = Proxy::with_arguments(&["--set", SCRIPT, "--url", &server.url()], &[]);
    proxy.begin();
    let params = json!({ "name": "trigger-sampling-request", "arguments": { "prompt": "hi" } });
    proxy.send(&request(1, "tools/call", &params).to_string());
    let answer = loop {
        let next = proxy.next();
        assert!(next["id"].is_null() || next["id"] == 1, "a question came through: {next}");
        if next["id"] == 1 {
            break next;
        }
    };
    assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("from the handler"), "{answer}");
    let ran = proxy.end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
