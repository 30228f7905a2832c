//! Conformance with MCP 2025-11-25, as `docs/conformance.md` lists it: one file for each page of the specification, a
//! function for each rule, over real components and a session.
//!
//! What holds for tasks holds in both ways in which a component may take part in them, and for a component in any
//! language, so those tests are written over [`each`]. The same words in a request bring about the same in each:
//!
//! | word | brings about |
//! |---|---|
//! | `slow` | a task that ends only by being cancelled |
//! | `soon` | a task that takes a moment |
//! | `refuse` | the error of a user who refused |
//! | `decline`, `cancel` | that action of the user (elicitation) |
//! | `misfit` | a `name` that is a number (elicitation) |
//! | anything else | a text that quotes the request, or a form with the name Ada |

mod base;
mod cancellation;
mod elicitation;
mod lifecycle;
mod pagination;
mod progress;
mod roots;
mod sampling;
mod table;
mod tasks;

use std::sync::Arc;

use serde_json::{Value, json};
use taskcell::tasks::MemoryStore;
use taskcell::{Grants, Handlers, SessionOptions};
use taskcell_test_support::conversation::{self, Conversation};
use taskcell_test_support::fake_application::{FakeApplication, MOMENT, REFUSAL};
use taskcell_test_support::handlers::{cells, guest, guest_with, stock};
use taskcell_test_support::languages::LANGUAGES;
use taskcell_test_support::provision::language_skipped;
use taskcell_test_support::server::options;

const SAMPLING: &str = "sampling/createMessage";
const ELICITATION: &str = "elicitation/create";
/// The key that associates a message with a task.
const RELATED: &str = "io.modelcontextprotocol/related-task";
/// Longer than any test takes.
const HOUR: u64 = 3_600_000;
/// Cells that a test needs at most.
const CELLS: u32 = 64;

/// Runs a test with a component that exports the task kinds itself, with one that has them supplied, and with the one
/// of all kinds in each language.
///
/// The first two answer from the [script]; those of the languages ask the [`FakeApplication`], which knows the same
/// words.
async fn each(test: impl AsyncFn(Handlers)) {
    for (mode, handlers) in [("own handlers", own().await), ("managed", managed().await)] {
        // Shown when the test fails.
        println!("mode: {mode}");
        test(handlers).await;
    }
    for language in LANGUAGES.iter().filter(|language| !language_skipped(language.name, "conformance")) {
        println!("language: {}", language.name);
        test(language.everything(cells(CELLS), &Arc::default()).await.unwrap()).await;
    }
}

/// The script with the words of [this table](self).
fn script() -> Value {
    let refusal = json!({ "code": REFUSAL.0, "message": REFUSAL.1 });
    let common = [
        json!({ "match": "slow", "delayMs": HOUR }),
        json!({ "match": "soon", "delayMs": MOMENT.as_millis() }),
        json!({ "match": "refuse", "error": refusal }),
    ];
    let user = [
        json!({ "match": "decline", "action": "decline" }),
        json!({ "match": "cancel", "action": "cancel" }),
        json!({ "match": "misfit", "content": { "name": 7 } }),
    ];
    let elicitation = [&common[..], &user].concat();
    json!({ "delayMs": 0, "sampling": common.to_vec(), "elicitation": elicitation })
}

/// The stock handler, which exports all kinds.
async fn own() -> Handlers {
    stock(cells(CELLS), &script()).await.unwrap()
}

/// A guest of plain sampling and elicitation, around which the host supplies tasks.
async fn managed() -> Handlers {
    let mut grants = Grants::default();
    grants.progress = true;
    grants.config = Some([("script".to_owned(), script().to_string())].into_iter().collect());
    guest_with(cells(CELLS), "tests/guests/plain_kinds", grants).await.unwrap().managed()
}

/// A guest of plain kinds that leaves everything to an application, with these roots, a URI in each line.
async fn model_and_user(application: &Arc<FakeApplication>, roots: &str) -> Handlers {
    let mut grants = Grants::default();
    grants.progress = true;
    grants.config = Some([("roots".to_owned(), roots.to_owned())].into_iter().collect());
    grants.model = Some(Arc::<FakeApplication>::clone(application));
    grants.user = Some(Arc::<FakeApplication>::clone(application));
    guest_with(cells(CELLS), "tests/guests/model_and_user", grants).await.unwrap()
}

async fn hostile() -> Handlers {
    guest(cells(CELLS), "tests/guests/hostile").await.unwrap()
}

/// Options changed in some way.
fn with(change: impl FnOnce(&mut SessionOptions)) -> SessionOptions {
    let mut options = options();
    change(&mut options);
    options
}

/// The options of a principal over a store.
fn of(principal: &str, store: &Arc<MemoryStore>) -> SessionOptions {
    with(|options| {
        options.principal = principal.to_owned();
        options.store = Arc::<MemoryStore>::clone(store);
    })
}

/// A prompt with a word of [the table](self).
fn prompt(word: &str) -> Value {
    conversation::prompt(&asks(word))
}

/// A form that asks for a name, with a word of [the table](self).
fn form(word: &str) -> Value {
    json!({
        "message": asks(word),
        "requestedSchema": { "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] },
    })
}

/// A page to visit, with a word of [the table](self).
fn page(word: &str) -> Value {
    json!({ "mode": "url", "message": asks(word), "url": "https://example.com/pay", "elicitationId": "e-1" })
}

/// The examples of the languages ask the model or the user what begins so.
fn asks(word: &str) -> String {
    format!("ask {word}")
}

/// Parameters with more members.
fn and(mut params: Value, members: Value) -> Value {
    let (Value::Object(object), Value::Object(members)) = (&mut params, members) else { panic!("no object") };
    object.extend(members);
    params
}

/// The same as a task.
fn as_task(params: Value) -> Value {
    and(params, json!({ "task": {} }))
}

/// Sends a request for a task and gives the task.
async fn create(server: &mut Conversation, method: &str, params: Value) -> Value {
    let answer = server.ask(method, &as_task(params)).await.unwrap();
    let task = &answer["result"]["task"];
    assert!(task.is_object(), "no task was made: {answer}");
    task.clone()
}

/// The id of a task.
fn id(task: &Value) -> &str {
    task["taskId"].as_str().unwrap_or_else(|| panic!("no id: {task}"))
}

/// Code and message of an error, which has nothing else but `data`.
fn error(answer: &Value) -> (i64, &str) {
    assert!(answer.get("result").is_none(), "{answer}");
    let error = &answer["error"];
    (error["code"].as_i64().unwrap_or_else(|| panic!("no error: {answer}")), error["message"].as_str().unwrap())
}

/// An error of these in whatever words, `data.kind` included.
fn refused(answer: &Value, code: i64, kind: Option<&str>) {
    let (found, message) = error(answer);
    assert!(found == code && answer["error"]["data"]["kind"].as_str() == kind, "{answer}");
    assert!(!message.is_empty(), "the error says nothing: {answer}");
}

/// The parameters of all notifications of a method, in order, each with its place among the messages.
fn notifications<'a>(messages: &'a [Value], method: &str) -> Vec<(usize, &'a Value)> {
    let all = messages.iter().enumerate().filter(|(_, message)| message["method"] == method);
    all.map(|(place, message)| (place, &message["params"])).collect()
}
