//! Expected answers: JSON with wildcards, and the places where an answer differs.
//!
//! | expected | matches |
//! |---|---|
//! | `"*"` | any one value |
//! | the member `"**": "*"` of an object | further members |
//! | `"**"` at the end of a list | further elements |
//! | `"$1.result.task.taskId"` | the value at this place of the first answer; in a request, too |
//! | a string with a backslash before one of these, or before another backslash | the string without the backslash |

use serde_json::{Map, Value};

use taskcell::text::one_line;

/// Wildcard for any one value.
pub(crate) const ANY: &str = "*";
/// Wildcard for further members or elements.
pub(crate) const MORE: &str = "**";

/// Maximum number of characters of a value in a difference.
const MAX_SHOWN: usize = 200;

/// Returns a line for each place where `got` differs from `expected`.
pub(super) fn differences(expected: &Value, got: &Value, answers: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    compare(expected, Some(got), "", answers, &mut found);
    found
}

/// Replaces the references in a request by their values.
///
/// # Errors
/// Names a reference that has no value.
pub(super) fn resolved(request: &Value, answers: &[Value]) -> Result<Value, String> {
    Ok(match request {
        Value::String(text) if is_reference(text) => {
            lookup(text, answers).ok_or_else(|| format!("{text} stands for nothing"))?.clone()
        }
        Value::String(text) => match text.strip_prefix('\\') {
            Some(rest) if is_reference(rest) => rest.into(),
            _ => request.clone(),
        },
        Value::Array(elements) => {
            elements.iter().map(|element| resolved(element, answers)).collect::<Result<_, _>>()?
        }
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| Ok((key.clone(), resolved(value, answers)?)));
            Value::Object(members.collect::<Result<_, String>>()?)
        }
        _ => request.clone(),
    })
}

/// Escapes a value so that a request sends it unchanged.
pub(crate) fn request_literal(value: &Value) -> Value {
    map_texts(value, &|text| if is_reference(text) { format!("\\{text}") } else { text.to_owned() })
}

/// Escapes a value so that it is expected literally.
pub(crate) fn literal(value: &Value) -> Value {
    map_texts(value, &|text| if means_something(text) { format!("\\{text}") } else { text.to_owned() })
}

fn map_texts(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(text).into(),
        Value::Array(elements) => elements.iter().map(|element| map_texts(element, change)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (change(key), map_texts(value, change))).collect())
        }
        _ => value.clone(),
    }
}

fn means_something(text: &str) -> bool {
    text == ANY || text == MORE || text.starts_with('\\') || is_reference(text)
}

/// Removes the backslash that escapes a string.
fn plain(text: &str) -> &str {
    text.strip_prefix('\\').filter(|rest| means_something(rest)).unwrap_or(text)
}

/// Whether a string is `$` with a number and a path.
fn is_reference(text: &str) -> bool {
    let Some((number, path)) = text.strip_prefix('$').and_then(|rest| rest.split_once('.')) else { return false };
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && !path.is_empty()
}

/// Looks up a reference in the answers, which are counted from one.
fn lookup<'a>(reference: &str, answers: &'a [Value]) -> Option<&'a Value> {
    let (number, path) = reference.strip_prefix('$')?.split_once('.')?;
    let answer = answers.get(number.parse::<usize>().ok()?.checked_sub(1)?)?;
    path.split('.').try_fold(answer, |value, key| match value {
        Value::Array(elements) => elements.get(key.parse::<usize>().ok()?),
        value => value.get(key),
    })
}

fn compare(expected: &Value, got: Option<&Value>, path: &str, answers: &[Value], found: &mut Vec<String>) {
    let differs = |expected: String| format!("{}: expected {expected}, got {}", place(path), shown(got));
    let Some(value) = got else {
        found.push(differs(shown(Some(expected))));
        return;
    };
    match (expected, value) {
        (Value::String(text), _) if text == ANY => {}
        (Value::String(text), _) if is_reference(text) => match lookup(text, answers) {
            Some(wanted) if wanted == value => {}
            Some(wanted) => found.push(differs(format!("{} ({text})", shown(Some(wanted))))),
            None => found.push(differs(format!("{text}, which stands for nothing"))),
        },
        (Value::Object(wanted), Value::Object(members)) => compare_members(wanted, members, path, answers, found),
        (Value::Array(wanted), Value::Array(elements)) => {
            let more = wanted.last().is_some_and(|last| last == MORE);
            let wanted = if more { wanted.split_last().map_or(&[][..], |(_, rest)| rest) } else { wanted.as_slice() };
            for (index, wanted) in wanted.iter().enumerate() {
                compare(wanted, elements.get(index), &format!("{path}.{index}"), answers, found);
            }
            if elements.len() > wanted.len() && !more {
                let (wanted, elements) = (wanted.len(), elements.len());
                found.push(format!("{}: expected {wanted} elements, got {elements}", place(path)));
            }
        }
        (Value::String(text), Value::String(value)) if plain(text) == value => {}
        // 1 and 1.0 are the same number.
        (Value::Number(one), Value::Number(other)) if one == other || one.as_f64() == other.as_f64() => {}
        (expected, value) if expected == value && !expected.is_string() => {}
        (Value::String(text), _) => found.push(differs(shown(Some(&plain(text).into())))),
        _ => found.push(differs(shown(Some(expected)))),
    }
}

fn compare_members(
    wanted: &Map<String, Value>,
    members: &Map<String, Value>,
    path: &str,
    answers: &[Value],
    found: &mut Vec<String>,
) {
    let more = wanted.get(MORE).is_some_and(|value| value == ANY);
    let wanted = || wanted.iter().filter(|(key, value)| *key != MORE || *value != ANY);
    for (key, value) in wanted() {
        let key = plain(key);
        compare(value, members.get(key), &format!("{path}.{key}"), answers, found);
    }
    for (key, value) in members.iter().filter(|(key, _)| !more && !wanted().any(|(wanted, _)| plain(wanted) == *key)) {
        found.push(format!("{}: expected nothing, got {}", place(&format!("{path}.{key}")), shown(Some(value))));
    }
}

fn place(path: &str) -> String {
    one_line(path.strip_prefix('.').filter(|path| !path.is_empty()).unwrap_or("the answer"), MAX_SHOWN)
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| one_line(&value.to_string(), MAX_SHOWN))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_expected_and_where_an_answer_differs() {
        let answers = [json!({ "result": { "task": { "taskId": "t-1" }, "list": [5] } })];
        #[rustfmt::skip]
        let cases = [
            (json!(1), json!(1), &[][..]),
            (json!(1), json!(1.0), &[]),
            (json!(1), json!(2), &["the answer: expected 1, got 2"]),
            (json!("a"), json!("a"), &[]),
            (json!("a"), json!("b"), &[r#"the answer: expected "a", got "b""#]),
            (json!(null), json!(null), &[]),
            (json!(null), json!(false), &["the answer: expected null, got false"]),
            (json!("*"), json!({ "any": [1] }), &[]),
            (json!({ "a": "*" }), json!({ "a": null }), &[]),
            (json!({ "a": "*" }), json!({}), &[r#"a: expected "*", got nothing"#]),
            (json!({ "a": 1 }), json!({ "a": 1, "b": 2 }), &["b: expected nothing, got 2"]),
            (json!({ "a": 1, "**": "*" }), json!({ "a": 1, "b": 2 }), &[]),
            (json!({ "a": 1, "**": "*" }), json!({ "b": 2 }), &["a: expected 1, got nothing"]),
            (json!({ "**": 1 }), json!({ "**": 1 }), &[]),
            (json!({ "\\**": "*" }), json!({ "**": "x" }), &[]),
            (json!({ "\\**": "*" }), json!({ "b": "x" }), &[r#"**: expected "*", got nothing"#, r#"b: expected nothing, got "x""#]),
            (json!([1, 2]), json!([1, 2]), &[]),
            (json!([1, 2]), json!([1]), &["1: expected 2, got nothing"]),
            (json!([1]), json!([1, 2]), &["the answer: expected 1 elements, got 2"]),
            (json!([1, "**"]), json!([1, 2, 3]), &[]),
            (json!([1, "**"]), json!([1]), &[]),
            (json!([1, "**"]), json!([2]), &["0: expected 1, got 2"]),
            (json!(["**", 1]), json!([2, 1]), &[r#"0: expected "**", got 2"#]),
            (json!({ "a": [{ "b": 1 }] }), json!({ "a": [{ "b": 2 }] }), &["a.0.b: expected 1, got 2"]),
            (json!({ "a": {} }), json!({ "a": [] }), &["a: expected {}, got []"]),
            (json!("\\*"), json!("*"), &[]),
            (json!("\\*"), json!("x"), &[r#"the answer: expected "*", got "x""#]),
            (json!("\\\\*"), json!("\\*"), &[]),
            (json!("\\n"), json!("\\n"), &[]),
            (json!("$1.result.task.taskId"), json!("t-1"), &[]),
            (json!("$1.result.list.0"), json!(5), &[]),
            (json!("$1.result.task.taskId"), json!("t-2"), &[r#"the answer: expected "t-1" ($1.result.task.taskId), got "t-2""#]),
            (json!("$2.result"), json!("x"), &[r#"the answer: expected $2.result, which stands for nothing, got "x""#]),
            (json!("$0.result"), json!("x"), &[r#"the answer: expected $0.result, which stands for nothing, got "x""#]),
            (json!("\\$1.a"), json!("$1.a"), &[]),
            (json!("$5"), json!("$5"), &[]),
            (json!("$x.y"), json!("$x.y"), &[]),
            (json!("a\u{1b}[2J"), json!("b\u{1b}[2J"), &[r#"the answer: expected "a\u001b[2J", got "b\u001b[2J""#]),
        ];
        for (expected, got, found) in cases {
            assert_eq!(differences(&expected, &got, &answers), found, "{expected} {got}");
        }
    }

    #[test]
    fn a_literal_stands_for_itself_alone() {
        let values = [
            json!("*"),
            json!("**"),
            json!("\\*"),
            json!("\\\\"),
            json!("$1.a"),
            json!({ "**": "*", "*": "$2.b.c", "\\": 1 }),
            json!(["a", "**"]),
            json!({ "text": ["plain", 1, null, true] }),
        ];
        for value in values {
            assert_eq!(differences(&literal(&value), &value, &[]), [""; 0], "{value}");
            assert_ne!(differences(&literal(&value), &json!({ "other": 1 }), &[]), [""; 0], "{value}");
            assert_eq!(resolved(&request_literal(&value), &[]), Ok(value));
        }
    }

    #[test]
    fn references_of_a_request() {
        let answers = [json!({ "result": { "task": { "taskId": "t-1" } } })];
        let request =
            json!({ "params": { "taskId": "$1.result.task.taskId", "list": ["$1.result.task.taskId", "*", "$"] } });
        let expected = json!({ "params": { "taskId": "t-1", "list": ["t-1", "*", "$"] } });
        assert_eq!(resolved(&request, &answers), Ok(expected));
        assert_eq!(resolved(&json!("$2.result"), &answers), Err("$2.result stands for nothing".to_owned()));
    }
}
