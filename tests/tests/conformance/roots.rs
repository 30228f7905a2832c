//! client/roots: what is asked of a client.

use std::sync::Arc;

use serde_json::json;
use taskcell::Handlers;
use taskcell_test_support::conversation::Conversation;
use taskcell_test_support::handlers::{cells, stock};
use taskcell_test_support::server::options;

use super::{error, model_and_user, own, refused};
use taskcell_test_support::fake_application::FakeApplication;

async fn listing(roots: &str) -> Conversation {
    Conversation::new(model_and_user(&Arc::new(FakeApplication::default()), roots).await, options())
}

/// `roots` is declared where it is served, and never that changes are told: none are.
#[tokio::test]
async fn roots_are_declared_without_changes() {
    assert_eq!(own().await.capabilities()["roots"], json!({}));
    assert_eq!(Handlers::default().capabilities().get("roots"), None);
    let mut server = listing("file:///a").await;
    for _ in 0..2 {
        server.ask("roots/list", &json!({})).await.unwrap();
    }
    assert_eq!(server.end().await.unwrap().len(), 2, "more than the answers came");
}

/// A root is a `file://` URI, whatever a handler says; one that is not spoils the answer.
#[tokio::test]
async fn roots_are_file_uris() {
    let good = ["file:///", "file:///home/user/project", "file://server/share", "file:///C:/Users", "file:///a%20b"];
    let mut server = listing(&good.join("\n")).await;
    let answer = server.ask("roots/list", &json!({})).await.unwrap();
    let roots = answer["result"]["roots"].as_array().unwrap();
    assert_eq!(roots.iter().map(|root| &root["uri"]).collect::<Vec<_>>(), good);
    let bad = ["http://example.com/", "/home/user", "file:/a", "file:a", "", "data:,x", "files:///a", "x file:///a"];
    spoiled_by(&bad).await;
}

/// Each of these among good roots spoils the answer.
async fn spoiled_by(bad: &[&str]) {
    for uri in bad {
        let mut server = listing(&format!("file:///a\n{uri}\nfile:///b")).await;
        refused(&server.ask("roots/list", &json!({})).await.unwrap(), -32603, Some("invalid_answer"));
    }
}

/// A root does not climb out of the folder that it seems to name, however that is written.
#[tokio::test]
async fn roots_do_not_climb() {
    spoiled_by(&[
        "file:///home/user/../other",
        "file:///home/user/..",
        "file:///home/user/%2e%2e/other",
        "file:///home/user/.%2E/other",
        "file:///home/user%2F..%2Fother",
        "file:///home\\..\\other",
        "file:///home/user%00",
        "file:///home/%zz",
    ])
    .await;
    let good = ["file:///home/..user/a..b/...", "file:///home/.hidden"];
    let answer = listing(&good.join("\n")).await.ask("roots/list", &json!({})).await.unwrap();
    assert_eq!(answer["result"]["roots"].as_array().unwrap().len(), good.len());
}

/// A cell that breaks is an internal error.
#[tokio::test]
async fn broken_roots_are_an_internal_error() {
    let script = json!({ "roots": [{ "uri": "http://example.com" }] });
    let mut server = Conversation::new(stock(cells(4), &script).await.unwrap(), options());
    assert_eq!(error(&server.ask("roots/list", &json!({})).await.unwrap()).0, -32603);
}

/// Without roots the reference's error is given.
#[tokio::test]
async fn unsupported_roots_are_an_error() {
    let mut server = Conversation::new(Handlers::default(), options());
    assert_eq!(error(&server.ask("roots/list", &json!({})).await.unwrap()), (-32600, "List roots not supported"));
}
