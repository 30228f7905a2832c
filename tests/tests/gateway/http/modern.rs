//! Revision 2026-07-28: headers repeat the message, and nothing is kept between requests. [2026-07-28,
//! basic/transports/streamable-http]

use serde_json::{Value, json};
use taskcell_test_support::scripted_http::{HttpReply, ScriptedHttp};

use super::{Client, modern, usual};

#[tokio::test]
async fn headers_repeat_the_message() {
    let server = ScriptedHttp::start(|asked, nth| usual(asked, nth).header("Mcp-Session-Id", "unasked")).await.unwrap();
    let mut client = Client::to(&server).await;
    #[rustfmt::skip]
    let table = [
        ("server/discover", json!({}),                              ""),
        ("tools/call",      json!({ "name": "echo" }),              "echo"),
        ("tools/call",      json!({ "name": "größe" }),             "=?base64?Z3LDtsOfZQ==?="),
        ("prompts/get",     json!({ "name": " hi" }),               "=?base64?IGhp?="),
        ("resources/read",  json!({ "uri": "file:///a b" }),        "file:///a b"),
        ("tasks/get",       json!({ "taskId": "t-1" }),             "t-1"),
        ("tools/list",      json!({ "name": "nothing" }),           ""),
    ];
    for (id, (method, params, name)) in (0..).zip(table) {
        client.send(modern(id, method, params)).await;
        assert_eq!(client.next().await["id"], id);
        let asked = server.asked().pop().unwrap();
        let found = ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id"]
            .map(|name| asked.header(name).to_owned());
        assert_eq!(found, ["2026-07-28", method, name, ""], "{asked:?}");
    }
    client.close().await;
    // Neither a stream of the server's own nor a session to end.
    assert!(server.asked().iter().all(|asked| asked.method == "POST"));
}

/// Closing the stream is the cancellation; no message says so.
#[tokio::test]
async fn a_cancelled_request_closes_its_stream() {
    let server = ScriptedHttp::start(|asked, nth| match asked.message().as_str() {
        "tools/call" => HttpReply::stream(": open\n\n").hang(),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let client = Client::to(&server).await;
    client.send(modern(7, "tools/call", json!({ "name": "echo" }))).await;
    server.until(|asked| !asked.is_empty()).await;
    client.send(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } })).await;
    server.until_abandoned().await;
    client.close().await;
    assert_eq!(server.log(), ["POST tools/call"]);
}

fn annotated(header: &str) -> Value {
    json!({ "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": header } } })
}

#[tokio::test]
async fn arguments_are_repeated_as_the_tool_demands() {
    let server = ScriptedHttp::start(|asked, nth| match asked.message().as_str() {
        "tools/list" => HttpReply::json(&asked.result(&json!({ "tools": [
            { "name": "query", "inputSchema": annotated("Region") },
            { "name": "wrong", "inputSchema": annotated("not a name") },
        ] }))),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&server).await;
    client.send(modern(1, "tools/list", json!({}))).await;
    let listed = client.next().await;
    let names: Vec<_> = listed["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!((names, &listed["id"]), (vec![&json!("query")], &json!(1)));
    client.send(modern(2, "tools/call", json!({ "name": "query", "arguments": { "region": "us-west1" } }))).await;
    client.next().await;
    assert_eq!(server.asked()[1].header("mcp-param-region"), "us-west1");
}

/// A server that misses a header is asked for its tools, and the call is made once more.
#[tokio::test]
async fn a_header_that_the_server_misses_is_looked_up() {
    let server = ScriptedHttp::start(|asked, nth| match asked.message().as_str() {
        "tools/call" if asked.header("mcp-param-region").is_empty() => {
            HttpReply::body(400, "application/json", asked.error(-32020, "Header mismatch").to_string())
        }
        "tools/list" if asked.json()["params"]["cursor"].is_null() => {
            HttpReply::json(&asked.result(&json!({ "tools": [], "nextCursor": "2" })))
        }
        "tools/list" => HttpReply::json(
            &asked.result(&json!({ "tools": [{ "name": "query", "inputSchema": annotated("Region") }] })),
        ),
        _ => usual(asked, nth),
    })
    .await
    .unwrap();
    let mut client = Client::to(&server).await;
    let call = |id: u64, arguments: Value| modern(id, "tools/call", json!({ "name": "query", "arguments": arguments }));
    client.send(call(1, json!({ "region": "eu" }))).await;
    assert!(client.next().await["result"].is_object());
    assert_eq!(server.log(), ["POST tools/call", "POST tools/list", "POST tools/list", "POST tools/call"]);
    assert_eq!(server.asked()[1].json()["params"]["_meta"], server.asked()[0].json()["params"]["_meta"]);
    // Where the list says nothing new, the refusal is the answer.
    client.send(call(2, json!({}))).await;
    assert_eq!(client.next().await["error"]["code"], -32020);
}
