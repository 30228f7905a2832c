//! Who answers a question, and what becomes of the answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use taskcell_gateway::{Audit, GatewayOptions, Rule};

use super::ends::{Through, form, request, roots, with_slow_form};

fn of_roots(id: Value) -> String {
    request(id, "roots/list", json!({}))
}

fn uri(answer: &Value) -> &str {
    answer["result"]["roots"][0]["uri"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

async fn with_rule(rule: Rule, capabilities: Value) -> Through {
    let mut options = GatewayOptions::new(roots("handler"));
    options.policy.set("roots", rule).unwrap();
    let mut through = Through::new(options);
    through.initialize(capabilities).await;
    through
}

#[tokio::test]
async fn a_weak_client_is_answered_for() {
    let mut through = Through::new(GatewayOptions::new(roots("handler")));
    assert_eq!(through.initialize(json!({})).await, json!({ "roots": {} }));
    // The answer has the id as it was written.
    through.server.send(r#"{"jsonrpc":"2.0","id":1.0,"method":"roots/list"}"#);
    let answer = through.server.next().await;
    assert!(answer.contains(r#""id":1.0"#) && answer.contains("file:///handler"), "{answer}");
    through.client.nothing().await;
}

/// Rule × what the client declares -> who is asked: the client, the handler, or nobody.
#[tokio::test]
async fn rules_say_who_is_asked() {
    let declared = || json!({ "roots": {} });
    let rows = [
        (Rule::Auto, json!({}), "handler"),
        (Rule::Auto, declared(), "client"),
        (Rule::Client, declared(), "client"),
        // As without a gateway: the client's own error is the answer.
        (Rule::Client, json!({}), "client"),
        (Rule::Handler, declared(), "handler"),
        (Rule::HandlerThenClient, declared(), "handler"),
        (Rule::Off, declared(), "nobody"),
    ];
    for (rule, capabilities, expected) in rows {
        let mut through = with_rule(rule, capabilities.clone()).await;
        through.server.send(&of_roots(1.into()));
        match expected {
            "client" => assert_eq!(through.client.next().await, of_roots(1.into()), "{rule} {capabilities}"),
            "handler" => assert_eq!(uri(&through.server.message().await), "file:///handler", "{rule} {capabilities}"),
            _ => assert_eq!(through.server.message().await["error"]["code"], -32600, "{rule} {capabilities}"),
        }
    }
}

/// Only an error that says "I do not have this method" lets the handler answer, and the client is not asked again.
#[tokio::test]
async fn a_client_that_does_not_support_what_it_declared_gives_way() {
    for error in [
        json!({ "code": -32601, "message": "Method not found" }),
        json!({ "code": -32600, "message": "List roots not supported" }),
    ] {
        let mut through = with_rule(Rule::Auto, json!({ "roots": {} })).await;
        through.server.send(&of_roots(1.into()));
        through.client.next().await;
        through.client.send(&json!({ "jsonrpc": "2.0", "id": 1, "error": error }).to_string());
        assert_eq!(uri(&through.server.message().await), "file:///handler");
        assert!(through.has_notice("the client does not support roots"));
        through.server.send(&of_roots(2.into()));
        assert_eq!(uri(&through.server.message().await), "file:///handler");
        through.client.nothing().await;
    }
    // A refusal is an answer.
    let mut through = with_rule(Rule::Auto, json!({ "roots": {} })).await;
    let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"User rejected: not supported"}}"#;
    through.server.send(&of_roots(1.into()));
    through.client.next().await;
    through.client.send(refused);
    assert_eq!(through.server.next().await, refused);
}

#[tokio::test]
async fn a_person_who_declines_is_not_overruled() {
    let mut through = Through::new(GatewayOptions::new(with_slow_form(roots("handler"), Duration::ZERO)));
    through.initialize(json!({ "elicitation": {} })).await;
    for action in ["decline", "cancel"] {
        through.server.send(&form(1.into()));
        through.client.next().await;
        let answer = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"action": "{action}"}}}}"#);
        through.client.send(&answer);
        assert_eq!(through.server.next().await, answer);
    }
}

#[tokio::test]
async fn a_handler_may_leave_a_question_to_the_client() {
    use taskcell::protocol::types::RpcError;
    use taskcell::{Handlers, NativeHandler};

    let handler = NativeHandler::roots(|_| async { Err(RpcError::new(-32601, "not mine")) });
    let mut options = GatewayOptions::new(Handlers::default().native(handler).unwrap());
    options.policy.set("roots", Rule::HandlerThenClient).unwrap();
    let mut through = Through::new(options);
    through.initialize(json!({ "roots": {} })).await;
    through.server.send(&of_roots(1.into()));
    assert_eq!(through.client.next().await, of_roots(1.into()));
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"roots" : []}}"#;
    through.client.send(answer);
    assert_eq!(through.server.next().await, answer);
}

#[tokio::test]
async fn cancellations_drop_what_they_name() {
    let mut through = Through::new(GatewayOptions::new(with_slow_form(roots("x"), Duration::from_secs(600))));
    through.initialize(json!({})).await;
    // The server cancels its question: the client hears nothing of it.
    through.server.send(&form("q".into()));
    through.server.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q"}}"#);
    through.server.nothing().await;
    through.client.nothing().await;
    // The client cancels its call: the question that belongs to it is answered with `cancel`.
    through.call(7, None).await;
    through.server.send(&form("r".into()));
    through.server.nothing().await;
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
    through.client.send(cancelled);
    let answer = through.server.message().await;
    assert_eq!((&answer["id"], &answer["result"]["action"]), (&json!("r"), &json!("cancel")));
    assert_eq!(through.server.next().await, cancelled);
}

#[tokio::test]
async fn an_id_that_is_in_use_is_refused() {
    let mut through = Through::new(GatewayOptions::new(with_slow_form(roots("x"), Duration::from_millis(300))));
    through.initialize(json!({})).await;
    through.server.send(&form(1.into()));
    through.server.send(&form(1.into()));
    assert_eq!(through.server.message().await["error"]["code"], -32600);
    assert_eq!(through.server.message().await["result"]["action"], "accept");
}

/// The first call waits for the answers to what a server asks at its start; a list does not.
#[tokio::test]
async fn the_first_call_waits_for_the_servers_questions() {
    let mut through = Through::new(GatewayOptions::new(roots("handler")));
    through.initialize(json!({})).await;
    let (call, list) = (request(1.into(), "tools/call", json!({})), request(2.into(), "tools/list", json!({})));
    through.client.send(&call);
    through.client.send(&list);
    assert_eq!(through.server.next().await, list);
    through.server.send(&of_roots("q".into()));
    assert_eq!(uri(&through.server.message().await), "file:///handler");
    assert_eq!(through.server.next().await, call);
}

/// A flood is refused where it is over the limit, and everything else goes on.
#[tokio::test]
async fn a_flood_of_questions_is_bounded() {
    let mut through = Through::new(GatewayOptions::new(with_slow_form(roots("x"), Duration::from_secs(600))));
    through.initialize(json!({})).await;
    for id in 0..4_100 {
        through.server.send(&form(id.into()));
    }
    for _ in 0..4 {
        let refused = through.server.message().await;
        assert_eq!(refused["error"]["data"]["kind"], "session_overloaded", "{refused}");
    }
    through.server.nothing().await;
    through.call(1, None).await;
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_question_has_a_line_in_the_audit_log() {
    let lines = Arc::<Mutex<Vec<u8>>>::default();
    let mut options = GatewayOptions::new(roots("handler"));
    options.audit = Some(Arc::new(Audit::new(Lines(Arc::clone(&lines)))));
    options.policy.set("sampling", Rule::Off).unwrap();
    let mut through = Through::new(options);
    through.initialize(json!({ "elicitation": {} })).await;
    through.server.send(&request(1.into(), "sampling/createMessage", json!({ "secret": "s3cret" })));
    through.server.message().await;
    through.server.send(&of_roots(2.into()));
    through.server.message().await;
    through.server.send(&form(3.into()));
    through.client.next().await;
    through.client.send(r#"{"jsonrpc":"2.0","id":3,"result":{"action":"accept"}}"#);
    through.server.next().await;
    let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
    let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows = [
        ("sampling/createMessage", "off", "gateway", "error"),
        ("roots/list", "auto", "handler", "ok"),
        ("elicitation/create", "auto", "client", "ok"),
    ];
    assert_eq!(found.len(), rows.len(), "{text}");
    for (line, (method, rule, by, outcome)) in found.iter().zip(rows) {
        assert_eq!((&line["event"], &line["server"]), (&json!("question"), &json!("fake")));
        assert_eq!(
            (&line["method"], &line["rule"], &line["by"], &line["outcome"]),
            (&json!(method), &json!(rule), &json!(by), &json!(outcome))
        );
        assert_eq!(line["params"].as_str().unwrap().len(), 64);
    }
    assert!(!text.contains("s3cret"));
}
