//! What a task gives, and when.

use super::*;

// ---- Result Retrieval ----

/// The answer holds the task and nothing of its result, however fast that comes.
#[tokio::test]
async fn an_accepted_request_is_answered_with_its_task() {
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
        for (method, params) in [(SAMPLING, prompt("slow")), (ELICITATION, form("slow"))] {
            let mut server = Conversation::new(handlers.clone(), options());
            let task = create(&mut server, method, params).await;
            let session = server.session();
            let message = request("waits", "tasks/result", &json!({ "taskId": id(&task) })).to_string().into_bytes();
            // By itself: a cell that computes has a turn to do so, and keeps it while nobody asks for its answer.
            let waits = tokio::spawn(async move { session.answer(&message).await });
            for _ in 0..20 {
                assert_eq!(get(&mut server, id(&task)).await["status"], "working");
                assert!(!waits.is_finished());
            }
            server.ask_task("tasks/cancel", id(&task)).await.unwrap();
            assert!(soon(waits).await.unwrap().unwrap().is_some());
        }
    })
    .await;
}

/// Whoever has the result finds the task ended, and not before: a result that comes early would be seen by an open
/// task.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_comes_after_the_end() {
    each(async |handlers| {
        for (method, params) in [(SAMPLING, prompt("soon")), (ELICITATION, form("soon"))] {
            let mut server = Conversation::new(handlers.clone(), options());
            let task = create(&mut server, method, params).await;
            let result = server.ask_task("tasks/result", id(&task)).await.unwrap();
            assert!(result["result"].is_object(), "{result}");
            assert_eq!(get(&mut server, id(&task)).await["status"], "completed");
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
    each(async |handlers| {
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
        let plain = unmarked(server.ask(SAMPLING, &conversation::prompt(fault)).await.unwrap());
        let task = server.create(fault).await.unwrap();
        assert_eq!(unmarked(server.ask_task("tasks/result", &task).await.unwrap()), plain, "{fault}");
    }
}

/// A cancelled task has a result, too: an error that says so.
#[tokio::test]
async fn the_result_of_a_cancelled_task_is_an_error() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for story in STORIES.iter().filter(|story| story.end == "cancelled") {
            let task = story.tell(&mut server).await;
            let result = server.ask_task("tasks/result", &task).await.unwrap();
            assert_eq!(error(&result), (-32603, "Task was cancelled"));
        }
    })
    .await;
}
