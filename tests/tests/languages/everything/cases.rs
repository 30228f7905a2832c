//! Requests, and what each language answers to them.

use super::*;

/// What is asked, in words; the method; its parameters; the answer, in which `*` stands for anything.
type Case = (&'static str, &'static str, Value, Value);

/// Asks for each case, and sees that what asks the application shows it the request unchanged.
pub(super) async fn run(handlers: &Handlers, application: &FakeApplication) {
    let mut server = conversation(handlers);
    let mut differences = Differences::default();
    for (what, method, params, expected) in sampling().into_iter().chain(elicitation()).chain(others()) {
        let before = application.shown().len();
        let found = outcome(server.ask(method, &params).await.unwrap());
        differences.check(what, &expected, &found);
        let shown = application.shown();
        let shown = shown[before..].iter().map(|shown| shown.get("request").unwrap_or(shown).clone()).collect();
        let unchanged = if what.starts_with("asks") { json!([params]) } else { json!([]) };
        differences.check(&format!("{what}: what the application is shown"), &unchanged, &shown);
    }
    differences.none();
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn image(data: &str) -> Value {
    json!({ "type": "image", "data": data, "mimeType": "image/png" })
}

fn said(role: &str, content: Value) -> Value {
    json!({ "role": role, "content": content })
}

fn messages<const N: usize>(messages: [Value; N]) -> Value {
    json!({ "messages": messages.to_vec(), "maxTokens": 10 })
}

fn prompt(said: &str) -> Value {
    messages([self::said("user", text(said))])
}

fn and(mut params: Value, members: &Value) -> Value {
    params.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    params
}

/// A sampling answer.
fn answer(content: Value, stop_reason: &str) -> Value {
    json!({ "result": { "role": "assistant", "content": content, "model": "everything", "stopReason": stop_reason } })
}

fn quoted(said: &str) -> Value {
    answer(text(said), "endTurn")
}

/// A trap, in whatever words.
pub(super) fn trap() -> Value {
    json!({ "error": { "code": -32603, "message": "*", "data": { "kind": "trap" } } })
}

#[rustfmt::skip]
fn sampling() -> Vec<Case> {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let tool = |name: &str| json!({ "name": name, "inputSchema": schema });
    let result = |content: Value| json!({ "type": "tool_result", "toolUseId": "1", "content": content });
    let used = json!({ "type": "tool_use", "id": "1", "name": "weather", "input": {} });
    let annotated = and(image("aGk="), &json!({
        "annotations": { "audience": ["user", "assistant"], "priority": 0.5, "lastModified": "2025-11-25T10:00:00Z" },
        "_meta": { "com.example/a": [1, "b", null] },
    }));
    let rejected = json!({ "error": {
        "code": -1, "message": "User rejected sampling request", "data": { "by": "everything" },
    } });
    let of_the_model = json!({
        "role": "user",
        "content": [text("one"), annotated.clone(), and(used.clone(), &json!({ "input": { "n": [1, { "a": null }] } }))],
        "model": "m",
        "stopReason": "a reason of its own",
        "_meta": { "com.example/a": 1 },
    });
    let whole = json!({
        "messages": [
            and(said("user", json!([text("first"), annotated.clone(), { "type": "audio", "data": "aGk=", "mimeType": "audio/wav" }])),
                &json!({ "_meta": { "com.example/m": {} } })),
            said("assistant", json!([text("I shall look"), and(used.clone(), &json!({ "_meta": { "com.example/t": 7 } }))])),
            said("user", and(result(json!([
                text("cold"),
                { "type": "resource_link", "uri": "https://example.com/", "name": "n", "title": "t", "description": "d",
                  "mimeType": "text/plain", "size": 7, "icons": [{ "src": "https://example.com/i.png", "sizes": ["48x48"], "theme": "dark" }] },
                { "type": "resource", "resource": { "uri": "file:///a", "mimeType": "text/plain", "text": "A" } },
                { "type": "resource", "resource": { "uri": "file:///b", "blob": "aGk=" } },
            ])), &json!({ "structuredContent": { "degrees": -1.5 }, "isError": false }))),
            said("user", text("ask")),
        ],
        "modelPreferences": { "hints": [{ "name": "m" }, {}], "costPriority": 0.1, "speedPriority": 0, "intelligencePriority": 1 },
        "systemPrompt": "Be brief.",
        "includeContext": "thisServer",
        "temperature": 0.7,
        "maxTokens": 4_294_967_295_u32,
        "stopSequences": ["\n", ""],
        "metadata": { "provider": { "a": [1, 2] } },
        "tools": [{
            "name": "weather", "title": "Weather", "description": "The weather", "inputSchema": schema,
            "execution": { "taskSupport": "optional" }, "outputSchema": { "type": "object" },
            "annotations": { "title": "W", "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false },
            "icons": [{ "src": "data:image/png;base64,aGk=", "mimeType": "image/png", "theme": "light" }],
            "_meta": { "com.example/x": "y" },
        }],
        "toolChoice": { "mode": "required" },
    });
    vec![
        ("a text is quoted", SAMPLING, prompt("hi"), quoted("1 messages, at most 10 tokens: hi")),
        ("no text at all", SAMPLING, prompt(""), quoted("1 messages, at most 10 tokens: ")),
        ("text beyond ASCII", SAMPLING, prompt("\u{e4}\u{1f600}\u{0}\"\\\n"), quoted("1 messages, at most 10 tokens: \u{e4}\u{1f600}\u{0}\"\\\n")),
        ("the last text of the last message of the user",
         SAMPLING,
         messages([said("user", text("one")), said("user", json!([text("two"), text("three"), image("aGk=")])), said("assistant", text("four"))]),
         quoted("3 messages, at most 10 tokens: three")),
        ("a last message of the user without text",
         SAMPLING, messages([said("user", text("one")), said("user", image("aGk="))]), quoted("2 messages, at most 10 tokens: ")),
        ("no message of the user", SAMPLING, messages([said("assistant", text("trap"))]), quoted("1 messages, at most 10 tokens: ")),
        ("no message", SAMPLING, messages([]), quoted("0 messages, at most 10 tokens: ")),
        ("many tokens", SAMPLING, and(prompt("hi"), &json!({ "maxTokens": 4_294_967_295_u32 })), quoted("1 messages, at most 4294967295 tokens: hi")),
        ("a temperature", SAMPLING, and(prompt("hi"), &json!({ "temperature": 0.7 })), quoted("1 messages, at most 10 tokens: hi at 70")),
        ("a temperature of zero", SAMPLING, and(prompt("hi"), &json!({ "temperature": 0 })), quoted("1 messages, at most 10 tokens: hi at 0")),
        ("an error", SAMPLING, prompt("reject"), rejected),
        ("a trap", SAMPLING, prompt("trap"), trap()),
        ("the first image, as it came",
         SAMPLING,
         messages([said("assistant", annotated.clone()), said("user", json!([image("b3RoZXI="), text("image")]))]),
         answer(annotated, "endTurn")),
        ("a use of the first tool",
         SAMPLING, and(prompt("tool"), &json!({ "tools": [tool("weather"), tool("other")] })),
         answer(json!({ "type": "tool_use", "id": "call-1", "name": "weather", "input": { "n": 1 } }), "toolUse")),
        ("asks the model", SAMPLING, prompt("ask"),
         json!({ "result": { "role": "assistant", "content": text("Scripted answer to: ask"), "model": "scripted", "stopReason": "endTurn" } })),
        ("asks the model with every member there is", SAMPLING, whole,
         json!({ "result": { "role": "assistant", "content": text("Scripted answer to: ask"), "model": "scripted", "stopReason": "endTurn" } })),
        ("asks the model for a result with every member", SAMPLING, prompt(&format!("ask give {of_the_model}")), json!({ "result": of_the_model })),
        ("asks a model that refuses", SAMPLING, prompt("ask refuse"),
         json!({ "error": { "code": -1, "message": "User rejected sampling request" } })),
    ]
}

fn form(message: &str, properties: &Value) -> Value {
    json!({ "mode": "form", "message": message, "requestedSchema": { "type": "object", "properties": properties } })
}

fn page(message: &str) -> Value {
    json!({ "mode": "url", "message": message, "elicitationId": "e-1", "url": "https://example.com/%C3%A9?a=b#c" })
}

fn accepted(content: &Value) -> Value {
    json!({ "result": { "action": "accept", "content": content } })
}

fn acted(action: &str) -> Value {
    json!({ "result": { "action": action } })
}

#[rustfmt::skip]
fn elicitation() -> Vec<Case> {
    let labeled = json!([{ "const": "a", "title": "A" }, { "const": "b", "title": "B" }]);
    let fields = json!({
        "text": { "type": "string", "title": "Text", "description": "Some", "minLength": 1, "maxLength": 9 },
        "number": { "type": "number", "minimum": 0.5, "maximum": 2 },
        "integer": { "type": "integer", "minimum": 1 },
        "boolean": { "type": "boolean" },
        "one": { "type": "string", "enum": ["a", "b"] },
        "labeled": { "type": "string", "oneOf": labeled },
        "legacy": { "type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"] },
        "several": { "type": "array", "minItems": 1, "items": { "type": "string", "enum": ["a", "b"] } },
        "severalLabeled": { "type": "array", "items": { "anyOf": labeled } },
        "other": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
    });
    let filled = json!({
        "text": "text", "number": 1.5, "integer": 3, "boolean": true, "one": "a", "labeled": "a", "legacy": "a",
        "several": ["a"], "severalLabeled": ["a"],
    });
    let defaults = json!({
        "text": { "type": "string", "default": "" },
        "number": { "type": "number", "default": -0.25 },
        "integer": { "type": "integer", "default": 0 },
        "boolean": { "type": "boolean", "default": false },
        "one": { "type": "string", "enum": ["a", "b"], "default": "b" },
        "labeled": { "type": "string", "oneOf": labeled, "default": "b" },
        "legacy": { "type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"], "default": "b" },
        "several": { "type": "array", "items": { "type": "string", "enum": ["a", "b"] }, "default": ["b", "a"] },
        "severalLabeled": { "type": "array", "items": { "anyOf": labeled }, "default": [] },
    });
    let defaulted = json!({
        "text": "", "number": -0.25, "integer": 0, "boolean": false, "one": "b", "labeled": "b", "legacy": "b",
        "several": ["b", "a"], "severalLabeled": [],
    });
    let name = json!({ "name": { "type": "string" } });
    let rejected = json!({ "error": { "code": -1, "message": "User rejected elicitation request" } });
    let given = json!({ "text": "\u{e9}", "number": 2, "integer": -7, "boolean": false, "several": ["a", "b"] });
    let asked = |text: &str| form(text, &json!({
        "text": fields["text"], "number": fields["number"], "integer": { "type": "integer" }, "boolean": fields["boolean"],
        "several": fields["several"], "other": fields["other"],
    }));
    vec![
        ("each field by its type", ELICITATION, form("fill", &fields), accepted(&filled)),
        ("each field by its default", ELICITATION, form("fill", &defaults), accepted(&defaulted)),
        ("no field", ELICITATION, form("fill", &json!({})), accepted(&json!({}))),
        ("a page", ELICITATION, page("visit"), acted("accept")),
        ("no is said", ELICITATION, form("decline", &name), acted("decline")),
        ("no is said to a page", ELICITATION, page("decline"), acted("decline")),
        ("nothing is said", ELICITATION, form("cancel", &name), acted("cancel")),
        ("an error", ELICITATION, form("reject", &name), rejected.clone()),
        ("an error to a page", ELICITATION, page("reject"), rejected),
        ("a trap", ELICITATION, form("trap", &name), trap()),
        ("asks the user", ELICITATION, form("ask", &name), accepted(&json!({ "name": "Ada" }))),
        ("asks the user to fill each field", ELICITATION, asked(&format!("ask give {given}")), accepted(&given)),
        ("asks the user to visit a page", ELICITATION, page("ask"), acted("accept")),
        ("asks a user who says no", ELICITATION, form("ask decline", &name), acted("decline")),
        ("asks a user who goes away", ELICITATION, page("ask cancel"), acted("cancel")),
        ("asks a user who refuses", ELICITATION, form("ask refuse", &name),
         json!({ "error": { "code": -1, "message": "User rejected sampling request" } })),
    ]
}

#[rustfmt::skip]
fn others() -> Vec<Case> {
    let unknown = json!({ "error": { "code": -32602, "message": "*" } });
    let task = json!({ "taskId": "unknown" });
    vec![
        ("the roots", "roots/list", json!({}),
         json!({ "result": { "roots": [{ "uri": "file:///everything", "name": "everything" }, { "uri": "file:///tmp/%C3%A9" }] } })),
        ("a task that is not there", "tasks/get", task.clone(), unknown.clone()),
        ("the result of a task that is not there", "tasks/result", task.clone(), unknown.clone()),
        ("the end of a task that is not there", "tasks/cancel", task, unknown.clone()),
        ("no task", "tasks/list", json!({}), json!({ "result": { "tasks": [] } })),
        ("a page that is not there", "tasks/list", json!({ "cursor": "unknown" }), unknown),
    ]
}
