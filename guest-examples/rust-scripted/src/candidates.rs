//! Values that may fit a field's schema, the likeliest first.

use serde_json::{Map, Number, Value};

use crate::formats;
use crate::pattern::Pattern;
use crate::schema::{fits, merged, number, whole};

/// The longest text that is made up. The least length of a field is the peer's to choose, and a huge one must
/// not exhaust the memory.
const LONGEST: usize = 4096;
/// The most items of a list that is made up.
const MOST_ITEMS: usize = 256;
/// The deepest that the parts of a schema are followed.
const DEPTH: u32 = 6;
/// The most parts of a schema that are tried.
const PARTS: usize = 64;

/// The first value that fits a schema: one that the server named, else one that is made up.
pub(crate) fn answer(schema: &Value) -> Option<Value> {
    let Value::Object(members) = schema else { return None };
    let mut parts = Vec::new();
    collect(members.clone(), DEPTH, &mut parts);
    let named = parts.iter().flat_map(named).find(|value| is_answer(value) && fits(schema, value, true));
    named.cloned().or_else(|| parts.iter().find_map(|part| made_up(part, &|value| fits(schema, value, false))))
}

/// Whether an answer can be such a value: text, a number, yes or no, or a list of texts.
fn is_answer(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Bool(_) => true,
        // An answer is a double, and another number than the server named is another answer.
        Value::Number(number) => whole(number).is_none_or(|whole| whole as f64 as i128 == whole),
        Value::Array(items) => items.iter().all(Value::is_string),
        _ => false,
    }
}

/// A schema and what it becomes with each of its parts: what fits one of these may fit the whole.
fn collect(schema: Map<String, Value>, depth: u32, parts: &mut Vec<Map<String, Value>>) {
    if parts.len() >= PARTS {
        return;
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    let mut whole = schema.clone();
    let list = |whole: &mut Map<String, Value>, name: &str| match whole.remove(name) {
        Some(Value::Array(list)) => list,
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    };
    for part in list(&mut whole, "allOf") {
        if let Value::Object(part) = part {
            whole = merged(&whole, &part);
        }
    }
    let choices = ["anyOf", "oneOf", "then", "else"].map(|name| list(&mut whole, name));
    whole.remove("if");
    if whole.contains_key("allOf") {
        return collect(whole, depth, parts);
    }
    for choice in choices.into_iter().flatten() {
        if let Value::Object(choice) = choice {
            collect(merged(&whole, &choice), depth, parts);
        }
    }
    parts.push(whole);
}

/// The values that a schema names.
fn named(schema: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let one = ["default", "const"].iter().filter_map(|name| schema.get(*name));
    let many = ["enum", "examples"].iter().filter_map(|name| schema.get(*name)?.as_array()).flatten();
    one.chain(many)
}

/// A value of one of the schema's types.
fn made_up(schema: &Map<String, Value>, fits: &dyn Fn(&Value) -> bool) -> Option<Value> {
    let is_of = |name: &str| match schema.get("type") {
        Some(Value::Array(names)) => names.iter().any(|own| own == name),
        Some(own) => own == name,
        None => true,
    };
    let text = || text(schema, &|text| fits(&Value::from(text))).map(Value::from);
    let number = |whole: bool| {
        numbers(schema, whole).into_iter().filter_map(Number::from_f64).map(Value::Number).find(|number| fits(number))
    };
    let flag = || [true, false].into_iter().map(Value::Bool).find(|flag| fits(flag));
    is_of("string")
        .then(text)
        .flatten()
        .or_else(|| is_of("integer").then(|| number(true)).flatten())
        .or_else(|| is_of("number").then(|| number(false)).flatten())
        .or_else(|| is_of("boolean").then(flag).flatten())
        .or_else(|| is_of("array").then(|| list(schema, fits)).flatten())
}

/// A text of the right format, pattern and length.
fn text(schema: &Map<String, Value>, fits: &dyn Fn(&str) -> bool) -> Option<String> {
    let least = schema.get("minLength").and_then(number).unwrap_or(0.0) as usize;
    let most = schema.get("maxLength").and_then(number).map_or(usize::MAX, |most| most as usize);
    if least > most.min(LONGEST) {
        return None;
    }
    let word = |name: &str| schema.get(name).and_then(Value::as_str);
    let known = word("format").map_or(&[] as &[&str], formats::values);
    // A longer text of the same format has more at its end, or at its start.
    let padded = |text: &&str| {
        let (front, end) = (format!("{text:a>least$}"), format!("{text:a<least$}"));
        if text.contains('@') { [front, end] } else { [end, front] }
    };
    if let Some(text) = known.iter().flat_map(padded).find(|text| fits(text)) {
        return Some(text);
    }
    if let Some(text) =
        word("pattern").and_then(Pattern::parse).and_then(|pattern| pattern.samples().find(|text| fits(text)))
    {
        return Some(text);
    }
    let mut name = format!("{:a<least$}", "Ada");
    name.truncate(most);
    let others = ["a", "A", "1", "0", "a1", "A1", "ada@example.com", "https://example.com/", "2025-11-25", ""];
    let others = others.into_iter().flat_map(|text| padded(&text));
    core::iter::once(name).chain(others).find(|text| fits(text))
}

/// Numbers between the bounds: one, or what is nearest to it.
fn numbers(schema: &Map<String, Value>, whole_only: bool) -> Vec<f64> {
    let bound = |inclusive: &str, exclusive: &str| {
        schema.get(exclusive).filter(|bound| bound.is_number()).or_else(|| schema.get(inclusive))
    };
    let (least, most) = (bound("minimum", "exclusiveMinimum"), bound("maximum", "exclusiveMaximum"));
    // The doubles about a bound: a whole number beyond 2^53 may be none itself.
    let about = |bound: Option<&Value>| -> Vec<f64> {
        let Some(bound) = bound.and_then(number) else { return Vec::new() };
        let whole = [bound.ceil(), bound.floor(), bound.ceil() + 1.0, bound.floor() - 1.0];
        let close = [bound, bound.next_up(), bound.next_down(), bound + 0.5, bound - 0.5];
        if whole_only { [whole.as_slice(), &close[1..3]].concat() } else { [close.as_slice(), &whole].concat() }
    };
    let (about_least, about_most) = (about(least), about(most));
    let between = || Some((least.and_then(number)? + most.and_then(number)?) / 2.0);
    let mut numbers = vec![1.0];
    if let Some(step) = schema.get("multipleOf").and_then(number).filter(|step| *step > 0.0) {
        let near = |bound: f64| [(bound / step).ceil(), (bound / step).floor(), (bound / step).ceil() + 1.0];
        let bounds = [about_least.first(), about_most.first(), Some(&1.0)];
        numbers.extend(bounds.into_iter().flatten().flat_map(|bound| near(*bound)).map(|times| times * step));
    }
    numbers.extend(about_least.iter().chain(&about_most).copied().chain(between()).chain([0.0, -1.0, 2.0, 0.5]));
    numbers
}

/// A list of texts: as many as there must be, but one where one is allowed.
fn list(schema: &Map<String, Value>, fits: &dyn Fn(&Value) -> bool) -> Option<Value> {
    let least = schema.get("minItems").and_then(number).unwrap_or(0.0).max(0.0) as usize;
    if least > MOST_ITEMS {
        return None;
    }
    let mut first: Vec<Value> = Vec::new();
    let positions = ["prefixItems", "items"].iter().find_map(|name| schema.get(*name)?.as_array());
    for position in positions.into_iter().flatten() {
        first.extend(texts(position, 1).into_iter().next());
    }
    let contained = schema.get("contains").map(|schema| texts(schema, least.max(1))).unwrap_or_default();
    let anything = Value::Bool(true);
    let items = schema.get("items").filter(|items| !items.is_array()).unwrap_or(&anything);
    let others = texts(items, least.saturating_add(1));
    let mut all = first;
    for text in contained.into_iter().chain(others) {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    let repeated =
        |size: usize| all.iter().cycle().take(if all.is_empty() { 0 } else { size }).cloned().collect::<Vec<_>>();
    let sizes = (least.max(1)..=least.max(all.len()).max(1)).chain([0]);
    sizes.map(|size| Value::Array(repeated(size))).find(|list| fits(list))
}

/// So many different texts that fit a schema, if there are as many.
fn texts(schema: &Value, wanted: usize) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let anything = Map::new();
    let schema_members = schema.as_object().unwrap_or(&anything);
    let mut parts = Vec::new();
    collect(schema_members.clone(), DEPTH, &mut parts);
    let named = parts.iter().flat_map(named).filter(|value| value.is_string() && fits(schema, value, true));
    for value in named {
        if !found.contains(value) {
            found.push(value.clone());
        }
        if found.len() >= wanted {
            return found;
        }
    }
    while found.len() < wanted {
        let is_new = |text: &str| {
            let text = Value::from(text);
            !found.contains(&text) && fits(schema, &text, false)
        };
        let count = found.len().to_string();
        let counted = ["Ada", "a", "ada+"].map(|text| format!("{text}{count}"));
        let email = format!("ada{count}@example.com");
        let uri = format!("https://example.com/{count}");
        let made = parts.iter().find_map(|part| text(part, &is_new));
        let Some(text) = made.or_else(|| counted.into_iter().chain([email, uri]).find(|text| is_new(text))) else {
            break;
        };
        found.push(Value::from(text));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A schema and what is answered; null where nothing is.
    #[test]
    fn schemas_are_answered() {
        let rows = [
            (json!({ "type": "string" }), json!("Ada")),
            (json!({ "type": "string", "minLength": 5 }), json!("Adaaa")),
            (json!({ "type": "string", "maxLength": 2 }), json!("Ad")),
            (json!({ "type": "string", "maxLength": 0 }), json!("")),
            (json!({ "type": "string", "minLength": 3, "maxLength": 2 }), json!(null)),
            (json!({ "type": "string", "minLength": 4_294_967_295_u32 }), json!(null)),
            (json!({ "type": "string", "format": "phone-number" }), json!("Ada")),
            (json!({ "type": "string", "format": "email" }), json!("ada@example.com")),
            (
                json!({ "type": "string", "format": "email", "minLength": 17, "maxLength": 17 }),
                json!("aaada@example.com"),
            ),
            (json!({ "type": "string", "format": "email", "minLength": 7, "maxLength": 14 }), json!("aa@b.co")),
            (json!({ "type": "string", "format": "email", "maxLength": 5 }), json!(null)),
            (json!({ "type": "string", "format": "uri", "minLength": 22 }), json!("https://example.com/aa")),
            (json!({ "type": "string", "format": "uri", "maxLength": 4 }), json!("a:b")),
            (json!({ "type": "string", "format": "date" }), json!("2025-11-25")),
            (json!({ "type": "string", "format": "date", "minLength": 11 }), json!(null)),
            (json!({ "type": "string", "format": "date-time" }), json!("2025-11-25T00:00:00Z")),
            (json!({ "type": "string", "format": "time" }), json!("12:00:00Z")),
            (json!({ "type": "string", "format": "ipv4" }), json!("192.0.2.1")),
            (json!({ "type": "string", "format": "hostname" }), json!("example.com")),
            (json!({ "type": "string", "pattern": "^[A-Z]{3}-\\d+$" }), json!("AAA-1")),
            (json!({ "type": "string", "pattern": "^a+$", "minLength": 4 }), json!("aaaa")),
            (json!({ "type": "string", "pattern": "(" }), json!(null)),
            (json!({ "type": "string", "pattern": "^x", "default": "xy" }), json!("xy")),
            (json!({ "type": "string", "default": "Ada", "maxLength": 2 }), json!("Ad")),
            (json!({ "type": "string", "default": "", "minLength": 1 }), json!("Ada")),
            (json!({ "type": "string", "format": "email", "default": "" }), json!("ada@example.com")),
            (json!({ "type": "number" }), json!(1.0)),
            (json!({ "type": "number", "minimum": 2.5 }), json!(2.5)),
            (json!({ "type": "number", "maximum": -0.5 }), json!(-0.5)),
            (json!({ "type": "number", "minimum": 2, "maximum": 1 }), json!(null)),
            (json!({ "type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 1.25 }), json!(1.0_f64.next_up())),
            (json!({ "type": "integer", "minimum": 2.5 }), json!(3.0)),
            (json!({ "type": "integer", "maximum": -0.5 }), json!(-1.0)),
            (json!({ "type": "integer", "minimum": 2.1, "maximum": 2.9 }), json!(null)),
            (json!({ "type": "integer", "exclusiveMinimum": 4, "multipleOf": 5 }), json!(5.0)),
            (json!({ "type": "integer", "minimum": 9_007_199_254_740_993_u64 }), json!(9_007_199_254_740_994.0)),
            (json!({ "type": "integer", "default": 7, "maximum": 1 }), json!(1.0)),
            (json!({ "type": "integer", "enum": [5, 10] }), json!(5)),
            (json!({ "const": 5 }), json!(5)),
            (json!({ "type": "boolean" }), json!(true)),
            (json!({ "type": "boolean", "const": false }), json!(false)),
            (
                json!({ "anyOf": [{ "type": "string", "minLength": 4 }, { "type": "null" }], "default": null }),
                json!("Adaa"),
            ),
            (json!({ "type": ["null", "integer"] }), json!(1.0)),
            (json!({ "oneOf": [{ "const": "a", "title": "A" }, { "const": "b" }] }), json!("a")),
            (json!({ "oneOf": [{ "type": "number" }, { "type": "integer" }] }), json!(0.5)),
            (
                json!({ "allOf": [{ "type": "string" }, { "allOf": [{ "minLength": 4 }] }], "maxLength": 4 }),
                json!("Adaa"),
            ),
            (json!({ "not": { "type": "string" } }), json!(1.0)),
            (json!({ "not": {} }), json!(null)),
            (json!({ "type": "array", "items": { "type": "string" } }), json!(["Ada"])),
            (
                json!({ "type": "array", "items": { "type": "string" }, "minItems": 3, "uniqueItems": true }),
                json!(["Ada", "a", "A"]),
            ),
            (json!({ "type": "array", "items": { "enum": ["a", "b", "c"] }, "minItems": 2 }), json!(["a", "b"])),
            (json!({ "type": "array", "items": { "enum": ["a"] }, "minItems": 2 }), json!(["a", "a"])),
            (json!({ "type": "array", "items": { "enum": ["a"] }, "minItems": 2, "uniqueItems": true }), json!(null)),
            (json!({ "type": "array", "items": { "enum": ["a"] }, "maxItems": 0 }), json!([])),
            (json!({ "type": "array", "items": { "type": "number" } }), json!([])),
            (json!({ "type": "array", "items": { "type": "number" }, "minItems": 1 }), json!(null)),
            (json!({ "type": "array", "contains": { "const": "x" } }), json!(["x"])),
            (
                json!({ "type": "array", "prefixItems": [{ "const": "x" }, { "const": "y" }], "minItems": 2, "items": false }),
                json!(["x", "y"]),
            ),
            (
                json!({ "type": "array", "items": { "format": "email", "type": "string" }, "minItems": 3, "uniqueItems": true }),
                json!(["ada@example.com", "a@b.co", "ada2@example.com"]),
            ),
            (json!({ "type": "object" }), json!(null)),
            (json!({ "$ref": "#" }), json!(null)),
        ];
        for (schema, expected) in rows {
            let answer = answer(&schema).unwrap_or_default();
            let numbers = answer.as_f64().zip(expected.as_f64());
            assert!(answer == expected || numbers.is_some_and(|(one, other)| one == other), "{schema}: {answer}");
        }
    }
}
