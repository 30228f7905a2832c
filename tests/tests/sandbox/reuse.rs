//! Instances that go on to the next request: which requests share one, and what ends it.

use std::pin::pin;

use serde_json::{Value, json};
use taskcell::{Engine, Grants, Handler, Handlers, Session};
use taskcell_test_support::conversation::{prompt, request, soon, start};
use taskcell_test_support::guests::{build_guest, build_guest_for};
use taskcell_test_support::handlers::{cells, engine};
use taskcell_test_support::provision::repository;
use taskcell_test_support::server::options;

/// The guest that counts; an instance of it answers so many requests.
async fn handlers_with_reuse(engine: &Engine, reuse: u32) -> Handlers {
    let file = build_guest(&repository().join("tests/guests/reuse")).unwrap();
    let handler = Handler::from_file(engine, &file, Grants::default()).await.unwrap();
    Handlers::new([handler.with_reuse(reuse)]).unwrap()
}

fn session(handlers: &Handlers) -> Session {
    Session::new(handlers.clone(), options()).0
}

/// The answer's text, or the kind or the message of the error.
async fn ask(session: &Session, said: &str) -> String {
    let message = request(1, "sampling/createMessage", &prompt(said)).to_string();
    let answer = soon(session.answer(message.as_bytes())).await.unwrap().unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let texts = ["/result/content/text", "/error/data/kind", "/error/message"];
    let text = texts.iter().find_map(|path| answer.pointer(path)).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// What is said to one session in turn, and what comes back: the number of requests that the instance has had.
#[tokio::test]
async fn an_instance_answers_so_many_and_ends() {
    type Said<'a> = &'a [(&'a str, &'a str)];

    let table: [(&str, u32, Said<'_>); 7] = [
        ("each request has a fresh one", 1, &[("", "1"), ("", "1"), ("", "1")]),
        ("three have one", 3, &[("", "1"), ("", "2"), ("", "3"), ("", "1"), ("", "2")]),
        ("an error is an answer", 9, &[("", "1"), ("error", "as asked"), ("", "3")]),
        ("a trap ends it", 9, &[("", "1"), ("", "2"), ("trap", "trap"), ("", "1")]),
        ("a limit ends it, though it answers", 9, &[("", "1"), ("grow", "2"), ("", "1"), ("", "2")]),
        ("none is none", 0, &[("", "1"), ("", "1")]),
        ("the last one counts, too", 2, &[("", "1"), ("trap", "trap"), ("", "1"), ("", "2"), ("", "1")]),
    ];
    let engine = engine(cells(8)).unwrap();
    for (name, reuse, said) in table {
        let session = session(&handlers_with_reuse(&engine, reuse).await);
        for (index, (said, answer)) in said.iter().enumerate() {
            assert_eq!(ask(&session, said).await, *answer, "{name}: {said:?}, request {index}");
        }
    }
}

/// What is printed over the limit is a limit that was hit; what is printed is that of the request.
#[tokio::test]
async fn who_prints_too_much_is_ended() {
    let mut limits = cells(8);
    limits.output = 1 << 10;
    let engine = engine(limits).unwrap();
    let file = build_guest_for(&repository().join("tests/guests/stdio"), "wasm32-wasip2").unwrap();
    let handler = Handler::from_file(&engine, &file, Grants::default()).await.unwrap();
    let session = session(&Handlers::new([handler.with_reuse(100)]).unwrap());
    let message = request(1, "roots/list", &json!({})).to_string();
    assert!(soon(session.answer(message.as_bytes())).await.unwrap().is_some());
    assert_eq!(engine.pool().core_instances, 0, "no cell waits");
}

/// No session sees what another left.
#[tokio::test]
async fn sessions_share_no_instance() {
    let engine = engine(cells(8)).unwrap();
    let handlers = handlers_with_reuse(&engine, 100).await;
    let (one, other) = (session(&handlers), session(&handlers));
    assert_eq!(ask(&one, "").await, "1");
    assert_eq!(ask(&one, "").await, "2");
    assert_eq!(ask(&other, "").await, "1");
    assert_eq!(ask(&one, "").await, "3");
    assert!(engine.pool().core_instances > 0, "cells wait");
    drop((one, other));
    assert_eq!(engine.pool().core_instances, 0, "they end with their session");
}

/// A request that is dropped leaves no instance in the middle of something.
#[tokio::test]
async fn a_dropped_request_ends_its_instance() {
    let engine = engine(cells(8)).unwrap();
    let session = session(&handlers_with_reuse(&engine, 100).await);
    assert_eq!(ask(&session, "").await, "1");
    {
        let message = request(2, "sampling/createMessage", &prompt("wait")).to_string();
        let mut waiting = pin!(session.answer(message.as_bytes()));
        assert!(start(waiting.as_mut()).await.is_pending());
        assert_eq!(ask(&session, "").await, "1", "it has one of its own meanwhile");
    }
    assert_eq!(ask(&session, "").await, "2");
}

/// A cell that only waits for its next request keeps nobody out.
#[tokio::test]
async fn a_waiting_cell_makes_room() {
    let engine = engine(cells(1)).unwrap();
    let handlers = handlers_with_reuse(&engine, 100).await;
    let (one, other) = (session(&handlers), session(&handlers));
    for _ in 0..3 {
        assert_eq!(ask(&one, "").await, "1");
        assert_eq!(ask(&other, "").await, "1");
        assert_eq!(ask(&other, "").await, "2");
    }
    let message = request(2, "sampling/createMessage", &prompt("wait")).to_string();
    let mut waiting = pin!(one.answer(message.as_bytes()));
    assert!(start(waiting.as_mut()).await.is_pending());
    assert_eq!(ask(&other, "").await, "overloaded", "who works is not ended");
}
