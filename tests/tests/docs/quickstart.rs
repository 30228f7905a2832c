//! `docs/quickstart.md`, as it is written: each command is run, in its order, and shows what the page says.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use taskcell_test_support::cli;
use taskcell_test_support::provision::{language_skipped, node_peers, node_tools, peers_skipped, repository};
use taskcell_test_support::pty::AtTerminal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
/// How the page starts the server.
const SERVER: [&str; 4] = ["npx", "-y", "@modelcontextprotocol/server-everything", "stdio"];

/// The commands of a page, each in words as a shell takes them.
fn commands(page: &str) -> Vec<Vec<String>> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("    "));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    joined.lines().map(words).filter(|words| !words.is_empty()).collect()
}

/// Words between blanks; what stands in single quotes is one.
fn words(line: &str) -> Vec<String> {
    let parts: Vec<_> = line.split('\'').collect();
    assert!(parts.len() % 2 == 1, "a quote is not closed: {line}");
    let mut words = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// What a command must show on stdout; by a part of its line.
const SHOWS: [(&str, &[&str]); 8] = [
    ("taskcell doctor", &["ok"]),
    ("taskcell demo", &["steps came out right"]),
    ("taskcell run -- ", &["echo", "message: string", "trigger-sampling-request", "prompt: string"]),
    ("taskcell run --tool trigger-sampling-request --arg prompt=hello -- ", &["Scripted answer to", "hello"]),
    ("taskcell build", &["handler.wasm"]),
    ("taskcell call handler.wasm", &["You said: hello"]),
    ("taskcell run --handler handler.wasm --tool trigger-sampling-request ", &["You said"]),
    ("taskcell run --handler handler.wasm --tasks managed", &["You said", "COMPLETED"]),
];

/// The words of the page with the programs that the tests have; none for a step that is made beforehand.
struct Walk {
    folder: PathBuf,
    server: Vec<String>,
    path: OsString,
}

impl Walk {
    fn command(&self, words: &[String]) -> Command {
        let mut words = words.to_vec();
        if let Some(at) = words.windows(SERVER.len()).position(|four| four == SERVER) {
            words.splice(at..at + SERVER.len(), self.server.iter().cloned());
        }
        let mut command = cli::command(PROGRAM);
        command.args(&words[1..]).current_dir(&self.folder).env("PATH", &self.path);
        command
    }
}

/// Each command of the page does what the page says. The tools that `npm ci` installs are there beforehand.
#[test]
fn the_page_is_true() {
    if peers_skipped("the_page_is_true") || language_skipped("javascript", "the_page_is_true") {
        return;
    }
    let page = fs::read_to_string(repository().join("docs/quickstart.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = node_peers().unwrap().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([node_tools().unwrap()].into_iter().chain(env::split_paths(&others))).unwrap();
    let server = ["node".to_owned(), script.display().to_string(), "stdio".to_owned()];
    let mut walk = Walk { folder: folder.path().to_owned(), server: server.into(), path };
    let mut shown = 0;
    for words in commands(&page) {
        let line = words.join(" ");
        match words[0].as_str() {
            "cargo" => assert_eq!(line, "cargo install --path host/cli --locked"),
            "npm" => assert!(walk.folder.join("package-lock.json").exists(), "there is nothing for `{line}`"),
            "cd" => walk.folder = walk.folder.join(&words[1]),
            "taskcell" if line.contains("--ask") => ask(walk.command(&words)),
            "taskcell" => {
                let output = walk.command(&words).output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout);
                let log = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{line}: {}\n{said}\n{log}", output.status);
                assert!(!log.contains("EPIPE"), "{line}: {log}");
                for (_, expected) in SHOWS.iter().filter(|(part, _)| line.starts_with(part)) {
                    shown += 1;
                    for word in *expected {
                        assert!(said.contains(word), "{line}: no {word:?} in\n{said}\n{log}");
                    }
                }
            }
            other => panic!("the page has a command that nobody runs: {other}"),
        }
    }
    assert!(shown >= SHOWS.len(), "a command of the table is not on the page");
}

/// The person answers the form by declining it.
fn ask(mut command: Command) {
    command.env("TERM", "xterm");
    let mut person = AtTerminal::start(command).unwrap();
    person.expect("Do you want to answer?").unwrap();
    // Keys count once the question has been there for a while.
    std::thread::sleep(Duration::from_secs(1));
    person.keys("\u{1b}").unwrap();
    let (code, said) = person.end().unwrap();
    assert_eq!(code, Some(0), "{said} {}", person.text());
}

/// The README and the page install the program in the same way, from the folder that has it.
#[test]
fn the_install_line_is_that_of_the_repository() {
    const LINE: &str = "cargo install --path host/cli --locked";
    for file in ["README.md", "docs/quickstart.md"] {
        let text = fs::read_to_string(repository().join(file)).unwrap();
        assert!(text.lines().any(|line| line.trim() == LINE), "{file} does not say {LINE}");
    }
    let manifest = fs::read_to_string(repository().join("host/cli/Cargo.toml")).unwrap();
    assert!(manifest.contains("[[bin]]\nname = \"taskcell\""));
    assert!(Path::new(&repository().join("Cargo.lock")).exists());
}
