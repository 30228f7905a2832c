//! Rules of a field in words, shown before the first answer.

use serde_json::Value;

use super::choices::{alternatives, has_type, is_null};
use taskcell::text::one_line;

/// Characters shown of a server's text within a rule: a pattern, the name of a format.
const MAX_RULE: usize = 100;

/// Example notations of the formats. [JSON Schema, Validation, 7.3]
const FORMATS: [(&str, &str); 13] = [
    ("date", "a date: YYYY-MM-DD"),
    ("date-time", "a time: YYYY-MM-DDThh:mm:ssZ"),
    ("duration", "a duration, such as P1DT2H"),
    ("email", "an e-mail address, such as name@example.com"),
    ("hostname", "a host, such as www.example.com"),
    ("idn-email", "an e-mail address, such as name@example.com"),
    ("ipv4", "an IPv4 address, such as 192.0.2.1"),
    ("ipv6", "an IPv6 address, such as 2001:db8::1"),
    ("regex", "a regular expression"),
    ("time", "a time of day: hh:mm:ssZ"),
    ("uri", "an address, such as https://example.com/"),
    ("uri-reference", "an address, such as https://example.com/ or /a"),
    ("uuid", "a UUID, such as 123e4567-e89b-42d3-a456-426614174000"),
];

/// Describes the rules of a field in one printable line; empty when the field takes anything.
pub(super) fn rules(field: &Value) -> String {
    let mut rules = Vec::new();
    add(field, &mut rules);
    rules.dedup();
    rules.join(", ")
}

fn add(field: &Value, rules: &mut Vec<String>) {
    if let Some(alternatives) = alternatives(field) {
        // Describe the only alternative besides `null`, if there is just one.
        let mut others = alternatives.iter().filter(|alternative| !is_null(alternative));
        if let (Some(only), None) = (others.next(), others.next()) {
            add(only, rules);
        }
    }
    let is_listed = field.get("enum").is_some() || field.get("const").is_some();
    if has_type(field, "integer") && !is_listed {
        rules.push("a whole number".to_owned());
    } else if has_type(field, "number") && !is_listed {
        rules.push("a number".to_owned());
    }
    let format = field.get("format").and_then(Value::as_str);
    if let (Some(format), true) = (format, has_type(field, "string")) {
        let known = FORMATS.iter().find(|(name, _)| *name == format);
        rules
            .push(known.map_or_else(|| format!("format {}", one_line(format, MAX_RULE)), |(_, how)| (*how).to_owned()));
    }
    if !is_listed {
        rules.extend(counted(field, ["minLength", "maxLength"], "character"));
    }
    if let Some(pattern) = field.get("pattern").and_then(Value::as_str) {
        rules.push(format!("of the pattern {}", one_line(pattern, MAX_RULE)));
    }
    let number = |keyword: &str| field.get(keyword).filter(|value| value.is_number()).map(Value::to_string);
    let bounds = [
        ("minimum", "at least"),
        ("exclusiveMinimum", "more than"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "less than"),
        ("multipleOf", "a multiple of"),
    ];
    rules.extend(bounds.iter().filter_map(|(keyword, words)| Some(format!("{words} {}", number(keyword)?))));
    if has_type(field, "array") {
        let is_of_choices = field.get("items").is_some_and(|items| super::choices::of_one(items).is_some());
        if !is_of_choices {
            rules.push("several, with commas between them".to_owned());
        }
        rules.extend(counted(field, ["minItems", "maxItems"], if is_of_choices { "choice" } else { "item" }));
    }
}

/// Describes the allowed number of things in a value.
fn counted(field: &Value, [least, most]: [&str; 2], thing: &str) -> Option<String> {
    let count = |keyword: &str| field.get(keyword).and_then(Value::as_u64);
    let things = |count: u64| if count == 1 { thing.to_owned() } else { format!("{thing}s") };
    match (count(least).filter(|least| *least > 0), count(most)) {
        (Some(least), Some(most)) if least == most => Some(format!("{most} {}", things(most))),
        (Some(least), Some(most)) => Some(format!("{least} to {most} {}", things(most))),
        (Some(least), None) => Some(format!("at least {least} {}", things(least))),
        (None, Some(most)) => Some(format!("at most {most} {}", things(most))),
        (None, None) => None,
    }
}
