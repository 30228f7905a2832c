//! What is not the gateway's passes byte for byte.

use serde_json::json;
use taskcell::Handlers;
use taskcell_gateway::{GatewayOptions, TransportError};

use super::ends::{INITIALIZED, Through, form, initialize, request, roots};

fn without_handlers() -> Through {
    Through::new(GatewayOptions::new(Handlers::default()))
}

/// Texts that no JSON library writes again as they are: spacing, numbers, escapes, members that MCP does not know,
/// ids of any type, and texts that are no messages at all.
const ODD: [&str; 14] = [
    r#"{"jsonrpc":"2.0", "id":1.50,"method":"tools/call","params":{"x":1e400,"später":"\u0041"},"extra":[1, 2]}"#,
    r#"{"id":"\u0061","jsonrpc":"2.0","method":"resources/read"}"#,
    r#"{"id":{"a":[1]},"jsonrpc":"2.0","method":"custom/method","params":[1,2]}"#,
    r#"{"id":123456789012345678901234567890,"jsonrpc":"2.0","method":"ping"}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/custom","params":{"b":1,"a":2}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1.0,"progress":1.00}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"unknown"}}"#,
    r#"{"result":{"b":1.0,"a":null},"jsonrpc":"2.0","id":"never asked"}"#,
    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}"#,
    r#"[{"jsonrpc":"2.0","method":"ping","id":1}, {"jsonrpc":"2.0","method":"x"}]"#,
    r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":1,"resu"#,
    r#"{"jsonrpc":"1.0","id":true,"method":"ping"}"#,
    "  {\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}\r",
];

#[tokio::test]
async fn frames_pass_byte_for_byte_both_ways() {
    let mut through = without_handlers();
    through.initialize(json!({})).await;
    for text in ODD {
        through.client.send(text);
        assert_eq!(through.server.next().await, text);
        through.server.send(text);
        assert_eq!(through.client.next().await, text);
    }
}

#[tokio::test]
async fn questions_pass_to_a_client_where_nobody_else_answers() {
    let mut through = without_handlers();
    let all = json!({ "sampling": {}, "elicitation": {}, "roots": { "listChanged": true }, "tasks": { "list": {} } });
    assert_eq!(through.initialize(all.clone()).await, all);
    let odd_form = form(1.into()).replace(":1,", ":1.0 ,");
    let asked = [
        odd_form.as_str(),
        r#"{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{"maxTokens":1e1}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"roots/list"}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"tasks/list","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"tasks/get","params":{"taskId":"x"}}"#,
    ];
    for text in asked {
        through.server.send(text);
        assert_eq!(through.client.next().await, text);
    }
    for answer in [
        r#"{"jsonrpc":"2.0","id":1.0,"result":{"action" : "decline"}}"#,
        r#"{"jsonrpc":"2.0","id":"s","error":{"code":-32601,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":{"roots":[]}}"#,
        // A second answer passes, too: its receiver knows what to do with it.
        r#"{"jsonrpc":"2.0","id":2,"result":{"roots":[]}}"#,
    ] {
        through.client.send(answer);
        assert_eq!(through.server.next().await, answer);
    }
}

#[tokio::test]
async fn initialize_changes_in_its_capabilities_alone() {
    let odd = |capabilities: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"2025-11-25","x":1e400,"capabilities":{capabilities},"clientInfo":{{"name":"n"}}}}}}"#
        )
    };
    let cases = [
        (r#"{"experimental": {"b":1.0}}"#, r#"{"experimental":{"b":1.0},"roots":{}}"#),
        // What the client has stays its own.
        (r#"{"roots": { "listChanged":true }}"#, r#"{"roots": { "listChanged":true }}"#),
    ];
    for (came, goes) in cases {
        let mut through = Through::new(GatewayOptions::new(roots("a")));
        through.client.send(&odd(came));
        assert_eq!(through.server.next().await, odd(goes));
        through.server.send(INITIALIZED);
        assert_eq!(through.client.next().await, INITIALIZED);
    }
}

#[tokio::test]
async fn an_initialize_that_cannot_be_read_passes() {
    let mut through = Through::new(GatewayOptions::new(roots("a")));
    let text = request(0.into(), "initialize", json!([1]));
    through.client.send(&text);
    assert_eq!(through.server.next().await, text);
    assert!(through.has_notice("cannot be read"));
}

#[tokio::test]
async fn the_later_revision_is_put_off_unless_it_is_wanted() {
    let mut through = without_handlers();
    let discover = request(5.into(), "server/discover", json!({}));
    through.client.send(&discover);
    assert_eq!(through.client.message().await["error"]["code"], -32601);
    through.server.nothing().await;
    let mut options = GatewayOptions::new(Handlers::default());
    options.discover = true;
    let mut through = Through::new(options);
    through.client.send(&discover);
    assert_eq!(through.server.next().await, discover);
}

/// A message that is too long ends its request, on whichever side, and nothing else.
#[tokio::test]
async fn a_message_that_is_too_long_ends_its_request() {
    let too_large = |beginning: &'static str, end: &'static str| TransportError::TooLarge {
        limit: 16,
        beginning: beginning.into(),
        end: end.into(),
    };
    let mut through = without_handlers();
    through.initialize(json!({})).await;
    through.call(1, None).await;
    through.server.fail(too_large(r#"{"result":{"#, r#"},"jsonrpc":"2.0","id":1}"#));
    let answer = through.client.message().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32603)), "{answer}");
    through.server.fail(too_large(r#"{"jsonrpc":"2.0","id":"q","method":"roots/list","params":"#, "}"));
    assert_eq!(through.server.message().await["error"]["code"], -32600);
    through.client.fail(too_large(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":"#, "}"));
    assert_eq!(through.client.message().await["error"]["code"], -32600);
    through.call(3, None).await;
}

#[tokio::test]
async fn what_a_client_declares_and_never_answers_does_not_count() {
    let mut through = Through::new(GatewayOptions::new(Handlers::default()));
    through.client.send(&initialize("claude-ai", json!({ "elicitation": {}, "roots": {} })));
    assert_eq!(through.server.message().await["params"]["capabilities"], json!({ "roots": {} }));
    through.server.send(INITIALIZED);
    through.client.next().await;
    through.server.send(&form(1.into()));
    assert_eq!(through.server.message().await["error"]["code"], -32600);
}
