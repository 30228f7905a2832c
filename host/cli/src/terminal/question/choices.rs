//! Choices of a form field, in any of the ways that a schema states them.
//!
//! MCP's own forms have `enum`, `enumNames`, `oneOf` of titled constants, and lists of these. Schema generators write
//! more: numbers as values, a bound beside the values, `anyOf` for `oneOf`, and `null` among the alternatives for an
//! optional field. [client/elicitation, Requested Schema]

use serde_json::Value;

use super::{Choice, yes_or_no};
use taskcell::protocol::types::ElicitValue;

/// Maximum depth of nested alternatives.
const MAX_DEPTH: usize = 4;

/// Choices of a field that takes one of several values; `None` when it also takes others.
pub(super) fn of_one(field: &Value) -> Option<Vec<Choice>> {
    let mut choices = Vec::new();
    collect(field, None, MAX_DEPTH, &mut choices)?;
    Some(choices)
}

/// Choices of a field that takes any of several texts; `None` when it also takes others.
pub(super) fn of_any(field: &Value) -> Option<Vec<Choice>> {
    if let Some(alternatives) = alternatives(field) {
        // The field takes a list or nothing.
        let mut lists = alternatives.iter().filter(|alternative| !is_null(alternative));
        return if let (Some(list), None) = (lists.next(), lists.next()) { of_any(list) } else { None };
    }
    if !has_type(field, "array") {
        return None;
    }
    let choices = of_one(field.get("items")?)?;
    let is_text = |choice: &Choice| matches!(choice.value, Some(ElicitValue::Text(_)));
    (!choices.is_empty() && choices.iter().all(is_text)).then_some(choices)
}

/// Whether a field takes values of this type and, besides them, at most `null`.
pub(super) fn has_type(field: &Value, name: &str) -> bool {
    match field.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(all)) => {
            all.iter().any(|one| one == name) && all.iter().all(|one| one == name || one == "null")
        }
        _ => false,
    }
}

/// Alternatives of a schema.
pub(super) fn alternatives(schema: &Value) -> Option<&Vec<Value>> {
    ["oneOf", "anyOf"].iter().find_map(|keyword| schema.get(keyword)?.as_array())
}

/// Whether a schema takes only `null`.
pub(super) fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|name| name == "null") || schema.get("const").is_some_and(Value::is_null)
}

/// Adds the choices of a schema; `None` when the schema takes more values than can be listed.
fn collect(schema: &Value, title: Option<&str>, depth: usize, choices: &mut Vec<Choice>) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let title = schema.get("title").and_then(Value::as_str).filter(|title| !title.trim().is_empty()).or(title);
    if let Some(value) = schema.get("const") {
        choices.extend(choice(value, title));
    } else if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let names = schema.get("enumNames").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names = names.iter().map(Value::as_str).chain(std::iter::repeat(None));
        choices.extend(values.iter().zip(names).filter_map(|(value, name)| choice(value, name)));
    } else if let Some(alternatives) = alternatives(schema) {
        // The title of a field names the field; that of an alternative names its value.
        for alternative in alternatives.iter().filter(|alternative| !is_null(alternative)) {
            collect(alternative, None, depth, choices)?;
        }
    } else if has_type(schema, "boolean") {
        choices.extend([true, false].map(|value| Choice::new(yes_or_no(value), Some(ElicitValue::Boolean(value)))));
    } else {
        return None;
    }
    Some(())
}

/// Creates a choice for a value; `None` when no answer can have this value.
fn choice(value: &Value, title: Option<&str>) -> Option<Choice> {
    let answer = super::answer_of(value)?;
    let label = match (&answer, title) {
        (_, Some(title)) => title.to_owned(),
        (ElicitValue::Text(text), None) => text.clone(),
        (ElicitValue::Boolean(value), None) => yes_or_no(*value).to_owned(),
        (_, None) => value.to_string(),
    };
    Some(Choice::new(&label, Some(answer)))
}
