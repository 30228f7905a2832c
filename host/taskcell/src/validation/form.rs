//! Schema of a form, compiled for checks: bounded, without references, of a known dialect.
//!
//! The form is a JSON Schema of an untrusted server. It may not refer to other schemas: MCP's forms are flat, and a
//! reference is a fetch or a loop. Its patterns are few, short and run by an engine that takes linear time.
//!
//! A pattern with look-around or a back reference is the one constraint that is not checked. No engine runs those in
//! linear time, and schema generators write such patterns for constraints that `format` already states.
//!
//! Checking an answer takes time in the product of form and answer: each constraint of a field looks at each byte of
//! the field's answer. So the product is bounded, whichever the constraints are ([`MAX_WORK`]). A constraint that would
//! cost more than that is refused or left out when the form comes.

use jsonschema::{Draft, EmailOptions, PatternOptions, Validator};
use serde_json::{Map, Value, json};

/// Size of a form's schema in bytes.
const MAX_SCHEMA: usize = 64 * 1024;
/// Number of patterns in a form.
const MAX_PATTERNS: usize = 16;
/// Size of a pattern in bytes.
const MAX_PATTERN: usize = 1024;
/// Approximate size of a compiled pattern in bytes. With [`MAX_MATCHED`] it bounds the time of a match, which is their
/// product.
const MAX_COMPILED: usize = 64 * 1024;
/// Number of backtracking steps of a pattern that is run to see what it matches.
const MAX_BACKTRACKS: usize = 10_000;
/// Size of the answer to a field that has a pattern, in bytes.
pub(super) const MAX_MATCHED: usize = 4096;
/// Product of a field's constraints and its answer's bytes, summed over the form: [`work`].
pub(super) const MAX_WORK: usize = 8 * 1024 * 1024;
/// Weight of a pattern in constraints: a match may look at every state of the pattern for each byte.
const PATTERN_WORK: usize = 100;
/// Weight of a value in bytes, beside its own.
const VALUE_WORK: usize = 16;

/// Dialects that are checked [basic, Schema Dialect]; the first is that of a schema without `$schema`. A trailing `#`
/// does not count.
pub(super) const DIALECTS: [(&str, Draft); 8] = [
    ("https://json-schema.org/draft/2020-12/schema", Draft::Draft202012),
    ("https://json-schema.org/draft/2019-09/schema", Draft::Draft201909),
    ("http://json-schema.org/draft-07/schema", Draft::Draft7),
    ("https://json-schema.org/draft-07/schema", Draft::Draft7),
    ("http://json-schema.org/draft-06/schema", Draft::Draft6),
    ("https://json-schema.org/draft-06/schema", Draft::Draft6),
    ("http://json-schema.org/draft-04/schema", Draft::Draft4),
    ("https://json-schema.org/draft-04/schema", Draft::Draft4),
];

/// Keywords that include another schema.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Keywords that refuse nothing, or only objects, which no answer to a field is.
const WITHOUT_EFFECT: [&str; 21] = [
    "$comment",
    "$defs",
    "additionalProperties",
    "default",
    "definitions",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "deprecated",
    "description",
    "examples",
    "maxProperties",
    "minProperties",
    "patternProperties",
    "properties",
    "propertyNames",
    "readOnly",
    "required",
    "title",
    "unevaluatedProperties",
    "writeOnly",
];

/// Sample values of formats, as diverse as readers of the format agree on.
#[rustfmt::skip]
const FORMAT_VALUES: [(&str, &[&str]); 9] = [
    ("date", &["2025-11-25", "2024-02-29", "1999-12-31"]),
    ("date-time", &["2025-11-25T10:00:00Z", "1999-12-31T23:59:59.999Z"]),
    ("duration", &["P1D", "PT1H30M", "P1Y2M3DT4H5M6S", "P2W"]),
    ("email", &["ada@example.com", "a.b+c@sub.example.co.uk", "x_y@a-b.org"]),
    ("hostname", &["example.com", "a", "xn--bcher-kva.example"]),
    ("ipv4", &["192.0.2.1", "0.0.0.0", "255.255.255.255"]),
    ("ipv6", &["2001:db8::1", "::1", "2001:db8:0:0:0:0:0:1"]),
    ("uri", &["https://example.com/", "http://example.com/a?b#c", "urn:x:y"]),
    ("uuid", &["0b7a9c4e-3d52-4f1a-9c3b-5e8d7f6a1b20", "5c60f693-bef5-11e0-a485-80ee7300c695"]),
];

/// Fault of a schema, with its place: `.properties.age.minimum`.
pub(super) struct Fault {
    pub(super) place: String,
    pub(super) why: String,
}

impl Fault {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { place: String::new(), why: why.into() }
    }

    fn within(self, key: &str) -> Self {
        Self { place: format!(".{key}{}", self.place), ..self }
    }
}

/// Returns the text of a form's schema, without the patterns that are not checked.
///
/// # Errors
/// A fault for a schema that is costly to compile or to check, that refers to another, or that nothing fits.
pub(super) fn bounded(schema: &mut Value) -> Result<String, Fault> {
    bound(schema, &mut 0)?;
    check_fields(schema)?;
    for field in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        prune(field);
    }
    let text = schema.to_string();
    if text.len() > MAX_SCHEMA {
        return Err(Fault::new(format!("more than {MAX_SCHEMA} bytes")));
    }
    Ok(text)
}

/// Checks that each required name is a field of the form.
fn check_fields(schema: &Value) -> Result<(), Fault> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if schema.get("properties").and_then(|fields| fields.get(name)).is_none() {
            return Err(Fault::new(format!("`{name}` is no field of the form")).within("required"));
        }
    }
    Ok(())
}

/// Removes the parts of a field's schema that refuse no answer.
fn prune(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, _| !WITHOUT_EFFECT.contains(&&**name));
            members.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

/// Returns the approximate cost of checking a value against a field's schema: constraints times bytes.
pub(super) fn work(field: &Value, value: &Value) -> usize {
    constraints(field).saturating_mul(size(value))
}

/// Returns the number of constraints of a schema and its parts.
fn constraints(schema: &Value) -> usize {
    match schema {
        Value::Object(members) => members.iter().fold(1, |sum: usize, (name, argument)| {
            let own = if name == "pattern" { PATTERN_WORK } else { 1 };
            sum.saturating_add(own).saturating_add(constraints(argument))
        }),
        Value::Array(items) => items.iter().fold(items.len(), |sum, item| sum.saturating_add(constraints(item))),
        _ => 0,
    }
}

/// Returns the size of an answer in bytes, with a weight for each value.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len().saturating_add(VALUE_WORK),
        Value::Array(items) => items.iter().fold(VALUE_WORK, |sum, item| sum.saturating_add(size(item))),
        _ => VALUE_WORK,
    }
}

/// Removes patterns that repeat the `format` beside them, as zod writes them. Returns whether there was one.
pub(super) fn drop_spelled_formats(schema: &mut Value) -> bool {
    match schema {
        Value::Object(members) => {
            let word = |name: &str| members.get(name).and_then(Value::as_str);
            let spells = word("format").zip(word("pattern")).is_some_and(|(format, pattern)| spells(pattern, format));
            if spells {
                members.remove("pattern");
            }
            members.values_mut().fold(spells, |any, part| drop_spelled_formats(part) || any)
        }
        Value::Array(parts) => {
            let mut any = false;
            for part in parts {
                any |= drop_spelled_formats(part);
            }
            any
        }
        _ => false,
    }
}

/// Whether a pattern matches every sample value of a format.
fn spells(pattern: &str, format: &str) -> bool {
    let Some((_, values)) = FORMAT_VALUES.iter().find(|(name, _)| *name == format) else { return false };
    let schema = json!({ "pattern": pattern });
    let lenient = || backtracking().build(&schema).ok();
    let validator = compile(&schema).ok().or_else(lenient);
    validator.is_some_and(|validator| values.iter().all(|value| validator.is_valid(&json!(value))))
}

/// Returns options for patterns that no engine runs in linear time.
fn backtracking() -> jsonschema::ValidationOptions<'static> {
    let patterns = PatternOptions::fancy_regex().size_limit(MAX_COMPILED).backtrack_limit(MAX_BACKTRACKS);
    jsonschema::options().offline().with_pattern_options(patterns)
}

/// Refuses a schema that is costly to compile or to check, and removes the patterns that are not checked.
fn bound(schema: &mut Value, patterns: &mut usize) -> Result<(), Fault> {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(pattern)) = members.get("pattern")
                && !is_checked(pattern, patterns).map_err(|fault| fault.within("pattern"))?
            {
                members.remove("pattern");
            }
            members.iter_mut().try_for_each(|(key, value)| {
                let fault = if value.is_string() && REFERENCES.contains(&key.as_str()) {
                    Err(Fault::new("a form may not refer to other schemas"))
                } else {
                    let of_keys = value.as_object().filter(|_| key == "patternProperties");
                    let mut keys = of_keys.into_iter().flat_map(Map::keys);
                    keys.try_for_each(|pattern| count(pattern, patterns)).and_then(|()| bound(value, patterns))
                };
                fault.map_err(|fault| fault.within(key))
            })
        }
        Value::Array(items) => items
            .iter_mut()
            .enumerate()
            .try_for_each(|(index, item)| bound(item, patterns).map_err(|fault| fault.within(&index.to_string()))),
        _ => Ok(()),
    }
}

/// Whether answers are checked against a pattern. A fault if it is one of too many, too large or malformed.
fn is_checked(pattern: &str, patterns: &mut usize) -> Result<bool, Fault> {
    count(pattern, patterns)?;
    let schema = json!({ "pattern": pattern });
    if compile(&schema).is_ok() {
        return Ok(true);
    }
    match backtracking().build(&schema) {
        Ok(_) => Ok(false),
        Err(_) => Err(Fault::new("no regular expression, or one that is too large")),
    }
}

fn count(pattern: &str, patterns: &mut usize) -> Result<(), Fault> {
    *patterns = patterns.saturating_add(1);
    if *patterns > MAX_PATTERNS {
        return Err(Fault::new(format!("more than {MAX_PATTERNS} patterns")));
    }
    if pattern.len() > MAX_PATTERN {
        return Err(Fault::new(format!("a pattern of more than {MAX_PATTERN} bytes")));
    }
    Ok(())
}

/// Compiles a schema. Every known format is checked, and nothing is fetched.
pub(super) fn compile(schema: &Value) -> Result<Validator, Fault> {
    let draft = match schema.get("$schema").and_then(Value::as_str) {
        Some(uri) => {
            let known = DIALECTS.iter().find(|(name, _)| *name == uri.trim_end_matches('#'));
            let (_, draft) = known.ok_or_else(|| Fault::new("this dialect is not supported").within("$schema"))?;
            *draft
        }
        None => Draft::Draft202012,
    };
    jsonschema::options()
        .with_draft(draft)
        .offline()
        .should_validate_formats(true)
        .with_email_options(EmailOptions::default().without_display_text())
        // Checking the format `regex` would compile the answer.
        .with_format("regex", |_: &str| true)
        .with_pattern_options(PatternOptions::regex().size_limit(MAX_COMPILED))
        .build(schema)
        .map_err(|error| Fault {
            place: error.instance_path().as_str().replace('/', "."),
            why: error.masked_with("the schema").to_string(),
        })
}

/// Whether a schema has a pattern.
pub(super) fn has_pattern(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.contains_key("pattern") || members.values().any(has_pattern),
        Value::Array(items) => items.iter().any(has_pattern),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a form with one field `a`.
    fn field(schema: &Value) -> Value {
        json!({ "type": "object", "properties": { "a": schema } })
    }

    fn refusal(schema: &Value) -> Option<String> {
        let refused = bounded(&mut schema.clone()).and_then(|_| compile(schema));
        refused.err().map(|Fault { place, why }| format!("{place}: {why}"))
    }

    #[test]
    fn forms_that_cannot_be_checked() {
        let other = |schema: Value| field(&json!({ "anyOf": [schema] }));
        let nested = |depth: usize| {
            let schema = (0..depth).fold(json!(true), |schema, _| json!({ "not": schema }));
            field(&schema)
        };
        let patterns = |n: usize| other(json!({ "allOf": vec![json!({ "pattern": "x+y" }); n] }));
        for good in [nested(60), patterns(MAX_PATTERNS), other(json!({ "pattern": "x".repeat(MAX_PATTERN) }))] {
            assert_eq!(refusal(&good), None, "{good}");
        }
        let refers = "a form may not refer to other schemas";
        let invalid = "no regular expression, or one that is too large";
        let cases = [
            (other(json!({ "$ref": "http://localhost:1/schema" })), ".properties.a.anyOf.0.$ref", refers),
            (other(json!({ "$ref": "file:///etc/passwd" })), ".properties.a.anyOf.0.$ref", refers),
            (
                other(json!({ "$ref": "https://json-schema.org/draft/2020-12/schema" })),
                ".properties.a.anyOf.0.$ref",
                refers,
            ),
            (field(&json!({ "$ref": "#" })), ".properties.a.$ref", refers),
            (field(&json!({ "$ref": "#/properties/a" })), ".properties.a.$ref", refers),
            (field(&json!({ "$dynamicRef": "#x" })), ".properties.a.$dynamicRef", refers),
            (other(json!({ "pattern": "(" })), ".properties.a.anyOf.0.pattern", invalid),
            (other(json!({ "pattern": "(((x{99}){99}){99}){99}" })), ".properties.a.anyOf.0.pattern", invalid),
            (other(json!({ "pattern": "[ab]*a[ab]{3000}x" })), ".properties.a.anyOf.0.pattern", invalid),
            (
                other(json!({ "pattern": "x".repeat(MAX_PATTERN + 1) })),
                ".properties.a.anyOf.0.pattern",
                "a pattern of more than 1024 bytes",
            ),
            (patterns(MAX_PATTERNS + 1), ".properties.a.anyOf.0.allOf.16.pattern", "more than 16 patterns"),
            (
                other(
                    json!({ "patternProperties": (0..17).map(|n| (format!("x{n}"), json!({}))).collect::<Map<_, _>>() }),
                ),
                ".properties.a.anyOf.0.patternProperties",
                "more than 16 patterns",
            ),
            (field(&json!({ "type": "foo" })), ".properties.a.type", ""),
            (field(&json!({ "anyOf": 3 })), ".properties.a.anyOf", "the schema is not of type \"array\""),
            (
                other(json!({ "minLength": -1 })),
                ".properties.a.anyOf.0.minLength",
                "the schema is less than the minimum of 0",
            ),
            (
                field(&json!({ "type": "string", "oneOf": [] })),
                ".properties.a.oneOf",
                "the schema has less than 1 item",
            ),
            (
                (json!({ "type": "object", "properties": {}, "required": ["a"] })),
                ".required",
                "`a` is no field of the form",
            ),
            (
                (json!({ "$schema": "http://localhost:1/dialect", "type": "object", "properties": {} })),
                ".$schema",
                "this dialect is not supported",
            ),
            (field(&json!({ "enum": [["x".repeat(MAX_SCHEMA)]] })), "", "more than 65536 bytes"),
        ];
        for (request, place, why) in cases {
            let refusal = refusal(&request).unwrap_or_default();
            assert!(refusal.starts_with(&format!("{place}: {why}")), "{place}: {refusal}");
        }
    }
}
