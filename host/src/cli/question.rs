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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(field: &Value, required: bool) -> Result<Question, RpcError> {
        let required = if required { json!(["a"]) } else { json!([]) };
        let schema = json!({ "type": "object", "properties": { "a": field }, "required": required });
        let request = json!({ "message": "m", "requestedSchema": schema }).to_string();
        let ElicitRequest::Form(form) = serde_json::from_str(&request).unwrap() else { panic!("no form") };
        questions(&form).map(|mut questions| questions.pop().unwrap())
    }

    /// What is offered: the entry of a line, or the labels with marks.
    fn offered(question: &Question) -> String {
        let marked = |choices: &[Choice], is_marked: &dyn Fn(usize) -> bool| {
            let mark =
                |(place, choice): (usize, &Choice)| format!("{}{choice}", if is_marked(place) { "*" } else { "" });
            choices.iter().enumerate().map(mark).collect::<Vec<_>>().join("|")
        };
        match &question.ask {
            Ask::Line { read, offered } => format!("{read:?} {offered}"),
            Ask::One { choices, offered } => format!("One {}", marked(choices, &|place| place == *offered)),
            Ask::Any { choices, offered } => format!("Any {}", marked(choices, &|place| offered.contains(&place))),
        }
    }

    /// A field becomes one question, which offers the default; and is "no answer" where none is needed.
    #[test]
    fn a_field_becomes_a_question() {
        let titled = json!([{ "const": "r", "title": "Red" }, { "const": "g", "title": "Green" }]);
        let plain = json!({ "type": "string", "enum": ["r", "g"] });
        let table = [
            (json!({ "type": "string" }), true, "Text "),
            (json!({ "type": "string", "default": "x y" }), false, "Text x y"),
            // Neither is what would be sent if it were shown.
            (json!({ "type": "string", "default": "x\u{1b}[2J" }), false, "Text "),
            (json!({ "type": "string", "default": "x\ny" }), false, "Text "),
            (json!({ "type": "number", "default": 1.50 }), true, "Number 1.5"),
            (json!({ "type": "integer", "default": 3.0 }), true, "Integer 3"),
            (json!({ "type": "boolean" }), true, "One *Yes|No"),
            (json!({ "type": "boolean", "default": false }), true, "One Yes|*No"),
            (json!({ "type": "boolean" }), false, "One Yes|No|*(no answer)"),
            (plain.clone(), true, "One *r|g"),
            (plain, false, "One r|g|*(no answer)"),
            (json!({ "type": "string", "enum": ["r", "g"], "default": "g" }), false, "One r|*g|(no answer)"),
            (json!({ "type": "string", "enum": ["r", "g"], "default": "none of them" }), true, "One *r|g"),
            (json!({ "type": "string", "oneOf": titled, "default": "g" }), true, "One Red|*Green"),
            (json!({ "type": "string", "enum": ["r", "g"], "enumNames": ["Rot"] }), true, "One *Rot|g"),
            (json!({ "type": "string", "enum": [] }), false, "One *(no answer)"),
            (json!({ "type": "array", "items": { "type": "string", "enum": ["r", "g"] } }), true, "Any r|g"),
            (json!({ "type": "array", "items": { "anyOf": titled }, "default": ["g", "x"] }), true, "Any Red|*Green"),
            (json!({ "anyOf": [{ "type": "string" }, { "type": "null" }], "default": null }), false, "Json "),
            (json!({ "type": "integer", "multipleOf": 2, "default": 4 }), true, "Json 4"),
            (json!({ "type": "string", "pattern": "x", "default": "x" }), true, "Json x"),
        ];
        for (field, required, expected) in table {
            assert_eq!(offered(&ask(&field, required).unwrap()), expected, "{field}");
        }
        assert_eq!(ask(&json!({ "type": "string", "enum": [] }), true).unwrap_err().code, -32602);
        let nasty =
            ask(&json!({ "type": "string", "title": "a\u{1b}b", "description": "c\n\u{202e}d" }), true).unwrap();
        assert_eq!((nasty.label.as_str(), nasty.help.as_deref()), ("a\u{fffd}b", Some("c \u{fffd}d")));
        assert_eq!(ask(&json!({ "type": "string", "title": " " }), true).unwrap().label, "a");
    }

    /// What is typed becomes a value of the field's type, nothing, or an error.
    #[test]
    fn a_line_is_read_by_the_rule_of_the_field() {
        let text = |more: Value| {
            let mut field = json!({ "type": "string" });
            field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            field
        };
        let nullable = json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }, { "type": "null" }] });
        let table = [
            (text(json!({})), true, "", Ok(json!(""))),
            (text(json!({})), false, "", Ok(Value::Null)),
            (text(json!({})), false, " x ", Ok(json!(" x "))),
            (text(json!({ "minLength": 1 })), true, "", Err("shorter")),
            (text(json!({ "maxLength": 2 })), true, "äöü", Err("longer")),
            (text(json!({ "format": "email" })), true, "a", Err("email")),
            (text(json!({ "format": "uri" })), true, "https://a.b/", Ok(json!("https://a.b/"))),
            (text(json!({ "format": "date" })), true, "2025-02-30", Err("date")),
            (text(json!({ "format": "date-time" })), true, "2025-02-03T00:00:00Z", Ok(json!("2025-02-03T00:00:00Z"))),
            (json!({ "type": "number" }), true, " -1e3 ", Ok(json!(-1000))),
            (json!({ "type": "number" }), true, "nan", Err("no number")),
            (json!({ "type": "number" }), true, "1e999", Err("no number")),
            (json!({ "type": "number" }), true, "", Err("needed")),
            (json!({ "type": "number" }), false, " ", Ok(Value::Null)),
            (json!({ "type": "number", "maximum": 2.5 }), true, "3", Err("maximum")),
            (json!({ "type": "integer" }), true, "1.5", Err("integer")),
            (json!({ "type": "integer" }), true, "9007199254740993000", Err("digits")),
            (json!({ "type": "integer", "minimum": 1 }), true, "0", Err("minimum")),
            (nullable.clone(), true, "7", Ok(json!(7))),
            (nullable.clone(), true, "seven", Ok(json!("seven"))),
            (nullable, false, "", Ok(Value::Null)),
            (text(json!({ "pattern": "^[0-9]+$" })), true, "12", Ok(json!("12"))),
            (
                json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
                true,
                "[\"x\"]",
                Ok(json!(["x"])),
            ),
            (json!({ "type": "object" }), true, "{}", Err("object")),
        ];
        for (field, required, line, expected) in table {
            let question = ask(&field, required).unwrap();
            let Ask::Line { read, .. } = question.ask else { panic!("{field} is no line") };
            let value = question.read(read, line);
            match (&value, &expected) {
                (Ok(value), Ok(expected)) => assert_eq!(&json!(value), expected, "{field} {line:?}"),
                (Err(why), Err(word)) => assert!(why.contains(word), "{field} {line:?}: {why}"),
                _ => panic!("{field} {line:?}: {value:?}"),
            }
        }
    }

    /// Nothing of many is an empty list where that fits, and else no answer where none is needed.
    #[test]
    fn nothing_of_many_is_nothing() {
        for (least, required, expected) in
            [(0, true, Ok(json!([]))), (0, false, Ok(json!([]))), (1, false, Ok(Value::Null)), (1, true, Err(()))]
        {
            let items = json!({ "type": "string", "enum": ["r"] });
            let question = ask(&json!({ "type": "array", "items": items, "minItems": least }), required).unwrap();
            let value = question.any(std::iter::empty());
            assert_eq!(value.map(|value| json!(value)).map_err(drop), expected);
        }
    }

    /// An answer that was given is offered again, and shown by its label.
    #[test]
    fn an_answer_is_offered_again() {
        let titled = json!([{ "const": "r", "title": "Red" }, { "const": "g", "title": "Green\u{1b}" }]);
        let texts = |texts: &[&str]| ElicitValue::TextList(texts.iter().map(|text| (*text).to_owned()).collect());
        let table = [
            (json!({ "type": "string" }), ElicitValue::Text("x".to_owned()), "Text x", "x"),
            (json!({ "type": "number" }), ElicitValue::Number(2.0), "Number 2", "2"),
            (json!({ "type": "boolean" }), ElicitValue::Boolean(false), "One Yes|*No|(no answer)", "No"),
            (
                json!({ "type": "string", "oneOf": titled }),
                ElicitValue::Text("g".to_owned()),
                "One Red|*Green\u{fffd}|(no answer)",
                "Green\u{fffd}",
            ),
            (
                json!({ "type": "array", "items": { "anyOf": titled } }),
                texts(&["r", "g"]),
                "Any *Red|*Green\u{fffd}",
                "Red, Green\u{fffd}",
            ),
            (json!({ "type": "array", "items": { "anyOf": titled } }), texts(&[]), "Any Red|Green\u{fffd}", "none"),
        ];
        for (field, answer, expected, shown) in table {
            let mut question = ask(&field, false).unwrap();
            question.offer(Some(&answer));
            assert_eq!((offered(&question).as_str(), question.shown(&answer).as_str()), (expected, shown), "{field}");
        }
    }
}
