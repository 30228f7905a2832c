//! Texts to choose from: `enum`, `const`, and parts of `anyOf` and `oneOf` that allow one text each.

use serde_json::{Value, json};

use super::{Schema, is_constraint};

/// The formats of JSON Schema, which values are held against. Others refuse nothing.
const FORMATS: [&str; 19] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

/// Whether a part of a schema allows texts that it names, and says nothing else.
pub(super) fn is_choice(part: &Value) -> bool {
    let texts = match (part.get("const"), part.get("enum")) {
        (Some(text), None) => text.is_string(),
        (None, Some(Value::Array(texts))) => texts.iter().all(Value::is_string),
        _ => false,
    };
    let is_text = part.get("type").is_none_or(|name| name == "string");
    let more = |name: &String| is_constraint(name) && name != "const" && name != "enum";
    texts && is_text && !part.as_object().is_some_and(|part| part.keys().any(more))
}

/// Makes the schema's choices of parts that are choices. One that is in two parts of an `exclusive` list is refused.
pub(super) fn of_parts(schema: &mut Schema, parts: Vec<Value>, exclusive: bool) -> Option<()> {
    let mut options: Vec<(String, Option<String>)> = Vec::new();
    let mut twice = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for part in &parts {
        let title = part.get("title").and_then(Value::as_str).map(str::to_owned);
        let many = part.get("enum").and_then(Value::as_array).map(Vec::as_slice);
        let texts = many.or_else(|| part.get("const").map(std::slice::from_ref))?;
        for text in texts.iter().filter_map(Value::as_str) {
            if seen.insert(text) {
                let title = title.clone().filter(|_| texts.len() == 1);
                options.push((text.to_owned(), title));
            } else {
                twice.push(text);
            }
        }
    }
    options.retain(|(text, _)| has(schema, text) && !(exclusive && twice.contains(&&**text)));
    schema.remove("enum");
    if options.is_empty() || schema.contains_key("oneOf") {
        return None;
    }
    if options.iter().any(|(_, title)| title.is_some()) {
        let option = |(text, title): (String, Option<String>)| {
            let title = title.unwrap_or_else(|| text.clone());
            json!({ "const": text, "title": title })
        };
        schema.insert("oneOf".to_owned(), options.into_iter().map(option).collect());
    } else {
        schema.insert("enum".to_owned(), options.into_iter().map(|(text, _)| text).collect());
    }
    schema.entry("type").or_insert_with(|| Value::from("string"));
    Some(())
}

/// Leaves out the choices that the rest of the schema refuses, and then the rest.
pub(super) fn narrow(schema: &mut Schema) -> Option<()> {
    if let Some(constant) = schema.remove("const") {
        let Value::String(constant) = constant else { return None };
        if schema.contains_key("enum") || schema.contains_key("oneOf") {
            retain(schema, |text| text == constant);
        } else {
            schema.insert("enum".to_owned(), json!([constant]));
        }
    }
    if !schema.contains_key("enum") && !schema.contains_key("oneOf") {
        return Some(());
    }
    let length = |value: Option<Value>| value.and_then(|value| value.as_f64());
    let (least, most) = (length(schema.remove("minLength")), length(schema.remove("maxLength")));
    retain(schema, |text| {
        let length = text.chars().count() as f64;
        least.is_none_or(|least| length >= least) && most.is_none_or(|most| length <= most)
    });
    if schema.get("format").and_then(Value::as_str).is_some_and(|format| !FORMATS.contains(&format)) {
        schema.remove("format");
    }
    if schema.contains_key("enum")
        && let Some(options) = schema.remove("oneOf")
    {
        let Value::Array(mut options) = options else { return None };
        options.retain(|option| option.get("const").and_then(Value::as_str).is_some_and(|text| has(schema, text)));
        schema.remove("enum");
        schema.insert("oneOf".to_owned(), Value::Array(options));
    }
    Some(())
}

/// Keeps some of the choices; the names of an `enum` stay with theirs.
fn retain(schema: &mut Schema, keep: impl Fn(&str) -> bool) {
    if let Some(Value::Array(options)) = schema.get_mut("oneOf") {
        options.retain(|option| option.get("const").and_then(Value::as_str).is_some_and(&keep));
    }
    let Some(Value::Array(values)) = schema.get_mut("enum") else { return };
    let kept: Vec<bool> = values.iter().map(|value| value.as_str().is_some_and(&keep)).collect();
    let mut places = kept.iter();
    values.retain(|_| places.next().is_some_and(|kept| *kept));
    if let Some(Value::Array(names)) = schema.get_mut("enumNames") {
        let mut places = kept.iter();
        names.retain(|_| places.next().is_none_or(|kept| *kept));
    }
}

/// Whether a text is one of the choices, where there are any.
pub(super) fn has(schema: &Schema, text: &str) -> bool {
    let among = |list: &Value| {
        let mut list = list.as_array().into_iter().flatten();
        list.any(|choice| choice == text || choice.get("const").is_some_and(|choice| choice == text))
    };
    ["enum", "oneOf", "anyOf"].iter().filter_map(|name| schema.get(*name)).all(among)
}
