//! Arguments of tools that are repeated in headers, as the tools' schemas demand. [2026-07-28,
//! basic/transports/streamable-http, Custom Headers from Tool Parameters]

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::header::{HeaderMap, HeaderName};
use serde_json::Value;
use serde_json::value::RawValue;

use super::headers::encoded;
use crate::transport::Frame;

/// Member of a property's schema that names the header.
const ANNOTATION: &str = "x-mcp-header";
const PREFIX: &str = "mcp-param-";
/// Tools that are remembered, and levels of a schema that are looked at.
const MAX_TOOLS: usize = 1_000;
const MAX_DEPTH: usize = 32;
/// Types whose values are repeated.
const PRIMITIVE: [&str; 3] = ["string", "integer", "boolean"];
/// Members of a schema that hold data instead of schemas.
const DATA: [&str; 5] = ["default", "const", "enum", "examples", "dependentRequired"];

/// Argument that is repeated: the path of property names to it, and the header.
type Parameter = (Vec<String>, HeaderName);

/// Parameters of the tools that the server listed.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    tools: Mutex<HashMap<String, Vec<Parameter>>>,
}

impl Parameters {
    /// Reads the result of `tools/list`. Returns the result without tools whose annotations are wrong, if there are
    /// any; a client must not show those.
    pub(super) fn learn(&self, result: &RawValue) -> Option<Value> {
        if !result.get().contains(ANNOTATION) {
            return None;
        }
        let mut result: Value = serde_json::from_str(result.get()).ok()?;
        let tools = result.get_mut("tools")?.as_array_mut()?;
        let before = tools.len();
        tools.retain(|tool| self.learn_tool(tool));
        (tools.len() < before).then_some(result)
    }

    fn learn_tool(&self, tool: &Value) -> bool {
        let Some(name) = tool.get("name").and_then(Value::as_str) else { return true };
        match tool.get("inputSchema").map(parameters).transpose() {
            Ok(found) => {
                let mut tools = self.tools();
                if tools.len() < MAX_TOOLS || tools.contains_key(name) {
                    tools.insert(name.to_owned(), found.unwrap_or_default());
                }
                true
            }
            Err(why) => {
                let tool = taskcell::text::one_line(name, 100);
                tracing::warn!(tool, why, "a tool is left out: its annotations for headers are wrong");
                false
            }
        }
    }

    /// Writes the headers of a call.
    pub(super) fn of_call(&self, tool: &str, call: &Frame) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let tools = self.tools();
        let Some(parameters) = tools.get(tool).filter(|parameters| !parameters.is_empty()) else { return headers };
        let call: Value = serde_json::from_slice(call).unwrap_or_default();
        let arguments = call.pointer("/params/arguments").unwrap_or(&Value::Null);
        for (path, name) in parameters {
            let value = path.iter().try_fold(arguments, |value, step| value.get(step));
            let value = match value {
                Some(Value::String(text)) => encoded(text),
                Some(value @ (Value::Bool(_) | Value::Number(_))) => encoded(&value.to_string()),
                _ => None,
            };
            if let Some(value) = value {
                headers.insert(name.clone(), value);
            }
        }
        headers
    }

    fn tools(&self) -> MutexGuard<'_, HashMap<String, Vec<Parameter>>> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Collects the annotated properties of an input schema, or says what is wrong with one.
fn parameters(schema: &Value) -> Result<Vec<Parameter>, &'static str> {
    let mut found = Vec::new();
    collect(schema, Some(&mut Vec::new()), &mut found, 0)?;
    let mut names = HashSet::new();
    match found.iter().all(|(_, name)| names.insert(name)) {
        true => Ok(found),
        false => Err("two of them name the same header"),
    }
}

/// Looks through a schema. `path` holds the property names from the root; none where the schema is not reached by
/// `properties` alone.
fn collect(
    schema: &Value,
    mut path: Option<&mut Vec<String>>,
    found: &mut Vec<Parameter>,
    depth: usize,
) -> Result<(), &'static str> {
    if depth > MAX_DEPTH {
        return Err("its schema nests too deeply");
    }
    let depth = depth.saturating_add(1);
    let members = match schema {
        Value::Object(members) => members,
        Value::Array(items) => return items.iter().try_for_each(|item| collect(item, None, found, depth)),
        _ => return Ok(()),
    };
    for (member, value) in members {
        match (member.as_str(), path.as_deref_mut()) {
            (ANNOTATION, Some(path)) if !path.is_empty() => found.push((path.clone(), header(schema, value)?)),
            (ANNOTATION, _) => return Err("one is not at a property that is reached by properties alone"),
            ("properties", Some(path)) => {
                for (name, property) in value.as_object().into_iter().flatten() {
                    path.push(name.clone());
                    collect(property, Some(&mut *path), found, depth)?;
                    path.pop();
                }
            }
            (data, _) if DATA.contains(&data) => {}
            _ => collect(value, None, found, depth)?,
        }
    }
    Ok(())
}

/// Reads an annotation.
fn header(property: &Value, annotation: &Value) -> Result<HeaderName, &'static str> {
    let name = annotation.as_str().filter(|name| !name.is_empty()).ok_or("one is no name")?;
    if !property.get("type").and_then(Value::as_str).is_some_and(|kind| PRIMITIVE.contains(&kind)) {
        return Err("one is at a property that is no text, integer or boolean");
    }
    HeaderName::try_from(format!("{PREFIX}{name}")).map_err(|_| "one is no name of a header")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;

    fn listed(schema: &Value) -> (Parameters, Option<Value>) {
        let parameters = Parameters::default();
        let tools =
            json!({ "tools": [{ "name": "t", "inputSchema": schema }, { "name": "other", "inputSchema": {} }] });
        let left = parameters.learn(&to_raw_value(&tools).unwrap());
        (parameters, left)
    }

    #[test]
    fn annotated_arguments_become_headers() {
        let schema = json!({ "type": "object", "properties": {
            "region": { "type": "string", "x-mcp-header": "Region" },
            "count": { "type": "integer", "x-mcp-header": "Count" },
            "query": { "type": "string" },
            "in": { "type": "object", "properties": { "deep": { "type": "boolean", "x-mcp-header": "Deep" } } },
        } });
        let (parameters, left) = listed(&schema);
        assert_eq!(left, None);
        #[rustfmt::skip]
        let table = [
            (json!({ "region": "us", "count": 7, "in": { "deep": true } }), vec![("mcp-param-count", "7"), ("mcp-param-deep", "true"), ("mcp-param-region", "us")]),
            (json!({ "region": "世", "query": "x" }),                       vec![("mcp-param-region", "=?base64?5LiW?=")]),
            (json!({ "region": null, "count": [1] }),                       vec![]),
            (json!({}),                                                     vec![]),
        ];
        for (arguments, expected) in table {
            let call = json!({ "id": 1, "method": "tools/call", "params": { "name": "t", "arguments": arguments } });
            let headers = parameters.of_call("t", &Frame::from(call.to_string()));
            let mut found: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{arguments}");
        }
    }

    #[test]
    fn a_tool_with_wrong_annotations_is_left_out() {
        let of = |property: Value| json!({ "type": "object", "properties": { "a": property } });
        let text = |name: &str| json!({ "type": "string", "x-mcp-header": name });
        let table = [
            (of(text("Fine")), true),
            (of(text("")), false),
            (of(text("a b")), false),
            (of(text("a\r\nb")), false),
            (of(json!({ "type": "string", "x-mcp-header": 7 })), false),
            (of(json!({ "type": "number", "x-mcp-header": "N" })), false),
            (of(json!({ "x-mcp-header": "N" })), false),
            (of(json!({ "type": "array", "items": text("N") })), false),
            (of(json!({ "anyOf": [text("N")] })), false),
            (of(json!({ "type": "string", "default": { "x-mcp-header": "N" } })), true),
            (json!({ "x-mcp-header": "Root" }), false),
            (json!({ "$defs": { "a": text("N") } }), false),
            (json!({ "properties": { "a": text("Same"), "b": text("same") } }), false),
        ];
        for (schema, is_kept) in table {
            let (_, left) = listed(&schema);
            let names = left.map(|left| left["tools"].as_array().unwrap().len());
            assert_eq!(names, (!is_kept).then_some(1), "{schema}");
        }
    }
}
