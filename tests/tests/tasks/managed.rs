//! Managed mode: a component that only knows plain requests, and all that the host supplies around it.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use serde_json::{Value, json};
use taskcell::handlers::Responder;
use taskcell::kinds::{KINDS, Kind};
use taskcell::tasks::{MemoryStore, PrincipalFilter, TaskStore};
use taskcell::{Engine, Grants, Handler, Handlers, Limits, Session, SessionOptions};
use taskcell_test_support::compose::component;
use taskcell_test_support::conversation::{Conversation, prompt, request, soon, start, task_prompt};
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::handlers::{STOCK, cells, engine};
use taskcell_test_support::server::options;

const HOUR: u64 = 3_600_000;
const RELATED: &str = "io.modelcontextprotocol/related-task";

async fn load(engine: &Engine, name: &str, bytes: Vec<u8>, script: &Value) -> Handler {
    let mut grants = Grants::default();
    grants.tasks = true;
    grants.progress = true;
    grants.config = Some([("script".to_owned(), script.to_string())].into_iter().collect());
    Handler::from_bytes(engine, name, bytes, grants).await.unwrap()
}

/// The guest of plain kinds, with a script.
async fn plain_in(engine: &Engine, script: &Value) -> Handler {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/plain_kinds");
    let bytes = std::fs::read(build_guest(&folder).unwrap()).unwrap();
    load(engine, "plain", bytes, script).await
}

fn few() -> Limits {
    cells(16)
}

/// The guest of plain kinds, managed.
async fn managed(script: &Value) -> Handlers {
    Handlers::new([plain_in(&engine(few()).unwrap(), script).await]).unwrap().managed()
}

fn form(message: &str) -> Value {
    let name = json!({ "type": "string", "minLength": 1 });
    json!({ "message": message, "requestedSchema": { "type": "object", "properties": { "name": name }, "required": ["name"] } })
}

fn page(message: &str) -> Value {
    json!({ "mode": "url", "message": message, "url": "https://example.com/", "elicitationId": "1" })
}

fn with(mut params: Value, member: &str, value: Value) -> Value {
    params[member] = value;
    params
}

fn sharing(store: &Arc<MemoryStore>, principal: &str) -> SessionOptions {
    let mut options = options();
    options.store = Arc::clone(store) as Arc<dyn TaskStore>;
    options.principal = principal.to_owned();
    options
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

/// What a session answers to a request.
async fn ask(session: &Session, id: u32, method: &str, params: &Value) -> Value {
    let message = request(id, method, params).to_string();
    serde_json::from_slice(&soon(session.answer(message.as_bytes())).await.unwrap().unwrap()).unwrap()
}

/// Makes a task and gives it.
async fn make(server: &mut Conversation, method: &str, params: Value) -> Value {
    let answer = server.ask(method, &with(params, "task", json!({}))).await.unwrap();
    let task = answer["result"]["task"].clone();
    assert!(task["taskId"].is_string(), "no task: {answer}");
    task
}

async fn get(server: &mut Conversation, task: &Value) -> Value {
    server.ask("tasks/get", &json!({ "taskId": task["taskId"] })).await.unwrap()["result"].clone()
}

// ---- Who serves what ----

/// What a component exports, what the host says of it, as it is and managed.
#[tokio::test]
async fn what_is_served_and_declared() {
    const GET: [&str; 4] = ["get-task", "get-task-result", "list-tasks", "cancel-task"];
    let modes = json!({ "form": {}, "url": {} });
    let sampling = json!({ "createMessage": {} });
    let elicitation = json!({ "create": {} });
    let tasks = |requests: Value| json!({ "list": {}, "cancel": {}, "requests": requests });
    let (s, e) = (json!({ "sampling": sampling }), json!({ "elicitation": elicitation }));
    let both = json!({ "sampling": sampling, "elicitation": elicitation });
    // Exports; what is declared by them; the tasks declared besides when they are managed; the augmented kinds.
    let table = [
        (vec![], json!({}), None, vec![]),
        (vec!["roots"], json!({ "roots": {} }), None, vec![]),
        (vec!["sampling"], json!({ "sampling": {} }), Some(&s), vec!["augmented-sampling"]),
        (vec!["sampling", "roots"], json!({ "sampling": {}, "roots": {} }), Some(&s), vec!["augmented-sampling"]),
        (vec!["elicitation"], json!({ "elicitation": modes }), Some(&e), vec!["augmented-elicitation"]),
        (
            vec!["elicitation", "roots"],
            json!({ "elicitation": modes, "roots": {} }),
            Some(&e),
            vec!["augmented-elicitation"],
        ),
        (
            vec!["sampling", "elicitation"],
            json!({ "sampling": {}, "elicitation": modes }),
            Some(&both),
            vec!["augmented-sampling", "augmented-elicitation"],
        ),
        (
            vec!["sampling", "elicitation", "roots"],
            json!({ "sampling": {}, "elicitation": modes, "roots": {} }),
            Some(&both),
            vec!["augmented-sampling", "augmented-elicitation"],
        ),
    ];
    let engine = engine(few()).unwrap();
    for (exports, declared, requests, augmented) in table {
        let bytes = component(&exports, &[]).unwrap();
        let handlers =
            || async { Handlers::new([load(&engine, "composed", bytes.clone(), &json!({})).await]).unwrap() };
        let own = handlers().await;
        let supplied: Vec<_> = if requests.is_some() { GET.iter().copied().chain(augmented).collect() } else { vec![] };
        let all = match requests {
            Some(requests) => with(declared.clone(), "tasks", tasks(requests.clone())),
            None => declared.clone(),
        };
        serves(&own, &exports, &[], &declared);
        serves(&own.managed(), &exports, &supplied, &all);
    }
}

/// Checks who serves each of the nine kinds, and what is declared.
fn serves(handlers: &Handlers, own: &[&str], managed: &[&str], declared: &Value) {
    for row in &KINDS {
        let served = match handlers.responder(row.kind) {
            Responder::Handler(_) => "own",
            Responder::Managed => "managed",
            _ => "default",
        };
        let expected = match row.export {
            export if own.contains(&export) => "own",
            export if managed.contains(&export) => "managed",
            _ => "default",
        };
        assert_eq!(served, expected, "{} of {own:?} with {managed:?}", row.export);
    }
    let kinds: Vec<_> = handlers.kinds().map(|kind| kind.info().export).collect();
    let expected = KINDS.iter().map(|row| row.export).filter(|export| own.contains(export) || managed.contains(export));
    assert_eq!(kinds, expected.collect::<Vec<_>>());
    assert_eq!(handlers.capabilities(), *declared, "{own:?} with {managed:?}");
}

/// A component that takes all kinds itself is the same, managed or not.
#[tokio::test]
async fn what_is_exported_stays_the_handlers_own() {
    let script = json!({ "delayMs": 0, "pollIntervalMs": 7 });
    let engine = engine(few()).unwrap();
    let stock = || async { Handlers::new([load(&engine, "stock", STOCK.to_vec(), &script).await]).unwrap() };
    let (own, managed) = (stock().await, stock().await.managed());
    assert_eq!(own.capabilities(), managed.capabilities());
    for row in &KINDS {
        assert!(matches!(managed.responder(row.kind), Responder::Handler(_)), "{}", row.export);
    }
    let mut told = Vec::new();
    for handlers in [own, managed] {
        let mut server = Conversation::new(handlers, options());
        let task = make(&mut server, "sampling/createMessage", prompt("hi")).await;
        assert_eq!(task["pollInterval"], 7, "the handler's own");
        let result = server.ask("tasks/result", &json!({ "taskId": task["taskId"] })).await.unwrap();
        let statuses: Vec<_> = server
            .end()
            .await
            .unwrap()
            .iter()
            .filter(|message| message["method"] == "notifications/tasks/status")
            .map(|message| message["params"]["status"].clone())
            .collect();
        told.push((text(&result).to_owned(), statuses));
    }
    assert_eq!(told[0], told[1]);
}

/// One component makes sampling tasks itself (and fails at it), another only elicits: each keeps its own.
#[tokio::test]
async fn own_and_managed_stand_side_by_side() {
    let engine = engine(few()).unwrap();
    let own = load(&engine, "own", component(&["augmented-sampling", "get-task"], &[]).unwrap(), &json!({})).await;
    let handlers = Handlers::new([own, plain_in(&engine, &json!({ "delayMs": 0 })).await]).unwrap().managed();
    let tasks = json!({
        "list": {},
        "cancel": {},
        "requests": { "sampling": { "createMessage": {} }, "elicitation": { "create": {} } },
    });
    serves(
        &handlers,
        &["augmented-sampling", "get-task", "sampling", "elicitation"],
        &["get-task-result", "list-tasks", "cancel-task", "augmented-elicitation"],
        &json!({ "sampling": {}, "elicitation": { "form": {}, "url": {} }, "tasks": tasks }),
    );
    let mut server = Conversation::new(handlers, options());
    let trap = json!({ "kind": "trap" });
    let refused = server.ask("sampling/createMessage", &task_prompt("hi")).await.unwrap();
    assert_eq!(refused["error"]["data"], trap);
    assert_eq!(text(&server.ask("sampling/createMessage", &prompt("hi")).await.unwrap()), "Scripted answer to: hi");
    let task = make(&mut server, "elicitation/create", form("?")).await;
    let id = json!({ "taskId": task["taskId"] });
    assert_eq!(server.ask("tasks/get", &id).await.unwrap()["error"]["data"], trap);
    assert_eq!(server.ask("tasks/result", &id).await.unwrap()["result"]["action"], "accept");
    assert_eq!(server.ask("tasks/list", &json!({})).await.unwrap()["result"]["tasks"][0]["status"], "completed");
}

// ---- A task's life ----

#[tokio::test]
async fn a_task_is_made_listed_and_cancelled() {
    let mut server = Conversation::new(managed(&json!({ "delayMs": HOUR })).await, options());
    assert_eq!(server.ask("tasks/list", &json!({})).await.unwrap()["result"], json!({ "tasks": [] }));
    let asked = with(prompt("hi"), "task", json!({ "ttl": 60_000 }));
    let answer = server.ask("sampling/createMessage", &asked).await.unwrap();
    let task = &answer["result"]["task"];
    assert_eq!(answer["result"].as_object().unwrap().len(), 1, "{answer}");
    assert_eq!((&task["status"], &task["ttl"]), (&json!("working"), &json!(60_000)));
    assert_eq!(task["createdAt"], task["lastUpdatedAt"]);
    assert_eq!(task["pollInterval"], 500);
    let other = make(&mut server, "elicitation/create", form("?")).await;
    assert_eq!(other["ttl"], HOUR);
    assert_eq!(get(&mut server, task).await, *task);
    let list = server.ask("tasks/list", &json!({})).await.unwrap();
    assert_eq!(list["result"], json!({ "tasks": [task, other] }));

    let id = json!({ "taskId": task["taskId"] });
    let message = request("waits", "tasks/result", &id).to_string();
    let session = server.session();
    let mut waits = Box::pin(session.handle(message.as_bytes()));
    assert!(start(waits.as_mut()).await.is_pending());
    let cancelled = server.ask("tasks/cancel", &id).await.unwrap();
    assert_eq!(
        (&cancelled["result"]["status"], &cancelled["result"]["taskId"]),
        (&json!("cancelled"), &task["taskId"])
    );
    soon(waits).await.unwrap();
    drop(session);
    let error = json!({ "code": -32603, "message": "Task was cancelled" });
    assert_eq!(server.answer("waits").await.unwrap()["error"], error);
    let again = server.ask("tasks/cancel", &id).await.unwrap();
    let message = "Cannot cancel task: already in terminal status 'cancelled'";
    assert_eq!(again["error"], json!({ "code": -32602, "message": message }));
    assert_eq!(get(&mut server, task).await, cancelled["result"]);
    assert_eq!(get(&mut server, &other).await["status"], "working");
    let told = server.end().await.unwrap();
    let told: Vec<_> = told.iter().filter(|message| message["method"] == "notifications/tasks/status").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["params"], cancelled["result"]);
}

/// A task's result is the plain request's, and so is its error; both name the task where they can.
#[tokio::test]
async fn a_task_gives_what_the_plain_request_gives() {
    let script = json!({
        "delayMs": 0,
        "model": "m",
        "sampling": [
            { "match": "no", "error": { "code": -1, "message": "User\n\"refused\"" } },
            { "match": "say", "answer": "It is {prompt}, for the {attempt}. time" },
        ],
        "elicitation": [
            { "match": "no", "error": { "code": -7, "message": "Not now" } },
            { "match": "fill", "content": { "name": "Ann" } },
            { "match": "decline", "action": "decline" },
            { "match": "cancel", "action": "cancel" },
        ],
    });
    let table = [
        ("sampling/createMessage", prompt("hi"), "completed"),
        ("sampling/createMessage", prompt("say"), "completed"),
        ("sampling/createMessage", prompt("no"), "failed"),
        ("elicitation/create", form("?"), "completed"),
        ("elicitation/create", form("fill"), "completed"),
        ("elicitation/create", form("decline"), "completed"),
        ("elicitation/create", form("cancel"), "completed"),
        ("elicitation/create", form("no"), "failed"),
        ("elicitation/create", page("?"), "completed"),
        ("elicitation/create", page("decline"), "completed"),
    ];
    let mut server = Conversation::new(managed(&script).await, options());
    for (method, params, status) in table {
        let plain = server.ask(method, &params).await.unwrap();
        let task = make(&mut server, method, params).await;
        let id = json!({ "taskId": task["taskId"] });
        for _ in 0..2 {
            let mut result = server.ask("tasks/result", &id).await.unwrap();
            if let Some(result) = result.get_mut("result") {
                let meta = result.as_object_mut().unwrap().remove("_meta");
                assert_eq!(meta, Some(json!({ RELATED: id })));
            }
            assert_eq!((result.get("result"), result.get("error")), (plain.get("result"), plain.get("error")));
        }
        let ended = get(&mut server, &task).await;
        assert_eq!((&ended["status"], ended.get("statusMessage")), (&json!(status), plain["error"].get("message")));
    }
}

/// A handler that fails fails its task as it fails the request.
#[tokio::test]
async fn a_task_fails_as_the_plain_request_does() {
    let engine = engine(few()).unwrap();
    let bytes = component(&["sampling", "elicitation"], &[]).unwrap();
    let handlers = Handlers::new([load(&engine, "composed", bytes, &json!({})).await]).unwrap().managed();
    let mut server = Conversation::new(handlers, options());
    for (method, params) in [("sampling/createMessage", prompt("hi")), ("elicitation/create", form("?"))] {
        let plain = server.ask(method, &params).await.unwrap();
        assert_eq!(plain["error"]["data"], json!({ "kind": "trap" }));
        let task = make(&mut server, method, params).await;
        let result = server.ask("tasks/result", &json!({ "taskId": task["taskId"] })).await.unwrap();
        assert_eq!(result["error"], plain["error"]);
    }
}

#[tokio::test]
async fn a_list_has_pages() {
    let mut options = options();
    options.tasks.page = 2;
    let mut server = Conversation::new(managed(&json!({ "delayMs": HOUR })).await, options);
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(make(&mut server, "sampling/createMessage", prompt("hi")).await);
    }
    let (mut listed, mut params) = (Vec::new(), json!({}));
    loop {
        let page = server.ask("tasks/list", &params).await.unwrap()["result"].clone();
        listed.extend(page["tasks"].as_array().unwrap().clone());
        let Some(cursor) = page.get("nextCursor") else { break };
        params = json!({ "cursor": cursor });
    }
    assert_eq!(listed, made);
    let refused = server.ask("tasks/list", &json!({ "cursor": "x" })).await.unwrap();
    assert_eq!(refused["error"], json!({ "code": -32602, "message": "Invalid cursor" }));
}

/// Another principal's tasks are as unknown as those that never were.
#[tokio::test]
async fn tasks_belong_to_their_principal() {
    let store = Arc::new(MemoryStore::new());
    let handlers = managed(&json!({ "delayMs": HOUR })).await;
    let mut mine = Conversation::new(handlers.clone(), sharing(&store, "me"));
    let mut yours = Conversation::new(handlers, sharing(&store, "you"));
    let task = make(&mut mine, "sampling/createMessage", prompt("hi")).await;
    let unknown = json!({ "taskId": "00000000-0000-4000-8000-000000000000" });
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        let foreign = yours.ask(method, &json!({ "taskId": task["taskId"] })).await.unwrap();
        let unknown = yours.ask(method, &unknown).await.unwrap();
        assert_eq!(foreign["error"], unknown["error"]);
        assert_eq!(foreign["error"]["code"], -32602);
    }
    assert_eq!(yours.ask("tasks/list", &json!({})).await.unwrap()["result"], json!({ "tasks": [] }));
    assert_eq!(get(&mut mine, &task).await, task);
}

// ---- Progress ----

/// Progress of the plain handler is the task's: it goes out after the answer that named the task, under the request's
/// token, names the task, and ends with it.
#[tokio::test(flavor = "multi_thread")]
async fn progress_is_the_tasks() {
    let mut server = Conversation::new(managed(&json!({ "delayMs": 20 })).await, options());
    for token in [json!(0), json!("t")] {
        for (method, params) in [("sampling/createMessage", prompt("hi")), ("elicitation/create", form("?"))] {
            let params = with(params, "_meta", json!({ "progressToken": token }));
            let before = server.seen().len();
            let task = make(&mut server, method, params).await;
            server.ask("tasks/result", &json!({ "taskId": task["taskId"] })).await.unwrap();
            let seen = &server.seen()[before..];
            let place = |what: &dyn Fn(&Value) -> bool| seen.iter().position(what).unwrap();
            let named = place(&|message| message["result"]["task"]["taskId"] == task["taskId"]);
            let ended = place(&|message| message["params"]["status"] == "completed");
            let progress: Vec<_> =
                seen.iter().enumerate().filter(|(_, m)| m["method"] == "notifications/progress").collect();
            let told: Vec<_> =
                progress.iter().map(|(_, message)| message["params"]["progress"].as_f64().unwrap()).collect();
            assert_eq!(told, [1.0, 2.0], "{seen:?}");
            for (place, message) in progress {
                assert!(named < place && place < ended, "{seen:?}");
                assert_eq!(message["params"]["progressToken"], token);
                assert_eq!(message["params"]["_meta"], json!({ RELATED: { "taskId": task["taskId"] } }));
            }
        }
    }
}

/// A plain request's progress names no task.
#[tokio::test]
async fn progress_of_a_plain_request_names_no_task() {
    let mut server = Conversation::new(managed(&json!({ "delayMs": 0 })).await, options());
    server.ask("sampling/createMessage", &with(prompt("hi"), "_meta", json!({ "progressToken": 1 }))).await.unwrap();
    let all = server.end().await.unwrap();
    let progress: Vec<_> = all.iter().filter(|message| message["method"] == "notifications/progress").collect();
    assert_eq!(progress.len(), 2);
    assert!(progress.iter().all(|message| message["params"].get("_meta").is_none()), "{progress:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_ends_with_a_cancelled_task() {
    let mut server = Conversation::new(managed(&json!({ "delayMs": 50 })).await, options());
    let params = with(prompt("hi"), "_meta", json!({ "progressToken": 1 }));
    let task = make(&mut server, "sampling/createMessage", params).await;
    while !server.seen().iter().any(|message| message["method"] == "notifications/progress") {
        server.next().await.unwrap();
    }
    server.ask("tasks/cancel", &json!({ "taskId": task["taskId"] })).await.unwrap();
    // Others take as long as it would have taken.
    let other = make(&mut server, "sampling/createMessage", prompt("hi")).await;
    server.ask("tasks/result", &json!({ "taskId": other["taskId"] })).await.unwrap();
    let all = server.end().await.unwrap();
    let progress: Vec<_> = all.iter().filter(|message| message["method"] == "notifications/progress").collect();
    assert_eq!(progress.len(), 1, "{progress:?}");
}

// ---- What a stopped host left ----

/// How a session ends.
#[derive(Debug, Clone, Copy)]
enum Ends {
    Dropped,
    Closed,
}

/// The host stops in the middle of the work. The next one of the same principal does it, and says so to the guest.
#[tokio::test(flavor = "multi_thread")]
async fn work_of_a_stopped_host_is_done_by_the_next() {
    let say = json!([{ "match": "", "answer": "{prompt}: {attempt}" }]);
    let slow = managed(&json!({ "sampling": say, "delayMs": HOUR })).await;
    let fast = managed(&json!({ "sampling": say, "delayMs": 0 })).await;
    for ends in [Ends::Dropped, Ends::Closed] {
        let store = Arc::new(MemoryStore::new());
        let (session, mut outbox) = Session::new(slow.clone(), sharing(&store, "me"));
        let params = with(task_prompt("begun"), "_meta", json!({ "progressToken": 1 }));
        let created = ask(&session, 1, "sampling/createMessage", &params).await;
        let sampled = created["result"]["task"]["taskId"].clone();
        // It has told of its begin.
        soon(outbox.recv()).await.unwrap().unwrap();
        let form = with(form("?"), "task", json!({}));
        let created = ask(&session, 2, "elicitation/create", &form).await;
        let elicited = created["result"]["task"]["taskId"].clone();
        match ends {
            Ends::Dropped => drop(session),
            Ends::Closed => soon(session.close()).await.unwrap(),
        }
        // Somebody else does not.
        let mut yours = Conversation::new(fast.clone(), sharing(&store, "you"));
        yours.ask("tasks/list", &json!({})).await.unwrap();

        let mut next = Conversation::new(fast.clone(), sharing(&store, "me"));
        let result = next.ask("tasks/result", &json!({ "taskId": sampled })).await.unwrap();
        assert_eq!(text(&result), "begun: 2", "{ends:?}");
        let result = next.ask("tasks/result", &json!({ "taskId": elicited })).await.unwrap();
        assert_eq!(result["result"]["action"], "accept", "{ends:?}");
        let list = next.ask("tasks/list", &json!({})).await.unwrap()["result"]["tasks"].clone();
        let list: Vec<_> =
            list.as_array().unwrap().iter().map(|task| json!([task["taskId"], task["status"]])).collect();
        assert_eq!(list, [sampled, elicited].map(|task| json!([task, "completed"])));
        // The token was of another conversation.
        let all = next.end().await.unwrap();
        assert!(all.iter().all(|message| message["method"] != "notifications/progress"), "{all:?}");
    }
}

/// Work that the next host has no handler for fails, rather than staying for ever.
#[tokio::test]
async fn work_without_a_handler_fails() {
    let store = Arc::new(MemoryStore::new());
    let first = managed(&json!({ "delayMs": HOUR })).await;
    let (session, _outbox) = Session::new(first, sharing(&store, "me"));
    let made = ask(&session, 1, "sampling/createMessage", &task_prompt("hi")).await;
    drop(session);
    let bytes = component(&["elicitation"], &[]).unwrap();
    let next = Handlers::new([load(&engine(few()).unwrap(), "next", bytes, &json!({})).await]).unwrap().managed();
    assert!(matches!(next.responder(Kind::GetTaskResult), Responder::Managed));
    let mut next = Conversation::new(next, sharing(&store, "me"));
    let id = json!({ "taskId": made["result"]["task"]["taskId"] });
    let result = next.ask("tasks/result", &id).await.unwrap();
    assert_eq!(result["error"]["data"], json!({ "kind": "no_handler" }));
}

/// A request that goes away while its answer waits for the transport: nobody knows of its task, so the task ends.
#[tokio::test]
async fn a_task_whose_answer_never_went_out_ends() {
    let store = Arc::new(MemoryStore::new());
    let handlers = managed(&json!({ "delayMs": HOUR })).await;
    let (session, mut outbox) = Session::new(handlers, sharing(&store, "me"));
    let ping = request(0, "ping", &json!({})).to_string();
    while start(pin!(tokio::task::unconstrained(session.handle(ping.as_bytes())))).await.is_ready() {}
    let message = request(1, "sampling/createMessage", &task_prompt("hi")).to_string();
    {
        let mut creates = pin!(session.handle(message.as_bytes()));
        while store.list(PrincipalFilter::Anyone, None, 2).await.unwrap().is_empty() {
            assert!(start(creates.as_mut()).await.is_pending());
        }
        assert!(start(creates.as_mut()).await.is_pending());
    }
    soon(async {
        while !store.list(PrincipalFilter::Anyone, None, 2).await.unwrap()[0].status.is_final() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    // Nor is it told of.
    while let Ok(message) = outbox.try_recv() {
        assert_eq!(serde_json::from_slice::<Value>(&message).unwrap()["id"], 0);
    }
}
