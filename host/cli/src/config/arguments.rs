//! JSON that a person types: as text, from a file with `@FILE`, from stdin with `-`, or as `KEY=VALUE` pairs of a tool.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value};

use crate::client::schema::{self, Kind};
use crate::config::source::read_text;
use crate::terminal::nearest;
use crate::terminal::one_line;

/// Maximum size of a file or of stdin in bytes: the default size limit of an MCP message.
const MAX_SIZE: u64 = 4 << 20;

/// Reads a JSON object that is given as text, as `@FILE`, or as `-` for stdin.
///
/// # Errors
/// Fails for unreadable input and for JSON that is not an object. The error names the argument by `what`.
pub(crate) fn object(what: &str, given: &str) -> anyhow::Result<Map<String, Value>> {
    match json(what, given)? {
        Value::Object(object) => Ok(object),
        _ => bail!("{what} is not a JSON object"),
    }
}

/// Reads any JSON value that is given as text, as `@FILE`, or as `-` for stdin.
///
/// # Errors
/// Fails for unreadable input and for text that is not JSON. The error names the argument by `what`.
pub(crate) fn json(what: &str, given: &str) -> anyhow::Result<Value> {
    let text = match given.strip_prefix('@') {
        Some(file) => read_text(Path::new(file), MAX_SIZE).with_context(|| what.to_owned())?,
        None if given == "-" => stdin().with_context(|| format!("{what}: stdin"))?,
        None => given.to_owned(),
    };
    let place = match given {
        "-" => format!("{what} (stdin)"),
        _ if given.starts_with('@') => format!("{what} ({})", one_line(given)),
        _ => what.to_owned(),
    };
    serde_json::from_str(&text).with_context(|| format!("{place} is not JSON"))
}

fn stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(MAX_SIZE.saturating_add(1)).read_to_string(&mut text)?;
    ensure!(text.len() as u64 <= MAX_SIZE, "more than {MAX_SIZE} bytes");
    Ok(text)
}

/// Adds `KEY=VALUE` pairs to the arguments of a tool. The tool's input schema determines the type of each value. A key
/// with an array type may occur more than once.
///
/// # Errors
/// Fails for a value that the schema does not accept, and for an unknown key when the schema allows no others.
pub(crate) fn add_pairs(
    arguments: &mut Map<String, Value>,
    pairs: &[(String, String)],
    input_schema: &Value,
) -> anyhow::Result<()> {
    let properties = input_schema.get("properties").and_then(Value::as_object);
    let mut given: Vec<&str> = Vec::new();
    for (key, text) in pairs {
        let schema = properties.and_then(|properties| properties.get(key));
        if schema.is_none() && input_schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            let names: Vec<_> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            bail!("--arg {}: the tool has no such argument{}", one_line(key), nearest::hint(key, &names));
        }
        let again = given.contains(&key.as_str());
        given.push(key);
        let kinds = schema.map(|schema| schema::kinds(schema, input_schema)).unwrap_or_default();
        let value = value(text, &kinds).with_context(|| format!("--arg {}", one_line(key)))?;
        match (arguments.get_mut(key), value) {
            (Some(Value::Array(all)), Value::Array(more)) if again => all.extend(more),
            (Some(_), _) if again => bail!("--arg {}: the tool takes one value of it", one_line(key)),
            (_, value) => {
                arguments.insert(key.clone(), value);
            }
        }
    }
    Ok(())
}

/// Converts text to the first of `kinds` that accepts it. Without any kind, text that is JSON becomes that JSON value.
fn value(text: &str, kinds: &[Kind<'_>]) -> anyhow::Result<Value> {
    let json = || serde_json::from_str::<Value>(text).ok();
    if kinds.is_empty() {
        return Ok(json().unwrap_or_else(|| text.into()));
    }
    if let Some(value) = kinds.iter().find_map(|kind| taken(text, json(), kind)) {
        return Ok(value);
    }
    let wanted: Vec<_> = kinds.iter().map(Kind::to_string).collect();
    bail!("{:?} is not {}", one_line(text), wanted.join(" | "))
}

fn taken(text: &str, json: Option<Value>, kind: &Kind<'_>) -> Option<Value> {
    let is = |good: fn(&Value) -> bool| json.clone().filter(good);
    match kind {
        Kind::Text => Some(text.into()),
        Kind::Integer => {
            is(|value| value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|v| v.fract() == 0.0))
        }
        Kind::Number => is(Value::is_number),
        Kind::Boolean => is(Value::is_boolean),
        Kind::Null => is(Value::is_null),
        Kind::Object => is(Value::is_object),
        Kind::One(value) => {
            let same = value.as_str().map_or_else(|| json.as_ref() == Some(*value), |value| value == text);
            same.then(|| (*value).clone())
        }
        Kind::Array(items) => match json {
            Some(Value::Array(items)) => Some(items.into()),
            _ => value(text, items).ok().map(|item| vec![item].into()),
        },
        Kind::Any => Some(json.unwrap_or_else(|| text.into())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": false, "$defs": { "size": { "enum": ["s", "m", 3, null] } }, "properties": {
            "text": { "type": "string" }, "count": { "type": "integer" }, "ratio": { "type": "number" },
            "on": { "type": "boolean" }, "tags": { "type": "array", "items": { "type": "string" } },
            "ids": { "type": "array", "items": { "type": "integer" } }, "more": { "type": "object" },
            "maybe": { "anyOf": [{ "type": "integer" }, { "type": "null" }] }, "either": { "type": ["string", "null"] },
            "size": { "$ref": "#/$defs/size" }, "fixed": { "const": 7 }, "any": {}, "loop": { "$ref": "#/properties/loop" },
        }})
    }

    fn put(pairs: &[&str]) -> Result<Value, String> {
        let pairs: Vec<_> = pairs.iter().map(|pair| pair.split_once('=').unwrap_or_default()).collect();
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut arguments = Map::new();
        add_pairs(&mut arguments, &pairs, &schema()).map_err(|error| format!("{error:#}"))?;
        Ok(arguments.into())
    }

    #[test]
    fn values_become_what_the_schema_says() {
        #[rustfmt::skip]
        let table: &[(&[&str], Value)] = &[
            (&["text=5"],                    json!({ "text": "5" })),
            (&["text=a=b"],                  json!({ "text": "a=b" })),
            (&["text="],                     json!({ "text": "" })),
            (&["count=5"],                   json!({ "count": 5 })),
            (&["count=9007199254740993"],    json!({ "count": 9_007_199_254_740_993_u64 })),
            (&["ratio=1e-3"],                json!({ "ratio": 0.001 })),
            (&["on=true"],                   json!({ "on": true })),
            (&["tags=a", "tags=b"],          json!({ "tags": ["a", "b"] })),
            (&["tags=[\"a\",\"b\"]"],        json!({ "tags": ["a", "b"] })),
            (&["ids=1", "ids=[2,3]"],        json!({ "ids": [1, 2, 3] })),
            (&["more={\"a\":1}"],            json!({ "more": { "a": 1 } })),
            (&["maybe=null"],                json!({ "maybe": null })),
            (&["maybe=4"],                   json!({ "maybe": 4 })),
            (&["either=null"],               json!({ "either": "null" })),
            (&["size=m"],                    json!({ "size": "m" })),
            (&["size=3"],                    json!({ "size": 3 })),
            (&["fixed=7"],                   json!({ "fixed": 7 })),
            (&["any=[1]", "loop=x"],         json!({ "any": [1], "loop": "x" })),
        ];
        for (pairs, expected) in table {
            assert_eq!(put(pairs).as_ref(), Ok(expected), "{pairs:?}");
        }
    }

    #[test]
    fn what_the_schema_does_not_take_is_refused() {
        #[rustfmt::skip]
        let table: &[(&[&str], &str)] = &[
            (&["count=many"],         "--arg count: \"many\" is not integer"),
            (&["count=1.5"],          "--arg count: \"1.5\" is not integer"),
            (&["on=yes"],             "--arg on: \"yes\" is not boolean"),
            (&["size=xl"],            "--arg size: \"xl\" is not \"s\" | \"m\" | 3 | null"),
            (&["more=[1]"],           "--arg more: \"[1]\" is not object"),
            (&["ids=x"],              "--arg ids: \"x\" is not integer[]"),
            (&["text=a", "text=b"],   "--arg text: the tool takes one value of it"),
            (&["cuont=1"],            "--arg cuont: the tool has no such argument; did you mean count?"),
        ];
        for (pairs, expected) in table {
            assert_eq!(put(pairs), Err((*expected).to_owned()), "{pairs:?}");
        }
    }

    #[test]
    fn json_is_read_from_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        std::fs::write(&file, r#"{"a":1}"#).unwrap();
        let at = format!("@{}", file.display());
        assert_eq!(object("--args", &at).unwrap(), *json!({ "a": 1 }).as_object().unwrap());
        std::fs::write(&file, "[1]").unwrap();
        for (given, word) in
            [(at.as_str(), "--args is not a JSON object"), ("{", "--args is not JSON"), ("@no-such", "no-such")]
        {
            let error = format!("{:#}", object("--args", given).unwrap_err());
            assert!(error.contains(word), "{given}: {error}");
        }
    }
}
