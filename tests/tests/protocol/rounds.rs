//! Calls of revision 2026-07-28: rounds of input, tasks of a server, and what each request says of the client.

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use taskcell::handlers::Features;
use taskcell::kinds::KINDS;
use taskcell::mrtr::{CallError, Caller, Options, PROTOCOL_VERSION};
use taskcell::protocol::types::{
    CreateMessageResult, ElicitAction, ElicitEntry, ElicitRequest, ElicitResult, ElicitValue, Implementation,
    ListRootsResult, Role, Root, RpcError, SamplingContent, TextContent,
};
use taskcell::session::{Answered, Event};
use taskcell::{Handlers, NativeHandler, Session, SessionOptions};
use taskcell_test_support::conversation::{soon, start};
use taskcell_test_support::handlers::{cells, guest, stock};
use taskcell_test_support::scripted_server::{Asked, ScriptedServer};
use taskcell_test_support::server::{json_lines, options};

const CALL: &str = r#"{"name":"tool","arguments":{"n":1.50}}"#;
const DONE: &str = r#"{"resultType":"complete","content":[]}"#;

fn modern() -> SessionOptions {
    let mut options = options();
    options.protocol_version = PROTOCOL_VERSION.to_owned();
    options
}

fn limits(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    change(&mut options);
    options
}

/// A caller for a server. Nobody takes what its session would send.
fn caller(handlers: Handlers, server: &Arc<ScriptedServer>, options: Options) -> (Session, Caller) {
    let (session, _) = Session::new(handlers, modern());
    let server = Arc::clone(server);
    let caller = Caller::new(&session, server, options);
    (session, caller)
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// What a call comes to: the result, or the error in words.
fn outcome(outcome: Result<Box<RawValue>, CallError>) -> Result<String, String> {
    outcome.map(|result| result.get().to_owned()).map_err(|error| error.to_string())
}

fn text_of(text: &str) -> CreateMessageResult {
    let content = SamplingContent::Text(TextContent { text: text.to_owned(), annotations: None, meta: None });
    let (role, model, stop_reason) = (Role::Assistant, "m".to_owned(), Some("endTurn".to_owned()));
    CreateMessageResult { role, content: vec![content], model, stop_reason, meta: None }
}

/// Closures of the three kinds, which answer as the recorded client did.
fn natives() -> Handlers {
    let sampling = NativeHandler::sampling(|_, request| async move {
        match request.max_tokens {
            666 => Err(RpcError { code: -1, message: "No".to_owned(), data: Some(r#"{"why":[1]}"#.to_owned()) }),
            _ => Ok(text_of("Paris")),
        }
    });
    let elicitation = NativeHandler::elicitation(|_, request| async move {
        let entry = |value: String| ElicitEntry { name: "name".to_owned(), value: ElicitValue::Text(value) };
        let content = match request {
            ElicitRequest::Form(_) => Some(vec![entry("Ada".to_owned())]),
            ElicitRequest::Url(page) if page.elicitation_id == "page" => None,
            ElicitRequest::Url(page) => panic!("another id: {}", page.elicitation_id),
        };
        Ok(ElicitResult { action: ElicitAction::Accept(content), meta: None })
    });
    let roots = NativeHandler::roots(|_| async {
        let root = Root { uri: "file:///home/user/project".to_owned(), name: Some("tmp".to_owned()), meta: None };
        Ok(ListRootsResult { roots: vec![root], meta: None })
    });
    [sampling, elicitation, roots].into_iter().fold(Handlers::default(), |all, one| all.native(one).unwrap())
}

// ---- Rounds ----

/// A call, what the server answers to its requests, and what these and the outcome are. Parameters are compared as
/// JSON; the outcome, and what has to stay as it was written, as text.
struct Row {
    what: &'static str,
    method: &'static str,
    answers: &'static [&'static str],
    requests: &'static [&'static str],
    verbatim: &'static str,
    outcome: Result<&'static str, &'static str>,
}

#[rustfmt::skip]
const ROUNDS: &[Row] = &[
    Row { what: "a server that asks for nothing", method: "tools/call",
        answers: &[DONE], requests: &[CALL], verbatim: r#""n":1.50"#, outcome: Ok(DONE) },
    Row { what: "a result without a type is complete", method: "tools/call",
        answers: &[r#"{"content":[],"n":1.0}"#], requests: &[CALL], verbatim: "", outcome: Ok(r#"{"content":[],"n":1.0}"#) },
    Row { what: "one input, with a state", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","inputRequests":{"r":{"method":"roots/list"}},"requestState":"a\u0062\/\\ \u00e9"}"#, DONE],
        requests: &[CALL, r#"{"name":"tool","arguments":{"n":1.5},"inputResponses":{"r":{"roots":[{"uri":"file:///home/user/project","name":"tmp"}]}},"requestState":"ab/\\ é"}"#],
        verbatim: r#""requestState":"a\u0062\/\\ \u00e9""#, outcome: Ok(DONE) },
    Row { what: "no state, so none goes back", method: "prompts/get",
        answers: &[r#"{"resultType":"input_required","inputRequests":{"r":{"method":"roots/list"}}}"#, DONE],
        requests: &[CALL, r#"{"name":"tool","arguments":{"n":1.5},"inputResponses":{"r":{"roots":[{"uri":"file:///home/user/project","name":"tmp"}]}}}"#],
        verbatim: "", outcome: Ok(DONE) },
    Row { what: "the state of an earlier round does not go back, nor do its inputs", method: "resources/read",
        answers: &[
            r#"{"resultType":"input_required","inputRequests":{"r":{"method":"roots/list"}},"requestState":"1"}"#,
            r#"{"resultType":"input_required","inputRequests":{"s":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}},"requestState":null}"#,
            DONE],
        requests: &[CALL,
            r#"{"name":"tool","arguments":{"n":1.5},"inputResponses":{"r":{"roots":[{"uri":"file:///home/user/project","name":"tmp"}]}},"requestState":"1"}"#,
            r#"{"name":"tool","arguments":{"n":1.5},"inputResponses":{"s":{"role":"assistant","content":{"type":"text","text":"Paris"},"model":"m","stopReason":"endTurn"}}}"#],
        verbatim: "", outcome: Ok(DONE) },
    Row { what: "a state alone is sent back alone", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","requestState":""}"#, r#"{"resultType":"input_required","inputRequests":{},"requestState":"2"}"#, DONE],
        requests: &[CALL, r#"{"name":"tool","arguments":{"n":1.5},"requestState":""}"#, r#"{"name":"tool","arguments":{"n":1.5},"requestState":"2"}"#],
        verbatim: r#""requestState":"2""#, outcome: Ok(DONE) },
    Row { what: "odd names", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","inputRequests":{"":{"method":"roots/list"},"__proto__":{"method":"roots/list"},"\u0000\n\"\ud83d\ude00":{"method":"roots/list"}}}"#, DONE],
        requests: &[CALL, r#"{"name":"tool","arguments":{"n":1.5},"inputResponses":{
            "":{"roots":[{"uri":"file:///home/user/project","name":"tmp"}]}, "__proto__":{"roots":[{"uri":"file:///home/user/project","name":"tmp"}]},
            "\u0000\n\"😀":{"roots":[{"uri":"file:///home/user/project","name":"tmp"}]}}}"#],
        verbatim: "", outcome: Ok(DONE) },
    Row { what: "a page has no id in this revision", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","inputRequests":{"page":{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://example.com/"}}}}"#, DONE],
        requests: &[CALL, r#"{"name":"tool","arguments":{"n":1.5},"inputResponses":{"page":{"action":"accept"}}}"#],
        verbatim: "", outcome: Ok(DONE) },
    Row { what: "a client has no tasks in this revision", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","inputRequests":{"s":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"task":{"ttl":1}}}}}"#, DONE],
        requests: &[CALL, r#"{"name":"tool","arguments":{"n":1.5},"inputResponses":{"s":{"role":"assistant","content":{"type":"text","text":"Paris"},"model":"m","stopReason":"endTurn"}}}"#],
        verbatim: "", outcome: Ok(DONE) },
    // ---- What ends the call ----
    Row { what: "an error of the server", method: "tools/call",
        answers: &[r#"{"error":{"code":-32602,"message":"Unknown\u001b tool"}}"#], requests: &[CALL], verbatim: "",
        outcome: Err("the server says: Unknown\u{fffd} tool (-32602)") },
    Row { what: "an error of a handler", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","inputRequests":{"s":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":666}},"r":{"method":"roots/list"}}}"#],
        requests: &[CALL], verbatim: "",
        outcome: Err("`sampling/createMessage` was asked of the client for `s`, which answered: No (-1)") },
    Row { what: "parameters that do not fit", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","inputRequests":{"s":{"method":"sampling/createMessage","params":{"maxTokens":1}}}}"#],
        requests: &[CALL], verbatim: "",
        outcome: Err("`sampling/createMessage` was asked of the client for `s`, which answered: Invalid params: missing field `messages` (-32602)") },
    Row { what: "a method that no client has", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","inputRequests":{"a":{"method":"tasks/list"}}}"#], requests: &[CALL], verbatim: "",
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: the input `a`: `tasks/list` is nothing that can be asked of a client") },
    Row { what: "neither input nor state", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","inputRequests":{}}"#], requests: &[CALL], verbatim: "",
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: it asks for input and has neither `inputRequests` nor `requestState`") },
    Row { what: "a state that is no string", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","requestState":7}"#], requests: &[CALL], verbatim: "",
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: `requestState` is no string") },
    Row { what: "a name that comes twice", method: "tools/call",
        answers: &[r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"a":{"method":"roots/list"}}}"#], requests: &[CALL], verbatim: "",
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: `inputRequests`: a member comes twice at line 1 column 57") },
    Row { what: "a type that nobody knows", method: "tools/call",
        answers: &[r#"{"resultType":"partial\u001b"}"#], requests: &[CALL], verbatim: "",
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: the `resultType` `partial\u{fffd}` is unknown") },
    Row { what: "no object", method: "tools/call", answers: &["[]"], requests: &[CALL], verbatim: "",
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: the result is no object") },
    Row { what: "a request that must not ask", method: "tools/list",
        answers: &[r#"{"resultType":"input_required","requestState":"1"}"#], requests: &[CALL], verbatim: "",
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: tools/list asks for input") },
    Row { what: "a request that must not become a task", method: "prompts/get",
        answers: &[r#"{"resultType":"task","taskId":"1","status":"working"}"#], requests: &[CALL], verbatim: "",
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: prompts/get was answered with a task") },
    Row { what: "a server that goes away", method: "tools/call", answers: &[], requests: &[CALL], verbatim: "",
        outcome: Err("the server has gone") },
];

#[tokio::test]
async fn rounds_are_what_the_table_says() {
    for row in ROUNDS {
        let server = Arc::new(ScriptedServer::new(row.answers.iter().copied()));
        let (_session, caller) = caller(natives(), &server, Options::default());
        let ended = soon(caller.call(row.method, &raw(CALL))).await.unwrap();
        let expected = row.outcome.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(outcome(ended), expected, "{}", row.what);
        let asked = server.asked();
        assert!(asked.iter().all(|request| request.method == row.method), "{}: {asked:?}", row.what);
        let own: Vec<_> = asked.iter().map(Asked::own).collect();
        let expected: Vec<Value> = row.requests.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        assert_eq!(own, expected, "{}", row.what);
        let last = &asked.last().unwrap().params;
        assert!(last.contains(row.verbatim), "{}: {last}", row.what);
    }
}

#[tokio::test]
async fn the_error_of_a_handler_comes_through_word_for_word() {
    let asks = r#"{"resultType":"input_required","inputRequests":{"s":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":666}}}}"#;
    let server = Arc::new(ScriptedServer::new([asks]));
    let (_session, caller) = caller(natives(), &server, Options::default());
    let error = caller.call("tools/call", &raw(CALL)).await.unwrap_err();
    let expected = RpcError { code: -1, message: "No".to_owned(), data: Some(r#"{"why":[1]}"#.to_owned()) };
    assert_eq!(error.rpc(), Some(&expected));
}

/// Kinds that nobody takes answer with their defaults, as they do to a server of 2025-11-25.
#[tokio::test]
async fn the_default_of_a_missing_kind_ends_the_call() {
    for row in KINDS.iter().filter(|row| !row.kind.is_of_tasks()) {
        let params = json!({ "messages": [], "maxTokens": 1, "message": "m", "requestedSchema": { "type": "object", "properties": {} } });
        let input = json!({ "key": { "method": row.method, "params": params } });
        let asks = json!({ "resultType": "input_required", "inputRequests": input }).to_string();
        let server = Arc::new(ScriptedServer::new([asks.as_str()]));
        let (_session, caller) = caller(Handlers::default(), &server, Options::default());
        let error = caller.call("tools/call", &raw(CALL)).await.unwrap_err();
        assert_eq!(error.rpc(), Some(&row.kind.default_answer()), "{}", row.method);
    }
}

#[tokio::test]
async fn rounds_and_inputs_are_bounded() {
    let state = r#"{"resultType":"input_required","requestState":"again"}"#;
    let server = Arc::new(ScriptedServer::new([state; 5]));
    let (_session, some) = caller(natives(), &server, limits(|options| options.rounds = 3));
    let ended = soon(some.call("tools/call", &raw(CALL))).await.unwrap();
    assert!(matches!(ended, Err(CallError::Rounds { limit: 3 })), "{ended:?}");
    assert_eq!(server.asked().len(), 4, "the call and three more");

    let inputs: Value = (0..5).map(|n| (n.to_string(), json!({ "method": "roots/list" }))).collect();
    let asks = json!({ "resultType": "input_required", "inputRequests": inputs }).to_string();
    for (most, taken) in [(5, true), (4, false)] {
        let server = Arc::new(ScriptedServer::new([asks.as_str(), DONE]));
        let (_session, some) = caller(natives(), &server, limits(|options| options.inputs = most));
        let ended = soon(some.call("tools/call", &raw(CALL))).await.unwrap();
        assert_eq!(ended.is_ok(), taken, "{ended:?}");
        assert!(taken || matches!(ended, Err(CallError::Inputs { count: 5, limit: 4 })), "{ended:?}");
    }
}

/// What asks, each input and all answers together are bounded as messages are.
#[tokio::test]
async fn sizes_and_depths_are_those_of_messages() {
    let mut small = cells(4);
    small.message_size = 2_000;
    small.json_depth = 8;
    let handlers = stock(small, &json!({})).await.unwrap();
    let asks = |inputs: Value| json!({ "resultType": "input_required", "inputRequests": inputs }).to_string();
    let prompt = |text: &str| {
        let message = json!({ "role": "user", "content": { "type": "text", "text": text } });
        json!({ "method": "sampling/createMessage", "params": { "messages": [message], "maxTokens": 1 } })
    };
    let mut deep = json!({});
    (0..20).for_each(|_| deep = json!({ "a": deep }));
    let mut nested = prompt("x");
    nested["params"]["metadata"] = deep;
    let three = json!({ "a": prompt(&"x".repeat(500)), "b": prompt(&"x".repeat(500)), "c": prompt("x") });
    let echoed = json!({ "a": prompt(&"x".repeat(700)) });
    let state = json!({ "resultType": "input_required", "requestState": "x".repeat(2_000) }).to_string();
    #[rustfmt::skip]
    let rows = [
        ("all fits",                  asks(echoed),                                    None),
        ("all fits, in three",        asks(three),                                     None),
        ("more than a message",       asks(json!({ "a": prompt(&"x".repeat(2_000)) })), Some("the limit is 2000")),
        ("a state of that size",      state,                                           Some("the limit is 2000")),
        ("deeper than a message may", asks(json!({ "a": nested })),                    Some("nests deeper than 8 levels")),
    ];
    for (what, asks, expected) in rows {
        let server = Arc::new(ScriptedServer::new([asks.as_str(), DONE]));
        let (_session, caller) = caller(handlers.clone(), &server, Options::default());
        let ended = outcome(soon(caller.call("tools/call", &raw(CALL))).await.unwrap());
        match expected {
            None => assert!(ended.is_ok(), "{what}: {ended:?}"),
            Some(why) => assert!(ended.as_ref().is_err_and(|error| error.contains(why)), "{what}: {ended:?}"),
        }
    }

    // Three answers of which each may go out and all may not.
    let long = stock(cells(4), &json!({ "sampling": [{ "answer": "x".repeat(3 << 19) }] })).await.unwrap();
    let inputs = json!({ "a": prompt("x"), "b": prompt("x"), "c": prompt("x") });
    let server = Arc::new(ScriptedServer::new([asks(inputs).as_str(), DONE]));
    let (_session, caller) = caller(long, &server, Options::default());
    let ended = soon(caller.call("tools/call", &raw(CALL))).await.unwrap();
    assert!(matches!(ended, Err(CallError::Size { limit, .. }) if limit == 4 << 20), "{ended:?}");
}

/// A round may want more than the session has cells: inputs wait for one, where requests would be refused.
#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_gathered_side_by_side_within_the_cells_of_the_session() {
    let met = Arc::new(tokio::sync::Barrier::new(3));
    let sampling = NativeHandler::sampling({
        let met = Arc::clone(&met);
        move |_, _| {
            let met = Arc::clone(&met);
            async move {
                met.wait().await;
                Ok(text_of("all at once"))
            }
        }
    });
    let prompt = json!({ "method": "sampling/createMessage", "params": { "messages": [], "maxTokens": 1 } });
    let asks = json!({ "resultType": "input_required", "inputRequests": { "a": prompt, "b": prompt, "c": prompt } });
    let server = Arc::new(ScriptedServer::new([asks.to_string().as_str(), DONE]));
    let (_session, one) = caller(Handlers::default().native(sampling).unwrap(), &server, Options::default());
    soon(one.call("tools/call", &raw(CALL))).await.unwrap().unwrap();

    let mut few = cells(4);
    few.session_cells = 2;
    let inputs: Value = (0..20).map(|n| (n.to_string(), prompt.clone())).collect();
    let asks = json!({ "resultType": "input_required", "inputRequests": inputs });
    let server = Arc::new(ScriptedServer::new([asks.to_string().as_str(), DONE]));
    let (_session, one) = caller(stock(few, &json!({})).await.unwrap(), &server, Options::default());
    soon(one.call("tools/call", &raw(CALL))).await.unwrap().unwrap();
    assert_eq!(server.asked()[1].own()["inputResponses"].as_object().unwrap().len(), 20);
}

/// The first input that fails ends the cells of the others; so does dropping the call.
#[tokio::test(flavor = "multi_thread")]
async fn the_cells_of_a_call_that_ends_are_dropped() {
    let mut two = cells(2);
    two.session_cells = 2;
    let handlers = guest(two, "tests/guests/hostile").await.unwrap();
    let ask = |text: &str| {
        let message = json!({ "role": "user", "content": { "type": "text", "text": text } });
        json!({ "method": "sampling/createMessage", "params": { "messages": [message], "maxTokens": 10 } })
    };
    let waits = json!({ "resultType": "input_required", "inputRequests": { "a": ask("wait") } }).to_string();
    let fails = json!({ "resultType": "input_required", "inputRequests": { "a": ask("wait"), "b": ask("trap") } });
    let good = json!({ "resultType": "input_required", "inputRequests": { "a": ask("good"), "b": ask("good") } });
    let (fails, good) = (fails.to_string(), good.to_string());
    let answers = [waits.as_str(), &waits, &fails, &good, DONE];
    let server = Arc::new(ScriptedServer::new(answers));
    let (_session, caller) = caller(handlers, &server, Options::default());
    for _ in 0..2 {
        let params = raw(CALL);
        let mut call = pin!(caller.call("tools/call", &params));
        for _ in 0..50 {
            assert!(start(call.as_mut()).await.is_pending());
            tokio::task::yield_now().await;
        }
    }
    let failed = soon(caller.call("tools/call", &raw(CALL))).await.unwrap().unwrap_err();
    assert_eq!(failed.rpc().unwrap().code, -32603, "{failed}");
    // Both cells are free again, or soon will be: inputs wait for a place.
    soon(caller.call("tools/call", &raw(CALL))).await.unwrap().unwrap();
}

/// Handlers see which revision asks, ids that differ, and the whole of `_meta`; the application sees each answer.
#[tokio::test]
async fn handlers_and_observers_see_inputs_as_requests() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let roots = NativeHandler::roots({
        let seen = Arc::clone(&seen);
        move |context| {
            seen.lock().unwrap().push(context.request);
            async { Ok(ListRootsResult { roots: Vec::new(), meta: None }) }
        }
    });
    let input = json!({ "method": "roots/list", "params": { "_meta": { "k": 1 } } });
    let asks = json!({ "resultType": "input_required", "inputRequests": { "a": input, "b": input } }).to_string();
    let server = Arc::new(ScriptedServer::new([asks.as_str(), DONE]));
    let events = Arc::new(Mutex::new(Vec::new()));
    let mut session = modern();
    session.observer = Some(Arc::new({
        let events = Arc::clone(&events);
        move |event: &Event<'_>| {
            if let Event::Answered(Answered { method, handler, .. }) = event {
                events.lock().unwrap().push(format!("{method} by {handler:?}"));
            }
        }
    }));
    let (session, _) = Session::new(Handlers::default().native(roots).unwrap(), session);
    Caller::new(&session, server, Options::default()).call("tools/call", &raw(CALL)).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(*events.lock().unwrap(), [r#"roots/list by Some("native")"#; 2]);
    assert_ne!(seen[0].request_id, seen[1].request_id);
    for context in seen.iter() {
        assert_eq!((&*context.protocol_version, context.meta.as_deref()), (PROTOCOL_VERSION, Some(r#"{"k":1}"#)));
    }
}

// ---- What each request says of the client ----

/// All combinations of kinds: the plain ones declare what they do in `initialize`, the six of tasks nothing.
#[tokio::test]
async fn capabilities_of_requests_follow_the_kinds() {
    let all = [
        ("sampling", NativeHandler::sampling(move |_, _| pending()), Some(json!({}))),
        ("elicitation", NativeHandler::elicitation(move |_, _| pending()), Some(json!({ "form": {}, "url": {} }))),
        ("roots", NativeHandler::roots(move |_| pending()), Some(json!({}))),
        ("augmented-sampling", NativeHandler::augmented_sampling(move |_, _, _| pending()), None),
        ("augmented-elicitation", NativeHandler::augmented_elicitation(move |_, _, _| pending()), None),
        ("get-task", NativeHandler::get_task(move |_, _| pending()), None),
        ("get-task-result", NativeHandler::get_task_result(move |_, _| pending()), None),
        ("list-tasks", NativeHandler::list_tasks(move |_, _| pending()), None),
        ("cancel-task", NativeHandler::cancel_task(move |_, _| pending()), None),
    ];
    assert_eq!(all.len(), KINDS.len());
    for combination in 0..1 << all.len() {
        let mut handlers = Handlers::default();
        let mut expected = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
        for (name, native, declared) in
            all.iter().enumerate().filter(|(bit, _)| combination >> bit & 1 == 1).map(|row| row.1)
        {
            handlers = handlers.native(native.clone()).unwrap();
            if let Some(declared) = declared {
                expected[name] = declared.clone();
            }
        }
        let kinds: Vec<_> = handlers.kinds().collect();
        let meta = meta_of(handlers, Options::default(), &[DONE]).await;
        assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], expected, "{kinds:?}");
    }
}

#[tokio::test]
async fn requests_say_what_the_revision_demands() {
    let named = limits(|options| {
        options.client = Some(Implementation::new("c", "2"));
        options.tasks = false;
    });
    let mut features = Features::default();
    (features.url, features.tools) = (false, true);
    let meta = meta_of(natives().managed().with_features(features), named, &RETRIED).await;
    let expected = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "c", "version": "2" },
        "io.modelcontextprotocol/clientCapabilities": { "sampling": { "tools": {} }, "elicitation": { "form": {} }, "roots": {} },
        "progressToken": 7,
    });
    assert_eq!(meta, expected);
    let meta = meta_of(Handlers::default(), limits(|options| options.tasks = false), &RETRIED).await;
    let expected = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": 7,
    });
    assert_eq!(meta, expected);
}

const RETRIED: [&str; 2] = [r#"{"resultType":"input_required","requestState":"1"}"#, DONE];

/// `_meta` of all requests of a call, whose own member stays and whose false claim does not.
async fn meta_of(handlers: Handlers, options: Options, answers: &[&str]) -> Value {
    let server = Arc::new(ScriptedServer::new(answers.iter().copied()));
    let (_session, caller) = caller(handlers, &server, options);
    let params = raw(r#"{"name":"t","_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"1"}}"#);
    caller.call("tools/call", &params).await.unwrap();
    let metas: Vec<Value> = server
        .asked()
        .iter()
        .map(|request| serde_json::from_str::<Value>(&request.params).unwrap()["_meta"].take())
        .collect();
    assert_eq!(metas.len(), answers.len());
    assert!(metas.windows(2).all(|pair| pair[0] == pair[1]), "{metas:?}");
    metas[0].clone()
}

#[tokio::test]
async fn parameters_that_are_no_object_are_not_sent() {
    for params in ["[]", "7", r#"{"_meta":[]}"#, r#"{"a":1,"a":2}"#] {
        let server = Arc::new(ScriptedServer::new([DONE]));
        let (_session, caller) = caller(Handlers::default(), &server, Options::default());
        let ended = caller.call("tools/call", &raw(params)).await;
        assert!(matches!(ended, Err(CallError::Params(_))), "{params}: {ended:?}");
        assert!(server.asked().is_empty());
    }
}

// ---- Tasks of the server ----

/// What the server answers to the call, to polls, updates and cancellations in turn; what is asked after the call, as
/// method and inputs given; and the outcome.
struct TaskRow {
    what: &'static str,
    answers: &'static [&'static str],
    requests: &'static [(&'static str, Option<&'static str>)],
    outcome: Result<&'static str, &'static str>,
}

const WORKING: &str = r#"{"resultType":"task","taskId":"T","status":"working","ttlMs":null,"pollIntervalMs":0}"#;
const STILL: &str = r#"{"resultType":"complete","taskId":"T","status":"working","ttlMs":null,"pollIntervalMs":0}"#;
const ENDED: &str = r#"{"taskId":"T","status":"completed","ttlMs":null,"result":{"content":[],"n":1.0}}"#;
const ASKS: &str = r#"{"taskId":"T","status":"input_required","ttlMs":null,"pollIntervalMs":0,"inputRequests":{"a\n":{"method":"roots/list"}}}"#;
const GIVEN: Option<&str> = Some(r#"{"a\n":{"roots":[{"uri":"file:///home/user/project","name":"tmp"}]}}"#);
const ACK: &str = r#"{"resultType":"complete"}"#;

#[rustfmt::skip]
const TASKS: &[TaskRow] = &[
    TaskRow { what: "polled to its end", answers: &[WORKING, STILL, STILL, ENDED],
        requests: &[("tasks/get", None), ("tasks/get", None), ("tasks/get", None)], outcome: Ok(r#"{"content":[],"n":1.0}"#) },
    TaskRow { what: "ended at once", answers: &[r#"{"resultType":"task","taskId":"T","status":"completed","ttlMs":1}"#, ENDED],
        requests: &[("tasks/get", None)], outcome: Ok(r#"{"content":[],"n":1.0}"#) },
    TaskRow { what: "given input once, though it is shown again", answers: &[WORKING, ASKS, ACK, ASKS, ASKS, STILL, ENDED],
        requests: &[("tasks/get", None), ("tasks/update", GIVEN), ("tasks/get", None), ("tasks/get", None), ("tasks/get", None), ("tasks/get", None)],
        outcome: Ok(r#"{"content":[],"n":1.0}"#) },
    TaskRow { what: "given the new input alone",
        answers: &[WORKING, ASKS, ACK,
            r#"{"taskId":"T","status":"input_required","pollIntervalMs":0,"inputRequests":{"a\n":{"method":"roots/list"},"b":{"method":"elicitation/create","params":{"mode":"form","message":"?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}}}"#,
            ACK, ENDED],
        requests: &[("tasks/get", None), ("tasks/update", GIVEN), ("tasks/get", None),
            ("tasks/update", Some(r#"{"b":{"action":"accept","content":{"name":"Ada"}}}"#)), ("tasks/get", None)],
        outcome: Ok(r#"{"content":[],"n":1.0}"#) },
    TaskRow { what: "inputs that come with another state are none",
        answers: &[WORKING, r#"{"taskId":"T","status":"working","pollIntervalMs":0,"inputRequests":{"a":{"method":"roots/list"}}}"#, ENDED],
        requests: &[("tasks/get", None), ("tasks/get", None)], outcome: Ok(r#"{"content":[],"n":1.0}"#) },
    TaskRow { what: "a hint that cannot be read", answers: &[r#"{"resultType":"task","taskId":"T","status":"completed","pollIntervalMs":"soon"}"#, ENDED],
        requests: &[("tasks/get", None)], outcome: Ok(r#"{"content":[],"n":1.0}"#) },
    TaskRow { what: "failed", answers: &[WORKING, r#"{"taskId":"T","status":"failed","error":{"code":-32603,"message":"rate"}}"#],
        requests: &[("tasks/get", None)], outcome: Err("the server says: rate (-32603)") },
    TaskRow { what: "cancelled by the server", answers: &[WORKING, r#"{"taskId":"T","status":"cancelled","statusMessage":"shut\ndown"}"#],
        requests: &[("tasks/get", None)], outcome: Err("the server cancelled the task: shut down") },
    TaskRow { what: "gone", answers: &[WORKING, r#"{"error":{"code":-32602,"message":"Task not found"}}"#],
        requests: &[("tasks/get", None)], outcome: Err("the server says: Task not found (-32602)") },
    // ---- What the client gives up is cancelled ----
    TaskRow { what: "an error of a handler",
        answers: &[WORKING, r#"{"taskId":"T","status":"input_required","inputRequests":{"s":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":666}}}}"#, ACK],
        requests: &[("tasks/get", None), ("tasks/cancel", None)],
        outcome: Err("`sampling/createMessage` was asked of the client for `s`, which answered: No (-1)") },
    TaskRow { what: "another task", answers: &[WORKING, r#"{"taskId":"U","status":"working"}"#, ACK],
        requests: &[("tasks/get", None), ("tasks/cancel", None)],
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: `tasks/get` gave another task") },
    TaskRow { what: "no result", answers: &[WORKING, r#"{"taskId":"T","status":"completed"}"#, ACK],
        requests: &[("tasks/get", None), ("tasks/cancel", None)],
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: the task is completed and has no `result`") },
    TaskRow { what: "a result that asks", answers: &[WORKING, r#"{"taskId":"T","status":"completed","result":{"resultType":"input_required","requestState":"1"}}"#, ACK],
        requests: &[("tasks/get", None), ("tasks/cancel", None)],
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: the result of the task is not complete") },
    TaskRow { what: "a state that nobody knows", answers: &[WORKING, r#"{"taskId":"T","status":"paused"}"#, ACK],
        requests: &[("tasks/get", None), ("tasks/cancel", None)],
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: `status`: unknown variant `paused`, expected one of `working`, `input_required`, `completed`, `failed`, `cancelled` at line 1 column 8") },
    TaskRow { what: "a task without a name", answers: &[r#"{"resultType":"task","status":"working"}"#], requests: &[],
        outcome: Err("the server's answer is not what MCP 2026-07-28 says: the task has no `taskId`") },
];

#[tokio::test]
async fn tasks_are_followed_as_the_table_says() {
    for row in TASKS {
        let server = Arc::new(ScriptedServer::new(row.answers.iter().copied()));
        let (_session, caller) = caller(natives(), &server, Options::default());
        let ended = soon(caller.call("tools/call", &raw(CALL))).await.unwrap();
        assert_eq!(outcome(ended), row.outcome.map(str::to_owned).map_err(str::to_owned), "{}", row.what);
        let asked = server.asked();
        let after: Vec<_> = asked.iter().skip(1).map(|request| (request.method.as_str(), request.own())).collect();
        let expected = row.requests.iter().map(|(method, given)| {
            let mut params = json!({ "taskId": "T" });
            if let Some(given) = given {
                params["inputResponses"] = serde_json::from_str(given).unwrap();
            }
            (*method, params)
        });
        assert_eq!(after, expected.collect::<Vec<_>>(), "{}", row.what);
        let extension = r#""extensions":{"io.modelcontextprotocol/tasks":{}}"#;
        assert!(asked.iter().all(|request| request.params.contains(extension)), "{}", row.what);
    }
}

#[tokio::test]
async fn a_task_that_was_not_declared_is_no_answer() {
    let server = Arc::new(ScriptedServer::new([WORKING]));
    let (_session, caller) = caller(natives(), &server, limits(|options| options.tasks = false));
    let ended = caller.call("tools/call", &raw(CALL)).await;
    assert!(matches!(ended, Err(CallError::Answer(_))), "{ended:?}");
}

/// No poll comes sooner after the last than the server said then.
#[tokio::test]
async fn the_poll_interval_is_honored() {
    let state = |kind: &str, interval: u64| {
        json!({ "resultType": kind, "taskId": "T", "status": "working", "pollIntervalMs": interval }).to_string()
    };
    let answers = [state("task", 60), state("complete", 120), state("complete", 30), ENDED.to_owned()];
    let server = Arc::new(ScriptedServer::new(answers.iter().map(String::as_str)));
    let states = Arc::new(Mutex::new(0));
    let observed = limits(|options| {
        let states = Arc::clone(&states);
        options.observer = Some(Arc::new(move |task| {
            assert_eq!(task.id, "T");
            *states.lock().unwrap() += 1;
        }));
    });
    let (_session, caller) = caller(natives(), &server, observed);
    soon(caller.call("tools/call", &raw(CALL))).await.unwrap().unwrap();
    let asked = server.asked();
    for (pair, least) in asked.windows(2).zip([60, 120, 30]) {
        let between = pair[1].at - pair[0].at;
        assert!(between >= Duration::from_millis(least), "{between:?} after {least} ms were asked for");
    }
    assert_eq!((asked.len(), *states.lock().unwrap()), (4, 4));
}

#[tokio::test]
async fn a_task_may_not_take_for_ever_nor_ask_for_ever() {
    let server = Arc::new(ScriptedServer::new([WORKING, "never", ACK]));
    let (_session, short) = caller(natives(), &server, limits(|options| options.task_time = Duration::from_millis(50)));
    let ended = soon(short.call("tools/call", &raw(CALL))).await.unwrap();
    assert!(matches!(ended, Err(CallError::TaskTime { .. })), "{ended:?}");
    assert_eq!(server.asked().last().unwrap().method, "tasks/cancel");

    let asks = |key: &str| {
        json!({ "taskId": "T", "status": "input_required", "pollIntervalMs": 0, "inputRequests": { key: { "method": "roots/list" } } }).to_string()
    };
    let (one, two, three) = (asks("1"), asks("2"), asks("3"));
    let server = Arc::new(ScriptedServer::new([WORKING, &one, ACK, &two, ACK, &three, ACK]));
    let (_session, few) = caller(natives(), &server, limits(|options| options.rounds = 2));
    let ended = soon(few.call("tools/call", &raw(CALL))).await.unwrap();
    assert!(matches!(ended, Err(CallError::Rounds { limit: 2 })), "{ended:?}");
    assert_eq!(server.asked().last().unwrap().method, "tasks/cancel");
}

/// Dropping a call whose task runs cancels the task, and `settle` waits for that.
#[tokio::test]
async fn a_dropped_call_cancels_its_task() {
    let server = Arc::new(ScriptedServer::new([WORKING, "never", ACK]));
    let (_session, caller) = caller(natives(), &server, Options::default());
    {
        let params = raw(CALL);
        let mut call = pin!(caller.call("tools/call", &params));
        tokio::select! {
            ended = call.as_mut() => panic!("{ended:?}"),
            () = server.until_asked(2) => {}
        }
    }
    soon(caller.settle()).await.unwrap();
    let asked = server.asked();
    assert_eq!((asked[2].method.as_str(), asked[2].own()), ("tasks/cancel", json!({ "taskId": "T" })));
}

/// Whoever is asked for a task's sake is left alone when it ends.
#[tokio::test]
async fn a_task_that_ends_while_input_is_gathered_ends_the_call() {
    let roots = NativeHandler::roots(|_| async { pending().await });
    let server = Arc::new(ScriptedServer::new([WORKING, ASKS, ASKS, ENDED]));
    let (_session, caller) = caller(Handlers::default().native(roots).unwrap(), &server, Options::default());
    let ended = soon(caller.call("tools/call", &raw(CALL))).await.unwrap();
    assert_eq!(outcome(ended), Ok(r#"{"content":[],"n":1.0}"#.to_owned()));
}

/// Who kept the name of a task polls it again, or cancels it.
#[tokio::test]
async fn tasks_are_found_again_by_their_names() {
    let server = Arc::new(ScriptedServer::new([STILL, ENDED, ACK, r#"{"error":{"code":-32602,"message":"gone"}}"#]));
    let (_session, caller) = caller(natives(), &server, Options::default());
    assert_eq!(outcome(soon(caller.resume("T")).await.unwrap()), Ok(r#"{"content":[],"n":1.0}"#.to_owned()));
    caller.cancel_task("T").await.unwrap();
    assert_eq!(caller.cancel_task("T").await.unwrap_err().rpc().unwrap().message, "gone");
    let methods: Vec<_> = server.asked().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["tasks/get", "tasks/get", "tasks/cancel", "tasks/cancel"]);
}

// ---- A recorded exchange ----

/// The Python SDK's client, version 2.3.0, and a server: this client says the same of the same.
#[tokio::test]
async fn the_recorded_exchange_is_had_again() {
    let lines = json_lines(include_str!("../../data/modern-exchange.jsonl")).unwrap();
    let calls: Vec<_> = lines.iter().filter(|line| line["msg"]["method"] == "tools/call").collect();
    let (first, retry, task) = (calls[0], calls[1], calls[2]);
    let answer_to = |request: &Value| {
        let answers = |line: &&Value| line["dir"] == "s2c" && line["msg"]["id"] == request["msg"]["id"];
        lines.iter().find(answers).unwrap()["msg"]["result"].clone()
    };
    let answers = [answer_to(first).to_string(), answer_to(retry).to_string(), answer_to(task).to_string()];
    let server = Arc::new(ScriptedServer::new(answers.iter().map(String::as_str)));
    let named = limits(|options| {
        options.client = serde_json::from_str(r#"{"name":"mcp","version":"0.1.0"}"#).ok();
        // As the recorded client, which could not poll.
        options.tasks = false;
    });
    let (_session, caller) = caller(natives(), &server, named);
    let result = caller.call("tools/call", &raw(r#"{"name":"mrtr","arguments":{}}"#)).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(result.get()).unwrap(), answer_to(retry));
    let ended = caller.call("tools/call", &raw(r#"{"name":"task","arguments":{}}"#)).await;
    assert!(matches!(ended, Err(CallError::Answer(_))), "{ended:?}");
    let asked: Vec<Value> =
        server.asked().iter().map(|request| serde_json::from_str(&request.params).unwrap()).collect();
    for (ours, recorded) in asked.iter().zip(calls) {
        let mut recorded = recorded["msg"]["params"].clone();
        // That client tells of changes of its roots, which the revision has no message for any more.
        recorded["_meta"]["io.modelcontextprotocol/clientCapabilities"]["roots"] = json!({});
        assert_eq!(*ours, recorded);
    }
}
