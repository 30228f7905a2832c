//! Closures of the application as handlers: alone, beside components, as the work of tasks.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use taskcell::handlers::{Features, Responder};
use taskcell::kinds::{KINDS, Kind};
use taskcell::protocol::jsonrpc::Message;
use taskcell::protocol::types::{
    CreateMessageResult, CreateTaskResult, ElicitAction, ElicitEntry, ElicitResult, ElicitValue, ListRootsResult,
    ListTasksResult, Role, Root, RpcError, SamplingContent, TaskOutput, TaskResult, TextContent,
};
use taskcell::session::{Answered, Event, Undeclared};
use taskcell::tasks::{Actor, AuditLog, CreateOptions};
use taskcell::{Grants, Handler, Handlers, LoadFault, NativeHandler, Session};
use taskcell_test_support::compose::component;
use taskcell_test_support::conversation::{Conversation, prompt, request, soon, start, task_prompt};
use taskcell_test_support::handlers::{cells, engine};
use taskcell_test_support::server::{Server, options};
use taskcell_test_support::written::Written;
use tokio::sync::mpsc;

const RELATED: &str = "io.modelcontextprotocol/related-task";

fn message(text: &str) -> CreateMessageResult {
    let content = SamplingContent::Text(TextContent { text: text.to_owned(), annotations: None, meta: None });
    CreateMessageResult {
        role: Role::Assistant,
        content: vec![content],
        model: "m".to_owned(),
        stop_reason: None,
        meta: None,
    }
}

fn accepted(value: &str) -> ElicitResult {
    let entry = ElicitEntry { name: "name".to_owned(), value: ElicitValue::Text(value.to_owned()) };
    ElicitResult { action: ElicitAction::Accept(Some(vec![entry])), meta: None }
}

fn one_root(uri: &str) -> ListRootsResult {
    ListRootsResult { roots: vec![Root { uri: uri.to_owned(), name: None, meta: None }], meta: None }
}

fn form(message: &str) -> Value {
    let name = json!({ "type": "string", "minLength": 1 });
    json!({ "message": message, "requestedSchema": { "type": "object", "properties": { "name": name }, "required": ["name"] } })
}

fn page() -> Value {
    json!({ "mode": "url", "message": "m", "url": "https://example.com/", "elicitationId": "1" })
}

fn with(mut params: Value, member: &str, value: Value) -> Value {
    params[member] = value;
    params
}

/// Says what it was asked for last; waits for ever, fails or panics when it is asked to.
fn sampling() -> NativeHandler {
    NativeHandler::sampling(|context, request| {
        let said = match &request.messages.last().unwrap().content[0] {
            SamplingContent::Text(content) => content.text.clone(),
            other => panic!("{other:?}"),
        };
        assert_ne!(said, "panic at once", "as asked");
        async move {
            match said.as_str() {
                "panic" => panic!("as asked"),
                "refuse" => return Err(RpcError { code: -1, message: "No".to_owned(), data: Some("[1]".to_owned()) }),
                "long" => return Ok(message(&"x".repeat(5 << 20))),
                "long error" => return Err(RpcError::new(-1, "x".repeat(5 << 20))),
                "no json" => return Ok(CreateMessageResult { meta: Some("{".to_owned()), ..message("hi") }),
                "wait" => std::future::pending().await,
                _ => {}
            }
            context.report(1.0, Some(2.0), Some("half".to_owned()));
            context.report(0.5, None, None);
            Ok(message(&format!("{} asks: {said} ({})", context.request.server.name, context.request.attempt)))
        }
    })
}

/// Enters what the form's message says.
fn elicitation() -> NativeHandler {
    NativeHandler::elicitation(|_, request| async move {
        Ok(match request {
            taskcell::protocol::types::ElicitRequest::Form(form) => accepted(&form.message),
            _ => ElicitResult { action: ElicitAction::Decline, meta: None },
        })
    })
}

fn roots() -> NativeHandler {
    NativeHandler::roots(|_| async { Ok(one_root("file:///project")) })
}

/// The kinds of tasks, over the session's own tasks; done by whoever the application likes.
fn tasks() -> [NativeHandler; 6] {
    let create = |context: taskcell::NativeContext, metadata, output: TaskOutput| async move {
        let task = context.tasks.create(CreateOptions::new(metadata, Arc::clone(&context.origin))).await?;
        context.tasks.finish(&task.task_id, &Ok(output), Actor::default()).await?;
        Ok(CreateTaskResult { task, meta: None })
    };
    [
        NativeHandler::augmented_sampling(move |context, metadata, _| {
            create(context, metadata, TaskOutput::Sampling(message("done")))
        }),
        NativeHandler::augmented_elicitation(move |context, metadata, _| {
            create(context, metadata, TaskOutput::Elicitation(accepted("me")))
        }),
        NativeHandler::get_task(|context, id| async move {
            Ok(TaskResult { task: context.tasks.get(&id).await?, meta: None })
        }),
        NativeHandler::get_task_result(|context, id| async move { context.tasks.wait(&id).await? }),
        NativeHandler::list_tasks(|context, cursor| async move {
            Ok(ListTasksResult {
                meta: Some(r#"{"mine":true}"#.to_owned()),
                ..context.tasks.list(cursor.as_deref()).await?
            })
        }),
        NativeHandler::cancel_task(|context, id| async move {
            Ok(TaskResult { task: context.tasks.cancel(&id).await?, meta: None })
        }),
    ]
}

fn plain() -> [NativeHandler; 3] {
    [sampling(), elicitation(), roots()]
}

fn set(natives: impl IntoIterator<Item = NativeHandler>) -> Handlers {
    natives.into_iter().try_fold(Handlers::default(), Handlers::native).unwrap()
}

/// A component that traps at whatever it is asked.
async fn trapping(exports: &[&str]) -> Handler {
    let engine = engine(cells(4)).unwrap();
    Handler::from_bytes(&engine, "composed", component(exports, &[]).unwrap(), Grants::default()).await.unwrap()
}

async fn ask(server: &Server, method: &str, params: Value) -> Value {
    soon(server.request(method, &params)).await.unwrap().unwrap()
}

/// Says when it is dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A closure that waits for ever; the channels tell when a call begins and when its future is dropped.
fn waiting() -> (NativeHandler, mpsc::UnboundedReceiver<()>, mpsc::UnboundedReceiver<()>) {
    let ((begin, begun), (end, dropped)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let native = NativeHandler::sampling(move |_, _| {
        let (begin, guard) = (begin.clone(), Dropped(end.clone()));
        async move {
            begin.send(()).unwrap();
            let _guard = guard;
            std::future::pending().await
        }
    });
    (native, begun, dropped)
}

// ---- Who serves what ----

/// Every closure serves its kind and no other, and declares what an export would.
#[test]
fn each_kind_is_served_and_declared() {
    let all: Vec<_> = plain().into_iter().chain(tasks()).collect();
    let mut kinds: Vec<_> = all.iter().map(NativeHandler::kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, KINDS.iter().map(|row| row.kind).collect::<Vec<_>>());
    for native in &all {
        let kind = native.kind();
        let handlers = set([native.clone()]);
        for row in &KINDS {
            let served = matches!(handlers.responder(row.kind), Responder::Native(native) if native.kind() == row.kind);
            assert_eq!(served, row.kind == kind, "{} by {native:?}", row.export);
        }
        assert_eq!(handlers.kinds().collect::<Vec<_>>(), [kind]);
        assert_eq!(handlers.capabilities(), taskcell::kinds::capabilities([kind]));
        assert!(handlers.get(kind).is_none(), "it is no component");
    }
    assert_eq!(set(all).capabilities(), taskcell::kinds::capabilities(KINDS.iter().map(|row| row.kind)));
    let mut features = Features::default();
    (features.url, features.tools) = (false, true);
    let declared = set(plain()).with_features(features).managed().capabilities();
    let requests = json!({ "sampling": { "createMessage": {} }, "elicitation": { "create": {} } });
    let tasks = json!({ "list": {}, "cancel": {}, "requests": requests });
    assert_eq!(
        declared,
        json!({ "sampling": { "tools": {} }, "elicitation": { "form": {} }, "roots": {}, "tasks": tasks })
    );
}

/// What each plain closure gives is the answer.
#[tokio::test]
async fn each_plain_kind_is_answered() {
    let server = Server::new(set(plain()));
    let said = json!({ "role": "assistant", "content": { "type": "text", "text": "test asks: hi (1)" }, "model": "m" });
    let related = json!({ "_meta": { RELATED: { "taskId": "t" } } });
    let table = [
        ("sampling/createMessage", prompt("hi"), said),
        ("elicitation/create", form("me"), json!({ "action": "accept", "content": { "name": "me" } })),
        ("elicitation/create", page(), json!({ "action": "decline" })),
        ("roots/list", json!({}), json!({ "roots": [{ "uri": "file:///project" }] })),
        // A request that was made for a task of the server's: its result says so. [basic/utilities/tasks]
        ("roots/list", related.clone(), with(related, "roots", json!([{ "uri": "file:///project" }]))),
    ];
    for (method, params, result) in table {
        let answer = ask(&server, method, params.clone()).await;
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 1, "result": result }), "{method} {params}");
    }
    let refused = ask(&server, "sampling/createMessage", prompt("refuse")).await;
    assert_eq!(refused["error"], json!({ "code": -1, "message": "No", "data": [1] }));
    // What no closure takes gets its default.
    let tasks = ask(&server, "sampling/createMessage", task_prompt("hi")).await;
    assert_eq!(tasks["error"]["message"], "Task-augmented sampling not supported");
}

/// The kinds of tasks as closures.
#[tokio::test]
async fn each_kind_of_tasks_is_answered() {
    let server = Server::new(set(tasks()));
    for (method, params, member) in [
        ("sampling/createMessage", task_prompt("hi"), "model"),
        ("elicitation/create", with(form("me"), "task", json!({ "ttl": 60_000 })), "action"),
    ] {
        let made = ask(&server, method, params).await;
        let id = json!({ "taskId": made["result"]["task"]["taskId"] });
        assert!(id["taskId"].is_string(), "{made}");
        let task = ask(&server, "tasks/get", id.clone()).await;
        assert_eq!((&task["result"]["status"], &task["result"]["taskId"]), (&json!("completed"), &id["taskId"]));
        let result = ask(&server, "tasks/result", id.clone()).await["result"].clone();
        assert_eq!((result[member].is_string(), &result["_meta"][RELATED]), (true, &id), "{result}");
        let late = ask(&server, "tasks/cancel", id).await;
        assert_eq!(late["error"]["code"], -32602, "{late}");
    }
    let list = ask(&server, "tasks/list", json!({})).await["result"].clone();
    assert_eq!((list["tasks"].as_array().unwrap().len(), &list["_meta"]["mine"]), (2, &json!(true)), "{list}");
    let unknown = ask(&server, "tasks/get", json!({ "taskId": "other" })).await;
    assert_eq!(unknown["error"]["code"], -32602);
}

/// Components and closures are one set: declared together, each asked for its own, named in the events.
#[tokio::test]
async fn beside_a_component() {
    let handlers = Handlers::new([trapping(&["elicitation", "get-task"]).await]).unwrap();
    let handlers = handlers.native(sampling()).unwrap().native(roots()).unwrap();
    let modes = json!({ "form": {}, "url": {} });
    assert_eq!(handlers.capabilities(), json!({ "sampling": {}, "elicitation": modes, "roots": {} }));
    assert!(
        matches!(handlers.responder(Kind::Elicitation), Responder::Handler(handler) if handler.name() == "composed")
    );
    assert!(matches!(handlers.responder(Kind::Sampling), Responder::Native(_)));

    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut options = options();
    let told = Arc::clone(&seen);
    options.observer = Some(Arc::new(move |event| {
        if let Event::Answered(Answered { method, handler, error, .. }) = event {
            let name = handler.map(str::to_owned);
            told.lock().unwrap().push(((*method).to_owned(), name, error.map(|error| error.code)));
        }
    }));
    let server = Server::with(handlers, options);
    let said = ask(&server, "sampling/createMessage", prompt("hi")).await;
    assert_eq!(said["result"]["content"]["text"], "test asks: hi (1)");
    assert_eq!(ask(&server, "elicitation/create", form("me")).await["error"]["data"]["kind"], "trap");
    assert_eq!(ask(&server, "roots/list", json!({})).await["result"]["roots"][0]["uri"], "file:///project");
    ask(&server, "sampling/createMessage", prompt("panic")).await;
    ask(&server, "tasks/list", json!({})).await;
    let row = |method: &str, name: Option<&str>, code: Option<i32>| (method.to_owned(), name.map(str::to_owned), code);
    let expected = [
        row("sampling/createMessage", Some("native"), None),
        row("elicitation/create", Some("composed"), Some(-32603)),
        row("roots/list", Some("native"), None),
        row("sampling/createMessage", Some("native"), Some(-32603)),
        row("tasks/list", None, Some(-32601)),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// A kind is taken once, whoever comes first.
#[tokio::test]
async fn a_kind_is_taken_once() {
    let component = Handlers::new([trapping(&["sampling"]).await]).unwrap();
    let twice = [(component, "composed"), (set([sampling()]), "native")];
    for (handlers, before) in twice {
        let error = handlers.clone().native(sampling()).unwrap_err();
        let LoadFault::DuplicateKind { kind, first } = &error.fault else { panic!("{error:?}") };
        assert_eq!((*kind, first.as_str(), error.handler.as_str()), (Kind::Sampling, before, "native"));
        assert!(error.to_string().starts_with(&format!("both {before} and native export `sampling`")), "{error}");
        assert!(handlers.native(roots()).is_ok());
    }
}

/// What an application asks before it keeps a request for itself.
#[tokio::test]
async fn a_session_knows_what_it_handles() {
    let request = |method: &str, params: Value| request(1, method, &params);
    let notification = |method: &str| json!({ "jsonrpc": "2.0", "method": method, "params": {} });
    // The message; whether it is for a closure of sampling; the same managed; the same where undeclared is processed.
    let table = [
        (request("sampling/createMessage", prompt("hi")), [true, true, true]),
        (request("sampling/createMessage", task_prompt("hi")), [false, true, true]),
        (request("elicitation/create", form("me")), [false; 3]),
        (request("elicitation/create", with(form("me"), "task", json!({}))), [false; 3]),
        (request("tasks/get", json!({ "taskId": "t" })), [false, true, false]),
        (request("tasks/list", json!({ "task": {} })), [false, true, false]),
        (request("roots/list", json!({})), [false; 3]),
        (request("ping", json!({})), [false; 3]),
        (request("custom/method", json!({})), [false; 3]),
        (notification("sampling/createMessage"), [false; 3]),
        (notification("notifications/cancelled"), [false; 3]),
        (json!({ "jsonrpc": "2.0", "id": 1, "result": {} }), [false; 3]),
    ];
    let mut process = options();
    process.undeclared = Undeclared::Process;
    let sessions = [
        Session::new(set([sampling()]), options()),
        Session::new(set([sampling()]).managed(), options()),
        Session::new(set([sampling()]), process),
    ];
    for (message, expected) in table {
        let text = message.to_string();
        let read = Message::read(text.as_bytes()).unwrap();
        let handled: Vec<_> = sessions.iter().map(|(session, _)| session.handles(&read)).collect();
        assert_eq!(handled, expected, "{message}");
        for ((session, _), handled) in sessions.iter().zip(expected) {
            // What is handled gets no default, and what is not gets nothing else. `ping` is the host's.
            if let Some(answer) = soon(session.answer(text.as_bytes())).await.unwrap() {
                let answer: Value = serde_json::from_slice(&answer).unwrap();
                let said = answer["error"]["message"].as_str().unwrap_or_default();
                let refused = said.contains("not supported") || said.starts_with("Method not found");
                assert_eq!(refused, !handled && message["method"] != "ping", "{message}: {answer}");
            }
        }
    }
}

// ---- Rules ----

/// What a closure gives is held against the same rules as what a component gives, plain or as the result of a task.
#[tokio::test]
async fn the_rules_are_those_of_a_component() {
    let invalid = Some("invalid_answer");
    // The root that is given; what comes of it.
    for (uri, kind) in [("file:///a", None), ("file:///a/../b", invalid), ("https://example.com/", invalid)] {
        let server = Server::new(set([NativeHandler::roots(move |_| async move { Ok(one_root(uri)) })]));
        let answer = ask(&server, "roots/list", json!({})).await;
        assert_eq!(answer["error"]["data"]["kind"].as_str(), kind, "{uri}: {answer}");
    }
    let server = Server::new(set(plain()).managed());
    // A request; its code; the kind of its error.
    let table = [
        ("elicitation/create", form("me"), None, None),
        ("elicitation/create", form(""), Some(-32603), invalid),
        ("sampling/createMessage", prompt("no json"), Some(-32603), invalid),
        ("sampling/createMessage", prompt("long"), Some(-32603), Some("answer_size")),
        ("sampling/createMessage", prompt("long error"), Some(-32603), Some("answer_size")),
    ];
    for (method, params, code, kind) in table {
        let plain = ask(&server, method, params.clone()).await;
        let made = ask(&server, method, with(params, "task", json!({}))).await;
        let result = ask(&server, "tasks/result", json!({ "taskId": made["result"]["task"]["taskId"] })).await;
        for answer in [plain, result] {
            let error = &answer["error"];
            assert_eq!((error["code"].as_i64(), error["data"]["kind"].as_str()), (code, kind), "{answer}");
        }
    }
}

/// A closure that does the work of its tasks itself cannot end one with what the request could not have had.
#[tokio::test]
async fn own_tasks_keep_the_rules() {
    let outputs = [
        (TaskOutput::Elicitation(accepted("me")), None),
        (TaskOutput::Elicitation(accepted("")), Some("invalid_answer")),
        (TaskOutput::Sampling(message("hi")), Some("invalid_answer")),
    ];
    for (output, kind) in outputs {
        let server = Server::new(set([NativeHandler::augmented_elicitation(move |context, metadata, _| {
            let outcome = Ok(output.clone());
            async move {
                let task = context.tasks.create(CreateOptions::new(metadata, context.origin)).await?;
                context.tasks.finish(&task.task_id, &outcome, Actor::default()).await?;
                Ok(CreateTaskResult { task, meta: None })
            }
        })]));
        let answer = ask(&server, "elicitation/create", with(form("m"), "task", json!({}))).await;
        assert_eq!(answer["error"]["data"]["kind"].as_str(), kind, "{answer}");
    }
}

/// What breaks a rule of requests does not reach a closure.
#[tokio::test]
async fn bad_requests_do_not_reach_a_closure() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (counting, also) = (Arc::clone(&calls), Arc::clone(&calls));
    let handlers = set([
        NativeHandler::elicitation(move |_, _| {
            counting.fetch_add(1, Ordering::Relaxed);
            async { Ok(accepted("me")) }
        }),
        NativeHandler::sampling(move |_, _| {
            also.fetch_add(1, Ordering::Relaxed);
            async { Ok(message("hi")) }
        }),
    ]);
    let mut features = Features::default();
    features.url = false;
    let server = Server::new(handlers.with_features(features));
    let tools = json!([{ "name": "t", "inputSchema": { "type": "object" } }]);
    for (method, params, code) in [
        ("elicitation/create", page(), Some(-32602)),
        ("elicitation/create", json!({}), Some(-32602)),
        ("sampling/createMessage", with(prompt("hi"), "tools", tools), Some(-32602)),
        ("sampling/createMessage", prompt(&"x".repeat(5 << 20)), Some(-32600)),
    ] {
        let answer = ask(&server, method, params).await;
        assert_eq!(answer["error"]["code"].as_i64(), code, "{method}: {answer}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    ask(&server, "elicitation/create", form("me")).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

// ---- What goes wrong ----

/// A closure that panics is an error of its own request, and of no other.
#[tokio::test]
async fn a_panic_ends_only_its_request() {
    let server = Server::new(set(plain()).managed());
    for said in ["panic", "panic at once"] {
        let plain = ask(&server, "sampling/createMessage", prompt(said)).await;
        let made = ask(&server, "sampling/createMessage", task_prompt(said)).await;
        let id = json!({ "taskId": made["result"]["task"]["taskId"] });
        let result = ask(&server, "tasks/result", id.clone()).await;
        for answer in [plain, result] {
            let error = &answer["error"];
            assert_eq!((&error["code"], &error["data"]), (&json!(-32603), &json!({ "kind": "panic" })), "{answer}");
            assert_eq!(error["message"], "The handler panicked", "what it said is not the peer's");
        }
        assert_eq!(ask(&server, "tasks/get", id).await["result"]["status"], "failed");
    }
    let said = ask(&server, "sampling/createMessage", prompt("hi")).await;
    assert_eq!(said["result"]["content"]["text"], "test asks: hi (1)");
}

/// A request that is cancelled, by the server or by dropping it, ends its closure; nothing is answered.
#[tokio::test]
async fn a_cancelled_request_drops_its_closure() {
    let (native, mut begun, mut dropped) = waiting();
    let mut server = Conversation::new(set([native]), options());
    server.send(&request(7, "sampling/createMessage", &prompt("hi")));
    soon(begun.recv()).await.unwrap().unwrap();
    assert!(dropped.try_recv().is_err());
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
    server.handle(&cancelled).await.unwrap();
    soon(dropped.recv()).await.unwrap().unwrap();

    let session = server.session();
    let message = request(8, "sampling/createMessage", &prompt("hi")).to_string();
    {
        let mut handling = pin!(session.handle(message.as_bytes()));
        assert!(start(handling.as_mut()).await.is_pending());
        soon(begun.recv()).await.unwrap().unwrap();
    }
    soon(dropped.recv()).await.unwrap().unwrap();
    drop(session);
    assert_eq!(server.end().await.unwrap(), Vec::<Value>::new());
}

/// Progress stops with the request, even where the closure gave its context away.
#[tokio::test]
async fn progress_ends_with_the_request() {
    let (send, mut contexts) = mpsc::unbounded_channel();
    let native = NativeHandler::roots(move |context| {
        let send = send.clone();
        async move {
            context.report(1.0, None, None);
            send.send(context).unwrap();
            Ok(one_root("file:///a"))
        }
    });
    let mut server = Conversation::new(set([native]), options());
    server.ask("roots/list", &json!({ "_meta": { "progressToken": "t" } })).await.unwrap();
    contexts.recv().await.unwrap().report(2.0, None, None);
    let all = server.end().await.unwrap();
    let progress: Vec<_> = all.iter().filter(|message| message["method"] == "notifications/progress").collect();
    assert_eq!(progress.len(), 1, "{all:?}");
    assert_eq!(progress[0]["params"]["progress"], 1.0);
}

// ---- Tasks of plain closures ----

/// A managed task whose work is a closure: told of in order, with its progress, its result as the plain one.
#[tokio::test]
async fn the_work_of_a_managed_task() {
    let mut server = Conversation::new(set(plain()).managed(), options());
    let params = with(task_prompt("hi"), "_meta", json!({ "progressToken": 3 }));
    let made = server.ask("sampling/createMessage", &params).await.unwrap();
    let id = json!({ "taskId": made["result"]["task"]["taskId"] });
    assert_eq!(made["result"]["task"]["status"], "working");
    let result = server.ask("tasks/result", &id).await.unwrap();
    assert_eq!(result["result"]["content"]["text"], "test asks: hi (1)");
    assert_eq!(result["result"]["_meta"][RELATED], id);
    let list = server.ask("tasks/list", &json!({})).await.unwrap();
    assert_eq!(list["result"]["tasks"][0]["taskId"], id["taskId"]);

    let refused = server.ask("sampling/createMessage", &task_prompt("refuse")).await.unwrap();
    let refused = json!({ "taskId": refused["result"]["task"]["taskId"] });
    let result = server.ask("tasks/result", &refused).await.unwrap();
    assert_eq!(result["error"], json!({ "code": -1, "message": "No", "data": [1] }));

    let all = server.end().await.unwrap();
    let place = |wanted: &dyn Fn(&Value) -> bool| all.iter().position(wanted).expect("it is told");
    let created = place(&|message| *message == made);
    let progress = place(&|message| message["params"]["progressToken"] == 3);
    let done = place(&|message| message["params"]["status"] == "completed");
    assert!(created < progress && progress < done, "{all:?}");
    assert_eq!(all[progress]["params"]["_meta"][RELATED], id);
}

/// `tasks/cancel`, and the end of the session, drop the closure that does the work.
#[tokio::test]
async fn cancelled_work_drops_its_closure() {
    let (native, mut begun, mut dropped) = waiting();
    let mut server = Conversation::new(set([native]).managed(), options());
    for by_session in [false, true] {
        let task = server.create("hi").await.unwrap();
        soon(begun.recv()).await.unwrap().unwrap();
        if by_session {
            server.end().await.unwrap();
            soon(dropped.recv()).await.unwrap().unwrap();
            return;
        }
        let answer = server.ask_task("tasks/cancel", &task).await.unwrap();
        assert_eq!(answer["result"]["status"], "cancelled");
        dropped.try_recv().expect("it is dropped before the answer");
    }
}

/// The audit log names a closure as `native`, for a kind of its own and for managed work.
#[tokio::test]
async fn the_audit_log_names_it() {
    let lists = || NativeHandler::list_tasks(|context, _| async move { Ok(context.tasks.list(None).await?) });
    let log = Written::default();
    let mut options = options();
    options.audit = Some(Arc::new(AuditLog::new(log.clone(), false)));
    let server = Server::with(set([sampling(), lists()]).managed(), options);
    ask(&server, "tasks/list", json!({})).await;
    let made = ask(&server, "sampling/createMessage", task_prompt("hi")).await;
    ask(&server, "tasks/result", json!({ "taskId": made["result"]["task"]["taskId"] })).await;
    let lines = log.lines().unwrap();
    let named = |event: &str, method: Option<&str>| {
        let line = lines.iter().find(|line| line["event"] == event && line["method"].as_str() == method);
        line.unwrap_or_else(|| panic!("no {event} {method:?}: {lines:?}"))["handler"].clone()
    };
    assert_eq!(named("request", Some("tasks/list")), "native");
    assert_eq!(named("created", None), "native");
    assert_eq!(named("changed", None), "native");
    assert_eq!(named("request", Some("tasks/result")), Value::Null, "the host answers");
}

/// A server of an older revision gets what its revision has: a text instead of several, or an error that names the
/// revision.
#[tokio::test]
async fn an_answer_has_the_form_of_the_negotiated_revision() {
    let pieces = || {
        let SamplingContent::Text(text) = message("one").content.remove(0) else { panic!("no text") };
        [text.clone(), TextContent { text: "two".to_owned(), ..text }].map(SamplingContent::Text)
    };
    let answering = |content: Vec<SamplingContent>| {
        let sampling = NativeHandler::sampling(move |_, _| {
            let content = content.clone();
            async move { Ok(CreateMessageResult { content, ..message("") }) }
        });
        Handlers::default().native(sampling).unwrap()
    };
    let ask = async |revision: &str, content: Vec<SamplingContent>| {
        let mut options = options();
        options.protocol_version = revision.to_owned();
        Server::with(answering(content), options).request("sampling/createMessage", &prompt("p")).await.unwrap()
    };
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18"] {
        let answer = ask(revision, pieces().to_vec()).await;
        assert_eq!(answer["result"]["content"], json!({ "type": "text", "text": "one\ntwo" }), "{revision}");
        let answer = ask(revision, Vec::new()).await;
        assert_eq!(answer["error"]["data"]["kind"], "invalid_answer", "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(revision), "{answer}");
    }
    for revision in ["2025-11-25", "2026-07-28"] {
        let answer = ask(revision, pieces().to_vec()).await;
        assert_eq!(answer["result"]["content"].as_array().map(Vec::len), Some(2), "{revision}: {answer}");
    }
}
