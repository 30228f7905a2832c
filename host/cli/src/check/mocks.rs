//! Mocks for the grants of a checked handler: a model, a user, and keys and values without cost, questions or
//! persistence.
//!
//! A check must give the same result on every machine. A configuration therefore determines which mocks there are, but
//! never a paid model, a person to ask or a file to write.

use std::sync::Arc;

use async_trait::async_trait;

use taskcell::Grants;
use taskcell::grants::{
    Confirmation, GrantKind, Http, HttpLimits, MemoryKeyValue, Model, ModelContext, Settings, User,
};
use taskcell::protocol::types::{
    CreateMessageRequest, CreateMessageResult, ElicitAction, ElicitEntry, ElicitForm, ElicitRequest, ElicitResult,
    ElicitValue, Implementation, NumberSchema, PrimitiveSchema, Role, RpcError, SamplingContent, StringSchema,
    TextContent,
};
use taskcell::validation;

/// Grants that a check mocks, instead of using the real service.
pub(super) const GRANTS: [GrantKind; 4] = [GrantKind::Http, GrantKind::KeyValue, GrantKind::Model, GrantKind::User];

/// Returns new mocks of all grants, with these settings. Commands that only load a component use them too.
pub(crate) fn all(settings: Settings) -> Grants {
    let mut all = Grants::default();
    all.tasks = true;
    all.progress = true;
    all.config = Some(settings);
    all.model = Some(model_that_says("A canned answer."));
    all.user = Some(user(None, None));
    all.keyvalue = Some(Arc::new(MemoryKeyValue::default()));
    // Without a rule every request is refused.
    all.http = Some(Http::new([], HttpLimits::default()));
    all
}

/// Returns a model that always gives this answer.
pub(super) fn model(answer: CreateMessageResult) -> Arc<dyn Model> {
    Arc::new(Canned(answer))
}

/// Returns a user with fixed answers. By default the user says yes, fills in each form, and declines the few forms that
/// the mock cannot fill in.
pub(super) fn user(elicited: Option<ElicitResult>, confirmed: Option<bool>) -> Arc<dyn User> {
    Arc::new(Willing { elicited, confirmed: confirmed.unwrap_or(true) })
}

/// Returns a model that always answers with this text.
pub(crate) fn model_that_says(text: &str) -> Arc<dyn Model> {
    model(canned(text))
}

fn canned(text: &str) -> CreateMessageResult {
    let text = TextContent { text: text.to_owned(), annotations: None, meta: None };
    CreateMessageResult {
        role: Role::Assistant,
        content: vec![SamplingContent::Text(text)],
        model: "canned".to_owned(),
        stop_reason: Some("endTurn".to_owned()),
        meta: None,
    }
}

struct Canned(CreateMessageResult);

#[async_trait]
impl Model for Canned {
    async fn create_message(&self, _: &ModelContext, _: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        Ok(self.0.clone())
    }
}

struct Willing {
    elicited: Option<ElicitResult>,
    confirmed: bool,
}

#[async_trait]
impl User for Willing {
    async fn elicit(&self, _: &Implementation, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        if let Some(elicited) = &self.elicited {
            return Ok(elicited.clone());
        }
        let schema = validation::elicitation::schema(&request)?;
        let accepted = |content| ElicitResult { action: ElicitAction::Accept(content), meta: None };
        let declined = || ElicitResult { action: ElicitAction::Decline, meta: None };
        Ok(match request {
            ElicitRequest::Url(_) => accepted(None),
            ElicitRequest::Form(form) => {
                validation::elicitation::check(schema.as_deref(), accepted(Some(filled(&form))))
                    .unwrap_or_else(|_| declined())
            }
        })
    }

    async fn confirm(&self, _: &Implementation, _: String) -> Result<Confirmation, RpcError> {
        Ok(if self.confirmed { Confirmation::Accepted } else { Confirmation::Declined })
    }
}

/// Fills each field with its default, or with a value that is likely to fit.
fn filled(form: &ElicitForm) -> Vec<ElicitEntry> {
    let entry = |name: &String, value| ElicitEntry { name: name.clone(), value };
    let fields = form.requested_schema.properties.iter();
    fields.filter_map(|field| value(&field.schema).map(|value| entry(&field.name, value))).collect()
}

fn value(schema: &PrimitiveSchema) -> Option<ElicitValue> {
    let one = |default: &Option<String>, mut values: std::slice::Iter<'_, String>| {
        default.as_ref().or_else(|| values.next()).cloned().map(ElicitValue::Text)
    };
    let several = |default: &Option<Vec<String>>, values: Vec<String>, least: Option<u32>| {
        let least = least.map_or(1, |least| least.max(1)) as usize;
        let values = default.clone().unwrap_or_else(|| values.into_iter().take(least).collect());
        Some(ElicitValue::TextList(values))
    };
    match schema {
        PrimitiveSchema::Text(schema) => Some(ElicitValue::Text(text(schema))),
        PrimitiveSchema::Number(schema) => Some(ElicitValue::Number(number(schema))),
        PrimitiveSchema::Integer(schema) => Some(ElicitValue::Number(number(schema).ceil())),
        PrimitiveSchema::Boolean(schema) => Some(ElicitValue::Boolean(schema.default.unwrap_or(true))),
        PrimitiveSchema::UntitledSingleSelect(schema) => one(&schema.default, schema.values.iter()),
        PrimitiveSchema::LegacyTitledEnum(schema) => one(&schema.default, schema.values.iter()),
        PrimitiveSchema::TitledSingleSelect(schema) => {
            let first = || schema.options.first().map(|option| option.value.clone());
            schema.default.clone().or_else(first).map(ElicitValue::Text)
        }
        PrimitiveSchema::UntitledMultiSelect(schema) => {
            several(&schema.default, schema.values.clone(), schema.min_items)
        }
        PrimitiveSchema::TitledMultiSelect(schema) => {
            let values = schema.options.iter().map(|option| option.value.clone()).collect();
            several(&schema.default, values, schema.min_items)
        }
        PrimitiveSchema::Other(_) => None,
    }
}

fn text(schema: &StringSchema) -> String {
    // A server may ask for gigabytes.
    const LONGEST: usize = 4_096;
    if let Some(default) = &schema.default {
        return default.clone();
    }
    let text = match schema.format.as_deref() {
        Some("email") => "ada@example.com",
        Some("uri") => "https://example.com/",
        Some("date") => "2025-11-25",
        Some("date-time") => "2025-11-25T00:00:00Z",
        _ => "Ada",
    };
    let least = schema.min_length.map_or(0, |least| (least as usize).min(LONGEST));
    let most = schema.max_length.map_or(usize::MAX, |most| most as usize);
    // All of the text is ASCII.
    format!("{text:a<least$}").chars().take(most).collect()
}

fn number(schema: &NumberSchema) -> f64 {
    let (least, most) = (schema.minimum.unwrap_or(f64::MIN), schema.maximum.unwrap_or(f64::MAX));
    schema.default.unwrap_or_else(|| 1_f64.min(most).max(least))
}
