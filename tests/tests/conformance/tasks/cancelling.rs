//! Lists, and tasks that are cancelled.

use super::*;

// ---- Task Listing ----

/// Whatever has become of a task: as long as it can be got, it is in the list, and looks the same there.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_got_is_listed() {
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for (method, params) in [(SAMPLING, prompt("soon")), (ELICITATION, form("soon"))] {
            // On a busy machine the work may be done before the cancellation comes.
            let (task, cancelled) = loop {
                let task = id(&create(&mut server, method, params.clone()).await).to_owned();
                let answer = server.ask_task("tasks/cancel", &task).await.unwrap();
                if answer["error"]["code"] != -32602 {
                    break (task, answer["result"].clone());
                }
            };
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
