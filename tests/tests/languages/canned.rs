//! The example `canned` answers from its settings, as its README says, and the same each time.

use serde_json::{Value, json};
use taskcell::{Grants, Handler, Handlers};
use taskcell_test_support::built_examples::build_project;
use taskcell_test_support::conversation::{Conversation, prompt};
use taskcell_test_support::handlers::{cells, engine};
use taskcell_test_support::provision::{go_variables, language_skipped};
use taskcell_test_support::server::options;

const SETTINGS: [(&str, &str); 8] = [
    ("sampling:", "Hello."),
    ("sampling:weather", "It is sunny."),
    ("sampling:the weather in Oslo", "It snows."),
    ("elicitation:name", r#"{"name":"Ada","age":36,"ok":true,"langs":["go"]}"#),
    ("elicitation:secret", "decline"),
    ("elicitation:later", "cancel"),
    ("elicitation:broken", "{"),
    ("roots", "file:///a\nfile:///b\n"),
];

fn form(message: &str) -> Value {
    let langs = json!({ "type": "array", "items": { "type": "string", "enum": ["go"] } });
    let properties = json!({
        "name": { "type": "string" }, "age": { "type": "integer" }, "ok": { "type": "boolean" }, "langs": langs,
    });
    json!({ "message": message, "requestedSchema": { "type": "object", "properties": properties } })
}

fn page(message: &str) -> Value {
    json!({ "mode": "url", "message": message, "url": "https://example.com/", "elicitationId": "1" })
}

#[tokio::test(flavor = "multi_thread")]
async fn canned_answers() {
    if language_skipped("go", "canned") {
        return;
    }
    let mut grants = Grants::default();
    grants.config = Some(SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect());
    let component = build_project("canned", go_variables().unwrap()).unwrap();
    let handler = Handler::from_file(&engine(cells(4)).unwrap(), &component, grants).await.unwrap();
    let mut server = Conversation::new(Handlers::new([handler]).unwrap(), options());
    let text = |text: &str| json!({ "type": "text", "text": text });
    let given = json!({ "name": "Ada", "age": 36, "ok": true, "langs": ["go"] });
    let table = [
        ("sampling/createMessage", prompt("hi"), "/result/content", text("Hello.")),
        ("sampling/createMessage", prompt("Is the weather good?"), "/result/content", text("It is sunny.")),
        ("sampling/createMessage", prompt("Is the weather in Oslo good?"), "/result/content", text("It snows.")),
        ("elicitation/create", form("Your name?"), "/result/content", given),
        ("elicitation/create", form("Your secret?"), "/result/action", json!("decline")),
        ("elicitation/create", page("Pay later"), "/result/action", json!("cancel")),
        ("elicitation/create", page("Your name?"), "/result", json!({ "action": "accept" })),
        ("elicitation/create", form("broken"), "/error/code", json!(-32603)),
        ("elicitation/create", form("?"), "/error/message", json!("No setting elicitation:WORDS has words of \"?\"")),
        ("roots/list", json!({}), "/result/roots", json!([{ "uri": "file:///a" }, { "uri": "file:///b" }])),
    ];
    for (method, params, place, expected) in &table {
        for _ in 0..3 {
            let answer = server.ask(method, params).await.unwrap();
            assert_eq!(answer.pointer(place), Some(expected), "{params}: {answer}");
        }
    }
}
