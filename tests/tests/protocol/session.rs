//! One conversation: requests side by side, the order of what comes out, cancellation, and the life of tasks.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use taskcell::protocol::types::{CreateMessageResult, Role, SamplingContent, TaskStatus, TextContent};
use taskcell::session::{Event, Undeclared};
use taskcell::tasks::{MemoryStore, PrincipalFilter, TaskStore};
use taskcell::{Handlers, NativeHandler, Outbox, Session, SessionOptions};
use taskcell_test_support::conversation::{Conversation, prompt, request, soon, start, task_prompt};
use taskcell_test_support::handlers::{cells, guest, stock};
use taskcell_test_support::server::options;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const RELATED: &str = "/result/_meta/io.modelcontextprotocol~1related-task/taskId";
const HOUR: u64 = 3_600_000;

/// The stock handler, whose tasks take so long.
async fn taking(milliseconds: u64) -> Handlers {
    stock(cells(128), &json!({ "delayMs": milliseconds })).await.unwrap()
}

async fn hostile(most_cells: u32) -> Handlers {
    guest(cells(most_cells), "tests/guests/hostile").await.unwrap()
}

fn bytes(id: impl Into<Value>, method: &str, params: &Value) -> Vec<u8> {
    request(id, method, params).to_string().into_bytes()
}

fn cancellation(id: &Value) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
        .to_string()
        .into_bytes()
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

/// What a session answers to a message.
async fn answer(session: &Session, message: &[u8]) -> Value {
    serde_json::from_slice(&soon(session.answer(message)).await.unwrap().expect("no answer")).unwrap()
}

/// Makes a task of a prompt and gives its id.
async fn create(session: &Session, text: &str) -> String {
    let answer = answer(session, &bytes(1, "sampling/createMessage", &task_prompt(text))).await;
    answer["result"]["task"]["taskId"].as_str().unwrap_or_else(|| panic!("no task: {answer}")).to_owned()
}

/// Waits until the work of a task of the hostile guest has begun.
async fn begun(outbox: &mut Outbox) {
    while !String::from_utf8(soon(outbox.recv()).await.unwrap().unwrap()).unwrap().contains("begun") {}
}

/// Whether there is no place for one more cell.
async fn is_full(session: &Session) -> bool {
    let answer = answer(session, &bytes("one more", "sampling/createMessage", &prompt("good"))).await;
    let kind = answer["error"]["data"]["kind"].as_str();
    assert!(kind.is_none_or(|kind| kind == "overloaded"), "{answer}");
    kind.is_some()
}

/// Waits until there is a place for one more cell.
async fn until_not_full(session: &Session) {
    soon(async {
        while is_full(session).await {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
}

/// The notifications of a method among these messages, each with its place.
fn notifications<'a>(messages: &'a [Value], method: &str) -> Vec<(usize, &'a Value)> {
    let all = messages.iter().enumerate();
    all.filter(|(_, message)| message["method"] == method).map(|(place, message)| (place, &message["params"])).collect()
}

// ---- Side by side ----

/// A `tasks/result` that waits holds up nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_request_holds_up_no_other() {
    let mut server = Conversation::new(taking(HOUR).await, options());
    let task = server.create("slow").await.unwrap();
    let session = server.session();
    let message = bytes("waits", "tasks/result", &json!({ "taskId": task }));
    let mut waits = pin!(session.handle(&message));
    assert!(start(waits.as_mut()).await.is_pending());

    assert_eq!(server.ask_task("tasks/get", &task).await.unwrap()["result"]["status"], "working");
    let said = server.ask("sampling/createMessage", &prompt("hi")).await.unwrap();
    assert_eq!(text(&said), "Scripted answer to: hi");
    assert!(start(waits.as_mut()).await.is_pending());
    assert_eq!(server.ask_task("tasks/cancel", &task).await.unwrap()["result"]["status"], "cancelled");

    soon(waits).await.unwrap();
    let last = server.answer("waits").await.unwrap();
    assert_eq!(last["error"]["message"], "Task was cancelled");
    assert_eq!(server.seen().last(), Some(&last));
}

/// Everybody who waits for a result gets it.
#[tokio::test(flavor = "multi_thread")]
async fn many_wait_and_all_are_answered() {
    const TASKS: usize = 20;
    const WAITING: usize = 200;
    let handlers = stock(cells(256), &json!({ "delayMs": 100 })).await.unwrap();
    let mut server = Conversation::new(handlers, options());
    let mut tasks = Vec::new();
    for number in 0..TASKS {
        tasks.push(server.create(&format!("task {number}")).await.unwrap());
    }
    for id in 0..WAITING {
        server.send(&request(id, "tasks/result", &json!({ "taskId": tasks[id % TASKS] })));
    }
    for id in 0..WAITING {
        let answer = server.answer(id).await.unwrap();
        assert_eq!(answer.pointer(RELATED), Some(&json!(tasks[id % TASKS])), "{answer}");
        assert_eq!(text(&answer), format!("Scripted answer to: task {}", id % TASKS));
    }
}

/// Answers from cells carry the request's id as it was written.
#[tokio::test]
async fn ids_are_echoed_as_written() {
    let script = json!({ "sampling": [{ "match": "no", "error": {} }] });
    let (session, _outbox) = Session::new(stock(cells(4), &script).await.unwrap(), options());
    for id in ["0", "-1", "1e3", "1.50", "9007199254740993", "123456789012345678901234567890", "\"a\"", "\"0\"", "\"\""]
    {
        for (said, then) in [("yes", "result"), ("no", "error")] {
            let params = prompt(said);
            let request =
                format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"sampling/createMessage","params":{params}}}"#);
            let answer = String::from_utf8(session.answer(request.as_bytes()).await.unwrap()).unwrap();
            let begin = format!(r#"{{"jsonrpc":"2.0","id":{id},"{then}":"#);
            assert!(answer.starts_with(&begin), "{id}: {answer}");
        }
    }
}

/// A guest sees the request's id, token, `_meta` and server as they came, and its own `_meta` goes out as it wrote it.
#[tokio::test]
async fn the_context_reaches_the_guest() {
    let (session, _outbox) = Session::new(hostile(4).await, options());
    let meta = r#"{ "progressToken":0,"z":1.50, "a":[123456789012345678901234567890,"\u00e9"]}"#;
    let params = prompt("context").to_string().replacen('{', &format!(r#"{{"_meta":{meta},"#), 1);
    let message = format!(r#"{{"jsonrpc":"2.0","id":"7","method":"sampling/createMessage","params":{params}}}"#);
    let answer = String::from_utf8(session.answer(message.as_bytes()).await.unwrap()).unwrap();
    assert!(answer.contains(&format!(r#""_meta":{meta}"#)), "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(text(&answer), "\"7\" 0 test 1 2025-11-25 1");
}

/// An error that a handler returns goes out word for word, at once or as the result of a task.
#[tokio::test]
async fn errors_of_the_handler_go_out_word_for_word() {
    let script = json!({ "delayMs": 0, "sampling": [{ "match": "no", "error": { "code": -1, "message": "User\n\"refused\"" } }] });
    let scripted = json!({ "code": -1, "message": "User\n\"refused\"" });
    let written = json!({ "code": -7, "message": "I would rather not", "data": { "why": [1.5] } });
    let table = [(stock(cells(4), &script).await.unwrap(), "no", scripted), (hostile(4).await, "refuse", written)];
    for (handlers, said, error) in table {
        let (session, _outbox) = Session::new(handlers, options());
        let plain = answer(&session, &bytes(1, "sampling/createMessage", &prompt(said))).await;
        assert_eq!(plain, json!({ "jsonrpc": "2.0", "id": 1, "error": error }));
        let id = json!({ "taskId": create(&session, said).await });
        let result = answer(&session, &bytes(1, "tasks/result", &id)).await;
        assert_eq!(result, plain);
        let task = answer(&session, &bytes(2, "tasks/get", &id)).await;
        assert_eq!(
            (&task["result"]["status"], &task["result"]["statusMessage"]),
            (&json!("failed"), &error["message"])
        );
    }
}

// ---- What comes out, and when ----

/// The requestor hears of a task only after it knows the task's id, and always all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_told_of_in_order() {
    const TASKS: usize = 40;
    let mut server = Conversation::new(taking(0).await, options());
    let token = |number: usize| if number == 1 { json!("t") } else { json!(number) };
    for number in 0..TASKS {
        let mut params = task_prompt("hi");
        params["_meta"] = json!({ "progressToken": token(number) });
        server.send(&request(number, "sampling/createMessage", &params));
    }
    let mut tasks = Vec::new();
    for number in 0..TASKS {
        let task = server.answer(number).await.unwrap()["result"]["task"].clone();
        server.ask_task("tasks/result", task["taskId"].as_str().unwrap()).await.unwrap();
        tasks.push(task);
    }
    let all = server.end().await.unwrap();
    for (number, task) in tasks.iter().enumerate() {
        let created = all.iter().position(|message| message.get("id") == Some(&json!(number))).unwrap();
        let statuses = notifications(&all, "notifications/tasks/status");
        let statuses: Vec<_> = statuses.into_iter().filter(|(_, told)| told["taskId"] == task["taskId"]).collect();
        for (place, told) in &statuses {
            assert!(*place > created, "{told} before its task was known");
            for member in ["taskId", "createdAt", "ttl", "pollInterval"] {
                assert_eq!(told[member], task[member], "{member} of {told}");
            }
            assert!(told["lastUpdatedAt"].is_string() && told.get("ttl").is_some(), "{told}");
        }
        let names: Vec<_> = statuses.iter().map(|(_, told)| told["status"].as_str().unwrap()).collect();
        assert_eq!(names, ["working", "completed"], "{number}");

        let progress = notifications(&all, "notifications/progress");
        let progress: Vec<_> =
            progress.into_iter().filter(|(_, told)| told["progressToken"] == token(number)).collect();
        let values: Vec<_> = progress.iter().map(|(_, told)| told["progress"].as_f64().unwrap()).collect();
        assert_eq!(values, [1.0, 2.0], "{number}");
        let ended = statuses.last().unwrap().0;
        assert!(progress.iter().all(|(place, _)| created < *place && *place < ended), "{number}: {all:?}");
    }
}

/// Work begins when the answer that names its task is out, however long the server takes to read.
#[tokio::test]
async fn work_begins_after_the_answer() {
    let (session, mut outbox) = Session::new(hostile(1).await, options());
    let ping = bytes(0, "ping", &json!({}));
    while start(pin!(tokio::task::unconstrained(session.handle(&ping)))).await.is_ready() {}
    let message = bytes(1, "sampling/createMessage", &task_prompt("wait"));
    let mut creates = pin!(session.handle(&message));
    for _ in 0..100 {
        assert!(start(creates.as_mut()).await.is_pending());
        tokio::task::yield_now().await;
    }
    assert!(!is_full(&session).await, "the work has begun");
    while outbox.try_recv().is_ok() {}
    soon(creates).await.unwrap();
    begun(&mut outbox).await;
    assert!(is_full(&session).await);
}

/// What a handler does to its task before it has answered is not told: the requestor does not know the task yet, and
/// learns of it as it begins.
#[tokio::test]
async fn a_task_may_be_done_at_once() {
    let mut server = Conversation::new(hostile(4).await, options());
    let answer = server.ask("sampling/createMessage", &task_prompt("done-at-once")).await.unwrap();
    assert_eq!(server.seen(), std::slice::from_ref(&answer));
    assert_eq!(answer["result"]["task"]["status"], "working");
    let task = server.ask_task("tasks/get", answer["result"]["task"]["taskId"].as_str().unwrap()).await.unwrap();
    assert_eq!(task["result"]["status"], "completed");
    let result = server.ask_task("tasks/result", answer["result"]["task"]["taskId"].as_str().unwrap()).await.unwrap();
    assert_eq!(text(&result), "good");
}

/// Progress only grows, whatever a guest reports, and goes out before the answer.
#[tokio::test]
async fn progress_only_grows() {
    for token in [json!(0), json!("t"), json!(-9_007_199_254_740_993_i64), json!("")] {
        let mut server = Conversation::new(hostile(4).await, options());
        let mut params = prompt("progress");
        params["_meta"] = json!({ "progressToken": token });
        server.send(&request("asks", "sampling/createMessage", &params));
        server.answer("asks").await.unwrap();
        let all = server.end().await.unwrap();
        let told = |progress: f64| json!({ "progressToken": token, "progress": progress, "message": "a\nb" });
        let (told, expected): (Vec<_>, Vec<_>) =
            (notifications(&all, "notifications/progress"), [1.0, 1.5, 2.0].map(told).into());
        let same = |one: &Value, other: &Value| one["progress"].as_f64() == other["progress"].as_f64();
        assert_eq!(told.len(), expected.len(), "{all:?}");
        for ((_, told), expected) in told.into_iter().zip(&expected) {
            assert!(same(told, expected), "{told} is not {expected}");
            assert_eq!((&told["progressToken"], &told["message"], told.get("total")), (&token, &json!("a\nb"), None));
        }
        assert_eq!(all.last().unwrap()["id"], "asks");
    }
}

/// Without a token nobody asked for progress, and none goes out.
#[tokio::test]
async fn no_token_no_progress() {
    let mut server = Conversation::new(taking(0).await, options());
    let task = server.create("hi").await.unwrap();
    server.ask_task("tasks/result", &task).await.unwrap();
    let all = server.end().await.unwrap();
    assert_eq!(notifications(&all, "notifications/progress"), []);
}

/// Once a task has ended no more progress goes out, however it ended.
#[tokio::test(flavor = "multi_thread")]
async fn progress_ends_with_the_task() {
    for (behavior, end) in [("progress-after-end", "completed"), ("progress-for-ever", "cancelled")] {
        let mut server = Conversation::new(hostile(8).await, options());
        let mut params = task_prompt(behavior);
        params["_meta"] = json!({ "progressToken": "t" });
        let task = server.ask("sampling/createMessage", &params).await.unwrap()["result"]["task"]["taskId"].clone();
        while notifications(server.seen(), "notifications/progress").is_empty() {
            server.next().await.unwrap();
        }
        let method = if end == "cancelled" { "tasks/cancel" } else { "tasks/result" };
        let answer = server.ask(method, &json!({ "taskId": task })).await.unwrap();
        let all = server.end().await.unwrap();
        // Where more is reported than the server reads, the notification of the end may be left out; the answer is not.
        let ended = all.iter().position(|message| message["params"]["status"] == end || *message == answer).unwrap();
        let after: Vec<_> =
            notifications(&all, "notifications/progress").into_iter().filter(|(place, _)| *place > ended).collect();
        assert!(after.is_empty(), "{behavior}: {} after the end", after.len());
    }
}

/// Each answer to `tasks/result` names its task, whatever the task gave.
#[tokio::test]
async fn results_name_their_task() {
    let form = json!({ "message": "?", "requestedSchema": { "type": "object", "properties": {} }, "task": {} });
    let table = [
        (
            taking(0).await,
            "sampling/createMessage",
            task_prompt("hi"),
            "/result/content/text",
            json!("Scripted answer to: hi"),
        ),
        (taking(0).await, "elicitation/create", form, "/result/action", json!("accept")),
        (hostile(4).await, "sampling/createMessage", task_prompt("custom"), "/result/_meta/kept", json!(1.5)),
        (hostile(4).await, "sampling/createMessage", task_prompt("newline-json"), "/result/_meta/a", json!("b\n")),
    ];
    for (handlers, method, params, pointer, expected) in table {
        let mut server = Conversation::new(handlers, options());
        let task = server.ask(method, &params).await.unwrap()["result"]["task"]["taskId"].clone();
        // Asked twice, it is the same.
        for _ in 0..2 {
            let answer = server.ask("tasks/result", &json!({ "taskId": task })).await.unwrap();
            assert_eq!(answer.pointer(RELATED), Some(&task), "{answer}");
            assert_eq!(answer.pointer(pointer), Some(&expected), "{answer}");
        }
    }
}

// ---- Cancellation ----

/// A cancelled request gets no answer, and its cell is gone.
#[tokio::test]
async fn a_cancelled_request_is_dropped() {
    for id in [json!(7), json!("7"), json!(0), json!("")] {
        let (session, _outbox) = Session::new(hostile(1).await, options());
        let message = bytes(id.clone(), "sampling/createMessage", &prompt("wait"));
        let mut waits = pin!(session.answer(&message));
        assert!(start(waits.as_mut()).await.is_pending());
        assert!(is_full(&session).await);
        session.handle(&cancellation(&json!("other"))).await;
        assert!(start(waits.as_mut()).await.is_pending());

        // A reason that is none takes nothing from it.
        let params = json!({ "requestId": id, "reason": [7] });
        let message = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }).to_string();
        session.handle(message.as_bytes()).await;
        assert_eq!(soon(waits).await.unwrap(), None, "{id}");
        assert!(!is_full(&session).await);
    }
}

/// The same for a `tasks/result`: the task goes on.
#[tokio::test]
async fn a_cancelled_wait_leaves_the_task_alone() {
    let (session, _outbox) = Session::new(taking(100).await, options());
    let id = json!({ "taskId": create(&session, "hi").await });
    let message = bytes("waits", "tasks/result", &id);
    let mut waits = pin!(session.answer(&message));
    assert!(start(waits.as_mut()).await.is_pending());
    session.handle(&cancellation(&json!("waits"))).await;
    assert_eq!(soon(waits).await.unwrap(), None);
    assert_eq!(text(&answer(&session, &message).await), "Scripted answer to: hi");
}

/// A cancellation that overtakes its request still ends it, also one that would be answered at once.
#[tokio::test]
async fn a_cancellation_may_come_first() {
    let (session, _outbox) = Session::new(hostile(1).await, options());
    for number in 0..20 {
        let text = if number == 0 { "wait" } else { "good" };
        session.handle(&cancellation(&json!(number))).await;
        let message = bytes(number, "sampling/createMessage", &prompt(text));
        assert_eq!(soon(session.answer(&message)).await.unwrap(), None, "{number}");
        assert!(!is_full(&session).await);
    }
}

/// Cancelling what was answered, or never asked, or nothing at all, does no harm.
#[tokio::test]
async fn stray_cancellations_are_ignored() {
    let mut server = Conversation::new(taking(0).await, options());
    server.ask("sampling/createMessage", &prompt("hi")).await.unwrap();
    let strays = [
        json!({ "requestId": 1_001 }),
        json!({ "requestId": "never" }),
        json!({}),
        json!(7),
        json!({ "requestId": null }),
    ];
    for params in strays {
        server
            .handle(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }))
            .await
            .unwrap();
    }
    server.ask("sampling/createMessage", &prompt("hi")).await.unwrap();
    assert_eq!(server.end().await.unwrap().len(), 2);
}

/// A server that goes away takes the cells of its requests with it.
#[tokio::test]
async fn dropping_the_future_frees_the_cell() {
    let (session, mut outbox) = Session::new(hostile(1).await, options());
    let message = bytes(1, "sampling/createMessage", &prompt("wait"));
    for _ in 0..3 {
        {
            let mut waits = pin!(session.handle(&message));
            assert!(start(waits.as_mut()).await.is_pending());
            assert!(is_full(&session).await);
        }
        assert!(!is_full(&session).await);
        {
            let mut waits = pin!(session.answer(&message));
            assert!(start(waits.as_mut()).await.is_pending());
            assert!(is_full(&session).await);
        }
        assert!(!is_full(&session).await);
    }
    assert!(outbox.try_recv().is_err(), "an answer nobody waited for");
}

/// `tasks/cancel` answers when the work has ended; the place of its cell is free by then.
#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_task_ends_its_work_first() {
    let (session, mut outbox) = Session::new(hostile(2).await, options());
    for behavior in ["wait", "loop", "progress-for-ever"] {
        let id = json!({ "taskId": create(&session, behavior).await });
        let waiting =
            [bytes(1, "sampling/createMessage", &prompt("wait")), bytes(2, "sampling/createMessage", &prompt("wait"))];
        begun(&mut outbox).await;
        let answer = answer(&session, &bytes(3, "tasks/cancel", &id)).await;
        assert_eq!(answer["result"]["status"], "cancelled", "{answer}");
        let (mut one, mut two) = (pin!(session.answer(&waiting[0])), pin!(session.answer(&waiting[1])));
        assert!(start(one.as_mut()).await.is_pending(), "{behavior}");
        assert!(start(two.as_mut()).await.is_pending(), "{behavior}: the work is still there");
        while outbox.try_recv().is_ok() {}
    }
}

/// A cancelled task stays cancelled, past the time that its work would have taken.
#[tokio::test]
async fn a_cancelled_task_stays_cancelled() {
    let script = json!({ "sampling": [{ "match": "short", "delayMs": 50 }, { "match": "longer", "delayMs": 150 }] });
    let mut server = Conversation::new(stock(cells(8), &script).await.unwrap(), options());
    let short = server.create("short").await.unwrap();
    let cancelled = server.ask_task("tasks/cancel", &short).await.unwrap();
    assert_eq!((&cancelled["result"]["taskId"], &cancelled["result"]["status"]), (&json!(short), &json!("cancelled")));
    assert!(cancelled["result"].get("ttl").is_some() && cancelled["result"].get("task").is_none(), "{cancelled}");

    let longer = server.create("longer").await.unwrap();
    assert_eq!(text(&server.ask_task("tasks/result", &longer).await.unwrap()), "Scripted answer to: longer");
    let got = server.ask_task("tasks/get", &short).await.unwrap();
    assert_eq!(got["result"], cancelled["result"]);
    let result = server.ask_task("tasks/result", &short).await.unwrap();
    assert_eq!(result["error"], json!({ "code": -32603, "message": "Task was cancelled" }));
    for (task, status) in [(&short, "cancelled"), (&longer, "completed")] {
        let again = server.ask_task("tasks/cancel", task).await.unwrap();
        let message = format!("Cannot cancel task: already in terminal status '{status}'");
        assert_eq!(again["error"], json!({ "code": -32602, "message": message }));
    }
    let told = server.end().await.unwrap();
    let told = notifications(&told, "notifications/tasks/status");
    let last = told.iter().rfind(|(_, told)| told["taskId"] == short).unwrap();
    assert_eq!(last.1["status"], "cancelled");
}

// ---- Whose tasks ----

fn sharing(store: &Arc<MemoryStore>, principal: Option<&str>) -> SessionOptions {
    let mut options = options();
    options.store = Arc::<MemoryStore>::clone(store);
    if let Some(principal) = principal {
        options.principal = principal.to_owned();
    }
    options
}

/// Over one store, a principal sees its own tasks from every session, and no one else's.
#[tokio::test]
async fn a_principal_sees_its_own_tasks() {
    let (store, handlers) = (Arc::new(MemoryStore::new()), taking(0).await);
    let mut first = Conversation::new(handlers.clone(), sharing(&store, Some("a")));
    let task = first.create("hi").await.unwrap();
    first.ask_task("tasks/result", &task).await.unwrap();

    let mut same = Conversation::new(handlers.clone(), sharing(&store, Some("a")));
    assert_eq!(same.ask_task("tasks/get", &task).await.unwrap()["result"]["taskId"], task);
    assert_eq!(text(&same.ask_task("tasks/result", &task).await.unwrap()), "Scripted answer to: hi");
    assert_eq!(same.ask("tasks/list", &json!({})).await.unwrap()["result"]["tasks"][0]["taskId"], task);

    // A session that was not told whose it is, is its own.
    for principal in [Some("b"), Some(""), None, None] {
        let mut other = Conversation::new(handlers.clone(), sharing(&store, principal));
        assert_eq!(other.ask("tasks/list", &json!({})).await.unwrap()["result"]["tasks"], json!([]));
        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            let foreign = other.ask_task(method, &task).await.unwrap();
            let unknown = other.ask_task(method, "no such task").await.unwrap();
            assert_eq!(foreign["error"]["code"], -32602, "{method}: {foreign}");
            assert_eq!(foreign["error"], unknown["error"], "{method} tells foreign from unknown");
        }
    }
}

/// Dropping a session ends the work of its tasks.
#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_session_ends_its_work() {
    let (store, handlers) = (Arc::new(MemoryStore::new()), hostile(1).await);
    for behavior in ["wait", "loop"] {
        let (session, mut outbox) = Session::new(handlers.clone(), sharing(&store, Some(behavior)));
        create(&session, behavior).await;
        let (other, _outbox) = Session::new(handlers.clone(), options());
        begun(&mut outbox).await;
        assert!(is_full(&other).await);
        drop(session);
        until_not_full(&other).await;
        assert_eq!(soon(outbox.recv()).await.unwrap(), None, "the outbox ends with the session");
    }
    let left = store.list(PrincipalFilter::Anyone, None, 10).await.unwrap();
    assert!(left.iter().all(|task| task.status != TaskStatus::Completed), "{left:?}");
}

// ---- What is not taken ----

/// Where no handler takes tasks, the request for one is refused, or served as a plain one where that is wanted.
#[tokio::test]
async fn undeclared_tasks_are_refused_or_processed() {
    let handlers = guest(cells(4), "guest-examples/rust-minimal").await.unwrap();
    let refused = |message: &str| json!({ "error": { "code": -32600, "message": message } });
    let form = json!({ "message": "?", "requestedSchema": { "type": "object", "properties": {} }, "task": {} });
    let said = json!({ "result": { "role": "assistant", "content": { "type": "text", "text": "You said: hi" }, "model": "fixed", "stopReason": "endTurn" } });
    #[rustfmt::skip]
    let table = [
        (Undeclared::Refuse, "sampling/createMessage", task_prompt("hi"), refused("Task-augmented sampling not supported")),
        (Undeclared::Refuse, "elicitation/create", form.clone(), refused("Task-augmented elicitation not supported")),
        (Undeclared::Refuse, "sampling/createMessage", prompt("hi"), said.clone()),
        (Undeclared::Process, "sampling/createMessage", task_prompt("hi"), said.clone()),
        (Undeclared::Process, "elicitation/create", form, refused("Elicitation not supported")),
        (Undeclared::Process, "sampling/createMessage", prompt("hi"), said),
    ];
    for (undeclared, method, params, expected) in table {
        let mut options = options();
        options.undeclared = undeclared;
        let (session, _outbox) = Session::new(handlers.clone(), options);
        let mut answer = answer(&session, &bytes(1, method, &params)).await;
        let envelope = answer.as_object_mut().unwrap();
        envelope.retain(|member, _| member != "jsonrpc" && member != "id");
        assert_eq!(answer, expected, "{undeclared:?} {method} {params}");
    }
    // Where the kind is exported, the switch changes nothing.
    let mut options = options();
    options.undeclared = Undeclared::Process;
    let (session, _outbox) = Session::new(taking(0).await, options);
    create(&session, "hi").await;
}

/// A request for a task that fails leaves no task that works for ever, and nothing of what it spawned runs.
#[tokio::test]
async fn a_failed_request_leaves_no_working_task() {
    let handlers = hostile(4).await;
    let invalid = json!({ "kind": "invalid_answer" });
    let table = [
        ("spawn-then-fail", -7, None),
        ("spawn-then-trap", -32603, Some(json!({ "kind": "trap" }))),
        ("spawn-then-bad-meta", -32603, Some(invalid)),
        ("spawn-twice", -32602, None),
        ("spawn-unknown", -32602, None),
    ];
    for (behavior, code, data) in table {
        let store = Arc::new(MemoryStore::new());
        let (session, _outbox) = Session::new(handlers.clone(), sharing(&store, Some("a")));
        let answer = answer(&session, &bytes(1, "sampling/createMessage", &task_prompt(behavior))).await;
        assert_eq!(
            (answer["error"]["code"].as_i64(), answer["error"].get("data")),
            (Some(code), data.as_ref()),
            "{answer}"
        );
        // Other work has its turn after what was spawned before it.
        good_task(&session).await;
        let tasks = store.list(PrincipalFilter::Of("a"), None, 10).await.unwrap();
        let statuses: Vec<_> = tasks.iter().map(|task| task.status).collect();
        assert_eq!(statuses, [TaskStatus::Failed, TaskStatus::Completed], "{behavior}");
    }
}

/// A task that is created, works, and is completed.
async fn good_task(session: &Session) {
    let id = json!({ "taskId": create(session, "good").await });
    assert_eq!(text(&answer(session, &bytes(1, "tasks/result", &id)).await), "good");
}

/// The same for a request for a task that ends before its answer, by cancellation or with its connection.
#[tokio::test]
async fn a_request_that_is_dropped_leaves_no_working_task() {
    let handlers = hostile(4).await;
    for cancel in [true, false] {
        let store = Arc::new(MemoryStore::new());
        let (session, _outbox) = Session::new(handlers.clone(), sharing(&store, Some("a")));
        let message = bytes(1, "sampling/createMessage", &task_prompt("create-then-wait"));
        {
            let mut waits = pin!(session.answer(&message));
            while store.list(PrincipalFilter::Of("a"), None, 10).await.unwrap().is_empty() {
                assert!(start(waits.as_mut()).await.is_pending());
            }
            if cancel {
                session.handle(&cancellation(&json!(1))).await;
                assert_eq!(soon(waits).await.unwrap(), None);
            }
        }
        soon(async {
            while store
                .list(PrincipalFilter::Of("a"), None, 10)
                .await
                .unwrap()
                .iter()
                .any(|task| task.status == TaskStatus::Working)
            {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
    }
}

/// A task ends once: what comes after changes nothing, and is told to the guest only.
#[tokio::test]
async fn a_task_ends_once() {
    let mut server = Conversation::new(hostile(4).await, options());
    let task = server.create("end-twice").await.unwrap();
    assert_eq!(text(&server.ask_task("tasks/result", &task).await.unwrap()), "first");
    good_task(server.session().as_ref()).await;
    assert_eq!(server.ask_task("tasks/get", &task).await.unwrap()["result"]["status"], "completed");
    let told = server.end().await.unwrap();
    let ends = notifications(&told, "notifications/tasks/status");
    let ends: Vec<_> = ends.into_iter().filter(|(_, told)| told["taskId"] == task).collect();
    assert_eq!(ends.len(), 2, "begun and completed: {ends:?}");
}

/// Work spawns no work.
#[tokio::test]
async fn work_spawns_no_work() {
    let (session, _outbox) = Session::new(hostile(4).await, options());
    let id = json!({ "taskId": create(&session, "more-work").await });
    let result = answer(&session, &bytes(1, "tasks/result", &id)).await;
    assert_eq!(
        (&result["error"]["code"], &result["error"]["data"]["kind"]),
        (&json!(-32603), &json!("spawn")),
        "{result}"
    );
}

/// A closure that answers with so many bytes of text once the gate is open, and how often it was called.
fn large(bytes: usize, gate: &Arc<Semaphore>) -> (Handlers, Arc<AtomicUsize>) {
    let called = Arc::new(AtomicUsize::new(0));
    let (calls, gate) = (Arc::clone(&called), Arc::clone(gate));
    let sampling = NativeHandler::sampling(move |_, _| {
        calls.fetch_add(1, Ordering::SeqCst);
        let gate = Arc::clone(&gate);
        let content = TextContent { text: "x".repeat(bytes), annotations: None, meta: None };
        let content = vec![SamplingContent::Text(content)];
        let model = "m".to_owned();
        async move {
            drop(gate.acquire().await);
            Ok(CreateMessageResult { role: Role::Assistant, content, model, stop_reason: None, meta: None })
        }
    });
    (Handlers::default().native(sampling).unwrap(), called)
}

/// Options of a session that counts the answers to a method.
fn counting(method: &'static str) -> (SessionOptions, Arc<AtomicUsize>) {
    let answered = Arc::new(AtomicUsize::new(0));
    let (counts, mut options) = (Arc::clone(&answered), options());
    options.observer = Some(Arc::new(move |event| {
        if matches!(event, Event::Answered(answered) if answered.method == method) {
            counts.fetch_add(1, Ordering::SeqCst);
        }
    }));
    (options, answered)
}

/// Waits until something has happened so often.
async fn until(count: &AtomicUsize, times: usize) {
    let happened = async {
        while count.load(Ordering::SeqCst) < times {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(happened).await.unwrap();
}

/// Waits until nothing more happens by itself.
async fn settled(count: impl Fn() -> usize) -> usize {
    let mut before = usize::MAX;
    while before != count() {
        before = count();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    before
}

/// A server that asks and does not read is not answered for ever: answers wait up to a bound in bytes, a few more are
/// held, and then there is a short error in their place. What comes while the queue is full is not begun.
#[tokio::test]
async fn answers_that_nobody_reads_are_bounded() {
    let gate = Arc::new(Semaphore::new(0));
    let (handlers, called) = large(1 << 20, &gate);
    let (counting, answered) = counting("sampling/createMessage");
    let (session, mut outbox) = Session::new(handlers, counting);
    let session = Arc::new(session);
    let mut running = JoinSet::new();
    let mut ask = |id: String, method: &'static str| {
        let session = Arc::clone(&session);
        running.spawn(async move { session.handle(&bytes(json!(id), method, &prompt("p"))).await });
    };
    for number in 0..60 {
        ask(format!("early-{number}"), "sampling/createMessage");
    }
    // All are under way before the first answer is there.
    until(&called, 60).await;
    gate.add_permits(1);
    until(&answered, 60).await;
    for number in 0..10 {
        ask(format!("late-{number}"), "sampling/createMessage");
        ask(format!("ping-{number}"), "ping");
    }
    assert_eq!(settled(|| called.load(Ordering::SeqCst)).await, 60, "more was begun though nothing was read");
    let (mut results, mut refused, mut ids) = (0, 0, BTreeSet::new());
    for _ in 0..80 {
        let message: Value = serde_json::from_slice(&soon(outbox.recv()).await.unwrap().unwrap()).unwrap();
        let id = message["id"].as_str().unwrap().to_owned();
        match message["error"]["data"]["kind"].as_str() {
            None => results += usize::from(!id.starts_with("ping")),
            Some("unread") if id.starts_with("early") => refused += 1,
            _ => panic!("{message}"),
        }
        assert!(ids.insert(id), "one was answered twice: {message}");
    }
    // 10 MiB in the queue and 16 MiB that wait, of 1 MiB and some bytes each.
    let kept = results - 10;
    assert!((20..=27).contains(&kept) && kept + refused == 60, "{kept} were kept, {refused} refused");
    assert_eq!(called.load(Ordering::SeqCst), 70);
}

/// The result of a task can be asked for very often by very short requests. However many wait for it, few are read at
/// once, and none is lost.
#[tokio::test]
async fn results_that_nobody_reads_are_bounded() {
    let (handlers, _) = large(2 << 20, &Arc::new(Semaphore::new(1)));
    let (counting, answered) = counting("tasks/result");
    let (session, mut outbox) = Session::new(handlers.managed(), counting);
    let session = Arc::new(session);
    let create = bytes(json!("create"), "sampling/createMessage", &task_prompt("p"));
    let created: Value = serde_json::from_slice(&session.answer(&create).await.unwrap()).unwrap();
    let task = json!({ "taskId": created["result"]["task"]["taskId"] });
    let mut running = JoinSet::new();
    for number in 0..20 {
        let (session, task) = (Arc::clone(&session), task.clone());
        running.spawn(async move { session.handle(&bytes(json!(number), "tasks/result", &task)).await });
    }
    until(&answered, 4).await;
    let made = settled(|| answered.load(Ordering::SeqCst)).await;
    assert!((4..=7).contains(&made), "{made} results were made though none was read");
    let mut ids = BTreeSet::new();
    while ids.len() < 20 {
        let message: Value = serde_json::from_slice(&soon(outbox.recv()).await.unwrap().unwrap()).unwrap();
        if let Some(id) = message["id"].as_u64() {
            assert!(message["result"]["content"]["text"].as_str().is_some_and(|text| text.len() == 2 << 20));
            ids.insert(id);
        }
    }
}

/// An id is echoed and kept, so it has a bound; within it, it comes back as it was written.
#[tokio::test]
async fn ids_are_bounded() {
    let (session, _outbox) = Session::new(Handlers::default(), options());
    let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    let rows = [
        (text(2), true),
        (text(38), true),
        (text(100), true),
        (text(128), true),
        (text(129), false),
        (text(2_000_000), false),
        ("9".repeat(128), true),
        ("9".repeat(129), false),
        (format!("\"{}\"", r"\u00e4".repeat(100)), false),
    ];
    for (id, taken) in rows {
        for method in ["ping", "tasks/get", "no such method"] {
            let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#);
            let answer = String::from_utf8(session.answer(message.as_bytes()).await.unwrap()).unwrap();
            if taken {
                assert!(answer.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"#)), "{answer}");
                continue;
            }
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32600)), "{answer}");
            assert_eq!(answer["error"]["data"]["kind"], "id_size");
        }
        // A request that is given up before it comes is remembered by its id.
        for _ in 0..3 {
            let cancelled =
                format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#);
            assert!(session.answer(cancelled.as_bytes()).await.is_none());
        }
    }
}
