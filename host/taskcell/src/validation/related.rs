//! Mark that ties a message to a task. [basic/utilities/tasks, Associating Task-Related Messages]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::protocol::types::Json;

/// Key of the mark in `_meta`.
pub(crate) const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";

/// Returns the id of the task that a `_meta` names; none also where the mark or the text around it is malformed.
///
/// Few messages carry the mark, so a text that cannot contain it is not parsed.
pub(crate) fn task_of(meta: Option<&str>) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Related {
        task_id: String,
    }
    // A text with an escape (PHP writes `\/`) may contain the key without matching.
    let meta = meta.filter(|meta| meta.contains(RELATED_TASK) || meta.contains('\\'))?;
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(meta).ok()?;
    let related = members.get(RELATED_TASK)?.get();
    // serde would accept a list for a struct.
    let Related { task_id } = related.starts_with('{').then(|| serde_json::from_str(related).ok())??;
    Some(task_id)
}

/// Sets the mark, replacing one of the handler's: a result belongs to its own task.
///
/// # Errors
/// An error of JSON when the handler's `_meta` is no JSON object.
pub(crate) fn mark(meta: &mut Option<Json>, task_id: &str) -> Result<(), serde_json::Error> {
    let mut members: BTreeMap<String, Box<RawValue>> = match meta {
        Some(text) => serde_json::from_str(text)?,
        None => BTreeMap::new(),
    };
    members.insert(RELATED_TASK.to_owned(), to_raw_value(&serde_json::json!({ "taskId": task_id }))?);
    *meta = Some(serde_json::to_string(&members)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_of_a_message() {
        let cases = [
            (r#"{"io.modelcontextprotocol/related-task":{"taskId":"a"}}"#, Some("a")),
            (r#"{"x":1, "io.modelcontextprotocol/related-task" : {"taskId":"a","more":[]}, "y":{}}"#, Some("a")),
            (r#"{"io.modelcontextprotocol\/related-task":{"taskId":"a"}}"#, Some("a")),
            (r#"{"io.modelcontextprotocol/related-tas\u006b":{"taskId":"a"}}"#, Some("a")),
            (r#"{"io.modelcontextprotocol/related-task":{"taskId":"\u00e4"}}"#, Some("ä")),
            (r#"{"io.modelcontextprotocol/related-task":{"taskId":7}}"#, None),
            (r#"{"io.modelcontextprotocol/related-task":{}}"#, None),
            (r#"{"io.modelcontextprotocol/related-task":"a"}"#, None),
            (r#"{"io.modelcontextprotocol/related-task":["a"]}"#, None),
            (r#"{"io.modelcontextprotocol/related-task":null}"#, None),
            (r#"{"io.modelcontextprotocol/related-task":{"taskId":"a"}"#, None),
            (r#"{"x":{"io.modelcontextprotocol/related-task":{"taskId":"a"}}}"#, None),
            (r#"{"x":"io.modelcontextprotocol/related-task"}"#, None),
            (r#"["io.modelcontextprotocol/related-task"]"#, None),
            ("{}", None),
            ("", None),
        ];
        for (meta, expected) in cases {
            assert_eq!(task_of(Some(meta)).as_deref(), expected, "{meta}");
        }
        assert_eq!(task_of(None), None);
    }

    #[test]
    fn a_mark_keeps_the_rest_and_replaces_another() {
        let cases = [
            (None, r#"{"io.modelcontextprotocol/related-task":{"taskId":"t"}}"#),
            (Some("{}"), r#"{"io.modelcontextprotocol/related-task":{"taskId":"t"}}"#),
            (Some(r#"{"a":1.50}"#), r#"{"a":1.50,"io.modelcontextprotocol/related-task":{"taskId":"t"}}"#),
            (
                Some(r#"{"io.modelcontextprotocol/related-task":{"taskId":"other"}}"#),
                r#"{"io.modelcontextprotocol/related-task":{"taskId":"t"}}"#,
            ),
        ];
        for (meta, expected) in cases {
            let mut marked = meta.map(str::to_owned);
            mark(&mut marked, "t").unwrap();
            assert_eq!(marked.as_deref(), Some(expected));
            assert_eq!(task_of(marked.as_deref()).as_deref(), Some("t"));
        }
        for meta in ["[]", "1", "{", ""] {
            assert!(mark(&mut Some(meta.to_owned()), "t").is_err(), "{meta}");
        }
    }
}
