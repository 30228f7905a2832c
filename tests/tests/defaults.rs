//! What a session without handlers answers: the recorded answers of the reference, and JSON-RPC's own rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use serde_json::{Value, json};
use taskcell::Handlers;
use taskcell_tests::server::{Server, json_lines};

fn server() -> Server {
    Server::new(Handlers::default())
}

/// The recorded answers are given word for word.
#[tokio::test]
async fn the_defaults_are_those_of_the_reference() {
    let rows = json_lines(include_str!("../data/default-handlers.jsonl")).unwrap();
    assert_eq!(rows.len(), 16);
    for row in rows {
        assert_eq!(server().send(&row["request"]).await.unwrap(), row["response"], "{}", row["request"]);
    }
}

/// Every method that no kind has is unknown, also those a client sends itself.
#[tokio::test]
async fn other_methods_are_not_found() {
    for method in ["tools/call", "initialize", "tasks", "tasks/", "Tasks/get", "sampling/createmessage", "", "x\u{7}y"] {
        let answer = server().request(method, &json!({})).await.unwrap();
        let shown = method.replace('\u{7}', "\u{fffd}");
        let error = json!({ "code": -32601, "message": format!("Method not found: {shown}") });
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 1, "error": error }));
    }
}

/// What is sent back of a stranger's text is bounded.
#[tokio::test]
async fn a_long_method_is_cut_in_the_answer() {
    let answer = server().request(&"m".repeat(100_000), &json!({})).await.unwrap();
    assert!(answer.to_string().len() < 1_000, "{answer}");
}

/// An id is echoed as it was written, down to the digits and escapes.
#[tokio::test]
async fn ids_are_echoed_as_written() {
    let ids = [
        "0",
        "1",
        "-1",
        "-0",
        "9007199254740993",
        "123456789012345678901234567890",
        "1.50",
        "1e3",
        r#""""#,
        r#""1""#,
        r#""null""#,
        r#""a\u0062\n\"""#,
        r#""ü""#,
    ];
    for id in ids {
        for method in ["ping", "roots/list", "nothing"] {
            let answer = server().send_text(&format!(r#"{{"jsonrpc":"2.0","method":"{method}","id": {id} }}"#)).await;
            let echoed = format!(r#"{{"jsonrpc":"2.0","id":{id},"#);
            assert!(answer.as_ref().is_some_and(|answer| answer.starts_with(&echoed)), "{id}: {answer:?}");
        }
    }
}

/// Members that JSON-RPC does not know are ignored, and the order of members does not matter.
#[tokio::test]
async fn envelopes_are_read_in_any_order() {
    let messages = [
        r#"{"id":1,"jsonrpc":"2.0","method":"ping"}"#,
        r#"{"params":{},"method":"ping","id":1,"jsonrpc":"2.0","trace":{"a":[1]}}"#,
        "\n{\"jsonrpc\" : \"2.0\" ,\r\n \"method\" : \"p\\u0069ng\", \"id\":1 }\n",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#,
    ];
    for message in messages {
        assert_eq!(server().send_text(message).await.as_deref(), Some(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    }
}

/// Notifications and responses get no answer, whatever is in them.
#[tokio::test]
async fn notifications_and_responses_are_not_answered() {
    let messages = [
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": {} } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": [] }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled" }),
        json!({ "jsonrpc": "2.0", "method": "roots/list" }),
        json!({ "jsonrpc": "2.0", "method": "tasks/get", "params": { "taskId": 5 } }),
        json!({ "jsonrpc": "2.0", "id": null, "method": "ping" }),
        json!({ "jsonrpc": "2.0", "id": 1, "result": {} }),
        json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 1, "message": "m" } }),
    ];
    for message in messages {
        assert_eq!(server().send_text(&message.to_string()).await, None, "{message}");
    }
}

/// What is no JSON-RPC message is answered with the code of JSON-RPC and a null id.
#[tokio::test]
async fn broken_messages_are_refused() {
    #[rustfmt::skip]
    let rows = [
        ("no JSON",                 "hello",                                                  -32700),
        ("empty",                   "",                                                       -32700),
        ("cut off",                 r#"{"jsonrpc":"2.0","id":1,"method":"ping""#,             -32700),
        ("two messages",            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{}"#,          -32700),
        ("a batch",                 r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,          -32600),
        ("an empty batch",          "[]",                                                     -32600),
        ("a string",                r#""ping""#,                                              -32600),
        ("a number",                "1",                                                      -32600),
        ("null",                    "null",                                                   -32600),
        ("no version",              r#"{"id":1,"method":"ping"}"#,                            -32600),
        ("another version",         r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,            -32600),
        ("a version as a number",   r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,              -32600),
        ("an object as id",         r#"{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}"#,      -32600),
        ("a list as id",            r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,          -32600),
        ("a boolean as id",         r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,         -32600),
        ("a number as method",      r#"{"jsonrpc":"2.0","id":1,"method":5}"#,                 -32600),
        ("two ids",                 r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,     -32600),
    ];
    for (what, message, code) in rows {
        let answer = server().send_text(message).await.unwrap_or_else(|| panic!("{what}: no answer"));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &Value::Null), "{what}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("Not a JSON-RPC message: "), "{what}: {message}");
    }
}

/// A list that holds a message's members in their order is no message.
#[tokio::test]
async fn a_message_is_an_object() {
    let answer = server().send_text(r#"["2.0",1,"ping",null,null,null]"#).await.unwrap();
    assert!(answer.contains("-32600"), "{answer}");
}

/// Text that is no UTF-8 is no JSON.
#[tokio::test]
async fn invalid_utf8_is_refused() {
    let (session, _outbox) = taskcell::Session::new(Handlers::default(), taskcell_tests::server::options());
    let answer = session.answer(b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"ping\"}").await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["error"]["code"], -32700, "{answer}");
}

/// Sends requests whose parameters do not fit; the answer names the field.
async fn refused(rows: &[(&str, Value, &str)]) {
    let mut wrong = Vec::new();
    for (method, params, expected) in rows {
        let answer = server().request(method, params).await.unwrap();
        let error = json!({ "code": -32602, "message": format!("Invalid params: {expected}") });
        if answer != json!({ "jsonrpc": "2.0", "id": 1, "error": error }) {
            wrong.push(format!("{method} {params}\n  gave     {answer}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A sampling request with these members in the place of the good ones.
fn sampling(members: Value) -> Value {
    merged(
        json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": "hi" } }], "maxTokens": 5 }),
        members,
    )
}

/// An elicitation request with this schema.
fn form(schema: Value) -> Value {
    json!({ "message": "m", "requestedSchema": schema })
}

/// An elicitation request with this schema for its one field.
fn field(schema: Value) -> Value {
    form(json!({ "type": "object", "properties": { "n": schema } }))
}

fn merged(mut object: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// Parameters that are no object.
#[tokio::test]
async fn parameters_are_an_object() {
    let methods = ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "sampling/createMessage"];
    for method in methods.into_iter().chain(["elicitation/create", "roots/list"]) {
        refused(&[
            (method, json!([]), "invalid type: sequence, expected an object"),
            (method, json!("x"), "invalid type: string \"x\", expected an object"),
            (method, json!(5), "invalid type: integer `5`, expected an object"),
            (method, json!(true), "invalid type: boolean `true`, expected an object"),
        ])
        .await;
    }
}

/// Parameters of the task requests.
#[tokio::test]
async fn malformed_task_parameters_name_the_field() {
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        refused(&[
            (method, json!({}), "missing field `taskId`"),
            (method, json!({ "taskid": "x" }), "missing field `taskId`"),
            (method, json!({ "taskId": 5 }), "taskId: invalid type: integer `5`, expected a string"),
            (method, json!({ "taskId": null }), "taskId: invalid type: null, expected a string"),
            (method, json!({ "taskId": ["x"] }), "taskId: invalid type: sequence, expected a string"),
        ])
        .await;
    }
    refused(&[("tasks/list", json!({ "cursor": 5 }), "cursor: invalid type: integer `5`, expected a string")]).await;
    let answer = server().send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/get" })).await.unwrap();
    assert_eq!(answer["error"], json!({ "code": -32602, "message": "Invalid params: missing field `taskId`" }));
}

/// Members that any request may have.
#[tokio::test]
async fn malformed_common_parameters_name_the_field() {
    let number = "a whole number that is not negative";
    let token = "data did not match any variant of untagged enum ProgressToken";
    refused(&[
        ("roots/list", json!({ "_meta": 5 }), "_meta: expected a JSON object"),
        ("roots/list", json!({ "_meta": [] }), "_meta: expected a JSON object"),
        ("roots/list", json!({ "_meta": { "progressToken": {} } }), &format!("_meta: {token}")),
        ("roots/list", json!({ "_meta": { "progressToken": 1.5 } }), &format!("_meta: {token}")),
        (
            "sampling/createMessage",
            sampling(json!({ "task": { "ttl": -1 } })),
            &format!("task.ttl: invalid value: integer `-1`, expected {number}"),
        ),
        (
            "sampling/createMessage",
            sampling(json!({ "task": { "ttl": 1.5 } })),
            &format!("task.ttl: invalid value: floating point `1.5`, expected {number}"),
        ),
        (
            "sampling/createMessage",
            sampling(json!({ "task": { "ttl": "1" } })),
            &format!("task.ttl: invalid type: string \"1\", expected {number}"),
        ),
        (
            "elicitation/create",
            merged(field(json!({ "type": "string" })), json!({ "task": 5 })),
            "task: invalid type: integer `5`, expected struct TaskMetadata",
        ),
    ])
    .await;
}

/// Parameters of `sampling/createMessage`.
#[tokio::test]
async fn malformed_sampling_parameters_name_the_field() {
    let method = "sampling/createMessage";
    let block = |block: Value| sampling(json!({ "messages": [{ "role": "user", "content": block }] }));
    let tool = |tool: Value| sampling(json!({ "tools": [tool] }));
    let roles = "expected `user` or `assistant`";
    refused(&[
        (method, json!({}), "missing field `messages`"),
        (method, json!({ "messages": [] }), "missing field `maxTokens`"),
        (method, sampling(json!({ "messages": "hi" })), "messages: invalid type: string \"hi\", expected a sequence"),
        (method, sampling(json!({ "messages": [{}] })), "messages[0]: missing field `role`"),
        (
            method,
            sampling(json!({ "messages": [{ "role": "system", "content": [] }] })),
            &format!("messages[0].role: unknown variant `system`, {roles}"),
        ),
        (
            method,
            block(json!("hi")),
            "messages[0].content: invalid type: string \"hi\", expected an object or a list of objects",
        ),
        (method, block(json!({ "text": "hi" })), "messages[0].content: missing field `type`"),
        (
            method,
            block(json!({ "type": "video" })),
            "messages[0].content: unknown variant `video`, expected one of `text`, `image`, `audio`, `tool_use`, `tool_result`",
        ),
        (method, block(json!({ "type": "text" })), "messages[0].content: missing field `text`"),
        (
            method,
            block(json!([{ "type": "text", "text": "a" }, { "type": "image", "data": "" }])),
            "messages[0].content[1]: missing field `mimeType`",
        ),
        (
            method,
            sampling(json!({ "maxTokens": -5 })),
            "maxTokens: invalid value: integer `-5`, expected a whole number that is not negative",
        ),
        (
            method,
            sampling(json!({ "maxTokens": null })),
            "maxTokens: invalid type: null, expected a whole number that is not negative",
        ),
        (
            method,
            sampling(json!({ "temperature": "warm" })),
            "temperature: invalid type: string \"warm\", expected f64",
        ),
        (
            method,
            sampling(json!({ "includeContext": "some" })),
            "includeContext: unknown variant `some`, expected one of `none`, `thisServer`, `allServers`",
        ),
        (method, sampling(json!({ "metadata": "m" })), "metadata: expected a JSON object"),
        (method, tool(json!({ "name": "t" })), "tools[0]: missing field `inputSchema`"),
        (method, tool(json!({ "name": "t", "inputSchema": true })), "tools[0].inputSchema: expected a JSON object"),
        (
            method,
            sampling(json!({ "toolChoice": { "mode": "any" } })),
            "toolChoice.mode: unknown variant `any`, expected one of `auto`, `required`, `none`",
        ),
    ])
    .await;
}

/// Forms that do not fit, and what is said of them.
fn malformed_forms() -> [(Value, &'static str); 5] {
    [
        (form(json!({ "type": "object" })), "requestedSchema: missing field `properties`"),
        (
            form(json!({ "type": "object", "properties": [] })),
            "requestedSchema.properties: invalid type: sequence, expected an object",
        ),
        (field(json!(true)), "requestedSchema.properties.n: invalid type: boolean `true`, expected struct Shape"),
        (
            field(json!({ "type": "string", "minLength": "2" })),
            "requestedSchema.properties.n: invalid type: string \"2\", expected a whole number that is not negative",
        ),
        (
            field(json!({ "type": "string", "oneOf": [{ "const": "a" }] })),
            "requestedSchema.properties.n: missing field `title`",
        ),
    ]
}

/// Parameters of `elicitation/create`.
#[tokio::test]
async fn malformed_elicitation_parameters_name_the_field() {
    let method = "elicitation/create";
    refused(&[
        (method, json!({}), "missing field `message`"),
        (method, json!({ "message": "m" }), "missing field `requestedSchema`"),
        (method, json!({ "mode": "phone", "message": "m" }), "unknown variant `phone`, expected `form` or `url`"),
        (method, json!({ "mode": "url", "message": "m", "url": "u" }), "missing field `elicitationId`"),
        (method, json!({ "mode": "url", "message": "m", "elicitationId": "e" }), "missing field `url`"),
    ])
    .await;
    let forms = malformed_forms().map(|(params, says)| (method, merged(params, json!({ "mode": "form" })), says));
    refused(&forms).await;
}

/// A request that names no mode is told its faults as well as one that does.
#[tokio::test]
async fn malformed_forms_without_a_mode_name_the_field() {
    refused(&malformed_forms().map(|(params, says)| ("elicitation/create", params, says))).await;
}

/// Where the tag of an object stands makes no difference to what is said of its other members.
#[tokio::test]
async fn members_before_the_tag_are_named_too() {
    let blocks = [
        r#"{"type":"tool_use","id":"1","name":"n","input":[]}"#,
        r#"{"id":"1","name":"n","input":[],"type":"tool_use"}"#,
    ];
    for block in blocks {
        let params = format!(r#"{{"maxTokens":1,"messages":[{{"role":"user","content":{block}}}]}}"#);
        let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{params}}}"#);
        let answer = server().send_text(&request).await.unwrap();
        let says = r#""Invalid params: messages[0].content.input: expected a JSON object""#;
        assert!(answer.contains(says), "{block}: {answer}");
    }
}

/// A form's field that comes twice is refused: who reads it next could take the other one.
#[tokio::test]
async fn a_field_that_comes_twice_is_refused() {
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"mode":"form","message":"m",
        "requestedSchema":{"type":"object","properties":{"n":{"type":"string"},"n":{"type":"number"}}}}}"#;
    let answer = server().send_text(request).await.unwrap();
    assert!(answer.contains(r#""Invalid params: requestedSchema.properties: the name `n` comes twice""#), "{answer}");
}

/// A list that holds an object's members in their order is no object.
#[tokio::test]
async fn objects_are_not_lists() {
    let text = json!({ "type": "text", "text": "hi" });
    let rows = [
        ("sampling/createMessage", sampling(json!({ "messages": [["user", text, null]] }))),
        ("sampling/createMessage", sampling(json!({ "task": [1000] }))),
        ("sampling/createMessage", sampling(json!({ "toolChoice": ["auto"] }))),
        ("elicitation/create", form(json!([null, {}, null]))),
    ];
    let mut taken = Vec::new();
    for (method, params) in rows {
        let answer = server().request(method, &params).await.unwrap();
        if answer["error"]["code"] != -32602 {
            taken.push(params.to_string());
        }
    }
    assert!(taken.is_empty(), "{}", taken.join("\n"));
}

/// JSON may nest 64 levels deep.
#[tokio::test]
async fn deep_json_is_refused() {
    let nested = |depth: usize| {
        let inner = (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
        json!({ "_meta": inner })
    };
    let answer = server().request("roots/list", &nested(64)).await.unwrap();
    assert_eq!(answer["error"]["message"], "List roots not supported");
    refused(&[("roots/list", nested(65), "_meta: JSON nests deeper than 64 levels")]).await;
}

/// Where no augmentation exists, a `task` is ignored. [basic/utilities/tasks]
#[tokio::test]
async fn a_stray_task_is_ignored() {
    let rows = [
        ("tasks/get", json!({ "taskId": "x" }), "tasks/get not supported"),
        ("tasks/result", json!({ "taskId": "x" }), "tasks/result not supported"),
        ("tasks/list", json!({}), "tasks/list not supported"),
        ("tasks/cancel", json!({ "taskId": "x" }), "tasks/cancel not supported"),
        ("roots/list", json!({}), "List roots not supported"),
    ];
    for (method, params, expected) in rows {
        for task in [json!({}), json!({ "ttl": 5 }), json!({ "ttl": null }), Value::Null] {
            let answer = server().request(method, &merged(params.clone(), json!({ "task": task }))).await.unwrap();
            assert_eq!(answer["error"]["message"], expected, "{method} {task}");
        }
    }
}

/// What is ignored may be anything.
#[tokio::test]
async fn a_stray_task_may_be_malformed() {
    for task in [json!(5), json!("x"), json!({ "ttl": -1 })] {
        let answer = server().request("tasks/get", &json!({ "taskId": "x", "task": task })).await.unwrap();
        assert_eq!(answer["error"]["message"], "tasks/get not supported", "{task}");
    }
}

/// A `task` that is there makes the request an augmented one; null is as if it were not.
#[tokio::test]
async fn a_task_of_null_is_plain() {
    let rows = [
        ("sampling/createMessage", sampling(json!({})), "sampling", "Sampling"),
        ("elicitation/create", field(json!({ "type": "string" })), "elicitation", "Elicitation"),
    ];
    for (method, params, augmented, plain) in rows {
        for (task, expected) in [
            (Value::Null, format!("{plain} not supported")),
            (json!({}), format!("Task-augmented {augmented} not supported")),
            (json!({ "ttl": null }), format!("Task-augmented {augmented} not supported")),
            (json!({ "ttl": 0 }), format!("Task-augmented {augmented} not supported")),
            (json!({ "ttl": 1e300, "other": [] }), format!("Task-augmented {augmented} not supported")),
        ] {
            let answer = server().request(method, &merged(params.clone(), json!({ "task": task }))).await.unwrap();
            assert_eq!(answer["error"], json!({ "code": -32600, "message": expected }), "{method} {task}");
        }
    }
}
