//! A client that is killed at any moment loses no task that it acknowledged.
//!
//! A real process over a store in a file, killed hundreds of times with SIGKILL while a server makes tasks, reads them
//! and takes their results. The server remembers all that it was told (`tests/src/bin/task-server.rs`) and checks it
//! against the next life of the client.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskcell_test_support::cli::command;
use taskcell_test_support::guests::build_guest_for;
use taskcell_test_support::provision::repository;

const LIVES: u32 = 150;
const GUARD: Duration = Duration::from_secs(120);

/// What the client is run with.
struct Client {
    folder: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Client {
    fn new(mode: &str, handler: Option<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = json!({ "sampling": [{ "match": "count", "answer": "attempt {attempt}", "delayMs": 15 }] });
        std::fs::write(folder.path().join("script"), script.to_string()).unwrap();
        let config = format!(
            "tasks = \"{mode}\"\nstore = \"tasks.db\"\nprincipal = \"kill\"\n[task-limits]\nlease = \"250ms\"\n\
             attempts = 1000000\ntasks = 1000000\nrate = 1000000\nburst = 1000000\n"
        );
        std::fs::write(folder.path().join("taskcell.toml"), config).unwrap();
        let mut arguments = vec!["run".to_owned(), "--quiet".to_owned(), "--timeout".to_owned(), "100".to_owned()];
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--config", folder.path().join("taskcell.toml").display().to_string());
        option("--set", format!("script=@{}", folder.path().join("script").display()));
        if let Some(handler) = handler {
            option("--handler", handler.display().to_string());
            option("--grant", "progress".to_owned());
        }
        Self { folder, arguments }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// How many tasks have not ended, whoever knows of them.
    fn working(&self) -> usize {
        let mut command = command(env!("CARGO_BIN_EXE_taskcell-cli"));
        let store = self.folder.path().join("tasks.db");
        command.args(["tasks", "list", "--json", "--status", "working", "--store"]).arg(store);
        let listed: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        listed["tasks"].as_array().unwrap().len()
    }

    fn start(&self, tool: &str) -> Child {
        let mut command = command(env!("CARGO_BIN_EXE_taskcell-cli"));
        command.env_remove("TASKCELL_STORE").args(&self.arguments).args(["--tool", tool, "--"]);
        command.arg(env!("CARGO_BIN_EXE_task-server")).arg(self.journal());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// The lines of the journal that are about something.
fn lines(journal: &Path, about: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(journal).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get(about).is_some()).collect()
}

/// Waits until something is so. The only thing to watch is a file that another process writes.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < GUARD, "{what} never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn survives(mode: &str, handler: Option<PathBuf>) {
    let client = Client::new(mode, handler);
    let journal = client.journal();
    let size = || std::fs::metadata(&journal).map_or(0, |metadata| metadata.len());
    let mut random: u32 = 12345;
    for life in 0..LIVES {
        let before = size();
        let mut process = client.start("drive");
        until("the first line of a life", || size() > before || process.try_wait().unwrap().is_some());
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Some lives are long enough to do what the last ones left.
        let longest = if life % 8 == 0 { 600 } else { 60 };
        std::thread::sleep(Duration::from_micros(u64::from(random >> 8) % (longest * 1_000)));
        assert!(process.try_wait().unwrap().is_none(), "{:?}", process.wait_with_output());
        process.kill().unwrap();
        process.wait().unwrap();
        // It holds the journal's lock while it lives.
        until("the end of the server", || std::fs::File::open(&journal).unwrap().try_lock().is_ok());
    }
    let settled = client.start("settle").wait_with_output().unwrap();
    let wrong = lines(&journal, "wrong");
    assert!(wrong.is_empty(), "{} things are wrong, such as {}", wrong.len(), wrong[0]);
    let said: Value = serde_json::from_slice(&settled.stdout).unwrap_or_else(|_| panic!("{settled:?}"));
    let (tasks, again) = (said["tasks"].as_u64().unwrap(), said["again"].as_u64().unwrap());
    println!("{LIVES} lives, {tasks} tasks, {again} of them begun more than once");
    assert!(tasks >= u64::from(LIVES), "a life makes tasks: {said}");
    assert!(again > 0, "a life leaves work: {said}");
    // Of what a kill cut short nobody was told. It is gone, or its work is done: nothing goes on for ever.
    until("the end of tasks that nobody knows", || {
        assert!(client.start("settle").wait_with_output().unwrap().status.success());
        client.working() == 0
    });
}

#[test]
fn tasks_of_a_handler_survive() {
    survives("own", None);
}

#[test]
fn tasks_of_the_host_survive() {
    let plain = build_guest_for(&repository().join("tests/guests/plain_kinds"), "wasm32-unknown-unknown").unwrap();
    survives("managed", Some(plain));
}
