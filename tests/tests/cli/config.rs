//! `taskcell.toml`: what it sets, what wins over it, and what is said when it is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use taskcell_test_support::cli::{self, Ran};
use taskcell_test_support::guests::build_guest;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SAMPLING: &str = "sampling/createMessage";

fn write(folder: &TempDir, bytes: impl AsRef<[u8]>) -> PathBuf {
    let file = folder.path().join("taskcell.toml");
    fs::write(&file, bytes).unwrap();
    file
}

/// Runs the program without the store that tests have from the environment.
fn run(arguments: &[&str], environment: &[(&str, &Path)]) -> Ran {
    let mut command = cli::command(PROGRAM);
    command.env_remove("TASKCELL_STORE").envs(environment.iter().copied()).args(arguments);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Asks a handler for a task.
fn make_task(options: &[&str], ttl: Option<u32>) -> Value {
    let mut task = json!({});
    if let Some(ttl) = ttl {
        task["ttl"] = ttl.into();
    }
    let message = json!({ "role": "user", "content": { "type": "text", "text": "hi" } });
    let params = json!({ "messages": [message], "maxTokens": 10, "task": task }).to_string();
    run(&[&["call"], options, &[SAMPLING, &params]].concat(), &[]).json().unwrap()
}

/// A file that is wrong stops the program, which says in one line where and why.
#[test]
fn a_wrong_file_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    #[rustfmt::skip]
    let table: [(&str, &str, &[&str]); 81] = [
        // What TOML does not allow.
        ("tasks = ", "1:9", &["string"]),
        ("tasks = own", "1:9", &["must be quoted"]),
        ("a b = 1", "1:3", &["`=`"]),
        ("\n\n[audit\n", "3:7", &["`]`"]),
        ("tasks = \"own\"\ntasks = \"own\"", "2:1", &["duplicate key"]),
        ("[audit]\n[audit]", "2:2", &["duplicate key"]),
        // What the program does not know.
        ("storage = \"x\"", "1:1", &["unknown field `storage`", "`store`", "`task-limits`"]),
        ("# é\n[task-limits]\n  ttl = \"1h\"", "3:3", &["unknown field `ttl`", "`default-ttl`", "`max-ttl`", "`burst`"]),
        ("[audit]\npath = \"x\"", "2:1", &["unknown field `path`", "`file`", "`payloads`"]),
        ("elicitation = { page = true }", "1:17", &["unknown field `page`", "`form`", "`url`"]),
        ("[sampling.tools]\na = 1", "1:1", &["map", "boolean"]),
        // What a key cannot be.
        ("tasks = \"host\"", "1:9", &["unknown variant `host`", "`own`", "`managed`"]),
        ("store = 1", "1:9", &["integer `1`", "path string"]),
        ("principal = \"\"", "1:13", &["needs a name"]),
        ("principal = \"a\\u001bb\"", "1:13", &["no control characters"]),
        ("[audit]\npayloads = \"yes\"", "2:12", &["string \"yes\"", "boolean"]),
        ("[task-limits]\ndefault-ttl = 60", "2:15", &["integer `60`", "a time as text", "\"90s\""]),
        ("[task-limits]\nlease = \"10\"", "2:9", &["string \"10\"", "\"10m\""]),
        ("[task-limits]\nlease = \"soon\"", "2:9", &["string \"soon\"", "\"24h\""]),
        ("[task-limits]\nlease = \"-5s\"", "2:9", &["string \"-5s\"", "a time as text"]),
        ("[task-limits]\npage = -1", "2:8", &["integer `-1`", "a whole number"]),
        ("[task-limits]\npage = 1.5", "2:8", &["floating point `1.5`", "a whole number"]),
        // What makes no sense.
        ("[task-limits]\ndefault-ttl = \"0s\"", "2:15", &["0ns is not between 1s and 4233600s", "a task must live"]),
        ("[task-limits]\nmax-ttl = \"9999h\"", "2:11", &["is not between", "49 days"]),
        ("[task-limits]\ndefault-ttl = \"25h\"", "2:15", &["default-ttl is 90000s and max-ttl is 86400s"]),
        ("[task-limits]\nmax-ttl = \"5m\"", "2:11", &["default-ttl is 3600s and max-ttl is 300s"]),
        ("[task-limits]\npoll-interval = \"0s\"", "2:17", &["must pause"]),
        ("[task-limits]\nlease = \"0s\"", "2:9", &["0ns is not between 100ms and 3600s", "busy"]),
        ("[task-limits]\npage = 0", "2:8", &["0 is not between 1 and 10000", "must come to its end"]),
        ("[task-limits]\ntasks = 0", "2:9", &["room for a task"]),
        ("[task-limits]\nresult-size = 0", "2:15", &["a result must fit"]),
        ("[task-limits]\nattempts = 0\nrecovered = 1", "2:12", &["must be begun"]),
        ("[task-limits]\nrecovered = 0", "2:13", &["must be done"]),
        ("[task-limits]\nrate = 100\nburst = 0", "3:9", &["must be answered"]),
        // Limits of components, cells and messages.
        ("[limits]\nmemroy = 1", "2:1", &["unknown field `memroy`", "`memory`", "`json-depth`", "`session-cells`"]),
        ("[limits]\nmemory = \"64MB\"", "2:10", &["string \"64MB\"", "a whole number of bytes", "\"64MiB\""]),
        ("[limits]\nmemory = \"MiB\"", "2:10", &["string \"MiB\"", "a whole number of bytes"]),
        ("[limits]\nmemory = \"99999999999GiB\"", "2:10", &["a whole number of bytes"]),
        ("[limits]\nmemory = -1", "2:10", &["integer `-1`", "a whole number of bytes"]),
        ("[limits]\nmemory = 1.5", "2:10", &["floating point `1.5`", "a whole number of bytes"]),
        ("[limits]\nmemory = 0", "2:10", &["0 is not between 65536 and 4294967296", "a page of memory"]),
        ("[limits]\ntable-elements = 0", "2:18", &["0 is not between 1 and 1000000", "set aside"]),
        ("[limits]\ncore-instances = 0", "2:18", &["0 is not between 1 and 1000", "is made of some"]),
        ("[limits]\nmemories = 1001", "2:12", &["1001 is not between", "is made of some"]),
        ("[limits]\ntables = 0", "2:10", &["is made of some"]),
        ("[limits]\nhandles = 0", "2:11", &["holds some"]),
        ("[limits]\nstack = \"1KiB\"", "2:9", &["1024 is not between 65536", "a stack for each cell"]),
        ("[limits]\ncpu-time = 5", "2:12", &["integer `5`", "a time as text"]),
        ("[limits]\ncpu-time = \"1ms\"", "2:12", &["1ms is not between 10ms and 3600s", "kept to 10 ms"]),
        ("[limits]\nwall-time = \"0s\"", "2:13", &["must come to its answer"]),
        ("[limits]\nhost-call = 0", "2:13", &["must hand over its answer"]),
        ("[limits]\nmessage-size = \"17MiB\"", "2:16", &["17825792 is not between 1024 and 16777216", "a line of a server"]),
        ("[limits]\njson-depth = 101", "2:14", &["101 is not between 8 and 100", "the end of its stack"]),
        ("[limits]\ncomponent-size = \"2GiB\"", "2:18", &["read into memory"]),
        ("[limits]\ncompile-time = \"0s\"", "2:16", &["must be compiled"]),
        ("[limits]\noutput = \"1GiB\"", "2:10", &["kept in memory"]),
        ("[limits]\ncells = 0", "2:9", &["some cell must run"]),
        ("[limits]\ncells = 1\nsession-cells = 0", "3:17", &["some cell must run"]),
        // Handlers.
        ("[handler]\npath = \"a\"", "1:1", &["write `[[handler]]`", "several"]),
        ("[[handler]]\ngrants = []", "1:1", &["missing field `path`"]),
        ("[[handler]]\npath = 1", "2:8", &["integer `1`", "path string"]),
        ("[[handler]]\npath = \"a\"\nallow = []", "3:1", &["unknown field `allow`", "`grants`", "`sha256`", "`random`"]),
        ("[[handler]]\npath = \"a\"\nreuse = 0", "3:9", &["0 is not between 1 and 1000000"]),
        ("[[handler]]\npath = \"a\"\nreuse = \"all\"", "3:9", &["string \"all\"", "a whole number"]),
        ("[[handler]]\npath = \"a\"\nsha256 = \"abc\"", "3:10", &["64 hexadecimal digits", "taskcell inspect"]),
        ("[[handler]]\npath = \"a\"\ngrants = \"tasks\"", "3:10", &["string \"tasks\"", "sequence"]),
        ("[[handler]]\npath = \"a\"\ngrants = [\n\"tasks\",\n  \"http\"]", "5:3", &["http is granted by a table [handler.http]"]),
        ("[[handler]]\npath = \"a\"\ngrants = [\n\"tasks\",\n  \"files\"]", "5:3", &["unknown variant `files`", "`tasks`", "`user`"]),
        ("[[handler]]\npath = \"a\"\n[handler.config]\nkey = 1", "4:7", &["a whole number", "a text or a table"]),
        ("[[handler]]\npath = \"a\"\n[handler.config]\nkey = { from = \"x\" }", "4:9", &["unknown field `from`", "`env`", "`file`"]),
        ("[[handler]]\npath = \"a\"\nconfig.key = {}", "3:14", &["{ env = \"VARIABLE\" }"]),
        ("[[handler]]\npath = \"a\"\nconfig.key = { env = \"A\", file = \"b\" }", "3:14", &["{ file = \"PATH\" }"]),
        ("[[handler]]\npath = \"a\"\nconfig.key = { env = \"sk-1\" }", "3:14", &["the name of an environment variable"]),
        ("[[handler]]\npath = \"a\"\n[handler.clocks]\nnow = \"noon\"", "4:7", &["a time with its zone", "2026-01-01T00:00:00Z"]),
        ("[[handler]]\npath = \"a\"\nclocks.now = \"1969-12-31T23:59:59Z\"", "3:14", &["from 1970 on"]),
        ("[[handler]]\npath = \"a\"\n[handler.clocks]", "3:1", &["missing field `now`"]),
        ("[[handler]]\npath = \"a\"\nclocks = \"fixed\"", "3:10", &["either \"real\" or { now"]),
        ("[[handler]]\npath = \"a\"\nclocks = { seed = 1 }", "3:12", &["unknown field `seed`", "`now`"]),
        ("[[handler]]\npath = \"a\"\nrandom = \"fixed\"", "3:10", &["either \"real\" or { seed"]),
        ("[[handler]]\npath = \"a\"\nrandom = { seed = -1 }", "3:19", &["integer `-1`", "a whole number"]),
        ("[[handler]]\npath = \"a\"\nrandom = 7", "3:10", &["a whole number", "a text or a table"]),
    ];
    for (text, place, words) in table {
        let file = write(&folder, text);
        let ran = run(&["tasks", "list", "--config", file.to_str().unwrap()], &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{text:?}: {ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{text:?}: {ran:?}");
        let start = format!("taskcell: {}:{place}: ", file.display());
        assert!(ran.stderr.starts_with(&start), "{text:?}: {start} is not in {ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{text:?}: {word:?} is not in {ran:?}");
        }
    }
}

/// What is no text, too large or not there.
#[test]
fn what_is_no_file_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let check = |file: &Path, words: &[&str]| {
        let ran = run(&["tasks", "list"], &[("TASKCELL_CONFIG", file)]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(2), 1), "{ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
        }
    };
    check(&write(&folder, b"tasks = \"own\"\n# \xff"), &["taskcell.toml:2:3: ", "no UTF-8"]);
    check(&write(&folder, vec![b'#'; 2 << 20]), &["taskcell.toml", "more than 1048576 bytes"]);
    check(&folder.path().join("missing.toml"), &["missing.toml", "cannot be read", "No such file"]);
    check(folder.path(), &["cannot be read"]);
}

/// Each key does what it says.
#[test]
fn each_key_is_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"
        tasks = "managed"
        store = "kept/tasks.db"
        principal = "desk"

        [task-limits]
        default-ttl = "1h 30m"
        max-ttl = "2h"
        tasks = 2

        [audit]
        file = "audit.jsonl"
        payloads = true

        [elicitation]
        form = false

        [sampling]
        tools = true
    "#;
    let file = write(&folder, text);
    let config = ["--config", file.to_str().unwrap()];
    let stock = repository().join("host/cli/assets/stock.wasm").display().to_string();
    let inspected = run(&[&["inspect", "--json"], &config[..], &[&stock]].concat(), &[]).json().unwrap();
    let capabilities = &inspected["capabilities"];
    assert_eq!(capabilities["elicitation"], json!({ "url": {} }));
    assert_eq!(capabilities["sampling"], json!({ "tools": {} }));

    let made = make_task(&config, None);
    assert_eq!(made["result"]["task"]["ttl"], 5_400_000, "{made}");
    assert_eq!(make_task(&config, Some(86_400_000))["result"]["task"]["ttl"], 7_200_000);
    assert_eq!(make_task(&config, None)["error"]["data"]["kind"], "tasks");
    let listed = run(&[&["tasks", "list", "--json", "--principal", "desk"], &config[..]].concat(), &[]).json().unwrap();
    assert_eq!(listed["tasks"].as_array().map(Vec::len), Some(2));
    // Relative to the file, wherever the program was started.
    assert!(folder.path().join("kept/tasks.db").is_file());
    let audit = fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let request = lines.iter().find(|line| line["event"] == "request").unwrap();
    assert_eq!((&request["principal"], &request["request"]["method"]), (&json!("desk"), &json!(SAMPLING)));
}

/// What the file sets bounds the cells of the program, and what it reads.
#[test]
fn limits_are_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = build_guest(&repository().join("tests/guests/hostile")).unwrap().display().to_string();
    let inspected = |file: &str| run(&["inspect", "--config", file, &hostile], &[]);
    let called = |file: &str, behavior: &str| {
        let message = json!({ "role": "user", "content": { "type": "text", "text": behavior } });
        let params = json!({ "messages": [message], "maxTokens": 10 }).to_string();
        let grants = ["--grant", "tasks", "--grant", "progress"];
        run(&[&["call", "--config", file, "--handler", &hostile], &grants[..], &[SAMPLING, &params]].concat(), &[])
    };
    for (limit, behavior, kind, most) in [
        ("cpu-time = \"50ms\"", "loop", "cpu_time", 50),
        ("memory = \"8MiB\"", "drip", "memory", 8 << 20),
        ("handles = 50", "leak", "handles", 50),
        ("json-depth = 20", "deep-json", "json_depth", 20),
    ] {
        let file = write(&folder, format!("[limits]\n{limit}")).display().to_string();
        let ran = called(&file, behavior);
        assert_eq!(ran.json().unwrap()["error"]["data"]["kind"], kind, "{limit}: {ran:?}");
        assert!(ran.stderr.contains(&format!("limit={most} ")), "{limit}: {ran:?}");
        assert_eq!(called(&file, "good").code, Some(0), "{limit}");
    }
    let file = write(&folder, "[limits]\ncomponent-size = \"1KiB\"").display().to_string();
    for ran in [called(&file, "good"), inspected(&file)] {
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("the limit is 1024"), "{ran:?}");
    }
    // The handlers of the configuration are read by the same rule.
    let text = "[limits]\ncomponent-size = \"1KiB\"\n[[handler]]\npath = \"/dev/zero\"";
    let file = write(&folder, text).display().to_string();
    let ran = run(&["call", "--config", &file, "ping"], &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("/dev/zero") && ran.stderr.contains("no regular file"), "{ran:?}");
}

/// A flag wins over its variable, that over the file, and that over the default.
#[test]
fn the_nearest_wins() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"
        tasks = "managed"
        store = "file.db"
        principal = "file"
        [audit]
        file = "file.jsonl"
        payloads = true
        [elicitation]
        form = false
        url = true
        [sampling]
        tools = true
    "#;
    let file = write(&folder, text);
    let config = ["--config", file.to_str().unwrap()];
    let stock = repository().join("host/cli/assets/stock.wasm").display().to_string();
    let minimal = build_guest(&repository().join("guest-examples/rust-minimal")).unwrap().display().to_string();

    // What is declared.
    let inspect =
        |options: &[&str], wasm: &str| run(&[&["inspect", "--json"], options, &[wasm]].concat(), &[]).json().unwrap();
    let both = json!({ "form": {}, "url": {} });
    let table: [(&[&str], Value, Value); 5] = [
        (&[], both.clone(), json!({})),
        (&config, json!({ "url": {} }), json!({ "tools": {} })),
        (
            &[&config[..], &["--elicitation", "form", "--sampling-tools=false"]].concat(),
            json!({ "form": {} }),
            json!({}),
        ),
        (&[&config[..], &["--elicitation", "form,url", "--sampling-tools"]].concat(), both, json!({ "tools": {} })),
        (&[&config[..], &["--elicitation", "none"]].concat(), Value::Null, json!({ "tools": {} })),
    ];
    for (options, elicitation, sampling) in table {
        let capabilities = &inspect(options, &stock)["capabilities"];
        assert_eq!((&capabilities["elicitation"], &capabilities["sampling"]), (&elicitation, &sampling), "{options:?}");
        let tasks = &capabilities["tasks"]["requests"]["elicitation"];
        assert_eq!(tasks.is_null(), elicitation.is_null(), "{options:?}: {capabilities}");
    }
    let served = |options: &[&str]| inspect(options, &minimal)["served"]["get-task"].clone();
    assert_eq!(served(&[]), "default");
    assert_eq!(served(&config), "managed");
    assert_eq!(served(&[&config[..], &["--tasks", "own"]].concat()), "default");

    // Where it is kept, and whose it is.
    let [flag, variable] = ["flag.db", "variable.db"].map(|name| folder.path().join(name));
    let make = |options: &[&str], environment: &[(&str, &Path)]| {
        let params = r#"{"messages":[],"maxTokens":1,"task":{}}"#;
        let ran = run(&[&["call"], &config[..], options, &[SAMPLING, params]].concat(), environment);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    };
    make(&[], &[]);
    make(&[], &[("TASKCELL_STORE", &variable)]);
    make(
        &["--principal", "flag", "--store", flag.to_str().unwrap(), "--audit-payloads=false"],
        &[("TASKCELL_STORE", &variable)],
    );
    make(&["--store", ":memory:"], &[]);
    for (store, principal) in [("file.db", "file"), ("variable.db", "file"), ("flag.db", "flag")] {
        let store = folder.path().join(store);
        let listed = run(&["tasks", "list", "--json", "--store", store.to_str().unwrap()], &[]).json().unwrap();
        let principals: Vec<_> = listed["tasks"].as_array().unwrap().iter().map(|task| &task["principal"]).collect();
        assert_eq!(principals, [principal], "{}", store.display());
    }
    let audit = fs::read_to_string(folder.path().join("file.jsonl")).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<_> = lines.iter().filter(|line| line["event"] == "request").collect();
    let whole: Vec<_> = requests.iter().map(|line| line.get("request").is_some()).collect();
    assert_eq!(whole, [true, true, false, true], "{audit}");
}

/// Flags that cannot be.
#[test]
fn wrong_flags_are_explained() {
    let table: [(&[&str], &[&str]); 6] = [
        (&["--elicitation", "none,form"], &["none goes with no other"]),
        (&["--elicitation", "page"], &["page", "form", "url", "none"]),
        (&["--audit-payloads"], &["payloads", "--audit FILE"]),
        (&["--principal", ""], &["a principal needs a name"]),
        (&["--audit", "/no/such/folder/file"], &["/no/such/folder/file", "cannot be opened", "No such file"]),
        (&["--store", "/"], &["the task store /", "is no file"]),
    ];
    for (options, words) in table {
        let ran = run(&[&["call"], options, &["ping"]].concat(), &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{options:?}: {ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{options:?}: {word:?} is not in {ran:?}");
        }
    }
}
