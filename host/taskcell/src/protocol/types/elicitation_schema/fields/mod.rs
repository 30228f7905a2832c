//! Reads the schema of a form's field as the case of [`PrimitiveSchema`] that stands for it.
//!
//! A case is what a handler sees, so a handler that answers within its case must answer within the schema: a case may
//! allow less than the schema (it has no `null`), never more. What a case cannot say stays as it came, as
//! [`PrimitiveSchema::Other`]. Answers are held against the schema that the server sent, not against the case.
//!
//! Generators write one field in many ways: `anyOf` with `null` for what is optional, `const` for an `enum` of one, a
//! `format` on numbers, exclusive bounds. Each step here turns one such way into MCP's own.

mod choices;
mod numbers;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::PrimitiveSchema;
use crate::protocol::wire::json;

type Schema = Map<String, Value>;

/// The keywords of JSON Schema that refuse values, and the types whose values they can refuse; no type is every type.
const CONSTRAINTS: [(&str, &[&str]); 27] = [
    ("$dynamicRef", &[]),
    ("$recursiveRef", &[]),
    ("$ref", &[]),
    ("additionalItems", &["array"]),
    ("allOf", &[]),
    ("anyOf", &[]),
    ("const", &[]),
    ("contains", &["array"]),
    ("enum", &[]),
    ("exclusiveMaximum", &["number", "integer"]),
    ("exclusiveMinimum", &["number", "integer"]),
    ("format", &["string"]),
    ("if", &[]),
    ("items", &["array"]),
    ("maxItems", &["array"]),
    ("maxLength", &["string"]),
    ("maximum", &["number", "integer"]),
    ("minItems", &["array"]),
    ("minLength", &["string"]),
    ("minimum", &["number", "integer"]),
    ("multipleOf", &["number", "integer"]),
    ("not", &[]),
    ("oneOf", &[]),
    ("pattern", &["string"]),
    ("prefixItems", &["array"]),
    ("unevaluatedItems", &["array"]),
    ("uniqueItems", &["array"]),
];

/// The keywords that a schema and a part of it may both have: the schema's own says what is shown.
const SHOWN: [&str; 4] = ["title", "description", "default", "examples"];

/// Reads a field's schema.
pub(super) fn read(raw: &str) -> Result<PrimitiveSchema, serde_json::Error> {
    let schema: Members = serde_json::from_str(raw)?;
    match narrowed(schema.0).and_then(case).transpose()? {
        // A bound or a default that is no double would be another number in the case.
        Some(PrimitiveSchema::Number(_) | PrimitiveSchema::Integer(_)) if !numbers_are_doubles(raw)? => read_other(raw),
        Some(case) => Ok(case),
        None => read_other(raw),
    }
}

/// Whether the whole numbers that a case may hold are doubles. Other members may hold any.
fn numbers_are_doubles(raw: &str) -> Result<bool, serde_json::Error> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(raw)?;
    let mut held = members.iter().filter(|(name, _)| is_constraint(name) || *name == "default");
    Ok(held.all(|(_, value)| json::whole_numbers_are_doubles(value.get())))
}

fn read_other(raw: &str) -> Result<PrimitiveSchema, serde_json::Error> {
    json::object::deserialize(&mut serde_json::Deserializer::from_str(raw)).map(PrimitiveSchema::Other)
}

/// A schema's members, of which none that is read here comes twice: who reads it next could take the other one.
struct Members(Schema);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a schema")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Schema::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            let is_read = name == "type" || is_constraint(&name) || SHOWN.contains(&&*name);
            if members.insert(name.clone(), value).is_some() && is_read {
                return Err(A::Error::custom(format!("the name `{name}` comes twice")));
            }
        }
        Ok(Members(members))
    }
}

/// The schema in MCP's own words, where that allows nothing which the schema refuses; none where no step leads there.
fn narrowed(mut schema: Schema) -> Option<Schema> {
    // A member of null counts as absent.
    schema.retain(|name, value| !value.is_null() || name == "const");
    merge_parts(&mut schema)?;
    name_type(&mut schema)?;
    let type_name = schema.get("type")?.as_str()?.to_owned();
    let refuses = |name: &str| {
        let row = CONSTRAINTS.iter().find(|(constraint, _)| *constraint == name);
        row.is_none_or(|(_, types)| types.is_empty() || types.contains(&&*type_name))
    };
    schema.retain(|name, value| refuses(name) && !refuses_nothing(name, value));
    if schema.contains_key("if") && !schema.contains_key("then") && !schema.contains_key("else") {
        schema.remove("if");
    }
    match &*type_name {
        "string" => choices::narrow(&mut schema)?,
        "number" | "integer" => numbers::narrow(&mut schema)?,
        "boolean" => {
            let both = |values: &Vec<Value>| [true, false].iter().all(|value| values.contains(&Value::Bool(*value)));
            if schema.get("enum").and_then(Value::as_array).is_some_and(both) {
                schema.remove("enum");
            }
        }
        "array" => narrow_items(&mut schema)?,
        _ => return None,
    }
    drop_default(&mut schema);
    Some(schema)
}

/// Whether a constraint refuses no value of any type.
fn refuses_nothing(name: &str, value: &Value) -> bool {
    match name {
        "uniqueItems" | "not" => *value == Value::Bool(false),
        "pattern" => value == "",
        "items" | "additionalItems" | "unevaluatedItems" => {
            *value == Value::Bool(true) || value.as_object().is_some_and(Map::is_empty)
        }
        _ => false,
    }
}

/// Whether a schema allows `null` and nothing else.
fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|name| name == "null")
        || schema.get("const").is_some_and(Value::is_null)
        || schema.get("enum").and_then(Value::as_array).is_some_and(|values| values.iter().all(Value::is_null))
}

/// Makes one schema of a schema and its `allOf`, and of what `anyOf` and `oneOf` leave when `null` is left out.
fn merge_parts(schema: &mut Schema) -> Option<()> {
    for name in ["allOf", "anyOf", "oneOf"] {
        let Some(parts) = schema.remove(name) else { continue };
        let Value::Array(mut parts) = parts else { return None };
        if parts.is_empty() {
            return None;
        }
        if name != "allOf" {
            parts.retain(|part| !is_null(part));
        }
        if name == "anyOf" && parts.iter().any(allows_all) {
            continue;
        }
        parts.retain(|part| name != "allOf" || !allows_all(part));
        if name != "allOf" && parts.iter().all(choices::is_choice) {
            choices::of_parts(schema, parts, name == "oneOf")?;
        } else if name == "allOf" || parts.len() == 1 {
            for part in parts {
                let Value::Object(mut part) = part else { return None };
                part.retain(|name, value| !value.is_null() || name == "const");
                merge_parts(&mut part)?;
                merge(schema, part)?;
            }
        } else {
            return None;
        }
    }
    Some(())
}

/// Whether a keyword refuses values.
fn is_constraint(name: &str) -> bool {
    CONSTRAINTS.iter().any(|(constraint, _)| *constraint == name)
}

/// Whether a schema allows every value.
fn allows_all(schema: &Value) -> bool {
    match schema {
        Value::Bool(allows) => *allows,
        Value::Object(members) => !members.contains_key("type") && !members.keys().any(|name| is_constraint(name)),
        _ => false,
    }
}

/// Adds the members of a part; none where both have one that refuses.
fn merge(schema: &mut Schema, part: Schema) -> Option<()> {
    for (name, value) in part {
        match schema.get(&name) {
            None => drop(schema.insert(name, value)),
            Some(own) if *own == value || SHOWN.contains(&&*name) => {}
            Some(_) => return None,
        }
    }
    Some(())
}

/// Names the one type that the values have, apart from `null`.
fn name_type(schema: &mut Schema) -> Option<()> {
    let one = match schema.get("type") {
        Some(Value::String(_)) => return Some(()),
        Some(Value::Array(names)) => {
            let names: Vec<_> = names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect();
            match *names {
                [name] => name,
                ["integer", "number"] | ["number", "integer"] => "number",
                _ => return None,
            }
        }
        Some(_) => return None,
        None => {
            let constant = schema.get("const").map(std::slice::from_ref);
            let values = constant.or_else(|| schema.get("enum").and_then(Value::as_array).map(Vec::as_slice));
            let texts = values?.iter().filter(|value| !value.is_null()).all(Value::is_string);
            let titled = schema.contains_key("oneOf");
            if texts || titled { "string" } else { return None }
        }
    };
    let one = Value::String(one.to_owned());
    schema.insert("type".to_owned(), one);
    Some(())
}

/// Turns the items of an array into choices.
fn narrow_items(schema: &mut Schema) -> Option<()> {
    let Value::Object(items) = schema.remove("items")? else { return None };
    let mut items = narrowed(items)?;
    // A choice is made once: of distinct values each is.
    schema.remove("uniqueItems");
    let options = items.remove("oneOf");
    let items = match (options, items.remove("enum")) {
        (Some(options), None) => Schema::from_iter([("anyOf".to_owned(), options)]),
        (None, Some(values)) => {
            Schema::from_iter([("type".to_owned(), Value::from("string")), ("enum".to_owned(), values)])
        }
        _ => return None,
    };
    schema.insert("items".to_owned(), Value::Object(items));
    Some(())
}

/// Drops a default that the schema itself refuses, and what is no choice of one: a handler that offers it would break
/// the form.
fn drop_default(schema: &mut Schema) {
    let Some(mut default) = schema.remove("default") else { return };
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let within = |size: f64, least: &str, most: &str| {
        bound(least).is_none_or(|least| size >= least) && bound(most).is_none_or(|most| size <= most)
    };
    let fits = match &mut default {
        Value::String(text) => {
            within(text.chars().count() as f64, "minLength", "maxLength") && choices::has(schema, text)
        }
        Value::Number(number) => number.as_f64().is_some_and(|number| {
            let whole = number.fract() == 0.0 || schema.get("type").is_none_or(|name| name != "integer");
            whole && within(number, "minimum", "maximum")
        }),
        Value::Array(chosen) => {
            let items = schema.get("items").and_then(Value::as_object);
            chosen.retain(|value| {
                let text = value.as_str();
                text.zip(items).is_none_or(|(text, items)| choices::has(items, text))
            });
            within(chosen.len() as f64, "minItems", "maxItems")
        }
        _ => true,
    };
    if fits {
        schema.insert("default".to_owned(), default);
    }
}

/// The case that says all that the schema does; an error where a member of it is malformed.
fn case(schema: Schema) -> Option<serde_json::Result<PrimitiveSchema>> {
    use PrimitiveSchema as Case;

    type Read = fn(Value) -> serde_json::Result<Case>;

    let has = |name: &str| schema.contains_key(name);
    let (held, read): (&[&str], Read) = match schema.get("type")?.as_str()? {
        "string" if has("oneOf") => (&["oneOf"], |value| serde_json::from_value(value).map(Case::TitledSingleSelect)),
        "string" if has("enum") && has("enumNames") => {
            (&["enum"], |value| serde_json::from_value(value).map(Case::LegacyTitledEnum))
        }
        "string" if has("enum") => (&["enum"], |value| serde_json::from_value(value).map(Case::UntitledSingleSelect)),
        "string" => (&["minLength", "maxLength", "format"], |value| serde_json::from_value(value).map(Case::Text)),
        "number" => (&["minimum", "maximum"], |value| serde_json::from_value(value).map(Case::Number)),
        "integer" => (&["minimum", "maximum"], |value| serde_json::from_value(value).map(Case::Integer)),
        "boolean" => (&[], |value| serde_json::from_value(value).map(Case::Boolean)),
        "array" if schema.get("items")?.get("anyOf").is_some() => {
            (&["minItems", "maxItems", "items"], |value| serde_json::from_value(value).map(Case::TitledMultiSelect))
        }
        "array" => {
            (&["minItems", "maxItems", "items"], |value| serde_json::from_value(value).map(Case::UntitledMultiSelect))
        }
        _ => return None,
    };
    if CONSTRAINTS.iter().any(|(name, _)| !held.contains(name) && has(name)) {
        return None;
    }
    Some(read(Value::Object(schema)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Schemas and the case that each becomes, as MCP writes the case; null for `other`.
    fn rows() -> Vec<(Value, Value)> {
        let titled = json!([{ "const": "r", "title": "Red" }, { "const": "g", "title": "Green" }]);
        let chosen = |values: &[&str]| json!({ "type": "string", "enum": values });
        vec![
            // A keyword that refuses nothing.
            (json!({ "type": "integer", "format": "int32" }), json!({ "type": "integer" })),
            (
                json!({ "type": "integer", "format": "uint64", "minimum": 0, "default": 7 }),
                json!({ "type": "integer", "minimum": 0, "default": 7 }),
            ),
            (json!({ "type": "number", "format": "double", "multipleOf": null }), json!({ "type": "number" })),
            (
                json!({ "type": "boolean", "format": "x", "minLength": 3, "uniqueItems": true }),
                json!({ "type": "boolean" }),
            ),
            (json!({ "type": "boolean", "enum": [false, true] }), json!({ "type": "boolean" })),
            (json!({ "type": "string", "minimum": 1, "items": false, "pattern": "" }), json!({ "type": "string" })),
            (json!({ "type": "string", "format": "color" }), json!({ "type": "string", "format": "color" })),
            (
                json!({ "type": "string", "if": { "minLength": 3 }, "not": false, "allOf": [{}, true] }),
                json!({ "type": "string" }),
            ),
            (json!({ "type": "string", "anyOf": [{}, { "minLength": 9 }] }), json!({ "type": "string" })),
            (json!({ "type": "integer", "multipleOf": 1 }), json!({ "type": "integer" })),
            (json!({ "type": "number", "multipleOf": 1.0, "minimum": 2 }), json!({ "type": "integer", "minimum": 2 })),
            (
                json!({ "type": "string", "contentEncoding": "base64", "readOnly": true, "x-order": 1 }),
                json!({ "type": "string" }),
            ),
            // What may be null.
            (
                json!({ "anyOf": [{ "type": "string", "maxLength": 1 }, { "type": "null" }], "default": null, "title": "T" }),
                json!({ "type": "string", "maxLength": 1, "title": "T" }),
            ),
            (
                json!({ "oneOf": [{ "type": "null" }, { "type": "integer", "title": "T" }], "default": 3 }),
                json!({ "type": "integer", "title": "T", "default": 3 }),
            ),
            (json!({ "type": ["string", "null"], "format": "date" }), json!({ "type": "string", "format": "date" })),
            (json!({ "type": ["null", "boolean"], "default": true }), json!({ "type": "boolean", "default": true })),
            (json!({ "type": ["string", "null"], "enum": ["r", "g", null] }), chosen(&["r", "g"])),
            (json!({ "type": ["integer", "number"] }), json!({ "type": "number" })),
            // Choices.
            (json!({ "enum": ["r", "g"] }), chosen(&["r", "g"])),
            (json!({ "const": "r" }), chosen(&["r"])),
            (json!({ "type": "string", "enum": ["r", "g"], "const": "g" }), chosen(&["g"])),
            (json!({ "type": "string", "enum": ["r", "gg", "ggg"], "maxLength": 2, "minLength": 2 }), chosen(&["gg"])),
            (
                json!({ "type": "string", "enum": ["r", "gg"], "enumNames": ["R", "G"], "maxLength": 1 }),
                json!({ "type": "string", "enum": ["r"], "enumNames": ["R"] }),
            ),
            (json!({ "type": "string", "enum": ["r", "g"], "format": "color" }), chosen(&["r", "g"])),
            (json!({ "anyOf": [{ "const": "r" }, { "const": "g", "type": "string" }] }), chosen(&["r", "g"])),
            (json!({ "anyOf": [{ "enum": ["r", "g"], "type": "string" }, { "type": "null" }] }), chosen(&["r", "g"])),
            (json!({ "anyOf": titled, "title": "T" }), json!({ "type": "string", "oneOf": titled, "title": "T" })),
            (json!({ "oneOf": titled }), json!({ "type": "string", "oneOf": titled })),
            (
                json!({ "type": "string", "oneOf": [{ "const": "r", "title": "Red" }] }),
                json!({ "type": "string", "oneOf": [{ "const": "r", "title": "Red" }] }),
            ),
            (
                json!({ "oneOf": [{ "const": "r", "title": "Red" }, { "const": "g" }] }),
                json!({ "type": "string", "oneOf": [{ "const": "r", "title": "Red" }, { "const": "g", "title": "g" }] }),
            ),
            (json!({ "oneOf": [{ "const": "r" }, { "const": "g" }, { "const": "g" }] }), chosen(&["r"])),
            (
                json!({ "type": "array", "items": { "enum": ["r", "g"] }, "uniqueItems": true }),
                json!({ "type": "array", "items": chosen(&["r", "g"]) }),
            ),
            (
                json!({ "type": "array", "items": { "oneOf": titled }, "minItems": 1 }),
                json!({ "type": "array", "items": { "anyOf": titled }, "minItems": 1 }),
            ),
            (
                json!({ "type": "array", "items": { "type": "string", "enum": ["r", "gg"], "maxLength": 1 } }),
                json!({ "type": "array", "items": chosen(&["r"]) }),
            ),
            // Bounds, and parts.
            (
                json!({ "type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10 }),
                json!({ "type": "integer", "minimum": 1, "maximum": 9 }),
            ),
            (
                json!({ "type": "integer", "exclusiveMinimum": 0.5, "minimum": 3 }),
                json!({ "type": "integer", "minimum": 3 }),
            ),
            (
                json!({ "type": "number", "exclusiveMaximum": 1 }),
                json!({ "type": "number", "maximum": 1_f64.next_down() }),
            ),
            (
                json!({ "allOf": [{ "type": "string", "minLength": 4 }, { "maxLength": 6 }] }),
                json!({ "type": "string", "minLength": 4, "maxLength": 6 }),
            ),
            // A default that the schema refuses is no default.
            (json!({ "type": "string", "minLength": 1, "default": "" }), json!({ "type": "string", "minLength": 1 })),
            (json!({ "type": "string", "enum": ["r"], "default": "b" }), chosen(&["r"])),
            (json!({ "type": "integer", "maximum": 1, "default": 7 }), json!({ "type": "integer", "maximum": 1 })),
            (json!({ "type": "integer", "default": 1.5 }), json!({ "type": "integer" })),
            (
                json!({ "type": "array", "items": chosen(&["r"]), "minItems": 1, "default": ["b"] }),
                json!({ "type": "array", "items": chosen(&["r"]), "minItems": 1 }),
            ),
            (
                json!({ "type": "array", "items": chosen(&["r"]), "default": ["b", "r"] }),
                json!({ "type": "array", "items": chosen(&["r"]), "default": ["r"] }),
            ),
            // Doubles, digit for digit.
            (
                json!({ "type": "integer", "minimum": 1_u64 << 60, "default": u64::pow(2, 61) }),
                json!({ "type": "integer", "minimum": 1_u64 << 60, "default": u64::pow(2, 61) }),
            ),
            (
                json!({ "type": "integer", "minimum": -9_007_199_254_740_991_i64 }),
                json!({ "type": "integer", "minimum": -9_007_199_254_740_991_i64 }),
            ),
            (json!({ "type": "integer", "minimum": 9_007_199_254_740_993_u64 }), json!(null)),
            (json!({ "type": "integer", "default": 1_420_070_400_123_456_789_u64 }), json!(null)),
            (json!({ "anyOf": [{ "type": "number", "maximum": i64::MAX }, { "type": "null" }] }), json!(null)),
            (json!({ "type": "string", "maxLength": i64::MAX }), json!({ "type": "string", "maxLength": u32::MAX })),
            // Others.
            (json!({}), json!(null)),
            (json!({ "type": "string", "pattern": "^a" }), json!(null)),
            (json!({ "type": "string", "pattern": "^a", "default": "ab" }), json!(null)),
            (json!({ "type": "string", "enum": ["r"], "pattern": "^r" }), json!(null)),
            (json!({ "type": "integer", "multipleOf": 5, "default": 10 }), json!(null)),
            (json!({ "type": "integer", "enum": [1, 2] }), json!(null)),
            (json!({ "type": "boolean", "const": true }), json!(null)),
            (json!({ "const": null }), json!(null)),
            (json!({ "type": "number", "minimum": 0, "exclusiveMinimum": true }), json!(null)),
            (json!({ "type": ["string", "integer"] }), json!(null)),
            (json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }), json!(null)),
            (json!({ "allOf": [{ "minLength": 4 }, { "minLength": 5 }], "type": "string" }), json!(null)),
            (json!({ "type": "string", "if": { "minLength": 3 }, "then": { "maxLength": 4 } }), json!(null)),
            (json!({ "type": "array", "items": { "type": "string" } }), json!(null)),
            (json!({ "type": "array", "items": { "enum": ["r"] }, "contains": { "const": "r" } }), json!(null)),
            (json!({ "type": "string", "oneOf": [] }), json!(null)),
            (json!({ "$ref": "#/$defs/A" }), json!(null)),
        ]
    }

    #[test]
    fn schemas_become_the_case_that_stands_for_them() {
        for (schema, expected) in rows() {
            let case = read(&schema.to_string()).unwrap();
            let expected = match expected {
                Value::Null => PrimitiveSchema::Other(schema.to_string()),
                case => {
                    let case = read(&case.to_string()).unwrap();
                    assert!(!matches!(case, PrimitiveSchema::Other(_)), "{schema}");
                    case
                }
            };
            assert_eq!(case, expected, "{schema}");
        }
    }

    /// A case reads back as the same case after writing, because tasks store forms this way.
    #[test]
    fn a_case_is_read_as_itself() {
        for (schema, _) in rows() {
            let case = read(&schema.to_string()).unwrap();
            assert_eq!(read(&serde_json::to_string(&case).unwrap()).unwrap(), case, "{schema}");
        }
    }
}
