//! The examples in Python, JavaScript and TypeScript do what their READMEs say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use taskcell::grants::{Confirmation, KeyValue, MemoryKeyValue, Model, ModelContext, Quota, User};
use taskcell::protocol::types::{
    CreateMessageRequest, CreateMessageResult, ElicitRequest, ElicitResult, Implementation, RpcError,
};
use taskcell::{Grants, Handler, Handlers};
use taskcell_test_support::cli;
use taskcell_test_support::conversation::{Conversation, prompt};
use taskcell_test_support::examples::{build_changed, build_example};
use taskcell_test_support::handlers::{cells, engine};
use taskcell_test_support::provision::{language_skipped, repository};
use taskcell_test_support::server::options;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");

/// The person and the model: each says what it was told to, and what they were asked is kept.
#[derive(Default)]
struct Application {
    /// What the person does with a form.
    elicited: Value,
    /// What the person says to a question.
    confirmed: Option<Confirmation>,
    asked: Mutex<Vec<Value>>,
}

impl Application {
    fn asked(&self) -> Vec<Value> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ask(&self, what: Value) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

#[async_trait]
impl Model for Application {
    async fn create_message(
        &self,
        _: &ModelContext,
        request: CreateMessageRequest,
    ) -> Result<CreateMessageResult, RpcError> {
        self.ask(json!(request));
        let content = json!({ "type": "text", "text": "What the model says" });
        let result = json!({ "role": "assistant", "content": content, "model": "scripted", "stopReason": "endTurn" });
        Ok(serde_json::from_str(&result.to_string()).unwrap())
    }
}

#[async_trait]
impl User for Application {
    async fn elicit(&self, _: &Implementation, request: ElicitRequest) -> Result<ElicitResult, RpcError> {
        self.ask(json!(request));
        Ok(serde_json::from_str(&self.elicited.to_string()).unwrap())
    }

    async fn confirm(&self, _: &Implementation, message: String) -> Result<Confirmation, RpcError> {
        self.ask(json!(message));
        self.confirmed.ok_or_else(|| RpcError { code: -32603, message: "nobody is there".to_owned(), data: None })
    }
}

/// An example in a session, under the default limits but for the number of cells.
async fn start(example: &str, grants: Grants) -> Conversation {
    let handler =
        Handler::from_file(&engine(cells(8)).unwrap(), &build_example(example).unwrap(), grants).await.unwrap();
    Conversation::new(Handlers::new([handler]).unwrap(), options())
}

async fn minimal(language: &str) {
    if language_skipped(language, "minimal") {
        return;
    }
    let mut server = start(&format!("{language}-minimal"), Grants::default()).await;
    let text = |text: &str| json!({ "type": "text", "text": text });
    let table = [
        (prompt("hi"), "You said: hi"),
        (prompt("\u{e9}\u{1f4a5} \u{0}"), "You said: \u{e9}\u{1f4a5} \u{0}"),
        (json!({ "messages": [], "maxTokens": 1 }), "You said: "),
        (
            json!({ "messages": [
                { "role": "user", "content": [text("one"), text("two"), { "type": "image", "data": "", "mimeType": "image/png" }] },
                { "role": "assistant", "content": text("three") },
            ], "maxTokens": 1 }),
            "You said: two",
        ),
    ];
    for (params, expected) in table {
        let answer = server.ask("sampling/createMessage", &params).await.unwrap();
        let expected =
            json!({ "role": "assistant", "content": text(expected), "model": "fixed", "stopReason": "endTurn" });
        assert_eq!(answer["result"], expected, "{params}: {answer}");
    }
}

#[tokio::test]
async fn python_minimal_quotes_what_was_said() {
    minimal("python").await;
}

#[tokio::test]
async fn javascript_minimal_quotes_what_was_said() {
    minimal("javascript").await;
}

#[tokio::test]
async fn typescript_minimal_quotes_what_was_said() {
    minimal("typescript").await;
}

/// A form is filled from the profile; what is required and not there is asked for; what is private is not told.
#[tokio::test]
async fn profile_elicitor_fills_forms() {
    if language_skipped("python", "profile_elicitor_fills_forms") {
        return;
    }
    let profile = MemoryKeyValue::new(Quota::default());
    let kept = [
        ("name", "Ada \u{e9}"),
        ("age", "36"),
        ("half", "1.5"),
        ("odd", "many"),
        ("sure", "true"),
        ("color", "green"),
        ("colors", "red\ngreen"),
        ("ssn", "1234"),
        ("private/ssn", ""),
        ("private/phone", ""),
    ];
    for (key, value) in kept {
        profile.set("", key, value.as_bytes().to_vec()).await.unwrap();
    }
    let given = json!({ "action": "accept", "content": { "mail": "a@b.c" } });
    let application = Arc::new(Application { elicited: given, ..Application::default() });
    let mut grants = Grants::default();
    grants.keyvalue = Some(Arc::new(profile));
    grants.user = Some(application.clone());
    let mut server = start("profile-elicitor", grants).await;

    let text = || json!({ "type": "string" });
    let fields = json!({
        "name": text(),
        "age": { "type": "integer" },
        "half": { "type": "number" },
        "odd": { "type": "integer" },
        "sure": { "type": "boolean" },
        "color": { "type": "string", "enum": ["red", "green"] },
        "colors": { "type": "array", "items": { "anyOf": [{ "const": "red", "title": "R" }, { "const": "green", "title": "G" }] } },
        "ssn": text(),
        "phone": text(),
        "unknown": text(),
        "mail": text(),
    });
    let only =
        |names: &[&str]| -> Value { names.iter().map(|name| ((*name).to_owned(), fields[*name].clone())).collect() };
    let form = |names: &[&str], required: &[&str]| json!({ "message": "Who?", "requestedSchema": { "type": "object", "properties": only(names), "required": required } });
    let accepted = |content: Value| json!({ "action": "accept", "content": content });
    let all = ["name", "age", "half", "sure", "color", "colors"];
    let wrong = json!({ "name": "color", "properties": { "color": { "type": "string", "enum": ["blue"] } } });
    let table = [
        // What is kept, in each type; nobody is asked.
        (
            form(&all, &all),
            accepted(
                json!({ "name": "Ada \u{e9}", "age": 36, "half": 1.5, "sure": true, "color": "green", "colors": ["red", "green"] }),
            ),
            vec![],
        ),
        // What is not kept, or does not fit, is left out where it may be.
        (form(&["unknown", "odd", "name"], &["name"]), accepted(json!({ "name": "Ada \u{e9}" })), vec![]),
        // What is private is left out where it may be, and is a reason to decline where not, kept or not.
        (form(&["ssn", "name"], &["name"]), accepted(json!({ "name": "Ada \u{e9}" })), vec![]),
        (form(&["name", "ssn"], &["ssn"]), json!({ "action": "decline" }), vec![]),
        (form(&["phone"], &["phone"]), json!({ "action": "decline" }), vec![]),
        // The user is asked for what is required and not there, and for nothing else.
        (
            form(&["name", "mail", "unknown"], &["name", "mail"]),
            accepted(json!({ "name": "Ada \u{e9}", "mail": "a@b.c" })),
            vec![form(&["mail"], &["mail"])],
        ),
        (
            json!({ "message": "Which?", "requestedSchema": { "type": "object", "properties": wrong["properties"] } }),
            accepted(json!({})),
            vec![],
        ),
    ];
    for (params, expected, asked) in table {
        let answer = server.ask("elicitation/create", &params).await.unwrap();
        assert_eq!(answer["result"], expected, "{params}: {answer}");
        let was_asked: Vec<Value> = application.asked().into_iter().map(without_mode).collect();
        assert_eq!(was_asked, asked, "{params}");
    }
}

/// A form as most servers write it: without the mode, which is the default.
fn without_mode(mut form: Value) -> Value {
    form.as_object_mut().unwrap().remove("mode");
    form
}

/// What the user does with the rest of a form is what the server gets to know; a page is the user's.
#[tokio::test]
async fn profile_elicitor_tells_what_the_user_did() {
    if language_skipped("python", "profile_elicitor_tells_what_the_user_did") {
        return;
    }
    let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    let form = json!({ "message": "Who?", "requestedSchema": schema });
    let page = json!({ "mode": "url", "message": "There", "url": "https://example.com/", "elicitationId": "1" });
    for (params, action) in [(&form, "decline"), (&form, "cancel"), (&page, "accept"), (&page, "decline")] {
        let application = Arc::new(Application { elicited: json!({ "action": action }), ..Application::default() });
        let mut grants = Grants::default();
        grants.keyvalue = Some(Arc::new(MemoryKeyValue::new(Quota::default())));
        grants.user = Some(application.clone());
        let mut server = start("profile-elicitor", grants).await;
        let answer = server.ask("elicitation/create", params).await.unwrap();
        assert_eq!(answer["result"], json!({ "action": action }), "{params}: {answer}");
        assert_eq!(application.asked().len(), 1);
    }
}

/// The model is asked when the user says yes, and only then; the server sees where it stands.
#[tokio::test]
async fn approval_gate_waits_for_the_user() {
    if language_skipped("typescript", "approval_gate_waits_for_the_user") {
        return;
    }
    let rejected = json!({ "code": -1, "message": "User rejected sampling request" });
    let table = [
        (Some(Confirmation::Accepted), "completed", Err(json!("What the model says")), 3),
        (Some(Confirmation::Declined), "failed", Ok(rejected.clone()), 1),
        (Some(Confirmation::Cancelled), "failed", Ok(rejected), 1),
        (None, "failed", Ok(json!({ "code": -32603, "message": "nobody is there" })), 1),
    ];
    for (confirmed, status, expected, reports) in table {
        let application = Arc::new(Application { confirmed, ..Application::default() });
        let mut grants = Grants::default();
        grants.tasks = true;
        grants.progress = true;
        grants.model = Some(application.clone());
        grants.user = Some(application.clone());
        let mut server = start("approval-gate", grants).await;

        let mut params = prompt("What is a task?");
        params["task"] = json!({ "ttl": 60_000 });
        params["_meta"] = json!({ "progressToken": "p" });
        let created = server.ask("sampling/createMessage", &params).await.unwrap();
        let task = &created["result"]["task"];
        assert_eq!(task["status"], "working", "{created}");
        assert_eq!(task["statusMessage"], "waiting for the user's approval");
        let id = task["taskId"].as_str().unwrap().to_owned();

        let result = server.ask_task("tasks/result", &id).await.unwrap();
        match &expected {
            Ok(error) => assert_eq!(result["error"], *error),
            Err(text) => assert_eq!(result["result"]["content"]["text"], *text, "{result}"),
        }
        let ended = server.ask_task("tasks/get", &id).await.unwrap();
        assert_eq!(ended["result"]["status"], status, "{ended}");
        let listed = server.ask("tasks/list", &json!({})).await.unwrap();
        assert_eq!(listed["result"]["tasks"].as_array().unwrap().len(), 1);
        let asked = application.asked();
        assert_eq!(asked[0], "May test have a model answer this? What is a task?");
        assert_eq!(asked.len(), 1 + usize::from(status == "completed"), "{asked:?}");

        let seen = server.end().await.unwrap();
        let of = |method: &str| seen.iter().filter(|message| message["method"] == method).collect::<Vec<_>>();
        assert_eq!(of("notifications/progress").len(), reports, "{seen:?}");
        let told = of("notifications/tasks/status")
            .iter()
            .any(|told| told["params"]["statusMessage"] == "approved, waiting for the model");
        assert_eq!(told, status == "completed", "{seen:?}");
    }
}

/// What nobody caught ends the call, and the log says what and where in the author's file.
#[test]
fn an_error_that_nobody_caught_is_in_the_log() {
    // The example, its code, what it throws instead, and what the log must say.
    let table = [
        (
            "python-minimal",
            "        answer = TextContent(",
            "        raise ValueError('a bug')\n        answer = TextContent(",
            ["ValueError: a bug", "app.py\", line 13, in handle"],
        ),
        (
            "javascript-minimal",
            "    return {",
            "    throw new TypeError('a bug');\n    return {",
            ["a bug", "at handle (/app.js:7:"],
        ),
        (
            "typescript-minimal",
            "    return {",
            "    if (request.maxTokens > 0) throw new TypeError('a bug');\n    return {",
            ["a bug", "at handle (/build/app.js:7:"],
        ),
    ];
    for (example, from, to, said) in table {
        if language_skipped(example.split('-').next().unwrap(), example) {
            continue;
        }
        let file = build_changed(example, from, to).unwrap();
        let mut command = cli::command(PROGRAM);
        command.args(["-v", "call", "--handler", file.to_str().unwrap(), "sampling/createMessage"]);
        let ran = command.arg(prompt("hi").to_string()).output().unwrap();
        let (answer, log) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(answer.contains(r#""kind": "trap""#) && !answer.contains("a bug"), "{example}: {answer}");
        for part in said {
            assert!(log.contains(part), "{example}: no {part:?} in {log}");
        }
    }
}

/// What does not fit the WIT is said by the tool, with its place where the tool knows it.
#[test]
fn code_that_does_not_fit_the_wit_does_not_build() {
    let table = [
        ("python-minimal", "class Sampling(exports.Sampling)", "class Sampler(exports.Sampling)", "Sampling"),
        ("python-minimal", "Role,", "Roles,", "cannot import name 'Roles'"),
        (
            "javascript-minimal",
            "export const",
            "import 'taskcell:handlers/tasks@0.1.0';\nexport const",
            "taskcell:handlers/tasks@0.1.0",
        ),
        ("javascript-minimal", "handle(context, request) {", "handle(context, request) {{", "/app.js:"),
        ("typescript-minimal", "model: \"fixed\",", "", "Property 'model' is missing"),
        ("typescript-minimal", "tag: \"text\", val", "tag: \"txt\", val", "app.ts(6,3)"),
    ];
    for (example, from, to, said) in table {
        if language_skipped(example.split('-').next().unwrap(), example) {
            continue;
        }
        let error = build_changed(example, from, to).unwrap_err().to_string();
        assert!(error.contains(said), "{example} with {to:?}: no {said:?} in {error}");
    }
}

/// The tools of the examples, and of what `taskcell new` writes, are those that the tests install, in the same
/// versions.
#[test]
fn the_examples_lock_the_same_tools() {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let tools = repository().join("tests/toolchains");
    let hashes = |text: &str| -> BTreeSet<String> {
        text.lines()
            .map(|line| line.trim_end_matches(['\\', ' ']))
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    };
    let packages = |text: &str| -> BTreeSet<String> {
        let lock: Value = serde_json::from_str(text).unwrap();
        let packages = lock["packages"].as_object().unwrap().iter().filter(|(name, _)| !name.is_empty());
        packages.map(|(name, package)| format!("{name} {} {}", package["version"], package["integrity"])).collect()
    };
    let (python, node) =
        (hashes(&read(&tools.join("python/requirements.txt"))), packages(&read(&tools.join("node/package-lock.json"))));
    let mut seen = 0;
    let folders = ["guest-examples", "host/cli/src/languages/templates"];
    for example in folders.iter().flat_map(|folder| fs::read_dir(repository().join(folder)).unwrap()) {
        let example = example.unwrap().path();
        let (requirements, lock) = (read(&example.join("requirements.txt")), read(&example.join("package-lock.json")));
        seen += usize::from(!requirements.is_empty()) + usize::from(!lock.is_empty());
        let other: Vec<_> = hashes(&requirements).difference(&python).cloned().collect();
        assert!(other.is_empty(), "{}: {other:?}", example.display());
        if !lock.is_empty() {
            let other: Vec<_> = packages(&lock).difference(&node).cloned().collect();
            assert!(other.is_empty(), "{}: {other:?}", example.display());
        }
    }
    assert!(seen >= 9, "{seen}");
}
