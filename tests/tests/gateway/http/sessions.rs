//! Sessions that a server ends. [2025-11-25, basic/transports, Session Management]

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use taskcell_test_support::scripted_http::{HttpAsked, HttpReply, ScriptedHttp};

use super::{Client, request, usual};

/// Answer of a server to a session that it does not know.
type Gone = fn(&HttpAsked) -> HttpReply;

/// Server whose first session ends with the first call of a tool.
async fn forgetful(gone: Gone) -> ScriptedHttp {
    let ended = AtomicUsize::new(0);
    ScriptedHttp::start(move |asked, nth| {
        if asked.message() == "tools/call" {
            ended.store(1, Ordering::SeqCst);
        }
        let is_gone = ended.load(Ordering::SeqCst) == 1 && asked.header("mcp-session-id") == "session-0";
        if is_gone { gone(asked) } else { usual(asked, nth) }
    })
    .await
    .unwrap()
}

const NOT_FOUND: Gone = |_| HttpReply::status(404);

/// 404 is what the specification has. Servers made from the TypeScript SDK's examples answer 400.
#[tokio::test]
async fn a_session_that_ended_is_begun_again() {
    let with_error: Gone =
        |asked| HttpReply::body(404, "application/json", asked.error(-32001, "Session not found").to_string());
    let bad_request: Gone = |asked| {
        HttpReply::body(
            400,
            "application/json",
            asked.error(-32000, "Bad Request: No valid session ID provided").to_string(),
        )
    };
    for gone in [NOT_FOUND, with_error, bad_request] {
        let server = forgetful(gone).await;
        let mut client = Client::to(&server).await;
        client.initialize().await;
        client.send(request(1, "tools/call", &json!({ "name": "echo" }))).await;
        // The answer to the other `initialize` is nobody's.
        assert_eq!(client.next().await["id"], 1);
        client.send(request(2, "ping", &json!({}))).await;
        assert_eq!(client.next().await["id"], 2);
        client.close().await;
        let mut log = server.log();
        log.retain(|line| !line.starts_with("GET"));
        assert_eq!(
            log,
            [
                "POST initialize",
                "POST notifications/initialized session-0",
                "POST tools/call session-0",
                "POST initialize",
                "POST notifications/initialized session-1",
                "POST tools/call session-1",
                "POST ping session-1",
                "DELETE session-1",
            ]
        );
        // The server's stream is asked for in both.
        assert_eq!(server.asked().iter().filter(|asked| asked.method == "GET").count(), 2);
        let asked = server.asked();
        let [first, second] =
            [0, 1].map(|nth| asked.iter().filter(|asked| asked.message() == "initialize").nth(nth).unwrap().json());
        assert_eq!(first["params"], second["params"]);
        assert!(second["id"].as_str().is_some_and(|id| id.len() > 30), "{second}");
    }
}

#[tokio::test]
async fn one_new_session_is_enough_for_all() {
    let server = forgetful(NOT_FOUND).await;
    let mut client = Client::to(&server).await;
    client.initialize().await;
    for id in 0..10 {
        client.send(request(id, "tools/call", &json!({ "name": "echo" }))).await;
    }
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(client.next().await["id"].as_u64().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..10).collect::<Vec<_>>());
    assert_eq!(server.log().iter().filter(|line| line.starts_with("POST initialize")).count(), 2);
}

/// A response belongs to the session of its request, so it does not go to another.
#[tokio::test]
async fn a_response_does_not_move_to_another_session() {
    let server = forgetful(NOT_FOUND).await;
    let mut client = Client::to(&server).await;
    client.initialize().await;
    client.send(request(1, "tools/call", &json!({}))).await;
    client.next().await;
    let ends_again = ScriptedHttp::start(|asked, nth| match asked.message().as_str() {
        "" if asked.method == "POST" => HttpReply::status(404),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&ends_again).await;
    client.initialize().await;
    client.send(json!({ "jsonrpc": "2.0", "id": "s", "result": {} })).await;
    client.send(json!({ "jsonrpc": "2.0", "method": "notifications/roots/list_changed" })).await;
    client.close().await;
    let log = ends_again.log();
    assert_eq!(log.iter().filter(|line| line.as_str() == "POST session-0").count(), 1, "{log:?}");
    assert!(log.contains(&"POST notifications/roots/list_changed session-1".to_owned()), "{log:?}");
    assert!(!log.contains(&"POST session-1".to_owned()), "{log:?}");
}

/// Answer to the second `initialize`, and what the error says.
#[tokio::test]
async fn a_session_that_cannot_be_begun_again_fails_the_request() {
    type Row = (fn(&HttpAsked) -> HttpReply, &'static str);
    let rows: [Row; 4] = [
        (|_| HttpReply::status(503), "503"),
        (|asked| HttpReply::json(&asked.error(-32600, "No more")), "No more"),
        (|asked| HttpReply::json(&asked.result(&json!({ "protocolVersion": "2024-11-05" }))), "2024-11-05"),
        // Begun, and ended at once.
        (|asked| usual(asked, 0), "404"),
    ];
    for (second, part) in rows {
        let server = ScriptedHttp::start(move |asked, nth| match (asked.message().as_str(), nth) {
            ("initialize", 1) => second(asked),
            ("tools/call", _) => HttpReply::status(404),
            _ => usual(asked, nth),
        })
        .await
        .unwrap();
        let mut client = Client::to(&server).await;
        client.initialize().await;
        client.send(request(1, "tools/call", &json!({}))).await;
        let failed: Value = client.next().await;
        assert!(failed["failed"] == 1 && failed["why"].as_str().unwrap().contains(part), "{failed}");
        assert!(server.log().iter().filter(|line| line.starts_with("POST tools/call")).count() <= 2);
    }
}
