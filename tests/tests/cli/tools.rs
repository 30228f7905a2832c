//! What a person types to call a tool, and what tools want besides: pages, tasks, patience.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use taskcell_test_support::cli::{self, Ran, run};
use taskcell_test_support::compose::component;
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::provision::repository;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SERVER: &str = env!("CARGO_BIN_EXE_tool-server");

/// Runs the program as the client of the server in `tests/src/bin/tool-server.rs`.
fn run_with(options: &[&str]) -> Ran {
    run(PROGRAM, &[&["run"], options, &["--", SERVER]].concat()).unwrap()
}

/// Calls a tool with these arguments.
fn call(tool: &str, arguments: &Value, options: &[&str]) -> Ran {
    let arguments = arguments.to_string();
    run_with(&[&["--tool", tool, "--args", &arguments], options].concat())
}

/// How often a word stands in what was shown.
fn count(ran: &Ran, word: &str) -> usize {
    ran.stderr.matches(word).count()
}

// ---- Arguments ----

/// Arguments come as JSON, from a file, from stdin and as pairs; each becomes what the tool's schema says.
#[test]
fn arguments_come_in_many_ways() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arguments.json");
    std::fs::write(&file, r#"{ "message": "of a file" }"#).unwrap();
    let at_file = format!("@{}", file.display());
    let text = folder.path().join("text");
    std::fs::write(&text, "5").unwrap();
    let at_text = format!("message=@{}", text.display());
    #[rustfmt::skip]
    let table: &[(&[&str], Value)] = &[
        (&["--args", r#"{"message":"a"}"#],                  json!({ "message": "a" })),
        (&["--args", &at_file],                              json!({ "message": "of a file" })),
        (&["--arg", "message=hi"],                           json!({ "message": "hi" })),
        (&["--arg", "message=5", "--arg", "count=5"],        json!({ "message": "5", "count": 5 })),
        (&["--arg", &at_text],                               json!({ "message": "5" })),
        (&["--arg", "tags=a", "--arg", "tags=b"],            json!({ "tags": ["a", "b"] })),
        (&["--args", &at_file, "--arg", "count=2"],          json!({ "message": "of a file", "count": 2 })),
        (&["--args", &at_file, "--arg", "message=mine"],     json!({ "message": "mine" })),
        (&["--arg", "other={\"a\":1}"],                      json!({ "other": { "a": 1 } })),
    ];
    for (options, expected) in table {
        let ran = run_with(&[&["--tool", "echo"], *options].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.json().unwrap(), *expected, "{options:?}");
    }
    let mut program = cli::command(PROGRAM)
        .args(["run", "--tool", "echo", "--args", "-", "--", SERVER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    program.stdin.take().unwrap().write_all(br#"{ "message": "of stdin" }"#).unwrap();
    let output = program.wait_with_output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), json!({ "message": "of stdin" }));
}

/// What a tool does not take is refused before the tool is called, in a line that names the argument.
#[test]
fn arguments_that_cannot_be_are_named() {
    #[rustfmt::skip]
    let table: &[(&[&str], &[&str])] = &[
        (&["--tool", "echo", "--arg", "count=many"],        &["--arg count", "many", "integer"]),
        (&["--tool", "echo", "--arg", "message"],           &["--arg", "KEY=VALUE"]),
        (&["--tool", "echo", "--args", "@no-such-file"],    &["--args", "no-such-file"]),
        (&["--tool", "ehco", "--arg", "message=hi"],        &["no tool \"ehco\"", "did you mean echo?"]),
        (&["--arg", "message=hi"],                          &["--tool"]),
        (&["--task", "--args", "{}"],                       &["--tool"]),
        (&["--tool", "echo", "--task"],                     &["--task", "echo"]),
        (&["--tool", "may-be-a-task", "--task=soon"],       &["--task", "soon"]),
    ];
    for (options, words) in table {
        let ran = run_with(options);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        for word in *words {
            assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
        }
    }
}

/// Tools are listed with their arguments; a tool that there is not is answered with the nearest names.
#[test]
fn tools_are_listed_and_the_nearest_is_named() {
    let ran = run_with(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let has = |line: &str| ran.stdout.lines().any(|found| found.split_whitespace().eq(line.split_whitespace()));
    for line in [
        "echo Gives back what it was given",
        "message: string What to give back",
        "count: integer = 1",
        "tags: string[] (optional)",
        "pages Wants pages to be visited first",
    ] {
        assert!(has(line), "{line:?} is not in {ran:?}");
    }
    for (wanted, word) in [("ehco", "did you mean echo?"), ("zzz", "there are echo, pages, long")] {
        let ran = run_with(&["--tool", wanted]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
    }
}

// ---- Pages that are required ----

/// Pages go to the elicitation handler; when they are accepted, the call is made again, a bounded number of times.
#[test]
fn required_pages_are_visited_and_the_call_is_made_again() {
    let refuse = r#"script={"elicitation":[{"action":"decline"}]}"#;
    let pages = |times: u64| json!({ "times": times });
    #[rustfmt::skip]
    let table: &[(Value, &[&str], i32, &str, usize)] = &[
        // Without a word of the server, and with one.
        (pages(1),                                             &[],                         0, "ok at call 2",  1),
        (json!({ "times": 1, "complete": true }),              &[],                         0, "ok at call 2",  1),
        // The same page is not asked for again; a new one is.
        (json!({ "times": 3, "complete": true }),              &[],                         0, "ok at call 4",  1),
        (json!({ "times": 3, "complete": true, "ids": "new" }),&[],                         0, "ok at call 4",  3),
        (json!({ "times": 99, "complete": true }),             &[],                         1, "Pages first",   1),
        (pages(1),                                             &["--set", refuse],          1, "https://example.com/consent", 1),
        (pages(1),                                             &["--elicitation", "form"],  1, "page: Sign in", 0),
        (pages(1),                                             &["--elicitation", "none"],  1, "https://example.com/consent", 0),
    ];
    for (arguments, options, code, text, asked) in table {
        let ran = call("pages", arguments, options);
        assert_eq!(ran.code, Some(*code), "{arguments} {ran:?}");
        assert!(ran.stdout.contains(text), "{arguments} {ran:?}");
        assert_eq!(count(&ran, "server asked elicitation/create"), *asked, "{arguments} {ran:?}");
    }
    // All of the error is in the document.
    let ran = call("pages", &pages(1), &["--json", "--elicitation", "none"]);
    let document = ran.json().unwrap();
    assert_eq!(document.pointer("/error/data/elicitations/0/url"), Some(&json!("https://example.com/consent")));
    // The time of a call bounds all of it.
    let ran = call("pages", &pages(99), &["--timeout", "1"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("the time for the call is up"), "{ran:?}");
}

/// What else an error carries is shown, too.
#[test]
fn the_data_of_an_error_is_shown() {
    let ran = call("fails", &json!({}), &["-q"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "error -32000: try later\ndata: {\"retryAfter\":30}\n"));
}

// ---- Tasks of the server ----

/// A tool that must run as a task does so, and what it asks for on the way is answered.
#[test]
fn a_tool_runs_as_a_task_where_it_must_or_may() {
    #[rustfmt::skip]
    type Row<'a> = (&'a str, Value, &'a [&'a str], i32, &'a str, &'a [&'a str]);
    let table: &[Row<'_>] = &[
        ("must-be-a-task", json!({}), &[], 0, "as a task: {}; tasks/get tasks/result", &["is working", "is completed"]),
        (
            "must-be-a-task",
            json!({ "ask": true }),
            &[],
            0,
            "told \"accept\"; tasks/result",
            &["is waiting for input", "server asked elicitation/create", "is completed"],
        ),
        ("must-be-a-task", json!({ "fail": true }), &[], 1, "error -32603: the task broke", &["is failed"]),
        ("must-be-a-task", json!({}), &["--task=90s"], 0, "as a task: {\"ttl\":90000}", &["is completed"]),
        ("may-be-a-task", json!({}), &[], 0, "called plainly", &[]),
        ("may-be-a-task", json!({}), &["--task"], 0, "as a task: {}", &["is completed"]),
        ("may-be-a-task", json!({}), &["--task=1500"], 0, "as a task: {\"ttl\":1500}", &["is completed"]),
    ];
    for (tool, arguments, options, code, text, shown) in table {
        let ran = call(tool, arguments, options);
        assert_eq!(ran.code, Some(*code), "{tool} {arguments} {ran:?}");
        assert!(ran.stdout.contains(text), "{tool} {arguments} {options:?} {ran:?}");
        for word in *shown {
            assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
        }
    }
    let document = call("must-be-a-task", &json!({}), &["--json"]).json().unwrap();
    assert_eq!(document["serverTask"]["status"], "completed", "{document}");
}

/// A server that declares no tasks is sent none, whatever its tools say. [2025-11-25, server/tools]
#[test]
fn a_server_without_tasks_is_sent_none() {
    let with = |options: &[&str]| {
        run(PROGRAM, &[&["run", "--tool", "must-be-a-task"], options, &["--", SERVER, "no-tasks"]].concat()).unwrap()
    };
    let ran = with(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("must be called as a task"), "{ran:?}");
    let ran = with(&["--task"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("the server runs no tools as tasks"), "{ran:?}");
}

/// A task that is given up is cancelled at the server.
#[test]
fn an_interrupted_task_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = format!("tee {} | \"$0\"", log.display());
    let program = cli::command(PROGRAM)
        .args(["run", "--tool", "must-be-a-task", "--args", r#"{"for-ever":true}"#, "--", "sh", "-c", &server, SERVER])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let sent = |word: &str| std::fs::read_to_string(&log).unwrap_or_default().contains(word);
    for _ in 0..3_000 {
        if sent("tasks/get") {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(cli::signal(&program, "INT").unwrap());
    let output = program.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(sent("tasks/cancel"), "{output:?}");
}

// ---- What is shown on the way ----

/// The program asks for progress, and shows it.
#[test]
fn progress_of_the_call_is_shown() {
    let ran = call("long", &json!({}), &[]);
    assert!(ran.stdout.contains("the token is \"taskcell-call\""), "{ran:?}");
    assert!(ran.stderr.contains("progress     1 of 3 at work") && ran.stderr.contains("3 of 3"), "{ran:?}");
    // Where nobody looks nothing is asked for.
    let ran = call("long", &json!({}), &["-q"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("the token is null\n", ""));
}

/// A terminal has one row of progress, which changes, stays below all lines and is gone at the end.
#[cfg(unix)]
#[test]
fn progress_at_a_terminal_is_one_line() {
    use taskcell_test_support::pty::AtTerminal;
    let arguments = json!({ "pause": 400, "say": "half way" }).to_string();
    let mut command = cli::command(PROGRAM);
    command.args(["run", "-v", "--tool", "long", "--args", &arguments, "--", SERVER]);
    let mut terminal = AtTerminal::start_sized(command, 60, 20).unwrap();
    let rows = |terminal: &AtTerminal| {
        let rows = terminal.screen(60, 20).into_iter().filter(|row| !row.is_empty()).collect::<Vec<_>>();
        let count = rows.iter().filter(|row| row.starts_with("progress")).count();
        (count, rows)
    };
    for row in ["progress     1 of 3 at work", "progress     2 of 3 at work", "progress     3 of 3 at work"] {
        terminal.expect(row).unwrap();
        let (count, rows) = rows(&terminal);
        assert_eq!((count, rows.last().map(String::as_str)), (1, Some(row)), "{rows:?}");
    }
    let (code, stdout) = terminal.end().unwrap();
    assert_eq!((code, stdout.as_str()), (Some(0), "the token is \"taskcell-call\"\n"), "{}", terminal.text());
    let (count, rows) = rows(&terminal);
    assert_eq!(count, 0, "{rows:?}");
    assert!(rows.iter().any(|row| row.contains("half way")), "{rows:?}");
}

/// A server that wants to sample with tools is answered with the flag that declares it, whether it asks or only says
/// so.
#[test]
fn sampling_with_tools_names_its_flag() {
    for arguments in [json!({}), json!({ "anyway": true })] {
        let ran = call("samples-with-tools", &arguments, &[]);
        assert!(ran.stderr.contains("--sampling-tools declares it"), "{ran:?}");
        let declared = call("samples-with-tools", &arguments, &["--sampling-tools"]);
        assert!(!declared.stderr.contains("--sampling-tools"), "{declared:?}");
    }
}

/// What a server asks is kept for the document alone, and not without end.
#[test]
fn what_is_asked_is_bounded() {
    let count = json!({ "count": 60_000 });
    let ran = call("pings", &count, &["-q"]);
    let grown: u64 = ran.stdout.trim().strip_suffix(" KiB").unwrap().parse().unwrap();
    assert!(grown < 8 * 1024, "it grew by {grown} KiB");
    let document = call("pings", &json!({ "count": 11_000 }), &["-q", "--json"]).json().unwrap();
    assert_eq!(document["requests"].as_array().unwrap().len(), 10_000);
    assert_eq!(document["leftOut"], json!({ "requests": 1_000, "tasks": 0 }));
}

// ---- One way to name a component, its parameters and its grants ----

const SAMPLING: &str = "sampling/createMessage";
const PROMPT: &str = r#"{"messages":[{"role":"user","content":{"type":"text","text":"hi"}}],"maxTokens":10}"#;

/// `call` takes a component by a flag or before the method, and parameters from wherever they are.
#[test]
fn call_takes_a_file_and_parameters() {
    let minimal = build_guest(&repository().join("guest-examples/rust-minimal")).unwrap().display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("params.json");
    std::fs::write(&file, PROMPT).unwrap();
    let at = format!("@{}", file.display());
    let table: [&[&str]; 4] = [
        &["call", &minimal, SAMPLING, PROMPT],
        &["call", &minimal, SAMPLING, &at],
        &["call", "--handler", &minimal, SAMPLING, &at],
        &["call", SAMPLING, PROMPT, "--handler", &minimal],
    ];
    for arguments in table {
        let ran = run(PROGRAM, arguments).unwrap();
        let answer = ran.json().unwrap();
        assert_eq!(answer.pointer("/result/content/text"), Some(&json!("You said: hi")), "{arguments:?}");
    }
    let ran = run(PROGRAM, &["call", &minimal, "roots/list"]).unwrap();
    assert_eq!(ran.json().unwrap().pointer("/error/message"), Some(&json!("List roots not supported")), "{ran:?}");
    let ran = run(PROGRAM, &["call", "no-such.wasm", "ping"]).unwrap();
    assert!(ran.code == Some(2) && ran.stderr.contains("no-such.wasm"), "{ran:?}");
    let ran = run(PROGRAM, &["call", &minimal]).unwrap();
    assert!(ran.code == Some(2) && ran.stderr.contains(SAMPLING), "{ran:?}");
    for (method, word) in [("sampling/create", "did you mean sampling/createMessage?"), ("x", "roots/list")] {
        let ran = run(PROGRAM, &["call", method]).unwrap();
        assert_eq!(ran.json().unwrap().pointer("/error/code"), Some(&json!(-32601)), "{ran:?}");
        assert!(ran.stderr.contains(word), "{ran:?}");
    }
}

/// All grants that are missing are named at once, as the flag that gives them takes them.
#[test]
fn missing_grants_are_one_flag() {
    let stock = repository().join("host/cli/assets/stock.wasm").display().to_string();
    let with =
        |options: &[&str]| run(PROGRAM, &[&["call", "--handler", &stock], options, &["roots/list"]].concat()).unwrap();
    let ran = with(&[]);
    let flag = ran.stderr.split("add --grant ").nth(1).unwrap().trim().to_owned();
    let mut grants: Vec<_> = flag.split(',').collect();
    grants.sort_unstable();
    assert_eq!(grants, ["config", "progress", "tasks"], "{ran:?}");
    let ran = with(&["--grant", &flag]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("taskcell.toml");
    std::fs::write(&config, format!("[[handler]]\npath = '{stock}'\n")).unwrap();
    let ran = run(PROGRAM, &["call", "--config", config.to_str().unwrap(), "roots/list"]).unwrap();
    for word in ["grants = [\"tasks\"]", "grants = [\"progress\"]", "[handler.config]"] {
        assert!(ran.code == Some(2) && ran.stderr.contains(word), "{word} {ran:?}");
    }
}

/// A handler that runs a model can be tried without a provider.
#[test]
fn a_model_can_be_stood_in_for() {
    let model_guest = build_guest(&repository().join("tests/guests/model")).unwrap().display().to_string();
    let ran = run(PROGRAM, &["call", &model_guest, SAMPLING, PROMPT]).unwrap();
    assert!(ran.code == Some(2) && ran.stderr.contains("--model-answer TEXT"), "{ran:?}");
    let ran = run(PROGRAM, &["call", "--model-answer", "forty-two", &model_guest, SAMPLING, PROMPT]).unwrap();
    assert_eq!(ran.json().unwrap().pointer("/result/content/text"), Some(&json!("forty-two")), "{ran:?}");
}

/// A piece of the documentation that is used as a file is answered with what goes before it.
#[test]
fn a_lone_table_of_a_handler_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("taskcell.toml");
    for (table, line) in [("keyvalue", 1), ("http", 2), ("model", 3)] {
        std::fs::write(&config, format!("{}[handler.{table}]\nname = 'x'\n", "\n".repeat(line - 1))).unwrap();
        let ran = run(PROGRAM, &["call", "--config", config.to_str().unwrap(), "ping"]).unwrap();
        assert_eq!(ran.code, Some(2), "{ran:?}");
        for word in ["write `[[handler]]` first", &format!("[handler.{table}]"), &format!(":{line}:1:")] {
            assert!(ran.stderr.contains(word), "{word} {ran:?}");
        }
    }
}

/// Who stops reading stdout is told nothing.
#[test]
fn a_broken_pipe_is_silent() {
    let stock = repository().join("host/cli/assets/stock.wasm").display().to_string();
    let table: [&[&str]; 4] = [&["demo", "-q"], &["inspect", &stock], &["call", "ping"], &["completions", "bash"]];
    for arguments in table {
        let (reading, writing) = std::io::pipe().unwrap();
        drop(reading);
        let output = cli::command(PROGRAM).args(arguments).stdout(writing).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
            (Some(2), ""),
            "{arguments:?}"
        );
    }
}

// ---- completions, doctor ----

/// There is a script for each shell, and it knows the commands.
#[test]
fn each_shell_has_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(PROGRAM, &["completions", shell]).unwrap();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(
            ["keyvalue", "--grant", "doctor"].iter().all(|word| ran.stdout.contains(word.trim_start_matches('-'))),
            "{shell}"
        );
    }
}

/// What is missing is named with its fix, and no value of a key is shown.
#[test]
fn the_doctor_names_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let model = write("model.wasm", &component(&["sampling"], &["model", "tasks"]).unwrap());
    let doctor = |options: &[&str], environment: &[(&str, &str)]| {
        let mut command = cli::command(PROGRAM);
        command.env_remove("TASKCELL_STORE").env("HOME", folder.path()).env_remove("XDG_STATE_HOME");
        command.envs(environment.iter().copied()).arg("doctor").args(options).current_dir(folder.path());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    };
    let ran = doctor(&[], &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stdout.contains("all that is needed is there"), "{ran:?}");

    let handler = |rest: &str| format!("[[handler]]\npath = '{model}'\ngrants = ['tasks']\n{rest}");
    let table = "[handler.model]\nprovider = 'openai'\ndefault = 'm'\nkey = { env = 'TASKCELL_TEST_DOCTOR' }\n";
    let good = write("good.toml", handler(table).as_bytes());
    let file =
        write("file.toml", handler(&table.replace("env = 'TASKCELL_TEST_DOCTOR'", "file = 'no-key'")).as_bytes());
    let short = write("short.toml", handler("").as_bytes());
    let gone = write("gone.toml", b"[[handler]]\npath = 'no-such.wasm'\n");
    let broken = write("broken.toml", b"tasks = 'mine'\n");
    let key = ("TASKCELL_TEST_DOCTOR", "sk-correct-horse");
    #[rustfmt::skip]
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a [&'a str]);
    let table: &[Row<'_>] = &[
        (&["--config", &good], &[key], 0, &["key TASKCELL_TEST_DOCTOR: set"]),
        (&["--config", &good], &[], 1, &["fix: ", "export TASKCELL_TEST_DOCTOR=..."]),
        (&["--config", &file], &[], 1, &["no-key", "fix: "]),
        (&["--config", &short], &[], 1, &["add a table [handler.model]"]),
        (&["--config", &gone], &[], 1, &["no-such.wasm"]),
        (&["--config", &broken], &[], 1, &["broken.toml:1:9", "fix: mend"]),
        (&["--lang", "go"], &[("PATH", "/nonexistent")], 1, &["failed  handlers in Go", "fix: ", "go.dev"]),
        (&[], &[("PATH", "/nonexistent")], 0, &["none    handlers in Go", "fix: "]),
        (&["--cache", "/proc/nowhere"], &[], 1, &["TASKCELL_CACHE", "--no-cache"]),
        (&["--no-cache"], &[], 0, &["in"]),
        (&["--store", "/proc/nowhere/t"], &[], 1, &["TASKCELL_STORE", ":memory:"]),
    ];
    for (options, environment, code, words) in table {
        let ran = doctor(options, environment);
        assert_eq!(ran.code, Some(*code), "{options:?} {ran:?}");
        for word in *words {
            assert!(ran.stdout.contains(word), "{word:?} of {options:?} is not in {ran:?}");
        }
        assert!(!format!("{ran:?}").contains("correct-horse"), "{ran:?}");
    }
    let document = doctor(&["--json", "--config", &short], &[]).json().unwrap();
    let findings = document["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["grade"] == "failed" && finding["fix"].is_string()), "{document}");
}
