//! `taskcell tasks` over the store file of real runs, beside them and after them; and what a run leaves in it.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use taskcell_test_support::cli::{self, Ran};
use taskcell_test_support::guests::build_guest_for;
use taskcell_test_support::provision::repository;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SERVER: &str = env!("CARGO_BIN_EXE_fake-server");
const SAMPLING: &str = "sampling/createMessage";
/// Work that takes longer than any test.
const SLOW: &str = r#"script={ "delayMs": 600000 }"#;
const FAST: &str = r#"script={ "sampling": [{ "answer": "begun {attempt} times", "delayMs": 0 }] }"#;

fn program(arguments: &[&str]) -> Ran {
    cli::run(PROGRAM, arguments).unwrap()
}

/// `taskcell tasks` over a store.
fn tasks(store: &str, arguments: &[&str]) -> Ran {
    program(&[&["tasks"], arguments, &["--store", store]].concat())
}

fn listed(store: &str, arguments: &[&str]) -> Vec<Value> {
    let ran = tasks(store, &[&["list", "--json"], arguments].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    ran.json().unwrap()["tasks"].as_array().unwrap().clone()
}

/// Makes a task by `taskcell call`, with this time to live; its work is left unfinished.
fn make(store: &str, principal: &str, ttl: u32) -> String {
    let params = json!({
        "messages": [{ "role": "user", "content": { "type": "text", "text": "hi" } }], "maxTokens": 10, "task": { "ttl": ttl },
    });
    let options = ["call", "--store", store, "--principal", principal, "--set", SLOW, SAMPLING, &params.to_string()];
    let answer = program(&options).json().unwrap();
    answer["result"]["task"]["taskId"].as_str().unwrap().to_owned()
}

/// Asks something of a task by `taskcell call`.
fn ask(store: &str, principal: &str, method: &str, task: &str) -> Value {
    let params = json!({ "taskId": task }).to_string();
    let ran = program(&["call", "--store", store, "--principal", principal, "--set", FAST, method, &params]);
    ran.json().unwrap()
}

/// Starts a run whose server asks for a task and waits for its result, and waits until the work is under way.
fn run_with_work(store: &str, options: &[&str]) -> (Child, String) {
    let run = [&["run", "-v", "--store", store, "--set", SLOW, "--tool", "use-task"], options].concat();
    let mut command = cli::command(PROGRAM);
    command.args(run).args(["--", SERVER, "ok"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    for _ in 0..6_000 {
        // Before the run made its file, there is none.
        let ran = tasks(store, &["list", "--json", "--status", "working"]);
        let message = |task: &Value| task["statusMessage"] == "The model is thinking";
        let list = ran.json().unwrap_or_default();
        if let Some(task) = list["tasks"].as_array().and_then(|tasks| tasks.iter().find(|task| message(task))) {
            return (child, task["taskId"].as_str().unwrap().to_owned());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("no work was begun: {:?}", child.wait_with_output());
}

fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs the program as the client of the server, with another tool and work that is done at once.
fn run_again(store: &str, options: &[&str], tool: &str, task: &str, server: &[&str]) -> Ran {
    let arguments = json!({ "taskId": task }).to_string();
    let run = ["run", "-q", "--store", store, "--set", FAST, "--tool", tool, "--args", &arguments];
    program(&[&run, options, &["--", SERVER], server].concat())
}

/// A task that is cancelled from outside ends at once for the run that works on it, and so does the work.
#[test]
fn a_cancelled_task_stops_in_the_run_that_works_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("tasks.db");
    let store = store.to_str().unwrap();
    let audit = folder.path().join("audit.jsonl");
    let (run, task) = run_with_work(store, &[]);

    let ran = tasks(store, &["cancel", &task, "--audit", audit.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert_eq!(ran.stdout, format!("task {task} is cancelled\n"));

    let ran = ended(run);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("Task was cancelled"), "{ran:?}");
    assert!(ran.stderr.contains("work is stopped"), "{ran:?}");
    let shown = tasks(store, &["show", "--json", &task]).json().unwrap();
    assert_eq!((&shown["status"], &shown["error"]["message"]), (&json!("cancelled"), &json!("Task was cancelled")));
    let line: Value = serde_json::from_str(&fs::read_to_string(audit).unwrap()).unwrap();
    assert_eq!((&line["task"], &line["status"]), (&json!(task), &json!("cancelled")));
}

/// However a run ends, its unfinished work is given back: the same server, started again, finds its tasks and has the
/// work done, without waiting for a lease that is an hour long. Another server finds nothing.
#[test]
fn the_same_server_started_again_finds_its_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("taskcell.toml");
    fs::write(&config, "[task-limits]\nlease = \"1h\"\n").unwrap();
    let config = ["--config", config.to_str().unwrap()];
    for how in ["by itself", "TERM", "INT"] {
        let store = folder.path().join(format!("{how}.db"));
        let store = store.to_str().unwrap();
        let task = if how == "by itself" {
            let run = ["run", "-q", "--json", "--store", store, "--set", SLOW, "--tool", "make-task"];
            let ran = program(&[&run[..], &config, &["--", SERVER, "ok"]].concat());
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
            listed(store, &[])[0]["taskId"].as_str().unwrap().to_owned()
        } else {
            let (run, task) = run_with_work(store, &config);
            assert!(cli::signal(&run, how).unwrap());
            let ran = ended(run);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.stderr.ends_with("taskcell: interrupted; the server was stopped\n"), "{ran:?}");
            task
        };
        let left = &listed(store, &["--status", "working"])[0];
        assert!(left["principal"].as_str().unwrap().starts_with("stdio:fake-server:"), "{left}");

        let other = run_again(store, &config, "fetch-task", &task, &["old"]);
        assert!(other.stdout.contains("-32602"), "{other:?}");
        let named = run_again(store, &["--principal", "me"], "fetch-task", &task, &["ok"]);
        assert!(named.stdout.contains("-32602"), "{named:?}");

        let again = run_again(store, &config, "fetch-task", &task, &["ok"]);
        assert!(again.stdout.contains("begun 2 times"), "{how}: {again:?}");
        let shown = tasks(store, &["show", "--json", &task]).json().unwrap();
        assert_eq!(
            (&shown["status"], &shown["result"]["content"]["text"]),
            (&json!("completed"), &json!("begun 2 times"))
        );
    }
}

/// What is listed, by principal, status and number; as JSON and as an aligned table.
#[test]
fn tasks_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("tasks.db");
    let store = store.to_str().unwrap();
    let made: Vec<_> = ["a", "b", "a", "a"].map(|principal| make(store, principal, 600_000)).into();
    assert_eq!(ask(store, "b", "tasks/result", &made[1])["result"]["content"]["text"], "begun 2 times");
    assert_eq!(tasks(store, &["cancel", &made[2]]).code, Some(0));

    let table: [(&[&str], &[usize]); 8] = [
        (&[], &[0, 1, 2, 3]),
        (&["--principal", "a"], &[0, 2, 3]),
        (&["--principal", "nobody"], &[]),
        (&["--status", "working"], &[0, 3]),
        (&["--status", "completed"], &[1]),
        (&["--status", "input_required"], &[]),
        (&["--status", "cancelled", "--principal", "b"], &[]),
        (&["--limit", "2"], &[0, 1]),
    ];
    for (options, expected) in table {
        let found: Vec<_> = listed(store, options).iter().map(|task| task["taskId"].clone()).collect();
        let expected: Vec<_> = expected.iter().map(|index| json!(made[*index])).collect();
        assert_eq!(found, expected, "{options:?}");
    }
    for (limit, more) in [("3", true), ("4", false)] {
        assert_eq!(tasks(store, &["list", "--json", "--limit", limit]).json().unwrap()["more"], more);
    }
    let first = &listed(store, &[])[0];
    assert_eq!((&first["ttl"], &first["kind"]), (&json!(600_000), &json!("augmented-sampling")));
    assert_eq!((&first["principal"], &first["expired"]), (&json!("a"), &json!(false)));
    assert_eq!(first["handler"].as_str().map(str::len), Some(64));

    let ran = tasks(store, &["list", "--limit", "3"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr, "there are more tasks: --limit N shows so many\n");
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{ran:?}");
    for column in ["STATUS", "KIND", "CREATED", "EXPIRES", "PRINCIPAL"] {
        let at = lines[0].find(column).unwrap();
        assert!(
            lines.iter().all(|line| line.as_bytes()[at - 1] == b' ' && line.as_bytes()[at] != b' '),
            "{column}: {ran:?}"
        );
    }
    for (line, task) in lines[1..].iter().zip(&made) {
        assert!(line.starts_with(task), "{line}");
    }
}

/// All of a task: times, outcome, who took it.
#[test]
fn a_task_is_shown_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("tasks.db");
    let store = store.to_str().unwrap();
    let task = make(store, "me", 5_400_000);
    let sheet = |has: &[&str]| {
        let ran = tasks(store, &["show", &task]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
        for line in has {
            let found = ran.stdout.lines().any(|found| found.split_whitespace().eq(line.split_whitespace()));
            assert!(found, "{line:?} is not in {ran:?}");
        }
        ran.stdout
    };
    let shown = tasks(store, &["show", "--json", &task]).json().unwrap();
    let (created, handler) = (shown["createdAt"].as_str().unwrap(), shown["handler"].as_str().unwrap());
    let (kind, version) = ("kind augmented-sampling", format!("version {}", shown["version"]));
    let fields = [&format!("task {task}"), "status working", kind, "principal me", &format!("handler {handler}")];
    sheet(&fields);
    let without = sheet(&[&format!("created {created}"), "time to live 1h 30m", "poll interval 250 ms", &version]);
    assert!(!without.contains("result") && !without.contains("error"), "{without}");

    ask(store, "me", "tasks/result", &task);
    let answer = r#"{"role":"assistant","content":{"type":"text","text":"begun 2 times"},"model":"scripted","stopReason":"endTurn"}"#;
    sheet(&["status completed", &format!("result {answer}")]);
    let shown = tasks(store, &["show", "--json", &task]).json().unwrap();
    assert_eq!(shown["result"], serde_json::from_str::<Value>(answer).unwrap());
}

/// Purging removes what has expired, with `--ended` what has ended, of one principal if so asked; nothing else.
#[test]
fn tasks_are_purged() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("tasks.db");
    let store = store.to_str().unwrap();
    let [working, cancelled, others] = ["a", "a", "b"].map(|principal| make(store, principal, 600_000));
    for task in [&cancelled, &others] {
        assert_eq!(tasks(store, &["cancel", task]).code, Some(0));
    }
    let expiring = make(store, "a", 2_000);
    for _ in 0..6_000 {
        if tasks(store, &["show", "--json", &expiring]).json().unwrap()["expired"] == true {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let audit = folder.path().join("audit.jsonl");
    let row = tasks(store, &["list"]).stdout;
    assert!(row.lines().any(|line| line.starts_with(&expiring) && line.contains("(over)")), "{row}");
    let ids = || listed(store, &[]).iter().map(|task| task["taskId"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    #[rustfmt::skip]
    let table: [(&[&str], &str, Vec<&String>); 5] = [
        (&["--principal", "b"], "removed 0 that had expired\n", vec![&working, &cancelled, &others, &expiring]),
        (&["--audit", audit.to_str().unwrap()], "removed 1 that had expired\n", vec![&working, &cancelled, &others]),
        (&["--ended", "--principal", "b"], "removed 0 that had expired, and 1 that had ended\n", vec![&working, &cancelled]),
        (&["--ended", "--principal", "b"], "removed 0 that had expired, and 0 that had ended\n", vec![&working, &cancelled]),
        (&["--ended", "--json"], "{\n  \"expired\": 0,\n  \"ended\": 1\n}\n", vec![&working]),
    ];
    for (options, said, left) in table {
        let ran = tasks(store, &[&["purge"], options].concat());
        assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout.as_str()), (Some(0), "", said), "{options:?}");
        assert_eq!(ids().iter().collect::<Vec<_>>(), left, "{options:?}");
    }
    let line: Value = serde_json::from_str(&fs::read_to_string(audit).unwrap()).unwrap();
    assert_eq!((&line["event"], &line["task"]), (&json!("removed"), &json!(expiring)));
}

/// What cannot be done is said: an unknown or ended task is a result (1), a store that is not there is none (2).
#[test]
fn what_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("tasks.db");
    let store = store.to_str().unwrap();
    let task = make(store, "me", 600_000);
    assert_eq!(tasks(store, &["cancel", &task]).code, Some(0));
    for command in ["show", "cancel"] {
        let ran = tasks(store, &[command, "no\u{1b}[2Jsuch"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.stdout.contains("no task has the id") && !ran.stdout.contains('\u{1b}'), "{ran:?}");
        let ran = tasks(store, &[command, "--json", "x"]);
        assert_eq!((ran.code, ran.json().unwrap()), (Some(1), json!({ "error": "no task has the id \"x\"" })));
    }
    let ran = tasks(store, &["cancel", &task]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stdout.contains("already") && ran.stdout.contains("cancelled"), "{ran:?}");

    let missing = folder.path().join("missing.db");
    for command in [&["list"][..], &["show", "x"], &["cancel", "x"], &["purge"]] {
        for (store, word) in [(missing.to_str().unwrap(), "missing.db"), (":memory:", "is no file")] {
            let ran = tasks(store, command);
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
            assert!(ran.stderr.starts_with("taskcell: ") && ran.stderr.contains(word), "{ran:?}");
            assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
        }
    }
    assert!(!missing.exists());
    for wrong in [&["list", "--status", "done"][..], &["list", "--limit", "0"]] {
        assert_eq!(tasks(store, wrong).code, Some(2), "{wrong:?}");
    }
}

/// Where nobody says otherwise, a run keeps its tasks in a file of the user's, and `taskcell tasks` finds them there.
#[test]
fn the_store_of_a_user_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = cli::command(PROGRAM);
    command.env_remove("TASKCELL_STORE").env("XDG_STATE_HOME", folder.path()).env("HOME", folder.path());
    command.args(["run", "-q", "--set", SLOW, "--tool", "make-task", "--", SERVER, "ok"]);
    assert!(command.output().unwrap().status.success());
    assert!(folder.path().join("taskcell/tasks.db").is_file());
    let mut command = cli::command(PROGRAM);
    command.env_remove("TASKCELL_STORE").env("XDG_STATE_HOME", folder.path()).env("HOME", folder.path());
    let output = command.args(["tasks", "list", "--json"]).output().unwrap();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["tasks"].as_array().map(Vec::len), Some(1), "{list}");
    let only: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(only, ["taskcell"]);
}

/// Nothing is kept in a store of another user, who would read it, and nothing is read from one, which says what its
/// owner likes.
#[cfg(unix)]
#[test]
fn the_store_of_another_user_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("tasks.db");
    let store = match rustix::process::geteuid().is_root() {
        // Root gives one away; to everybody else a file of root's is another user's.
        true => {
            make(own.to_str().unwrap(), "somebody", 600_000);
            std::os::unix::fs::chown(&own, Some(65_534), None).unwrap();
            own.to_str().unwrap()
        }
        false => "/etc/passwd",
    };
    let config = folder.path().join("taskcell.toml");
    fs::write(&config, format!("[[handler]]\npath = 'x'\n[handler.keyvalue]\nfile = '{store}'\n")).unwrap();
    let config = config.to_str().unwrap();
    let before = fs::read(store).unwrap();
    let mut words = None;
    for command in [
        &["run", "-q", "--store", store, "--tool", "make-task", "--", SERVER, "ok"][..],
        &["tasks", "list", "--store", store],
        &["tasks", "show", "id", "--store", store],
        &["tasks", "cancel", "id", "--store", store],
        &["tasks", "purge", "--ended", "--store", store],
        &["tasks", "move", "--from", "somebody", "--to", "me", "--store", store],
        &["keyvalue", "list", "--config", config],
        &["keyvalue", "get", "key", "--config", config],
        &["keyvalue", "set", "key", "value", "--config", config],
        &["keyvalue", "delete", "key", "--config", config],
    ] {
        let ran = program(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{command:?}: {ran:?}");
        let said = ran.stderr.split(": it belongs to another user").nth(1);
        let said = said.unwrap_or_else(|| panic!("{command:?}: {ran:?}")).trim_end().to_owned();
        assert_eq!(*words.get_or_insert_with(|| said.clone()), said, "{command:?}: all say the same");
    }
    assert_eq!(fs::read(store).unwrap(), before);
}

/// The program as it is started in a folder, with the fake server under two names there.
fn in_folder(folder: &Path, arguments: &[&str]) -> Ran {
    for name in ["fake-server", "node"] {
        let _ = std::os::unix::fs::symlink(SERVER, folder.join(name));
    }
    let output = cli::command(PROGRAM).current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Gives the tasks in a file times to live that have begun just now.
fn begin_anew(store: &Path) {
    let now = jiff::Timestamp::now().as_nanosecond();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(store).connect().await.unwrap();
        let begin = format!("UPDATE tasks SET created_at = {now}, updated_at = {now}, expires_at = {now} + ttl");
        sqlx::query(AssertSqlSafe(begin)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// Build 6887b39 took the words of the command line alone for whose tasks they are. They are not given away by that: a
/// run names them, and the command that moves them, after which it finds them.
#[test]
fn tasks_of_an_earlier_version_are_named_and_moved() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("tasks.db");
    let earlier = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/6887b39/tasks.db");
    fs::write(&store, fs::read(earlier).unwrap()).unwrap();
    fs::set_permissions(&store, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    begin_anew(&store);
    let all = listed(store.to_str().unwrap(), &[]);
    for (server, name, count) in
        [(&["./fake-server", "ok"][..], "stdio:fake-server:", 1), (&["./node", "server.mjs"], "stdio:server.mjs:", 2)]
    {
        let is_its = |task: &&Value| task["principal"].as_str().unwrap().starts_with(name);
        let task = all.iter().rfind(is_its).unwrap()["taskId"].as_str().unwrap();
        let arguments = json!({ "taskId": task }).to_string();
        let fetch =
            ["run", "-q", "--store", "tasks.db", "--set", FAST, "--tool", "fetch-task", "--args", &arguments, "--"];
        let run = || in_folder(folder.path(), &[&fetch, server].concat());
        let ran = run();
        assert!(ran.stdout.contains("-32602"), "{ran:?}");
        let said = format!("{count} tasks of this command line were made by an earlier version");
        assert!(ran.stderr.contains(&said), "{ran:?}");
        let command = ran.stderr.split("taskcell tasks move ").nth(1).unwrap().lines().next().unwrap();
        let command: Vec<_> = command.split_whitespace().map(|word| word.trim_matches('\'')).collect();
        let moved = in_folder(folder.path(), &[&["tasks", "move"], &command[..]].concat());
        assert_eq!((moved.code, moved.stderr.as_str()), (Some(0), ""), "{moved:?}");
        assert!(moved.stdout.starts_with(&format!("moved {count} to {name}")), "{moved:?}");
        let ran = run();
        assert!(ran.stdout.contains("begun 2 times"), "{ran:?}");
        assert_eq!(ran.stderr, "");
        let again = in_folder(folder.path(), &[&["tasks", "move"], &command[..]].concat());
        assert_eq!(again.code, Some(1), "{again:?}");
    }
}

/// The same words in another folder are another server, unless a principal is named.
#[test]
fn the_same_words_in_another_folder_are_another_server() {
    let base = tempfile::tempdir().unwrap();
    let store = base.path().join("tasks.db");
    let store = store.to_str().unwrap();
    let [one, two] = ["one", "two"].map(|name| base.path().join(name));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    for (options, server, seen) in [
        (&[][..], &["./fake-server", "ok"][..], false),
        (&[], &["./node", "server.mjs"], false),
        (&["--principal", "me"], &["./node", "server.mjs"], true),
    ] {
        let run = |tool, arguments: &Value| {
            let arguments = arguments.to_string();
            let run = ["run", "-q", "--store", store, "--set", FAST, "--tool", tool, "--args", &arguments];
            [&run[..], options, &["--"], server].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let run = |folder: &Path, tool, arguments: &Value| {
            let words = run(tool, arguments);
            in_folder(folder, &words.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let made = run(&one, "make-task", &json!({}));
        let made: Value = serde_json::from_str(&made.stdout).unwrap();
        let task = json!({ "taskId": made["task"]["taskId"] });
        let other = run(&two, "fetch-task", &task);
        assert_eq!(!other.stdout.contains("-32602"), seen, "{server:?}: {other:?}");
        let same = run(&one, "fetch-task", &task);
        assert!(same.stdout.contains("begun"), "{server:?}: {same:?}");
    }
}

/// Handlers that have nothing to do with tasks need no file: none is made, and a home that cannot be written is none of
/// their business. For others the error names what to do.
#[test]
fn what_needs_no_tasks_needs_no_store() {
    let plain = build_guest_for(&repository().join("tests/guests/plain_kinds"), "wasm32-unknown-unknown").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for (home, plainly) in [(folder.path().join("home"), true), (file.join("home"), true), (file.join("home"), false)] {
        let mut command = cli::command(PROGRAM);
        command.env_remove("TASKCELL_STORE").env_remove("XDG_STATE_HOME").env("HOME", &home).args(["run", "-q"]);
        if plainly {
            command.arg("--handler").arg(&plain).args(["--grant", "config", "--grant", "progress"]);
        }
        let output = command.args(["--", SERVER, "ok"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        match plainly {
            true => assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{}", home.display()),
            false => {
                assert_eq!(output.status.code(), Some(2), "{said}");
                assert!(said.contains("--store :memory: keeps them in memory"), "{said}");
                assert_eq!(said.lines().count(), 1, "{said}");
            }
        }
    }
    assert_eq!(cli::names(folder.path()).unwrap(), ["file"]);
}

/// A store that is taken away while a run uses it is told of.
#[test]
fn a_store_that_is_taken_away_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("tasks.db");
    let config = folder.path().join("taskcell.toml");
    fs::write(&config, "[task-limits]\nlease = \"300ms\"\n").unwrap();
    let (run, _) = run_with_work(store.to_str().unwrap(), &["--config", config.to_str().unwrap()]);
    fs::remove_file(&store).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(cli::signal(&run, "TERM").unwrap());
    let ran = ended(run);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("it was taken away while it was used: nothing more is stored"), "{ran:?}");
}

/// The configuration, the store and the audit log of build 6887b39 go on being used.
#[test]
fn what_an_earlier_version_wrote_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let earlier = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/6887b39");
    for name in ["config.toml", "script.json", "tasks.db", "audit.jsonl"] {
        fs::write(folder.path().join(name), fs::read(earlier.join(name)).unwrap()).unwrap();
        fs::set_permissions(folder.path().join(name), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let tasks = |arguments: &[&str]| {
        let mut command = cli::command(PROGRAM);
        command.env_remove("TASKCELL_STORE").env("API_KEY", "a key").current_dir(folder.path());
        command.arg("tasks").args(arguments).args(["--config", "config.toml"]);
        command.output().unwrap()
    };
    let listed: Value = serde_json::from_slice(&tasks(&["list", "--json"]).stdout).unwrap();
    assert_eq!(listed["tasks"].as_array().map(Vec::len), Some(9), "{listed}");
    // The configuration names the audit log: lines are added to those that are there.
    let before = fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    let purged = tasks(&["purge", "--ended"]);
    assert!(purged.status.success(), "{purged:?}");
    let after = fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    assert!(after.starts_with(&before));
    let removed = after[before.len()..].lines().filter(|line| line.contains("\"event\":\"removed\"")).count();
    assert!(removed >= 4, "{removed}: {after}");
}
