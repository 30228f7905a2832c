//! Forms as real libraries write them, answered by handlers; the libraries themselves judge the answers.
//!
//! `data/forms` holds what each library writes, a form a line, with the library's version. The libraries that the
//! registries have write the same again here, and their own validation must take each answer: pydantic, the Python SDK
//! and fastmcp by `peers/forms/forms.py`, zod and the TypeScript SDK by `peers/forms/zod.mjs`, schemars in this file.
//! The forms of others are those that their own tests expect, with the source named.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rmcp::schemars::JsonSchema;
use rmcp::schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use taskcell::protocol::types::{ElicitAction, ElicitEntry, ElicitResult, ElicitValue};
use taskcell::{Handlers, NativeHandler};
use taskcell_test_support::conversation::{Conversation, soon, start};
use taskcell_test_support::handlers::{cells, guest, stock};
use taskcell_test_support::provision::{node_peers, peers_skipped, python_fastmcp, repository};
use taskcell_test_support::server::{Server, options};

/// Forms that are refused because they refer to parts of themselves, by generator and name. The SDKs refuse to send
/// them.
const REFUSED: [(&str, &str); 1] = [("pydantic", "profile")];

/// A form that a library writes.
#[derive(Debug, Deserialize, PartialEq)]
struct Form {
    generator: String,
    name: String,
    schema: Value,
}

impl Form {
    fn is_refused(&self) -> bool {
        REFUSED.iter().any(|(generator, name)| self.generator.starts_with(generator) && self.name == *name)
    }
}

fn file(name: &str) -> Vec<Form> {
    let file = repository().join("tests/data/forms").join(name);
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn all() -> Vec<Form> {
    ["fastmcp3.json", "fastmcp4.json", "zod.json", "published.json"]
        .into_iter()
        .flat_map(file)
        .chain(of_schemars())
        .collect()
}

async fn stock_handler() -> Handlers {
    stock(cells(4), &json!({})).await.unwrap()
}

/// What a handler answers to a form.
async fn answer(server: &Server, schema: &Value) -> Value {
    let params = form("Please fill in", schema);
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": params });
    server.send(&request).await.unwrap()
}

/// The content that a handler gives to each form; null where it declines.
async fn contents(handlers: Handlers, forms: &[Form]) -> Vec<Value> {
    let server = Server::new(handlers);
    let mut contents = Vec::new();
    for form in forms {
        let answer = answer(&server, &form.schema).await;
        let result = answer.get("result").unwrap_or_else(|| panic!("{} {}: {answer}", form.generator, form.name));
        contents.push(if result["action"] == "accept" { result["content"].clone() } else { Value::Null });
    }
    contents
}

/// Each form that has an answer gets one that fits.
#[tokio::test(flavor = "multi_thread")]
async fn the_stock_handler_fills_each_form() {
    let forms: Vec<_> = all().into_iter().filter(|form| !form.is_refused()).collect();
    assert!(forms.len() > 200, "{}", forms.len());
    let contents = contents(stock_handler().await, &forms).await;
    for (form, content) in forms.iter().zip(contents) {
        assert!(content.is_object(), "{} {} was declined: {}", form.generator, form.name, form.schema);
        let mut required = form.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        assert!(required.all(|name| content.get(name).is_some()), "{content}");
    }
}

/// A handler that knows MCP's own fields alone never breaks a form: it fills in those that are all typed, and declines
/// others.
#[tokio::test(flavor = "multi_thread")]
async fn a_typed_handler_fills_each_form_of_typed_fields() {
    let forms: Vec<_> = all().into_iter().filter(|form| !form.is_refused()).collect();
    let contents = contents(guest(cells(4), "tests/guests/filling").await.unwrap(), &forms).await;
    let declined = |(form, content): (&Form, Value)| content.is_null().then(|| form.name.clone());
    let mut declined: Vec<_> = forms.iter().zip(contents).filter_map(declined).collect();
    declined.sort();
    declined.dedup();
    assert_eq!(declined, OTHER, "these fields are `other`");
}

/// The forms that need a field which none of MCP's cases stands for.
const OTHER: [&str; 58] = [
    "any (draft-2020-12)",
    "base64 (draft-2020-12)",
    "base64url (draft-2020-12)",
    "between (draft-4)",
    "cidrv4 (draft-2020-12)",
    "cuid (draft-2020-12)",
    "cuid2 (draft-2020-12)",
    "decimal",
    "e164 (draft-2020-12)",
    "emails (draft-2020-12)",
    "emoji (draft-2020-12)",
    "ends (draft-2020-12)",
    "enum_numeric (draft-2020-12)",
    "hex (draft-2020-12)",
    "includes (draft-2020-12)",
    "large",
    "list_of_email",
    "literal_number (draft-2020-12)",
    "literal_true (draft-2020-12)",
    "literal_whole",
    "literals_mixed (draft-2020-12)",
    "lowercase (draft-2020-12)",
    "method with a list",
    "method with an object parameter",
    "model_decimal",
    "model_large",
    "model_literal_whole",
    "model_multiple",
    "model_pattern",
    "model_text_or_whole",
    "multiple",
    "multiple (draft-2020-12)",
    "nanoid (draft-2020-12)",
    "password (draft-2020-12)",
    "pattern",
    "positive (draft-4)",
    "regex (draft-2020-12)",
    "regex_long (draft-2020-12)",
    "starts (draft-2020-12)",
    "starts_and_ends (draft-2020-12)",
    "step (draft-2020-12)",
    "struct with a list of numbers",
    "template (draft-2020-12)",
    "text_or_whole",
    "text_set",
    "texts",
    "texts (draft-2020-12)",
    "texts_bounded",
    "texts_bounded (draft-2020-12)",
    "time (draft-2020-12)",
    "tuple (draft-2020-12)",
    "tuple (draft-7)",
    "ulid (draft-2020-12)",
    "union_numbers (draft-2020-12)",
    "union_types (draft-2020-12)",
    "unknown (draft-2020-12)",
    "uppercase (draft-2020-12)",
    "uuidv4 (draft-2020-12)",
];

#[tokio::test]
async fn a_form_that_refers_to_its_parts_is_refused() {
    let server = Server::new(stock_handler().await);
    let refused: Vec<_> = all().into_iter().filter(Form::is_refused).collect();
    assert!(!refused.is_empty());
    for form in refused {
        let answer = answer(&server, &form.schema).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
}

/// A program that writes forms and judges answers.
struct Library {
    program: PathBuf,
    arguments: Vec<String>,
}

impl Library {
    fn python(fastmcp: u32) -> Self {
        let script = repository().join("tests/peers/forms/forms.py");
        Self { program: python_fastmcp(fastmcp).unwrap(), arguments: vec![script.display().to_string()] }
    }

    fn zod() -> Self {
        let script = repository().join("tests/peers/forms/zod.mjs");
        let modules = node_peers().unwrap();
        Self { program: "node".into(), arguments: [script, modules].map(|path| path.display().to_string()).into() }
    }

    fn run<T: DeserializeOwned>(&self, what: &str, input: &Value) -> T {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(what).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{command:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Has the library write its forms, which are those of a file, and judge what both handlers answer.
    async fn judges(&self, name: &str) {
        let forms = file(name);
        let written: Vec<Form> = self.run("forms", &Value::Null);
        assert_eq!(written, forms, "`data/forms/{name}` is not what the library writes");
        let forms: Vec<_> = forms.into_iter().filter(|form| !form.is_refused()).collect();
        for handlers in [stock_handler().await, guest(cells(4), "tests/guests/filling").await.unwrap()] {
            let contents = contents(handlers, &forms).await;
            let given = forms.iter().zip(contents).filter(|(_, content)| !content.is_null());
            let rows: Vec<_> = given
                .map(|(form, content)| json!({ "generator": form.generator, "name": form.name, "content": content }))
                .collect();
            let verdicts: Vec<Option<String>> = self.run("judge", &json!(rows));
            let refused = rows.iter().zip(verdicts).filter_map(|(row, verdict)| Some(format!("{row}: {}", verdict?)));
            let refused: Vec<_> = refused.collect();
            assert!(refused.is_empty(), "{}", refused.join("\n"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pydantic_and_fastmcp_3_take_the_answers() {
    if !peers_skipped("pydantic_and_fastmcp_3_take_the_answers") {
        Library::python(3).judges("fastmcp3.json").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fastmcp_4_takes_the_answers() {
    if !peers_skipped("fastmcp_4_takes_the_answers") {
        Library::python(4).judges("fastmcp4.json").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zod_and_the_typescript_sdk_take_the_answers() {
    if !peers_skipped("zod_and_the_typescript_sdk_take_the_answers") {
        Library::zod().judges("zod.json").await;
    }
}

// ---- What a check costs ----

/// A handler that answers the field `a` with a text of so many bytes, and the host's tasks around it.
fn long_answer(size: usize) -> Handlers {
    let native = NativeHandler::elicitation(move |_, _| async move {
        let content = vec![ElicitEntry { name: "a".to_owned(), value: ElicitValue::Text("a".repeat(size)) }];
        Ok(ElicitResult { action: ElicitAction::Accept(Some(content)), meta: None })
    });
    Handlers::default().native(native).unwrap().managed()
}

/// A form whose field has so many constraints.
fn constrained(count: usize) -> Value {
    let field = json!({ "type": "string", "allOf": vec![json!({ "format": "uri-reference" }); count] });
    json!({ "type": "object", "properties": { "a": field }, "required": ["a"] })
}

/// Constraints times bytes are bounded, for plain requests and for tasks.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_costs_too_much_to_check_is_refused() {
    // 1,000 constraints, of two keywords each with their parts.
    for (size, fits) in [(1_000, true), (100_000, false), (3_000_000, false)] {
        let mut server = Conversation::new(long_answer(size), options());
        let answered = server.ask("elicitation/create", &form("give", &constrained(1_000))).await.unwrap();
        let mut as_task = form("give", &constrained(1_000));
        as_task["task"] = json!({});
        let created = server.ask("elicitation/create", &as_task).await.unwrap();
        let id = created["result"]["task"]["taskId"].as_str().unwrap_or_else(|| panic!("{created}"));
        let result = server.ask_task("tasks/result", id).await.unwrap();
        for answer in [answered, result] {
            assert_eq!(answer.get("result").is_some(), fits, "{size}: {}", answer["error"]);
            if !fits {
                let message = answer["error"]["message"].as_str().unwrap();
                assert_eq!(answer["error"]["code"], -32603, "{message}");
                assert!(message.contains("content.a: the value is too long for what the form"), "{message}");
            }
        }
    }
}

/// What takes long, of a form or of its answer, is done on another thread: a ping in between is answered at once.
#[tokio::test]
async fn costly_forms_keep_nobody_waiting() {
    for (constraints, size) in [(1_000, 1), (100, 20_000), (1_000, 1_000)] {
        let server = Server::new(long_answer(size));
        let request =
            |method: &str, params: &Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let asked = request("elicitation/create", &form("give", &constrained(constraints)));
        let mut asked = std::pin::pin!(server.send(&asked));
        assert!(
            start(asked.as_mut()).await.is_pending(),
            "{constraints} constraints are checked on the runtime's thread"
        );
        let pong = server.send(&request("ping", &json!({}))).await.unwrap();
        assert_eq!(pong["result"], json!({}));
        let answer = soon(asked).await.unwrap().unwrap();
        assert_eq!(answer["result"]["action"], "accept", "{constraints}: {}", answer["error"]);
    }
    // What is short waits for no thread.
    let server = Server::new(long_answer(1));
    let asked =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": form("give", &constrained(5)) });
    assert!(start(std::pin::pin!(server.send(&asked)).as_mut()).await.is_ready());
}

fn form(message: &str, schema: &Value) -> Value {
    json!({ "message": message, "requestedSchema": schema })
}

// ---- schemars ----

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars", inline)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars", inline)]
enum Documented {
    /// The first.
    First,
    /// The second.
    Second,
}

/// Numbers of each size.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[allow(dead_code, reason = "only read")]
struct Numbers {
    u8: u8,
    i32: i32,
    u32: u32,
    i64: i64,
    u64: u64,
    f32: f32,
    f64: f64,
    nonzero: std::num::NonZeroU32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[allow(dead_code, reason = "only read")]
struct Texts {
    text: String,
    letter: char,
    color: Color,
    documented: Documented,
    texts: Vec<String>,
    colors: Vec<Color>,
    set: std::collections::BTreeSet<String>,
    address: std::net::Ipv4Addr,
    any_address: std::net::IpAddr,
    #[schemars(length(min = 5, max = 8))]
    bounded: String,
    #[schemars(regex(pattern = r"^[a-z]{3}$"))]
    pattern: String,
    #[schemars(email)]
    email: String,
    #[schemars(url)]
    url: String,
    flag: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[allow(dead_code, reason = "only read")]
struct Optional {
    text: Option<String>,
    number: Option<i32>,
    color: Option<Color>,
    documented: Option<Documented>,
    texts: Option<Vec<String>>,
    #[serde(default)]
    flag: bool,
    #[serde(default = "seven")]
    seven: u64,
}

fn seven() -> u64 {
    7
}

/// Reads an answer as the type that the form was made of.
type Read = fn(Value) -> Result<(), String>;

fn of<T: JsonSchema + DeserializeOwned>(name: &str, draft: &str, settings: SchemaSettings) -> (Form, Read) {
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let form = Form { generator: format!("schemars ({draft})"), name: name.to_owned(), schema: schema.to_value() };
    (form, |content| serde_json::from_value::<T>(content).map(drop).map_err(|error| error.to_string()))
}

fn schemars() -> Vec<(Form, Read)> {
    let drafts = [("2020-12", SchemaSettings::draft2020_12()), ("draft-07", SchemaSettings::draft07())];
    let forms = drafts.into_iter().flat_map(|(draft, settings)| {
        [
            of::<Numbers>("numbers", draft, settings.clone()),
            of::<Texts>("texts", draft, settings.clone()),
            of::<Optional>("optional", draft, settings),
        ]
    });
    forms.collect()
}

fn of_schemars() -> Vec<Form> {
    schemars().into_iter().map(|(form, _)| form).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_schemars_wrote_is_read_by_serde() {
    let (forms, reads): (Vec<_>, Vec<_>) = schemars().into_iter().unzip();
    let contents = contents(stock_handler().await, &forms).await;
    for ((form, read), content) in forms.iter().zip(reads).zip(contents) {
        assert_eq!(read(content.clone()), Ok(()), "{} {}: {content} {}", form.generator, form.name, form.schema);
    }
}
