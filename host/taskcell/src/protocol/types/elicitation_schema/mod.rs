//! The fields of a form: the subset of JSON Schema that MCP allows in elicitation.

mod fields;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::Json;
use crate::protocol::wire::{clamped, json, named, number};

/// A field for text. MCP: `StringSchema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct StringSchema {
    /// The label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description of the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The least number of characters.
    #[component(name = "min-length")]
    #[serde(default, deserialize_with = "clamped::option::deserialize", skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// The greatest number of characters.
    #[component(name = "max-length")]
    #[serde(default, deserialize_with = "clamped::option::deserialize", skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// `email`, `uri`, `date` or `date-time`; servers are seen to send others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Offered value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// A field for a number. MCP: `NumberSchema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct NumberSchema {
    /// The label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description of the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The least value, included.
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The greatest value, included.
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// Offered value.
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    pub default: Option<f64>,
}

/// A field for yes or no. MCP: `BooleanSchema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct BooleanSchema {
    /// The label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description of the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Offered value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
}

/// One choice of an enumeration with labels. MCP: `TitledSingleSelectEnumSchema.oneOf`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct EnumOption {
    /// The value to answer with. `const` on the wire.
    #[serde(rename = "const")]
    pub value: String,
    /// The label to show.
    pub title: String,
}

/// A field for one of several values. MCP: `UntitledSingleSelectEnumSchema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct UntitledSingleSelectSchema {
    /// The label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description of the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The values. `enum` on the wire.
    #[serde(rename = "enum")]
    pub values: Vec<String>,
    /// Offered value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// A field for one of several labeled values. MCP: `TitledSingleSelectEnumSchema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct TitledSingleSelectSchema {
    /// The label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description of the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The choices. `oneOf` on the wire.
    #[serde(rename = "oneOf")]
    pub options: Vec<EnumOption>,
    /// Offered value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// A field for any of several values. MCP: `UntitledMultiSelectEnumSchema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct UntitledMultiSelectSchema {
    /// The label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description of the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The least number of choices.
    #[component(name = "min-items")]
    #[serde(default, deserialize_with = "clamped::option::deserialize", skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u32>,
    /// The greatest number of choices.
    #[component(name = "max-items")]
    #[serde(default, deserialize_with = "clamped::option::deserialize", skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u32>,
    /// The values. MCP: `items.enum`.
    #[serde(rename = "items", with = "untitled_items")]
    pub values: Vec<String>,
    /// Offered value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Vec<String>>,
}

/// A field for any of several labeled values. MCP: `TitledMultiSelectEnumSchema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct TitledMultiSelectSchema {
    /// The label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description of the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The least number of choices.
    #[component(name = "min-items")]
    #[serde(default, deserialize_with = "clamped::option::deserialize", skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u32>,
    /// The greatest number of choices.
    #[component(name = "max-items")]
    #[serde(default, deserialize_with = "clamped::option::deserialize", skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u32>,
    /// The choices. MCP: `items.anyOf`.
    #[serde(rename = "items", with = "titled_items")]
    pub options: Vec<EnumOption>,
    /// Offered value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Vec<String>>,
}

/// A field for one of several values, labeled in the old way. MCP: `LegacyTitledEnumSchema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct LegacyTitledEnumSchema {
    /// The label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description of the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The values. `enum` on the wire.
    #[serde(rename = "enum")]
    pub values: Vec<String>,
    /// The labels, in the order of the values. `enumNames` on the wire.
    #[serde(rename = "enumNames")]
    pub names: Vec<String>,
    /// Offered value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// Schema of one field of a form. MCP: `PrimitiveSchemaDefinition`.
#[derive(Debug, Clone, PartialEq, Serialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PrimitiveSchema {
    /// Text.
    #[component(name = "text")]
    #[serde(rename = "string")]
    Text(StringSchema),
    /// A number.
    #[component(name = "number")]
    Number(NumberSchema),
    /// A whole number.
    #[component(name = "integer")]
    Integer(NumberSchema),
    /// Yes or no.
    #[component(name = "boolean")]
    Boolean(BooleanSchema),
    /// One of several values.
    #[component(name = "untitled-single-select")]
    #[serde(rename = "string")]
    UntitledSingleSelect(UntitledSingleSelectSchema),
    /// One of several labeled values.
    #[component(name = "titled-single-select")]
    #[serde(rename = "string")]
    TitledSingleSelect(TitledSingleSelectSchema),
    /// Any of several values.
    #[component(name = "untitled-multi-select")]
    #[serde(rename = "array")]
    UntitledMultiSelect(UntitledMultiSelectSchema),
    /// Any of several labeled values.
    #[component(name = "titled-multi-select")]
    #[serde(rename = "array")]
    TitledMultiSelect(TitledMultiSelectSchema),
    /// One of several values, labeled in the old way.
    #[component(name = "legacy-titled-enum")]
    #[serde(rename = "string")]
    LegacyTitledEnum(LegacyTitledEnumSchema),
    /// A schema that no other case stands for, as it came; a handler may read it as JSON Schema, or decline. The other
    /// cases are sound: an answer within its case is an answer that the server's schema allows.
    #[component(name = "other")]
    #[serde(untagged, serialize_with = "json::object::serialize")]
    Other(Json),
}

/// One field of a form: an entry of the schema's `properties`.
#[derive(Debug, Clone, PartialEq, ComponentType, Lift, Lower)]
#[component(record)]
pub struct SchemaProperty {
    /// The key of the answer.
    pub name: String,
    /// Schema of the field.
    pub schema: PrimitiveSchema,
}

/// The fields of a form. MCP: `ElicitRequestFormParams.requestedSchema`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase", tag = "type", rename = "object")]
pub struct RequestedSchema {
    /// The JSON Schema dialect. MCP: `$schema`.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// The fields, in the server's order.
    #[serde(with = "named")]
    pub properties: Vec<SchemaProperty>,
    /// The names of the fields that must be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
}

impl named::Named for SchemaProperty {
    type Value = PrimitiveSchema;

    fn new(name: String, schema: PrimitiveSchema) -> Self {
        Self { name, schema }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn value(&self) -> &PrimitiveSchema {
        &self.schema
    }
}

impl<'de> Deserialize<'de> for PrimitiveSchema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        fields::read(raw).map_err(D::Error::custom)
    }
}

/// `items` of a multiple choice without labels: `{"type": "string", "enum": [...]}`.
mod untitled_items {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(tag = "type", rename = "string")]
    struct Items<T> {
        #[serde(rename = "enum")]
        values: T,
    }

    pub(super) fn serialize<S: Serializer>(values: &Vec<String>, serializer: S) -> Result<S::Ok, S::Error> {
        Items { values }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        Items::deserialize(deserializer).map(|items| items.values)
    }
}

/// `items` of a multiple choice with labels: `{"anyOf": [...]}`.
mod titled_items {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Items<T> {
        any_of: T,
    }

    pub(super) fn serialize<S: Serializer>(any_of: &Vec<EnumOption>, serializer: S) -> Result<S::Ok, S::Error> {
        Items { any_of }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EnumOption>, D::Error> {
        Items::deserialize(deserializer).map(|items| items.any_of)
    }
}
