//! client/elicitation: what is asked of a client, between the server and who asks the user.

use std::sync::Arc;

use serde_json::{Value, json};
use taskcell::Handlers;
use taskcell::handlers::Features;
use taskcell_test_support::conversation::Conversation;
use taskcell_test_support::server::options;

use super::{ELICITATION, and, as_task, create, each, error, form, id, model_and_user, page, refused};
use taskcell_test_support::fake_application::FakeApplication;

/// A conversation whose user is an application.
async fn asked() -> (Conversation, Arc<FakeApplication>) {
    let application = Arc::new(FakeApplication::default());
    let handlers = model_and_user(&application, "").await;
    (Conversation::new(handlers, options()), application)
}

/// A form with this schema whose user answers with this content.
fn given(content: &Value, schema: Value) -> Value {
    json!({ "message": format!("give {content}"), "requestedSchema": schema })
}

/// An object of one field.
fn field(schema: Value) -> Value {
    json!({ "type": "object", "properties": { "field": schema } })
}

// ---- Capabilities ----

/// Both modes by default, and the request without a mode is served because `form` is among them.
#[tokio::test]
async fn elicitation_is_declared_with_its_modes() {
    each(async |handlers| {
        assert_eq!(handlers.capabilities()["elicitation"], json!({ "form": {}, "url": {} }));
    })
    .await;
    assert_eq!(Handlers::default().capabilities().get("elicitation"), None);
}

/// Modes, and what is declared of them.
fn modes() -> [(bool, bool, Value); 3] {
    [
        (true, true, json!({ "form": {}, "url": {} })),
        (true, false, json!({ "form": {} })),
        (false, true, json!({ "url": {} })),
    ]
}

fn supporting(handlers: Handlers, form: bool, url: bool) -> Handlers {
    let mut features = Features::default();
    (features.form, features.url) = (form, url);
    handlers.with_features(features)
}

#[tokio::test]
async fn only_supported_modes_are_declared() {
    each(async |handlers| {
        for (form, url, declared) in modes() {
            let capabilities = supporting(handlers.clone(), form, url).capabilities();
            assert_eq!(capabilities["elicitation"], declared);
        }
    })
    .await;
}

/// An empty `elicitation` would say `form`: without any mode nothing of elicitation is declared, tasks included.
#[tokio::test]
async fn elicitation_without_a_mode_is_not_declared() {
    each(async |handlers| {
        let capabilities = supporting(handlers, false, false).capabilities();
        assert_eq!(capabilities.get("elicitation"), None, "{capabilities}");
        assert_eq!(capabilities["tasks"]["requests"].get("elicitation"), None, "{capabilities}");
    })
    .await;
}

/// A mode that was not declared is refused, plain and as a task; no task is made.
#[tokio::test]
async fn undeclared_modes_are_invalid_params() {
    each(async |handlers| {
        for (form_is, url_is, _) in modes() {
            let mut server = Conversation::new(supporting(handlers.clone(), form_is, url_is), options());
            let explicit = and(form("hello"), json!({ "mode": "form" }));
            for (params, declared) in [(form("hello"), form_is), (explicit, form_is), (page("hello"), url_is)] {
                for params in [params.clone(), as_task(params)] {
                    let answer = server.ask(ELICITATION, &params).await.unwrap();
                    if declared {
                        assert!(answer.get("result").is_some(), "{params}: {answer}");
                    } else {
                        refused(&answer, -32602, None);
                    }
                }
            }
            let list = server.ask("tasks/list", &json!({})).await.unwrap();
            let tasks = list["result"]["tasks"].as_array().unwrap().len();
            assert_eq!(tasks, 2 * usize::from(form_is) + usize::from(url_is));
        }
    })
    .await;
}

// ---- Elicitation Requests ----

#[tokio::test]
async fn a_request_without_a_mode_is_a_form() {
    let (mut server, application) = asked().await;
    for params in [form("a"), and(form("b"), json!({ "mode": "form" })), and(form("c"), json!({ "mode": null }))] {
        let answer = server.ask(ELICITATION, &params).await.unwrap();
        assert_eq!(answer["result"], json!({ "action": "accept", "content": { "name": "Ada" } }), "{params}");
    }
    let shown: Vec<_> = application.shown().iter().map(|shown| shown["request"]["mode"].clone()).collect();
    assert_eq!(shown, ["form", "form", "form"]);
}

// ---- URL Mode Elicitation Requests ----

/// A notification of the end of something is taken in silence, whether it was begun or not.
#[tokio::test]
async fn completions_are_ignored() {
    let (mut server, _) = asked().await;
    server.ask(ELICITATION, &page("hello")).await.unwrap();
    let known = json!({ "elicitationId": "e-1" });
    for params in
        [known.clone(), known, json!({ "elicitationId": "unknown" }), json!({ "elicitationId": 7 }), json!([])]
    {
        let method = "notifications/elicitation/complete";
        server.handle(&json!({ "jsonrpc": "2.0", "method": method, "params": params })).await.unwrap();
    }
    server.handle(&json!({ "jsonrpc": "2.0", "method": "notifications/elicitation/complete" })).await.unwrap();
    assert_eq!(server.ask("ping", &json!({})).await.unwrap()["result"], json!({}));
    assert_eq!(server.end().await.unwrap().len(), 2, "something was said to a notification");
}

// ---- Response Actions ----

/// Content comes with an accepted form, and with nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn only_an_accepted_form_has_content() {
    let table = [
        (form("hello"), json!({ "action": "accept", "content": { "name": "Ada" } })),
        (form("decline"), json!({ "action": "decline" })),
        (form("cancel"), json!({ "action": "cancel" })),
        (page("hello"), json!({ "action": "accept" })),
        (page("decline"), json!({ "action": "decline" })),
        (page("cancel"), json!({ "action": "cancel" })),
    ];
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for (params, expected) in &table {
            assert_eq!(server.ask(ELICITATION, params).await.unwrap()["result"], *expected);
            let task = create(&mut server, ELICITATION, params.clone()).await;
            let result = server.ask_task("tasks/result", id(&task)).await.unwrap();
            for member in ["action", "content"] {
                assert_eq!(result["result"].get(member), expected.get(member), "{result}");
            }
        }
    })
    .await;
    // Whatever a handler does: a page has no content, plain or as a task.
    let application = Arc::new(FakeApplication::default());
    let mut server = Conversation::new(model_and_user(&application, "").await.managed(), options());
    let params = page(r#"give {"secret":"x"}"#);
    assert_eq!(server.ask(ELICITATION, &params).await.unwrap()["result"], json!({ "action": "accept" }));
    let task = create(&mut server, ELICITATION, params).await;
    let result = server.ask_task("tasks/result", id(&task)).await.unwrap();
    assert_eq!((&result["result"]["action"], result["result"].get("content")), (&json!("accept"), None), "{result}");
}

// ---- Security Considerations ----

/// Who asks the user is told which server wants to know, and every word of what it wants.
#[tokio::test]
async fn who_asks_the_user_knows_the_server_and_the_request() {
    let (mut server, application) = asked().await;
    let schema = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "title": "Your name", "description": "As in your passport", "default": "Ada" },
        },
        "required": ["name"],
    });
    let params = json!({ "mode": "form", "message": "Who are you, and why?", "requestedSchema": schema });
    server.ask(ELICITATION, &params).await.unwrap();
    assert_eq!(application.shown(), [json!({ "server": { "name": "test", "version": "1" }, "request": params })]);
}

/// The user sees the address as the server wrote it: nothing decoded, folded, shortened or followed.
#[tokio::test]
async fn the_url_is_shown_as_written() {
    let (mut server, application) = asked().await;
    let urls = [
        "https://example.com/pay?id=1&next=%2F..%2F#frag",
        "https://xn--80ak6aa92e.com/",
        "https://user:secret@example.com:8443/%E2%80%AE",
        "HTTPS://EXAMPLE.COM/A/../B//",
        "http://127.0.0.1:9/never-fetched",
    ];
    for url in urls {
        let answer = server.ask(ELICITATION, &and(page("hello"), json!({ "url": url }))).await.unwrap();
        assert_eq!(answer["result"], json!({ "action": "accept" }));
    }
    let shown: Vec<_> = application.shown().iter().map(|shown| shown["request"]["url"].clone()).collect();
    assert_eq!(shown, urls);
}

/// A user who says no says so at any time: while the work is under way, too.
#[tokio::test(flavor = "multi_thread")]
async fn declining_is_a_result_and_refusing_an_error() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        for method in ["plain", "task"] {
            for (word, expected) in [("decline", "decline"), ("cancel", "cancel"), ("refuse", "")] {
                let answer = if method == "plain" {
                    server.ask(ELICITATION, &form(word)).await.unwrap()
                } else {
                    let task = create(&mut server, ELICITATION, form(word)).await;
                    server.ask_task("tasks/result", id(&task)).await.unwrap()
                };
                if expected.is_empty() {
                    assert_eq!(error(&answer).0, -1, "{answer}");
                } else {
                    assert_eq!(answer["result"]["action"], expected, "{answer}");
                }
            }
        }
    })
    .await;
}

// ---- Form Mode Security ----

/// An accepted form fits its schema, whatever the handler gave; otherwise the answer is an error.
#[tokio::test(flavor = "multi_thread")]
async fn accepted_content_fits_the_schema() {
    let text = |members: Value| field(and(json!({ "type": "string" }), members));
    let number = |members: Value| field(and(json!({ "type": "number" }), members));
    let one = json!({ "type": "string", "enum": ["a", "b"] });
    let titled = json!({ "type": "string", "oneOf": [{ "const": "a", "title": "A" }] });
    let several = json!({ "type": "array", "minItems": 1, "maxItems": 2, "items": { "type": "string", "enum": ["a", "b", "c"] } });
    let titled_several = json!({ "type": "array", "items": { "anyOf": [{ "const": "a", "title": "A" }] } });
    let required = json!({ "type": "object", "properties": { "field": { "type": "string" } }, "required": ["field"] });
    let closed = and(field(json!({ "type": "string" })), json!({ "additionalProperties": false }));
    #[rustfmt::skip]
    let table = [
        ("text",                 text(json!({})),                            json!("x"),           json!(1)),
        ("minLength",            text(json!({ "minLength": 2 })),            json!("äö"),          json!("ä")),
        ("maxLength",            text(json!({ "maxLength": 2 })),            json!("äö"),          json!("äöü")),
        ("pattern",              text(json!({ "pattern": "^[a-z]+$" })),     json!("abc"),         json!("ABC")),
        ("email",                text(json!({ "format": "email" })),         json!("a@b.co"),      json!("nobody")),
        ("uri",                  text(json!({ "format": "uri" })),           json!("https://a/"),  json!("not a uri")),
        ("date",                 text(json!({ "format": "date" })),          json!("2025-11-25"),  json!("2025-02-30")),
        ("date-time",            text(json!({ "format": "date-time" })),     json!("2025-11-25T10:00:00Z"), json!("2025-11-25")),
        ("number",               number(json!({})),                          json!(1.5),           json!("1.5")),
        ("minimum",              number(json!({ "minimum": 18 })),           json!(18),            json!(17.999)),
        ("maximum",              number(json!({ "maximum": 18 })),           json!(18),            json!(18.001)),
        ("integer",              field(json!({ "type": "integer" })),        json!(-3),            json!(1.5)),
        ("boolean",              field(json!({ "type": "boolean" })),        json!(false),         json!("false")),
        ("a single choice",      field(one),                                 json!("b"),           json!("c")),
        ("a titled choice",      field(titled),                              json!("a"),           json!("A")),
        ("a multiple choice",    field(several.clone()),                     json!(["a", "c"]),    json!(["a", "d"])),
        ("too few choices",      field(several.clone()),                     json!(["a"]),         json!([])),
        ("too many choices",     field(several),                             json!(["b", "c"]),    json!(["a", "b", "c"])),
        ("titled choices",       field(titled_several),                      json!(["a"]),         json!(["b"])),
    ];
    let (mut server, _) = asked().await;
    let mut wrong = Vec::new();
    let mut check = async |what: &str, content: Value, schema: &Value, fits: bool| {
        let answer = server.ask(ELICITATION, &given(&content, schema.clone())).await.unwrap();
        let found = match answer.get("result") {
            Some(result) => (result["action"] == "accept" && result["content"] == content) == fits,
            None => !fits && answer["error"]["data"]["kind"] == "invalid_answer" && error(&answer).0 == -32603,
        };
        if !found {
            wrong.push(format!("{what}: {content} gives {answer}"));
        }
    };
    for (what, schema, good, bad) in &table {
        check(what, json!({ "field": good }), schema, true).await;
        check(what, json!({ "field": bad }), schema, false).await;
    }
    check("required", json!({ "field": "x" }), &required, true).await;
    check("required", json!({}), &required, false).await;
    check("required", json!({ "fiel": "x" }), &required, false).await;
    check("no other field", json!({ "field": "x" }), &closed, true).await;
    check("no other field", json!({ "field": "x", "other": "y" }), &closed, false).await;
    // What was not asked for is not sent, though JSON Schema by itself would allow it.
    check("no other field", json!({ "field": "x", "other": "y" }), &field(json!({ "type": "string" })), false).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same for the work of a task, in both ways: the task fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_content_does_not_fit_fails() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, options());
        refused(&server.ask(ELICITATION, &form("misfit")).await.unwrap(), -32603, Some("invalid_answer"));
        let task = create(&mut server, ELICITATION, form("misfit")).await;
        let result = server.ask_task("tasks/result", id(&task)).await.unwrap();
        refused(&result, -32603, Some("invalid_answer"));
        let got = server.ask_task("tasks/get", id(&task)).await.unwrap();
        assert_eq!(got["result"]["status"], "failed");
    })
    .await;
}

/// Nothing is fetched to check an answer: a schema that points elsewhere is refused, not followed.
#[tokio::test]
async fn schemas_point_nowhere() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/schema.json", listener.local_addr().unwrap());
    let (mut server, _) = asked().await;
    for reference in [url.as_str(), "file:///etc/hostname"] {
        let schema = field(json!({ "$ref": reference }));
        let answer = server.ask(ELICITATION, &given(&json!({ "field": "x" }), schema)).await.unwrap();
        refused(&answer, -32602, None);
    }
    assert!(listener.accept().is_err(), "the schema was fetched");
}
