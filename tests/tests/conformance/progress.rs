//! basic/utilities/progress: what is asked of who is asked for progress.

use serde_json::{Value, json};
use taskcell_tests::conversation::{self, Conversation, request};
use taskcell_tests::server::options;

use super::{ELICITATION, SAMPLING, and, create, each, form, hostile, id, notifications, prompt, refused};

fn with_token(params: Value, token: &Value) -> Value {
    and(params, json!({ "_meta": { "progressToken": token } }))
}

/// Only strings and whole numbers are tokens, and they come back as they were sent.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_strings_or_integers() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for token in [json!("t"), json!(""), json!("0"), json!(0), json!(-1), json!(9_007_199_254_740_993_i64)] {
            let before = server.seen().len();
            let task = create(&mut server, SAMPLING, with_token(prompt("hello"), &token)).await;
            server.ask_task("tasks/result", id(&task)).await.unwrap();
            let told = notifications(&server.seen()[before..], "notifications/progress");
            assert!(!told.is_empty(), "{token}");
            assert!(told.iter().all(|(_, told)| told["progressToken"] == token), "{token}: {told:?}");
        }
        for token in [json!(1.5), json!(true), json!([]), json!({})] {
            for params in [prompt("hello"), and(prompt("hello"), json!({ "task": {} }))] {
                refused(&server.ask(SAMPLING, &with_token(params, &token)).await.unwrap(), -32602, None);
            }
        }
    })
    .await;
}

/// The progress of a task grows with each notification, over the whole of its life.
#[tokio::test(flavor = "multi_thread")]
async fn progress_grows() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for (method, params) in [(SAMPLING, prompt("soon")), (ELICITATION, form("soon"))] {
            let task = create(&mut server, method, with_token(params, &json!(method))).await;
            server.ask_task("tasks/result", id(&task)).await.unwrap();
            let told = notifications(server.seen(), "notifications/progress");
            let told = told.iter().filter(|(_, told)| told["progressToken"] == method);
            let values: Vec<_> = told.map(|(_, told)| told["progress"].as_f64().unwrap()).collect();
            assert!(!values.is_empty() && values.is_sorted_by(|earlier, later| earlier < later), "{values:?}");
        }
    })
    .await;
}

/// Progress goes out for tokens that were given, each for its own request, and without one for none.
#[tokio::test(flavor = "multi_thread")]
async fn only_tokens_that_were_given_are_used() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let tokens = [None, Some(json!("a")), None, Some(json!(7))];
        for token in &tokens {
            let params = token.as_ref().map_or_else(|| prompt("hello"), |token| with_token(prompt("hello"), token));
            server.ask(SAMPLING, &params).await.unwrap();
            let task = create(&mut server, SAMPLING, params).await;
            server.ask_task("tasks/result", id(&task)).await.unwrap();
        }
        let all = server.end().await.unwrap();
        let told = notifications(&all, "notifications/progress");
        let given: Vec<_> = tokens.iter().flatten().collect();
        assert!(told.iter().all(|(_, told)| given.contains(&&told["progressToken"])), "{told:?}");
        assert!(given.iter().all(|token| told.iter().any(|(_, told)| told["progressToken"] == **token)));
    })
    .await;
}

/// The token of the request that made the task is used after that request was answered, until the task has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_lives_as_long_as_its_task() {
    each(async |handlers| {
        for (method, params) in [(SAMPLING, prompt("soon")), (ELICITATION, form("soon"))] {
            let mut server = Conversation::new(handlers.clone(), options());
            let task = create(&mut server, method, with_token(params, &json!("t"))).await;
            let created = server.seen().len();
            server.ask_task("tasks/result", id(&task)).await.unwrap();
            let all = server.end().await.unwrap();
            let told = notifications(&all, "notifications/progress");
            assert!(!told.is_empty(), "{all:?}");
            assert!(told.iter().all(|(place, told)| *place >= created && told["progressToken"] == "t"), "{all:?}");
        }
    })
    .await;
}

/// Nothing more once the task has ended, however it did.
#[tokio::test(flavor = "multi_thread")]
async fn progress_stops_when_the_task_has_ended() {
    each(async |handlers| {
        for (word, method) in [("soon", "tasks/result"), ("refuse", "tasks/result"), ("slow", "tasks/cancel")] {
            let mut server = Conversation::new(handlers.clone(), options());
            let task = create(&mut server, SAMPLING, with_token(prompt(word), &json!("t"))).await;
            while notifications(server.seen(), "notifications/progress").is_empty() {
                server.next().await.unwrap();
            }
            server.ask_task(method, id(&task)).await.unwrap();
            // What comes later would be among what these wait for.
            let later = create(&mut server, SAMPLING, prompt("soon")).await;
            server.ask_task("tasks/result", id(&later)).await.unwrap();
            let all = server.end().await.unwrap();
            let ended = |told: &Value| {
                told["taskId"] == task["taskId"]
                    && !["working", "input_required"].map(Value::from).contains(&told["status"])
            };
            let told = notifications(&all, "notifications/tasks/status");
            let end = told.iter().find(|(_, told)| ended(told)).unwrap().0;
            let told = notifications(&all, "notifications/progress");
            assert!(told.iter().all(|(place, _)| *place < end), "{word}: {all:?}");
        }
    })
    .await;
}

/// A plain request's progress is out before its answer, and nothing after.
#[tokio::test(flavor = "multi_thread")]
async fn progress_stops_with_the_answer() {
    let mut server = Conversation::new(hostile().await, options());
    let answer = server.ask(SAMPLING, &with_token(conversation::prompt("progress"), &json!("t"))).await.unwrap();
    server.ask("ping", &json!({})).await.unwrap();
    let all = server.end().await.unwrap();
    let place = all.iter().position(|message| *message == answer).unwrap();
    let told = notifications(&all, "notifications/progress");
    assert!(!told.is_empty() && told.iter().all(|(told, _)| *told < place), "{all:?}");
}

/// A guest that reports without end fills half of what may wait to be sent, and no more: what else is to be said gets
/// through to a server that reads slowly.
#[tokio::test(flavor = "multi_thread")]
async fn floods_are_cut() {
    let mut server = Conversation::new(hostile().await, options());
    let params = with_token(conversation::prompt("progress-for-ever"), &json!("t"));
    let task = create(&mut server, SAMPLING, params).await;
    while notifications(server.seen(), "notifications/progress").is_empty() {
        server.next().await.unwrap();
    }
    let read = server.seen().len();
    // Nothing is read from here on, while the guest reports and other requests are served.
    for _ in 0..100 {
        server
            .session()
            .answer(request(1, SAMPLING, &conversation::prompt("good")).to_string().as_bytes())
            .await
            .unwrap();
    }
    for number in 0..100 {
        server.handle(&request(number, "ping", &json!({}))).await.unwrap();
    }
    server.handle(&request("cancels", "tasks/cancel", &json!({ "taskId": id(&task) }))).await.unwrap();
    let all = server.end().await.unwrap();
    let waiting = notifications(&all[read..], "notifications/progress").len();
    assert!((1..=512).contains(&waiting), "{waiting} reports wait to be read");
    assert_eq!(all.iter().filter(|message| message["result"] == json!({})).count(), 100);
}
