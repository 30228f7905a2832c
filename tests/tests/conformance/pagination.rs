//! server/utilities/pagination, as it holds for `tasks/list`, where the client is the one that gives pages.

use std::sync::Arc;

use serde_json::{Value, json};
use taskcell::tasks::MemoryStore;
use taskcell::{Handlers, SessionOptions};
use taskcell_test_support::conversation::Conversation;

use super::{SAMPLING, create, each, error, id, of, prompt, refused};

const PAGE: usize = 3;

fn paged(principal: &str, store: &Arc<MemoryStore>) -> SessionOptions {
    let mut options = of(principal, store);
    options.tasks.page = PAGE;
    options
}

/// A session of principal `a` with so many tasks, and their ids in order.
async fn holding(handlers: &Handlers, store: &Arc<MemoryStore>, tasks: usize) -> (Conversation, Vec<String>) {
    let mut server = Conversation::new(handlers.clone(), paged("a", store));
    let mut ids = Vec::new();
    for _ in 0..tasks {
        ids.push(id(&create(&mut server, SAMPLING, prompt("hello")).await).to_owned());
    }
    (server, ids)
}

/// A page: its ids, and the cursor to the next.
async fn page(server: &mut Conversation, cursor: Option<&str>) -> (Vec<String>, Option<String>) {
    let params = cursor.map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
    let answer = server.ask("tasks/list", &params).await.unwrap();
    let result = &answer["result"];
    let tasks = result["tasks"].as_array().unwrap_or_else(|| panic!("no page: {answer}"));
    // Absent where there is no more: a null would be no end to some.
    let next = result.get("nextCursor").map(|cursor| cursor.as_str().unwrap().to_owned());
    (tasks.iter().map(|task| id(task).to_owned()).collect(), next)
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    each(async |handlers| {
        for count in [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1] {
            let (mut server, ids) = holding(&handlers, &Arc::default(), count).await;
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let (tasks, next) = page(&mut server, cursor.as_deref()).await;
                assert!(tasks.len() <= PAGE, "{} on one page", tasks.len());
                found.extend(tasks);
                // A cursor if, and only if, there is more.
                assert_eq!(next.is_some(), found.len() < ids.len(), "{count} tasks");
                match next {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
            assert_eq!(found, ids, "{count} tasks");
        }
    })
    .await;
}

/// A cursor means the same place, however often it is used and whatever comes and goes meanwhile, in every session of
/// the principal.
#[tokio::test(flavor = "multi_thread")]
async fn cursors_are_stable() {
    each(async |handlers| {
        let store = Arc::new(MemoryStore::new());
        let (mut server, ids) = holding(&handlers, &store, 2 * PAGE + 1).await;
        let (first, cursor) = page(&mut server, None).await;
        assert_eq!(first, ids[..PAGE]);
        let cursor = cursor.unwrap();
        let second = page(&mut server, Some(&cursor)).await.0;
        assert_eq!(second, ids[PAGE..2 * PAGE]);
        create(&mut server, SAMPLING, prompt("hello")).await;
        assert_eq!(page(&mut server, Some(&cursor)).await.0, second);
        let mut again = Conversation::new(handlers.clone(), paged("a", &store));
        assert_eq!(page(&mut again, Some(&cursor)).await.0, second);
    })
    .await;
}

/// What is no cursor is refused.
#[tokio::test]
async fn unknown_cursors_are_invalid_params() {
    each(async |handlers| {
        let (mut server, ids) = holding(&handlers, &Arc::default(), PAGE + 1).await;
        let long = "A".repeat(100_000);
        for cursor in ["", "0", "unknown", &ids[0], "\u{0}", "ü", "eyJwYWdlIjogMn0=", "../..", &long] {
            let answer = server.ask("tasks/list", &json!({ "cursor": cursor })).await.unwrap();
            refused(&answer, -32602, None);
            assert!(answer.to_string().len() < 1_000, "the answer is long");
        }
        for cursor in [json!(0), json!([]), json!({}), json!(true)] {
            refused(&server.ask("tasks/list", &json!({ "cursor": cursor })).await.unwrap(), -32602, None);
        }
    })
    .await;
}

/// A cursor that was altered anywhere is refused, by whatever it was altered.
#[tokio::test(flavor = "multi_thread")]
async fn altered_cursors_are_invalid_params() {
    each(async |handlers| {
        let (mut server, _) = holding(&handlers, &Arc::default(), PAGE + 1).await;
        let cursor = page(&mut server, None).await.1.unwrap();
        let mut taken = Vec::new();
        for altered in alterations(&cursor) {
            let answer = server.ask("tasks/list", &json!({ "cursor": altered })).await.unwrap();
            if answer.get("result").is_some() || error(&answer).0 != -32602 {
                taken.push(format!("{altered} is answered with {answer}"));
            }
        }
        assert!(taken.is_empty(), "{cursor} altered:\n{}", taken.join("\n"));
    })
    .await;
}

/// Every way to change one character, to leave one out, to add one, and to turn the case.
fn alterations(cursor: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (place, old) in cursor.char_indices() {
        let (before, after) = (&cursor[..place], &cursor[place + old.len_utf8()..]);
        all.push(format!("{before}{after}"));
        for new in ["0", "1", "f", "A", "_", "-", "=", ".", " "] {
            if !old.to_string().eq(new) {
                all.push(format!("{before}{new}{after}"));
            }
            all.push(format!("{before}{new}{old}{after}"));
        }
        let flipped = char::from(u8::try_from(old).unwrap() ^ 1);
        all.push(format!("{before}{flipped}{after}"));
        let turned = if old.is_lowercase() { old.to_ascii_uppercase() } else { old.to_ascii_lowercase() };
        if turned != old {
            all.push(format!("{before}{turned}{after}"));
        }
    }
    all.extend([format!("{cursor}="), format!("{cursor} "), format!("{cursor}A"), format!("{cursor}{cursor}")]);
    all.retain(|altered| altered != cursor);
    all
}

/// Another principal's cursor is no cursor.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_cursors_are_invalid_params() {
    each(async |handlers| {
        let store = Arc::new(MemoryStore::new());
        let (mut server, _) = holding(&handlers, &store, PAGE + 1).await;
        let cursor = page(&mut server, None).await.1.unwrap();
        let mut other = Conversation::new(handlers.clone(), paged("b", &store));
        for _ in 0..=PAGE {
            create(&mut other, SAMPLING, prompt("hello")).await;
        }
        assert!(page(&mut other, None).await.1.is_some());
        refused(&other.ask("tasks/list", &json!({ "cursor": cursor })).await.unwrap(), -32602, None);
        // A store with another secret knows it neither.
        let (mut elsewhere, _) = holding(&handlers, &Arc::default(), PAGE + 1).await;
        refused(&elsewhere.ask("tasks/list", &json!({ "cursor": cursor })).await.unwrap(), -32602, None);
        assert!(server.ask("tasks/list", &json!({ "cursor": cursor })).await.unwrap()["result"].is_object());
    })
    .await;
}

/// Absent and null are the same: the first page.
#[tokio::test]
async fn no_cursor_is_the_first_page() {
    each(async |handlers| {
        let (mut server, ids) = holding(&handlers, &Arc::default(), PAGE + 1).await;
        for params in [Value::Null, json!({}), json!({ "cursor": null })] {
            let answer = server.ask("tasks/list", &params).await.unwrap();
            assert_eq!(answer["result"]["tasks"][0]["taskId"], ids[0], "{params}");
        }
    })
    .await;
}
