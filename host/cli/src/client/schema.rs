//! Reader of a tool's input schema, as far as people need it: the types of arguments, and the conversion of text.

use std::fmt;

use serde_json::Value;

/// Schemas within schemas that are looked at: a reference may lead back to itself, and one schema may have many.
const MAX_SCHEMAS: usize = 200;
/// Kinds of one argument: a schema may list any number.
const MAX_KINDS: usize = 64;
/// Kinds that are shown.
const SHOWN: usize = 6;

/// A kind of value that an argument may have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind<'a> {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Null.
    Null,
    /// An object.
    Object,
    /// A list of what the kinds say, or of anything where there are none.
    Array(Vec<Self>),
    /// Just this value.
    One(&'a Value),
    /// Anything.
    Any,
}

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("string"),
            Self::Integer => f.write_str("integer"),
            Self::Number => f.write_str("number"),
            Self::Boolean => f.write_str("boolean"),
            Self::Null => f.write_str("null"),
            Self::Object => f.write_str("object"),
            Self::Array(items) if items.is_empty() => f.write_str("array"),
            Self::Array(items) if items.len() == 1 => write!(f, "{}[]", shown(items)),
            Self::Array(items) => write!(f, "({})[]", shown(items)),
            Self::One(value) => write!(f, "{value}"),
            Self::Any => f.write_str("any"),
        }
    }
}

/// Kinds as a person reads them.
pub(crate) fn shown(kinds: &[Kind<'_>]) -> String {
    if kinds.is_empty() {
        return Kind::Any.to_string();
    }
    let mut words: Vec<_> = kinds.iter().take(SHOWN).map(Kind::to_string).collect();
    if kinds.len() > SHOWN {
        words.push("…".to_owned());
    }
    words.join(" | ")
}

/// The kinds that a schema takes, in its order; `root` is what its references lead into. None where it says nothing.
pub(crate) fn kinds<'a>(schema: &'a Value, root: &'a Value) -> Vec<Kind<'a>> {
    let mut found = Vec::new();
    collect(schema, root, &mut { MAX_SCHEMAS }, &mut found);
    found.truncate(MAX_KINDS);
    found
}

fn collect<'a>(schema: &'a Value, root: &'a Value, left: &mut usize, found: &mut Vec<Kind<'a>>) {
    if *left == 0 || found.len() > MAX_KINDS {
        return;
    }
    *left = left.saturating_sub(1);
    let list = |key: &str| schema.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut add = |kind: Kind<'a>| {
        if !found.contains(&kind) {
            found.push(kind);
        }
    };
    if let Some(value) = schema.get("const") {
        return add(Kind::One(value));
    }
    if schema.get("enum").is_some_and(Value::is_array) {
        return list("enum").iter().take(MAX_KINDS).for_each(|value| add(Kind::One(value)));
    }
    if let Some(types) = schema.get("type") {
        let types = types.as_array().map_or_else(|| std::slice::from_ref(types), Vec::as_slice);
        return types.iter().take(MAX_KINDS).for_each(|name| {
            add(match name.as_str() {
                Some("string") => Kind::Text,
                Some("integer") => Kind::Integer,
                Some("number") => Kind::Number,
                Some("boolean") => Kind::Boolean,
                Some("null") => Kind::Null,
                Some("object") => Kind::Object,
                Some("array") => {
                    let mut items = Vec::new();
                    if let Some(schema) = schema.get("items") {
                        collect(schema, root, left, &mut items);
                    }
                    Kind::Array(items)
                }
                _ => Kind::Any,
            });
        });
    }
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|at| root.pointer(at.strip_prefix('#')?));
    let parts = ["anyOf", "oneOf", "allOf"].into_iter().flat_map(list);
    for part in target.into_iter().chain(parts).take(MAX_KINDS) {
        collect(part, root, left, found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_shown_as_a_type() {
        let root = json!({ "$defs": { "color": { "enum": ["red", "green"] }, "loop": { "$ref": "#/$defs/loop" } } });
        #[rustfmt::skip]
        let table = [
            (json!({ "type": "string" }), "string"),
            (json!({ "type": ["string", "null"] }), "string | null"),
            (json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }] }), "integer | null"),
            (json!({ "type": "array", "items": { "type": "string" } }), "string[]"),
            (json!({ "type": "array", "items": { "anyOf": [{ "type": "string" }, { "type": "number" }] } }), "(string | number)[]"),
            (json!({ "type": "array" }), "array"),
            (json!({ "$ref": "#/$defs/color" }), r#""red" | "green""#),
            (json!({ "allOf": [{ "$ref": "#/$defs/color" }] }), r#""red" | "green""#),
            (json!({ "$ref": "#/$defs/loop" }), "any"),
            (json!({ "$ref": "https://example.com/x" }), "any"),
            (json!({ "enum": [1, 2, 3, 4, 5, 6, 7] }), "1 | 2 | 3 | 4 | 5 | 6 | …"),
            (json!({ "const": true }), "true"),
            (json!({}), "any"),
            (json!(true), "any"),
            (json!({ "type": "file" }), "any"),
        ];
        for (schema, expected) in &table {
            assert_eq!(shown(&kinds(schema, &root)), *expected, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_multiplies_ends() {
        let mut schema = json!({ "type": "string" });
        for _ in 0..40 {
            schema = json!({ "anyOf": [schema.clone(), { "enum": [1] }] });
        }
        let root = json!({ "a": { "anyOf": vec![json!({ "$ref": "#/a" }); 100] } });
        assert!(kinds(&schema, &root).len() <= MAX_KINDS);
        assert_eq!(kinds(&json!({ "$ref": "#/a" }), &root), []);
    }
}
