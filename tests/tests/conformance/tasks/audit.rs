//! What is written down.

use taskcell_test_support::written::Written;

use super::*;

// ---- Audit and Logging ----

/// The audit log of a principal that made these requests.
async fn audited(handlers: &Handlers, story: &Story) -> (Vec<Value>, String) {
    let log = Written::default();
    let options = with(|options| {
        options.principal = "who it was".to_owned();
        options.audit = Some(Arc::new(AuditLog::new(log.clone(), false)));
    });
    let mut server = Conversation::new(handlers.clone(), options);
    let task = story.tell(&mut server).await;
    get(&mut server, &task).await;
    server.ask("tasks/list", &json!({})).await.unwrap();
    server.ask_task("tasks/get", "unknown").await.unwrap();
    // The end may be written while its result is already on the way.
    let ended = |line: &Value| line["event"] == "changed" && line["task"] == task && line["status"] == story.end;
    soon(async {
        while !log.lines().unwrap().iter().any(ended) {
            tokio::task::yield_now().await
        }
    })
    .await
    .unwrap();
    (log.lines().unwrap(), task)
}

/// Creation, end and each retrieval are in the log.
#[tokio::test(flavor = "multi_thread")]
async fn creation_completion_and_retrieval_are_logged() {
    each(async |handlers| {
        for story in &STORIES {
            let (lines, task) = audited(&handlers, story).await;
            let of_task: Vec<_> = lines.iter().filter(|line| line["task"] == task).collect();
            let has = |event: &str, member: &str, value: &str| {
                of_task.iter().any(|line| line["event"] == event && line[member] == value)
            };
            let last = if story.end == "cancelled" { "tasks/cancel" } else { "tasks/result" };
            assert!(has("created", "status", "working"), "{lines:?}");
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
    each(async |handlers| {
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
    each(async |handlers| {
        let (lines, _) = audited(&handlers, &STORIES[0]).await;
        let failed = lines.iter().find(|line| line["error"] == -32602).unwrap_or_else(|| panic!("{lines:?}"));
        assert_eq!((&failed["method"], &failed["task"]), (&json!("tasks/get"), &json!("unknown")));
    })
    .await;
}
