//! basic: JSON-RPC, `_meta` and JSON Schema. `defaults.rs` and `params.rs` have the tests of messages that are broken;
//! here is what every good answer has.

use std::sync::Arc;

use serde_json::{Value, json};
use taskcell_test_support::conversation::{Conversation, request};
use taskcell_test_support::server::options;

use super::{
    ELICITATION, RELATED, SAMPLING, and, as_task, create, each, error, form, id, model_and_user, page, prompt,
};
use taskcell_test_support::fake_application::FakeApplication;

/// Requests of all kinds, good and bad, with a task that has ended.
fn requests(task: &str) -> Vec<(&'static str, Value)> {
    vec![
        (SAMPLING, prompt("hello")),
        (SAMPLING, prompt("refuse")),
        (SAMPLING, as_task(prompt("hello"))),
        (SAMPLING, json!({})),
        (ELICITATION, form("hello")),
        (ELICITATION, form("decline")),
        (ELICITATION, form("misfit")),
        (ELICITATION, page("hello")),
        (ELICITATION, as_task(form("hello"))),
        ("roots/list", json!({})),
        ("tasks/get", json!({ "taskId": task })),
        ("tasks/get", json!({ "taskId": "unknown" })),
        ("tasks/result", json!({ "taskId": task })),
        ("tasks/list", json!({})),
        ("tasks/list", json!({ "cursor": "unknown" })),
        ("tasks/cancel", json!({ "taskId": task })),
        ("ping", json!({})),
        ("unknown", json!({})),
    ]
}

/// Sends all requests, with these ids in turn, and gives each with its answer.
async fn answers(ids: &[Value], check: impl Fn(&Value, &Value)) {
    each(async |handlers| {
        for id_of_request in ids {
            let mut server = Conversation::new(handlers.clone(), options());
            let task = create(&mut server, SAMPLING, prompt("hello")).await;
            server.ask_task("tasks/result", id(&task)).await.unwrap();
            for (method, params) in requests(id(&task)) {
                let request = request(id_of_request.clone(), method, &params);
                let answer = server.session().answer(request.to_string().as_bytes()).await.unwrap();
                check(&request, &serde_json::from_slice(&answer).unwrap());
            }
        }
    })
    .await;
}

/// Each answer has the id of its request, of the same type, and exactly one of result and error.
#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_id_and_one_outcome() {
    answers(&[json!(0), json!(-7), json!(9_007_199_254_740_993_i64), json!(""), json!("7")], |request, answer| {
        let mut members: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert!(members == ["id", "jsonrpc", "result"] || members == ["error", "id", "jsonrpc"], "{answer}");
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &request["id"]), "{request}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_objects() {
    answers(&[json!(1)], |request, answer| {
        assert!(answer.get("result").is_none_or(Value::is_object), "{request}: {answer}");
    })
    .await;
}

/// An error has an integer code, a message, and at most `data` beside them.
#[tokio::test(flavor = "multi_thread")]
async fn errors_have_a_code_and_a_message() {
    answers(&[json!(1)], |request, answer| {
        let Some(error) = answer.get("error") else { return };
        let members: Vec<_> = error.as_object().unwrap().keys().filter(|key| *key != "data").collect();
        assert_eq!(members, ["code", "message"], "{request}: {answer}");
        assert!(error["code"].is_i64() && error["message"].as_str().is_some_and(|message| !message.is_empty()));
    })
    .await;
}

/// What a session sends by itself is a notification: it has a method and no id.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_unasked_has_no_id() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for (method, params) in [(SAMPLING, prompt("hello")), (ELICITATION, form("hello"))] {
            let params = and(params, json!({ "_meta": { "progressToken": method } }));
            let task = create(&mut server, method, params).await;
            server.ask_task("tasks/result", id(&task)).await.unwrap();
        }
        let all = server.end().await.unwrap();
        let unasked: Vec<_> = all.iter().filter(|message| message.get("method").is_some()).collect();
        assert!(unasked.len() >= 4, "{all:?}");
        for message in unasked {
            let members: Vec<_> = message.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(members, ["jsonrpc", "method", "params"], "{message}");
        }
    })
    .await;
}

/// Whatever stands at a reserved key, or at any other, the request is served.
#[tokio::test(flavor = "multi_thread")]
async fn meta_may_hold_anything() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        let values =
            [json!(null), json!(7), json!(""), json!([]), json!({}), json!({ "taskId": 7 }), json!({ "a": {} })];
        for value in values {
            for key in [RELATED, "io.modelcontextprotocol/unknown", "dev.mcp/x", "com.example/x", "", "no prefix"] {
                let meta = json!({ "_meta": { key: value } });
                for params in [prompt("hello"), as_task(prompt("hello"))] {
                    let answer = server.ask(SAMPLING, &and(params, meta.clone())).await.unwrap();
                    assert!(answer.get("result").is_some(), "{meta}: {answer}");
                }
                for method in ["tasks/list", "ping"] {
                    let answer = server.ask(method, &meta).await.unwrap();
                    assert!(answer.get("result").is_some(), "{method} {meta}: {answer}");
                }
            }
        }
    })
    .await;
}

/// A form whose user answers with `["b"]`, under a schema with `prefixItems`, which 2020-12 knows and earlier drafts
/// do not.
fn prefixed(dialect: Option<&str>) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": { "field": { "type": "array", "prefixItems": [{ "const": "a" }], "items": { "type": "string" } } },
    });
    if let Some(dialect) = dialect {
        schema["$schema"] = json!(dialect);
    }
    json!({ "message": r#"give {"field":["b"]}"#, "requestedSchema": schema })
}

async fn asked() -> Conversation {
    Conversation::new(model_and_user(&Arc::new(FakeApplication::default()), "").await, options())
}

/// Without `$schema`, and with that of 2020-12, a schema means what 2020-12 says.
#[tokio::test]
async fn schemas_are_2020_12_unless_they_say_otherwise() {
    let mut server = asked().await;
    for dialect in [None, Some("https://json-schema.org/draft/2020-12/schema")] {
        let answer = server.ask(ELICITATION, &prefixed(dialect)).await.unwrap();
        assert_eq!(answer["error"]["data"]["kind"], "invalid_answer", "{dialect:?}: {answer}");
    }
}

/// A schema that names an earlier draft means what that draft says: it does not know `prefixItems`.
#[tokio::test]
async fn schemas_are_of_the_dialect_they_name() {
    let mut server = asked().await;
    for dialect in [
        "http://json-schema.org/draft-07/schema#",
        "http://json-schema.org/draft-06/schema#",
        "http://json-schema.org/draft-04/schema#",
        "https://json-schema.org/draft/2019-09/schema",
    ] {
        let answer = server.ask(ELICITATION, &prefixed(Some(dialect))).await.unwrap();
        assert_eq!(answer["result"]["content"], json!({ "field": ["b"] }), "{dialect}: {answer}");
    }
}

/// A dialect that is not known is refused, with its place, before anybody is asked or any task is made.
#[tokio::test]
async fn unknown_dialects_are_refused() {
    let application = Arc::new(FakeApplication::default());
    let mut server = Conversation::new(model_and_user(&application, "").await.managed(), options());
    for dialect in ["https://example.com/schema", "urn:x", "2020-12", ""] {
        for params in [prefixed(Some(dialect)), as_task(prefixed(Some(dialect)))] {
            let answer = server.ask(ELICITATION, &params).await.unwrap();
            let (code, message) = error(&answer);
            assert!(
                code == -32602 && message.contains("$schema") && message.contains("dialect"),
                "{dialect}: {answer}"
            );
        }
    }
    assert_eq!(application.shown(), Vec::<Value>::new());
    let list = server.ask("tasks/list", &json!({})).await.unwrap();
    assert_eq!(list["result"]["tasks"], json!([]));
}

/// A schema that is none in its dialect is refused as well.
#[tokio::test]
async fn malformed_schemas_are_refused() {
    let application = Arc::new(FakeApplication::default());
    let mut server = Conversation::new(model_and_user(&application, "").await.managed(), options());
    for field in [
        json!({ "type": "strong" }),
        json!({ "type": "string", "pattern": "(" }),
        json!({ "anyOf": [] }),
        json!({ "exclusiveMinimum": "1" }),
        json!({ "$ref": "#/properties/field" }),
    ] {
        let schema = json!({ "type": "object", "properties": { "field": field } });
        let params = json!({ "message": "?", "requestedSchema": schema });
        for params in [params.clone(), as_task(params)] {
            let answer = server.ask(ELICITATION, &params).await.unwrap();
            assert_eq!(error(&answer).0, -32602, "{field}: {answer}");
        }
    }
    assert_eq!(application.shown(), Vec::<Value>::new());
}
