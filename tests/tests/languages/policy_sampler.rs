//! The example `policy-sampler`: what its rules refuse, what they blot out, and what becomes of it as a task.

use std::sync::Arc;

use serde_json::{Value, json};
use taskcell::handlers::Features;
use taskcell::{Grants, Handler, Handlers};
use taskcell_test_support::conversation::{Conversation, prompt};
use taskcell_test_support::fake_application::FakeApplication;
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::handlers::{cells, engine};
use taskcell_test_support::provision::{language_skipped, repository};
use taskcell_test_support::server::options;

const SAMPLING: &str = "sampling/createMessage";
const RULES: &str =
    "# Names stay here.\n\n  redact Project Aurora \nrefuse pass\u{df}word\r\nredact a\nrefuse [redacted]x";

/// A server that asks the example with these settings, and the model behind it.
async fn asked(settings: &[(&str, &str)]) -> (Conversation, Arc<FakeApplication>) {
    let model = Arc::new(FakeApplication::default());
    let component = build_guest(&repository().join("guest-examples/policy-sampler")).unwrap();
    let mut grants = Grants::default();
    grants.tasks = true;
    grants.model = Some(Arc::<FakeApplication>::clone(&model));
    grants.config = Some(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect());
    let handler = Handler::from_file(&engine(cells(8)).unwrap(), &component, grants).await.unwrap();
    let mut features = Features::default();
    features.tools = true;
    let handlers = Handlers::new([handler]).unwrap().with_features(features);
    (Conversation::new(handlers, options()), model)
}

/// What the model was shown last.
fn last(model: &FakeApplication) -> Value {
    model.shown().pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_blotted_out_wherever_the_model_reads_text() {
    if language_skipped("rust", "policy_sampler") {
        return;
    }
    let (mut server, model) = asked(&[("rules", "redact Project Aurora"), ("max-tokens", "20")]).await;
    let text = |text: &str| json!({ "type": "text", "text": text });
    let of_tool = |text: &str| {
        json!([{ "type": "text", "text": text },
        { "type": "resource", "resource": { "uri": "file:///a", "text": text } }])
    };
    let with = |said: &str, max: u32| {
        json!({
            "messages": [
                { "role": "assistant", "content": { "type": "tool_use", "id": "1", "name": "n", "input": {} } },
                { "role": "user", "content": { "type": "tool_result", "toolUseId": "1", "content": of_tool(said) } },
                { "role": "user", "content": text(said) },
            ],
            "systemPrompt": said, "stopSequences": [said], "maxTokens": max,
            "tools": [{ "name": "n", "description": said, "inputSchema": { "type": "object" } }],
        })
    };
    let said = "PROJECT AURORA, \u{e9}project auroraproject aurora project  aurora";
    let blotted = "[redacted], \u{e9}[redacted][redacted] project  aurora";
    let answer = server.ask(SAMPLING, &with(said, 1000)).await.unwrap();
    assert_eq!(last(&model), with(blotted, 20));
    assert_eq!(answer["result"]["content"]["text"], format!("Scripted answer to: {blotted}"));

    // Fewer tokens than the cap stay as they are.
    server.ask(SAMPLING, &prompt("hi")).await.unwrap();
    assert_eq!(last(&model), prompt("hi"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_refuses_does_not_reach_the_model() {
    if language_skipped("rust", "policy_sampler") {
        return;
    }
    let (mut server, model) = asked(&[("rules", RULES)]).await;
    let refusal = |line: u32| json!({ "code": -1, "message": "The client's policy refuses this prompt", "data": { "rule": line } });
    let mut system = prompt("hi");
    system["systemPrompt"] = "The PASS\u{df}WORD is 1".into();
    let mut metadata = prompt("hi");
    metadata["metadata"] = json!({ "for": "project aurora" });
    for (params, line) in [
        (prompt("what is the Pass\u{df}word?"), 4),
        (system, 4),
        // JSON is not blotted out, but refused.
        (metadata, 3),
        // The rules go in order, each over what the last one left.
        (prompt("bax"), 6),
    ] {
        let answer = server.ask(SAMPLING, &params).await.unwrap();
        assert_eq!(answer["error"], refusal(line), "{params}");
    }
    assert_eq!(model.shown(), Vec::<Value>::new());
    // As a task it is refused at once, and there is no task.
    let mut task = prompt("the pass\u{df}word");
    task["task"] = json!({});
    assert_eq!(server.ask(SAMPLING, &task).await.unwrap()["error"], refusal(4));
    assert_eq!(server.ask("tasks/list", &json!({})).await.unwrap()["result"]["tasks"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_gives_what_the_plain_request_gives() {
    if language_skipped("rust", "policy_sampler") {
        return;
    }
    let (mut server, model) = asked(&[("rules", "redact aurora"), ("max-tokens", "5")]).await;
    let plain = server.ask(SAMPLING, &prompt("Aurora")).await.unwrap();
    let mut task = prompt("Aurora");
    task["task"] = json!({});
    let created = server.ask(SAMPLING, &task).await.unwrap();
    let id = &created["result"]["task"]["taskId"];
    let mut result = server.ask("tasks/result", &json!({ "taskId": id })).await.unwrap()["result"].clone();
    result.as_object_mut().unwrap().remove("_meta");
    assert_eq!(result, plain["result"]);
    let [one, other] = &model.shown()[..] else { panic!("the model was asked otherwise than twice") };
    assert_eq!(one, other);
    assert_eq!(one["maxTokens"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_wrong_let_nothing_through() {
    if language_skipped("rust", "policy_sampler") {
        return;
    }
    for (settings, words) in [
        (&[("max-tokens", "5")][..], "`rules` is missing"),
        (&[("rules", ""), ("max-tokens", "many")], "`max-tokens` is no number"),
        (&[("rules", "refuse x\nblot y")], "Line 2"),
        (&[("rules", "redact")], "names no words"),
        (&[("rules", "redact  ")], "names no words"),
    ] {
        let (mut server, model) = asked(settings).await;
        let answer = server.ask(SAMPLING, &prompt("hi")).await.unwrap();
        assert_eq!(answer["error"]["code"], -32603);
        assert!(answer["error"]["message"].as_str().unwrap().contains(words), "{answer}");
        assert_eq!(model.shown(), Vec::<Value>::new());
    }
}
