//! Requests that are large, and many of them: what allocates collects its garbage, also while a request is handed in.

use super::*;

/// Messages of a large request: more than any of the languages takes without a collection.
const MESSAGES: usize = 20_000;
/// Requests one after another.
const REQUESTS: usize = 50;

pub(super) async fn run(handlers: &Handlers) {
    let message = json!({ "role": "user", "content": { "type": "text", "text": "x".repeat(50) } });
    let params = |count: usize| json!({ "messages": vec![&message; count], "maxTokens": 1 });
    let text = |count: usize| json!(format!("{count} messages, at most 1 tokens: {}", "x".repeat(50)));
    let mut server = conversation(handlers);
    let answer = server.ask(SAMPLING, &params(MESSAGES)).await.unwrap();
    assert_eq!(answer["result"]["content"]["text"], text(MESSAGES), "{answer}");
    for count in 1..=REQUESTS {
        let answer = server.ask(SAMPLING, &params(count)).await.unwrap();
        assert_eq!(answer["result"]["content"]["text"], text(count), "{answer}");
    }
}
