//! The program beside servers as they are: what they put on their pipes, when they ask, and how they end.

use std::fs;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use taskcell_test_support::cli::{self, Ran};

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SERVER: &str = env!("CARGO_BIN_EXE_fake-server");

/// Runs the program as the client of a server that plays a script.
fn run(options: &[&str], script: &Value) -> Ran {
    let script = script.to_string();
    let timeout = if options.contains(&"--timeout") { &[][..] } else { &["--timeout", "30"] };
    cli::run(PROGRAM, &[&["run"], timeout, options, &["--", SERVER, "script", &script]].concat()).unwrap()
}

fn call(script: &Value) -> Ran {
    run(&["--tool", "go"], script)
}

fn hex(text: &[u8]) -> String {
    text.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line that answers the request.
fn result(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":$ID,"result":{result}}}"#)
}

/// The result of a tool that says something; the text is JSON.
fn said(text: &str) -> String {
    result(&format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#))
}

fn error(error: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":$ID,"error":{error}}}"#)
}

fn assert_says(ran: &Ran, words: &[&str]) {
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
    }
}

/// Asserts that the tool was called.
fn assert_ok(ran: &Ran) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "ok\n"), "{ran:?}");
}

/// What the server was sent, of a run with `--json` whose tool says that.
fn received(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let document = ran.json().unwrap();
    serde_json::from_str(document["result"]["content"][0]["text"].as_str().unwrap()).unwrap()
}

// ---- stderr ----

/// All of stderr is read, whatever is on it: a server whose stderr is closed dies of it.
#[test]
fn every_byte_of_stderr_is_read() {
    let long = ".".repeat(20_000);
    #[rustfmt::skip]
    let table: [(&[u8], &str); 7] = [
        (b"plain\n",                          "server says  plain"),
        (b"caf\xe9 is ready\n",               "server says  caf\u{fffd} is ready"),
        (b"\xff\xfe\x00\x01\n",               "server says"),
        (b"10 %\r20 %\rdone\n",               "server says  20 %"),
        (b"crlf\r\n",                         "server says  crlf"),
        (long.as_bytes(),                     "server says  ....."),
        (b"",                                 ""),
    ];
    for (bytes, shown) in table {
        let err = json!({ "err": hex(bytes) });
        let many = vec![json!({ "err": hex(bytes), "times": if bytes.len() > 1_000 { 1_000 } else { 1 } })];
        let again = json!({ "err": hex(b"still here\n") });
        let start = [many, vec![json!({ "err": hex(b"\n") })]].concat();
        let ran = call(&json!({ "start": start, "on": { "tools/call": [err, again, said("\"ok\"")] } }));
        assert_ok(&ran);
        assert_says(&ran, &[shown]);
    }
}

/// What a server says for people is shown a little at a time, and nothing of it once the run is over; `-v` shows all.
#[test]
fn a_talkative_server_is_folded() {
    let server = ["--", SERVER, "flood", "stderr", "300"];
    let lines = |ran: &Ran| ran.stderr.lines().filter(|line| line.starts_with("server says  at line")).count();
    let ran = cli::run(PROGRAM, &[&["run", "--tool", "go"], &server[..]].concat()).unwrap();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "done\n"), "{ran:?}");
    assert!(lines(&ran) < 150, "{ran:?}");
    assert_says(&ran, &["more lines; -v shows them"]);
    assert!(!ran.stderr.contains("stdin ended"), "{ran:?}");
    let ran = cli::run(PROGRAM, &[&["run", "-v", "--tool", "go"], &server[..]].concat()).unwrap();
    assert_eq!((ran.code, lines(&ran)), (Some(0), 300), "{ran:?}");
    assert_says(&ran, &["stdin ended"]);
}

/// Why a server ended is the line of its log that names the cause.
#[test]
fn last_words_are_the_cause() {
    let node = "node:internal/modules/cjs/loader:1143\n  throw err;\n  ^\n\nError: Cannot find module '/srv/x.js'\n    at Module._load (node:internal)\n\nNode.js v20.20.2\n";
    let python =
        "Traceback (most recent call last):\n  File \"s.py\", line 1\nModuleNotFoundError: No module named 'nope'\n";
    let go = "panic: no port\n\ngoroutine 1 [running]:\nmain.main()\nexit status 2\n";
    for (log, cause) in [
        (node, "its last words: Error: Cannot find module '/srv/x.js'"),
        (python, "its last words: ModuleNotFoundError: No module named 'nope'"),
        (go, "its last words: panic: no port"),
        ("the port is taken\n", "its last words: the port is taken"),
    ] {
        let ran = run(&["-q"], &json!({ "start": [{ "err": hex(log.as_bytes()) }, { "exit": 3 }] }));
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert_says(&ran, &["the server ended (exit status: 3)", cause]);
    }
}

// ---- stdout ----

/// A line that is no message is shown and skipped; in strict mode it ends the run.
#[test]
fn noise_on_stdout_is_skipped() {
    let text = |text: &str| json!({ "out": hex(format!("{text}\n").as_bytes()) });
    #[rustfmt::skip]
    let table: [(Value, &str); 14] = [
        (text("npm warn exec The following package was not found"), "npm warn exec"),
        (text("[debug] about to answer"),                           "[debug] about to answer"),
        (text("[1, 2]"),                                            "[1, 2]"),
        (text("{ listening: true }"),                               "listening"),
        (text(r#"{"level":"info","msg":"ready"}"#),                 "ready"),
        (text(r#"{"level":"error","error":"disk","id":99}"#),       "disk"),
        (text(r#"{"id":99,"result":{}}"#),                          "result"),
        (text(r#"{"jsonrpc":"2.0"}"#),                              ""),
        (text(r#"{"jsonrpc":"1.0","method":"x"}"#),                 "1.0"),
        (text(r#"{"jsonrpc":"2.0","method":"x","params":{"result":"#), "params"),
        (text("null"),                                              "null"),
        (text("\u{1b}[32mgreen\u{1b}[0m"),                          "green"),
        (json!({ "out": "fffe00800a" }),                            "\u{fffd}"),
        (json!({ "out": "0d0a20200a" }),                            ""),
    ];
    for (noise, shown) in table {
        let answer = said("\"ok\"");
        for script in [
            json!({ "start": [noise] }),
            json!({ "on": { "tools/call": [noise, answer] } }),
            json!({ "on": { "notifications/initialized": [noise, noise] } }),
        ] {
            let ran = call(&script);
            assert_ok(&ran);
            assert_says(&ran, &[shown]);
            let is_noise = ran.stderr.contains("skipped a line");
            let ran = run(&["--strict", "-q", "--tool", "go"], &script);
            assert_eq!(ran.code == Some(2), is_noise, "{noise}: {ran:?}");
            assert!(!is_noise || ran.stderr.contains("logs on stderr"), "{ran:?}");
        }
    }
    // The first five are shown.
    let ran = call(&json!({ "start": [{ "repeat": 50, "line": "noise $N" }] }));
    assert_ok(&ran);
    assert_eq!(ran.stderr.matches("skipped a line").count(), 5, "{ran:?}");
    assert_says(&ran, &["noise 4", "more such lines"]);
}

/// A byte order mark may stand before the first line.
#[test]
fn a_byte_order_mark_is_ignored() {
    assert_ok(&call(&json!({ "start": [{ "out": "efbbbf" }] })));
    let ran = run(&["-q", "--strict", "--tool", "go"], &json!({ "start": [{ "out": "efbbbf" }] }));
    assert_ok(&ran);
}

/// An answer that cannot be read ends the run with an error that quotes it.
#[test]
fn an_unreadable_answer_is_quoted() {
    #[rustfmt::skip]
    let table = [
        r#"{"jsonrpc":"2.0","id":$ID,"result":{"content":[{"type":"text","text":"cut of"#,
        r#"{"jsonrpc":"2.0","id":$ID,"result":{"x":NaN}}"#,
        r#"{"jsonrpc":"1.0","id":$ID,"result":{}}"#,
        r#"{"id":$ID,"result":{}}"#,
        r#"{"id":$ID,"error":{"code":1,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","id":{"n":$ID},"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":$ID,"result":{}} trailing"#,
        r#"[{"jsonrpc":"2.0","id":$ID,"result":{}}]"#,
        r#"{"jsonrpc":"2.0","id":$ID,"error":{"code":-1,"message":"no}}"#,
    ];
    for line in table {
        let ran = run(&["-q", "--timeout", "60", "--tool", "go"], &json!({ "on": { "tools/call": [line] } }));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert_says(&ran, &["the server's answer cannot be read"]);
        assert!(ran.stderr.contains("jsonrpc") || ran.stderr.contains("id\\\""), "{ran:?}");
    }
    let bytes = [&br#"{"jsonrpc":"2.0","id":2,"result":{"x":""#[..], b"\xff\"}}\n"].concat();
    let ran =
        run(&["-q", "--timeout", "60", "--tool", "go"], &json!({ "on": { "tools/call": [{ "out": hex(&bytes) }] } }));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_says(&ran, &["the server's answer cannot be read", "UTF-8"]);
}

// ---- Results ----

const DEEP: &str = r#"{"content":[{"type":"text","text":"ok"}],"structuredContent":{"x":"#;

fn deep() -> String {
    result(&format!("{DEEP}{}{}}}}}", "[".repeat(140), "]".repeat(140)))
}

/// A result that the program cannot hold is an error, and never an empty result with exit code 0; half a surrogate pair
/// is U+FFFD.
#[test]
fn what_cannot_be_held_is_no_empty_result() {
    let number = result(r#"{"content":[{"type":"text","text":"ok"}],"structuredContent":{"x":1e400}}"#);
    let modern = result(r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#);
    for (protocol, revision) in [("auto", "2025-11-25"), ("2026-07-28", "2026-07-28")] {
        let script = |method: &str, line: &str| json!({ "on": { "server/discover": [modern], method: [line] } });
        let options = |more: &[&'static str]| [&["-q", "--protocol", protocol][..], more].concat();
        for (line, words) in [(deep(), "deeper"), (number.clone(), "no double holds")] {
            for json in [&[][..], &["--json"]] {
                let ran = run(&options(&[&["--tool", "go"], json].concat()), &script("tools/call", &line));
                assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{revision}: {ran:?}");
                assert_says(&ran, &["tools/call", words]);
            }
        }
        for (text, shown) in [(r#""a\ud83d""#, "a\u{fffd}\n"), (r#""\udc00b \ud83d\ude00""#, "\u{fffd}b \u{1f600}\n")] {
            let ran = run(&options(&["--tool", "go"]), &script("tools/call", &said(text)));
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), shown), "{revision}: {ran:?}");
        }
        let tools = format!(r#"{{"tools":[{{"name":"go","x":{}{}}}]}}"#, "[".repeat(140), "]".repeat(140));
        for (line, words) in [
            (result(&tools), "recursion limit"),
            (result(r#"{"tools":[{"name":"go","x":1e400}]}"#), "number out of range"),
            (result(r#"{}"#), "no list `tools`"),
            (result(r#"{"tools":{}}"#), "a list of tools"),
            (result(r#"{"tools":["go"]}"#), "not an object"),
        ] {
            let ran = run(&options(&[]), &script("tools/list", &line));
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{revision}: {ran:?}");
            assert_says(&ran, &[words]);
        }
        let ran = run(&options(&[]), &script("tools/list", &result(r#"{"tools":[{"name":"\ud800go"}]}"#)));
        assert!(ran.code == Some(0) && ran.stdout.starts_with("\u{fffd}go"), "{ran:?}");
    }
    let initialized = |more: &str| {
        let info = r#""protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"f","version":"1"}"#;
        json!({ "on": { "initialize": [result(&format!("{{{info},{more}}}"))] } })
    };
    let ran = run(&["-q"], &initialized(&format!(r#""x":{}{}"#, "[".repeat(140), "]".repeat(140))));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_says(&ran, &["initialize", "deeper"]);
    assert_eq!(run(&["-q"], &initialized(r#""instructions":"\ud800""#)).code, Some(0));
}

/// What a server says in an error is shown, whatever its shape.
#[test]
fn errors_of_any_shape_are_shown() {
    #[rustfmt::skip]
    let table = [
        (r#"{"code":-32000,"message":"no"}"#,                   "error -32000: no\n"),
        (r#"{"code":"E_GONE","message":"no","data":[1]}"#,      "error -32603: no (code: E_GONE)\ndata: [1]\n"),
        (r#"{"code":-32000.5,"message":"no"}"#,                 "error -32603: no (code: -32000.5)\n"),
        (r#"{"code":-32000.0,"message":"no"}"#,                 "error -32000: no\n"),
        (r#"{"code":99999999999,"message":"no"}"#,              "error -32603: no (code: 99999999999)\n"),
        (r#"{"code":7,"data":"the disk is full"}"#,             "error 7: the disk is full\ndata: the disk is full\n"),
        (r#"{"message":"no"}"#,                                 "error -32603: no (code: none)\n"),
        (r#""it broke""#,                                       "error -32603: it broke\n"),
        ("{}",                                                  "error -32603: the server gave no message (code: none)\n"),
    ];
    for (object, shown) in table {
        let ran = run(&["-q", "--tool", "go"], &json!({ "on": { "tools/call": [error(object)] } }));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), shown), "{object}: {ran:?}");
    }
}

/// An answer whose id is spelled otherwise is taken; one that nobody waits for is told of.
#[test]
fn ids_of_another_spelling_are_taken() {
    let ok = r#"{"content":[{"type":"text","text":"ok"}]}"#;
    for id in ["\"$ID\"", "$ID.0", "\"$ID.0\""] {
        let ran = call(&json!({ "on": { "tools/call": [format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{ok}}}"#)] } }));
        assert_ok(&ran);
        assert_says(&ran, &["the server answers request 2 as"]);
    }
    // The only request that is open.
    let refused = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;
    let ran = run(&["-q", "--timeout", "60", "--tool", "go"], &json!({ "on": { "tools/call": [refused] } }));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "error -32700: Parse error\n"), "{ran:?}");
    // Whoever waits in vain learns what came in its place.
    let other = format!(r#"{{"jsonrpc":"2.0","id":"abc","result":{ok}}}"#);
    let ran = run(&["--timeout", "2", "--tool", "go"], &json!({ "on": { "tools/call": [other] } }));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_says(&ran, &["no answer to tools/call", "request \"abc\"", "(open: 2)"]);
}

// ---- Lists ----

/// A list ends where its cursors lead in a circle, with each tool once.
#[test]
fn a_list_in_a_circle_ends() {
    let mark = json!({ "err": hex(b"a page\n") });
    let page =
        |name: &str, cursor: &str| result(&format!(r#"{{"tools":[{{"name":"{name}"}}],"nextCursor":{cursor}}}"#));
    for (cursor, pages) in [("\"8\"", 2), ("\"\"", 2), ("8", 2)] {
        let ran = run(&[], &json!({ "on": { "tools/list": [mark, page("go", cursor)] } }));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.stdout.trim(), "go", "{ran:?}");
        assert_eq!(ran.stderr.matches("a page").count(), pages, "{ran:?}");
        assert_says(&ran, &["is circular"]);
    }
}

/// A list without end is an error, whatever it is made of.
#[test]
fn a_list_without_end_is_bounded() {
    for (size, words) in [("30", "pages"), ("3000", "members"), ("30000", "members"), ("9000000", "bytes")] {
        let ran = cli::run(PROGRAM, &["run", "-q", "--", SERVER, "flood", "pages", "0", size]).unwrap();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{size}: {ran:?}");
        assert_says(&ran, &["list of tools", words]);
    }
    let slow = json!({ "on": { "tools/list": [{ "sleep": 1500 }, result(r#"{"tools":[],"nextCursor":"$ID"}"#)] } });
    let ran = run(&["-q", "--timeout", "3"], &slow);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_says(&ran, &["did not end within 3 s", "--timeout"]);
}

// ---- The revision ----

fn refuses(code: i32, supported: &str) -> String {
    error(&format!(r#"{{"code":{code},"message":"Unsupported protocol version","data":{supported}}}"#))
}

/// A server that refuses the revision and says which it speaks is asked once more.
#[test]
fn a_refused_revision_is_asked_again() {
    let initialized = |version: &str| {
        result(&format!(
            r#"{{"protocolVersion":"{version}","capabilities":{{}},"serverInfo":{{"name":"f","version":"1"}}}}"#
        ))
    };
    for (supported, version) in [
        (r#"{"supported":["2025-06-18"],"requested":"2025-11-25"}"#, "2025-06-18"),
        (r#"{"supported":["2024-11-05","2025-03-26"]}"#, "2025-03-26"),
    ] {
        // Refused once, then initialized with what was asked for.
        let script = json!({ "on": {
            "initialize": [refuses(-32602, supported)],
            "tools/call": [{ "received": true }],
        }, "then": { "initialize": [initialized(version)] } });
        let ran = run(&["--json", "--tool", "go"], &script);
        let asked: Vec<_> = received(&ran).into_iter().filter(|message| message["method"] == "initialize").collect();
        let asked: Vec<_> = asked.iter().map(|message| &message["params"]["protocolVersion"]).collect();
        assert_eq!(asked, [&json!("2025-11-25"), &json!(version)], "{ran:?}");
    }
    // There is none that both speak.
    let script = json!({ "on": { "initialize": [refuses(-32602, r#"{"supported":["2023-01-01","1999-01-01"]}"#)] } });
    let ran = run(&["-q"], &script);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_says(&ran, &["the server refused initialize", "2023-01-01, 1999-01-01"]);
    // It refuses each.
    let script = json!({ "on": { "initialize": [refuses(-32602, r#"{"supported":["2025-06-18"]}"#)] } });
    assert_says(&run(&["-q"], &script), &["the server refused initialize", "2025-06-18"]);
}

/// `initialize` comes first; a server that refuses it is asked by `server/discover`.
#[test]
fn initialize_comes_first() {
    let modern = result(
        r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"m","version":"1"}}"#,
    );
    let both = json!({ "on": { "server/discover": [modern] } });
    for (options, script, version) in [
        (&[][..], both.clone(), "2025-11-25"),
        (&["--protocol", "auto"], both.clone(), "2025-11-25"),
        (&["--protocol", "2025-11-25"], both.clone(), "2025-11-25"),
        (&["--protocol", "2026-07-28"], both.clone(), "2026-07-28"),
        (
            &[],
            json!({ "on": { "server/discover": [modern], "initialize": [refuses(-32022, r#"{"supported":["2026-07-28"]}"#)] } }),
            "2026-07-28",
        ),
        (
            &[],
            json!({ "on": { "server/discover": [modern], "initialize": [error(r#"{"code":-32601,"message":"no"}"#)] } }),
            "2026-07-28",
        ),
        (&[], json!({ "version": "2026-07-28", "on": { "server/discover": [modern] } }), "2026-07-28"),
    ] {
        let ran = run(&[&["-q", "--json", "--tool", "go"], options].concat(), &script);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.json().unwrap()["protocolVersion"], version, "{ran:?}");
    }
    // The key of the configuration, and the flag that wins over it.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("taskcell.toml");
    fs::write(&config, "protocol = \"2026-07-28\"\n").unwrap();
    let config = config.to_str().unwrap();
    for (flags, version) in [(&[][..], "2026-07-28"), (&["--protocol", "auto"], "2025-11-25")] {
        let ran = run(&[&["-q", "--json", "--tool", "go", "--config", config], flags].concat(), &both);
        assert_eq!(ran.json().unwrap()["protocolVersion"], version, "{ran:?}");
    }
}

/// A tool that asks in the way of another revision is not called again; a line names the switch.
#[test]
fn the_switch_of_the_revision_is_named() {
    let modern = result(r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#);
    let text = "elicitation via server-initiated requests is unavailable on 2026-07-28 connections.";
    let failed = result(&format!(r#"{{"content":[{{"type":"text","text":"{text}"}}],"isError":true}}"#));
    let mark = json!({ "err": hex(b"called\n") });
    let script = json!({ "on": { "server/discover": [modern], "tools/call": [mark, failed] } });
    let ran = run(&["--protocol", "2026-07-28", "--tool", "go"], &script);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_says(&ran, &["--protocol 2025-11-25"]);
    assert_eq!(ran.stderr.matches("called").count(), 1, "{ran:?}");
    assert!(!run(&["--tool", "go"], &script).stderr.contains("hint:"));
}

// ---- Requests of the server ----

/// A request before the result of `initialize` is answered.
#[test]
fn early_requests_are_answered() {
    let early = |id: &str, method: &str| format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"{method}"}}"#);
    let steps = json!([
        early("a", "roots/list"),
        { "await": "a" },
        early("b", "ping"),
        { "await": "b" },
        early("c", "sampling/createMessage"),
        { "await": "c" },
        result(r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"f","version":"1"}}"#),
    ]);
    let ran = run(
        &["--json", "--tool", "go"],
        &json!({ "on": { "initialize": steps, "tools/call": [{ "received": true }] } }),
    );
    let received = received(&ran);
    let answer = |id: &str| received.iter().find(|message| message["id"] == id).unwrap();
    assert_eq!(answer("a")["error"]["code"], -32600);
    assert_eq!(answer("b")["result"], json!({}));
    assert_eq!(answer("c")["error"]["code"], -32600);
}

/// A server that asks when it is initialized is answered before it is called.
#[test]
fn a_server_that_was_just_initialized_may_ask_first() {
    let roots = r#"{"jsonrpc":"2.0","id":"roots","method":"roots/list"}"#;
    let script = json!({ "on": {
        "notifications/initialized": [{ "sleep": 10 }, roots, { "await": "roots" }],
        "tools/call": [{ "received": true }],
    } });
    let received = received(&run(&["--json", "--tool", "go"], &script));
    let place = |of: &dyn Fn(&Value) -> bool| received.iter().position(of).unwrap();
    assert!(place(&|message| message["id"] == "roots") < place(&|message| message["method"] == "tools/call"));
}

/// Revision 2025-03-26 has batches: each request in one is answered, and all in one array.
#[test]
fn batches_are_answered() {
    let batch = r#"[{"jsonrpc":"2.0","id":"a","method":"roots/list"},{"jsonrpc":"2.0","id":"b","method":"ping"},{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"in a batch"}},7]"#;
    let script = |version: &str, steps: Value| json!({ "version": version, "on": { "tools/call": steps } });
    let ran =
        run(&["--json", "--tool", "go"], &script("2025-03-26", json!([batch, { "await": "a" }, { "received": true }])));
    let received = received(&ran);
    let array = received.iter().find_map(Value::as_array).expect("an array of answers");
    assert_eq!(array.len(), 3, "{array:?}");
    let answer = |id: Value| array.iter().find(|answer| answer["id"] == id).unwrap();
    assert!(answer(json!("a"))["result"]["roots"].is_array() && answer(json!("b"))["result"] == json!({}));
    assert_eq!(answer(Value::Null)["error"]["code"], -32600);
    assert_says(&ran, &["in a batch"]);
    // The answer to the client's own request in one.
    let ok = said("\"ok\"");
    assert_ok(&call(&script("2025-03-26", json!([format!("[{ok}]")]))));
    let notification = r#"[{"jsonrpc":"2.0","method":"notifications/x"}]"#;
    assert_ok(&call(&script("2025-03-26", json!([notification, "[]", ok]))));
    // No other revision has them.
    for version in ["2025-11-25", "2025-06-18", "2024-11-05"] {
        let ran = call(&script(version, json!([batch, ok])));
        assert_ok(&ran);
        assert_says(&ran, &["skipped a line"]);
    }
}

// ---- The end ----

/// The server's stdin is closed first, and its stdout read until it ends.
#[test]
fn a_server_may_talk_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let output = cli::command(PROGRAM)
        .args(["run", "--tool", "go", "--", SERVER, "flood", "talks-at-the-end", "20"])
        .env("FAKE_SERVER_LOG", &log)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(&log).unwrap(), "Ok(())", "{output:?}");
    assert!(!String::from_utf8(output.stderr).unwrap().contains("still here"));
}

/// What a server asks at the very end is answered or refused.
#[test]
fn late_requests_are_answered_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("sent");
    let late = |id: &str, method: &str| format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"{method}"}}"#);
    let script = json!({ "on": { "tools/call": [said("\"ok\""), late("a", "roots/list"), late("b", "ping"), late("c", "no/such")] } });
    let tee = r#"tee "$1" | "$2" script "$3""#;
    let server = ["sh", "-c", tee, "sh", log.to_str().unwrap(), SERVER, &script.to_string()];
    let ran = cli::run(PROGRAM, &[&["run", "--tool", "go", "--"], &server[..]].concat()).unwrap();
    assert_ok(&ran);
    let sent = fs::read_to_string(&log).unwrap();
    for id in ["a", "b", "c"] {
        assert!(sent.contains(&format!(r#""id":"{id}""#)), "{id} is not in {sent}");
    }
}

/// A server that has ended is known by that, whoever keeps its stdout open: longer than the program waits for answers.
#[test]
fn a_dead_server_is_noticed() {
    let ran =
        cli::run(PROGRAM, &["run", "-q", "--tool", "go", "--timeout", "60", "--", SERVER, "flood", "orphan", "400"]);
    let ran = ran.unwrap();
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_says(&ran, &["the server ended (exit status: 3)", "tools/call"]);
}

/// Nobody needs to read the program's stderr for it to end: by itself, by its timeout, or by a signal (below).
#[test]
fn a_stderr_that_nobody_reads_stops_nothing() {
    let start = |timeout: &str, server: &[&str]| {
        cli::command(PROGRAM)
            .args(["run", "-v", "--timeout", timeout, "--tool", "go", "--", SERVER])
            .args(server)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    // A program that hangs is killed, and has no code.
    let code = |mut program: Child| {
        let begun = std::time::Instant::now();
        while program.try_wait().unwrap().is_none() {
            if begun.elapsed() > std::time::Duration::from_secs(350) {
                program.kill().unwrap();
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        program.wait().unwrap().code()
    };
    assert_eq!(code(start("300", &["flood", "logs", "20000", "200"])), Some(0));
    let logs = json!({ "repeat": 5000, "line": format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":"{}"}}}}"#, "x".repeat(250)) });
    let script = json!({ "on": { "tools/call": [logs] } }).to_string();
    assert_eq!(code(start("3", &["script", &script])), Some(2));
}

/// Starts the program with a server that heeds neither the end of its stdin nor a signal; gives the program, the lines
/// that follow on its stderr, and the number of the server's process.
#[cfg(unix)]
fn beside_a_stubborn_server() -> (Child, impl Iterator<Item = String>, u32) {
    use std::io::{BufRead, BufReader};
    let mut program = cli::command(PROGRAM)
        .args(["run", "-v", "--tool", "go", "--", SERVER, "flood", "stubborn", "300"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("holding")).unwrap();
    let server = line.rsplit(' ').next().unwrap().parse().unwrap();
    (program, lines, server)
}

/// Each signal that asks the program to end ends the server with it, also one that heeds nothing.
#[cfg(unix)]
#[test]
fn signals_end_the_server() {
    for signal in ["HUP", "QUIT", "TERM", "INT"] {
        let (mut program, mut lines, server) = beside_a_stubborn_server();
        assert!(cli::signal(&program, signal).unwrap());
        assert!(lines.any(|line| line == "taskcell: interrupted; the server was stopped"), "{signal}");
        assert_eq!(program.wait().unwrap().code(), Some(2), "{signal}");
        let stat = fs::read_to_string(format!("/proc/{server}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{signal}: {stat}");
    }
}

/// The program ends at a signal whatever it is busy with; a server that goes on for ten minutes does not keep it.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_what_is_busy() {
    use std::path::Path;

    use taskcell_test_support::hostile_figures::{SCENARIOS, measure};
    let mut found = 0;
    for row in SCENARIOS.iter().filter(|row| row.terminated.is_some()) {
        let figures = measure(Path::new(PROGRAM), Path::new(SERVER), row.options, row.server, row.terminated).unwrap();
        // One that does not end is killed, and has no code.
        assert_eq!(figures.code, Some(2), "{}", row.name);
        found += 1;
    }
    assert_eq!(found, 6);
}

/// A server has time to save its work when the program is to end. Whoever asks twice does not wait for that.
#[cfg(unix)]
#[test]
fn a_second_signal_ends_at_once() {
    use std::io::{BufRead, BufReader};
    use std::time::Duration;
    for (signals, first, second, left) in
        [(1, "TERM", "", "saved"), (2, "TERM", "TERM", "saving"), (2, "INT", "INT", "saving")]
    {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut program = cli::command(PROGRAM)
            .args(["run", "-v", "--tool", "go", "--", SERVER, "flood", "saves-at-the-end", "900"])
            .env("FAKE_SERVER_LOG", &log)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(program.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("holding")));
        assert!(cli::signal(&program, first).unwrap());
        if signals == 2 {
            while fs::read(&log).unwrap_or_default().is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(cli::signal(&program, second).unwrap());
        }
        assert!(lines.any(|line| line == "taskcell: interrupted; the server was stopped"), "{signals}");
        assert_eq!(program.wait().unwrap().code(), Some(2), "{signals}");
        assert_eq!(fs::read_to_string(&log).unwrap(), left, "{signals}");
    }
}

/// The secrets in the program's environment are out of a server's reach, which runs as the same user.
#[cfg(target_os = "linux")]
#[test]
fn a_server_cannot_read_the_programs_environment() {
    let server = ["run", "-q", "--tool", "go", "--", SERVER, "flood", "spies"];
    // Root may read all there is, so it goes without its capabilities.
    let mut command = match rustix::process::geteuid().is_root() {
        true => cli::command("setpriv"),
        false => cli::command(PROGRAM),
    };
    if rustix::process::geteuid().is_root() {
        command.args(["--bounding-set=-all", "--inh-caps=-all", PROGRAM]);
    }
    let output = command.args(server).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "own true, parent false\n");
}

/// A program that is killed outright takes a server along that does not heed the end of its stdin.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_program_takes_its_server_along() {
    use std::time::{Duration, Instant};
    let (mut program, _lines, server) = beside_a_stubborn_server();
    program.kill().unwrap();
    program.wait().unwrap();
    let start = Instant::now();
    let is_there = || {
        let stat = fs::read_to_string(format!("/proc/{server}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    while is_there() {
        assert!(start.elapsed() < Duration::from_secs(20), "the server goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

// ---- What is held ----

/// A server that asks and does not read, and a list without end, make the program hold only so much.
#[cfg(target_os = "linux")]
#[test]
fn what_nobody_reads_is_bounded() {
    use std::path::Path;

    use taskcell_test_support::hostile_figures::{QUIET, SCENARIOS, measure};
    let measure = |options: &[&str], server: &[&str]| {
        measure(Path::new(PROGRAM), Path::new(SERVER), options, server, None).unwrap().peak
    };
    let quiet = measure(&["-q"], QUIET);
    let rows = SCENARIOS.iter().filter(|row| row.name.starts_with("answers that") || row.name.starts_with("a list"));
    let mut found = 0;
    for row in rows {
        let grown = measure(row.options, row.server).saturating_sub(quiet);
        assert!(grown < row.grows, "{}: {grown} MiB", row.name);
        found += 1;
    }
    assert_eq!(found, 5);
}

/// A server that reads late misses no answer, and none is an error.
#[test]
fn what_is_read_late_is_whole() {
    let server = ["--", SERVER, "flood", "late-reader", "1000000", "60", "1500"];
    let ran = cli::run(PROGRAM, &[&["run", "-q", "--timeout", "120", "--tool", "go"], &server[..]].concat()).unwrap();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "60\n"), "{ran:?}");
}

/// More requests than there are places are refused, and what comes behind them is still read.
#[test]
fn requests_without_end_are_refused() {
    let script = r#"script={"sampling":[{"answer":"late","delayMs":300000}]}"#;
    let options = ["run", "-q", "--tasks", "managed", "--set", script, "--timeout", "120", "--tool", "go"];
    let ran = cli::run(PROGRAM, &[&options[..], &["--", SERVER, "flood", "waits", "6000"]].concat()).unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let refused: u32 = ran.stdout.trim().parse().unwrap();
    assert!((1_000..=6_000).contains(&refused), "{refused} were refused");
}
