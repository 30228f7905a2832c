//! What goes out and comes in when nothing goes wrong. [2025-11-25, basic/transports, Streamable HTTP]

use serde_json::json;
use taskcell_gateway::http_client::{ConnectionLimits, Credentials};
use taskcell_test_support::scripted_http::{HttpReply, ScriptedHttp};

use super::{Client, initialize, request, usual};

#[tokio::test]
async fn a_message_goes_out_as_it_was_written() {
    let server = ScriptedHttp::start(usual).await.unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    let odd = r#"{"method":"tools/call", "id":1.0e0, "jsonrpc":"2.0","params":{"name":"echo","task":{"ttl":5},"x":1.10},"y":[ ]}"#;
    client.send(odd).await;
    assert_eq!(client.next().await["id"], json!(1.0));
    client.send(r#"{"jsonrpc":"2.0","id":"s","result":{ "a" : 1}}"#).await;
    client.close().await;
    let asked = server.asked();
    assert!(asked.iter().any(|asked| asked.body == odd));
    assert!(asked.iter().any(|asked| asked.body == r#"{"jsonrpc":"2.0","id":"s","result":{ "a" : 1}}"#));
}

#[tokio::test]
async fn headers_say_what_the_revision_demands() {
    let server = ScriptedHttp::start(usual).await.unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    client.send(request(1, "tools/call", &json!({ "name": "echo" }))).await;
    client.next().await;
    client.close().await;
    let asked = server.asked();
    for asked in &asked {
        let is_first = asked.message() == "initialize";
        let (session, version) = if is_first { ("", "") } else { ("session-0", "2025-11-25") };
        assert_eq!(asked.header("mcp-session-id"), session, "{asked:?}");
        assert_eq!(asked.header("mcp-protocol-version"), version, "{asked:?}");
        match asked.method.as_str() {
            "POST" => {
                assert_eq!(asked.header("accept"), "application/json, text/event-stream");
                assert_eq!(asked.header("content-type"), "application/json");
            }
            "GET" => assert_eq!(asked.header("accept"), "text/event-stream"),
            method => assert_eq!(method, "DELETE"),
        }
        // Those are of the later revision.
        assert_eq!((asked.header("mcp-method"), asked.header("mcp-name")), ("", ""));
    }
    assert_eq!(server.log().last().unwrap(), "DELETE session-0");
}

#[tokio::test]
async fn a_server_without_sessions_gets_no_session() {
    let server = ScriptedHttp::start(|asked, nth| match asked.message().as_str() {
        "initialize" => HttpReply::json(&asked.result(&json!({ "protocolVersion": "2025-06-18" }))),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&server).await;
    client.send(initialize()).await;
    client.next().await;
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    client.send(request(1, "ping", &json!({}))).await;
    client.next().await;
    client.close().await;
    assert_eq!(server.log(), ["POST initialize", "GET", "POST notifications/initialized", "POST ping"]);
    assert_eq!(server.asked()[3].header("mcp-protocol-version"), "2025-06-18");
}

/// Content type, body with `ID` for the request's id, and the members that arrive.
#[tokio::test]
async fn an_answer_comes_as_json_or_as_events() {
    let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;
    let answer = r#"{"jsonrpc":"2.0","id":ID,"result":{"a":"b c"}}"#;
    let (stream, pretty) =
        ("text/event-stream", "{\n \"jsonrpc\": \"2.0\",\r\n \"id\": ID, \"result\":\n{\"a\":\"b c\"}}\n");
    #[rustfmt::skip]
    let table: [(&str, String, &[&str]); 9] = [
        ("application/json",                  answer.into(),                                                        &["result"]),
        ("Application/JSON; charset=utf-8",   pretty.into(),                                                        &["result"]),
        (stream,                              format!("data: {answer}\n\n"),                                        &["result"]),
        ("text/event-stream; charset=utf-8",  format!("event: message\r\ndata: {answer}\r\n\r\n"),                  &["result"]),
        (stream,                              format!("id: 1\ndata:\n\n: ping\n\ndata: {log}\n\ndata: {answer}\n\n"), &["method", "result"]),
        (stream,                              format!("event: ping\ndata: {{}}\n\nfoo: 1\ndata:{answer}\n\n"),      &["result"]),
        (stream,                              pretty.trim_end().replace("\r\n", "\n").lines().map(|line| format!("data: {line}\n")).collect::<String>() + "\n", &["result"]),
        (stream,                              format!("data: not json\n\ndata: {answer}\n\n"),                      &["result"]),
        (stream,                              format!("data: {answer}\n\ndata: {log}\n\n"),                         &["result", "method"]),
    ];
    let replies = table.clone();
    let server = ScriptedHttp::start(move |asked, nth| match asked.message().as_str() {
        "tools/call" => {
            let (kind, body, _) = &replies[nth];
            HttpReply::body(200, kind, body.replace("ID", &asked.json()["id"].to_string()))
        }
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    for (id, (kind, body, expected)) in table.iter().enumerate() {
        client.send(request(id, "tools/call", &json!({}))).await;
        for member in *expected {
            let next = client.next().await;
            assert!(next.get(*member).is_some(), "{kind} {body:?}: {next}");
            assert!(*member == "method" || next["result"]["a"] == "b c", "{next}");
        }
    }
}

/// A response is not sent before progress that came before it.
#[tokio::test]
async fn messages_without_an_answer_keep_their_order() {
    let server = ScriptedHttp::start(usual).await.unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    for number in 0..20 {
        client
            .send(json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progress": number } }))
            .await;
    }
    client.send(json!({ "jsonrpc": "2.0", "id": 20, "result": {} })).await;
    client.close().await;
    let mut numbers = Vec::new();
    for asked in server.asked() {
        let json = asked.json();
        numbers.extend(json["params"]["progress"].as_u64().or_else(|| json["id"].as_u64()));
    }
    assert_eq!(numbers, (0..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_request_after_initialized_waits_for_it() {
    let server = ScriptedHttp::start(|asked, nth| match asked.message().as_str() {
        "notifications/initialized" => {
            // The response begins late.
            std::thread::sleep(std::time::Duration::from_millis(100));
            HttpReply::status(202)
        }
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    client.send(request(1, "ping", &json!({}))).await;
    client.next().await;
    let log = server.log();
    let at = |line: &str| log.iter().position(|found| found == line).unwrap();
    assert!(at("GET session-0") < at("POST notifications/initialized session-0"), "{log:?}");
    assert!(at("POST notifications/initialized session-0") < at("POST ping session-0"), "{log:?}");
}

#[tokio::test]
async fn a_cancelled_request_is_cancelled_at_the_server() {
    let server = ScriptedHttp::start(|asked, nth| match asked.message().as_str() {
        "tools/call" => HttpReply::stream(": open\n\n").hang(),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&server).await;
    client.initialize().await;
    client.send(request(7, "tools/call", &json!({}))).await;
    server.until(|asked| asked.iter().any(|asked| asked.message() == "tools/call")).await;
    client.send(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } })).await;
    server.until(|asked| asked.iter().any(|asked| asked.message() == "notifications/cancelled")).await;
    server.until_abandoned().await;
    // Nothing is told of a request that nobody waits for.
    client.send(request(8, "ping", &json!({}))).await;
    assert_eq!(client.next().await["id"], 8);
}

#[tokio::test]
async fn a_redirect_is_followed_within_the_origin_alone() {
    let other = ScriptedHttp::start(usual).await.unwrap();
    let elsewhere = other.url();
    let server = ScriptedHttp::start(move |asked, nth| match (asked.message().as_str(), nth) {
        ("ping", 0) => HttpReply::status(307).header("Location", "/mcp/"),
        ("tools/call", _) => HttpReply::status(307).header("Location", &elsewhere),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut credentials = Credentials::default();
    credentials.bearer("secret").unwrap();
    let mut client = Client::at(&server.url(), credentials, ConnectionLimits::default()).await;
    client.initialize().await;
    client.send(request(1, "ping", &json!({}))).await;
    assert_eq!(client.next().await["id"], 1);
    client.send(request(2, "tools/call", &json!({}))).await;
    let failed = client.next().await;
    assert!(failed["failed"] == 2 && failed["why"].as_str().unwrap().contains(&other.url()), "{failed}");
    assert_eq!(other.asked().len(), 0);
    assert!(server.asked().iter().all(|asked| asked.header("authorization") == "Bearer secret"));
}
