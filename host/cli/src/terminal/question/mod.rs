//! Questions of a form, independent of any terminal: texts, offered answers, and the meaning of entries.
//!
//! A question is built from the schema of its field, the one that later validates the answer. Fields beyond MCP's forms
//! are therefore asked like standard ones: their choices are listed and their rules told. The function that validates
//! the whole answer also checks each entry, so an accepted entry stays accepted. The server's text is made printable
//! here, once. It stays unchanged only in the values that return to the server.

mod choices;
mod hints;

use std::fmt;

use serde_json::Value;

use taskcell::protocol::types::{
    ElicitAction, ElicitEntry, ElicitForm, ElicitRequest, ElicitResult, ElicitValue, RequestedSchema, RpcError,
    SchemaProperty,
};
use taskcell::text::{is_printable_line, one_line};
use taskcell::validation::elicitation;

/// Characters shown of a label or a value.
const MAX_LABEL: usize = 80;
/// Characters shown of a description.
const MAX_HELP: usize = 300;
/// Bound of the whole numbers that a double represents exactly (2^53).
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Question about one field of a form.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    name: String,
    /// Whether the form requires an answer.
    pub(super) required: bool,
    /// Whether the empty text is an answer.
    takes_empty: bool,
    /// Schema of a form with only this field, to validate an entry.
    schema: String,
    /// Printable name of the field.
    pub(super) label: String,
    /// Printable lines: the server's description of the field and its rules.
    pub(super) help: Vec<String>,
    pub(super) ask: Ask,
}

/// Way to ask a question, with the offered answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ask {
    /// Asks for a line of text; the offered text is printable.
    Line { read: Read, offered: Option<String> },
    /// Asks for one of the choices.
    One { choices: Vec<Choice>, offered: usize },
    /// Asks for any of the choices.
    Any { choices: Vec<Choice>, offered: Vec<usize> },
}

/// Interpretation of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Read {
    Text,
    Number,
    Integer,
    /// Read as JSON, as text or as a list with commas, whichever fits first.
    Any,
}

/// An item to choose.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    label: String,
    /// Value of the item; `None` leaves the field out.
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

/// Builds the questions of a form, in its order.
///
/// # Errors
/// -32602 when no value fits a field.
pub(super) fn questions(form: &ElicitForm) -> Result<Vec<Question>, RpcError> {
    let schema = &form.requested_schema;
    schema.properties.iter().map(|field| Question::new(schema, field)).collect()
}

impl Question {
    fn new(form: &RequestedSchema, field: &SchemaProperty) -> Result<Self, RpcError> {
        let required = form.required.iter().flatten().any(|name| *name == field.name);
        let alone = RequestedSchema { dialect: form.dialect.clone(), properties: vec![field.clone()], required: None };
        let unusable = |why: serde_json::Error| RpcError::internal("user", format!("The form cannot be read: {why}"));
        // The validation schema has neither titles nor defaults.
        let rules = serde_json::to_value(&alone).map_err(unusable)?;
        let alone = ElicitForm { message: String::new(), requested_schema: alone };
        let schema = elicitation::schema(&ElicitRequest::Form(alone))?.unwrap_or_default();
        let field_rules = rules.get("properties").and_then(|fields| fields.get(&field.name)).unwrap_or(&Value::Null);
        let word = |key: &str| field_rules.get(key).and_then(Value::as_str).filter(|word| !word.trim().is_empty());
        let label = one_line(word("title").unwrap_or(&field.name), MAX_LABEL);
        let mut help: Vec<_> = word("description").map(|text| one_line(text, MAX_HELP)).into_iter().collect();
        help.push(hints::rules(field_rules));
        help.retain(|line| !line.is_empty());
        let mut question = Self {
            name: field.name.clone(),
            required,
            takes_empty: field_rules.get("minLength").and_then(Value::as_u64) == Some(0),
            schema,
            label,
            help,
            ask: Ask::Line { read: Read::Any, offered: None },
        };
        question.ask = question.asked(field_rules);
        match &question.ask {
            Ask::One { choices, .. } if required && choices.is_empty() => {
                let why = format!("The form's field `{}` has nothing to choose from", question.label);
                return Err(RpcError::invalid_params(why));
            }
            Ask::Line { .. } if required && question.takes_empty => {
                question.help.push("an empty text is an answer".to_owned());
            }
            Ask::Line { .. } if !required => question.help.push("empty for no answer".to_owned()),
            _ => {}
        }
        Ok(question)
    }

    /// Decides how to ask a field of this schema.
    fn asked(&self, field: &Value) -> Ask {
        let default = field.get("default").filter(|default| !default.is_null());
        if let Some(choices) = choices::of_any(field) {
            let default = default.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let texts: Vec<_> = default.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            return Ask::Any { offered: places(&choices, &texts), choices };
        }
        if let Some(choices) = choices::of_one(field) {
            return one_of(choices, default.and_then(answer_of).as_ref(), self.required);
        }
        let kinds = [("string", Read::Text), ("integer", Read::Integer), ("number", Read::Number)];
        let read = kinds.iter().find(|(name, _)| choices::has_type(field, name)).map_or(Read::Any, |(_, read)| *read);
        let offered = default.map(|default| default.as_str().map_or_else(|| default.to_string(), str::to_owned));
        // A default that would be refused, or changed for display, is not offered.
        let fits = |text: &String| is_printable_line(text) && matches!(self.read(read, text), Ok(Some(_)));
        Ask::Line { read, offered: offered.filter(fits) }
    }

    /// Interprets a line; `None` leaves the field out.
    ///
    /// # Errors
    /// The problem with the line, for the person who typed it.
    pub(super) fn read(&self, read: Read, line: &str) -> Result<Option<ElicitValue>, String> {
        let trimmed = line.trim();
        let missing = if read == Read::Text { line.is_empty() } else { trimmed.is_empty() };
        if missing && !self.required {
            return Ok(None);
        }
        if missing && !(self.takes_empty && matches!(read, Read::Text | Read::Any)) {
            return Err("an answer is needed".to_owned());
        }
        let value = match read {
            Read::Text => ElicitValue::Text(line.to_owned()),
            Read::Number | Read::Integer => number(trimmed, read == Read::Integer)?,
            Read::Any => return self.whatever(trimmed, line).map(Some),
        };
        self.check(&value)?;
        Ok(Some(value))
    }

    /// Returns the first interpretation of a line that fits the field.
    fn whatever(&self, trimmed: &str, line: &str) -> Result<ElicitValue, String> {
        let as_json = serde_json::from_str::<Value>(trimmed).ok().and_then(|value| answer_of(&value));
        let as_list = || ElicitValue::TextList(trimmed.split(',').map(|text| text.trim().to_owned()).collect());
        let text = ElicitValue::Text(line.to_owned());
        if let Some(value) = as_json.filter(|value| self.check(value).is_ok()) {
            return Ok(value);
        }
        let Err(why) = self.check(&text) else { return Ok(text) };
        Some(as_list()).filter(|list| self.check(list).is_ok()).ok_or(why)
    }

    /// Returns the value for the chosen positions of a multiple choice; `None` leaves the field out.
    ///
    /// # Errors
    /// The problem with the selection.
    pub(super) fn any(&self, chosen: &[usize]) -> Result<Option<ElicitValue>, String> {
        let texts = self.chosen(chosen).filter_map(|choice| match &choice.value {
            Some(ElicitValue::Text(text)) => Some(text.clone()),
            _ => None,
        });
        let value = ElicitValue::TextList(texts.collect());
        match self.check(&value) {
            Ok(()) => Ok(Some(value)),
            Err(_) if !self.required && value == ElicitValue::TextList(Vec::new()) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Returns the value for the chosen position of a single choice; `None` leaves the field out.
    ///
    /// # Errors
    /// The problem with the choice: a form may offer a value that it then refuses.
    pub(super) fn one(&self, chosen: &[usize]) -> Result<Option<ElicitValue>, String> {
        let choice = self.chosen(chosen).next().ok_or("an answer is needed")?;
        choice.value.as_ref().map(|value| self.check(value)).transpose()?;
        Ok(choice.value.clone())
    }

    fn chosen<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a Choice> {
        let choices = match &self.ask {
            Ask::One { choices, .. } | Ask::Any { choices, .. } => choices.as_slice(),
            Ask::Line { .. } => &[],
        };
        places.iter().filter_map(|place| choices.get(*place))
    }

    /// Offers an answer that was given before.
    pub(super) fn offer(&mut self, answer: Option<&ElicitValue>) {
        match &mut self.ask {
            Ask::Line { offered, .. } => *offered = answer.map(entered).filter(|text| is_printable_line(text)),
            Ask::One { choices, offered } => {
                *offered = choices.iter().position(|choice| choice.value.as_ref() == answer).unwrap_or_default();
            }
            Ask::Any { choices, offered } => {
                let texts: &[String] = if let Some(ElicitValue::TextList(texts)) = answer { texts } else { &[] };
                *offered = places(choices, texts);
            }
        }
    }

    /// Formats an answer for display.
    pub(super) fn shown(&self, answer: &ElicitValue) -> String {
        let label = |value: &ElicitValue| match &self.ask {
            Ask::Line { .. } => None,
            Ask::One { choices, .. } | Ask::Any { choices, .. } => {
                choices.iter().find(|choice| choice.value.as_ref() == Some(value)).map(Choice::to_string)
            }
        };
        let text = |text: &String| label(&ElicitValue::Text(text.clone())).unwrap_or_else(|| one_line(text, MAX_HELP));
        match answer {
            ElicitValue::Text(answer) => text(answer),
            ElicitValue::TextList(texts) if texts.is_empty() => "none".to_owned(),
            ElicitValue::TextList(texts) => texts.iter().map(text).collect::<Vec<_>>().join(", "),
            ElicitValue::Boolean(value) => label(answer).unwrap_or_else(|| yes_or_no(*value).to_owned()),
            ElicitValue::Number(_) => label(answer).unwrap_or_else(|| entered(answer)),
        }
    }

    /// The answer as an entry of the result.
    pub(super) fn entry(&self, value: ElicitValue) -> ElicitEntry {
        ElicitEntry { name: self.name.clone(), value }
    }

    fn check(&self, value: &ElicitValue) -> Result<(), String> {
        let action = ElicitAction::Accept(Some(vec![self.entry(value.clone())]));
        let checked = elicitation::check(Some(&self.schema), ElicitResult { action, meta: None });
        // The prefix only repeats the name of this field.
        checked.map(drop).map_err(|why| why.split_once(": ").map_or(why.clone(), |(_, why)| why.to_owned()))
    }
}

/// Labels of the choices.
pub(super) fn labels(choices: &[Choice]) -> Vec<String> {
    choices.iter().map(Choice::to_string).collect()
}

/// Builds a single choice. For an optional field it has "(no answer)", which is offered unless there is a default.
fn one_of(mut choices: Vec<Choice>, default: Option<&ElicitValue>, required: bool) -> Ask {
    let offered = default.and_then(|default| choices.iter().position(|choice| choice.value.as_ref() == Some(default)));
    let offered = offered.unwrap_or(if required { 0 } else { choices.len() });
    if !required {
        choices.push(Choice::new("(no answer)", None));
    }
    Ask::One { choices, offered }
}

/// Positions of the choices with these values.
fn places(choices: &[Choice], texts: &[String]) -> Vec<usize> {
    let is_one = |choice: &Choice| matches!(&choice.value, Some(ElicitValue::Text(value)) if texts.contains(value));
    choices.iter().enumerate().filter(|(_, choice)| is_one(choice)).map(|(place, _)| place).collect()
}

/// Converts a value to an answer; `None` when no answer can represent it exactly.
fn answer_of(value: &Value) -> Option<ElicitValue> {
    let answer: ElicitValue = serde_json::from_value(value.clone()).ok()?;
    let back = serde_json::to_value(&answer).ok()?;
    let is_same = back == *value || (value.is_f64() && back.as_f64() == value.as_f64());
    is_same.then_some(answer)
}

fn number(text: &str, whole: bool) -> Result<ElicitValue, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    match number {
        None => Err(format!("this is not a {}", if whole { "whole number" } else { "number" })),
        Some(number) if whole && number.abs() > MAX_EXACT => Err("the number has too many digits".to_owned()),
        Some(number) => Ok(ElicitValue::Number(number)),
    }
}

/// Returns the entry that gives this answer.
fn entered(answer: &ElicitValue) -> String {
    match answer {
        ElicitValue::Text(text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
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

    /// Returns the offered answer: the entry of a line, or the labels with marks.
    fn offered(question: &Question) -> String {
        let marked = |choices: &[Choice], is_marked: &dyn Fn(usize) -> bool| {
            let mark =
                |(place, choice): (usize, &Choice)| format!("{}{choice}", if is_marked(place) { "*" } else { "" });
            choices.iter().enumerate().map(mark).collect::<Vec<_>>().join("|")
        };
        match &question.ask {
            Ask::Line { read, offered } => format!("{read:?} {}", offered.as_deref().unwrap_or_default()),
            Ask::One { choices, offered } => format!("One {}", marked(choices, &|place| place == *offered)),
            Ask::Any { choices, offered } => format!("Any {}", marked(choices, &|place| offered.contains(&place))),
        }
    }

    /// A field becomes one question that offers the default. An optional field can also be left without an answer.
    #[test]
    fn a_field_becomes_a_question() {
        let titled = json!([{ "const": "r", "title": "Red" }, { "const": "g", "title": "Green" }]);
        let plain = json!({ "type": "string", "enum": ["r", "g"] });
        let table = [
            (json!({ "type": "string" }), true, "Text "),
            (json!({ "type": "string", "default": "x y" }), false, "Text x y"),
            // The displayed default would differ from the value that is sent.
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
            (json!({ "anyOf": [{ "type": "string" }, { "type": "null" }], "default": null }), false, "Text "),
            (json!({ "type": "integer", "multipleOf": 2, "default": 4 }), true, "Integer 4"),
            (json!({ "type": "string", "pattern": "x", "default": "x" }), true, "Text x"),
            (json!({ "type": ["string", "null"], "maxLength": 3, "default": "x" }), false, "Text x"),
            // The form refuses its own default.
            (json!({ "type": "integer", "maximum": 3, "default": 4 }), true, "Integer "),
            (json!({ "type": "string", "format": "email", "default": "nobody" }), false, "Text "),
        ];
        for (field, required, expected) in table {
            assert_eq!(offered(&ask(&field, required).unwrap()), expected, "{field}");
        }
        assert_eq!(ask(&json!({ "type": "string", "enum": [] }), true).unwrap_err().code, -32602);
        let nasty =
            ask(&json!({ "type": "string", "title": "a\u{1b}b", "description": "c\n\u{202e}d" }), true).unwrap();
        assert_eq!((nasty.label.as_str(), &nasty.help), ("a\u{fffd}b", &vec!["c \u{fffd}d".to_owned()]));
        assert_eq!(ask(&json!({ "type": "string", "title": " " }), true).unwrap().label, "a");
    }

    /// A typed line becomes a value of the field's type, no answer, or an error.
    #[test]
    fn a_line_is_read_by_the_rule_of_the_field() {
        let text = |more: Value| {
            let mut field = json!({ "type": "string" });
            field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            field
        };
        let nullable = json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }, { "type": "null" }] });
        let table = [
            (text(json!({})), true, "", Err("needed")),
            (text(json!({ "minLength": 0 })), true, "", Ok(json!(""))),
            (text(json!({ "minLength": 0 })), false, "", Ok(Value::Null)),
            (text(json!({})), true, " ", Ok(json!(" "))),
            (text(json!({})), false, "", Ok(Value::Null)),
            (text(json!({})), false, " x ", Ok(json!(" x "))),
            (text(json!({ "minLength": 2 })), true, "x", Err("shorter")),
            (text(json!({ "maxLength": 2 })), true, "äöü", Err("longer")),
            (text(json!({ "format": "email" })), true, "a", Err("email")),
            (text(json!({ "format": "uri" })), true, "https://a.b/", Ok(json!("https://a.b/"))),
            (text(json!({ "format": "date" })), true, "2025-02-30", Err("date")),
            (text(json!({ "format": "date-time" })), true, "2025-02-03T00:00:00Z", Ok(json!("2025-02-03T00:00:00Z"))),
            (json!({ "type": "number" }), true, " -1e3 ", Ok(json!(-1000))),
            (json!({ "type": "number" }), true, "nan", Err("not a number")),
            (json!({ "type": "number" }), true, "1e999", Err("not a number")),
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
            (
                json!({ "type": "array", "items": { "type": "string" } }),
                true,
                "x, y z ,w",
                Ok(json!(["x", "y z", "w"])),
            ),
            (json!({ "type": "array", "items": { "type": "string" }, "maxItems": 2 }), true, "x,y,z", Err("array")),
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

    /// An empty selection is an empty list where that fits. For an optional field it is otherwise no answer.
    #[test]
    fn nothing_of_many_is_nothing() {
        for (least, required, expected) in
            [(0, true, Ok(json!([]))), (0, false, Ok(json!([]))), (1, false, Ok(Value::Null)), (1, true, Err(()))]
        {
            let items = json!({ "type": "string", "enum": ["r"] });
            let question = ask(&json!({ "type": "array", "items": items, "minItems": least }), required).unwrap();
            let value = question.any(&[]);
            assert_eq!(value.map(|value| json!(value)).map_err(drop), expected);
        }
    }

    /// A given answer is offered again, and shown by its label.
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

    /// Builds the question of a field as written, without MCP's types.
    fn other(field: &Value, required: bool) -> Result<Question, RpcError> {
        use taskcell::protocol::types::PrimitiveSchema;

        let schema = PrimitiveSchema::Other(field.to_string());
        let properties = vec![SchemaProperty { name: "a".to_owned(), schema }];
        let required = required.then(|| vec!["a".to_owned()]);
        let requested_schema = RequestedSchema { dialect: None, properties, required };
        let form = ElicitForm { message: "m".to_owned(), requested_schema };
        questions(&form).map(|mut questions| questions.pop().unwrap())
    }

    /// A field with choices becomes a list of them, in whatever way the schema states them.
    #[test]
    fn choices_are_a_list_however_they_are_written() {
        let titled = json!([{ "const": "r", "title": "Red" }, { "const": "g", "title": "Green" }]);
        let table = [
            (json!({ "type": "string", "enum": ["r", "g"], "maxLength": 5 }), true, "One *r|g"),
            (json!({ "enum": ["r", "g"], "title": "T" }), true, "One *r|g"),
            (json!({ "type": "integer", "enum": [1, 2, 3], "default": 2 }), true, "One 1|*2|3"),
            (json!({ "type": "integer", "enum": [1, 2], "enumNames": ["One", "Two"] }), true, "One *One|Two"),
            (json!({ "type": "number", "enum": [0.5, 1.0] }), false, "One 0.5|1.0|*(no answer)"),
            (json!({ "enum": ["r", 1, true, null] }), true, "One *r|1|Yes"),
            (json!({ "anyOf": titled }), true, "One *Red|Green"),
            (json!({ "type": "string", "anyOf": titled, "maxLength": 3 }), true, "One *Red|Green"),
            (json!({ "oneOf": titled, "default": "g" }), false, "One Red|*Green|(no answer)"),
            (
                json!({ "oneOf": [{ "const": 1, "title": "Low" }, { "const": 2, "title": "High" }] }),
                true,
                "One *Low|High",
            ),
            (json!({ "oneOf": [{ "const": "r", "type": "string" }, { "const": "g" }] }), true, "One *r|g"),
            (json!({ "const": "yes" }), true, "One *yes"),
            (json!({ "type": "string", "const": "yes", "title": "Word" }), false, "One Word|*(no answer)"),
            (
                json!({ "anyOf": [{ "type": "string", "enum": ["r", "g"] }, { "type": "null" }] }),
                false,
                "One r|g|*(no answer)",
            ),
            (json!({ "anyOf": [{ "enum": ["r"] }, { "enum": ["g"] }], "default": "g" }), true, "One r|*g"),
            (json!({ "type": ["string", "null"], "enum": ["r", null], "default": "r" }), false, "One *r|(no answer)"),
            (json!({ "anyOf": [{ "type": "boolean" }, { "type": "null" }] }), false, "One Yes|No|*(no answer)"),
            (json!({ "type": ["boolean", "null"], "default": false }), false, "One Yes|*No|(no answer)"),
            (json!({ "type": "array", "items": { "enum": ["r", "g"] }, "uniqueItems": true }), true, "Any r|g"),
            (
                json!({ "type": "array", "items": { "type": "string", "oneOf": titled }, "default": ["r"] }),
                true,
                "Any *Red|Green",
            ),
            (json!({ "anyOf": [{ "type": "array", "items": { "enum": ["r"] } }, { "type": "null" }] }), false, "Any r"),
            // Some accepted values cannot be listed, or cannot be an answer.
            (json!({ "anyOf": [{ "const": "r" }, { "type": "string" }] }), true, "Any "),
            (json!({ "type": "array", "items": { "enum": [1, 2] } }), true, "Any "),
            (json!({ "enum": ["r", { "a": 1 }, 18_014_398_509_481_985_u64] }), true, "One *r"),
        ];
        for (field, required, expected) in table {
            assert_eq!(offered(&other(&field, required).unwrap()), expected, "{field}");
        }
        let question =
            other(&json!({ "oneOf": [{ "const": 1, "title": "Low" }, { "const": 2, "title": "High" }] }), true);
        let question = question.unwrap();
        assert_eq!(question.one(&[1]), Ok(Some(ElicitValue::Number(2.0))));
        assert_eq!(question.shown(&ElicitValue::Number(2.0)), "High");
        assert!(question.one(&[]).is_err() && question.one(&[7]).is_err());
        let refused = other(&json!({ "type": "string", "enum": ["ok", "too long"], "maxLength": 3 }), true).unwrap();
        assert!(refused.one(&[0]).is_ok() && refused.one(&[1]).unwrap_err().contains("longer"));
    }

    /// The rules of a field are shown before it is answered.
    #[test]
    fn rules_are_told_first() {
        let table = [
            (json!({ "type": "string" }), ""),
            (json!({ "type": "string", "minLength": 2, "maxLength": 5 }), "2 to 5 characters"),
            (json!({ "type": "string", "minLength": 1 }), "at least 1 character"),
            (json!({ "type": "string", "maxLength": 1 }), "at most 1 character"),
            (json!({ "type": "string", "format": "date" }), "a date: YYYY-MM-DD"),
            (json!({ "type": "string", "format": "date-time" }), "a time: YYYY-MM-DDThh:mm:ssZ"),
            (json!({ "type": "string", "format": "email" }), "an e-mail address, such as name@example.com"),
            (json!({ "type": "string", "format": "x\u{1b}y" }), "format x\u{fffd}y"),
            (json!({ "type": "string", "pattern": "^a\u{202e}$" }), "of the pattern ^a\u{fffd}$"),
            (json!({ "type": "integer" }), "a whole number"),
            (json!({ "type": "number", "minimum": 0, "maximum": 0.5 }), "a number, at least 0, at most 0.5"),
            (
                json!({ "type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9, "multipleOf": 2 }),
                "a whole number, more than 0, less than 9, a multiple of 2",
            ),
            (json!({ "type": "integer", "enum": [1, 2] }), ""),
            (
                json!({ "anyOf": [{ "type": "integer", "minimum": 3 }, { "type": "null" }] }),
                "a whole number, at least 3",
            ),
            (
                json!({ "type": "array", "items": { "enum": ["a", "b"] }, "minItems": 1, "maxItems": 2 }),
                "1 to 2 choices",
            ),
            (json!({ "type": "array", "items": { "enum": ["a", "b"] }, "minItems": 2, "maxItems": 2 }), "2 choices"),
            (
                json!({ "type": "array", "items": { "type": "string" }, "maxItems": 3 }),
                "several, with commas between them, at most 3 items",
            ),
        ];
        for (field, expected) in table {
            let told = ask(&field, true).unwrap().help;
            assert_eq!(told.first().map_or("", String::as_str), expected, "{field}");
        }
        let help = |field: &Value, required| ask(field, required).unwrap().help.pop();
        assert_eq!(help(&json!({ "type": "string" }), false).as_deref(), Some("empty for no answer"));
        assert_eq!(
            help(&json!({ "type": "string", "minLength": 0 }), true).as_deref(),
            Some("an empty text is an answer")
        );
    }
}
