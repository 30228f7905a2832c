//! Fills in a form the way a helpful user would: with the offered values, else with plausible ones.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::bindings::taskcell::handlers::types::{
    ElicitEntry, ElicitValue, EnumOption, NumberSchema, PrimitiveSchema, RequestedSchema,
};
use crate::candidates;
use crate::script::Value;

/// Answers every field: from the script, else with a value that the field's schema allows. A field that no value fits
/// is left out; none when it is required, for then no answer fits the form.
pub(crate) fn fill(schema: RequestedSchema, content: Option<&BTreeMap<String, Value>>) -> Option<Vec<ElicitEntry>> {
    let required = schema.required.unwrap_or_default();
    let mut entries = Vec::new();
    for field in schema.properties {
        let scripted = content.and_then(|content| content.get(&field.name));
        let value = match scripted {
            Some(value) => Some(value.into()),
            None => candidates::answer(&written(field.schema)).and_then(entered),
        };
        match value {
            Some(value) => entries.push(ElicitEntry { name: field.name, value }),
            None if required.contains(&field.name) => return None,
            None => {}
        }
    }
    Some(entries)
}

/// A value as an answer.
fn entered(value: Json) -> Option<ElicitValue> {
    Some(match value {
        Json::String(text) => ElicitValue::Text(text),
        Json::Number(number) => ElicitValue::Number(number.as_f64()?),
        Json::Bool(flag) => ElicitValue::Boolean(flag),
        Json::Array(items) => {
            let texts = items.into_iter().map(|item| match item {
                Json::String(text) => Some(text),
                _ => None,
            });
            ElicitValue::TextList(texts.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// The schema of a field as JSON.
fn written(schema: PrimitiveSchema) -> Json {
    let options = |options: Vec<EnumOption>| options.into_iter().map(|option| option.value).collect();
    match schema {
        PrimitiveSchema::Text(text) => object([
            ("type", Some(json!("string"))),
            ("minLength", text.min_length.map(Json::from)),
            ("maxLength", text.max_length.map(Json::from)),
            ("format", text.format.map(Json::from)),
            ("default", text.default.map(Json::from)),
        ]),
        PrimitiveSchema::Number(number) => bounded("number", &number),
        PrimitiveSchema::Integer(number) => bounded("integer", &number),
        PrimitiveSchema::Boolean(boolean) => {
            object([("type", Some(json!("boolean"))), ("default", boolean.default.map(Json::from))])
        }
        PrimitiveSchema::UntitledSingleSelect(select) => one(select.values, select.default),
        PrimitiveSchema::TitledSingleSelect(select) => one(options(select.options), select.default),
        PrimitiveSchema::LegacyTitledEnum(select) => one(select.values, select.default),
        PrimitiveSchema::UntitledMultiSelect(select) => {
            several(select.values, select.default, select.min_items, select.max_items)
        }
        PrimitiveSchema::TitledMultiSelect(select) => {
            several(options(select.options), select.default, select.min_items, select.max_items)
        }
        PrimitiveSchema::Other(schema) => serde_json::from_str(&schema).unwrap_or_default(),
    }
}

/// An object of the members that are there.
fn object<const N: usize>(members: [(&str, Option<Json>); N]) -> Json {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(there.collect::<Map<_, _>>())
}

fn bounded(name: &str, number: &NumberSchema) -> Json {
    object([
        ("type", Some(json!(name))),
        ("minimum", number.minimum.map(Json::from)),
        ("maximum", number.maximum.map(Json::from)),
        ("default", number.default.map(Json::from)),
    ])
}

fn one(values: Vec<String>, default: Option<String>) -> Json {
    object([("enum", Some(values.into())), ("default", default.map(Json::from))])
}

/// Several of some values, each once where there are enough.
fn several(values: Vec<String>, default: Option<Vec<String>>, least: Option<u32>, most: Option<u32>) -> Json {
    object([
        ("type", Some(json!("array"))),
        ("items", Some(json!({ "enum": values }))),
        ("uniqueItems", Some(json!(true))),
        ("minItems", least.map(Json::from)),
        ("maxItems", most.map(Json::from)),
        ("default", default.map(Json::from)),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;
    use crate::bindings::taskcell::handlers::types::{
        BooleanSchema, LegacyTitledEnumSchema, SchemaProperty, StringSchema, TitledMultiSelectSchema,
        TitledSingleSelectSchema, UntitledMultiSelectSchema, UntitledSingleSelectSchema,
    };
    use crate::script::Script;

    const NUMBER: NumberSchema =
        NumberSchema { title: None, description: None, minimum: None, maximum: None, default: None };

    fn strings(values: &[&str]) -> Vec<String> {
        values.iter().copied().map(String::from).collect()
    }

    fn text(format: Option<&str>, default: Option<&str>) -> PrimitiveSchema {
        PrimitiveSchema::Text(StringSchema {
            title: None,
            description: None,
            min_length: Some(3),
            max_length: None,
            format: format.map(Into::into),
            default: default.map(Into::into),
        })
    }

    fn chosen(min_items: Option<u32>, max_items: Option<u32>, default: Option<&[&str]>) -> PrimitiveSchema {
        PrimitiveSchema::UntitledMultiSelect(UntitledMultiSelectSchema {
            title: None,
            description: None,
            min_items,
            max_items,
            values: strings(&["a", "b"]),
            default: default.map(strings),
        })
    }

    fn boolean(default: Option<bool>) -> PrimitiveSchema {
        PrimitiveSchema::Boolean(BooleanSchema { title: None, description: None, default })
    }

    /// Each case of a field and its answer.
    fn cases() -> Vec<(PrimitiveSchema, Option<ElicitValue>)> {
        let text_of = |text: &str| Some(ElicitValue::Text(text.into()));
        let list = |values: &[&str]| Some(ElicitValue::TextList(strings(values)));
        let options = || {
            let option = |value: &&str| EnumOption { value: (*value).into(), title: "label".into() };
            ["a", "b"].iter().map(option).collect::<Vec<_>>()
        };
        vec![
            (text(None, None), text_of("Ada")),
            (text(Some("email"), None), text_of("ada@example.com")),
            (text(None, Some("Grace")), text_of("Grace")),
            (text(None, Some("x")), text_of("Ada")),
            (PrimitiveSchema::Number(NUMBER), Some(ElicitValue::Number(1.0))),
            (PrimitiveSchema::Number(NumberSchema { default: Some(0.5), ..NUMBER }), Some(ElicitValue::Number(0.5))),
            (PrimitiveSchema::Integer(NumberSchema { minimum: Some(2.5), ..NUMBER }), Some(ElicitValue::Number(3.0))),
            (PrimitiveSchema::Integer(NumberSchema { minimum: Some(2.1), maximum: Some(2.9), ..NUMBER }), None),
            (boolean(None), Some(ElicitValue::Boolean(true))),
            (boolean(Some(false)), Some(ElicitValue::Boolean(false))),
            (
                PrimitiveSchema::UntitledSingleSelect(UntitledSingleSelectSchema {
                    title: None,
                    description: None,
                    values: strings(&["a", "b"]),
                    default: Some("b".into()),
                }),
                text_of("b"),
            ),
            (
                PrimitiveSchema::TitledSingleSelect(TitledSingleSelectSchema {
                    title: None,
                    description: None,
                    options: options(),
                    default: Some("c".into()),
                }),
                text_of("a"),
            ),
            (
                PrimitiveSchema::LegacyTitledEnum(LegacyTitledEnumSchema {
                    title: None,
                    description: None,
                    values: strings(&["a", "b"]),
                    names: strings(&["A", "B"]),
                    default: None,
                }),
                text_of("a"),
            ),
            (
                PrimitiveSchema::TitledMultiSelect(TitledMultiSelectSchema {
                    title: None,
                    description: None,
                    min_items: Some(2),
                    max_items: None,
                    options: options(),
                    default: None,
                }),
                list(&["a", "b"]),
            ),
            (chosen(None, None, None), list(&["a"])),
            (chosen(Some(0), Some(0), None), list(&[])),
            (chosen(Some(3), None, None), None),
            (chosen(Some(2), Some(1), None), None),
            (chosen(None, None, Some(&["b"])), list(&["b"])),
            (PrimitiveSchema::Other(r#"{"const":5}"#.into()), Some(ElicitValue::Number(5.0))),
            (PrimitiveSchema::Other(r#"{"not":{}}"#.into()), None),
        ]
    }

    #[test]
    fn each_case_of_a_field_is_answered() {
        for (place, (schema, expected)) in cases().into_iter().enumerate() {
            assert_eq!(candidates::answer(&written(schema)).and_then(entered), expected, "case {place}");
        }
    }

    #[test]
    fn what_no_value_fits_is_left_out_or_declined_when_required() {
        let other =
            |name: &str| SchemaProperty { name: name.into(), schema: PrimitiveSchema::Other(r#"{"not":{}}"#.into()) };
        let name = || SchemaProperty { name: "name".into(), schema: text(None, None) };
        let form = |required: &[&str]| RequestedSchema {
            dialect: None,
            properties: vec![other("free"), name(), other("scripted")],
            required: Some(strings(required)),
        };
        let script = Script::parse(r#"{"elicitation": [{"content": {"scripted": 1, "unasked": 2}}]}"#).unwrap();
        let content = &script.elicitation.first().unwrap().content;
        let entry = |name: &str, value| ElicitEntry { name: name.into(), value };
        let wanted = vec![entry("name", ElicitValue::Text("Ada".into())), entry("scripted", ElicitValue::Number(1.0))];
        assert_eq!(fill(form(&["name", "scripted"]), Some(content)), Some(wanted));
        assert_eq!(fill(form(&["free"]), Some(content)), None);
    }
}
