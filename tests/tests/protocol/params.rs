//! Parameters that do not fit are refused by name; those that need not be looked at are not.

use serde_json::{Value, json};
use taskcell_test_support::server::Server;

fn server() -> Server {
    Server::without_handlers()
}

/// Sends a request of a method.
async fn request(method: &str, params: &Value) -> Value {
    server().ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await.unwrap()
}

/// Sends requests whose parameters do not fit; the answer names the field.
async fn refused(rows: &[(&str, Value, &str)]) {
    let mut wrong = Vec::new();
    for (method, params, expected) in rows {
        let answer = request(method, params).await;
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

/// A member that comes twice could be read in two ways, so it is refused.
#[tokio::test]
async fn members_of_parameters_come_once() {
    let rows = [
        ("tasks/get", r#"{"taskId":"x","taskId":"y"}"#),
        ("roots/list", r#"{"_meta":{},"_meta":{"a":1}}"#),
        ("sampling/createMessage", r#"{"messages":[],"maxTokens":1,"task":{},"task":null}"#),
        ("sampling/createMessage", r#"{"messages":[],"maxTokens":1,"task":null,"task":{}}"#),
    ];
    let mut taken = Vec::new();
    for (method, params) in rows {
        let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let answer = server().send_text(&request).await.unwrap();
        if !answer.contains("-32602") {
            taken.push(format!("{params} is answered with {answer}"));
        }
    }
    assert!(taken.is_empty(), "{}", taken.join("\n"));
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
    let answer = server().ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/get" })).await.unwrap();
    assert_eq!(answer["error"], json!({ "code": -32602, "message": "Invalid params: missing field `taskId`" }));
}

/// Members that any request may have.
#[tokio::test]
async fn malformed_common_parameters_name_the_field() {
    let number = "a whole number that is not negative";
    refused(&[
        ("roots/list", json!({ "_meta": 5 }), "_meta: expected a JSON object"),
        ("roots/list", json!({ "_meta": [] }), "_meta: expected a JSON object"),
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
            "task: invalid type: integer `5`, expected an object",
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
        (method, sampling(json!({ "messages": "hi" })), "messages: invalid type: string \"hi\", expected a list"),
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
            "temperature: invalid type: string \"warm\", expected a number",
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
fn malformed_forms() -> [(Value, &'static str); 4] {
    [
        (form(json!({ "type": "object" })), "requestedSchema: missing field `properties`"),
        (
            form(json!({ "type": "object", "properties": [] })),
            "requestedSchema.properties: invalid type: sequence, expected an object",
        ),
        (field(json!(true)), "requestedSchema.properties.n: invalid type: boolean `true`, expected a schema"),
        (
            field(json!({ "type": "string", "minLength": "2" })),
            "requestedSchema.properties.n: invalid type: string \"2\", expected a whole number that is not negative",
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

/// JSON may nest 64 levels deep.
#[tokio::test]
async fn deep_json_is_refused() {
    let nested = |depth: usize| {
        let inner = (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
        json!({ "_meta": inner })
    };
    let answer = request("roots/list", &nested(64)).await;
    assert_eq!(answer["error"]["message"], "List roots not supported");
    let message = "Invalid params: _meta: JSON nests deeper than 64 levels";
    let error = json!({ "code": -32602, "message": message, "data": { "kind": "json_depth" } });
    assert_eq!(request("roots/list", &nested(65)).await["error"], error);
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
            let answer = request(method, &merged(params.clone(), json!({ "task": task }))).await;
            assert_eq!(answer["error"]["message"], expected, "{method} {task}");
        }
    }
}

/// What is ignored may be anything.
#[tokio::test]
async fn a_stray_task_may_be_malformed() {
    for task in [json!(5), json!("x"), json!({ "ttl": -1 })] {
        let answer = request("tasks/get", &json!({ "taskId": "x", "task": task })).await;
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
            let answer = request(method, &merged(params.clone(), json!({ "task": task }))).await;
            assert_eq!(answer["error"], json!({ "code": -32600, "message": expected }), "{method} {task}");
        }
    }
}
