//! Elicitation: the message says what is done, and a form is filled from its schema.

use crate::Handler;
use crate::exports::taskcell::handlers::elicitation::Guest;
use crate::taskcell::handlers::types::*;
use crate::taskcell::handlers::user;

impl Guest for Handler {
    fn handle(_: RequestContext, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        answer(&request)
    }
}

/// The answer to a request, plain or as the work of a task.
pub fn answer(request: &ElicitRequest) -> Result<ElicitResult, RpcError> {
    let (message, content) = match request {
        ElicitRequest::Form(form) => (&form.message, Some(fill(&form.requested_schema))),
        ElicitRequest::Url(page) => (&page.message, None),
    };
    let action = match message.as_str() {
        "reject" => {
            return Err(RpcError { code: -1, message: "User rejected elicitation request".into(), data: None });
        }
        "trap" => panic!("trap"),
        message if message.starts_with("ask") => return user::elicit(request),
        "decline" => ElicitAction::Decline,
        "cancel" => ElicitAction::Cancel,
        _ => ElicitAction::Accept(content),
    };
    Ok(ElicitResult { action, meta: None })
}

/// An answer to each field that can be answered, in the order of the form.
fn fill(schema: &RequestedSchema) -> Vec<ElicitEntry> {
    let entry = |field: &SchemaProperty| Some(ElicitEntry { name: field.name.clone(), value: value(&field.schema)? });
    schema.properties.iter().filter_map(entry).collect()
}

/// The field's default, else something of its type; none where the type is not known or there is no choice.
fn value(schema: &PrimitiveSchema) -> Option<ElicitValue> {
    use ElicitValue::{Boolean, Number, Text, TextList};

    let one = |default: &Option<String>, first: Option<&String>| default.as_ref().or(first).cloned().map(Text);
    let many = |default: &Option<Vec<String>>, first: Option<&String>| {
        TextList(default.clone().unwrap_or_else(|| first.cloned().into_iter().collect()))
    };
    match schema {
        PrimitiveSchema::Text(field) => Some(Text(field.default.clone().unwrap_or_else(|| "text".into()))),
        PrimitiveSchema::Number(field) => Some(Number(field.default.unwrap_or(1.5))),
        PrimitiveSchema::Integer(field) => Some(Number(field.default.unwrap_or(3.0))),
        PrimitiveSchema::Boolean(field) => Some(Boolean(field.default.unwrap_or(true))),
        PrimitiveSchema::UntitledSingleSelect(field) => one(&field.default, field.values.first()),
        PrimitiveSchema::TitledSingleSelect(field) => {
            one(&field.default, field.options.first().map(|option| &option.value))
        }
        PrimitiveSchema::LegacyTitledEnum(field) => one(&field.default, field.values.first()),
        PrimitiveSchema::UntitledMultiSelect(field) => Some(many(&field.default, field.values.first())),
        PrimitiveSchema::TitledMultiSelect(field) => {
            Some(many(&field.default, field.options.first().map(|option| &option.value)))
        }
        PrimitiveSchema::Other(_) => None,
    }
}
