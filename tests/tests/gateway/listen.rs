//! The program `taskcell proxy --listen`: clients that connect by URL.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use taskcell_test_support::cli;
use taskcell_test_support::http_server::client;

use super::ends::initialize;
use super::program::PROGRAM;

const SERVER: &str = env!("CARGO_BIN_EXE_fake-server");
const ROOTS: &str = r#"script={"roots":[{"uri":"file:///from-the-handler"}],"sampling":[{"answer":"yes"}]}"#;
const FIRST: &str = "0123456789abcdef0123456789abcdef";
const SECOND: &str = "fedcba9876543210fedcba9876543210";

/// A running proxy that listens, ended on drop.
pub(crate) struct Listening {
    process: Child,
    pub(crate) url: String,
}

impl Listening {
    /// Starts a proxy on a free port, and waits until it listens.
    pub(crate) fn start(options: &[&str], variables: &[(&str, &str)], server: &[&str]) -> Self {
        let mut command = cli::command(PROGRAM);
        command.args(["proxy", "--listen", "127.0.0.1:0"]).args(options).arg("--").args(server);
        command.envs(variables.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let (to, lines) = mpsc::channel();
        // Reads on, so that the program never waits for room.
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|line| drop(to.send(line))));
        let url = loop {
            let line = lines.recv_timeout(Duration::from_secs(60)).expect("it does not listen");
            if let Some((_, url)) = line.split_once("clients are served at ") {
                break url.trim().to_owned();
            }
        };
        Self { process, url }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = cli::signal(&self.process, "TERM");
        let _ = self.process.wait();
    }
}

/// A session of a client without capabilities.
struct Session<'a> {
    url: &'a str,
    id: Option<String>,
    token: Option<&'a str>,
}

impl<'a> Session<'a> {
    async fn begin(url: &'a str, token: Option<&'a str>) -> Result<Self> {
        let mut session = Self { url, id: None, token };
        let response = session.post(&initialize("a client", json!({}))).await?;
        ensure!(response.status() == 200, "{}: {}", response.status(), response.text().await?);
        session.id = Some(response.headers()["mcp-session-id"].to_str()?.to_owned());
        session.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
        Ok(session)
    }

    async fn post(&self, body: &str) -> Result<reqwest::Response> {
        let mut request = client().post(self.url).body(body.to_owned()).header("content-type", "application/json");
        request = request.header("accept", "application/json, text/event-stream").timeout(Duration::from_secs(60));
        if let Some(id) = &self.id {
            request = request.header("mcp-session-id", id);
        }
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        Ok(request.send().await?)
    }

    /// Calls the tool, which says what the server received.
    async fn call(&self) -> Result<Vec<Value>> {
        let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "go" } });
        let body = self.post(&call.to_string()).await?.text().await?;
        let data = body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        let mut messages = data.chain([body.as_str()]).filter_map(|text| serde_json::from_str::<Value>(text).ok());
        let answer = messages.find(|message| message["id"] == 7).with_context(|| body.clone())?;
        let text = answer["result"]["content"][0]["text"].as_str().with_context(|| answer.to_string())?;
        Ok(serde_json::from_str(text)?)
    }
}

fn response(received: &[Value], id: &str) -> Value {
    received.iter().find(|message| message["id"] == id).unwrap_or_else(|| panic!("{received:?}")).clone()
}

#[tokio::test]
async fn a_handler_answers_for_clients_that_connect_by_url() -> Result<()> {
    let ask = r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#;
    let script = json!({ "on": { "tools/call": [ask, { "await": "q" }, { "received": true }] } }).to_string();
    let proxy = Listening::start(&["--set", ROOTS], &[], &[SERVER, "script", &script]);
    let (one, two) = (Session::begin(&proxy.url, None).await?, Session::begin(&proxy.url, None).await?);
    for session in [&one, &two, &one] {
        let received = session.call().await?;
        assert_eq!(response(&received, "q")["result"]["roots"][0]["uri"], "file:///from-the-handler");
    }
    // A server for each session: none has two clients.
    let initialized = |received: &[Value]| received.iter().filter(|message| message["method"] == "initialize").count();
    assert_eq!(initialized(&two.call().await?), 1);
    Ok(())
}

/// The tasks of one token are not listed to the server of another, though both are kept in one store.
#[tokio::test]
async fn each_token_has_tasks_of_its_own() -> Result<()> {
    let params = json!({ "messages": [], "maxTokens": 1, "task": { "ttl": 60_000 } });
    let make =
        json!({ "jsonrpc": "2.0", "id": "make", "method": "sampling/createMessage", "params": params }).to_string();
    let list = r#"{"jsonrpc":"2.0","id":"list","method":"tasks/list"}"#;
    let script =
        json!({ "on": { "tools/call": [make, { "await": "make" }, list, { "await": "list" }, { "received": true }] } });
    let options =
        ["--set", ROOTS, "--tasks", "managed", "--client-token", "one=TOKEN_ONE", "--client-token", "two=TOKEN_TWO"];
    let variables = [("TOKEN_ONE", FIRST), ("TOKEN_TWO", SECOND)];
    let proxy = Listening::start(&options, &variables, &[SERVER, "script", &script.to_string()]);
    let tasks = |received: &[Value]| response(received, "list")["result"]["tasks"].as_array().map(Vec::len);
    let one = Session::begin(&proxy.url, Some(FIRST)).await?;
    assert_eq!(tasks(&one.call().await?), Some(1));
    let two = Session::begin(&proxy.url, Some(SECOND)).await?;
    assert_eq!(tasks(&two.call().await?), Some(1));
    // Another session of the first principal finds what is its own.
    let again = Session::begin(&proxy.url, Some(FIRST)).await?;
    assert_eq!(tasks(&again.call().await?), Some(2));
    assert!(Session::begin(&proxy.url, None).await.is_err(), "no token");
    Ok(())
}

#[tokio::test]
async fn a_server_that_ends_at_once_is_an_error_and_no_session() -> Result<()> {
    let proxy = Listening::start(&[], &[], &["sh", "-c", "exit 3"]);
    let session = Session { url: &proxy.url, id: None, token: None };
    let response = session.post(&initialize("a client", json!({}))).await?;
    assert!(!response.headers().contains_key("mcp-session-id"));
    let error = response.text().await?;
    assert!(error.contains("-32603") && error.contains("exit status: 3"), "{error}");
    Ok(())
}

#[test]
fn flags_without_an_address_and_unsafe_addresses_are_refused() {
    for (options, says) in [
        (&["--host", "gateway.example"][..], "--listen ADDRESS"),
        (&["--listen", "0.0.0.0:0"], "127.0.0.1"),
        (&["--listen", "0.0.0.0:0", "--allow-remote"], "token"),
        (&["--listen", "127.0.0.1:0", "--client-token", "one=NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
        (&["--listen", "127.0.0.1:0", "--client-token", "one"], "NAME=VARIABLE"),
        (&["--listen", "localhost"], "--listen"),
    ] {
        let ran = cli::run(PROGRAM, &[&["proxy"], options, &["--", SERVER]].concat()).unwrap();
        assert_ne!(ran.code, Some(0), "{options:?}");
        assert!(ran.stderr.contains(says), "{options:?}: {}", ran.stderr);
    }
}
