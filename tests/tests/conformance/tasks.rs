//! basic/utilities/tasks: what is asked of a receiver.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use taskcell::Handlers;
use taskcell::kinds::Kind;
use taskcell::session::Undeclared;
use taskcell::tasks::{AuditLog, MemoryStore, RateLimit, TaskStore, Whose};
use taskcell_tests::conversation::{Conversation, prompt, request, soon, start};
use taskcell_tests::handlers::guest;
use taskcell_tests::server::{json_lines, options};

use super::{
    ELICITATION, RELATED, SAMPLING, and, as_task, both, cells, create, error, form, hostile, id, notifications, of,
    page, refused, with,
};

/// How a task may come to its end.
struct Story {
    method: &'static str,
    word: &'static str,
    end: &'static str,
}

const STORIES: [Story; 6] = [
    Story { method: SAMPLING, word: "hello", end: "completed" },
    Story { method: SAMPLING, word: "refuse", end: "failed" },
    Story { method: SAMPLING, word: "slow", end: "cancelled" },
    Story { method: ELICITATION, word: "hello", end: "completed" },
    Story { method: ELICITATION, word: "refuse", end: "failed" },
    Story { method: ELICITATION, word: "slow", end: "cancelled" },
];

impl Story {
    fn params(&self) -> Value {
        if self.method == SAMPLING { prompt(self.word) } else { form(self.word) }
    }

    /// Makes the task and waits for its end; gives its id.
    async fn tell(&self, server: &mut Conversation) -> String {
        let task = create(server, self.method, self.params()).await;
        let task = id(&task).to_owned();
        let method = if self.end == "cancelled" { "tasks/cancel" } else { "tasks/result" };
        server.ask_task(method, &task).await.unwrap();
        task
    }
}

/// A task as `tasks/get` shows it.
async fn get(server: &mut Conversation, task: &str) -> Value {
    let answer = server.ask_task("tasks/get", task).await.unwrap();
    assert!(answer["result"].is_object(), "{answer}");
    answer["result"].clone()
}

/// The ids on all pages of a list.
async fn listed(server: &mut Conversation) -> Vec<String> {
    let (mut all, mut params) = (Vec::new(), json!({}));
    loop {
        let page = server.ask("tasks/list", &params).await.unwrap()["result"].clone();
        all.extend(page["tasks"].as_array().unwrap().iter().map(|task| id(task).to_owned()));
        match page.get("nextCursor") {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => return all,
        }
    }
}

/// What a task's notifications said it was, in order, beginning with its creation.
fn course(messages: &[Value], task: &str) -> Vec<String> {
    let told = notifications(messages, "notifications/tasks/status");
    let told = told.into_iter().filter(|(_, told)| told["taskId"] == task);
    let told = told.map(|(_, told)| told["status"].as_str().unwrap().to_owned());
    ["working".to_owned()].into_iter().chain(told).collect()
}

// ---- Capabilities, Task Support and Handling ----

#[tokio::test]
async fn what_takes_tasks_is_declared() {
    both(async |handlers| {
        let requests = json!({ "sampling": { "createMessage": {} }, "elicitation": { "create": {} } });
        let tasks = json!({ "list": {}, "cancel": {}, "requests": requests });
        assert_eq!(handlers.capabilities()["tasks"], tasks);
        // Each that is declared is served.
        let mut server = Conversation::new(handlers, options());
        for (method, params) in [(SAMPLING, as_task(prompt("hello"))), (ELICITATION, as_task(form("hello")))] {
            assert!(server.ask(method, &params).await.unwrap()["result"]["task"].is_object(), "{method}");
        }
        assert!(server.ask("tasks/list", &json!({})).await.unwrap()["result"].is_object());
        let task = create(&mut server, SAMPLING, prompt("slow")).await;
        assert!(server.ask_task("tasks/cancel", id(&task)).await.unwrap()["result"].is_object());
    })
    .await;
}

/// What a receiver does not declare it refuses as the reference does, or processes as the text has it.
#[tokio::test]
async fn undeclared_augmentation_is_refused_or_ignored() {
    let minimal = guest(cells(4), "guest-examples/rust-minimal").await.unwrap();
    assert_eq!(minimal.capabilities().get("tasks"), None);
    let plain = "You said: hello";
    for (undeclared, expected) in [
        (Undeclared::Refuse, json!({ "code": -32600, "message": "Task-augmented sampling not supported" })),
        (Undeclared::Process, json!(plain)),
    ] {
        let mut server = Conversation::new(minimal.clone(), with(|options| options.undeclared = undeclared));
        let answer = server.ask(SAMPLING, &as_task(prompt("hello"))).await.unwrap();
        let found = answer.get("error").unwrap_or(&answer["result"]["content"]["text"]);
        assert_eq!(*found, expected, "{undeclared:?}");
        // Without `task` it is the same in both.
        let answer = server.ask(SAMPLING, &prompt("hello")).await.unwrap();
        assert_eq!(answer["result"]["content"]["text"], plain);
    }
}

// ---- Task ID Requirements ----

#[tokio::test]
async fn ids_are_strings() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in &STORIES {
            let task = create(&mut server, story.method, story.params()).await;
            assert!(task["taskId"].is_string(), "{task}");
        }
    })
    .await;
}

#[tokio::test]
async fn ids_are_made_by_the_receiver() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let wished = json!({
            "task": { "ttl": 60_000, "taskId": "mine" },
            "taskId": "mine",
            "_meta": { RELATED: { "taskId": "mine" } },
        });
        let answer = server.ask(SAMPLING, &and(prompt("hello"), wished)).await.unwrap();
        assert_ne!(id(&answer["result"]["task"]), "mine");
        refused(&server.ask_task("tasks/get", "mine").await.unwrap(), -32602, None);
    })
    .await;
}

#[tokio::test]
async fn ids_are_unique() {
    both(async |handlers| {
        let store = Arc::new(MemoryStore::new());
        let mut ids = BTreeSet::new();
        for principal in ["a", "b"] {
            let mut server = Conversation::new(handlers.clone(), of(principal, &store));
            for _ in 0..50 {
                ids.insert(id(&create(&mut server, SAMPLING, prompt("hello")).await).to_owned());
            }
        }
        assert_eq!(ids.len(), 100);
    })
    .await;
}

/// Random UUIDs, 122 bits: in 64 of them every bit that is drawn comes out both ways.
#[tokio::test]
async fn ids_cannot_be_guessed() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let (mut ones, mut zeros) = (0_u128, 0_u128);
        for _ in 0..64 {
            let task = create(&mut server, SAMPLING, prompt("hello")).await;
            let digits: String = id(&task).split('-').collect();
            let number = u128::from_str_radix(&digits, 16).unwrap();
            assert_eq!((digits.len(), number >> 76 & 0xf, number >> 62 & 0x3), (32, 4, 2), "{task}");
            ones |= number;
            zeros |= !number;
        }
        let fixed = 0xf << 76 | 0x3 << 62;
        assert_eq!((ones & zeros) | fixed, u128::MAX, "bits that never change");
    })
    .await;
}

// ---- Task Status Lifecycle ----

#[tokio::test]
async fn tasks_begin_working() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in &STORIES {
            assert_eq!(create(&mut server, story.method, story.params()).await["status"], "working");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_legal_transitions_are_made() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let mut told = Vec::new();
        for story in &STORIES {
            told.push((story.tell(&mut server).await, story.end));
        }
        let all = server.end().await.unwrap();
        for (task, end) in told {
            legal(&course(&all, &task), end);
        }
    })
    .await;
    // A handler that moves its task between the two statuses that are not final.
    let mut server = Conversation::new(hostile().await, options());
    let task = server.create("asks-input").await.unwrap();
    server.ask_task("tasks/result", &task).await.unwrap();
    let course = course(&server.end().await.unwrap(), &task);
    legal(&course, "completed");
    assert!(course.iter().any(|status| status == "input_required"), "{course:?}");
}

fn legal(course: &[String], end: &str) {
    let open = ["working", "input_required"];
    assert_eq!(course.last().map(String::as_str), Some(end), "{course:?}");
    let before = &course[..course.len() - 1];
    assert!(before.iter().all(|status| open.contains(&status.as_str())), "{course:?}");
}

/// Whatever is tried with a task that has ended, it stays as it is, to the last member.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_status_never_changes() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in &STORIES {
            let task = story.tell(&mut server).await;
            let before = get(&mut server, &task).await;
            assert_eq!(before["status"], story.end);
            let result = server.ask_task("tasks/result", &task).await.unwrap();
            for method in ["tasks/cancel", "tasks/result", "tasks/get", "tasks/cancel"] {
                server.ask_task(method, &task).await.unwrap();
            }
            assert_eq!(get(&mut server, &task).await, before);
            let again = server.ask_task("tasks/result", &task).await.unwrap();
            assert_eq!((&again["result"], &again["error"]), (&result["result"], &result["error"]));
        }
    })
    .await;
}

// ---- Input Required Status ----

/// A handler may say that it waits; the task is as alive as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_may_wait_for_input() {
    let mut server = Conversation::new(hostile().await, options());
    let task = server.create("waits-for-input").await.unwrap();
    while get(&mut server, &task).await["status"] != "input_required" {
        tokio::task::yield_now().await;
    }
    let session = server.session();
    let message = request("waits", "tasks/result", &json!({ "taskId": task })).to_string().into_bytes();
    let mut waits = pin!(session.answer(&message));
    assert!(start(waits.as_mut()).await.is_pending());
    assert_eq!(get(&mut server, &task).await["status"], "input_required");
    assert!(start(waits.as_mut()).await.is_pending());
    assert_eq!(server.ask_task("tasks/cancel", &task).await.unwrap()["result"]["status"], "cancelled");
    assert!(soon(waits).await.unwrap().is_some());
}

/// Nothing is ever asked of the requestor for a task, so nothing has to be associated with it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_of_the_requestor() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in &STORIES {
            story.tell(&mut server).await;
        }
        for message in server.end().await.unwrap() {
            assert!(message.get("method").is_none() || message.get("id").is_none(), "a request: {message}");
        }
    })
    .await;
}

// ---- TTL and Resource Management ----

/// All answers and notifications that show a task, through its life.
async fn shown(server: &mut Conversation, story: &Story) -> Vec<Value> {
    let created = create(server, story.method, story.params()).await;
    let task = id(&created).to_owned();
    let mut shown = vec![created, get(server, &task).await];
    if story.end == "cancelled" {
        shown.push(server.ask_task("tasks/cancel", &task).await.unwrap()["result"].clone());
    } else {
        server.ask_task("tasks/result", &task).await.unwrap();
    }
    shown.push(get(server, &task).await);
    let list = server.ask("tasks/list", &json!({})).await.unwrap();
    let list = list["result"]["tasks"].as_array().unwrap();
    shown.push(list.iter().find(|one| one["taskId"] == task).unwrap().clone());
    let told = notifications(server.seen(), "notifications/tasks/status");
    shown.extend(told.into_iter().filter(|(_, told)| told["taskId"] == task).map(|(_, told)| told.clone()));
    shown
}

/// Checks something of every message that shows a task.
async fn all_shown(check: impl Fn(&[Value])) {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in &STORIES {
            let shown = shown(&mut server, story).await;
            assert!(shown.len() >= 5, "{shown:?}");
            check(&shown);
        }
    })
    .await;
}

fn time(task: &Value, member: &str) -> Timestamp {
    let text = task[member].as_str().unwrap_or_else(|| panic!("no {member}: {task}"));
    assert!(text.ends_with('Z') && text.contains('T'), "{text}");
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_task_says_when_it_was_created() {
    all_shown(|shown| {
        let created = time(&shown[0], "createdAt");
        assert!(created <= Timestamp::now());
        assert!(shown.iter().all(|task| time(task, "createdAt") == created), "{shown:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_task_says_when_it_last_changed() {
    all_shown(|shown| {
        for task in shown {
            assert!(time(task, "createdAt") <= time(task, "lastUpdatedAt"), "{task}");
            assert!(time(task, "lastUpdatedAt") <= Timestamp::now(), "{task}");
        }
    })
    .await;
    // Of one that takes a moment, the end is later than the beginning.
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let task = create(&mut server, SAMPLING, prompt("soon")).await;
        server.ask_task("tasks/result", id(&task)).await.unwrap();
        let ended = get(&mut server, id(&task)).await;
        assert!(time(&task, "lastUpdatedAt") < time(&ended, "lastUpdatedAt"), "{task} {ended}");
    })
    .await;
}

/// What was asked, up to the maximum; the default where nothing was asked.
#[tokio::test]
async fn the_actual_ttl_is_given() {
    both(async |handlers| {
        let options = with(|options| {
            options.tasks.default_ttl = Duration::from_secs(50);
            options.tasks.max_ttl = Duration::from_secs(100);
        });
        let mut server = Conversation::new(handlers, options);
        let table = [
            (json!({}), 50_000),
            (json!({ "ttl": null }), 50_000),
            (json!({ "ttl": 60_000 }), 60_000),
            (json!({ "ttl": 100_000 }), 100_000),
            (json!({ "ttl": 100_001 }), 100_000),
            (json!({ "ttl": 4_294_967_296_u64 }), 100_000),
            (json!({ "ttl": 1e300 }), 100_000),
        ];
        for (asked, given) in table {
            for (method, params) in [(SAMPLING, prompt("hello")), (ELICITATION, form("hello"))] {
                let answer = server.ask(method, &and(params, json!({ "task": asked }))).await.unwrap();
                let task = &answer["result"]["task"];
                assert_eq!(task["ttl"], given, "{asked}: {answer}");
                assert_eq!(get(&mut server, id(task)).await["ttl"], given, "{asked}");
            }
        }
    })
    .await;
}

/// Past its time a task is like one that never was.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_task_is_unknown() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let params = and(prompt("slow"), json!({ "task": { "ttl": 1 } }));
        let task = server.ask(SAMPLING, &params).await.unwrap()["result"]["task"].clone();
        soon(async { while server.ask_task("tasks/get", id(&task)).await.unwrap().get("error").is_none() {} })
            .await
            .unwrap();
        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            let expired = server.ask_task(method, id(&task)).await.unwrap();
            let unknown = server.ask_task(method, "unknown").await.unwrap();
            refused(&expired, -32602, None);
            assert_eq!(expired["error"], unknown["error"], "{method}");
        }
        assert_eq!(listed(&mut server).await, Vec::<String>::new());
    })
    .await;
}

// ---- Result Retrieval ----

/// The answer holds the task and nothing of its result, however fast that comes.
#[tokio::test]
async fn an_accepted_request_is_answered_with_its_task() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in &STORIES {
            let answer = server.ask(story.method, &as_task(story.params())).await.unwrap();
            let members: Vec<_> = answer["result"].as_object().unwrap().keys().filter(|key| *key != "_meta").collect();
            assert_eq!(members, ["task"], "{answer}");
            assert_eq!(answer["result"]["task"]["status"], "working", "{answer}");
        }
    })
    .await;
}

/// Work that takes for ever holds up neither the answer nor anything else.
#[tokio::test]
async fn the_task_is_returned_before_its_work_is_done() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for (method, params) in [(SAMPLING, prompt("slow")), (ELICITATION, form("slow"))] {
            let task = create(&mut server, method, params).await;
            assert_eq!(get(&mut server, id(&task)).await["status"], "working");
        }
        assert_eq!(server.ask("ping", &json!({})).await.unwrap()["result"], json!({}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_waits_until_the_task_has_ended() {
    both(async |handlers| {
        for (method, params) in [(SAMPLING, prompt("slow")), (ELICITATION, form("slow"))] {
            let mut server = Conversation::new(handlers.clone(), options());
            let task = create(&mut server, method, params).await;
            let session = server.session();
            let message = request("waits", "tasks/result", &json!({ "taskId": id(&task) })).to_string().into_bytes();
            let mut waits = pin!(session.answer(&message));
            for _ in 0..20 {
                assert!(start(waits.as_mut()).await.is_pending());
                assert_eq!(get(&mut server, id(&task)).await["status"], "working");
            }
            server.ask_task("tasks/cancel", id(&task)).await.unwrap();
            assert!(soon(waits).await.unwrap().is_some());
        }
    })
    .await;
}

/// Who asks before the end is answered after it: the notification of the end is out first.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_comes_after_the_end() {
    both(async |handlers| {
        for (method, params) in [(SAMPLING, prompt("soon")), (ELICITATION, form("soon"))] {
            let mut server = Conversation::new(handlers.clone(), options());
            let task = create(&mut server, method, params).await;
            let answer = server.ask_task("tasks/result", id(&task)).await.unwrap();
            let all = server.end().await.unwrap();
            let told = notifications(&all, "notifications/tasks/status");
            let ended = told.iter().find(|(_, told)| told["status"] == "completed").unwrap().0;
            assert!(ended < all.iter().position(|message| *message == answer).unwrap(), "{all:?}");
        }
    })
    .await;
}

/// Without the mark that the result of a task carries.
fn unmarked(mut answer: Value) -> Value {
    let meta = answer.pointer_mut("/result/_meta").and_then(Value::as_object_mut);
    if let Some(meta) = meta {
        meta.remove(RELATED);
        if meta.is_empty() {
            answer["result"].as_object_mut().unwrap().remove("_meta");
        }
    }
    answer.as_object_mut().unwrap().remove("id");
    answer
}

/// Each request twice, plain and as a task: a result where one is due, an error where one is due, both to the last
/// member.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_what_the_plain_request_would_have_given() {
    let table = [
        (SAMPLING, prompt("hello"), true),
        (SAMPLING, prompt("refuse"), false),
        (ELICITATION, form("hello"), true),
        (ELICITATION, form("decline"), true),
        (ELICITATION, form("cancel"), true),
        (ELICITATION, form("refuse"), false),
        (ELICITATION, form("misfit"), false),
        (ELICITATION, page("hello"), true),
        (ELICITATION, page("decline"), true),
    ];
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for (method, params, good) in &table {
            let plain = unmarked(server.ask(method, params).await.unwrap());
            let task = create(&mut server, method, params.clone()).await;
            let result = unmarked(server.ask_task("tasks/result", id(&task)).await.unwrap());
            assert_eq!(result, plain, "{params}");
            assert_eq!(plain.get("result").is_some(), *good, "{plain}");
            let status = if *good { "completed" } else { "failed" };
            assert_eq!(get(&mut server, id(&task)).await["status"], status, "{params}");
        }
    })
    .await;
    // A cell that breaks is an error either way, with the same words.
    let mut server = Conversation::new(hostile().await, options());
    for fault in ["trap", "refuse", "bad-meta", "bad-error", "nan", "deep-json", "newline-json", "newline-error"] {
        let plain = unmarked(server.ask(SAMPLING, &prompt(fault)).await.unwrap());
        let task = server.create(fault).await.unwrap();
        assert_eq!(unmarked(server.ask_task("tasks/result", &task).await.unwrap()), plain, "{fault}");
    }
}

/// A cancelled task has a result, too: an error that says so.
#[tokio::test]
async fn the_result_of_a_cancelled_task_is_an_error() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in STORIES.iter().filter(|story| story.end == "cancelled") {
            let task = story.tell(&mut server).await;
            let result = server.ask_task("tasks/result", &task).await.unwrap();
            assert_eq!(error(&result), (-32603, "Task was cancelled"));
        }
    })
    .await;
}

// ---- Associating Task-Related Messages ----

#[tokio::test(flavor = "multi_thread")]
async fn results_name_their_task() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in STORIES.iter().filter(|story| story.end == "completed") {
            let task = story.tell(&mut server).await;
            let result = server.ask_task("tasks/result", &task).await.unwrap();
            assert_eq!(result["result"]["_meta"][RELATED], json!({ "taskId": task }), "{result}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_names_its_task() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let mut tasks = BTreeMap::new();
        for story in STORIES.iter().filter(|story| story.end == "completed") {
            let token = json!(format!("token of {}", story.method));
            let params = and(story.params(), json!({ "_meta": { "progressToken": token } }));
            let task = create(&mut server, story.method, params).await;
            server.ask_task("tasks/result", id(&task)).await.unwrap();
            tasks.insert(token.to_string(), task["taskId"].clone());
        }
        let all = server.end().await.unwrap();
        let told = notifications(&all, "notifications/progress");
        assert!(told.len() >= 2 * tasks.len(), "{all:?}");
        for (_, told) in told {
            let task = &tasks[&told["progressToken"].to_string()];
            assert_eq!(told["_meta"][RELATED], json!({ "taskId": task }), "{told}");
        }
    })
    .await;
}

/// A request that belongs to a task of the server gets an answer, and progress, that belong to it as well.
#[tokio::test]
async fn answers_to_related_requests_name_the_task() {
    both(async |handlers| {
        let server_has_roots = handlers.get(Kind::Roots).is_some();
        let mut server = Conversation::new(handlers, options());
        let related = json!({ "taskId": "a task of the server" });
        let meta = json!({ "_meta": { RELATED: related, "progressToken": 7, "other": 1 } });
        let table = [
            (SAMPLING, prompt("hello")),
            (ELICITATION, form("hello")),
            (ELICITATION, page("hello")),
            (ELICITATION, form("decline")),
            ("roots/list", json!({})),
        ];
        let served = |method: &str| method != "roots/list" || server_has_roots;
        for (method, params) in table.into_iter().filter(|(method, _)| served(method)) {
            let answer = server.ask(method, &and(params.clone(), meta.clone())).await.unwrap();
            assert_eq!(answer["result"]["_meta"], json!({ RELATED: related }), "{answer}");
            let answer = server.ask(method, &params).await.unwrap();
            assert_eq!(answer["result"]["_meta"].get(RELATED), None, "{answer}");
        }
        for (_, told) in notifications(server.seen(), "notifications/progress") {
            assert_eq!(told["_meta"][RELATED], related, "{told}");
        }
    })
    .await;
}

/// Which task is meant says the parameter, whatever stands beside it.
#[tokio::test(flavor = "multi_thread")]
async fn the_parameter_says_which_task_is_meant() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let meant = id(&create(&mut server, SAMPLING, prompt("meant")).await).to_owned();
        server.ask_task("tasks/result", &meant).await.unwrap();
        let slow = id(&create(&mut server, SAMPLING, prompt("slow")).await).to_owned();
        for other in
            [json!({ "taskId": slow }), json!({ "taskId": "unknown" }), json!("nonsense"), json!([]), json!(null)]
        {
            let params = json!({ "taskId": meant, "_meta": { RELATED: other } });
            let got = server.ask("tasks/get", &params).await.unwrap();
            assert_eq!((&got["result"]["taskId"], &got["result"]["status"]), (&json!(meant), &json!("completed")));
            let result = server.ask("tasks/result", &params).await.unwrap();
            assert_eq!(result["result"]["content"]["text"], "Scripted answer to: meant");
            assert_eq!(result["result"]["_meta"][RELATED], json!({ "taskId": meant }));
            refused(&server.ask("tasks/cancel", &params).await.unwrap(), -32602, None);
            assert_eq!(get(&mut server, &slow).await["status"], "working", "{other}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn get_list_and_cancel_are_not_marked() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let task = id(&create(&mut server, SAMPLING, prompt("slow")).await).to_owned();
        let meta = json!({ RELATED: { "taskId": task } });
        for (method, params) in [
            ("tasks/get", json!({ "taskId": task })),
            ("tasks/list", json!({})),
            ("tasks/cancel", json!({ "taskId": task })),
        ] {
            let answer = server.ask(method, &and(params, json!({ "_meta": meta }))).await.unwrap();
            assert!(answer["result"].is_object() && !answer.to_string().contains(RELATED), "{answer}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_notifications_are_not_marked() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in &STORIES {
            story.tell(&mut server).await;
        }
        let all = server.end().await.unwrap();
        let told = notifications(&all, "notifications/tasks/status");
        assert!(told.len() >= STORIES.len(), "{all:?}");
        assert!(told.iter().all(|(_, told)| !told.to_string().contains(RELATED)), "{told:?}");
    })
    .await;
}

// ---- Task Listing ----

/// Whatever has become of a task: as long as it can be got, it is in the list, and looks the same there.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_got_is_listed() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, with(|options| options.tasks.page = 4));
        let mut tasks = Vec::new();
        for story in &STORIES {
            tasks.push(story.tell(&mut server).await);
            tasks.push(id(&create(&mut server, SAMPLING, prompt("slow")).await).to_owned());
        }
        let listed = listed(&mut server).await;
        assert_eq!(listed.iter().collect::<BTreeSet<_>>(), tasks.iter().collect::<BTreeSet<_>>());
        assert_eq!(listed.len(), tasks.len(), "a task came twice");
        let page = server.ask("tasks/list", &json!({})).await.unwrap();
        for task in page["result"]["tasks"].as_array().unwrap() {
            assert_eq!(*task, get(&mut server, id(task)).await);
        }
    })
    .await;
}

// ---- Task Cancellation ----

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_task_is_not_cancelled() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in &STORIES {
            let task = story.tell(&mut server).await;
            let answer = server.ask_task("tasks/cancel", &task).await.unwrap();
            let message = format!("Cannot cancel task: already in terminal status '{}'", story.end);
            assert_eq!(error(&answer), (-32602, message.as_str()));
        }
    })
    .await;
}

/// When the cancellation is answered the task is cancelled for everybody, and its notification is out.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_cancelled_before_the_answer() {
    both(async |handlers| {
        for (method, params) in [(SAMPLING, prompt("slow")), (ELICITATION, form("slow"))] {
            let store = Arc::new(MemoryStore::new());
            let mut server = Conversation::new(handlers.clone(), of("a", &store));
            let mut other = Conversation::new(handlers.clone(), of("a", &store));
            let task = create(&mut server, method, params).await;
            let answer = server.ask_task("tasks/cancel", id(&task)).await.unwrap();
            assert_eq!(answer["result"]["status"], "cancelled");
            assert_eq!(get(&mut other, id(&task)).await, answer["result"]);
            let all = server.end().await.unwrap();
            let place = all.iter().position(|message| *message == answer).unwrap();
            let told = notifications(&all, "notifications/tasks/status");
            let cancelled = told.iter().find(|(_, told)| told["status"] == "cancelled").unwrap();
            assert!(cancelled.0 < place, "{all:?}");
        }
    })
    .await;
}

/// A task that is cancelled stays so past the time at which its work would have ended, and its result is not that of
/// the work.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_stays_cancelled() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for (method, params) in [(SAMPLING, prompt("soon")), (ELICITATION, form("soon"))] {
            let task = id(&create(&mut server, method, params.clone()).await).to_owned();
            let cancelled = server.ask_task("tasks/cancel", &task).await.unwrap()["result"].clone();
            assert_eq!(cancelled["status"], "cancelled");
            // One that was begun later, and has ended.
            let later = create(&mut server, method, params).await;
            server.ask_task("tasks/result", id(&later)).await.unwrap();
            assert_eq!(get(&mut server, &task).await, cancelled);
            refused(&server.ask_task("tasks/result", &task).await.unwrap(), -32603, None);
        }
    })
    .await;
}

// ---- Error Handling ----

#[tokio::test]
async fn unknown_ids_are_invalid_params() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let known = id(&create(&mut server, SAMPLING, prompt("slow")).await).to_owned();
        let ids = [
            json!(""),
            json!("unknown"),
            json!("00000000-0000-4000-8000-000000000000"),
            json!(known.to_uppercase()),
            json!(format!(" {known}")),
            json!(format!("{known}\u{0}")),
            json!(format!("{{{known}}}")),
            json!(known.replace('-', "")),
            json!("x".repeat(100_000)),
            json!("'; DROP TABLE tasks; --"),
            json!(7),
            json!(null),
            json!([known]),
            json!({ "taskId": known }),
        ];
        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            for id in &ids {
                let answer = server.ask(method, &json!({ "taskId": id })).await.unwrap();
                refused(&answer, -32602, None);
                assert!(answer.to_string().len() < 1_000, "the answer is long");
            }
            refused(&server.ask(method, &json!({})).await.unwrap(), -32602, None);
        }
        assert_eq!(get(&mut server, &known).await["status"], "working");
    })
    .await;
}

/// Each error says what was wrong.
#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_is_wrong() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let ended = STORIES[0].tell(&mut server).await;
        let table = [
            ("tasks/get", json!({ "taskId": "unknown" }), "Task not found"),
            ("tasks/result", json!({ "taskId": "unknown" }), "Task not found"),
            ("tasks/cancel", json!({ "taskId": "unknown" }), "Task not found"),
            ("tasks/cancel", json!({ "taskId": ended }), "already in terminal status 'completed'"),
            ("tasks/list", json!({ "cursor": "unknown" }), "cursor"),
            ("tasks/get", json!({}), "taskId"),
        ];
        for (method, params, words) in table {
            let answer = server.ask(method, &params).await.unwrap();
            assert!(error(&answer).1.contains(words), "{method} {params}: {answer}");
        }
    })
    .await;
}

/// A failed task says why, and the reason is that of its result.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_task_says_why() {
    both(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in STORIES.iter().filter(|story| story.end == "failed") {
            let task = story.tell(&mut server).await;
            let result = server.ask_task("tasks/result", &task).await.unwrap();
            let got = get(&mut server, &task).await;
            assert_eq!((&got["status"], got["statusMessage"].as_str()), (&json!("failed"), Some(error(&result).1)));
        }
    })
    .await;
}

// ---- Task Isolation and Access Control ----

/// What another principal has is unknown, to the last word of the answer; its list is empty, and nothing it does
/// changes anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_principal_reaches_only_its_own_tasks() {
    both(async |handlers| {
        let store = Arc::new(MemoryStore::new());
        let mut owner = Conversation::new(handlers.clone(), of("a", &store));
        let mut tasks = vec![id(&create(&mut owner, SAMPLING, prompt("slow")).await).to_owned()];
        for story in &STORIES {
            tasks.push(story.tell(&mut owner).await);
        }
        for principal in ["b", "", "A", "a ", "%"] {
            let mut other = Conversation::new(handlers.clone(), of(principal, &store));
            for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
                let unknown = other.ask_task(method, "00000000-0000-4000-8000-000000000000").await.unwrap();
                for task in &tasks {
                    let foreign = other.ask_task(method, task).await.unwrap();
                    assert_eq!(error(&foreign), error(&unknown), "{method} tells foreign from unknown");
                }
            }
            assert_eq!(listed(&mut other).await, Vec::<String>::new());
            let own = id(&create(&mut other, SAMPLING, prompt("slow")).await).to_owned();
            assert_eq!(listed(&mut other).await, [own]);
        }
        assert_eq!(get(&mut owner, &tasks[0]).await["status"], "working");
        assert_eq!(listed(&mut owner).await, tasks);
        // The same principal in another session.
        let mut again = Conversation::new(handlers.clone(), of("a", &store));
        assert_eq!(listed(&mut again).await, tasks);
        assert_eq!(again.ask_task("tasks/cancel", &tasks[0]).await.unwrap()["result"]["status"], "cancelled");
    })
    .await;
}

/// Nobody who was not told whose a session is reaches what another session made.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_principal_is_its_own() {
    both(async |handlers| {
        let store = Arc::new(MemoryStore::new());
        let unnamed = || with(|options| options.store = Arc::<MemoryStore>::clone(&store));
        let mut first = Conversation::new(handlers.clone(), unnamed());
        let task = id(&create(&mut first, SAMPLING, prompt("slow")).await).to_owned();
        let mut second = Conversation::new(handlers.clone(), unnamed());
        refused(&second.ask_task("tasks/get", &task).await.unwrap(), -32602, None);
        assert_eq!(listed(&mut second).await, Vec::<String>::new());
    })
    .await;
}

/// A principal that asks too often is told so; others are not concerned, nor are requests that are of no task.
#[tokio::test(flavor = "multi_thread")]
async fn task_operations_are_rate_limited() {
    both(async |handlers| {
        let store = Arc::new(MemoryStore::new());
        let rate = RateLimit::per_second(NonZeroU32::new(1), NonZeroU32::new(3));
        let limited = |principal: &str| {
            let mut options = of(principal, &store);
            options.tasks.rate = rate.clone();
            options
        };
        let requests = [
            (SAMPLING, as_task(prompt("hello"))),
            (ELICITATION, as_task(form("hello"))),
            ("tasks/get", json!({ "taskId": "unknown" })),
            ("tasks/result", json!({ "taskId": "unknown" })),
            ("tasks/cancel", json!({ "taskId": "unknown" })),
            ("tasks/list", json!({})),
        ];
        for (number, (method, params)) in requests.iter().enumerate() {
            let principal = number.to_string();
            let mut server = Conversation::new(handlers.clone(), limited(&principal));
            // The allowance is full again after three seconds: so many requests come sooner.
            let mut answers = Vec::new();
            for _ in 0..40 {
                answers.push(server.ask(method, params).await.unwrap());
            }
            let limited_at = answers.iter().position(|answer| answer["error"]["data"]["kind"] == "rate_limit");
            let place = limited_at.unwrap_or_else(|| panic!("{method} is not limited"));
            assert!(place >= 3, "{method} is refused at {place}");
            refused(&answers[place], -32603, Some("rate_limit"));
            // Another session of the same principal shares what is left.
            let mut again = Conversation::new(handlers.clone(), limited(&principal));
            let mut told = false;
            for _ in 0..4 {
                told |= again.ask(method, params).await.unwrap()["error"]["data"]["kind"] == "rate_limit";
            }
            assert!(told, "{method}: a new session has a new allowance");
            for (method, params) in [(SAMPLING, prompt("hello")), (ELICITATION, form("hello")), ("ping", json!({}))] {
                assert!(server.ask(method, &params).await.unwrap().get("result").is_some());
            }
        }
    })
    .await;
}

// ---- Resource Management ----

/// What has expired is taken out of the store without anybody asking, and its work is stopped.
#[tokio::test(flavor = "multi_thread")]
async fn expired_tasks_are_removed_unasked() {
    both(async |handlers| {
        let store = Arc::new(MemoryStore::new());
        let mut server = Conversation::new(handlers, of("a", &store));
        for (method, params) in [(SAMPLING, prompt("slow")), (ELICITATION, form("hello"))] {
            let answer = server.ask(method, &and(params, json!({ "task": { "ttl": 1 } }))).await.unwrap();
            assert!(answer["result"]["task"].is_object(), "{answer}");
        }
        soon(async {
            while !store.list(Whose::Of("a"), None, 10).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_a_principal_are_limited() {
    both(async |handlers| {
        let store = Arc::new(MemoryStore::new());
        let limited = |principal: &str| {
            let mut options = of(principal, &store);
            options.tasks.tasks = 2;
            options
        };
        let mut server = Conversation::new(handlers.clone(), limited("a"));
        for _ in 0..2 {
            create(&mut server, SAMPLING, prompt("slow")).await;
        }
        for (method, params) in [(SAMPLING, prompt("slow")), (ELICITATION, form("slow"))] {
            refused(&server.ask(method, &as_task(params)).await.unwrap(), -32603, Some("tasks"));
        }
        // Each principal by itself.
        create(&mut Conversation::new(handlers.clone(), limited("b")), SAMPLING, prompt("slow")).await;
    })
    .await;
}

// ---- Audit and Logging ----

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<Value> {
        json_lines(std::str::from_utf8(&self.0.lock().unwrap()).unwrap()).unwrap()
    }
}

/// The audit log of a principal that made these requests.
async fn audited(handlers: &Handlers, story: &Story) -> (Vec<Value>, String) {
    let log = Log::default();
    let options = with(|options| {
        options.principal = "who it was".to_owned();
        options.audit = Some(Arc::new(AuditLog::new(log.clone(), false)));
    });
    let mut server = Conversation::new(handlers.clone(), options);
    let task = story.tell(&mut server).await;
    get(&mut server, &task).await;
    server.ask("tasks/list", &json!({})).await.unwrap();
    server.ask_task("tasks/get", "unknown").await.unwrap();
    (log.lines(), task)
}

/// Creation, end and each retrieval are in the log.
#[tokio::test(flavor = "multi_thread")]
async fn creation_completion_and_retrieval_are_logged() {
    both(async |handlers| {
        for story in &STORIES {
            let (lines, task) = audited(&handlers, story).await;
            let of_task: Vec<_> = lines.iter().filter(|line| line["task"] == task).collect();
            let has = |event: &str, member: &str, value: &str| {
                of_task.iter().any(|line| line["event"] == event && line[member] == value)
            };
            let last = if story.end == "cancelled" { "tasks/cancel" } else { "tasks/result" };
            assert!(has("created", "status", "working"), "{lines:?}");
            assert!(has("changed", "status", story.end), "{lines:?}");
            assert!(has("request", "method", last) && has("request", "method", "tasks/get"), "{lines:?}");
            assert!(lines.iter().any(|line| line["method"] == "tasks/list"), "{lines:?}");
            assert!(lines.iter().any(|line| line["method"] == story.method), "{lines:?}");
            for line in &lines {
                assert!(line["at"].as_str().unwrap().parse::<Timestamp>().is_ok(), "{line}");
                assert!(!line.to_string().contains(story.word), "a payload is in the log: {line}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_who_it_was() {
    both(async |handlers| {
        for story in &STORIES {
            let (lines, _) = audited(&handlers, story).await;
            assert!(lines.len() >= 6 && lines.iter().all(|line| line["principal"] == "who it was"), "{lines:?}");
        }
    })
    .await;
}

/// Failed look-ups are in the log, each with its error and what was looked for: that is where patterns show.
#[tokio::test(flavor = "multi_thread")]
async fn failed_lookups_are_logged() {
    both(async |handlers| {
        let (lines, _) = audited(&handlers, &STORIES[0]).await;
        let failed = lines.iter().find(|line| line["error"] == -32602).unwrap_or_else(|| panic!("{lines:?}"));
        assert_eq!((&failed["method"], &failed["task"]), (&json!("tasks/get"), &json!("unknown")));
    })
    .await;
}
