//! The script: its format, its defaults, and how a rule is chosen.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::bindings::taskcell::handlers::types::{ElicitValue, RpcError};

/// What a request gets, and how long it takes when it runs as a task.
pub(crate) struct Answer<T> {
    /// The result or the error.
    pub(crate) outcome: Result<T, RpcError>,
    /// The time to take, in milliseconds.
    pub(crate) delay_ms: u32,
}

/// JSON-RPC's code for an internal error.
const INTERNAL_ERROR: i32 = -32603;

/// MCP's code for a user who refused.
const REJECTED: i32 = -1;

/// All that the operator may set. What is left out keeps its default.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Script {
    /// The name of the model that answers carry.
    pub(crate) model: String,
    /// Rules for `sampling/createMessage`.
    pub(crate) sampling: Vec<SamplingRule>,
    /// Rules for `elicitation/create`.
    pub(crate) elicitation: Vec<ElicitationRule>,
    /// The answer to `roots/list`.
    pub(crate) roots: Vec<Root>,
    /// How long a task takes, in milliseconds, unless its rule says otherwise.
    pub(crate) delay_ms: u32,
    /// How often to ask for a task, in milliseconds.
    pub(crate) poll_interval_ms: u32,
}

/// What to answer to some sampling requests.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct SamplingRule {
    /// What the last text of the user must contain.
    pub(crate) r#match: String,
    /// The text, where `{prompt}` stands for the last text of the user, and `{attempt}` for how often the
    /// work was begun.
    pub(crate) answer: Option<String>,
    /// Why the model stopped.
    pub(crate) stop_reason: Option<String>,
    /// How long the task takes, in milliseconds.
    pub(crate) delay_ms: Option<u32>,
    /// An error to answer with instead.
    pub(crate) error: Option<Refusal>,
}

/// What to answer to some elicitations.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ElicitationRule {
    /// What the message must contain.
    pub(crate) r#match: String,
    /// What the user does.
    pub(crate) action: Action,
    /// Answers to fields of the form, by name. Names that the form lacks are left out.
    pub(crate) content: BTreeMap<String, Value>,
    /// How long the task takes, in milliseconds.
    pub(crate) delay_ms: Option<u32>,
    /// An error to answer with instead.
    pub(crate) error: Option<Refusal>,
}

/// What the user does with an elicitation.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// Agrees.
    #[default]
    Accept,
    /// Says no.
    Decline,
    /// Goes away without a choice.
    Cancel,
}

/// The scripted answer to one field of a form.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a string, a number, a boolean or a list of strings")]
pub(crate) enum Value {
    /// Text or a single choice.
    Text(String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Boolean(bool),
    /// A multiple choice.
    TextList(Vec<String>),
}

/// A JSON-RPC error to answer with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Refusal {
    /// The code.
    code: i32,
    /// The message.
    message: String,
}

/// A root to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Root {
    /// A `file://` URI.
    pub(crate) uri: String,
    /// A name for people.
    pub(crate) name: Option<String>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            model: "scripted".into(),
            sampling: Vec::new(),
            elicitation: Vec::new(),
            roots: vec![Root { uri: "file:///workspace".into(), name: Some("workspace".into()) }],
            delay_ms: 300,
            poll_interval_ms: 250,
        }
    }
}

impl Default for Refusal {
    fn default() -> Self {
        Self { code: REJECTED, message: "User rejected the request".into() }
    }
}

impl From<&Refusal> for RpcError {
    fn from(refusal: &Refusal) -> Self {
        Self { code: refusal.code, message: refusal.message.clone(), data: None }
    }
}

impl From<&Value> for ElicitValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text.clone()),
            Value::Number(number) => Self::Number(*number),
            Value::Boolean(boolean) => Self::Boolean(*boolean),
            Value::TextList(list) => Self::TextList(list.clone()),
        }
    }
}

impl Script {
    /// Reads a script. The error names what is wrong and where.
    pub(crate) fn parse(text: &str) -> Result<Self, RpcError> {
        let script: Self = serde_json::from_str(text).map_err(|why| error(&why.to_string()))?;
        // MCP asks this of every root; a peer may refuse the whole answer for one that breaks it.
        match script.roots.iter().find(|root| !root.uri.starts_with("file://")) {
            Some(root) => Err(error(&format!("root `{}` does not start with `file://`", root.uri))),
            None => Ok(script),
        }
    }
}

/// The error that a script which cannot be used makes of every request that needs it.
pub(crate) fn error(why: &str) -> RpcError {
    RpcError { code: INTERNAL_ERROR, message: format!("script: {why}"), data: None }
}

/// The first rule whose `match` the text contains, whatever the case; an empty one matches all.
pub(crate) fn choose<'a, R>(rules: &'a [R], text: &str, matcher: fn(&R) -> &str) -> Option<&'a R> {
    // A text may be large: it is folded once, and only for a rule that looks at it.
    let folded = LazyCell::new(|| text.to_lowercase());
    rules.iter().find(|rule| {
        let wanted = matcher(rule);
        wanted.is_empty() || folded.contains(&wanted.to_lowercase())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;

    fn message(text: &str) -> String {
        let error = Script::parse(text).unwrap_err();
        assert_eq!(error.code, INTERNAL_ERROR);
        error.message
    }

    #[test]
    fn an_empty_script_is_the_default() {
        let (empty, default) = (Script::parse("{}").unwrap(), Script::default());
        assert_eq!(format!("{empty:?}"), format!("{default:?}"));
    }

    #[test]
    fn every_field_is_read() {
        let script = Script::parse(
            r#"{
                "model": "m",
                "sampling": [{"match": "a", "answer": "b", "stopReason": "c", "delayMs": 1, "error": {"code": 2, "message": "d"}}],
                "elicitation": [{"match": "a", "action": "cancel", "content": {"n": 1, "t": "x", "b": true, "l": ["y"]}, "delayMs": 3, "error": {}}],
                "roots": [{"uri": "file:///r"}],
                "delayMs": 4,
                "pollIntervalMs": 5
            }"#,
        )
        .unwrap();
        assert_eq!(script.model, "m");
        assert_eq!((script.delay_ms, script.poll_interval_ms), (4, 5));
        let rule = script.sampling.first().unwrap();
        assert_eq!(
            (rule.answer.as_deref(), rule.stop_reason.as_deref(), rule.delay_ms),
            (Some("b"), Some("c"), Some(1))
        );
        let refusal = RpcError::from(rule.error.as_ref().unwrap());
        assert_eq!((refusal.code, refusal.message.as_str()), (2, "d"));
        let rule = script.elicitation.first().unwrap();
        assert!(matches!(rule.action, Action::Cancel));
        assert_eq!(rule.delay_ms, Some(3));
        let values = rule.content.values().map(ElicitValue::from).collect::<Vec<_>>();
        let wanted = [
            ElicitValue::Boolean(true),
            ElicitValue::TextList(vec!["y".into()]),
            ElicitValue::Number(1.0),
            ElicitValue::Text("x".into()),
        ];
        assert_eq!(values, wanted);
        assert_eq!(RpcError::from(rule.error.as_ref().unwrap()).code, REJECTED);
        assert_eq!(script.roots.len(), 1);
    }

    #[test]
    fn what_is_wrong_with_a_script_is_named() {
        assert!(message(r#"{"foo": 1}"#).starts_with("script: unknown field `foo`"));
        assert!(message(r#"{"foo": 1}"#).ends_with("at line 1 column 6"));
        assert!(message(r#"{"sampling": [{"anser": "x"}]}"#).contains("unknown field `anser`"));
        assert!(message(r#"{"delayMs": -1}"#).contains("invalid value: integer `-1`"));
        assert!(message(r#"{"elicitation": [{"action": "maybe"}]}"#).contains("unknown variant `maybe`"));
        assert!(message(r#"{"elicitation": [{"content": {"a": {}}}]}"#).contains("expected a string, a number"));
        assert!(message(r#"{"roots": [{"uri": "http://r"}]}"#).contains("`http://r`"));
        assert!(message("").contains("EOF"));
        assert!(message("{} x").contains("trailing characters"));
    }

    #[test]
    fn the_first_rule_that_matches_is_chosen() {
        let rules = ["Weather", "news", "", "never"];
        let chosen = |text| choose(&rules, text, |rule| rule).copied();
        assert_eq!(chosen("How is the WEATHER, any news?"), Some("Weather"));
        assert_eq!(chosen("Any News?"), Some("news"));
        assert_eq!(chosen("never"), Some(""));
        assert_eq!(choose(&["\u{c4}RGER"], "kein \u{e4}rger", |rule| rule), Some(&"\u{c4}RGER"));
        assert_eq!(choose(&["weather"], "", |rule| rule), None);
        assert_eq!(choose(&[], "text", |rule: &&str| rule), None);
    }
}
