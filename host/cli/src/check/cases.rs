//! The requests that a handler is driven with: a table of data for each method.
//!
//! They are what servers send (well-formed), what they may send and seldom do (edge), and what no handler must ever see
//! (malformed). A request for a task is the plain one with `task`, so the augmented kinds have the rows of the plain
//! ones.

mod elicitation;
mod roots;
mod sampling;
mod tasks;

use serde_json::Value;

use taskcell::handlers::Features;
use taskcell::kinds::Kind;

/// What a request is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    /// What servers send.
    WellFormed,
    /// What the protocol allows and a handler easily forgets.
    Edge,
    /// What the host refuses before any handler.
    Malformed,
}

/// What must hold of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expectation {
    /// A result that keeps the rules, or an error that the handler returned itself.
    Answer,
    /// The same. A handler that does not manage is warned, for its answer is lost, and yet declining would have been
    /// one.
    AnswerOrWarning,
    /// -32602, by the handler: nobody has such a task or such a cursor.
    Unknown,
    /// -32602, and the handler is not reached.
    Refused,
}

/// When a request makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// With elicitation by forms.
    Form,
    /// With elicitation by pages.
    Page,
    /// With elicitation, but not by forms.
    NoForm,
    /// With elicitation, but not by pages.
    NoPage,
    /// With sampling with tools.
    Tools,
    /// Without.
    NoTools,
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    /// What it is about.
    pub(super) name: &'static str,
    /// What the request is like.
    pub(super) category: Category,
    /// What must hold.
    pub(super) expectation: Expectation,
    /// When it makes sense.
    pub(super) when: When,
    /// The request's parameters.
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

/// The rows of a kind that make sense with these features.
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

/// JSON of so many objects in each other: below the limit of the default settings, 64 levels, with what is around it.
fn deep() -> Value {
    (0..40).fold(serde_json::json!({}), |inner, _| serde_json::json!({ "in": inner }))
}

/// Text with a null, accents, a combining mark, right-to-left text and characters outside of the basic plane.
const STRANGE: &str = "a\u{0}b \u{e9} e\u{301} \u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{4f60}\u{597d} \u{1f469}\u{200d}\u{1f680} \u{10ffff} \r\n\t\"\\";

/// Long text: more than fits into most buffers of a fixed size.
fn long() -> String {
    "lorem ipsum ".repeat(10_000)
}

/// The parameters with these members, too.
pub(super) fn with(mut params: Value, members: Value) -> Value {
    if let (Value::Object(params), Value::Object(members)) = (&mut params, members) {
        params.extend(members);
    }
    params
}
