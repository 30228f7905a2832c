//! Streams that break off, and the server's own stream. [2025-11-25, basic/transports, Resumability and Redelivery]

use serde_json::{Value, json};
use taskcell_gateway::http_client::ConnectionLimits;
use taskcell_test_support::scripted_http::{HttpAsked, HttpReply, ScriptedHttp};

use super::{Client, modern, request, usual};

fn log(number: usize) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "data": number } })
}

fn last_event(asked: &HttpAsked) -> &str {
    asked.header("last-event-id")
}

#[tokio::test]
async fn a_stream_that_broke_off_is_gone_on_with() {
    let server =
        ScriptedHttp::start(|asked, nth| match (asked.method.as_str(), asked.message().as_str(), last_event(asked)) {
            // A connection that the server closes, and one that breaks off within an event.
            ("POST", "tools/call", _) if nth == 0 => {
                HttpReply::stream(format!("id: a1\nretry: 30\ndata:\n\nid: a2\ndata: {}\n\n", log(1)))
            }
            ("POST", "tools/call", _) => HttpReply::stream("id: b1\nretry: 30\ndata:\n\ndata: {\"jsonrpc\"").cut(),
            ("GET", _, "a2") if nth == 1 => HttpReply::stream(format!("id: a3\ndata: {}\n\n", log(2))).cut(),
            ("GET", _, "a3") => HttpReply::stream(r#"data: {"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned() + "\n\n"),
            ("GET", _, "b1") => HttpReply::stream(r#"data: {"jsonrpc":"2.0","id":2,"result":{}}"#.to_owned() + "\n\n"),
            _ => usual(asked, nth),
        })
        .await
        .unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    client.send(request(1, "tools/call", &json!({}))).await;
    assert_eq!(client.next().await["params"]["data"], 1);
    assert_eq!(client.next().await["params"]["data"], 2);
    assert_eq!(client.next().await["id"], 1);
    client.send(request(2, "tools/call", &json!({}))).await;
    assert_eq!(client.next().await["id"], 2);
    let asked = server.asked();
    let resumed: Vec<_> = asked.iter().map(last_event).filter(|id| !id.is_empty()).collect();
    assert_eq!(resumed, ["a2", "a3", "b1"]);
    assert!(asked.iter().all(|asked| last_event(asked).is_empty() || asked.header("mcp-session-id") == "session-0"));
    // The call was made once.
    assert_eq!(asked.iter().filter(|asked| asked.message() == "tools/call").count(), 2);
}

#[tokio::test]
async fn a_stream_is_not_resumed_without_end() {
    let server = ScriptedHttp::start(|asked, nth| match (asked.message().as_str(), last_event(asked)) {
        ("tools/call", _) => HttpReply::stream(format!("id: {nth}\nretry: 20\ndata:\n\n")),
        // Nothing comes of it, or the server has no stream to resume.
        (_, "0") => HttpReply::stream(": nothing\n\n"),
        (_, "1") => HttpReply::status(405),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    for (id, part) in [(0, "brought nothing"), (1, "cannot be resumed")] {
        client.send(request(id, "tools/call", &json!({}))).await;
        let failed = client.next().await;
        assert!(failed["failed"] == id && failed["why"].as_str().unwrap().contains(part), "{failed}");
    }
    // The later revision has no resumption.
    client.send(modern(2, "tools/call", json!({ "name": "echo" }))).await;
    assert_eq!(client.next().await["failed"], 2);
    assert!(server.asked().iter().all(|asked| last_event(asked) != "2"));
}

#[tokio::test]
async fn the_servers_own_stream_is_listened_to() {
    let server = ScriptedHttp::start(|asked, nth| match (asked.method.as_str(), nth) {
        ("GET", 0) => {
            HttpReply::stream(format!("id: one\nretry: 30\ndata: {}\n\n", request("s", "roots/list", &json!({}))))
        }
        ("GET", 1) => {
            HttpReply::stream(format!("data: {}\n\ndata: {}\n\ndata: {}\n\n", log(2), "x".repeat(3_000), log(3))).hang()
        }
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut limits = ConnectionLimits::default();
    limits.message_size = 2_000;
    let mut client = Client::with(&server, limits).await;
    client.initialize().await;
    assert_eq!(client.next().await["method"], "roots/list");
    client.send(json!({ "jsonrpc": "2.0", "id": "s", "result": { "roots": [] } })).await;
    assert_eq!(client.next().await["params"]["data"], 2);
    // A message that is too large is skipped alone.
    assert_eq!(client.next().await, json!({ "error": "message_size", "final": false }));
    assert_eq!(client.next().await["params"]["data"], 3);
    server.until(|asked| asked.iter().any(|asked| asked.json()["id"] == "s")).await;
    let asked = server.asked();
    let gets: Vec<_> = asked.iter().filter(|asked| asked.method == "GET").map(last_event).collect();
    assert_eq!(gets, ["", "one"]);
    client.close().await;
    server.until_abandoned().await;
}

/// A server may refuse its stream before it knows that the client is initialized.
#[tokio::test]
async fn a_refused_stream_is_asked_for_again_after_initialization() {
    let server = ScriptedHttp::start(|asked, nth| match (asked.method.as_str(), nth) {
        ("GET", 0) => HttpReply::status(400),
        ("GET", 1) => HttpReply::event(&log(1)).hang(),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    assert_eq!(client.next().await["params"]["data"], 1);
    let expected = ["POST initialize", "GET session-0", "POST notifications/initialized session-0", "GET session-0"];
    assert_eq!(server.log(), expected);
}

/// While nobody takes what arrives, streams are not read.
#[tokio::test]
async fn what_nobody_takes_is_not_read() {
    let server = ScriptedHttp::start(|asked, nth| match asked.message().as_str() {
        "tools/call" => {
            let mut reply = HttpReply::stream("");
            for number in 0..2_000 {
                reply = reply.text(format!(
                    "data: {}\n\n",
                    json!({ "jsonrpc": "2.0", "method": "m", "params": { "data": number, "x": "x".repeat(20_000) } })
                ));
            }
            reply.text(format!("data: {}\n\n", asked.result(&json!({}))))
        }
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut limits = ConnectionLimits::default();
    limits.message_size = 100_000;
    let mut client = Client::with(&server, limits).await;
    client.initialize().await;
    client.send(request(1, "tools/call", &json!({}))).await;
    // Nothing was lost of 40 MB, of which the queue holds 100 KB.
    for number in 0..2_000 {
        assert_eq!(client.next().await["params"]["data"], number);
    }
    assert_eq!(client.next().await["id"], 1);
}
