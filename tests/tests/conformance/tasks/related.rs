//! Which messages name a task.

use super::*;

// ---- Associating Task-Related Messages ----

#[tokio::test(flavor = "multi_thread")]
async fn results_name_their_task() {
    each(async |handlers| {
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
    each(async |handlers| {
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
        assert!(told.len() >= tasks.len(), "{all:?}");
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
    each(async |handlers| {
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
    each(async |handlers| {
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
            assert_eq!(result["result"]["content"]["text"], "Scripted answer to: ask meant");
            assert_eq!(result["result"]["_meta"][RELATED], json!({ "taskId": meant }));
            refused(&server.ask("tasks/cancel", &params).await.unwrap(), -32602, None);
            assert_eq!(get(&mut server, &slow).await["status"], "working", "{other}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn get_list_and_cancel_are_not_marked() {
    each(async |handlers| {
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
    each(async |handlers| {
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
