//! Shapes of requests to the user, and of the user's answers.

use serde_json::json;

use super::meta;
use crate::shape::Shape::{self, Count, Flag, Number, OneOf, Text, Word};
use crate::shape::{Member, ignored, implied, list, optional, record, required};

/// `StringSchema`
#[must_use]
pub fn string_schema() -> Shape {
    bounded_or_offered(
        &[
            required("type", Word(&["string"])),
            optional("title", Text),
            optional("description", Text),
            optional("format", OneOf(vec![Word(&["email", "uri", "date", "date-time"]), Text])),
        ],
        [optional("minLength", Count), optional("maxLength", Count)],
        Text,
    )
}

/// `NumberSchema`
#[must_use]
pub fn number_schema() -> Shape {
    bounded_or_offered(
        &[required("type", Word(&["number"])), optional("title", Text), optional("description", Text)],
        [optional("minimum", Number), optional("maximum", Number)],
        Number,
    )
}

/// `NumberSchema` of whole numbers
#[must_use]
pub fn integer_schema() -> Shape {
    bounded_or_offered(
        &[required("type", Word(&["integer"])), optional("title", Text), optional("description", Text)],
        [optional("minimum", Number), optional("maximum", Number)],
        Shape::Fixed(vec![json!(0), json!(1), json!(-3), json!(4_294_967_296_u64)]),
    )
}

/// A schema with bounds, or with a default: a default outside of the bounds would not be kept.
fn bounded_or_offered(members: &[Member], bounds: [Member; 2], default: Shape) -> Shape {
    let with = |more: Vec<Member>| Shape::Record(members.iter().cloned().chain(more).collect());
    OneOf(vec![with(bounds.into()), with(vec![optional("default", default)])])
}

/// `BooleanSchema`
#[must_use]
pub fn boolean_schema() -> Shape {
    record([
        required("type", Word(&["boolean"])),
        optional("title", Text),
        optional("description", Text),
        optional("default", Flag),
    ])
}

/// An entry of `TitledSingleSelectEnumSchema.oneOf`
#[must_use]
pub fn enum_option() -> Shape {
    record([required("const", Text), required("title", Text)])
}

/// `UntitledSingleSelectEnumSchema`
#[must_use]
pub fn untitled_single_select() -> Shape {
    record([
        required("type", Word(&["string"])),
        optional("title", Text),
        optional("description", Text),
        required("enum", list(Text)),
    ])
}

/// `TitledSingleSelectEnumSchema`
#[must_use]
pub fn titled_single_select() -> Shape {
    record([
        required("type", Word(&["string"])),
        optional("title", Text),
        optional("description", Text),
        required("oneOf", Shape::ListOfOne(Box::new(enum_option()))),
    ])
}

/// `UntitledMultiSelectEnumSchema`
#[must_use]
pub fn untitled_multi_select() -> Shape {
    multi_select(record([required("type", Word(&["string"])), required("enum", list(Text))]))
}

/// `TitledMultiSelectEnumSchema`
#[must_use]
pub fn titled_multi_select() -> Shape {
    multi_select(record([required("anyOf", Shape::ListOfOne(Box::new(enum_option())))]))
}

fn multi_select(items: Shape) -> Shape {
    record([
        required("type", Word(&["array"])),
        optional("title", Text),
        optional("description", Text),
        optional("minItems", Count),
        optional("maxItems", Count),
        required("items", items),
    ])
}

/// `LegacyTitledEnumSchema`
#[must_use]
pub fn legacy_titled_enum() -> Shape {
    record([
        required("type", Word(&["string"])),
        optional("title", Text),
        optional("description", Text),
        required("enum", list(Text)),
        required("enumNames", list(Text)),
    ])
}

/// Choices with one of them as the default: any other default would not be kept.
#[must_use]
pub fn offered_choices() -> Shape {
    let options = json!([{ "const": "r", "title": "Red" }, { "const": "g", "title": "Green" }]);
    Shape::Fixed(vec![
        json!({ "type": "string", "enum": ["r", "g"], "default": "g" }),
        json!({ "type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"], "default": "g", "title": "T" }),
        json!({ "type": "string", "oneOf": options, "default": "r" }),
        json!({ "type": "array", "items": { "type": "string", "enum": ["r", "g"] }, "default": ["g"], "maxItems": 1 }),
        json!({ "type": "array", "items": { "anyOf": options }, "default": [], "description": "D" }),
    ])
}

/// Schemas beyond the cases of MCP, which servers nevertheless send.
#[must_use]
pub fn other_schema() -> Shape {
    Shape::Fixed(vec![
        json!({}),
        json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }], "default": null, "title": "T" }),
        json!({ "type": ["string", "number", "null"], "minLength": 1.0 }),
        json!({ "type": "object", "properties": { "type": { "type": "string" } } }),
        json!({ "type": "null" }),
        json!({ "type": "array", "items": { "type": "number" } }),
        json!({ "type": "array" }),
        json!({ "type": "string", "pattern": "^a" }),
        json!({ "type": "integer", "multipleOf": 5 }),
        json!({ "type": "integer", "enum": [1, 2] }),
        json!({ "type": "integer", "minimum": 9_007_199_254_740_993_u64 }),
        json!({ "const": 5 }),
        json!({ "$ref": "#/$defs/A", "x": [1, { "y": null }] }),
    ])
}

/// `PrimitiveSchemaDefinition`
#[must_use]
pub fn primitive_schema() -> Shape {
    OneOf(vec![
        string_schema(),
        number_schema(),
        integer_schema(),
        boolean_schema(),
        offered_choices(),
        untitled_single_select(),
        titled_single_select(),
        untitled_multi_select(),
        titled_multi_select(),
        legacy_titled_enum(),
        other_schema(),
    ])
}

/// `ElicitRequestFormParams.requestedSchema`
#[must_use]
pub fn requested_schema() -> Shape {
    record([
        optional("$schema", Text),
        required("type", Word(&["object"])),
        required("properties", Shape::Map(Box::new(primitive_schema()))),
        optional("required", list(Text)),
    ])
}

/// `ElicitRequestFormParams`, without `task` and `_meta`
#[must_use]
pub fn elicit_form() -> Shape {
    record([implied("mode", &["form"]), required("message", Text), required("requestedSchema", requested_schema())])
}

/// `ElicitRequestURLParams`, without `task` and `_meta`
#[must_use]
pub fn elicit_url() -> Shape {
    record([
        required("mode", Word(&["url"])),
        required("message", Text),
        required("elicitationId", Text),
        required("url", Text),
    ])
}

/// A value in `ElicitResult.content`
#[must_use]
pub fn elicit_value() -> Shape {
    OneOf(vec![Text, Number, Flag, list(Text)])
}

/// `ElicitResult`; the content goes with an acceptance only
#[must_use]
pub fn elicit_result() -> Shape {
    let content = Shape::Map(Box::new(elicit_value()));
    OneOf(vec![
        record([required("action", Word(&["accept"])), optional("content", content.clone()), meta()]),
        record([required("action", Word(&["decline", "cancel"])), ignored("content", content), meta()]),
    ])
}
