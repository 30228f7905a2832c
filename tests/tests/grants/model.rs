//! The grant `model` by a provider: what is asked and answered, each guard, each failure, and that nobody sees the key.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use taskcell::grants::{Model, ModelContext, ModelUse, Provider, ProviderModel, Secret, SessionIdentity};
use taskcell::protocol::types::{CreateMessageResult, Implementation, RpcError};
use taskcell::tasks::AuditLog;
use taskcell::{Grants, Session};
use taskcell_test_support::conversation::{prompt, request, soon, start};
use taskcell_test_support::handlers::{cells, guest_with};
use taskcell_test_support::model_server::{Answer, ModelServer};
use taskcell_test_support::server::{Server, options};
use taskcell_test_support::written::Written;

const KEY: &str = "sk-correct-horse-battery-staple";
const SAMPLING: &str = "sampling/createMessage";

fn provider(server: &ModelServer) -> Provider {
    let mut provider = Provider::new("openai", "default-model");
    provider.base_url = Some(server.base_url());
    provider.key = Some(Secret::new(KEY.to_owned()));
    provider
}

fn context(session: &Arc<SessionIdentity>) -> ModelContext {
    ModelContext::new(Arc::new(Implementation::new("s", "1")), Arc::clone(session))
}

/// Runs a model outside of any cell.
async fn run(model: &ProviderModel, params: &Value) -> Result<CreateMessageResult, RpcError> {
    run_in(model, params, &Arc::default()).await.0
}

async fn run_in(
    model: &ProviderModel,
    params: &Value,
    session: &Arc<SessionIdentity>,
) -> (Result<CreateMessageResult, RpcError>, ModelUse) {
    let context = context(session);
    let request = serde_json::from_str(&params.to_string()).unwrap();
    let answer = soon(model.create_message(&context, request)).await.unwrap();
    (answer, context.used())
}

/// The kind of a refusal.
fn kind(answer: &Result<CreateMessageResult, RpcError>) -> String {
    let Err(error) = answer else { return "ok".to_owned() };
    match &error.data {
        Some(data) => serde_json::from_str::<Value>(data).unwrap()["kind"].as_str().unwrap().to_owned(),
        None => error.code.to_string(),
    }
}

/// Whether all that is expected stands in what was found.
fn holds(found: &Value, expected: &Value) -> bool {
    match expected {
        Value::Object(members) => members.iter().all(|(name, expected)| holds(&found[name], expected)),
        _ => found == expected,
    }
}

/// A conversation of one user message, with more members.
fn with(members: Value) -> Value {
    let mut params = prompt("hi");
    params.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    params
}

fn messages(messages: Value) -> Value {
    json!({ "messages": messages, "maxTokens": 10 })
}

#[tokio::test]
async fn requests_are_mapped() {
    let server = ModelServer::start(Answer::text("hello")).await.unwrap();
    let mut provider = provider(&server);
    provider.guards.allowed = vec!["default-model".to_owned(), "other-*".to_owned(), "small".to_owned()];
    provider.guards.requests_per_minute = NonZeroU32::MAX;
    provider.metadata = true;
    let model = ProviderModel::new(provider).unwrap();
    let tool = json!({ "name": "t", "description": "d", "inputSchema": { "type": "object" } });
    let mapped = json!({ "type": "function", "function": {
        "name": "t", "description": "d", "parameters": { "type": "object" }, "strict": false } });
    let uses = json!([
        { "role": "user", "content": { "type": "text", "text": "q" } },
        { "role": "assistant", "content": [
            { "type": "text", "text": "wait" },
            { "type": "tool_use", "id": "1", "name": "t", "input": { "a": 1 } },
            { "type": "tool_use", "id": "2", "name": "t", "input": {} }] },
        { "role": "user", "content": [
            { "type": "tool_result", "toolUseId": "1", "content": [{ "type": "text", "text": "one" }] },
            { "type": "tool_result", "toolUseId": "2", "content": [], "structuredContent": { "b": 2 }, "isError": true }] },
    ]);
    let call =
        |id, arguments| json!({ "type": "function", "id": id, "function": { "name": "t", "arguments": arguments } });
    let user = |content| json!([{ "role": "user", "content": content }]);
    let image = json!({ "type": "image", "data": "AAAA", "mimeType": "image/png" });
    let audio = json!({ "type": "audio", "data": "BBBB", "mimeType": "audio/wav" });
    let table = [
        (
            prompt("hi"),
            json!({ "model": "default-model", "messages": user(json!("hi")), "max_tokens": 10, "tools": null }),
        ),
        (
            with(json!({ "systemPrompt": "be", "temperature": 0.5, "stopSequences": ["a", "b"] })),
            json!({ "temperature": 0.5, "stop": ["a", "b"],
                "messages": [{ "role": "system", "content": "be" }, { "role": "user", "content": "hi" }] }),
        ),
        (with(json!({ "maxTokens": 1_000_000 })), json!({ "max_tokens": 4_096 })),
        (with(json!({ "includeContext": "none" })), json!({ "model": "default-model" })),
        (
            with(json!({ "metadata": { "model": "evil" } })),
            json!({ "model": "default-model", "metadata": { "model": "evil" } }),
        ),
        (
            with(
                json!({ "modelPreferences": { "hints": [{ "name": "gpt" }, { "name": "other-1" }], "costPriority": 1 } }),
            ),
            json!({ "model": "other-1" }),
        ),
        (with(json!({ "modelPreferences": { "hints": [{ "name": "mal" }] } })), json!({ "model": "small" })),
        (
            with(json!({ "modelPreferences": { "hints": [{}, { "name": "gpt" }] } })),
            json!({ "model": "default-model" }),
        ),
        (with(json!({ "tools": [tool] })), json!({ "tools": [mapped], "tool_choice": null })),
        (with(json!({ "tools": [tool], "toolChoice": { "mode": "required" } })), json!({ "tool_choice": "required" })),
        (with(json!({ "tools": [tool], "toolChoice": { "mode": "none" } })), json!({ "tool_choice": "none" })),
        (with(json!({ "tools": [], "toolChoice": { "mode": "auto" } })), json!({ "tools": null, "tool_choice": null })),
        (
            messages(uses),
            json!({ "messages": [
                { "role": "user", "content": "q" },
                { "role": "assistant", "content": "wait", "tool_calls": [call("1", "{\"a\":1}"), call("2", "{}")] },
                { "role": "tool", "tool_call_id": "1", "content": "one" },
                { "role": "tool", "tool_call_id": "2", "content": "The tool failed: {\"b\":2}" }] }),
        ),
        (
            messages(user(json!([{ "type": "text", "text": "see" }, image, audio]))),
            json!({ "messages": user(json!([
                { "type": "text", "text": "see" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
                { "type": "input_audio", "input_audio": { "data": "BBBB", "format": "wav" } }])) }),
        ),
    ];
    for (params, expected) in table {
        run(&model, &params).await.unwrap();
        let asked = server.asked().pop().unwrap();
        assert!(holds(&asked.body, &expected), "{params}\n{}\n{expected}", asked.body);
        assert_eq!((asked.path.as_str(), asked.authorization), ("/v1/chat/completions", format!("Bearer {KEY}")));
    }
}

/// A model's name goes out as it stands, also where it ends in a word for an effort; the operator's effort goes beside
/// it, and a hint changes nothing of it.
#[tokio::test]
async fn a_name_goes_out_as_it_stands() {
    let server = ModelServer::start(Answer::text("hello")).await.unwrap();
    let names =
        ["qwen-max", "mistral-medium", "codestral-low", "x-high", "x-none", "x-xhigh", "x-minimal", "x-zero", "plain"];
    for name in names {
        for provider_name in ["openai", "deepseek", "open_router", "mistral"] {
            for effort in [None, Some("low")] {
                let mut provider = provider(&server);
                provider_name.clone_into(&mut provider.name);
                name.clone_into(&mut provider.default_model);
                provider.effort = effort.map(str::to_owned);
                run(&ProviderModel::new(provider).unwrap(), &prompt("hi")).await.unwrap();
                let body = server.asked().pop().unwrap().body;
                let (sent, found) = (body.get("model"), body.get("reasoning_effort").and_then(Value::as_str));
                assert_eq!((sent, found), (Some(&json!(name)), effort), "{provider_name} {body}");
                assert!(effort.is_some() || body.get("thinking").is_none(), "{provider_name} {body}");
            }
        }
    }
    // A hint names a model, and no effort.
    let mut provider = provider(&server);
    provider.guards.allowed = vec!["default-model".to_owned(), "qwen*".to_owned()];
    let model = ProviderModel::new(provider).unwrap();
    for hint in ["qwen-max", "qwen-low"] {
        run(&model, &with(json!({ "modelPreferences": { "hints": [{ "name": hint }] } }))).await.unwrap();
        let body = server.asked().pop().unwrap().body;
        assert_eq!((&body["model"], &body["reasoning_effort"]), (&json!(hint), &Value::Null), "{body}");
    }
    let mut provider = Provider::new("openai", "m");
    provider.effort = Some("enormous".to_owned());
    assert_eq!(provider.check().unwrap_err().field, "effort");
}

/// What genai would leave out is refused, with its place, and costs nothing.
#[tokio::test]
async fn what_cannot_be_carried_is_refused() {
    let server = ModelServer::start(Answer::text("hello")).await.unwrap();
    let text = json!({ "type": "text", "text": "t" });
    let image = |mime: &str| json!({ "type": "image", "data": "AAAA", "mimeType": mime });
    let audio = json!({ "type": "audio", "data": "AAAA", "mimeType": "audio/wav" });
    let one = |role: &str, content: &Value| {
        messages(json!([{ "role": "user", "content": text }, { "role": role, "content": content }]))
    };
    let result = |content: Value| json!({ "type": "tool_result", "toolUseId": "1", "content": [content] });
    #[rustfmt::skip]
    let table = [
        ("openai",    messages(json!([])),                                  "`messages` is empty"),
        ("openai",    with(json!({ "includeContext": "thisServer" })),      "`includeContext` can only be none"),
        ("openai",    one("assistant", &image("image/png")),                "messages[1]: a model cannot be given a picture"),
        ("openai",    one("user", &image("text/html")),                     "messages[1]: `text/html` is no type of image"),
        ("openai",    one("user", &image("image/png;x=\u{1b}")),            "messages[1]: `image/png;x=\u{fffd}` is no type"),
        ("openai",    one("user", &result(image("image/png"))),             "messages[1]: the result of a tool can only be text"),
        ("anthropic", one("user", &audio),                                  "messages[1]: the provider anthropic is given no audio"),
        ("cohere",    one("user", &image("image/png")),                     "messages[1]: the provider cohere is given no image"),
    ];
    for (name, params, expected) in table {
        let mut provider = provider(&server);
        name.clone_into(&mut provider.name);
        let error = run(&ProviderModel::new(provider).unwrap(), &params).await.unwrap_err();
        assert!(error.code == -32602 && error.message.contains(expected), "{expected}: {error:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn answers_are_mapped() {
    let server = ModelServer::start(Answer::text("")).await.unwrap();
    let mut provider = provider(&server);
    provider.guards.requests_per_minute = NonZeroU32::MAX;
    provider.guards.session_tokens = 1 << 40;
    let model = ProviderModel::new(provider).unwrap();
    let text = |text: &str| json!({ "type": "text", "text": text });
    let call = json!({ "id": "1", "type": "function", "function": { "name": "t", "arguments": "{\"a\":1}" } });
    let tool_use = json!({ "type": "tool_use", "id": "1", "name": "t", "input": { "a": 1 } });
    let table = [
        (json!({ "content": "hello" }), "stop", text("hello"), json!("endTurn")),
        (json!({ "content": "hel" }), "length", text("hel"), json!("maxTokens")),
        (json!({ "content": "hel" }), "stop_sequence", text("hel"), json!("stopSequence")),
        (json!({ "content": null }), "content_filter", text(""), json!("content_filter")),
        (json!({ "content": "x" }), "\u{1b}[2Jodd", text("x"), json!("\u{fffd}[2Jodd")),
        (json!({ "content": null, "tool_calls": [call] }), "tool_calls", tool_use.clone(), json!("toolUse")),
        (json!({ "content": "so", "tool_calls": [call] }), "stop", json!([text("so"), tool_use]), json!("toolUse")),
        (json!({ "content": "hello", "reasoning_content": "hmm" }), "stop", text("hello"), json!("endTurn")),
    ];
    for (message, finish, content, stop) in table {
        server.answer(Answer::choice(message, finish, json!({ "prompt_tokens": 7, "completion_tokens": 3 })));
        let (answer, used) = run_in(&model, &prompt("hi"), &Arc::default()).await;
        let expected = json!({ "role": "assistant", "content": content, "model": "served-model", "stopReason": stop });
        assert_eq!(json!(answer.unwrap()), expected);
        let expected =
            ModelUse { model: Some("default-model".to_owned()), input_tokens: Some(7), output_tokens: Some(3) };
        assert_eq!(used, expected);
    }
}

/// Each failure of a provider has its kind and a short message that quotes nothing of what the provider sent.
#[tokio::test]
async fn each_failure_has_its_kind() {
    let server = ModelServer::start(Answer::Never).await.unwrap();
    let status = |status| Answer::Json(status, json!({ "error": { "message": format!("Incorrect key {KEY}\u{1b}") } }));
    let tool = |arguments: &str| {
        let call = json!({ "id": "1", "type": "function", "function": { "name": "t", "arguments": arguments } });
        Answer::choice(json!({ "tool_calls": [call] }), "tool_calls", json!({}))
    };
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(120), "]".repeat(120));
    #[rustfmt::skip]
    let table = [
        (status(401),                                                   "model", "The model's provider answered with the status 401: it does not take the key"),
        (status(400),                                                   "model", "with the status 400: it does not take the request"),
        (status(429),                                                   "model", "with the status 429: it is asked too often"),
        (status(500),                                                   "model", "with the status 500"),
        (Answer::Redirect(server.base_url()),                           "model", "with the status 302: redirects are not followed"),
        (Answer::Text(200, "text/html", KEY.to_owned()),                "model", "sent no JSON"),
        (Answer::Text(200, "application/json", format!("{{{KEY}")),     "model", "sent JSON that is broken"),
        (Answer::Json(200, json!({ "nothing": KEY })),                  "model", "sent no message of a model"),
        (Answer::Json(200, json!([KEY])),                               "model", "sent no message of a model"),
        (tool("[]"),                                                    "model", "sent a use of a tool whose input is no JSON object"),
        (tool(&deep),                                                   "model", "sent a use of a tool whose input is no JSON object"),
        (tool(KEY),                                                     "model", "sent no answer of a model"),
        (Answer::Huge(20_000_000),                                      "model_answer_size", "is larger than 1000000 bytes"),
        (Answer::Endless,                                               "model_answer_size", "is larger than 1000000 bytes"),
        (Answer::Never,                                                 "model_timeout", "did not answer within 1s"),
    ];
    let mut provider = provider(&server);
    provider.guards.answer_size = 1_000_000;
    provider.guards.timeout = Duration::from_secs(1);
    provider.guards.requests_per_minute = NonZeroU32::MAX;
    let model = ProviderModel::new(provider).unwrap();
    for (answer, expected, message) in table {
        server.answer(answer.clone());
        let answered = run(&model, &prompt("hi")).await;
        assert_eq!(kind(&answered), expected, "{answered:?} to {answer:?}");
        let error = answered.unwrap_err();
        assert!(error.message.ends_with(message) || error.message == message, "{error:?}");
        assert!(!format!("{error:?}").contains("correct-horse"), "{error:?}");
    }
    // It was stopped while it sent, and soon: buffers on the way hold little.
    assert!(server.sent() < 50_000_000, "{}", server.sent());
}

#[tokio::test]
async fn who_cannot_be_reached_is_said_so() {
    let server = ModelServer::start(Answer::Never).await.unwrap();
    let model = ProviderModel::new(provider(&server)).unwrap();
    drop(server);
    let error = soon(async {
        loop {
            // The port may be open for a moment yet.
            let error = run(&model, &prompt("hi")).await.unwrap_err();
            if error.message.contains("cannot be reached") {
                return error;
            }
        }
    });
    assert_eq!(kind(&Err(error.await.unwrap())), "model");
}

/// Each guard refuses before anything goes out, and says which it was.
#[tokio::test]
async fn each_guard_refuses() {
    let server = ModelServer::start(Answer::text("hello")).await.unwrap();
    let guarded = |set: &dyn Fn(&mut Provider)| {
        let mut provider = provider(&server);
        set(&mut provider);
        ProviderModel::new(provider).unwrap()
    };
    let rate = guarded(&|provider| provider.guards.requests_per_minute = NonZeroU32::MIN);
    assert_eq!([kind(&run(&rate, &prompt("hi")).await), kind(&run(&rate, &prompt("hi")).await)], ["ok", "model_rate"]);

    // A call may use its text and what it may write, and used 15 when it is done.
    let budget = guarded(&|provider| provider.guards.session_tokens = 60);
    let session = Arc::default();
    let mut kinds = Vec::new();
    for _ in 0..4 {
        kinds.push(kind(&run_in(&budget, &prompt("hi"), &session).await.0));
    }
    assert_eq!(kinds, ["ok", "ok", "ok", "model_budget"]);
    assert_eq!(kind(&run(&budget, &prompt("hi")).await), "ok", "another session");
    assert_eq!(kind(&run(&budget, &prompt(&"x".repeat(50))).await), "model_budget", "too much at once");

    let calls = guarded(&|provider| provider.guards.calls = 1);
    server.answer(Answer::Never);
    let before = server.asked().len();
    let params = prompt("hi");
    let mut first = Box::pin(run(&calls, &params));
    assert!(start(first.as_mut()).await.is_pending());
    assert_eq!(kind(&run(&calls, &params).await), "model_busy");
    drop(first);
    server.answer(Answer::text("hello"));
    assert_eq!(kind(&run(&calls, &params).await), "ok");
    assert!(server.asked().len() <= before + 2);
}

/// Who does not say what it used, used what it may have: the budget is never the larger for it.
#[tokio::test]
async fn what_is_not_reported_is_counted_safely() {
    let server = ModelServer::start(Answer::Never).await.unwrap();
    let message = json!({ "content": "hello" });
    let choice = |usage| Answer::choice(message.clone(), "stop", usage);
    let broken = Answer::Text(200, "application/json", "{".to_owned());
    // The text has 2 bytes and a frame of 16; it may write 10.
    let table = [
        (choice(json!({ "prompt_tokens": 3, "completion_tokens": 4 })), 7),
        (choice(json!({ "prompt_tokens": 300, "completion_tokens": 400 })), 700),
        (choice(json!({ "completion_tokens": 4 })), 22),
        (choice(json!({ "prompt_tokens": 0, "completion_tokens": 0 })), 28),
        (choice(json!({ "prompt_tokens": -5, "completion_tokens": 4 })), 22),
        (choice(json!("many")), 28),
        (choice(Value::Null), 28),
        (broken, 28),
        (Answer::Json(500, json!({})), 0),
    ];
    for (answer, used) in table {
        let mut provider = provider(&server);
        provider.guards.session_tokens = 1_028;
        let model = ProviderModel::new(provider).unwrap();
        let session = Arc::default();
        server.answer(answer.clone());
        let _ = run_in(&model, &prompt("hi"), &session).await;
        // What is left is just enough, or a token too little.
        server.answer(Answer::text("hello"));
        let rest = 1_028 - used - 10 - 16;
        let too_much = run_in(&model, &prompt(&"x".repeat(rest + 1)), &session).await.0;
        assert_eq!(kind(&too_much), "model_budget", "{answer:?}");
        let enough = run_in(&model, &prompt(&"x".repeat(rest)), &session).await.0;
        assert_eq!(kind(&enough), "ok", "{answer:?}");
    }
}

/// A guest reaches the model through its session. Cancelling the request ends the connection and the guest's cell.
#[tokio::test]
async fn a_cancelled_request_ends_its_connection() {
    let server = ModelServer::start(Answer::text("hello")).await.unwrap();
    let (written, handlers) = model_guest(provider(&server)).await;
    let mut options = options();
    options.audit = Some(Arc::new(AuditLog::new(written.clone(), false)));
    let (session, _outbox) = Session::new(handlers, options);
    let message = request(1, SAMPLING, &prompt("hi")).to_string().into_bytes();
    let answer: Value = serde_json::from_slice(&soon(session.answer(&message)).await.unwrap().unwrap()).unwrap();
    assert_eq!(answer["result"]["content"]["text"], "hello", "{answer}");
    server.answer(Answer::Never);
    server.arrived().await;
    let cancelled = async {
        server.arrived().await;
        session.handle(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    };
    let (answer, ()) = soon(async { tokio::join!(session.answer(&message), cancelled) }).await.unwrap();
    assert!(answer.is_none());
    soon(server.left()).await.unwrap();
    let outcomes: Vec<_> = written.lines().unwrap().iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(outcomes, ["ok", "cancelled"]);
}

/// Each session has its own budget, over one handler.
#[tokio::test]
async fn sessions_have_budgets_of_their_own() {
    let server = ModelServer::start(Answer::text("hello")).await.unwrap();
    let mut provider = provider(&server);
    provider.guards.session_tokens = 40;
    let (_, handlers) = model_guest(provider).await;
    let ask = request(1, SAMPLING, &prompt("hi"));
    for _ in 0..2 {
        let session = Server::new(handlers.clone());
        let first = session.send(&ask).await.unwrap();
        assert_eq!(first["result"]["model"], "served-model", "{first}");
        let second = session.send(&ask).await.unwrap();
        assert_eq!(second["error"]["data"]["kind"], "model_budget", "{second}");
        assert_eq!(second["error"]["code"], -32603);
    }
}

/// The line of a call says who, which, how much, and what came of it; prompts and answers only where they are wanted.
#[tokio::test]
async fn each_call_is_in_the_audit_log() {
    let server = ModelServer::start(Answer::text("hello")).await.unwrap();
    for payloads in [false, true] {
        let (written, handlers) = model_guest(provider(&server)).await;
        let mut options = options();
        options.principal = "me".to_owned();
        options.audit = Some(Arc::new(AuditLog::new(written.clone(), payloads)));
        let session = Server::with(handlers, options);
        let params = with(json!({ "modelPreferences": { "hints": [{ "name": "gpt\n5" }] } }));
        server.answer(Answer::text("hello"));
        session.send(&request(1, SAMPLING, &params)).await.unwrap();
        server.answer(Answer::Json(500, json!({ "error": { "message": KEY } })));
        session.send(&request(2, SAMPLING, &params)).await.unwrap();
        let lines = written.lines().unwrap();
        let common = json!({ "event": "model", "principal": "me", "kind": "sampling", "model": "default-model", "hints": ["gpt 5"] });
        for (line, own) in lines.iter().zip([
            json!({ "outcome": "ok", "inputTokens": 10, "outputTokens": 5, "error": null }),
            json!({ "outcome": "model", "error": -32603, "inputTokens": null }),
        ]) {
            assert!(holds(line, &common) && holds(line, &own), "{line}");
            assert_eq!(line["handler"].as_str().map(str::len), Some(64));
            assert!(!line.to_string().contains(KEY), "{line}");
            assert_eq!(line["request"]["maxTokens"], if payloads { json!(10) } else { Value::Null });
        }
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["response"]["content"]["text"], if payloads { json!("hello") } else { Value::Null });
    }
}

/// What is wrong with a provider is said of the field that is wrong, and `Debug` shows no key.
#[test]
fn a_wrong_provider_is_refused() {
    let with = |set: &dyn Fn(&mut Provider)| {
        let mut provider = Provider::new("openai", "m");
        provider.key = Some(Secret::new(KEY.to_owned()));
        set(&mut provider);
        assert!(!format!("{provider:?} {:?}", ProviderModel::new(provider.clone())).contains("correct"));
        ProviderModel::new(provider).map(drop).map_err(|wrong| wrong.field)
    };
    let url = |url: &str| with(&|provider| provider.base_url = Some(url.to_owned()));
    assert_eq!(with(&|_| {}), Ok(()));
    assert_eq!(with(&|provider| provider.name = "openia".to_owned()), Err("name"));
    assert_eq!(with(&|provider| provider.default_model = String::new()), Err("default_model"));
    assert_eq!(with(&|provider| provider.guards.allowed = vec!["x*".to_owned()]), Err("default_model"));
    assert_eq!(with(&|provider| provider.guards.allowed = vec!["m".to_owned(), String::new()]), Err("allowed"));
    assert_eq!(with(&|provider| provider.guards.calls = 0), Err("calls"));
    assert_eq!(with(&|provider| provider.key = Some(Secret::new("two\nlines".to_owned()))), Err("key"));
    for good in ["https://api.example/v1", "http://127.0.0.1:1/v1/", "http://[::1]:1/", "http://localhost/"] {
        assert_eq!(url(good), Ok(()), "{good}");
    }
    let bad = [
        "http://api.example/v1/",
        "http://10.0.0.1/",
        "ftp://x/",
        "x",
        "https://user:pass@x/",
        "http://127.0.0.1.evil/",
    ];
    for bad in bad {
        assert_eq!(url(bad), Err("base_url"), "{bad}");
    }
    assert_eq!(
        with(&|provider| {
            provider.base_url = Some("http://api.example/v1/".to_owned());
            provider.insecure = true;
        }),
        Ok(())
    );
}

/// The guest that asks the model, and an empty log.
async fn model_guest(provider: Provider) -> (Written, taskcell::Handlers) {
    let mut grants = Grants::default();
    grants.model = Some(Arc::new(ProviderModel::new(provider).unwrap()));
    (Written::default(), guest_with(cells(4), "tests/guests/model", grants).await.unwrap())
}
