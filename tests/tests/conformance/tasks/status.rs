//! Who takes tasks, their ids and their course.

use super::*;

// ---- Capabilities, Task Support and Handling ----

#[tokio::test]
async fn what_takes_tasks_is_declared() {
    each(async |handlers| {
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
    let plain = "You said: ask hello";
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
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in &STORIES {
            assert_eq!(create(&mut server, story.method, story.params()).await["status"], "working");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_legal_transitions_are_made() {
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
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
