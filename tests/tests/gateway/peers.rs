//! SDK clients and real servers, unmodified, with the proxy between them.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use taskcell_test_support::cli;
use taskcell_test_support::provision::{node_peers, peers_skipped, python_peers};

use super::listen::Listening;
use super::program::PROGRAM;

/// Script of the stock handler: answers that are told from a client's own.
const SCRIPT: &str = r#"script={"sampling":[{"answer":"from the handler"}],"roots":[{"uri":"file:///from-the-handler"}],"elicitation":[{"content":{"name":"from the handler"}}]}"#;

/// Tools of server-everything that ask, and the words of the answer in what they say.
const TOOLS: [(&str, &str); 3] = [
    ("trigger-sampling-request", "from the "),
    ("trigger-elicitation-request", "from the "),
    ("get-roots-list", "from-the-"),
];

/// A client: its command, without the server's.
struct Client {
    name: &'static str,
    command: Vec<String>,
}

fn clients() -> [Client; 2] {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers");
    let node = node_peers().unwrap();
    // Modules are found beside the file.
    let script = node.join("client.mjs");
    std::fs::copy(folder.join("node/client.mjs"), &script).unwrap();
    let python = python_peers().unwrap();
    [
        Client { name: "TypeScript 1.32.2", command: vec!["node".to_owned(), script.display().to_string()] },
        Client {
            name: "Python 1.30.0",
            command: vec![python.display().to_string(), folder.join("python/client.py").display().to_string()],
        },
    ]
}

fn server_everything(mode: &str) -> Vec<String> {
    let script = node_peers().unwrap().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    ["node".to_owned(), script.display().to_string(), mode.to_owned()].into()
}

/// Calls a tool of server-everything over stdio from a client, with or without capabilities, and returns what the tool
/// says.
fn called(client: &Client, capabilities: &str, proxy: &[&str], tool: &str) -> String {
    let words = [&[PROGRAM, "proxy"], proxy, &["--"]].concat();
    let words = words.into_iter().map(str::to_owned);
    called_at(client, capabilities, &words.chain(server_everything("stdio")).collect::<Vec<_>>(), tool)
}

/// Calls a tool like [`called`], of a server that is a command line or a URL.
fn called_at(client: &Client, capabilities: &str, server: &[String], tool: &str) -> String {
    let [program, arguments @ ..] = &client.command[..] else { panic!() };
    let mut command = Command::new(program);
    command.args(arguments).args([capabilities, tool]).args(server);
    for (name, value) in cli::command(PROGRAM).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {text}{}", client.name, String::from_utf8_lossy(&output.stderr));
    text
}

/// Rules by which handlers overrule a client.
const HANDLERS: [&str; 6] =
    ["--answer", "sampling=handler", "--answer", "elicitation-form=handler", "--answer", "roots=handler"];

/// Capabilities of a client, the rules, and who answers.
const CASES: [(&str, &[&str], &str); 3] =
    [("none", &[], "handler"), ("all", &[], "client"), ("all", &HANDLERS, "handler")];

/// A client without any capability gets each tool, and the handler answers what it asks. A client with all of them
/// answers itself. With the rule `handler` it is overruled.
#[test]
fn sdk_clients_reach_server_everything() {
    if peers_skipped("sdk_clients_reach_server_everything") {
        return;
    }
    for client in clients() {
        for (tool, words) in TOOLS {
            for (capabilities, rules, by) in CASES {
                let options = [&["--set", SCRIPT], rules].concat();
                let text = called(&client, capabilities, &options, tool);
                let expected = format!("{words}{by}");
                assert!(
                    text.contains(&expected),
                    "{} {capabilities} {tool}: {expected:?} is not in {text}",
                    client.name
                );
            }
        }
        // Without handlers, a weak client is as weak as before.
        let text = called(&client, "none", &[], "tools");
        assert!(!text.contains("trigger-sampling-request"), "{}: {text}", client.name);
    }
}

/// A server over streamable HTTP, behind a client over stdio that has no capability.
#[test]
fn a_server_over_http_gets_its_answers() {
    if peers_skipped("a_server_over_http_gets_its_answers") {
        return;
    }
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let [program, arguments @ ..] = &server_everything("streamableHttp")[..] else { panic!() };
    let mut command = Command::new(program);
    command.args(arguments).env("PORT", port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = KillOnDrop(command.spawn().unwrap());
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(server.0.try_wait().unwrap().is_none(), "the server ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    let url = format!("http://127.0.0.1:{port}/mcp");
    let [client, _] = clients();
    for (tool, words) in TOOLS {
        let proxy = [PROGRAM, "proxy", "--set", SCRIPT, "--url", &url].map(str::to_owned);
        let text = called_at(&client, "none", &proxy, tool);
        assert!(text.contains(&format!("{words}handler")), "{tool}: {text}");
    }
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Both fail only when the server has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The same over streamable HTTP: each session has a server of its own.
#[test]
fn sdk_clients_reach_server_everything_by_http() {
    if peers_skipped("sdk_clients_reach_server_everything_by_http") {
        return;
    }
    for (capabilities, rules, by) in CASES {
        let server = server_everything("stdio");
        let server: Vec<_> = server.iter().map(String::as_str).collect();
        let proxy = Listening::start(&[&["--set", SCRIPT], rules].concat(), &[], &server);
        for client in clients() {
            for (tool, words) in TOOLS {
                let text = called_at(&client, capabilities, std::slice::from_ref(&proxy.url), tool);
                let expected = format!("{words}{by}");
                assert!(
                    text.contains(&expected),
                    "{} {capabilities} {tool}: {expected:?} is not in {text}",
                    client.name
                );
            }
        }
    }
}
