//! SDK clients and real servers, unmodified, with the proxy between them.

use std::path::PathBuf;
use std::process::Command;

use taskcell_test_support::cli;
use taskcell_test_support::provision::{node_peers, peers_skipped, python_peers};

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

fn server_everything() -> Vec<String> {
    let script = node_peers().unwrap().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    ["node".to_owned(), script.display().to_string(), "stdio".to_owned()].into()
}

/// Calls a tool from a client, with or without capabilities, and returns what the tool says.
fn called(client: &Client, capabilities: &str, proxy: &[&str], tool: &str) -> String {
    let [program, arguments @ ..] = &client.command[..] else { panic!() };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args([capabilities, tool, PROGRAM, "proxy"])
        .args(proxy)
        .arg("--")
        .args(server_everything());
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

/// A client without any capability gets each tool, and the handler answers what it asks. A client with all of them
/// answers itself. With the rule `handler` it is overruled.
#[test]
fn sdk_clients_reach_server_everything() {
    if peers_skipped("sdk_clients_reach_server_everything") {
        return;
    }
    for client in clients() {
        for (tool, words) in TOOLS {
            for (capabilities, rules, by) in [
                ("none", &[][..], "handler"),
                ("all", &[], "client"),
                (
                    "all",
                    &[
                        "--answer",
                        "sampling=handler",
                        "--answer",
                        "elicitation-form=handler",
                        "--answer",
                        "roots=handler",
                    ],
                    "handler",
                ),
            ] {
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
