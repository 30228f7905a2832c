//! Declared capabilities of a client whose application answers some requests itself: the application's and the
//! handlers', in one object.

use serde_json::{Map, Value};

/// Adds capabilities to what is declared already. Where both declare one, the word of the handlers counts, for they
/// answer such requests. What stays is `roots.listChanged`, which says of the application that it tells of changes, and
/// the application's extensions.
pub fn merge(declared: &mut Map<String, Value>, handlers: Value) {
    let Value::Object(handlers) = handlers else { return };
    for (name, mut word) in handlers {
        let kept = declared.remove(&name);
        let kept = match (name.as_str(), kept) {
            ("roots", Some(Value::Object(mut roots))) => roots.remove_entry("listChanged").into_iter().collect(),
            ("extensions", Some(Value::Object(extensions))) => extensions,
            _ => Map::new(),
        };
        if let Some(word) = word.as_object_mut() {
            for (name, value) in kept {
                word.entry(name).or_insert(value);
            }
        }
        declared.insert(name, word);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_word_of_the_handlers_counts_where_both_declare() {
        #[rustfmt::skip]
        let rows = [
            (json!({}),                                  json!({ "sampling": {} }),           json!({ "sampling": {} })),
            (json!({ "experimental": { "a": {} } }),     json!({ "tasks": { "list": {} } }),  json!({ "experimental": { "a": {} }, "tasks": { "list": {} } })),
            (json!({ "sampling": { "tools": {} } }),     json!({ "sampling": {} }),           json!({ "sampling": {} })),
            (json!({ "elicitation": { "url": {} } }),    json!({ "elicitation": { "form": {} } }), json!({ "elicitation": { "form": {} } })),
            (json!({ "elicitation": { "url": {} } }),    json!({ "sampling": {} }),           json!({ "elicitation": { "url": {} }, "sampling": {} })),
            (json!({ "roots": { "listChanged": true } }), json!({ "roots": {} }),             json!({ "roots": { "listChanged": true } })),
            (json!({ "extensions": { "a": {}, "b": { "c": 1 } } }), json!({ "extensions": { "b": {} } }), json!({ "extensions": { "a": {}, "b": {} } })),
        ];
        for (declared, handlers, expected) in rows {
            let mut merged = declared.as_object().cloned().unwrap();
            merge(&mut merged, handlers.clone());
            assert_eq!(Value::Object(merged), expected, "{declared} and {handlers}");
        }
    }
}
