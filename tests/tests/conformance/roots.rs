//! client/roots: what is asked of a client.

use std::sync::Arc;

use serde_json::json;
use taskcell::Handlers;
use taskcell_tests::conversation::Conversation;
use taskcell_tests::server::options;

use super::application::Application;
use super::{error, own, plain, refused};

async fn listing(roots: &str) -> Conversation {
    Conversation::new(plain(&Arc::new(Application::default()), roots).await, options())
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
    for uri in bad {
        let mut server = listing(&format!("file:///a\n{uri}\nfile:///b")).await;
        refused(&server.ask("roots/list", &json!({})).await.unwrap(), -32603, Some("invalid_answer"));
    }
}

/// Without roots the reference's error is given.
#[tokio::test]
async fn unsupported_roots_are_an_error() {
    let mut server = Conversation::new(Handlers::default(), options());
    assert_eq!(error(&server.ask("roots/list", &json!({})).await.unwrap()), (-32600, "List roots not supported"));
}
