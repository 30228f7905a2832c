//! Elicitation: answers must fit the form that the server sent. [client/elicitation, Form Mode Security]
//!
//! The answer comes from the guest, so it is checked against the exact constraints that the server sent, within the
//! bounds of `form`. Errors never contain the user's input.
//!
//! A form is the list of its properties, so the schema to check against says `additionalProperties: false`. A key that
//! the form does not have is data that the server did not ask for and the user was not shown.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::form::{Fault, MAX_MATCHED, MAX_WORK, bounded, compile, drop_spelled_formats, has_pattern, work};
use super::{MAX_QUOTE, read_own};
use crate::protocol::types::{
    ElicitAction, ElicitEntry, ElicitRequest, ElicitResult, ElicitValue, Json, PrimitiveSchema, RpcError,
};
use crate::text::one_line;

/// Number of values in the answer to a multiple choice. Each is compared with all choices.
const MAX_CHOSEN: usize = 1024;

/// Limits in bytes up to which a check is short, some milliseconds: of a schema, and of the product of a schema and an
/// answer.
const SHORT: (usize, usize) = (16 * 1024, 1024 * 1024);
/// Size of a form's schema as the server writes it, in bytes, with blanks and display texts.
const MAX_WRITTEN: usize = 1024 * 1024;

/// Request for a form, read as far as its schema.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params<'a> {
    #[serde(borrow)]
    requested_schema: Form<'a>,
}

#[derive(Deserialize)]
struct Form<'a> {
    #[serde(rename = "$schema")]
    dialect: Option<String>,
    #[serde(borrow)]
    properties: &'a RawValue,
    required: Option<Vec<String>>,
}

/// Returns the JSON Schema that the answer to a request for a form must fit, as text to keep. It has every constraint
/// that the server wrote, also those that the typed fields of [`ElicitRequest`] lack.
///
/// # Errors
/// -32602 with the place, for a form that is no valid JSON Schema, that is of a dialect not in the list `DIALECTS` of
/// `form` [basic, Implementation Requirements], that refers to another schema, or that is too large to be checked.
pub fn schema_in(message: &[u8]) -> Result<Json, RpcError> {
    // The message was read as a form before.
    let read: Result<Message<'_>, _> = serde_json::from_slice(message);
    let schema = read.map_err(|error| Fault::new(error.to_string())).and_then(|message| {
        let Form { dialect, properties, required } = message.params.requested_schema;
        if properties.get().len() > MAX_WRITTEN {
            return Err(Fault::new(format!("more than {MAX_WRITTEN} bytes")));
        }
        let properties: Value =
            serde_json::from_str(properties.get()).map_err(|error| Fault::new(error.to_string()))?;
        let mut schema = json!({ "type": "object", "properties": properties });
        if let Value::Object(members) = &mut schema {
            members.extend(dialect.map(|dialect| ("$schema".to_owned(), dialect.into())));
            members.extend(required.map(|required| ("required".to_owned(), required.into())));
        }
        Ok(schema)
    });
    schema.and_then(usable).map_err(refused)
}

/// Returns the JSON Schema of a typed request, whose fields have the constraints of their types only.
///
/// None for a page, which asks for no content.
///
/// # Errors
/// As for [`schema_in`].
pub fn schema(request: &ElicitRequest) -> Result<Option<Json>, RpcError> {
    let ElicitRequest::Form(form) = request else { return Ok(None) };
    let schema = serde_json::to_value(&form.requested_schema).map_err(|error| Fault::new(error.to_string()));
    schema.and_then(usable).map(Some).map_err(refused)
}

/// Returns the text of a schema that answers can be checked against.
fn usable(mut schema: Value) -> Result<Json, Fault> {
    if let Value::Object(members) = &mut schema {
        members.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    let text = bounded(&mut schema)?;
    compile(&schema).map(|_| text)
}

fn refused(Fault { place, why }: Fault) -> RpcError {
    let place = one_line(&format!("requestedSchema{place}"), MAX_QUOTE);
    RpcError::invalid_params(format!("Invalid params: {place}: {}", one_line(&why, MAX_QUOTE)))
}

/// Turns fields that are outside of MCP's schema subset only for a pattern that repeats their format into typed fields
/// of that format.
///
/// Call it for a form whose schema is usable, so that its patterns are few. Answers are still checked against the
/// patterns.
pub fn simplify(request: &mut ElicitRequest) {
    let ElicitRequest::Form(form) = request else { return };
    for field in &mut form.requested_schema.properties {
        let PrimitiveSchema::Other(text) = &field.schema else { continue };
        let Ok(mut schema) = serde_json::from_str(text) else { continue };
        if drop_spelled_formats(&mut schema)
            && let Ok(simpler @ PrimitiveSchema::Text(_)) = serde_json::from_str(&schema.to_string())
        {
            field.schema = simpler;
        }
    }
}

/// Whether the schema of a request is so large that [`schema_in`] takes long.
pub fn is_long_form(message: &[u8]) -> bool {
    message.len() > SHORT.0
}

/// Whether checking an answer of `bytes` bytes against a schema takes long.
pub fn is_long(schema: &str, bytes: usize) -> bool {
    schema.len() > SHORT.0 || schema.len().saturating_mul(bytes) > SHORT.1
}

/// Returns the size of an answer's content in bytes.
pub fn size(result: &ElicitResult) -> usize {
    let ElicitAction::Accept(Some(content)) = &result.action else { return 0 };
    let of = |value: &ElicitValue| match value {
        ElicitValue::Text(text) => text.len(),
        ElicitValue::TextList(texts) => texts.iter().fold(texts.len(), |sum, text| sum.saturating_add(text.len())),
        ElicitValue::Number(_) | ElicitValue::Boolean(_) => 1,
    };
    content.iter().fold(0, |sum, entry| sum.saturating_add(entry.name.len()).saturating_add(of(&entry.value)))
}

/// Checks that an answer fits its form, and drops content that was not asked for.
///
/// The content of an accepted form is always present, if only as `{}`; the answer to a page has none.
/// [client/elicitation, Response Actions]
///
/// # Errors
/// The field and the reason, without the value, which is the user's.
pub fn check(schema: Option<&str>, result: ElicitResult) -> Result<ElicitResult, String> {
    let content = match (schema, result.action) {
        (Some(schema), ElicitAction::Accept(content)) => {
            let content = content.unwrap_or_default();
            fit(schema, &object(&content)?)?;
            Some(content)
        }
        (None, ElicitAction::Accept(_)) => None,
        (_, action) => return Ok(ElicitResult { action, ..result }),
    };
    Ok(ElicitResult { action: ElicitAction::Accept(content), ..result })
}

/// Checks a result that a handler wrote as its own JSON object, like [`check`].
///
/// The object goes out unchanged, so content that does not belong there is refused instead of dropped.
///
/// # Errors
/// As for [`check`]; also for an object that is no `ElicitResult`.
pub fn check_custom(schema: Option<&str>, object: &str) -> Result<(), String> {
    let result: ElicitResult = read_own(object, "ElicitResult")?;
    // Numbers keep all their digits, as written.
    let mut members: Map<String, Value> = read_own(object, "ElicitResult")?;
    let content = members.remove("content");
    match (schema, result.action, content) {
        (Some(schema), ElicitAction::Accept(_), content) => match content.unwrap_or_else(|| Map::new().into()) {
            content @ Value::Object(_) => fit(schema, &content),
            _ => Err("content: no JSON object".to_owned()),
        },
        (_, _, None) => Ok(()),
        (None, ElicitAction::Accept(_), Some(_)) => {
            Err("content: the request was for a page and has no form".to_owned())
        }
        (_, _, Some(_)) => Err("content: the user did not accept".to_owned()),
    }
}

fn object(content: &[ElicitEntry]) -> Result<Value, String> {
    let mut members = Map::new();
    for entry in content {
        let name = one_line(&entry.name, MAX_QUOTE);
        let value = serde_json::to_value(&entry.value).map_err(|error| format!("content.{name}: {error}"))?;
        if members.insert(entry.name.clone(), value).is_some() {
            return Err(format!("content.{name}: the name comes twice"));
        }
    }
    Ok(Value::Object(members))
}

fn fit(schema: &str, content: &Value) -> Result<(), String> {
    let unusable = |why: String| format!("The form's schema cannot be used: {}", one_line(&why, MAX_QUOTE));
    let schema: Value = serde_json::from_str(schema).map_err(|error| unusable(error.to_string()))?;
    let validator = compile(&schema).map_err(|Fault { place, why }| unusable(format!("{place}: {why}")))?;
    let mut total = 0usize;
    for (name, value) in content.as_object().into_iter().flatten() {
        let field = schema.get("properties").and_then(|fields| fields.get(name));
        let limit = if field.is_some_and(has_pattern) { MAX_MATCHED } else { usize::MAX };
        check_size(value, limit).map_err(|why| format!("content.{}: {why}", one_line(name, MAX_QUOTE)))?;
        total = total.saturating_add(field.map_or(0, |field| work(field, value)));
        if total > MAX_WORK {
            let name = one_line(name, MAX_QUOTE);
            return Err(format!("content.{name}: the value is too long for what the form has to be checked for"));
        }
    }
    validator.validate(content).map_err(|error| {
        let place = error.instance_path().as_str().replace('/', ".");
        let why = error.masked_with("the value").to_string();
        format!("{}: {}", one_line(&format!("content{place}"), MAX_QUOTE), one_line(&why, MAX_QUOTE))
    })
}

/// Limits the size of a value, because the cost of a check grows with the value and the schema.
fn check_size(value: &Value, limit: usize) -> Result<(), String> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    if values.len() > MAX_CHOSEN {
        return Err(format!("the value has more than {MAX_CHOSEN} items"));
    }
    let size = values.iter().filter_map(Value::as_str).fold(0usize, |size, text| size.saturating_add(text.len()));
    if size > limit {
        return Err(format!("the value has more than {limit} bytes, too many for the field's pattern"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::form::DIALECTS;
    use super::*;

    /// Returns the message that asks for a form.
    fn form(schema: &Value) -> String {
        json!({ "params": { "message": "m", "requestedSchema": schema } }).to_string()
    }

    /// Returns a form with one field `a`.
    fn field(schema: &Value) -> String {
        form(&json!({ "type": "object", "properties": { "a": schema } }))
    }

    fn typed(message: &str) -> ElicitRequest {
        let message: HashMap<&str, &RawValue> = serde_json::from_str(message).unwrap();
        serde_json::from_str(message["params"].get()).unwrap()
    }

    fn accept(content: &Value) -> String {
        json!({ "action": "accept", "content": content }).to_string()
    }

    /// Checks an answer as the typed result and as a handler's own object, which must agree. An answer that the typed
    /// fields of the form allow must fit the form.
    fn answer(message: &str, content: &Value) -> Result<(), String> {
        let sent = schema_in(message.as_bytes()).unwrap();
        let own = check_custom(Some(&sent), &accept(content));
        let mut request = typed(message);
        simplify(&mut request);
        let within_case = check_custom(schema(&request).unwrap().as_deref(), &accept(content));
        // A choice names each value once; the typed field does not say so.
        let sound = within_case.is_err() || own.is_ok() || message.contains("uniqueItems");
        assert!(sound, "{message} {content}");
        if let Ok(result) = serde_json::from_str::<ElicitResult>(&accept(content)) {
            let checked = check(Some(&sent), result.clone());
            assert_eq!(checked.clone().map(drop), own, "{content}");
            assert!(checked.is_err() || checked == Ok(result), "{content}");
        }
        own
    }

    /// Columns: a field, answers that fit it, and answers that do not.
    fn fields() -> Vec<(Value, Vec<Value>, Vec<Value>)> {
        let labeled = json!([{ "const": "r", "title": "Red" }, { "const": "g", "title": "Green" }]);
        let text = |more: Value| merged(json!({ "type": "string" }), more);
        vec![
            (text(json!({})), vec![json!(""), json!("x")], vec![json!(1), json!(true), json!(["x"])]),
            // Lengths count characters, not bytes or UTF-16 units.
            (
                text(json!({ "minLength": 2, "maxLength": 3 })),
                vec![json!("ab"), json!("äöü"), json!("😀😀")],
                vec![json!("a"), json!("ä"), json!("😀"), json!("abcd"), json!("äöüß")],
            ),
            (
                text(json!({ "format": "email" })),
                vec![json!("a@b.c"), json!("a.b+c@example.com"), json!("a@localhost")],
                vec![
                    json!(""),
                    json!("a"),
                    json!("a@"),
                    json!("@b"),
                    json!("A <a@b.c>"),
                    json!("a@b@c"),
                    json!("a b@c.d"),
                ],
            ),
            (
                text(json!({ "format": "uri" })),
                vec![json!("https://example.com/a?b#c"), json!("urn:x:y"), json!("mailto:a@b.c")],
                vec![json!(""), json!("/a"), json!("example.com"), json!("http://a b"), json!("http://[")],
            ),
            (
                text(json!({ "format": "date" })),
                vec![json!("2025-11-25"), json!("2024-02-29")],
                vec![
                    json!(""),
                    json!("2025-02-29"),
                    json!("2025-13-01"),
                    json!("25-11-25"),
                    json!("2025-11-25T00:00:00Z"),
                ],
            ),
            (
                text(json!({ "format": "date-time" })),
                vec![json!("2025-11-25T10:00:00Z"), json!("2025-11-25T10:00:00.5+01:00")],
                vec![json!(""), json!("2025-11-25"), json!("2025-11-25T25:00:00Z"), json!("2025-11-25T10:00:00")],
            ),
            (text(json!({ "format": "favorite" })), vec![json!(""), json!("x")], vec![json!(1)]),
            (text(json!({ "format": "regex" })), vec![json!("("), json!("x")], vec![json!(1)]),
            (
                json!({ "type": "number", "minimum": 1, "maximum": 2.5 }),
                vec![json!(1), json!(1.0), json!(2.5)],
                vec![json!(0.999), json!(3), json!("2"), json!(true), json!([])],
            ),
            (
                json!({ "type": "integer", "minimum": -1, "maximum": 3 }),
                vec![json!(-1), json!(0), json!(3), json!(2.0)],
                vec![json!(-2), json!(4), json!(1.5), json!("1")],
            ),
            (json!({ "type": "boolean" }), vec![json!(true), json!(false)], vec![json!(0), json!("true")]),
            (
                json!({ "type": "string", "enum": ["r", "g"] }),
                vec![json!("r")],
                vec![json!("b"), json!("R"), json!(""), json!(0)],
            ),
            (
                json!({ "type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"] }),
                vec![json!("g")],
                vec![json!("Red"), json!(["r"])],
            ),
            (json!({ "type": "string", "oneOf": labeled }), vec![json!("r")], vec![json!("Red"), json!("b")]),
            (
                json!({ "type": "array", "items": { "type": "string", "enum": ["r", "g", "b"] }, "minItems": 1, "maxItems": 2 }),
                vec![json!(["r"]), json!(["b", "g"])],
                vec![json!([]), json!(["r", "g", "b"]), json!(["x"]), json!(["r", "x"]), json!("r")],
            ),
            (
                json!({ "type": "array", "items": { "anyOf": labeled }, "minItems": 0, "maxItems": 1 }),
                vec![json!([]), json!(["g"])],
                vec![json!(["r", "g"]), json!(["Green"]), json!("g")],
            ),
            // Fields outside of MCP's subset.
            (text(json!({ "pattern": "^x" })), vec![json!("xy")], vec![json!("yx")]),
            (text(json!({ "enum": ["r", "gg"], "maxLength": 1 })), vec![json!("r")], vec![json!("gg")]),
            (json!({ "type": "integer", "multipleOf": 2 }), vec![json!(4)], vec![json!(3)]),
            (json!({ "type": "number", "enum": [1, 2.5] }), vec![json!(2.5)], vec![json!(2)]),
            (json!({ "type": "boolean", "enum": [true] }), vec![json!(true)], vec![json!(false)]),
            (
                json!({ "type": "array", "items": { "type": "string", "enum": ["r", "g"] }, "uniqueItems": true }),
                vec![json!(["r", "g"])],
                vec![json!(["r", "r"])],
            ),
            (
                json!({ "type": "array", "items": { "type": "string", "enum": ["r", "gg"], "maxLength": 1 } }),
                vec![json!(["r"])],
                vec![json!(["gg"])],
            ),
            (
                json!({ "anyOf": [{ "type": "string", "maxLength": 1 }, { "type": "null" }], "default": null }),
                vec![json!("x")],
                vec![json!("xy"), json!(1)],
            ),
            (json!({}), vec![json!("x"), json!(1), json!(["x"])], vec![]),
            (json!({ "const": 5 }), vec![json!(5), json!(5.0)], vec![json!(6), json!("5")]),
            (json!({ "type": ["integer", "null"], "exclusiveMinimum": 0 }), vec![json!(1)], vec![json!(0), json!(0.5)]),
            (json!({ "not": {} }), vec![], vec![json!("x"), json!(1)]),
            (
                json!({ "allOf": [{ "type": "string", "pattern": "^[a-z]+$" }] }),
                vec![json!("abc"), json!("a".repeat(MAX_MATCHED))],
                vec![json!("Abc"), json!(""), json!("a\n"), json!("a".repeat(MAX_MATCHED + 1))],
            ),
            (
                json!({ "type": "array", "items": { "type": "string" } }),
                vec![json!(vec![""; 1024])],
                vec![json!(vec![""; 1025])],
            ),
            // Look-around and back references are not checked; the constraints beside them are.
            (
                json!({ "allOf": [{ "pattern": "^(?=.*[A-Z]).*$" }, { "pattern": "(a)\\1" }, { "maxLength": 3 }] }),
                vec![json!("abc"), json!("")],
                vec![json!("abcd")],
            ),
        ]
    }

    fn merged(mut object: Value, more: Value) -> Value {
        let (Value::Object(members), Value::Object(more)) = (&mut object, more) else { panic!("two objects") };
        members.extend(more);
        object
    }

    #[test]
    fn answers_fit_their_fields() {
        let dialects = DIALECTS.iter().map(|(name, _)| Some(format!("{name}#"))).chain([None]);
        for dialect in dialects {
            for (schema, good, bad) in fields() {
                // Draft 4 has no `const`, its exclusive bounds are flags, and its integers have no fraction of zero.
                if dialect.as_deref().is_some_and(|name| name.contains("-04/"))
                    && ["const", "exclusiveMinimum", "integer"].iter().any(|word| schema.to_string().contains(word))
                {
                    continue;
                }
                let mut all = json!({ "type": "object", "properties": { "a": schema, "b": { "type": "string" } } });
                if let Some(dialect) = &dialect {
                    all["$schema"] = json!(dialect);
                }
                let form = form(&all);
                for value in good {
                    assert_eq!(answer(&form, &json!({ "a": value })), Ok(()), "{dialect:?} {schema} {value}");
                }
                for value in bad {
                    let fault = answer(&form, &json!({ "a": value })).unwrap_err();
                    let place =
                        ["content.a: ", "content.a.", "The handler's object is no ElicitResult: wrong at `content.a`"];
                    assert!(
                        place.iter().any(|place| fault.starts_with(place)),
                        "{dialect:?} {schema} {value}: {fault}"
                    );
                }
            }
        }
    }

    #[test]
    fn required_and_unknown_fields() {
        let form = form(&json!({
            "type": "object",
            "properties": { "a": { "type": "string" }, "b": { "type": "integer" } },
            "required": ["a"],
        }));
        let cases = [
            (json!({ "a": "x" }), Ok(())),
            (json!({ "a": "x", "b": 1 }), Ok(())),
            (json!({}), Err("content: \"a\" is a required property")),
            (json!({ "b": 1 }), Err("content: \"a\" is a required property")),
            (json!({ "a": "x", "c": "y" }), Err("content: Additional properties are not allowed ('c' was unexpected)")),
            (json!({ "A": "x", "a": "x" }), Err("content: Additional properties are not allowed ('A' was unexpected)")),
            (json!({ "a": 1 }), Err("content.a: the value is not of type \"string\"")),
        ];
        for (content, expected) in cases {
            assert_eq!(answer(&form, &content), expected.map_err(str::to_owned), "{content}");
        }
    }

    #[test]
    fn what_the_user_did_decides_on_the_content() {
        let entry =
            |name: &str| ElicitEntry { name: name.into(), value: crate::protocol::types::ElicitValue::Number(1.0) };
        let schema = Some(r#"{"properties":{"a":{"type":"integer"}},"additionalProperties":false}"#);
        let cases = [
            (schema, ElicitAction::Accept(Some(vec![entry("a")])), Ok(ElicitAction::Accept(Some(vec![entry("a")])))),
            (schema, ElicitAction::Accept(None), Ok(ElicitAction::Accept(Some(vec![])))),
            (schema, ElicitAction::Decline, Ok(ElicitAction::Decline)),
            (schema, ElicitAction::Cancel, Ok(ElicitAction::Cancel)),
            (None, ElicitAction::Accept(Some(vec![entry("a")])), Ok(ElicitAction::Accept(None))),
            (None, ElicitAction::Accept(None), Ok(ElicitAction::Accept(None))),
            (None, ElicitAction::Decline, Ok(ElicitAction::Decline)),
            (schema, ElicitAction::Accept(Some(vec![entry("a"), entry("a")])), Err("content.a: the name comes twice")),
        ];
        for (schema, action, expected) in cases {
            let meta = Some("{}".to_owned());
            let checked = check(schema, ElicitResult { action: action.clone(), meta: meta.clone() });
            let expected = expected.map(|action| ElicitResult { action, meta }).map_err(str::to_owned);
            assert_eq!(checked, expected, "{schema:?} {action:?}");
        }
    }

    #[test]
    fn numbers_that_are_none() {
        let schema = schema_in(field(&json!({ "type": "number" })).as_bytes()).ok();
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let entry = ElicitEntry { name: "a".into(), value: crate::protocol::types::ElicitValue::Number(number) };
            let result = ElicitResult { action: ElicitAction::Accept(Some(vec![entry])), meta: None };
            let fault = check(schema.as_deref(), result).unwrap_err();
            assert_eq!(fault, "content.a: a number that is not finite has no JSON");
        }
    }

    #[test]
    fn own_results_belong_to_their_request() {
        let schema = schema_in(field(&json!({ "type": "integer" })).as_bytes()).ok();
        let no_result = "The handler's object is no ElicitResult";
        let cases = [
            (true, r#"{"action":"accept","content":{"a":1}}"#, Ok(())),
            (true, r#"{"action":"accept","content":{"a":1.0}, "_meta":{}, "more":[]}"#, Ok(())),
            (true, r#"{"action":"accept"}"#, Ok(())),
            (true, r#"{"action":"decline"}"#, Ok(())),
            (false, r#"{"action":"accept"}"#, Ok(())),
            (false, r#"{"action":"cancel"}"#, Ok(())),
            (true, r#"{"action":"accept","content":null}"#, Err("content: no JSON object")),
            (
                true,
                r#"{"action":"accept","content":{"a":1.5}}"#,
                Err("content.a: the value is not of type \"integer\""),
            ),
            (true, r#"{"action":"decline","content":{}}"#, Err("content: the user did not accept")),
            (true, r#"{"action":"cancel","content":null}"#, Err("content: the user did not accept")),
            (false, r#"{"action":"cancel","content":{}}"#, Err("content: the user did not accept")),
            (false, r#"{"action":"accept","content":{}}"#, Err("content: the request was for a page and has no form")),
            (true, r#"{"action":"SECRET"}"#, Err("wrong at `action`")),
            (true, r#"{"action":"accept","content":"SECRET"}"#, Err("wrong at `content`")),
            (true, r#"{"action":"accept","content":{"a":null}}"#, Err("wrong at `content.a`")),
            (true, r#"{"action":"accept","content":{"a":1,"a":2}}"#, Err("wrong at `content`")),
            (true, r#"{"content":{}}"#, Err("wrong at `.`")),
            (true, r#"["accept",{"a":1}]"#, Err("no JSON object")),
            (true, "", Err("no JSON object")),
            (true, r#"{"action":"cancel"}{}"#, Err("more text after it")),
        ];
        for (is_form, object, expected) in cases {
            let checked = check_custom(schema.as_deref().filter(|_| is_form), object);
            let expected = expected.map_err(|why| match why.starts_with("content") {
                true => why.to_owned(),
                false => format!("{no_result}: {why}"),
            });
            assert_eq!(checked, expected, "{object}");
        }
    }

    /// Every constraint of the form reaches the schema that answers are checked against.
    #[test]
    fn the_schema_is_the_servers() {
        for (field, ..) in fields().into_iter().filter(|(field, ..)| !field.to_string().contains("(?=")) {
            let text = schema_in(self::field(&field).as_bytes()).unwrap();
            let written: Value = serde_json::from_str(&text).unwrap();
            let expected = json!({ "type": "object", "properties": { "a": field }, "additionalProperties": false });
            // Display texts refuse nothing.
            let shown = |text: &str| {
                text.replace(r#","title":"Red""#, "")
                    .replace(r#","title":"Green""#, "")
                    .replace(r#","default":null"#, "")
            };
            assert_eq!(written.to_string(), shown(&expected.to_string()));
        }
        let url = r#"{"mode":"url","message":"m","url":"u","elicitationId":"e"}"#;
        assert_eq!(schema(&serde_json::from_str(url).unwrap()), Ok(None));
    }

    #[test]
    fn a_form_that_cannot_be_checked_is_the_servers_error() {
        let cases = [
            (json!({ "$ref": "http://localhost:1/" }), "properties.a.$ref: a form may not refer to other schemas"),
            (json!({ "type": "string", "oneOf": [] }), "properties.a.oneOf: the schema has less than 1 item"),
        ];
        for (field, why) in cases {
            let error = RpcError::invalid_params(format!("Invalid params: requestedSchema.{why}"));
            assert_eq!(schema_in(self::field(&field).as_bytes()), Err(error.clone()));
            assert_eq!(schema(&typed(&self::field(&field))), Err(error));
        }
    }

    /// Whole numbers are compared digit for digit, also beyond 2^53.
    #[test]
    fn large_bounds_are_kept() {
        // The handler writes its own JSON here, because a typed answer is a double.
        let exactly = |message: &str, content: &Value| {
            check_custom(Some(&schema_in(message.as_bytes()).unwrap()), &accept(content))
        };
        let least = field(&json!({ "type": "integer", "minimum": 9_007_199_254_740_993_u64 }));
        for (value, fits) in [
            (9_007_199_254_740_992_u64, false),
            (9_007_199_254_740_993, true),
            (9_007_199_254_740_994, true),
            (u64::MAX, true),
        ] {
            assert_eq!(exactly(&least, &json!({ "a": value })).is_ok(), fits, "{value}");
        }
        let most = field(&json!({ "type": "integer", "maximum": 1_420_070_400_123_456_789_u64, "minimum": i64::MIN }));
        for (value, fits) in
            [(1_420_070_400_123_456_789_i64, true), (1_420_070_400_123_456_790, false), (i64::MIN, true)]
        {
            assert_eq!(exactly(&most, &json!({ "a": value })).is_ok(), fits, "{value}");
        }
    }

    /// The product of constraints and bytes is bounded, whichever the constraints are.
    #[test]
    fn the_work_of_a_check_is_bounded() {
        let many = |part: Value| json!({ "allOf": vec![part; 1_000] });
        let long = json!("a".repeat(100_000));
        let list = json!(vec!["a".repeat(100); 1_000]);
        let rows = [
            (many(json!({ "format": "uri-reference" })), long.clone(), false),
            (many(json!({ "minLength": 1 })), long.clone(), false),
            (many(json!({ "items": { "minLength": 1 } })), list.clone(), false),
            (many(json!({ "uniqueItems": false })), list.clone(), false),
            (json!({ "type": "string", "minLength": 1, "maxLength": 200_000 }), long, true),
            (json!({ "type": "array", "items": { "type": "string", "maxLength": 100 } }), list, true),
            (many(json!({ "minLength": 1 })), json!("a".repeat(100)), true),
            // Constraints of objects do not apply to texts and lists, so they cost nothing.
            (json!({ "dependentSchemas": { "b": many(json!({ "minLength": 1 })) } }), json!("a".repeat(100_000)), true),
        ];
        for (schema, value, fits) in rows {
            let checked = answer(&field(&schema), &json!({ "a": value }));
            let expected = "content.a: the value is too long for what the form has to be checked for";
            let start: String = schema.to_string().chars().take(60).collect();
            assert_eq!(checked.err().as_deref(), (!fits).then_some(expected), "{start}");
        }
    }

    /// A pattern that repeats the format beside it is left out of the field that a handler sees.
    #[test]
    fn a_pattern_may_spell_a_format() {
        let rows = [
            ("email", r"^(?!\.)[A-Za-z0-9_'+.-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}$", true),
            ("email", r"@corp\.example$", false),
            ("date", r"^\d{4}-\d{2}-\d{2}$", true),
            ("date", "^2025-", false),
            ("uuid", "^[0-9a-f-]{36}$", true),
            ("uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-4", false),
            ("unknown", "^.*$", false),
        ];
        for (format, pattern, spells) in rows {
            let schema = json!({ "type": "string", "format": format, "pattern": pattern });
            let mut request = typed(&field(&schema));
            simplify(&mut request);
            let ElicitRequest::Form(form) = request else { panic!("no form") };
            let is_text = matches!(form.requested_schema.properties[0].schema, PrimitiveSchema::Text(_));
            assert_eq!(is_text, spells, "{format} {pattern}");
        }
    }

    /// A pattern that sends a backtracking engine into endless attempts runs in linear time.
    #[test]
    fn patterns_do_not_backtrack() {
        let form = field(&json!({ "allOf": [{ "pattern": "^(a+)+$" }, { "pattern": "^(a|a)*b?$" }] }));
        let text = "a".repeat(MAX_MATCHED - 1);
        assert_eq!(answer(&form, &json!({ "a": text })), Ok(()));
        assert!(answer(&form, &json!({ "a": format!("{text}!") })).is_err());
    }

    /// Errors go to logs and to the server, so they never contain the user's input.
    #[test]
    fn errors_do_not_hold_the_value() {
        for (schema, _, bad) in fields() {
            for value in bad {
                let secret = match value {
                    Value::String(text) => json!(format!("{text}SECRET")),
                    Value::Array(_) => json!(["SECRET", "SECRET", "SECRET"]),
                    _ => json!("SECRET"),
                };
                if let Err(fault) = answer(&field(&schema), &json!({ "a": secret })) {
                    assert!(!fault.contains("SECRET"), "{schema}: {fault}");
                }
            }
        }
    }

    /// A stored schema that was damaged gives an error, not an answer.
    #[test]
    fn a_damaged_schema_refuses() {
        for schema in ["", "{", r#"{"type":5}"#, r#"{"$ref":"http://localhost:1/"}"#, r#"{"$schema":"x"}"#] {
            let fault = check_custom(Some(schema), r#"{"action":"accept","content":{}}"#).unwrap_err();
            assert!(fault.starts_with("The form's schema cannot be used: "), "{schema}: {fault}");
        }
    }

    /// Answers made from their form fit it.
    #[test]
    fn answers_made_to_fit_do() {
        let mut state = 1u32;
        let mut below = |n: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % n
        };
        let all: Vec<_> = fields().into_iter().filter(|(_, good, _)| !good.is_empty()).collect();
        for _ in 0..200 {
            let (mut properties, mut content, mut required) = (Map::new(), Map::new(), Vec::new());
            for name in ["a", "", "ä b", "a/b~c", "$ref", "pattern", "patternProperties", "type", "__proto__"] {
                let (schema, good, _) = &all[below(all.len())];
                properties.insert(name.to_owned(), schema.clone());
                if below(3) > 0 {
                    content.insert(name.to_owned(), good[below(good.len())].clone());
                    required.push(name);
                }
            }
            let form = form(&json!({ "type": "object", "properties": properties, "required": required }));
            assert_eq!(answer(&form, &json!(content)), Ok(()), "{properties:?} {content:?}");
        }
    }
}
