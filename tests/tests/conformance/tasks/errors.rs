//! What is answered when something is wrong.

use super::*;

// ---- Error Handling ----

#[tokio::test]
async fn unknown_ids_are_invalid_params() {
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
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
