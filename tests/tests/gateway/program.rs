//! The program `taskcell proxy` between a client on its pipes and a server that it starts.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use taskcell_test_support::cli::{self, Ran};

use super::ends::initialize;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SERVER: &str = env!("CARGO_BIN_EXE_fake-server");
/// Longest time to wait for a line.
const SOON: Duration = Duration::from_secs(60);

/// A running proxy, whose client is the test.
pub(crate) struct Proxy {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Proxy {
    fn start(options: &[&str], server: &[&str]) -> Self {
        Self::with_arguments(&[options, &["--"], server].concat(), &[])
    }

    /// Starts `taskcell proxy` with all its arguments, and environment variables.
    pub(crate) fn with_arguments(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = cli::command(PROGRAM);
        command.arg("proxy").args(arguments).envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (to, lines) = mpsc::channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
        Self { process, lines }
    }

    fn with_script(options: &[&str], script: &Value) -> Self {
        Self::start(options, &[SERVER, "script", &script.to_string()])
    }

    pub(crate) fn send(&mut self, line: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.recv_timeout(SOON).expect("nothing comes")).unwrap()
    }

    fn initialize(&mut self, capabilities: Value) {
        self.send(&initialize("a client", capabilities));
        assert_eq!(self.next()["result"]["serverInfo"]["name"], "fake-server");
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    }

    fn call(&mut self, id: u32) {
        self.send(
            &json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "go" } }).to_string(),
        );
    }

    /// Closes stdin and waits for the end.
    pub(crate) fn end(mut self) -> Ran {
        drop(self.process.stdin.take());
        let output = self.process.wait_with_output().unwrap();
        let stdout = self.lines.iter().collect::<Vec<_>>().join("\n");
        Ran { code: output.status.code(), stdout, stderr: String::from_utf8(output.stderr).unwrap() }
    }
}

/// A script whose tool asks for the roots and says what it received.
fn asks_for_roots() -> Value {
    let ask = r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#;
    json!({ "on": { "tools/call": [ask, { "await": "q" }, { "received": true }] } })
}

/// What the server received, as its tool says.
fn received(answer: &Value) -> Vec<Value> {
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    serde_json::from_str(text).unwrap()
}

const ROOTS: &str = r#"script={"roots":[{"uri":"file:///from-the-handler"}]}"#;

#[test]
fn a_client_without_capabilities_is_answered_for() {
    let mut proxy = Proxy::with_script(&["--set", ROOTS], &asks_for_roots());
    proxy.initialize(json!({}));
    proxy.call(1);
    let received = received(&proxy.next());
    let answer = received.iter().find(|message| message["id"] == "q").unwrap();
    assert_eq!(answer["result"]["roots"][0]["uri"], "file:///from-the-handler");
    assert!(received[0]["params"]["capabilities"]["sampling"].is_object(), "{}", received[0]);
    let ran = proxy.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.contains("server asked roots/list"), "{ran:?}");
}

/// Without a handler, nobody answers for the client: least of all with canned answers.
#[test]
fn without_handlers_nothing_is_added() {
    let mut proxy = Proxy::with_script(&[], &json!({ "on": { "tools/call": [{ "received": true }] } }));
    proxy.initialize(json!({ "roots": {} }));
    proxy.call(1);
    assert_eq!(received(&proxy.next())[0]["params"]["capabilities"], json!({ "roots": {} }));
}

#[test]
fn foreign_lines_of_the_server_are_skipped_and_named() {
    let start: Vec<_> = (0..20).map(|line| json!(format!("banner {line}"))).collect();
    let mut proxy = Proxy::with_script(&[], &json!({ "start": start }));
    proxy.initialize(json!({}));
    proxy.call(1);
    assert_eq!(proxy.next()["result"]["content"][0]["text"], "ok");
    let ran = proxy.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.contains("banner 4") && !ran.stderr.contains("banner 5"), "{ran:?}");
    assert!(ran.stderr.contains("more such lines"), "{ran:?}");
}

#[test]
fn a_server_that_dies_is_named_and_started_again() {
    let log = "Error: the disk is full\n".bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let script = json!({ "on": { "tools/call": [{ "err": log }, { "exit": 3 }] } });
    let mut proxy = Proxy::with_script(&[], &script);
    proxy.initialize(json!({}));
    proxy.call(1);
    let error = proxy.next();
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(1), &json!(-32603)), "{error}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("exit status: 3") && message.contains("Error: the disk is full"), "{message}");
    proxy.send(&json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }).to_string());
    let list = proxy.next();
    assert_eq!((&list["id"], &list["result"]["tools"][0]["name"]), (&json!(2), &json!("go")), "{list}");
    assert_eq!(proxy.end().code, Some(0));
}

/// A server that does not end by itself is ended, and what it said before is passed on.
#[test]
fn the_server_ends_with_its_client() {
    let last = r#"{"jsonrpc":"2.0","method":"notifications/last"}"#;
    for script in [
        json!({ "on": { "notifications/initialized": [last, { "deaf": 600 }] } }),
        json!({ "on": { "notifications/initialized": [last] } }),
    ] {
        let mut proxy = Proxy::with_script(&[], &script);
        proxy.initialize(json!({}));
        let ran = proxy.end();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), last), "{ran:?}");
    }
}

#[test]
fn a_signal_ends_both() {
    let mut proxy = Proxy::with_script(&[], &json!({}));
    proxy.initialize(json!({}));
    assert!(cli::signal(&proxy.process, "TERM").unwrap());
    let output = proxy.process.wait().unwrap();
    assert_eq!(output.code(), Some(0));
}

#[test]
fn everything_for_people_can_go_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("proxy.log");
    let mut proxy = Proxy::with_script(&["--log", log.to_str().unwrap()], &json!({ "start": ["hello"] }));
    proxy.initialize(json!({}));
    let ran = proxy.end();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(std::fs::read_to_string(log).unwrap().contains("hello"));
}

/// A client without any capability gets each step of the demo answered.
#[test]
fn the_demo_shows_a_client_without_capabilities() {
    let ran = cli::run(PROGRAM, &["demo", "--proxy"]).unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.ends_with("7 of 7 steps came out right\n"), "{ran:?}");
    assert!(ran.stderr.contains("declared     {}\n"), "{ran:?}");
}

fn explain(options: &[&str]) -> Ran {
    cli::run(PROGRAM, &[&["proxy", "--explain"], options].concat()).unwrap()
}

#[test]
fn the_plan_is_explained_without_either_side() {
    let ran = explain(&[
        "--set",
        ROOTS,
        "--client",
        "claude-ai",
        "--client-capabilities",
        r#"{"elicitation":{},"sampling":{}}"#,
        "--answer",
        "sampling=off",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for words in [
        r#"client claude-ai: {"elicitation":{},"sampling":{}}"#,
        "sampling                        off                 nobody (refused)     switched off",
        "elicitation by form             auto                handler              claude-ai declares it and never answers (declared and never drawn: claude-code#88901",
        "roots                           auto                handler              the client did not declare it; a handler exports it",
    ] {
        assert!(ran.stdout.contains(words), "{words:?} is not in {}", ran.stdout);
    }
    let ran = explain(&["--answer", "sampling=person"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("needs the inbox"), "{ran:?}");
    let ran = cli::run(PROGRAM, &["proxy"]).unwrap();
    assert!(ran.code == Some(2) && ran.stderr.contains("no server was given"), "{ran:?}");
}

#[test]
fn a_configuration_has_the_server_and_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taskcell.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let config = file.to_str().unwrap();
    write(
        "[proxy]\ncommand = [\"no-such-server\"]\npatience = \"5s\"\nprotocol = \"auto\"\n[proxy.answer]\nroots = \"off\"\n\
         [[proxy.client]]\nname = \"quiet\"\ndead = [\"elicitation\"]\n",
    );
    let ran = explain(&["--config", config, "--client", "quiet", "--client-capabilities", r#"{"elicitation":{}}"#]);
    assert!(ran.stdout.contains("quiet declares it and never answers (the configuration)"), "{ran:?}");
    assert!(ran.stdout.contains("roots                           off "), "{ran:?}");
    let ran = cli::run(PROGRAM, &["proxy", "--config", config]).unwrap();
    assert!(ran.code == Some(2) && ran.stderr.contains("no-such-server cannot be started"), "{ran:?}");
    for (text, error) in [
        ("[proxy]\nurl = 7\n", "taskcell.toml:2:1"),
        ("[proxy.answer]\nsmapling = \"off\"\n", "unknown field `smapling`"),
        ("[proxy.answer]\nroots = \"any\"\n", "taskcell.toml:2:9: \"any\" is no rule: expected one of auto, client"),
        ("[proxy.answer]\nroots = \"person\"\n", "taskcell.toml:2:9: the rule `person` needs the inbox"),
        ("[[proxy.client]]\nname = \"x\"\ndead = [\"all\"]\n", "taskcell.toml:3:9: \"all\" is no kind of question"),
    ] {
        write(text);
        let ran = explain(&["--config", config]);
        assert!(ran.code == Some(2) && ran.stderr.contains(error), "{error:?} is not in {ran:?}");
    }
}
