//! When a task was made and changed, and how long it is kept.

use super::*;

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
    // The notification of the end may come after the result.
    let told = |server: &Conversation| {
        let told = notifications(server.seen(), "notifications/tasks/status");
        told.into_iter().map(|(_, told)| told).filter(|told| told["taskId"] == task).cloned().collect::<Vec<_>>()
    };
    while told(server).last().is_none_or(|told| told["status"] != story.end) {
        server.next().await.unwrap();
    }
    shown.extend(told(server));
    shown
}

/// Checks something of every message that shows a task.
async fn all_shown(check: impl Fn(&[Value])) {
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
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
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let params = and(prompt("slow"), json!({ "task": { "ttl": BRIEF } }));
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

/// A task is answered though it is over by then, and not found afterwards; a time that is none is refused by its name.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_over_at_once_is_taken_at_its_word() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for (method, params) in [(SAMPLING, prompt("hello")), (ELICITATION, form("hello"))] {
            for ttl in [json!(0), json!(1), json!(-0.0), json!(0.0)] {
                let asked = and(params.clone(), json!({ "task": { "ttl": ttl } }));
                let answer = server.ask(method, &asked).await.unwrap();
                let task = &answer["result"]["task"];
                assert_eq!(
                    (task["status"].as_str(), task["ttl"].as_f64()),
                    (Some("working"), ttl.as_f64()),
                    "{answer}"
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
                for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
                    refused(&server.ask_task(method, id(task)).await.unwrap(), -32602, None);
                }
            }
            for ttl in [json!(-1), json!(-1e300), json!(0.5), json!(1.5), json!("1"), json!(true), json!([1])] {
                let asked = and(params.clone(), json!({ "task": { "ttl": ttl } }));
                let answer = server.ask(method, &asked).await.unwrap();
                refused(&answer, -32602, None);
                assert!(answer["error"]["message"].as_str().unwrap().contains("task.ttl"), "{ttl}: {answer}");
            }
        }
    })
    .await;
}
