//! Whose tasks these are, and how many.

use super::*;

// ---- Task Isolation and Access Control ----

/// What another principal has is unknown, to the last word of the answer; its list is empty, and nothing it does
/// changes anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_principal_reaches_only_its_own_tasks() {
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
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

/// What has expired is taken out of the store without a request, and its work is stopped.
#[tokio::test(flavor = "multi_thread")]
async fn expired_tasks_are_removed_unasked() {
    each(async |handlers| {
        let store = Arc::new(MemoryStore::new());
        let mut server = Conversation::new(handlers, of("a", &store));
        for (method, params) in [(SAMPLING, prompt("slow")), (ELICITATION, form("hello"))] {
            let answer = server.ask(method, &and(params, json!({ "task": { "ttl": BRIEF } }))).await.unwrap();
            assert!(answer["result"]["task"].is_object(), "{answer}");
        }
        soon(async {
            while !store.list(PrincipalFilter::Of("a"), None, 10).await.unwrap().is_empty() {
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
    each(async |handlers| {
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
