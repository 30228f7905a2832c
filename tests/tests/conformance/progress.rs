//! basic/utilities/progress: what is asked of who is asked for progress.

use serde_json::{Value, json};
use taskcell::Session;
use taskcell_test_support::conversation::{self, Conversation, request, soon};
use taskcell_test_support::server::options;

use super::{ELICITATION, SAMPLING, and, create, each, form, hostile, id, notifications, prompt};

fn with_token(params: Value, token: &Value) -> Value {
    and(params, json!({ "_meta": { "progressToken": token } }))
}

/// Strings and numbers are tokens, and come back as they were written. Some JSON libraries write a whole number with a
/// fraction, and some have larger ones than others; what is no token refuses no request, and gets no progress.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_come_back_as_they_were_written() {
    let long = format!("\"{}\"", "x".repeat(2_000));
    #[rustfmt::skip]
    let tokens = [
        (r#""t""#, true), (r#""""#, true), (r#""0""#, true), (r#""\u00e4\/""#, true),
        ("0", true), ("-1", true), ("9007199254740993", true), ("9223372036854775807", true), ("7.0", true), ("7.5", true),
        ("-0.0", true), ("1e3", true), ("18446744073709551616", true), ("123456789012345678901234567890", true),
        ("true", false), ("null", false), ("[]", false), ("[7]", false), ("{}", false), (&*long, false),
    ];
    each(async |handlers| {
        let (session, mut outbox) = Session::new(handlers, options());
        for (token, told) in tokens {
            // The values of a JSON library would not keep how a number is written.
            let with = |members: &str| prompt("hello").to_string().replacen('{', &format!("{{{members},"), 1);
            let meta = format!(r#""_meta":{{"progressToken":{token}}}"#);
            let ask = async |params: &str| {
                let message = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{SAMPLING}","params":{params}}}"#);
                let answer: Value = serde_json::from_slice(&session.answer(message.as_bytes()).await.unwrap()).unwrap();
                assert!(answer["result"].is_object(), "{token}: {answer}");
                answer
            };
            ask(&with(&meta)).await;
            let created = ask(&with(&format!(r#"{meta},"task":{{}}"#))).await;
            let end = request("end", "tasks/result", &json!({ "taskId": id(&created["result"]["task"]) }));
            soon(session.handle(end.to_string().as_bytes())).await.unwrap();
            let mut progress = Vec::new();
            loop {
                let message = String::from_utf8(soon(outbox.recv()).await.unwrap().unwrap()).unwrap();
                match () {
                    () if message.contains("notifications/progress") => progress.push(message),
                    () if message.contains(r#""id":"end""#) => break,
                    () => {}
                }
            }
            assert_eq!(!progress.is_empty(), told, "{token}: {progress:?}");
            let member = format!(r#""progressToken":{token},"#);
            assert!(progress.iter().all(|message| message.contains(&member)), "{token}: {progress:?}");
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
