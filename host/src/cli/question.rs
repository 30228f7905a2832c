//! The questions that a form asks, apart from any terminal: what is shown, what is offered, what an entry means.
//!
//! An entry is held against the form's own schema by the function that holds the whole answer against it, so what is
//! taken here is taken there. Text of the server is made printable here, once, and stays as it came only in the values
//! that go back to it.

use std::fmt;

use serde_json::Value;

use crate::printable::{is_printable_line, one_line};
use crate::protocol::types::{
    ElicitAction, ElicitEntry, ElicitForm, ElicitRequest, ElicitResult, ElicitValue, EnumOption, PrimitiveSchema,
    RequestedSchema, RpcError, SchemaProperty,
};
use crate::rules::elicitation;

/// Characters of a label, and of a value where it is shown.
const MAX_LABEL: usize = 80;
/// Characters of a description.
const MAX_HELP: usize = 300;
/// The greatest whole number up to which each has a double of its own.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// One question: a field of a form.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    name: String,
    /// Whether the form wants an answer.
    pub(super) required: bool,
    /// A form with this field alone, to hold an entry against.
    schema: String,
    /// What to call it, printable.
    pub(super) label: String,
    /// What the server says of it, printable.
    pub(super) help: Option<String>,
    pub(super) ask: Ask,
}

/// How a question is asked, and what is offered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ask {
    /// For a line of text.
    Line { read: Read, offered: String },
    /// For one of these.
    One { choices: Vec<Choice>, offered: usize },
    /// For any of these.
    Any { choices: Vec<Choice>, offered: Vec<usize> },
}

/// How a line is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Read {
    Text,
    Number,
    Integer,
    /// As JSON where that fits, else as text.
    Json,
}

/// What can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    label: String,
    /// None leaves the field out.
    value: Option<ElicitValue>,
}

impl Choice {
    fn new(label: &str, value: Option<ElicitValue>) -> Self {
        Self { label: one_line(label, MAX_LABEL), value }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// The questions of a form, in its order.
///
/// # Errors
/// -32602 for a field that nothing fits.
pub(super) fn questions(form: &ElicitForm) -> Result<Vec<Question>, RpcError> {
    let schema = &form.requested_schema;
    schema.properties.iter().map(|field| Question::new(schema, field)).collect()
}

impl Question {
    fn new(form: &RequestedSchema, field: &SchemaProperty) -> Result<Self, RpcError> {
        let required = form.required.iter().flatten().any(|name| *name == field.name);
        let alone = RequestedSchema { dialect: form.dialect.clone(), properties: vec![field.clone()], required: None };
        let alone = ElicitForm { message: String::new(), requested_schema: alone };
        let schema = elicitation::schema(&ElicitRequest::Form(alone))?.unwrap_or_default();
        let Described { title, description, ask } = described(&field.schema, required);
        let title = title.filter(|title| !title.trim().is_empty());
        let label = one_line(title.as_deref().unwrap_or(&field.name), MAX_LABEL);
        if required && matches!(&ask, Ask::One { choices, .. } if choices.is_empty()) {
            return Err(RpcError::invalid_params(format!("The form's field `{label}` has nothing to choose from")));
        }
        let help = description.map(|text| one_line(&text, MAX_HELP)).filter(|text| !text.is_empty());
        Ok(Self { name: field.name.clone(), required, schema, label, help, ask })
    }

    /// What a line means; none leaves the field out.
    ///
    /// # Errors
    /// What is wrong with it, for whoever typed it.
    pub(super) fn read(&self, read: Read, line: &str) -> Result<Option<ElicitValue>, String> {
        let trimmed = line.trim();
        let missing = if read == Read::Text { line.is_empty() } else { trimmed.is_empty() };
        if missing && !self.required {
            return Ok(None);
        }
        if missing && read != Read::Text {
            return Err("an answer is needed".to_owned());
        }
        let value = match read {
            Read::Text => ElicitValue::Text(line.to_owned()),
            Read::Number | Read::Integer => number(trimmed, read == Read::Integer)?,
            Read::Json => return self.json(trimmed, line).map(Some),
        };
        self.check(&value)?;
        Ok(Some(value))
    }

    /// JSON of a kind that an answer can have, or else the text.
    fn json(&self, trimmed: &str, line: &str) -> Result<ElicitValue, String> {
        if let Ok(value) = serde_json::from_str::<ElicitValue>(trimmed)
            && self.check(&value).is_ok()
        {
            return Ok(value);
        }
        let text = ElicitValue::Text(line.to_owned());
        self.check(&text).map(|()| text)
    }

    /// The value of what was chosen of many; none leaves the field out.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn any(&self, chosen: impl Iterator<Item = Choice>) -> Result<Option<ElicitValue>, String> {
        let texts = chosen.filter_map(|choice| match choice.value {
            Some(ElicitValue::Text(text)) => Some(text),
            _ => None,
        });
        let value = ElicitValue::TextList(texts.collect());
        match self.check(&value) {
            Ok(()) => Ok(Some(value)),
            Err(_) if !self.required && value == ElicitValue::TextList(Vec::new()) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// The value of what was chosen of several; none leaves the field out.
    ///
    /// # Errors
    /// What is wrong with it: a form may offer what it then refuses.
    pub(super) fn one(&self, choice: &Choice) -> Result<Option<ElicitValue>, String> {
        choice.value.as_ref().map(|value| self.check(value)).transpose()?;
        Ok(choice.value.clone())
    }

    /// Offers an answer that was given before.
    pub(super) fn offer(&mut self, answer: Option<&ElicitValue>) {
        match &mut self.ask {
            Ask::Line { offered, .. } => *offered = answer.map(entered).map(offerable).unwrap_or_default(),
            Ask::One { choices, offered } => {
                *offered = choices.iter().position(|choice| choice.value.as_ref() == answer).unwrap_or_default();
            }
            Ask::Any { choices, offered } => {
                let texts: &[String] = if let Some(ElicitValue::TextList(texts)) = answer { texts } else { &[] };
                *offered = places(choices, texts);
            }
        }
    }

    /// An answer, to be shown.
    pub(super) fn shown(&self, answer: &ElicitValue) -> String {
        let label = |text: &String| match &self.ask {
            Ask::Line { .. } => one_line(text, MAX_HELP),
            Ask::One { choices, .. } | Ask::Any { choices, .. } => {
                let is_it = |choice: &&Choice| choice.value.as_ref() == Some(&ElicitValue::Text(text.clone()));
                choices.iter().find(is_it).map_or_else(|| one_line(text, MAX_LABEL), Choice::to_string)
            }
        };
        match answer {
            ElicitValue::Text(text) => label(text),
            ElicitValue::TextList(texts) if texts.is_empty() => "none".to_owned(),
            ElicitValue::TextList(texts) => texts.iter().map(label).collect::<Vec<_>>().join(", "),
            ElicitValue::Boolean(value) => yes_or_no(*value).to_owned(),
            ElicitValue::Number(_) => entered(answer),
        }
    }

    /// The answer as an entry of the result.
    pub(super) fn entry(&self, value: ElicitValue) -> ElicitEntry {
        ElicitEntry { name: self.name.clone(), value }
    }

    fn check(&self, value: &ElicitValue) -> Result<(), String> {
        let action = ElicitAction::Accept(Some(vec![self.entry(value.clone())]));
        let checked = elicitation::check(Some(&self.schema), ElicitResult { action, meta: None });
        // The place is this question.
        checked.map(drop).map_err(|why| why.split_once(": ").map_or(why.clone(), |(_, why)| why.to_owned()))
    }
}

/// What a schema says of a question.
struct Described {
    title: Option<String>,
    description: Option<String>,
    ask: Ask,
}

fn described(schema: &PrimitiveSchema, required: bool) -> Described {
    use PrimitiveSchema as Schema;

    let line = |read, offered: Option<String>| Ask::Line { read, offered: offered.map(offerable).unwrap_or_default() };
    let one = |choices, default: Option<&String>| {
        one_of(choices, default.map(|text| ElicitValue::Text(text.clone())).as_ref(), required)
    };
    macro_rules! described {
        ($schema:expr, $ask:expr) => {
            Described { title: $schema.title.clone(), description: $schema.description.clone(), ask: $ask }
        };
    }
    match schema {
        Schema::Text(text) => described!(text, line(Read::Text, text.default.clone())),
        Schema::Number(number) => described!(number, line(Read::Number, number.default.map(shown_number))),
        Schema::Integer(number) => described!(number, line(Read::Integer, number.default.map(shown_number))),
        Schema::Boolean(boolean) => {
            let choice = |value| Choice::new(yes_or_no(value), Some(ElicitValue::Boolean(value)));
            let default = boolean.default.map(ElicitValue::Boolean);
            described!(boolean, one_of(vec![choice(true), choice(false)], default.as_ref(), required))
        }
        Schema::UntitledSingleSelect(select) => {
            described!(select, one(named(&select.values, &[]), select.default.as_ref()))
        }
        Schema::TitledSingleSelect(select) => described!(select, one(titled(&select.options), select.default.as_ref())),
        Schema::LegacyTitledEnum(select) => {
            described!(select, one(named(&select.values, &select.names), select.default.as_ref()))
        }
        Schema::UntitledMultiSelect(select) => {
            described!(select, any_of(named(&select.values, &[]), select.default.as_deref()))
        }
        Schema::TitledMultiSelect(select) => {
            described!(select, any_of(titled(&select.options), select.default.as_deref()))
        }
        Schema::Other(schema) => {
            let schema: Value = serde_json::from_str(schema).unwrap_or_default();
            let word = |key: &str| schema.get(key).and_then(Value::as_str).map(str::to_owned);
            let default = schema.get("default").filter(|default| !default.is_null());
            let offered = default.map(|default| default.as_str().map_or_else(|| default.to_string(), str::to_owned));
            Described { title: word("title"), description: word("description"), ask: line(Read::Json, offered) }
        }
    }
}

/// Values, each with the name at its place.
fn named(values: &[String], names: &[String]) -> Vec<Choice> {
    let names = names.iter().map(Some).chain(std::iter::repeat(None));
    let choice = |(value, name): (&String, Option<&String>)| {
        Choice::new(name.unwrap_or(value), Some(ElicitValue::Text(value.clone())))
    };
    values.iter().zip(names).map(choice).collect()
}

fn titled(options: &[EnumOption]) -> Vec<Choice> {
    let choice = |option: &EnumOption| Choice::new(&option.title, Some(ElicitValue::Text(option.value.clone())));
    options.iter().map(choice).collect()
}

/// One of these, or no answer where none is needed, which is then offered unless something else is.
fn one_of(mut choices: Vec<Choice>, default: Option<&ElicitValue>, required: bool) -> Ask {
    let offered = default.and_then(|default| choices.iter().position(|choice| choice.value.as_ref() == Some(default)));
    let offered = offered.unwrap_or(if required { 0 } else { choices.len() });
    if !required {
        choices.push(Choice::new("(no answer)", None));
    }
    Ask::One { choices, offered }
}

fn any_of(choices: Vec<Choice>, default: Option<&[String]>) -> Ask {
    let offered = places(&choices, default.unwrap_or_default());
    Ask::Any { choices, offered }
}

/// The places of the choices with these values.
fn places(choices: &[Choice], texts: &[String]) -> Vec<usize> {
    let is_one = |choice: &Choice| matches!(&choice.value, Some(ElicitValue::Text(value)) if texts.contains(value));
    choices.iter().enumerate().filter(|(_, choice)| is_one(choice)).map(|(place, _)| place).collect()
}

fn number(text: &str, whole: bool) -> Result<ElicitValue, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    match number {
        None => Err(format!("this is no {}", if whole { "whole number" } else { "number" })),
        Some(number) if whole && number.abs() > MAX_EXACT => Err("the number has too many digits".to_owned()),
        Some(number) => Ok(ElicitValue::Number(number)),
    }
}

fn shown_number(number: f64) -> String {
    entered(&ElicitValue::Number(number))
}

/// What was entered to give this answer.
fn entered(answer: &ElicitValue) -> String {
    match answer {
        ElicitValue::Text(text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

/// What would be changed to be shown is not offered: it would be sent so.
fn offerable(text: String) -> String {
    if is_printable_line(&text) { text } else { String::new() }
}

fn yes_or_no(value: bool) -> &'static str {
    if value { "Yes" } else { "No" }
}
