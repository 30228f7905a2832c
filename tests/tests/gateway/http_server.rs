//! Streamable HTTP towards clients, spoken raw: refusals, streams, resumption, principals, limits.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use taskcell_gateway::Connection;
use taskcell_gateway::http_server::{HttpServer, HttpServerOptions, ListenError, Token};
use taskcell_test_support::http_server::client;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;
const FIRST: &str = "0123456789abcdef0123456789abcdef";
const SECOND: &str = "fedcba9876543210fedcba9876543210";

/// A served address, and a client of it.
struct Front {
    url: String,
    client: Client,
    session: Option<String>,
    token: Option<&'static str>,
    _serving: tokio::task::JoinHandle<()>,
}

impl Front {
    async fn start(change: impl FnOnce(&mut HttpServerOptions)) -> Result<Self> {
        let mut options = HttpServerOptions::new(([127, 0, 0, 1], 0).into());
        change(&mut options);
        let mut server = HttpServer::bind(options).await?;
        let url = format!("http://{}/mcp", server.address());
        let serving = tokio::spawn(async move {
            while let Some(accepted) = server.accept().await {
                tokio::spawn(script(accepted.connection));
            }
        });
        Ok(Self { url, client: client(), session: None, token: None, _serving: serving })
    }

    /// Starts, and begins a session.
    async fn with_session() -> Result<Self> {
        let mut front = Self::start(|_| {}).await?;
        front.initialize().await?;
        Ok(front)
    }

    async fn initialize(&mut self) -> Result<()> {
        let response = self.post(INITIALIZE).await?;
        ensure!(response.status() == 200, "{}", response.status());
        let id = response.headers().get("mcp-session-id").context("a session")?;
        self.session = Some(id.to_str()?.to_owned());
        Ok(())
    }

    fn request(&self, method: Method) -> reqwest::RequestBuilder {
        let mut request = self.client.request(method, &self.url).timeout(Duration::from_secs(30));
        request = request.header("accept", "application/json, text/event-stream");
        request = request.header("mcp-protocol-version", "2025-11-25");
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        request
    }

    async fn post(&self, body: &str) -> Result<Response> {
        let request = self.request(Method::POST).header("content-type", "application/json");
        Ok(request.body(body.to_owned()).send().await?)
    }

    async fn call(&self, id: u64, method: &str, params: Value) -> Result<Response> {
        self.post(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()).await
    }

    async fn get(&self, last: Option<&str>) -> Result<Response> {
        let mut request = self.request(Method::GET);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        Ok(request.send().await?)
    }
}

/// The other side of a session: it answers by the method of each request.
async fn script(mut connection: Connection) {
    let mut asked = Value::Null;
    while let Some(Ok(frame)) = connection.receiver.next().await {
        let message: Value = serde_json::from_slice(&frame).unwrap();
        let id = &message["id"];
        let result = |id: &Value, result: Value| json!({ "jsonrpc": "2.0", "id": id, "result": result });
        let note =
            |number: u64| json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "data": number } });
        let mut messages = Vec::new();
        match message["method"].as_str() {
            Some("initialize" | "echo") => messages.push(result(id, message["params"].clone())),
            Some("refuse") => {
                messages.push(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": 1, "message": "no" } }))
            }
            Some("notes") => {
                messages.extend((1..=message["params"]["count"].as_u64().unwrap()).map(note));
                messages.push(result(id, json!({})));
            }
            Some("ask") => {
                asked = id.clone();
                messages.push(json!({ "jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": {} }));
            }
            Some("progress") => {
                let token = &message["params"]["token"];
                let params = json!({ "progressToken": token, "progress": 1 });
                messages.push(json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }));
                messages.push(result(id, json!({})));
            }
            Some("notifications/poke") => messages.push(note(7)),
            Some("end") => connection.sender.close().await,
            None if *id == "q" => messages.push(result(&asked, message["result"].clone())),
            _ => {}
        }
        for message in messages {
            if connection.sender.send(message.to_string().into()).await.is_err() {
                return;
            }
        }
    }
}

/// Reads events until `enough`, or to the end of the stream. Gives their ids and messages; null for no data.
async fn events(response: &mut Response, enough: usize) -> Result<Vec<(String, Value)>> {
    ensure!(response.headers()["content-type"] == "text/event-stream", "{:?}", response.headers());
    let (mut text, mut events) = (String::new(), Vec::new());
    while events.len() < enough {
        let Some(chunk) = response.chunk().await? else { break };
        text.push_str(std::str::from_utf8(&chunk)?);
        while let Some((event, rest)) = text.split_once("\n\n") {
            let lines =
                |name| event.lines().filter_map(|line| line.strip_prefix::<&str>(name)).map(str::trim).collect();
            let (id, data): (String, String) = (lines("id:"), lines("data:"));
            let message = if data.is_empty() { Value::Null } else { serde_json::from_str(&data)? };
            events.push((id, message));
            text = rest.to_owned();
        }
    }
    Ok(events)
}

/// What each message is: its method, or `result`.
fn kinds(events: &[(String, Value)]) -> Vec<&str> {
    events
        .iter()
        .map(|(_, message)| message["method"].as_str().unwrap_or(if message.is_null() { "" } else { "result" }))
        .collect()
}

#[tokio::test]
async fn a_wrong_request_is_refused_by_its_status_and_with_what_to_do() -> Result<()> {
    let front = Front::start(|options| options.message_size = 1_000).await?;
    let mut session = Front::start(|options| options.message_size = 1_000).await?;
    session.initialize().await?;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let large = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":"{}"}}"#, "x".repeat(1_000));
    type Headers = &'static [(&'static str, &'static str)];
    #[rustfmt::skip]
    let rows: &[(Method, &str, Headers, &str, u16, &str)] = &[
        (Method::POST,   "/mcp",   &[],                                             ping,    400, "Mcp-Session-Id is missing"),
        (Method::POST,   "/mcp",   &[("mcp-session-id", "0")],                      ping,    404, "no such session"),
        (Method::POST,   "/mcp",   &[("content-type", "text/plain")],               ping,    415, "application/json"),
        (Method::POST,   "/mcp",   &[("accept", "application/json")],               ping,    406, "text/event-stream"),
        (Method::POST,   "/mcp",   &[("mcp-protocol-version", "2026-07-28")],       ping,    400, "2025-11-25"),
        (Method::POST,   "/mcp",   &[("mcp-protocol-version", "x")],                ping,    400, "2025-11-25"),
        (Method::POST,   "/mcp",   &[],                                             "[]",    400, "one message"),
        (Method::POST,   "/mcp",   &[],                                             "{",     400, "no JSON-RPC message"),
        (Method::POST,   "/mcp",   &[],                                             "",      400, "no JSON-RPC message"),
        (Method::POST,   "/mcp",   &[],                                             &large,  413, "1000 bytes"),
        (Method::POST,   "/other", &[],                                             ping,    404, "/mcp"),
        (Method::PUT,    "/mcp",   &[],                                             ping,    405, "POST, GET or DELETE"),
        (Method::GET,    "/mcp",   &[("accept", "application/json")],               "",      406, "text/event-stream"),
        (Method::GET,    "/mcp",   &[],                                             "",      400, "Mcp-Session-Id is missing"),
        (Method::DELETE, "/mcp",   &[],                                             "",      400, "Mcp-Session-Id is missing"),
        (Method::POST,   "/mcp",   &[("host", "evil.example")],                     INITIALIZE, 403, "evil.example"),
        (Method::POST,   "/mcp",   &[("origin", "https://evil.example")],           INITIALIZE, 403, "evil.example"),
        (Method::GET,    "/other", &[("origin", "null")],                           "",      403, "null"),
        (Method::POST,   "/mcp?access_token=x", &[],                                INITIALIZE, 400, "Authorization"),
    ];
    for (method, path, headers, body, status, says) in rows {
        let mut request = front.request(method.clone()).header("content-type", "application/json");
        let mut overriding = HeaderMap::new();
        for (name, value) in *headers {
            overriding.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        request = request.headers(overriding).body((*body).to_owned());
        let mut request = request.build()?;
        let url = front.url.replace("/mcp", path);
        *request.url_mut() = url.parse()?;
        let response = front.client.execute(request).await?;
        assert_eq!(response.status(), *status, "{method} {path} {headers:?} {body}");
        let error: Value = response.json().await?;
        assert!(error["error"]["message"].as_str().is_some_and(|text| text.contains(says)), "{error}");
    }
    assert_eq!(session.post(&large).await?.status(), 413);
    assert_eq!(session.call(1, "echo", json!("still there")).await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn a_response_that_comes_at_once_is_a_json_text() -> Result<()> {
    let front = Front::with_session().await?;
    let response = front.call(5, "echo", json!({ "a": [1, "ü"] })).await?;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.json::<Value>().await?, json!({ "jsonrpc": "2.0", "id": 5, "result": { "a": [1, "ü"] } }));
    // The id is the client's, whatever its type.
    let response = front.post(r#"{"jsonrpc":"2.0","id":"5","method":"echo","params":1}"#).await?;
    assert_eq!(response.json::<Value>().await?["id"], "5");
    assert_eq!(front.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?.status(), 202);
    Ok(())
}

#[tokio::test]
async fn a_question_goes_out_on_the_stream_of_the_call_and_its_answer_ends_it() -> Result<()> {
    let front = Front::with_session().await?;
    let mut call = front.call(1, "ask", json!({})).await?;
    let asked = events(&mut call, 2).await?;
    assert_eq!(kinds(&asked), ["", "elicitation/create"]);
    assert_eq!(asked[0].0, "2-0", "an event to resume from comes first");
    let answered = front.post(r#"{"jsonrpc":"2.0","id":"q","result":{"action":"decline"}}"#).await?;
    assert_eq!(answered.status(), 202);
    let rest = events(&mut call, 9).await?;
    assert_eq!(kinds(&rest), ["result"]);
    assert_eq!(rest[0].1["result"]["action"], "decline");
    Ok(())
}

#[tokio::test]
async fn a_revision_without_opening_events_gets_none() -> Result<()> {
    let front = Front::with_session().await?;
    for (header, expected) in
        [("2025-11-25", &["", "notifications/message"][..]), ("2025-06-18", &["notifications/message"])]
    {
        let request = front.request(Method::POST).header("content-type", "application/json");
        let body = json!({ "jsonrpc": "2.0", "id": header, "method": "notes", "params": { "count": 1 } }).to_string();
        let mut request = request.body(body).build()?;
        request.headers_mut().insert("mcp-protocol-version", HeaderValue::from_static(header));
        let mut response = front.client.execute(request).await?;
        assert_eq!(kinds(&events(&mut response, expected.len()).await?), expected, "{header}");
    }
    Ok(())
}

#[tokio::test]
async fn a_message_of_no_call_waits_for_the_stream_of_get() -> Result<()> {
    let front = Front::with_session().await?;
    front.post(r#"{"jsonrpc":"2.0","method":"notifications/poke"}"#).await?;
    front.call(1, "echo", json!(1)).await?;
    let mut general = front.get(None).await?;
    let first = events(&mut general, 2).await?;
    assert_eq!(kinds(&first), ["", "notifications/message"]);
    front.post(r#"{"jsonrpc":"2.0","method":"notifications/poke"}"#).await?;
    let second = events(&mut general, 1).await?;
    assert_eq!((&second[0].0[..], kinds(&second)), ("0-2", vec!["notifications/message"]));
    // A second connection takes the stream over, and gets nothing twice.
    let mut later = front.get(None).await?;
    assert_eq!(kinds(&events(&mut later, 1).await?), [""]);
    assert_eq!(events(&mut general, 1).await?, [], "the first one ends");
    front.post(r#"{"jsonrpc":"2.0","method":"notifications/poke"}"#).await?;
    assert_eq!(events(&mut later, 1).await?[0].0, "0-3");
    Ok(())
}

#[tokio::test]
async fn progress_goes_to_the_call_that_asked_for_it() -> Result<()> {
    let front = Front::with_session().await?;
    let mut waiting = front.call(1, "ask", json!({ "_meta": { "progressToken": "t" } })).await?;
    let mut other = front.call(2, "ask", json!({})).await?;
    let mut third = front.call(3, "progress", json!({ "token": "t" })).await?;
    let got = events(&mut waiting, 3).await?;
    assert!(kinds(&got).contains(&"notifications/progress"), "{got:?}");
    assert_eq!(third.headers()["content-type"], "application/json", "its own response alone");
    assert!(!third.chunk().await?.unwrap_or_default().is_empty());
    assert!(!kinds(&events(&mut other, 1).await?).contains(&"notifications/progress"));
    Ok(())
}

#[tokio::test]
async fn a_broken_stream_is_resumed_after_the_last_event() -> Result<()> {
    let front = Front::with_session().await?;
    let mut call = front.call(1, "notes", json!({ "count": 5 })).await?;
    let seen = events(&mut call, 3).await?;
    drop(call);
    for (index, (id, _)) in seen.iter().enumerate() {
        let mut resumed = front.get(Some(id)).await?;
        let rest = events(&mut resumed, 9).await?;
        let data: Vec<_> = rest.iter().map(|(_, message)| message["params"]["data"].as_u64()).collect();
        let expected: Vec<_> = (index as u64 + 1..=5).map(Some).chain([None]).collect();
        assert_eq!(data, expected, "after {id}");
    }
    // A call that is still open goes on, on the new connection.
    let mut call = front.call(2, "ask", json!({})).await?;
    let asked = events(&mut call, 2).await?;
    drop(call);
    let mut resumed = front.get(Some(&asked[0].0)).await?;
    assert_eq!(kinds(&events(&mut resumed, 1).await?), ["elicitation/create"]);
    front.post(r#"{"jsonrpc":"2.0","id":"q","result":{}}"#).await?;
    assert_eq!(kinds(&events(&mut resumed, 9).await?), ["result"]);
    for (id, status) in [("x", 400), ("99-1", 400), ("0-9", 400), ("2-9", 400), ("", 400)] {
        assert_eq!(front.get(Some(id)).await?.status(), status, "{id:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_canceled_call_ends_without_a_response() -> Result<()> {
    let front = Front::with_session().await?;
    let mut call = front.call(1, "ask", json!({})).await?;
    events(&mut call, 2).await?;
    front.post(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await?;
    assert_eq!(events(&mut call, 9).await?, []);
    // The response that comes all the same goes nowhere, and the id is free.
    front.post(r#"{"jsonrpc":"2.0","id":"q","result":{}}"#).await?;
    assert_eq!(front.call(1, "echo", json!("again")).await?.json::<Value>().await?["result"], "again");
    Ok(())
}

#[tokio::test]
async fn open_calls_are_bounded_and_have_ids_of_their_own() -> Result<()> {
    let front = Front::with_session().await?;
    let mut open = Vec::new();
    for id in 0..256 {
        open.push(front.call(id, "ask", json!({})));
    }
    let mut open = futures_util::future::try_join_all(open).await?;
    assert_eq!(front.call(7, "echo", json!({})).await?.status(), 409);
    assert_eq!(front.call(999, "echo", json!({})).await?.status(), 429);
    open.clear();
    front.post(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#).await?;
    assert_eq!(front.call(999, "echo", json!({})).await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn each_token_is_a_principal_of_its_own() -> Result<()> {
    let mut one = Front::start(|options| {
        options.tokens = vec![Token::new("one", FIRST).unwrap(), Token::new("two", SECOND).unwrap()];
        options.sessions = 1;
    })
    .await?;
    let refused = one.post(INITIALIZE).await?;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["www-authenticate"]),
        (401, &HeaderValue::from_static("Bearer"))
    );
    one.token = Some(FIRST);
    one.initialize().await?;
    // The session of one is none to the other, for each method.
    let session = one.session.clone();
    one.token = Some(SECOND);
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let request = one.request(method.clone()).header("content-type", "application/json");
        let response = request.body(r#"{"jsonrpc":"2.0","id":1,"method":"echo"}"#).send().await?;
        assert_eq!(response.status(), 404, "{method}");
    }
    // Sessions are counted for each.
    one.session = None;
    one.initialize().await?;
    one.session = None;
    assert_eq!(one.post(INITIALIZE).await?.status(), 503);
    one.token = Some(FIRST);
    assert_eq!(one.post(INITIALIZE).await?.status(), 503);
    one.session = session;
    assert_eq!(one.call(1, "echo", json!({})).await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn an_ended_session_is_not_found_and_makes_room() -> Result<()> {
    let mut front = Front::start(|options| options.sessions = 1).await?;
    front.initialize().await?;
    let mut general = front.get(None).await?;
    assert_eq!(front.request(Method::DELETE).send().await?.status(), 204);
    assert_eq!(kinds(&events(&mut general, 9).await?), [""]);
    assert_eq!(front.call(1, "echo", json!({})).await?.status(), 404);
    front.session = None;
    front.initialize().await?;
    // The other side may end it as well.
    assert_eq!(front.call(1, "end", json!({})).await?.status(), 404);
    assert_eq!(front.call(2, "echo", json!({})).await?.status(), 404);
    Ok(())
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends_and_one_that_waits_does_not() -> Result<()> {
    let mut front = Front::start(|options| options.idle = Duration::from_millis(200)).await?;
    front.initialize().await?;
    let mut call = front.call(1, "ask", json!({})).await?;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(front.call(2, "echo", json!({})).await?.status(), 200, "a call is open");
    front.post(r#"{"jsonrpc":"2.0","id":"q","result":{}}"#).await?;
    events(&mut call, 9).await?;
    drop(call);
    let mut ended = false;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        ended = front.call(3, "echo", json!({})).await?.status() == 404;
        if ended {
            break;
        }
    }
    assert!(ended);
    Ok(())
}

#[tokio::test]
async fn an_address_that_others_reach_takes_leave_and_a_token() -> Result<()> {
    let mut options = HttpServerOptions::new(([0, 0, 0, 0], 0).into());
    let kind = |bound: Result<HttpServer, ListenError>| bound.map(drop).map_err(|error| error.kind());
    assert_eq!(kind(HttpServer::bind(options.clone()).await), Err("remote_address"));
    options.allow_remote = true;
    assert_eq!(kind(HttpServer::bind(options.clone()).await), Err("no_token"));
    options.tokens = vec![Token::new("one", FIRST)?];
    assert_eq!(kind(HttpServer::bind(options.clone()).await), Ok(()));
    Ok(())
}
