//! The program as a user runs it: results, exit codes, and what it says of servers and handlers that are no good.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use taskcell::kinds::KINDS;
use taskcell_test_support::cli::{self, Ran};
use taskcell_test_support::compose::{component, component_for, core_module};
use taskcell_test_support::guests::build_guest;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SERVER: &str = env!("CARGO_BIN_EXE_fake-server");
const PROMPT: &str =
    r#"{ "messages": [{ "role": "user", "content": { "type": "text", "text": "hi" } }], "maxTokens": 10 }"#;
const SAMPLING: &str = "sampling/createMessage";

/// Runs the program; one that does not end fails the test.
fn run<A: AsRef<OsStr>>(arguments: &[A]) -> Ran {
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_ref().to_owned()).collect();
    let shown = format!("{arguments:?}");
    let (done, ran) = mpsc::channel();
    std::thread::spawn(move || done.send(cli::run(PROGRAM, &arguments)));
    ran.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("it hangs: {shown}")).unwrap()
}

/// Runs the program as the client of the server in `tests/src/bin`.
fn run_with(options: &[&str], server: &[&str]) -> Ran {
    run(&[&["run"], options, &["--", SERVER], server].concat())
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn stock() -> String {
    text(&repository("host/cli/assets/stock.wasm"))
}

fn minimal() -> String {
    text(&build_guest(&repository("guest-examples/rust-minimal")).unwrap())
}

/// Asserts that the program could not do it, and says so in one line that holds these words.
fn assert_refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(ran.stdout, "", "{ran:?}");
    assert!(ran.stderr.starts_with("taskcell: ") && ran.stderr.ends_with('\n'), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
    }
}

// ---- demo ----

/// The demo shows that all of its steps come out right.
#[test]
fn the_demo_comes_out_right() {
    let ran = run(&["demo"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines: Vec<_> = ran.stdout.lines().collect();
    let (last, steps) = lines.split_last().unwrap();
    assert!(steps.len() > 5 && steps.iter().all(|step| step.starts_with("ok ")), "{ran:?}");
    assert_eq!(*last, format!("{0} of {0} steps came out right", steps.len()));
    for word in ["connected to taskcell-demo-server", "answered by the stock handler", "is completed", "is cancelled"] {
        assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
    }
    let quiet = run(&["demo", "-q"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
}

/// With a handler of one kind the steps of the others fail, each with its reason.
#[test]
fn the_demo_fails_cleanly() {
    let ran = run(&["demo", "-q", "--handler", &minimal()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
    let (good, bad): (Vec<_>, Vec<_>) =
        ran.stdout.lines().filter(|line| !line.ends_with("came out right")).partition(|line| line.starts_with("ok "));
    assert!(good.len() == 1 && good[0].contains("You said: What is a cell?"), "{ran:?}");
    assert!(bad.iter().all(|line| line.starts_with("FAIL ") && line.contains("not supported")), "{ran:?}");
    assert_eq!(ran.stdout.lines().last().unwrap(), format!("1 of {} steps came out right", bad.len() + 1));
}

// ---- inspect ----

/// What a component is, and what it needs: as JSON and for people.
#[test]
fn inspect_tells_what_a_component_is() {
    let folder = tempfile::tempdir().unwrap();
    let asking = folder.path().join("asking.wasm");
    fs::write(&asking, component(&["elicitation"], &["user", "model"]).unwrap()).unwrap();
    let tasks = json!({ "list": {}, "cancel": {}, "requests": { "sampling": { "createMessage": {} }, "elicitation": { "create": {} } } });
    let elicitation = json!({ "form": {}, "url": {} });
    let all = json!({ "tasks": tasks, "sampling": {}, "elicitation": elicitation, "roots": {} });
    #[rustfmt::skip]
    let kinds = json!(["get-task", "get-task-result", "list-tasks", "cancel-task", "augmented-sampling", "augmented-elicitation", "sampling", "elicitation", "roots"]);
    let table = [
        (stock(), kinds, all, true, json!(["config", "progress", "tasks"])),
        (minimal(), json!(["sampling"]), json!({ "sampling": {} }), false, json!([])),
        (text(&asking), json!(["elicitation"]), json!({ "elicitation": elicitation }), false, json!(["model", "user"])),
    ];
    for (file, kinds, capabilities, background, grants) in table {
        let bytes = fs::read(&file).unwrap();
        let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let ran = run(&["inspect", "--json", &file]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
        let mut document = ran.json().unwrap();
        let imports = document.as_object_mut().unwrap().remove("imports").unwrap();
        let is_exported = |kind: &str| kinds.as_array().unwrap().iter().any(|exported| exported == kind);
        let by = |kind: &str| if is_exported(kind) { "exported" } else { "default" };
        let served: Map<_, _> = KINDS.iter().map(|row| (row.export.to_owned(), by(row.export).into())).collect();
        let expected = json!({
            "file": file, "sha256": sha256, "size": bytes.len(), "witVersion": "0.1.0", "kinds": kinds,
            "served": served, "capabilities": capabilities, "background": background, "grants": grants, "warnings": [],
        });
        assert_eq!(document, expected);
        assert!(
            imports
                .as_array()
                .unwrap()
                .contains(&json!({ "interface": "taskcell:handlers/types@0.1.0", "grant": null }))
        );

        let ran = run(&["inspect", &file]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
        let has = |line: &str| ran.stdout.lines().any(|found| found.split_whitespace().eq(line.split_whitespace()));
        let sampling = if is_exported("sampling") { "exported" } else { "default: -32600 Sampling not supported" };
        let listing = if is_exported("list-tasks") { "exported" } else { "default: -32601 tasks/list not supported" };
        let names: Vec<_> = grants.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let needed = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let mut lines = vec![
            format!("file {file}"),
            format!("sha256 {sha256}"),
            format!("size {} bytes", bytes.len()),
            "WIT version 0.1.0".to_owned(),
            format!("capabilities {capabilities}"),
            format!("grants needed {needed}"),
            format!("sampling {SAMPLING} {sampling}"),
            format!("list-tasks tasks/list {listing}"),
            format!("background work of tasks {}", if background { "exported" } else { "no" }),
            "taskcell:handlers/types@0.1.0 in every cell".to_owned(),
        ];
        for import in imports.as_array().unwrap() {
            if let (Some(interface), Some(grant)) = (import["interface"].as_str(), import["grant"].as_str()) {
                lines.push(format!("{interface} needs grant {grant}"));
            }
        }
        for line in lines {
            assert!(has(&line), "{line:?} is not in {ran:?}");
        }
    }
}

/// In managed mode the host supplies what a component lacks of the kinds of tasks, and the capabilities follow; what
/// the component exports stays its own.
#[test]
fn inspect_tells_what_is_managed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, exports: &[&str]| {
        let file = folder.path().join(name);
        fs::write(&file, component(exports, &[]).unwrap()).unwrap();
        text(&file)
    };
    let all_of = |requests: Value| json!({ "list": {}, "cancel": {}, "requests": requests });
    let sampling = json!({ "sampling": { "createMessage": {} } });
    let elicitation = json!({ "elicitation": { "create": {} } });
    let of_tasks = ["get-task", "get-task-result", "list-tasks", "cancel-task"];
    #[rustfmt::skip]
    let table: [(&[&str], Vec<&str>, Value); 5] = [
        (&["sampling"], [&of_tasks[..], &["augmented-sampling"]].concat(), all_of(sampling.clone())),
        (&["elicitation"], [&of_tasks[..], &["augmented-elicitation"]].concat(), all_of(elicitation)),
        (&["sampling", "get-task", "cancel-task"], vec!["get-task-result", "list-tasks", "augmented-sampling"], all_of(sampling.clone())),
        (&["augmented-sampling", "background"], of_tasks.to_vec(), all_of(sampling)),
        (&["roots"], vec![], Value::Null),
    ];
    for (index, (exports, managed, tasks)) in table.into_iter().enumerate() {
        let file = write(&format!("{index}.wasm"), exports);
        let document = run(&["inspect", "--json", "--tasks", "managed", &file]).json().unwrap();
        let own = run(&["inspect", "--json", &file]).json().unwrap();
        let sheet = run(&["inspect", "--tasks", "managed", &file]);
        assert_eq!(document["capabilities"]["tasks"], tasks, "{exports:?}");
        assert_eq!(document["kinds"], own["kinds"], "{exports:?}");
        for row in &KINDS {
            let by = match row.export {
                kind if exports.contains(&kind) => "exported",
                kind if managed.contains(&kind) => "managed",
                _ => "default",
            };
            assert_eq!(document["served"][row.export], by, "{exports:?}: {}", row.export);
            assert_eq!(own["served"][row.export], if by == "exported" { by } else { "default" }, "{exports:?}");
            let method = if row.augmented { " (task)" } else { "" };
            let shown = format!("{} {}{method} {by}", row.export, row.method);
            let lines = sheet.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            assert!(lines.into_iter().any(|line| line.starts_with(&shown)), "{shown:?} is not in {sheet:?}");
        }
    }
}

// ---- call ----

/// One request: its answer is on stdout, and the exit code says whether it is an error.
#[test]
fn call_sends_one_request() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.json");
    fs::write(&script, r#"{ "sampling": [{ "answer": "from a file" }] }"#).unwrap();
    let file = format!("script=@{}", script.display());
    let value = r#"script={"sampling":[{"error":{"code":-1,"message":"no"}}]}"#;
    let handler = ["--handler", &stock(), "--grant", "tasks", "--grant", "progress"];
    let said = |text: &str| ("/result/content/text", json!(text), 0);
    let table: [(&[&str], &[&str], _); 13] = [
        (&[], &[SAMPLING, PROMPT], said("Scripted answer to: hi")),
        (&["--set", &file], &[SAMPLING, PROMPT], said("from a file")),
        (&["--set", value], &[SAMPLING, PROMPT], ("/error", json!({ "code": -1, "message": "no" }), 1)),
        (&["--set", "script={}", "--set", &file], &[SAMPLING, PROMPT], said("from a file")),
        (&[&handler[..], &["--set", &file]].concat(), &[SAMPLING, PROMPT], said("from a file")),
        (&[&handler[..], &["--grant", "config"]].concat(), &[SAMPLING, PROMPT], said("Scripted answer to: hi")),
        (&["--handler", &minimal()], &[SAMPLING, PROMPT], said("You said: hi")),
        (&["--handler", &minimal()], &["roots/list"], ("/error/message", json!("List roots not supported"), 1)),
        (&[], &["roots/list"], ("/result/roots/0/uri", json!("file:///workspace"), 0)),
        (&[], &["ping"], ("/result", json!({}), 0)),
        (&[], &["no/such"], ("/error/code", json!(-32601), 1)),
        (&[], &["tasks/get", r#"{"taskId":"x"}"#], ("/error/code", json!(-32602), 1)),
        (&[], &[SAMPLING, "[1]"], ("/error/code", json!(-32602), 1)),
    ];
    for (options, request, (pointer, expected, code)) in table {
        let ran = run(&[&["call"], options, request].concat());
        // An unknown method is answered with those that there are.
        let hint = if request == ["no/such"] { "there is no method \"no/such\"" } else { "" };
        assert!(ran.code == Some(code) && ran.stderr.starts_with(hint), "{ran:?}");
        assert_eq!(ran.stderr.is_empty(), hint.is_empty(), "{ran:?}");
        let answer = ran.json().unwrap();
        assert_eq!(answer.pointer(pointer), Some(&expected), "{answer}");
    }
}

/// In managed mode the host makes tasks of requests whose plain handler knows of none.
#[test]
fn managed_mode_serves_tasks_around_plain_handlers() {
    let minimal = minimal();
    let mut prompt: Value = serde_json::from_str(PROMPT).unwrap();
    prompt["task"] = json!({ "ttl": 60_000 });
    let prompt = prompt.to_string();
    let form = r#"{ "message": "?", "requestedSchema": { "type": "object", "properties": {} }, "task": {} }"#;
    let no = "Task-augmented sampling not supported";
    let table: [(&[&str], &[&str], &str, Value); 5] = [
        (&["--tasks", "managed"], &[SAMPLING, &prompt], "/result/task/status", json!("working")),
        (&["--tasks", "managed"], &["tasks/list"], "/result/tasks", json!([])),
        (&["--tasks", "managed"], &["elicitation/create", form], "/error/code", json!(-32600)),
        (&["--tasks", "own"], &[SAMPLING, &prompt], "/error/message", json!(no)),
        (&[], &["tasks/list"], "/error/code", json!(-32601)),
    ];
    for (options, request, pointer, expected) in table {
        let ran = run(&[&["call", "--handler", &minimal], options, request].concat());
        let answer = ran.json().unwrap();
        assert_eq!(answer.pointer(pointer), Some(&expected), "{answer}");
    }
}

/// A command that cannot be run says in one line what is wrong and what to do.
#[test]
fn what_cannot_be_run_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        text(&path)
    };
    let minimal = minimal();
    let one = write("one.wasm", fs::read(&minimal).unwrap());
    let two = write("two.wasm", fs::read(&minimal).unwrap());
    let readme = write("readme.txt", b"not a component".to_vec());
    let core = write("core.wasm", core_module());
    let newer = write("newer.wasm", component_for("0.2.0", &["sampling"], &[]).unwrap());
    let model = write("model.wasm", component(&["sampling"], &["model"]).unwrap());
    let missing = text(&folder.path().join("missing.wasm"));
    let (stock, old) = (stock(), "taskcell:handlers@0.1.0");
    let call = |options: &[&str]| run(&[&["call"], options, &[SAMPLING, PROMPT]].concat());
    let with = |file: &str| call(&["--handler", file]);

    assert_refused(&with(&missing), &[&missing, "cannot be read", "No such file"]);
    assert_refused(&with(&text(folder.path())), &[&text(folder.path()), "cannot be read"]);
    assert_refused(&with(&readme), &[&readme, "is not a WebAssembly component", "build"]);
    assert_refused(
        &with(&core),
        &[&core, "is a core module", "`taskcell tool component-new`", "wasm-tools component new"],
    );
    assert_refused(&with(&newer), &[&newer, "@0.2.0`", old, "build it against that version"]);
    assert_refused(&with(&stock), &[&stock, "taskcell:handlers/tasks@0.1.0", "not granted", "add --grant tasks"]);
    let some = call(&["--handler", &stock, "--grant", "tasks", "--grant", "progress"]);
    assert_refused(&some, &[&stock, "wasi:config/store", "not granted", "add --grant config"]);
    assert_refused(&with(&model), &[&model, "taskcell:handlers/model@0.1.0", "a table [handler.model]"]);
    for command in [&["call", SAMPLING, PROMPT][..], &["demo", "-q"], &["run", "-q", "--", SERVER, "ok"]] {
        let (command, rest) = command.split_first().unwrap();
        let ran = run(&[&[*command, "--handler", &one, "--handler", &two], rest].concat());
        assert_refused(&ran, &[&one, &two, "`sampling`", "give only one handler for each kind"]);
    }
    for file in [&missing, &readme, &core, &newer] {
        assert_refused(&run(&["inspect", "--json", file]), &[file]);
    }
    assert_refused(&run(&["call", SAMPLING, "{"]), &["PARAMS is not JSON"]);
    assert_refused(&run_with(&["--tool", "echo", "--args", "{"], &["ok"]), &["--args is not JSON"]);
    assert_refused(&run_with(&["--tool", "echo", "--args", "[]"], &["ok"]), &["--args is not a JSON object"]);
}

/// What is wrong with the command line itself is named, too.
#[test]
fn wrong_usage_is_named() {
    let table: [(&[&str], &[&str]); 7] = [
        (&["run", "-q"], &["<SERVER>"]),
        (&["call"], &["<METHOD>"]),
        (&["call", "--set", "script", "ping"], &["script", "KEY=VALUE"]),
        (&["call", "--set", "script=@no-such-file", "ping"], &["no-such-file", "No such file or directory"]),
        (&["call", "--grant", "everything", "ping"], &["everything", "tasks", "progress", "config"]),
        (&["run", "--args", "{}", "--", SERVER, "ok"], &["--tool"]),
        (&["fly"], &["fly"]),
    ];
    for (arguments, words) in table {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
        }
    }
}

// ---- run ----

/// A good server: tools are listed over all pages, and called.
#[test]
fn a_good_server_is_served() {
    let said = |text: &str| json!([{ "type": "text", "text": text }]);
    let called = |tool: &str, outcome: Value| {
        let mut document = json!({ "tool": tool });
        document.as_object_mut().unwrap().append(&mut outcome.as_object().unwrap().clone());
        document
    };
    let listed = json!({ "tools": [
        { "name": "echo", "description": "The tool echo" }, { "name": "fail", "description": "The tool fail" },
    ] });
    let error = |message: &str| json!({ "error": { "code": -32000, "message": message } });
    let echoed = json!({ "result": { "content": said("{\"a\":[1]}") } });
    let failed = json!({ "result": { "content": said("it failed"), "isError": true } });
    #[rustfmt::skip]
    let table: [(&[&str], &str, i32, Value, &str); 6] = [
        (&["--tool", "echo", "--args", r#"{"a":[1]}"#], "ok", 0, called("echo", echoed), "{\"a\":[1]}\n"),
        (&["--tool", "fail"], "ok", 1, called("fail", failed), "it failed\n"),
        (&["--tool", "none"], "ok", 1, called("none", error("no such tool")), "error -32000: no such tool\n"),
        (&[], "ok", 0, listed.clone(), "echo The tool echo\nfail The tool fail\n"),
        (&[], "old", 0, listed, "echo The tool echo\nfail The tool fail\n"),
        (&[], "no-tools", 1, error("no tools here"), "error -32000: no tools here\n"),
    ];
    for (options, mode, code, expected, shown) in table {
        let ran = run_with(&[&["-q", "--json"], options].concat(), &[mode]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""), "{ran:?}");
        let mut document = ran.json().unwrap();
        let version = if mode == "old" { "2025-06-18" } else { "2025-11-25" };
        let members = document.as_object_mut().unwrap();
        assert_eq!(members.remove("server"), Some(json!({ "name": "fake-server", "version": "fake-server" })));
        assert_eq!(members.remove("protocolVersion"), Some(json!(version)));
        assert_eq!((members.remove("requests"), members.remove("tasks")), (Some(json!([])), Some(json!([]))));
        assert!(members.remove("capabilities").is_some_and(|declared| declared.get("tasks").is_some()));
        assert_eq!(document, expected);

        let ran = run_with(&[&["-q"], options].concat(), &[mode]);
        let squeezed: String =
            ran.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect();
        assert_eq!((ran.code, squeezed.as_str(), ran.stderr.as_str()), (Some(code), shown, ""), "{options:?} {mode}");
    }
}

/// What the server asked, and what became of its tasks, is in the document.
#[test]
fn the_document_tells_what_was_asked() {
    let ran = run(&["run", "-q", "--json", "--tool", "cancel_a_task", "--", PROGRAM, "demo-server"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let document = ran.json().unwrap();
    let requests = document["requests"].as_array().unwrap();
    let asked: Vec<_> = requests.iter().map(|request| (&request["kind"], &request["error"]["code"])).collect();
    let expected = [("augmented-sampling", 0), ("list-tasks", 0), ("cancel-task", 0), ("cancel-task", -32602)];
    let expected = expected.map(|(kind, code)| (json!(kind), if code == 0 { Value::Null } else { json!(code) }));
    assert_eq!(asked, expected.iter().map(|(kind, code)| (kind, code)).collect::<Vec<_>>(), "{document}");
    for request in requests {
        assert_eq!(request["handler"], "the stock handler");
        assert!(request["milliseconds"].is_f64() && request["method"].is_string(), "{request}");
    }
    assert_eq!(document["tasks"].as_array().unwrap().last().unwrap()["status"], "cancelled", "{document}");
}

/// A request for a task, where no handler takes tasks, is refused or, when so told, served as a plain one.
#[test]
fn undeclared_tasks_are_refused_or_processed() {
    let minimal = minimal();
    for (options, kind, error) in [
        (&[][..], "augmented-sampling", json!({ "code": -32600, "message": "Task-augmented sampling not supported" })),
        (&["--process-undeclared"], "sampling", Value::Null),
    ] {
        let ran = run(&[
            &["run", "-q", "--json", "--handler", &minimal, "--tool", "sample_as_task"],
            options,
            &["--", PROGRAM, "demo-server"],
        ]
        .concat());
        // The server wanted a task, and gets none either way.
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let asked = ran.json().unwrap()["requests"][0].clone();
        assert_eq!((&asked["kind"], &asked["error"]), (&json!(kind), &error), "{asked}");
    }
}

/// A bad server is told of in one line, which names what it did; nothing hangs, nothing panics.
#[test]
fn bad_servers_are_explained() {
    let closes = ["sh", "-c", "exec >&-; exec sleep 600"];
    let table: [(&[&str], &[&str]); 15] = [
        (&[SERVER, "exits-at-once"], &["the server ended (exit status: 3)", "no configuration was found"]),
        (
            &[SERVER, "exits-after-initialize"],
            &["the server ended (exit status: 4)", "tools/list", "the database is gone"],
        ),
        (&[SERVER, "hangs"], &["no answer to initialize within 3 s", "--timeout"]),
        (&[SERVER, "hangs-later"], &["no answer to tools/list within 3 s", "--timeout"]),
        (
            &[SERVER, "garbage-on-stdout"],
            &["stdout", "not a JSON-RPC message", "Starting the server...", "logs on stderr"],
        ),
        (&[SERVER, "garbage-later"], &["stdout", "not a JSON-RPC message", "DEBUG connected", "logs on stderr"]),
        (&[SERVER, "binary-on-stdout"], &["stdout", "not a JSON-RPC message", "logs on stderr"]),
        (&[SERVER, "endless-line"], &["reading from the server failed", "a line of more than"]),
        (&[SERVER, "endless-list"], &["list of tools has more than", "pages"]),
        (&[SERVER, "refuses"], &["the server refused initialize: -32000 not today"]),
        (&[SERVER, "nameless"], &["no serverInfo"]),
        (&[SERVER, "too-old"], &["2020-01-01", "2025-11-25"]),
        (&closes, &["the server closed its stdout"]),
        (&["no-such-program"], &["no-such-program", "cannot be started", "No such file"]),
        (&["/"], &["cannot be started", "denied"]),
    ];
    std::thread::scope(|scope| {
        for (server, words) in table {
            scope.spawn(move || {
                let hangs = server.last().is_some_and(|mode| mode.starts_with("hangs"));
                let timeout = ["run", "--timeout", if hangs { "3" } else { "30" }];
                for options in [&["-q", "--strict"][..], &["-q", "--strict", "--json"]] {
                    assert_refused(&run(&[&timeout, options, &["--"], server].concat()), words);
                }
            });
        }
    });
}

/// Why a connection ended is told each time, though the end is noticed in several places at once.
#[test]
fn the_reason_is_told_each_time() {
    for _ in 0..20 {
        assert_refused(&run_with(&["-q"], &["exits-after-initialize"]), &["exit status: 4", "the database is gone"]);
        assert_refused(
            &run_with(&["-q", "--strict"], &["garbage-later"]),
            &["not a JSON-RPC message", "DEBUG connected"],
        );
    }
}

/// The id of the process that the server started, once it has.
fn sleeper(file: &Path) -> u32 {
    for _ in 0..6_000 {
        if let Ok(id) = fs::read_to_string(file) {
            return id.parse().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the server started nothing");
}

/// Asserts that a process ends now: that it was killed, not that it came to its own end.
fn assert_ends(process: u32, how: &str) {
    let runs = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // What was killed and not yet reaped is a zombie.
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
    };
    for _ in 0..500 {
        if !runs() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = Command::new("kill").arg(process.to_string()).status();
    panic!("{how}: what the server started is still running");
}

/// However a run ends, nothing that the server started is left running.
#[test]
fn nothing_is_left_running() {
    let folder = tempfile::tempdir().unwrap();
    let table = [
        ("ok", 0),
        ("no-tools", 1),
        ("exits-at-once", 2),
        ("exits-after-initialize", 2),
        ("hangs", 2),
        ("hangs-later", 2),
        ("garbage-on-stdout", 0),
        ("garbage-later", 0),
        ("endless-list", 2),
        ("too-old", 2),
    ];
    std::thread::scope(|scope| {
        for (mode, code) in table {
            let file = folder.path().join(mode);
            scope.spawn(move || {
                let ran = run_with(&["-q", "--timeout", "4"], &[mode, file.to_str().unwrap()]);
                assert_ends(sleeper(&file), mode);
                assert_eq!(ran.code, Some(code), "{ran:?}");
            });
        }
    });
}

/// A signal to the program ends the server with all that it started.
#[test]
fn a_signal_ends_the_server() {
    let folder = tempfile::tempdir().unwrap();
    for signal in ["TERM", "INT"] {
        let file = folder.path().join(signal);
        let program = cli::command(PROGRAM)
            .args(["run", "-q", "--timeout", "20", "--", SERVER, "hangs"])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let sleeper = sleeper(&file);
        assert!(cli::signal(&program, signal).unwrap());
        let output = program.wait_with_output().unwrap();
        assert_ends(sleeper, signal);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "taskcell: interrupted; the server was stopped\n");
    }
}

// ---- What a terminal is shown ----

/// What moves the cursor, or turns text around.
fn is_nasty(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Work that ends without an answer is told of with its task, its handler and the reason, as it happens.
#[test]
fn work_that_fails_is_a_line() {
    let hostile = text(&build_guest(&repository("tests/guests/hostile")).unwrap());
    let grants = ["--handler", &hostile, "--grant", "tasks,progress"];
    let ran = run_with(&[&grants[..], &["--tool", "use-task", "--args", r#"{"text":"trap"}"#]].concat(), &["ok"]);
    let line =
        ran.stderr.lines().find(|line| line.starts_with("work failed  task ")).unwrap_or_else(|| panic!("{ran:?}"));
    assert!(line.contains("gave no answer: ") && line.contains("trap"), "{line}");
    assert_eq!(ran.stderr.matches("work failed").count(), 1, "{ran:?}");
}

/// Whatever a server or a handler sends, a terminal is shown no character that it would obey.
#[test]
fn no_control_characters_are_shown() {
    let hostile = text(&build_guest(&repository("tests/guests/hostile")).unwrap());
    let trap = PROMPT.replace("hi", "trap");
    let answers = r#"script={"sampling":[{"answer":"\u001b[2J\u009b31m\u007f\u202e\r\u0000"}]}"#;
    let table: [&[&str]; 13] = [
        &["run", "--", SERVER, "nasty"],
        &["run", "--json", "--", SERVER, "nasty"],
        &["run", "--tool", "nasty", "--", SERVER, "ok"],
        &["run", "--json", "--tool", "nasty", "--", SERVER, "ok"],
        &["run", "--tool", "nasty-error", "--", SERVER, "ok"],
        &["run", "--json", "--tool", "nasty-error", "--", SERVER, "ok"],
        &["run", "-v", "-v", "--", SERVER, "nasty"],
        &["run", "--", SERVER, "logs-nasty"],
        &["run", "--", SERVER, "too-old-nasty"],
        &["call", "--set", answers, SAMPLING, PROMPT],
        &["call", "\u{1b}[2J\u{9b}\u{202e}"],
        &["call", "--handler", "\u{1b}[2J\u{9b}\u{202e}", "ping"],
        &["call", "--handler", &hostile, "--grant", "tasks", "--grant", "progress", SAMPLING, &trap],
    ];
    for arguments in table {
        let ran = run(arguments);
        assert!(ran.code.is_some_and(|code| code < 3), "{ran:?}");
        for (name, shown) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            let found: Vec<_> = shown.chars().filter(|c| is_nasty(*c)).collect();
            assert!(found.is_empty(), "{name} of {arguments:?} has {found:?}");
        }
    }
}
