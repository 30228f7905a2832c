//! Rules by which questions of the server are answered, and the kinds of questions that have one each.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// Rule for one kind of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Rule {
    /// The client answers if it declared the capability and is not known never to answer; else a handler, if one
    /// exports the kind. A client that turns out not to support what it declared gives way to the handler.
    #[default]
    Auto,
    /// The client alone.
    Client,
    /// A handler alone.
    Handler,
    /// A handler, and the client when the handler answers with the error -32601 (not mine).
    HandlerThenClient,
    /// A person, through the inbox. Not available yet.
    Person,
    /// Nobody: the capability is not declared, and a question gets the error for it.
    Off,
}

/// Words of the rules, in the configuration and in reports.
const RULES: [(&str, Rule); 6] = [
    ("auto", Rule::Auto),
    ("client", Rule::Client),
    ("handler", Rule::Handler),
    ("handler-then-client", Rule::HandlerThenClient),
    ("person", Rule::Person),
    ("off", Rule::Off),
];

impl Rule {
    /// Word of the rule.
    #[must_use]
    pub fn word(self) -> &'static str {
        RULES.iter().find(|(_, rule)| *rule == self).map_or("auto", |(word, _)| word)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = RULES.iter().find(|(known, _)| *known == word).map(|(_, rule)| *rule);
        found.ok_or_else(|| format!("expected one of {}", RULES.map(|(word, _)| word).join(", ")))
    }
}

/// Kind of question that a server can ask, as far as a capability of its own tells it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// `sampling/createMessage`.
    Sampling,
    /// `sampling/createMessage` with tools.
    SamplingTools,
    /// `sampling/createMessage` with the context of servers.
    SamplingContext,
    /// `elicitation/create` by a form.
    Form,
    /// `elicitation/create` by a page.
    Url,
    /// `roots/list`.
    Roots,
    /// `sampling/createMessage` as a task.
    SamplingTask,
    /// `elicitation/create` by a form, as a task.
    FormTask,
    /// `elicitation/create` by a page, as a task.
    UrlTask,
}

/// Row of the table of topics.
#[derive(Debug)]
pub(crate) struct TopicInfo {
    pub(crate) topic: Topic,
    /// Name for people.
    pub(crate) name: &'static str,
    /// Method of the question.
    pub(crate) method: &'static str,
    /// Key of the rule in the configuration.
    pub(crate) key: &'static str,
    /// Topic whose rule counts when the key is not set, and without which there is no such question.
    pub(crate) base: Option<Topic>,
}

/// All topics, in the order of [`Topic`].
#[rustfmt::skip]
pub(crate) const TOPICS: [TopicInfo; 9] = [
    TopicInfo { topic: Topic::Sampling,        name: "sampling",                key: "sampling",         method: "sampling/createMessage", base: None },
    TopicInfo { topic: Topic::SamplingTools,   name: "sampling with tools",     key: "sampling-tools",   method: "sampling/createMessage", base: Some(Topic::Sampling) },
    TopicInfo { topic: Topic::SamplingContext, name: "sampling with context",   key: "sampling-context", method: "sampling/createMessage", base: Some(Topic::Sampling) },
    TopicInfo { topic: Topic::Form,            name: "elicitation by form",     key: "elicitation-form", method: "elicitation/create",     base: None },
    TopicInfo { topic: Topic::Url,             name: "elicitation by page",     key: "elicitation-url",  method: "elicitation/create",     base: None },
    TopicInfo { topic: Topic::Roots,           name: "roots",                   key: "roots",            method: "roots/list",             base: None },
    TopicInfo { topic: Topic::SamplingTask,    name: "sampling as a task",      key: "tasks",            method: "sampling/createMessage", base: Some(Topic::Sampling) },
    TopicInfo { topic: Topic::FormTask,        name: "elicitation by form as a task", key: "tasks",      method: "elicitation/create",     base: Some(Topic::Form) },
    TopicInfo { topic: Topic::UrlTask,         name: "elicitation by page as a task", key: "tasks",      method: "elicitation/create",     base: Some(Topic::Url) },
];

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.info().name)
    }
}

impl Topic {
    #[expect(clippy::indexing_slicing, reason = "the table has a row for each topic, in order; a test checks it")]
    pub(crate) const fn info(self) -> &'static TopicInfo {
        &TOPICS[self as usize]
    }

    /// Whether the question asks for a task.
    pub(crate) fn is_task(self) -> bool {
        self.info().key == "tasks"
    }

    /// Whether a person may be asked, who takes time.
    pub(crate) fn is_elicitation(self) -> bool {
        self.info().method == "elicitation/create"
    }

    /// Whether capabilities declare the topic.
    pub(crate) fn is_in(self, capabilities: &Value) -> bool {
        let has = |at: &str| capabilities.pointer(at).is_some();
        // An object without a mode declares forms. [client/elicitation, Capabilities]
        let form = has("/elicitation/form") || (has("/elicitation") && !has("/elicitation/url"));
        let task = has("/tasks/requests/elicitation/create");
        match self {
            Self::Sampling => has("/sampling"),
            Self::SamplingTools => has("/sampling/tools"),
            Self::SamplingContext => has("/sampling/context"),
            Self::Form => form,
            Self::Url => has("/elicitation/url"),
            Self::Roots => has("/roots"),
            Self::SamplingTask => has("/tasks/requests/sampling/createMessage"),
            // Handlers may take tasks alone, without the plain questions.
            Self::FormTask => task && (form || !has("/elicitation")),
            Self::UrlTask => task && (has("/elicitation/url") || !has("/elicitation")),
        }
    }
}

/// Keys of the configuration that have a rule each.
pub const KEYS: [&str; 7] =
    ["sampling", "sampling-tools", "sampling-context", "elicitation-form", "elicitation-url", "roots", "tasks"];

/// Reason why a rule is not set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The rule is `person`.
    #[error("the rule `person` needs the inbox, which is not there yet")]
    NoInbox,
    /// The key does not exist.
    #[error("{_0:?} has no rule; the keys are {keys}", keys = KEYS.join(", "))]
    UnknownKey(String),
}

impl PolicyError {
    /// Stable word for the error.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoInbox => "no_inbox",
            Self::UnknownKey(_) => "unknown_key",
        }
    }
}

/// Rules of a gateway. A key without a rule follows its base (`sampling` for `sampling-tools` and `sampling-context`,
/// the plain question for `tasks`), and the others are `auto`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    rules: [Option<Rule>; KEYS.len()],
}

impl Policy {
    /// Sets the rule of a key of [`KEYS`].
    ///
    /// # Errors
    /// When there is no such key, or the rule cannot be kept yet.
    pub fn set(&mut self, key: &str, rule: Rule) -> Result<(), PolicyError> {
        let place = KEYS.iter().position(|known| *known == key).and_then(|at| self.rules.get_mut(at));
        let place = place.ok_or_else(|| PolicyError::UnknownKey(key.to_owned()))?;
        if rule == Rule::Person {
            return Err(PolicyError::NoInbox);
        }
        *place = Some(rule);
        Ok(())
    }

    /// Rule of a topic.
    #[must_use]
    pub fn rule(&self, topic: Topic) -> Rule {
        let info = topic.info();
        let base = info.base.map(|base| self.rule(base));
        let own = KEYS.iter().position(|key| *key == info.key).and_then(|at| *self.rules.get(at)?);
        match (base, own) {
            (Some(Rule::Off), _) => Rule::Off,
            (base, own) => own.or(base).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_row_stands_at_its_topic_and_has_its_key() {
        for (index, row) in TOPICS.iter().enumerate() {
            assert_eq!(row.topic as usize, index);
            assert!(KEYS.contains(&row.key), "{}", row.key);
        }
    }

    #[test]
    fn a_key_without_a_rule_follows_its_base() {
        let mut policy = Policy::default();
        assert!(TOPICS.iter().all(|row| policy.rule(row.topic) == Rule::Auto));
        policy.set("sampling", Rule::Handler).unwrap();
        policy.set("tasks", Rule::Client).unwrap();
        policy.set("elicitation-form", Rule::Off).unwrap();
        #[rustfmt::skip]
        let expected = [
            (Topic::Sampling, Rule::Handler), (Topic::SamplingTools, Rule::Handler), (Topic::SamplingTask, Rule::Client),
            (Topic::Form, Rule::Off), (Topic::FormTask, Rule::Off), (Topic::UrlTask, Rule::Client), (Topic::Url, Rule::Auto),
        ];
        for (topic, rule) in expected {
            assert_eq!(policy.rule(topic), rule, "{topic:?}");
        }
        assert_eq!(policy.set("sampling", Rule::Person).unwrap_err().kind(), "no_inbox");
        assert_eq!(policy.set("smapling", Rule::Off).unwrap_err().kind(), "unknown_key");
    }

    #[test]
    fn rules_have_words() {
        for (word, rule) in RULES {
            assert_eq!((word.parse(), rule.word()), (Ok(rule), word));
        }
        assert!("any".parse::<Rule>().is_err_and(|error| error.contains("handler-then-client")));
    }

    #[test]
    fn capabilities_declare_topics() {
        #[rustfmt::skip]
        let rows = [
            (json!({}),                                              vec![]),
            (json!({ "elicitation": {} }),                           vec![Topic::Form]),
            (json!({ "elicitation": { "url": {} } }),                vec![Topic::Url]),
            (json!({ "elicitation": { "form": {}, "url": {} } }),    vec![Topic::Form, Topic::Url]),
            (json!({ "sampling": { "tools": {} }, "roots": {} }),    vec![Topic::Sampling, Topic::SamplingTools, Topic::Roots]),
            (json!({ "tasks": { "requests": { "elicitation": { "create": {} } } } }), vec![Topic::FormTask, Topic::UrlTask]),
            (json!({ "elicitation": {}, "tasks": { "requests": { "elicitation": { "create": {} } } } }), vec![Topic::Form, Topic::FormTask]),
            (json!({ "sampling": { "context": {} }, "tasks": { "requests": { "sampling": { "createMessage": {} } } } }), vec![Topic::Sampling, Topic::SamplingContext, Topic::SamplingTask]),
        ];
        for (capabilities, expected) in rows {
            let topics: Vec<_> =
                TOPICS.iter().map(|row| row.topic).filter(|topic| topic.is_in(&capabilities)).collect();
            assert_eq!(topics, expected, "{capabilities}");
        }
    }
}
