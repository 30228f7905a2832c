//! Exchanges that fail: each fails its request alone, and says what to do.

use std::time::Duration;

use serde_json::json;
use taskcell_gateway::http_client::{ConnectionLimits, Credentials};
use taskcell_test_support::scripted_http::{HttpAsked, HttpReply, ScriptedHttp};

use super::{Client, initialize, request, usual};

/// Response to a call, kind of the error, and parts of its text.
type Row = (fn(&HttpAsked) -> HttpReply, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const ROWS: [Row; 22] = [
    (|_| HttpReply::status(401).header("WWW-Authenticate", "Bearer error=\"invalid_token\""), "unauthorized", &["401", "invalid_token", "--token-env", "--header"]),
    (|_| HttpReply::body(401, "application/json", r#"{"error":"invalid_token","error_description":"Expired"}"#), "unauthorized", &["Expired"]),
    (|asked| HttpReply::body(401, "application/json", asked.error(-32001, "Sign in").to_string()), "unauthorized", &["Sign in", "--token-env"]),
    (|_| HttpReply::body(403, "text/plain", "Origin not allowed\u{1b}[2J"), "unauthorized", &["403", "Origin not allowed\u{fffd}[2J"]),
    (|_| HttpReply::body(200, "text/html", "<html>Hello</html>"), "ended", &["web page", "/mcp"]),
    (|_| HttpReply::body(502, "text/html", "<h1>Bad Gateway</h1>"), "ended", &["502", "web page"]),
    (|_| HttpReply::body(405, "text/plain", "Method Not Allowed"), "ended", &["405", "/mcp"]),
    (|_| HttpReply::status(500), "ended", &["500"]),
    (|_| HttpReply::body(500, "application/json", r#"{"detail":"The database is gone"}"#), "ended", &["500", "The database is gone"]),
    (|_| HttpReply::status(429).header("Retry-After", "7"), "ended", &["429", "after 7"]),
    (|_| HttpReply::status(301).header("Location", "/other"), "ended", &["redirects to /other"]),
    (|_| HttpReply::status(202), "ended", &["took tools/call and does not answer"]),
    (|_| HttpReply::body(200, "text/plain", "hello"), "ended", &["text/plain", "hello"]),
    (|_| HttpReply::status(200), "ended", &["of type none"]),
    (|_| HttpReply::body(200, "application/json", "{\"id\":"), "ended", &["cannot be read"]),
    (|_| HttpReply::body(200, "application/json", "{").cut(), "ended", &["broke off"]),
    (|_| HttpReply::body(200, "application/json", format!("[\"{}\"]", "x".repeat(3_000))), "message_size", &["2000"]),
    (|asked| HttpReply::event(&asked.result(&json!("x".repeat(3_000)))), "message_size", &["2000"]),
    (|_| HttpReply::stream(": nothing\n\n"), "ended", &["stream ended before tools/call was answered"]),
    (|_| HttpReply::stream("data: {\"jsonrpc\":\"2.0\"").cut(), "ended", &["before tools/call was answered"]),
    (|_| HttpReply::stream(": silent\n\n").hang(), "ended", &["silent"]),
    (|_| HttpReply::body(200, "application/json", "{").hang(), "ended", &["silent"]),
];

fn limits() -> ConnectionLimits {
    let mut limits = ConnectionLimits::default();
    (limits.message_size, limits.idle_time) = (2_000, Duration::from_millis(500));
    limits
}

#[tokio::test]
async fn a_failed_exchange_fails_its_request_alone() {
    let server = ScriptedHttp::start(|asked, nth| match asked.message().as_str() {
        "tools/call" => ROWS[nth].0(asked),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::with(&server, limits()).await;
    client.initialize().await;
    for (id, (_, kind, parts)) in ROWS.iter().enumerate() {
        client.send(request(id, "tools/call", &json!({}))).await;
        let failed = client.next().await;
        assert_eq!((failed["failed"].as_u64(), &failed["kind"]), (Some(id as u64), &json!(kind)), "row {id}: {failed}");
        let why = failed["why"].as_str().unwrap();
        assert!(parts.iter().all(|part| why.contains(part)), "row {id}: {why}");
        assert!(!why.contains(['\u{1b}', '\n']) && why.len() < 1_000, "row {id}: {why}");
        client.send(request("alive", "ping", &json!({}))).await;
        assert_eq!(client.next().await["id"], "alive", "row {id}");
    }
}

/// An error of JSON-RPC is the server's answer, under whatever status and id.
#[tokio::test]
async fn an_error_of_the_server_is_its_answer() {
    let server = ScriptedHttp::start(|asked, nth| match (asked.message().as_str(), nth) {
        ("tools/call", 0) => HttpReply::body(400, "application/json", asked.error(-32602, "wrong").to_string()),
        ("tools/call", 1) => {
            let body =
                json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": "wrong", "data": 7 } });
            HttpReply::body(400, "application/json", body.to_string())
        }
        // This 404 is about the method, not about the session.
        ("tools/call", 2) => HttpReply::body(404, "application/json", asked.error(-32601, "wrong").to_string()),
        ("tools/call", _) => HttpReply::body(500, "text/plain", asked.error(-32603, "wrong").to_string()),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    for (id, code) in [(0, -32602), (1, -32600), (2, -32601), (3, -32603)] {
        client.send(request(id, "tools/call", &json!({}))).await;
        let answer = client.next().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(code)), "{answer}");
        assert_eq!(answer["error"].get("data").is_some(), id == 1);
    }
    assert_eq!(server.asked().iter().filter(|asked| asked.message() == "initialize").count(), 1);
}

/// What is not reached at all, by its URL.
#[tokio::test]
async fn a_server_that_is_not_reached_is_named_with_the_remedy() {
    let server = ScriptedHttp::start(usual).await.unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = [
        (format!("http://{free}/mcp"), "connection refused"),
        (server.url().replace("http:", "https:"), "use http://"),
        ("http://no-such-host.invalid/mcp".to_owned(), "no-such-host.invalid"),
    ];
    for (url, part) in table {
        let mut client = Client::at(&url, Credentials::default(), ConnectionLimits::default()).await;
        client.send(initialize()).await;
        let failed = client.next().await;
        assert!(failed["kind"] == "connect" && failed["why"].as_str().unwrap().contains(part), "{url}: {failed}");
    }
}

/// Headers without end are bounded by the client of HTTP.
#[tokio::test]
async fn headers_are_bounded() {
    let server = ScriptedHttp::start(|asked, nth| match asked.message().as_str() {
        "tools/call" => usual(asked, nth).header("X-Large", &"x".repeat(2 << 20)),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    client.send(request(1, "tools/call", &json!({}))).await;
    assert_eq!(client.next().await["failed"], 1);
    client.send(request(2, "ping", &json!({}))).await;
    assert_eq!(client.next().await["id"], 2);
}

/// The transport of 2024-11-05 is recognized, and nothing else is taken for it.
#[tokio::test]
async fn the_transport_before_is_named() {
    for (first, expected) in [("event: endpoint\ndata: /messages?id=1\n\n", "mcp-remote"), ("data: {}\n\n", "/mcp")] {
        let server = ScriptedHttp::start(move |asked, _| match asked.method.as_str() {
            "GET" => HttpReply::stream(first).hang(),
            _ => HttpReply::body(405, "text/plain", "Method Not Allowed"),
        })
        .await
        .unwrap();
        let mut client = Client::to(&server).await;
        client.send(initialize()).await;
        let failed = client.next().await;
        assert!(failed["why"].as_str().unwrap().contains(expected), "{failed}");
    }
}
