//! Table of the requests that a handler is tested with, one for each method.
//!
//! The requests are well-formed (servers send them), edge cases (servers seldom send them) or malformed (no handler
//! must ever see them). A task-augmented request is a plain request with `task`, so the augmented kinds use the rows of
//! the plain kinds.

mod elicitation;
mod roots;
mod sampling;
mod tasks;

use serde_json::Value;

use taskcell::handlers::Features;
use taskcell::kinds::Kind;

/// Category of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    /// Request that servers send.
    WellFormed,
    /// Request that the protocol allows and handlers easily forget.
    Edge,
    /// Request that the host refuses before any handler sees it.
    Malformed,
}

/// Expected response to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expectation {
    /// A result that keeps the rules, or an error that the handler returned itself.
    Answer,
    /// Like [`Answer`](Self::Answer), but a faulty answer is a warning. The server loses such an answer, and declining
    /// would have been a valid one.
    AnswerOrWarning,
    /// Error -32602 from the handler, for a task or a cursor that does not exist.
    Unknown,
    /// Error -32602 from the host. The handler must not be reached.
    Refused,
}

/// Features under which a request applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// Elicitation by forms.
    Form,
    /// Elicitation by pages.
    Page,
    /// Elicitation, but not by forms.
    NoForm,
    /// Elicitation, but not by pages.
    NoPage,
    /// Sampling with tools.
    Tools,
    /// Sampling without tools.
    NoTools,
}

/// Row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    /// Subject of the request.
    pub(super) name: &'static str,
    /// Category of the request.
    pub(super) category: Category,
    /// Expected response.
    pub(super) expectation: Expectation,
    /// Features under which the row applies.
    pub(super) when: When,
    /// Parameters of the request.
    pub(super) params: fn() -> Value,
}

impl Case {
    const fn new(category: Category, expectation: Expectation, name: &'static str, params: fn() -> Value) -> Self {
        Self { name, category, expectation, when: When::Always, params }
    }

    const fn well_formed(name: &'static str, params: fn() -> Value) -> Self {
        Self::new(Category::WellFormed, Expectation::Answer, name, params)
    }

    const fn edge(name: &'static str, params: fn() -> Value) -> Self {
        Self::new(Category::Edge, Expectation::Answer, name, params)
    }

    const fn form(name: &'static str, params: fn() -> Value) -> Self {
        Self::well_formed(name, params).when(When::Form)
    }

    const fn form_edge(name: &'static str, params: fn() -> Value) -> Self {
        Self::edge(name, params).when(When::Form)
    }

    const fn malformed(name: &'static str, params: fn() -> Value) -> Self {
        Self::new(Category::Malformed, Expectation::Refused, name, params)
    }

    const fn warned(mut self) -> Self {
        self.expectation = Expectation::AnswerOrWarning;
        self
    }

    const fn unknown(mut self) -> Self {
        self.expectation = Expectation::Unknown;
        self
    }

    const fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }
}

impl When {
    fn is_so(self, features: &Features) -> bool {
        match self {
            Self::Always => true,
            Self::Form => features.form,
            Self::Page => features.url,
            Self::NoForm => !features.form,
            Self::NoPage => !features.url,
            Self::Tools => features.tools,
            Self::NoTools => !features.tools,
        }
    }
}

/// Returns the rows of a kind that apply under these features.
pub(super) fn of(kind: Kind, features: &Features) -> impl Iterator<Item = &'static Case> {
    let tables: [&'static [Case]; 2] = match kind.plain().unwrap_or(kind) {
        Kind::Sampling => [sampling::TAKEN, sampling::REFUSED],
        Kind::Elicitation => [elicitation::TAKEN, elicitation::REFUSED],
        Kind::Roots => [roots::TABLE, &[]],
        Kind::ListTasks => [tasks::LISTS, &[]],
        _ => [tasks::IDS, &[]],
    };
    tables.into_iter().flatten().filter(|case| case.when.is_so(features))
}

/// Returns deeply nested JSON objects. With their surroundings they stay below the default limit of 64 levels.
fn deep() -> Value {
    (0..40).fold(serde_json::json!({}), |inner, _| serde_json::json!({ "in": inner }))
}

/// Text with a null, accents, a combining mark, right-to-left text and characters outside of the basic plane.
const STRANGE: &str = "a\u{0}b \u{e9} e\u{301} \u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{4f60}\u{597d} \u{1f469}\u{200d}\u{1f680} \u{10ffff} \r\n\t\"\\";

/// Returns text that is longer than most buffers of a fixed size.
fn long() -> String {
    "lorem ipsum ".repeat(10_000)
}

/// Adds members to parameters.
pub(super) fn with(mut params: Value, members: Value) -> Value {
    if let (Value::Object(params), Value::Object(members)) = (&mut params, members) {
        params.extend(members);
    }
    params
}
