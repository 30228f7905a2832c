//! How many requests about tasks a principal may make, as a server without any handler sees it.

use std::num::NonZeroU32;

use serde_json::Value;
use taskcell::tasks::RateLimit;
use taskcell_test_support::server::{Server, options};

use super::*;

const BURST: usize = 50;

fn server(principal: &str, limits: &TaskLimits) -> Server {
    let mut options = options();
    options.principal = principal.to_owned();
    options.tasks = limits.clone();
    Server::with(taskcell::Handlers::default(), options)
}

/// Whether each of so many requests was admitted.
async fn asks(server: &Server, count: usize, method: &str, params: &Value) -> Vec<bool> {
    let mut admitted = Vec::new();
    for _ in 0..count {
        let answer = server.request(method, params).await.unwrap();
        let refused = answer["error"]["data"]["kind"] == "rate_limit";
        assert!(!refused || answer["error"]["code"] == -32603, "{answer}");
        admitted.push(!refused);
    }
    admitted
}

/// One request a second, and many at once.
fn rate() -> RateLimit {
    RateLimit::per_second(NonZeroU32::new(1), NonZeroU32::new(u32::try_from(BURST).unwrap()))
}

#[tokio::test]
async fn a_principal_may_ask_so_often() {
    let task = json!({ "taskId": "x" });
    let sampling = json!({ "messages": [], "maxTokens": 1, "task": {} });
    let form = json!({ "message": "?", "requestedSchema": { "type": "object", "properties": {} }, "task": {} });
    let counted = [
        ("tasks/get", task.clone()),
        ("tasks/result", task.clone()),
        ("tasks/cancel", task),
        ("tasks/list", json!({})),
        ("sampling/createMessage", sampling),
        ("elicitation/create", form),
    ];
    for (method, params) in &counted {
        let server = server("me", &limits(|limits| limits.rate = rate()));
        assert_eq!(asks(&server, BURST, method, params).await, [true; BURST], "{method}");
        assert!(asks(&server, BURST, method, params).await.contains(&false), "{method}");
        // What is not about tasks is not counted.
        for (method, params) in [
            ("ping", json!({})),
            ("roots/list", json!({})),
            ("sampling/createMessage", json!({ "messages": [], "maxTokens": 1 })),
        ] {
            assert_eq!(asks(&server, BURST, method, &params).await, [true; BURST], "{method}");
        }
    }
}

#[tokio::test]
async fn sessions_of_one_principal_share_what_it_may() {
    let limits = limits(|limits| limits.rate = rate());
    let task = json!({ "taskId": "x" });
    let (one, other, you) = (server("me", &limits), server("me", &limits), server("you", &limits));
    assert_eq!(asks(&one, BURST, "tasks/get", &task).await, [true; BURST]);
    assert!(asks(&other, BURST, "tasks/get", &task).await.contains(&false));
    assert_eq!(asks(&you, BURST, "tasks/get", &task).await, [true; BURST]);
}

#[tokio::test]
async fn without_a_limit_all_may_be_asked() {
    let some = NonZeroU32::new(1);
    for rate in [RateLimit::none(), RateLimit::per_second(None, some), RateLimit::per_second(some, None)] {
        let server = server("me", &limits(|limits| limits.rate = rate));
        let admitted = asks(&server, 1_000, "tasks/list", &json!({})).await;
        assert!(!admitted.contains(&false));
    }
}
