//! The handlers of all kinds in each language do the same, to the last member: one table of requests and answers, and
//! one course of a task, over each of them.
//!
//! A language is a row of [`LANGUAGES`](taskcell_test_support::languages::LANGUAGES) and a line in [`languages!`]. One
//! whose toolchain cannot be had fails; `TASKCELL_SKIP_LANGUAGES` leaves it out, and says so. What MCP asks of a
//! receiver is tested over the same handlers by `tests/tests/conformance`.

mod cases;
mod large;
mod tasks;

use std::sync::Arc;

use serde_json::{Value, json};
use taskcell::Handlers;
use taskcell::handlers::Features;
use taskcell_test_support::cli;
use taskcell_test_support::conversation::Conversation;
use taskcell_test_support::fake_application::FakeApplication;
use taskcell_test_support::handlers::cells;
use taskcell_test_support::languages::Language;
use taskcell_test_support::provision::language_skipped;
use taskcell_test_support::server::options;

const SAMPLING: &str = "sampling/createMessage";
const ELICITATION: &str = "elicitation/create";

/// A test for each language, so that a failure names it.
macro_rules! languages {
    ($($name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            all(stringify!($name)).await;
        }
    )*

    #[test]
    fn each_language_has_its_test() {
        let names: Vec<_> = taskcell_test_support::languages::LANGUAGES.iter().map(|language| language.name).collect();
        assert_eq!(names, [$(stringify!($name)),*]);
    }};
}

languages! { rust python javascript c cpp go }

async fn all(name: &str) {
    if language_skipped(name, &format!("languages::{name}")) {
        return;
    }
    let language = Language::named(name).unwrap();
    let application = Arc::new(FakeApplication::default());
    let handlers = language.everything(cells(16), &application).await.unwrap();
    assert_eq!(handlers.capabilities(), capabilities());
    let handlers = with_tools(handlers);
    cases::run(&handlers, &application).await;
    tasks::run(&handlers).await;
    large::run(&handlers).await;
    passes_check(language);
}

/// `taskcell check` finds nothing to fix. Its forms ask for more than the default of a field's type, so it warns.
fn passes_check(language: &Language) {
    let component = language.component().unwrap();
    let ran = cli::run(env!("CARGO_BIN_EXE_taskcell-cli"), &["check".as_ref(), component.as_os_str()]).unwrap();
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

/// What is declared for a handler of all kinds.
fn capabilities() -> Value {
    json!({
        "tasks": {
            "list": {},
            "cancel": {},
            "requests": { "sampling": { "createMessage": {} }, "elicitation": { "create": {} } },
        },
        "sampling": {},
        "elicitation": { "form": {}, "url": {} },
        "roots": {},
    })
}

/// Servers may only send tools to a client that declared them.
fn with_tools(handlers: Handlers) -> Handlers {
    let mut features = Features::default();
    features.tools = true;
    handlers.with_features(features)
}

fn conversation(handlers: &Handlers) -> Conversation {
    Conversation::new(handlers.clone(), options())
}

/// An answer without what each answer has.
fn outcome(mut answer: Value) -> Value {
    let members = answer.as_object_mut().unwrap();
    assert_eq!(members.remove("jsonrpc"), Some(json!("2.0")));
    members.remove("id");
    answer
}

/// Whether an answer is what is expected, in which the text `*` stands for anything; 1 is 1.0.
fn fits(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Object(expected), Value::Object(found)) => {
            expected.len() == found.len()
                && expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| fits(value, found)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| fits(expected, found))
        }
        (Value::Number(expected), Value::Number(found)) => expected.as_f64() == found.as_f64(),
        _ => expected == found,
    }
}

/// Each that does not fit, in words.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn check(&mut self, what: &str, expected: &Value, found: &Value) {
        if !fits(expected, found) {
            self.0.push(format!("{what}\n  expected {expected}\n  found    {found}"));
        }
    }

    fn none(self) {
        assert!(self.0.is_empty(), "{} differences:\n{}", self.0.len(), self.0.join("\n"));
    }
}
