//! What a session without handlers answers: the recorded answers of the reference, and JSON-RPC's own rules.

use serde_json::{Value, json};
use taskcell::Handlers;
use taskcell_test_support::server::{Server, json_lines};

fn server() -> Server {
    Server::without_handlers()
}

/// Sends a request of a method.
async fn request(method: &str, params: &Value) -> Value {
    server().ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await.unwrap()
}

/// The recorded answers are given word for word.
#[tokio::test]
async fn the_defaults_are_those_of_the_reference() {
    let rows = json_lines(include_str!("../../data/default-handlers.jsonl")).unwrap();
    assert_eq!(rows.len(), 16);
    for row in rows {
        assert_eq!(server().ask(&row["request"]).await.unwrap(), row["response"], "{}", row["request"]);
    }
}

/// Every method that no kind has is unknown, also those a client sends itself.
#[tokio::test]
async fn other_methods_are_not_found() {
    for method in ["tools/call", "initialize", "tasks", "tasks/", "Tasks/get", "sampling/createmessage", "", "x\u{7}y"]
    {
        let answer = request(method, &json!({})).await;
        let shown = method.replace('\u{7}', "\u{fffd}");
        let error = json!({ "code": -32601, "message": format!("Method not found: {shown}") });
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 1, "error": error }));
    }
}

/// What is sent back of a stranger's text is bounded.
#[tokio::test]
async fn a_long_method_is_cut_in_the_answer() {
    let answer = request(&"m".repeat(100_000), &json!({})).await;
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
    ];
    let mut wrong = Vec::new();
    for (what, message, code) in rows {
        let text = server().send_text(message).await;
        let answer: Value = text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
        let says = answer["error"]["message"].as_str().is_some_and(|m| m.starts_with("Not a JSON-RPC message: "));
        if answer["error"]["code"] != code || answer.get("id") != Some(&Value::Null) || !says {
            wrong.push(format!("{what} is answered with {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A member that comes twice could be read in two ways, so it is refused.
#[tokio::test]
async fn members_of_a_message_come_once() {
    let messages = [
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"1.0","jsonrpc":"2.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"x"},"method":"tasks/list"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"x"},"params":{"taskId":"y"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"params":{},"method":"roots/list","params":{}}"#,
    ];
    let mut taken = Vec::new();
    for message in messages {
        let answer = server().send_text(message).await.unwrap();
        if !answer.contains("-32600") || !answer.contains(r#""id":null"#) {
            taken.push(format!("{message} is answered with {answer}"));
        }
    }
    assert!(taken.is_empty(), "{}", taken.join("\n"));
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
    let (session, _outbox) = taskcell::Session::new(Handlers::default(), taskcell_test_support::server::options());
    let answer = session.answer(b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"ping\"}").await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["error"]["code"], -32700, "{answer}");
}
