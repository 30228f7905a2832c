//! `[handler.model]` of `taskcell.toml`: what the program grants by it, what it says of it, and that nobody sees the
//! key.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use taskcell::grants::Provider;
use taskcell_test_support::cli::{self, Ran};
use taskcell_test_support::compose::component;
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::model_server::{Answer, ModelServer};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const VARIABLE: &str = "TASKCELL_TEST_MODEL_KEY";
const KEY: &str = "sk-correct-horse-battery-staple";
const PARAMS: &str = r#"{"messages":[{"role":"user","content":{"type":"text","text":"hi"}}],"maxTokens":10}"#;

fn model_guest() -> PathBuf {
    build_guest(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/model")).unwrap()
}

/// A configuration in a folder of its own, for the guest that asks the model.
fn configuration(table: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taskcell.toml");
    let path = model_guest();
    fs::write(&file, format!("[[handler]]\npath = '{}'\n[handler.model]\n{table}", path.display())).unwrap();
    (folder, file.to_str().unwrap().to_owned())
}

/// Runs the program with the key in the environment, and every log that it has.
fn run(arguments: &[&str]) -> Ran {
    let output = cli::command(PROGRAM).env(VARIABLE, KEY).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!format!("{ran:?}").contains("correct-horse"), "{arguments:?}: {ran:?}");
    ran
}

fn table(server: &ModelServer) -> String {
    let url = server.base_url();
    format!(
        "provider = 'openai'\nbase-url = '{url}'\nkey = {{ env = '{VARIABLE}' }}\ndefault = 'm'\nallowed = ['m', 'gpt-5*']\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_of_the_file_runs_its_model() {
    let server = ModelServer::start(Answer::text("hello")).await.unwrap();
    let (folder, config) = configuration(&table(&server));
    let call = |config: &str| run(&["-vv", "call", "--config", config, "sampling/createMessage", PARAMS]);
    let answer = call(&config).json().unwrap();
    assert_eq!(answer["result"]["content"]["text"], "hello", "{answer}");
    let asked = server.asked().pop().unwrap();
    assert_eq!((asked.authorization, &asked.body["model"]), (format!("Bearer {KEY}"), &json!("m")));
    // The key from a file, and none.
    fs::write(folder.path().join("key"), "sk-of-a-file\n").unwrap();
    let variable = format!("{{ env = '{VARIABLE}' }}");
    for (key, expected) in [("key = { file = 'key' }", "Bearer sk-of-a-file"), ("", "Bearer none")] {
        let text = fs::read_to_string(&config).unwrap().replace(&format!("key = {variable}"), key);
        let other = folder.path().join("other.toml");
        fs::write(&other, text).unwrap();
        assert_eq!(call(other.to_str().unwrap()).code, Some(0));
        assert_eq!(server.asked().pop().unwrap().authorization, expected);
    }
    // What goes wrong at the provider, in its own words for who wants to know.
    let message = format!("no model m for {KEY}\u{1b}[2J");
    server.answer(Answer::Json(404, json!({ "error": { "message": message } })));
    let ran = call(&config);
    let error = ran.json().unwrap()["error"].clone();
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32603), &json!("model")), "{error}");
    assert!(ran.stderr.contains("no model m for [secret]\u{fffd}[2J"), "{ran:?}");
    server.answer(Answer::Json(401, json!({ "error": { "message": "Incorrect key sk-corr***aple" } })));
    let ran = call(&config);
    assert!(ran.code == Some(1) && !format!("{ran:?}").contains("aple"), "{ran:?}");
}

/// With `run`, also beside a server that sees the environment and an audit log with payloads.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_gets_its_answer_and_no_key() {
    let model = ModelServer::start(Answer::text("hello from the model")).await.unwrap();
    let (folder, config) = configuration(&table(&model));
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (audit, environment) = (path("audit.jsonl"), path("environment"));
    let server = format!("env > {environment}; exec \"$0\" demo-server");
    let options = ["--tasks", "managed", "--audit", &audit, "--audit-payloads", "--tool", "sample_as_task"];
    let ran =
        run(&[&["-vv", "run", "--config", &config], &options[..], &["--", "sh", "-c", &server, PROGRAM]].concat());
    assert!(ran.code == Some(0) && ran.stdout.contains("hello from the model"), "{ran:?}");
    let seen = fs::read_to_string(environment).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains(VARIABLE) && !seen.contains(KEY), "{seen}");
    let audit = fs::read_to_string(audit).unwrap();
    assert!(!audit.contains(KEY), "{audit}");
    let lines = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let calls: Vec<_> = lines.filter(|line| line["event"] == "model").collect();
    assert_eq!(calls.len(), 1, "{audit}");
    assert_eq!(
        (&calls[0]["outcome"], &calls[0]["inputTokens"], &calls[0]["outputTokens"]),
        (&json!("ok"), &json!(10), &json!(5))
    );
    assert!(calls[0]["task"].is_string() && calls[0]["server"].is_string(), "{}", calls[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn inspect_shows_the_grant_and_its_guards() {
    let server = ModelServer::start(Answer::Never).await.unwrap();
    let (_folder, config) = configuration(&(table(&server) + "timeout = '30s'\nsession-tokens = 5000\n"));
    let document = &run(&["-vv", "inspect", "--json", "--config", &config]).json().unwrap()[0];
    let import = document["imports"].as_array().unwrap().iter().find(|import| import["grant"] == "model").unwrap();
    assert_eq!(import["granted"], format!("{config}:3:1"), "{import}");
    let model = json!({
        "provider": "openai", "base-url": server.base_url(), "insecure": "false",
        "key": format!("secret from the environment variable {VARIABLE} at {config}:6:7"),
        "default": "m", "effort": "the provider's own", "allowed": "m, gpt-5*", "max-tokens": "4096", "requests-per-minute": "60", "session-tokens": "5000",
        "calls": "4", "timeout": "30s", "answer-size": "4194304", "metadata": "false",
    });
    assert_eq!(document["model"], model);
    let ran = run(&["inspect", "--config", &config]);
    for words in [&format!("grant model granted: {config}:3:1") as &str, "\nmodel\n", "session-tokens", "m, gpt-5*"] {
        assert!(ran.stdout.contains(words), "{words} is not in {ran:?}");
    }
    assert!(server.asked().is_empty());
}

/// What is wrong is said with its place, and never what stands where a key would.
#[test]
fn a_wrong_table_names_its_place() {
    let all = Provider::names().join(", ");
    #[rustfmt::skip]
    let table: [(&str, &str, &[&str]); 20] = [
        ("",                                            ":3:1: ",  &["missing field `provider`"]),
        ("provider = 'openai'",                         ":3:1: ",  &["missing field `default`"]),
        ("provider = 'openia'\ndefault = 'm'",          ":4:12: ", &["no such provider", &all]),
        ("BASE\nno-such-key = 1",                       ":6:1: ",  &["unknown field `no-such-key`", "`requests-per-minute`"]),
        ("BASE\nkey = 'sk-correct-horse'",              ":6:7: ",  &["`key` is { env = ", "not shown"]),
        ("BASE\nkey = { env = 'sk-correct-horse' }",    ":6:7: ",  &["`env` takes the name", "not shown"]),
        ("BASE\nkey = { value = 'sk-correct-horse' }",  ":6:9: ",  &["unknown field `value`"]),
        ("BASE\nkey = { env = 'A', file = 'b' }",       ":6:7: ",  &["`key` is { env = "]),
        ("BASE\nallowed = ['x*']",                      ":5:11: ", &["none of those that are allowed"]),
        ("BASE\nallowed = ['m', '']",                   ":6:11: ", &["1 to 200 characters"]),
        ("BASE\nbase-url = 'http://example.org/v1/'",   ":6:12: ", &["in clear to another machine", "`insecure = true`"]),
        ("BASE\nbase-url = 'https://a:b@example.org/'", ":6:12: ", &["no user and no password"]),
        ("BASE\nbase-url = 'file:///etc/passwd'",       ":6:12: ", &["begins with https:// or http://"]),
        ("BASE\nmax-tokens = 0",                        ":6:14: ", &["0 is not between 1 and 10000000"]),
        ("BASE\nrequests-per-minute = 0",               ":6:23: ", &["0 is not between 1 and"]),
        ("BASE\nsession-tokens = -1",                   ":6:18: ", &["a whole number that is not negative"]),
        ("BASE\ncalls = 0",                             ":6:9: ",  &["0 is not between 1 and 10000"]),
        ("BASE\ntimeout = '1h'",                        ":6:11: ", &["3600s is not between 100ms and 900s"]),
        ("BASE\ntimeout = 30",                          ":6:11: ", &["a time as text"]),
        ("BASE\nanswer-size = 1",                       ":6:15: ", &["1 is not between 1024 and"]),
    ];
    for (lines, place, words) in table {
        let (_folder, config) = configuration(&lines.replace("BASE", "provider = 'openai'\ndefault = 'm'"));
        for command in [&["call", "ping"] as &[_], &["inspect"]] {
            let ran = run(&[command, &["--config", &config]].concat());
            assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{lines}: {ran:?}");
            assert!(ran.stderr.contains(&format!("{config}{place}")), "{lines}: {ran:?}");
            for word in words {
                assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
            }
        }
    }
    let insecure = "provider = 'openai'\ndefault = 'm'\nbase-url = 'http://example.org/v1/'\ninsecure = true";
    assert_eq!(run(&["inspect", "--config", &configuration(insecure).1]).code, Some(0));
}

/// A key that is not there, a grant without a table, and a flag: each says what would be right.
#[test]
fn what_is_missing_is_named() {
    let fails = |config: &str, words: &[&str]| {
        let ran = run(&["call", "--config", config, "ping"]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{ran:?}");
        words.iter().for_each(|word| assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}"));
    };
    let base = "provider = 'openai'\ndefault = 'm'\n";
    let (_folder, config) = configuration(&format!("{base}key = {{ env = 'TASKCELL_NOT_SET' }}"));
    fails(&config, &[&format!("{config}:6:7: "), "TASKCELL_NOT_SET, which the key of the model is from, is not set"]);
    let (folder, config) = configuration(&format!("{base}key = {{ file = 'key' }}"));
    fails(&config, &[&format!("{config}:6:7: "), "cannot be read"]);
    fs::write(folder.path().join("key"), "sk-correct-horse\nand more").unwrap();
    fails(&config, &[&format!("{config}:6:7: "), "nothing between them"]);

    let needing = folder.path().join("it.wasm");
    fs::write(&needing, component(&["roots"], &["model"]).unwrap()).unwrap();
    let needing = needing.to_str().unwrap();
    for flags in [&["--grant", "model"] as &[_], &[]] {
        let ran = run(&[&["call", "--handler", needing], flags, &["ping"]].concat());
        assert!(ran.code == Some(2) && ran.stderr.contains("--config FILE, with a table [handler.model]"), "{ran:?}");
    }
}
