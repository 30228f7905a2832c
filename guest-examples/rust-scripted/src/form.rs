//! Fills in a form the way a helpful user would: with the offered values, else with plausible ones.

use std::collections::BTreeMap;

use crate::bindings::taskcell::handlers::types::{
    ElicitEntry, ElicitValue, NumberSchema, PrimitiveSchema, RequestedSchema, StringSchema,
};
use crate::script::Value;

/// The longest text that is made up. The least length of a field is the peer's to choose, and a huge one must
/// not exhaust the memory.
const LONGEST: usize = 4096;

/// Answers every field: from the script, else from the field's schema. A field that no value fits is left out,
/// or answered with an empty text when it is required.
pub(crate) fn fill(schema: RequestedSchema, content: Option<&BTreeMap<String, Value>>) -> Vec<ElicitEntry> {
    let required = schema.required.unwrap_or_default();
    let entries = schema.properties.into_iter().filter_map(|field| {
        let scripted = content.and_then(|content| content.get(&field.name));
        let value = match scripted {
            Some(value) => Some(value.into()),
            None => plausible(field.schema),
        };
        let value = match value {
            None if required.contains(&field.name) => ElicitValue::Text(String::new()),
            value => value?,
        };
        Some(ElicitEntry { name: field.name, value })
    });
    entries.collect()
}

/// The default of a field, or a value that its schema allows, when there is one.
fn plausible(schema: PrimitiveSchema) -> Option<ElicitValue> {
    match schema {
        PrimitiveSchema::Text(schema) => text(schema).map(ElicitValue::Text),
        PrimitiveSchema::Number(schema) => number(&schema, schema.minimum, schema.maximum),
        PrimitiveSchema::Integer(schema) => {
            number(&schema, schema.minimum.map(f64::ceil), schema.maximum.map(f64::floor))
        }
        PrimitiveSchema::Boolean(schema) => Some(ElicitValue::Boolean(schema.default.unwrap_or(true))),
        PrimitiveSchema::UntitledSingleSelect(schema) => one(schema.default, schema.values),
        PrimitiveSchema::TitledSingleSelect(schema) => {
            one(schema.default, schema.options.into_iter().map(|option| option.value))
        }
        PrimitiveSchema::LegacyTitledEnum(schema) => one(schema.default, schema.values),
        PrimitiveSchema::UntitledMultiSelect(schema) => {
            several(schema.default, schema.values, schema.min_items, schema.max_items)
        }
        PrimitiveSchema::TitledMultiSelect(schema) => {
            let values = schema.options.into_iter().map(|option| option.value);
            several(schema.default, values, schema.min_items, schema.max_items)
        }
        PrimitiveSchema::Other(_) => None,
    }
}

/// A text of the right format and length.
fn text(schema: StringSchema) -> Option<String> {
    if schema.default.is_some() {
        return schema.default;
    }
    let least = schema.min_length.unwrap_or(0) as usize;
    let most = schema.max_length.map_or(usize::MAX, |most| most as usize);
    if least > most.min(LONGEST) {
        return None;
    }
    // All of these are ASCII, so bytes and characters count the same.
    let text = match schema.format.as_deref() {
        Some("email") if most < 15 => pad_front("a@b.co", least),
        Some("email") => pad_front("ada@example.com", least),
        Some("uri") if most < 20 => pad("a:b", least),
        Some("uri") => pad("https://example.com/", least),
        Some("date") => "2025-11-25".into(),
        Some("date-time") => "2025-11-25T00:00:00Z".into(),
        _ => {
            let mut name = pad("Ada", least);
            name.truncate(most);
            name
        }
    };
    (least..=most).contains(&text.len()).then_some(text)
}

/// Makes a text at least so long, at its end.
fn pad(text: &str, least: usize) -> String {
    format!("{text:a<least$}")
}

/// Makes a text at least so long, at its start.
fn pad_front(text: &str, least: usize) -> String {
    format!("{text:a>least$}")
}

/// One, or what is nearest to it between the bounds.
fn number(schema: &NumberSchema, minimum: Option<f64>, maximum: Option<f64>) -> Option<ElicitValue> {
    let (least, most) = (minimum.unwrap_or(f64::MIN), maximum.unwrap_or(f64::MAX));
    let value = schema.default.or((least <= most).then(|| 1_f64.max(least).min(most)));
    value.map(ElicitValue::Number)
}

/// The default, or the first value.
fn one(default: Option<String>, values: impl IntoIterator<Item = String>) -> Option<ElicitValue> {
    default.or_else(|| values.into_iter().next()).map(ElicitValue::Text)
}

/// The default, or as many of the first values as there must be, but one where one is allowed.
fn several(
    default: Option<Vec<String>>,
    values: impl IntoIterator<Item = String>,
    min_items: Option<u32>,
    max_items: Option<u32>,
) -> Option<ElicitValue> {
    let least = min_items.unwrap_or(0) as usize;
    let most = max_items.map_or(usize::MAX, |most| most as usize);
    let values = default.or_else(|| {
        let values = values.into_iter().take(least.max(1).min(most)).collect::<Vec<_>>();
        (values.len() >= least).then_some(values)
    });
    values.map(ElicitValue::TextList)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;
    use crate::bindings::taskcell::handlers::types::{
        BooleanSchema, EnumOption, LegacyTitledEnumSchema, SchemaProperty, TitledMultiSelectSchema,
        TitledSingleSelectSchema, UntitledMultiSelectSchema, UntitledSingleSelectSchema,
    };
    use crate::script::Script;

    const TEXT: StringSchema = StringSchema {
        title: None,
        description: None,
        min_length: None,
        max_length: None,
        format: None,
        default: None,
    };

    const NUMBER: NumberSchema =
        NumberSchema { title: None, description: None, minimum: None, maximum: None, default: None };

    fn strings(values: &[&str]) -> Vec<String> {
        values.iter().copied().map(String::from).collect()
    }

    fn options(values: &[&str]) -> Vec<EnumOption> {
        let option = |value: &&str| EnumOption { value: (*value).into(), title: "label".into() };
        values.iter().map(option).collect()
    }

    fn made_up(format: Option<&str>, min_length: Option<u32>, max_length: Option<u32>) -> Option<String> {
        text(StringSchema { format: format.map(Into::into), min_length, max_length, ..TEXT })
    }

    fn counted(minimum: Option<f64>, maximum: Option<f64>) -> Option<ElicitValue> {
        plausible(PrimitiveSchema::Integer(NumberSchema { minimum, maximum, ..NUMBER }))
    }

    fn chosen(values: &[&str], min_items: Option<u32>, max_items: Option<u32>) -> Option<ElicitValue> {
        plausible(PrimitiveSchema::UntitledMultiSelect(UntitledMultiSelectSchema {
            title: None,
            description: None,
            min_items,
            max_items,
            values: strings(values),
            default: None,
        }))
    }

    fn list(values: &[&str]) -> Option<ElicitValue> {
        Some(ElicitValue::TextList(strings(values)))
    }

    #[test]
    fn texts_have_the_right_format_and_length() {
        assert_eq!(made_up(None, None, None).unwrap(), "Ada");
        assert_eq!(made_up(None, Some(5), None).unwrap(), "Adaaa");
        assert_eq!(made_up(None, None, Some(2)).unwrap(), "Ad");
        assert_eq!(made_up(None, None, Some(0)).unwrap(), "");
        assert_eq!(made_up(Some("phone"), None, None).unwrap(), "Ada");
        assert_eq!(made_up(Some("email"), None, None).unwrap(), "ada@example.com");
        assert_eq!(made_up(Some("email"), Some(17), Some(17)).unwrap(), "aaada@example.com");
        assert_eq!(made_up(Some("email"), Some(7), Some(14)).unwrap(), "aa@b.co");
        assert_eq!(made_up(Some("email"), None, Some(5)), None);
        assert_eq!(made_up(Some("uri"), None, None).unwrap(), "https://example.com/");
        assert_eq!(made_up(Some("uri"), Some(22), None).unwrap(), "https://example.com/aa");
        assert_eq!(made_up(Some("uri"), None, Some(4)).unwrap(), "a:b");
        assert_eq!(made_up(Some("date"), None, None).unwrap(), "2025-11-25");
        assert_eq!(made_up(Some("date"), Some(11), None), None);
        assert_eq!(made_up(Some("date-time"), None, None).unwrap(), "2025-11-25T00:00:00Z");
    }

    #[test]
    fn lengths_that_cannot_be_kept_make_no_text() {
        assert_eq!(made_up(None, Some(3), Some(2)), None);
        assert_eq!(made_up(None, Some(4096), None).unwrap().len(), 4096);
        assert_eq!(made_up(None, Some(u32::MAX), None), None);
    }

    #[test]
    fn numbers_lie_within_their_bounds() {
        let number = |minimum, maximum| plausible(PrimitiveSchema::Number(NumberSchema { minimum, maximum, ..NUMBER }));
        assert_eq!(number(None, None), Some(ElicitValue::Number(1.0)));
        assert_eq!(number(Some(2.5), None), Some(ElicitValue::Number(2.5)));
        assert_eq!(number(None, Some(-0.5)), Some(ElicitValue::Number(-0.5)));
        assert_eq!(number(Some(2.0), Some(1.0)), None);
        assert_eq!(counted(Some(2.5), None), Some(ElicitValue::Number(3.0)));
        assert_eq!(counted(None, Some(-0.5)), Some(ElicitValue::Number(-1.0)));
        assert_eq!(counted(Some(2.1), Some(2.9)), None);
    }

    #[test]
    fn one_value_is_the_first_and_several_are_the_first_few() {
        let single = PrimitiveSchema::UntitledSingleSelect(UntitledSingleSelectSchema {
            title: None,
            description: None,
            values: strings(&["a", "b"]),
            default: None,
        });
        assert_eq!(plausible(single), Some(ElicitValue::Text("a".into())));
        let titled = PrimitiveSchema::TitledSingleSelect(TitledSingleSelectSchema {
            title: None,
            description: None,
            options: options(&["a", "b"]),
            default: None,
        });
        assert_eq!(plausible(titled), Some(ElicitValue::Text("a".into())));
        let legacy = PrimitiveSchema::LegacyTitledEnum(LegacyTitledEnumSchema {
            title: None,
            description: None,
            values: strings(&["a", "b"]),
            names: strings(&["A", "B"]),
            default: None,
        });
        assert_eq!(plausible(legacy), Some(ElicitValue::Text("a".into())));
        let titled = PrimitiveSchema::TitledMultiSelect(TitledMultiSelectSchema {
            title: None,
            description: None,
            min_items: Some(2),
            max_items: None,
            options: options(&["a", "b", "c"]),
            default: None,
        });
        assert_eq!(plausible(titled), list(&["a", "b"]));

        assert_eq!(chosen(&["a", "b"], None, None), list(&["a"]));
        assert_eq!(chosen(&["a", "b"], Some(0), Some(0)), list(&[]));
        assert_eq!(chosen(&["a"], Some(2), None), None);
        assert_eq!(chosen(&["a", "b"], Some(2), Some(1)), None);
        assert_eq!(chosen(&[], None, None), list(&[]));
        assert_eq!(one(None, strings(&[])), None);
    }

    #[test]
    fn defaults_come_first() {
        let default = |schema| plausible(schema).unwrap();
        let text = StringSchema { default: Some("x".into()), min_length: Some(5), ..TEXT };
        assert_eq!(default(PrimitiveSchema::Text(text)), ElicitValue::Text("x".into()));
        let number = NumberSchema { default: Some(7.0), maximum: Some(1.0), ..NUMBER };
        assert_eq!(default(PrimitiveSchema::Number(number)), ElicitValue::Number(7.0));
        let boolean = |default| PrimitiveSchema::Boolean(BooleanSchema { title: None, description: None, default });
        assert_eq!(default(boolean(Some(false))), ElicitValue::Boolean(false));
        assert_eq!(default(boolean(None)), ElicitValue::Boolean(true));
        assert_eq!(one(Some("b".into()), strings(&["a", "b"])), Some(ElicitValue::Text("b".into())));
        assert_eq!(several(Some(strings(&["b"])), strings(&["a", "b"]), None, None), list(&["b"]));
    }

    #[test]
    fn what_no_value_fits_is_left_out_unless_required() {
        let other = |name: &str| SchemaProperty { name: name.into(), schema: PrimitiveSchema::Other("{}".into()) };
        let name = SchemaProperty { name: "name".into(), schema: PrimitiveSchema::Text(TEXT) };
        let schema = RequestedSchema {
            dialect: None,
            properties: vec![other("free"), other("needed"), name, other("scripted")],
            required: Some(strings(&["needed", "name", "absent"])),
        };
        let script = Script::parse(r#"{"elicitation": [{"content": {"scripted": 1, "unasked": 2}}]}"#).unwrap();
        let content = &script.elicitation.first().unwrap().content;
        let entry = |name: &str, value| ElicitEntry { name: name.into(), value };
        let wanted = [
            entry("needed", ElicitValue::Text(String::new())),
            entry("name", ElicitValue::Text("Ada".into())),
            entry("scripted", ElicitValue::Number(1.0)),
        ];
        assert_eq!(fill(schema, Some(content)), wanted);
    }
}
