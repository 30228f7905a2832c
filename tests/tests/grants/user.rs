//! The grant `user`: a person at a terminal, whom a guest asks.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use taskcell_test_support::cli;
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::provision::repository;
use taskcell_test_support::pty::{self, AtTerminal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SERVER: &str = env!("CARGO_BIN_EXE_fake-server");

const ENTER: &str = "\r";
const DOWN: &str = "\u{1b}[B";
const ESC: &str = "\u{1b}";
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";
const RUB: &str = "\u{7f}";

const FIRST: &str = "[taskcell] Do you want to answer?";
const VISIT: &str = "[taskcell] Do you want to go there?";
const CONFIRM: &str = "[taskcell] Your answer";
/// Questions that give consent: they take no key before half a second without one.
const CONSENT: [&str; 3] = ["Do you want to answer?", "Do you want to go there?", "Your answer"];
/// What answers the first question of a form.
const ANSWER: &str = "\u{1b}[B\r";
const LAST: &str = "[taskcell] Send it?";

static GUEST: LazyLock<String> =
    LazyLock::new(|| build_guest(&repository().join("tests/guests/user")).unwrap().to_str().unwrap().to_owned());

/// What is to be seen, and what is typed then.
type Steps<'a> = &'a [(&'a str, &'a str)];

fn command(arguments: &[&str]) -> Command {
    let mut command = cli::command(PROGRAM);
    command.env("TERM", "xterm").args(arguments);
    command
}

fn call(params: &Value) -> Command {
    command(&["call", "--handler", &GUEST, "--grant", "user", "elicitation/create", &params.to_string()])
}

fn follow(person: &mut AtTerminal, steps: Steps<'_>) {
    for (seen, typed) in steps {
        person.expect(seen).unwrap();
        if CONSENT.iter().any(|question| seen.contains(question)) {
            deliberate();
        }
        person.keys(typed).unwrap();
    }
}

/// Somebody who reads a question before it is answered.
fn deliberate() {
    std::thread::sleep(Duration::from_millis(700));
}

/// What the guest answers when the person does this; and all that was shown.
fn answer(command: Command, steps: Steps<'_>) -> (Value, AtTerminal) {
    let mut person = AtTerminal::start(command).unwrap();
    follow(&mut person, steps);
    let (_, stdout) = person.end().unwrap();
    let answer: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout:?} {}", person.text()));
    let result = answer.get("result").or_else(|| answer.get("error")).unwrap().clone();
    (result, person)
}

fn form(properties: Value, required: Value) -> Value {
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    json!({ "message": "A form", "requestedSchema": schema })
}

fn accepted(content: Value) -> Value {
    json!({ "action": "accept", "content": content })
}

/// Every kind of field is asked, an entry that does not fit is refused with the reason and can be corrected, and the
/// answer is what was typed.
#[test]
fn every_kind_of_field_is_asked() {
    let labeled = json!([{ "const": "r", "title": "Red" }, { "const": "g", "title": "Green" }]);
    let request = form(
        json!({
            "a": { "type": "string", "title": "Name", "description": "In full", "minLength": 2 },
            "b": { "type": "string", "title": "Mail", "format": "email", "default": "a@b.c" },
            "c": { "type": "integer", "title": "Age", "minimum": 0, "maximum": 150 },
            "d": { "type": "number", "title": "Ratio", "default": 0.25 },
            "e": { "type": "boolean", "title": "Sure", "default": false },
            "f": { "type": "string", "title": "Plain", "enum": ["r", "g"] },
            "g": { "type": "string", "title": "Titled", "oneOf": labeled, "default": "g" },
            "h": { "type": "string", "title": "Legacy", "enum": ["r", "g"], "enumNames": ["Rot", "Gruen"] },
            "i": { "type": "array", "title": "Many", "items": { "type": "string", "enum": ["r", "g", "b"] }, "minItems": 1, "maxItems": 2 },
            "j": { "type": "array", "title": "Marks", "items": { "anyOf": labeled }, "default": ["g"] },
            "k": { "title": "Free", "anyOf": [{ "type": "integer" }, { "type": "string", "maxLength": 3 }, { "type": "null" }] },
            "l": { "type": "string", "title": "Left out" },
            "m": { "type": "boolean", "title": "Undecided" },
        }),
        json!(["a", "c", "f", "h", "i"]),
    );
    let rub = |count: usize| RUB.repeat(count);
    let (result, person) = answer(
        call(&request),
        &[
            ("The server taskcell asks:", ""),
            ("A form", ""),
            (FIRST, ANSWER),
            ("[taskcell] Name", "x\r"),
            ("shorter than 2", &format!("{}Ada\r", rub(1))),
            ("[taskcell] Mail", "@\r"),
            ("email", &format!("{}\r", rub(1))),
            ("[taskcell] Age", "old\r"),
            ("this is not a whole number", &format!("{}1.5\r", rub(3))),
            ("integer", &format!("{}200\r", rub(3))),
            ("maximum of 150", &format!("{}36\r", rub(3))),
            ("[taskcell] Ratio", "0.5\r"),
            ("[taskcell] Sure", "\u{1b}[A\r"),
            ("[taskcell] Plain", ENTER),
            ("[taskcell] Titled", ENTER),
            ("[taskcell] Legacy", &format!("{DOWN}\r")),
            ("[taskcell] Many", ENTER),
            ("less than 1", &format!(" {DOWN}{DOWN} \r")),
            ("[taskcell] Marks", " \r"),
            ("[taskcell] Free", "long text\r"),
            ("not valid", &format!("{}7\r", rub(9))),
            ("[taskcell] Left out", ENTER),
            ("[taskcell] Undecided", ENTER),
            ("What taskcell would get:", ""),
            ("Name: Ada", ""),
            ("Legacy: Gruen", ""),
            ("Many: r, b", ""),
            ("Left out: (no answer)", ""),
            (LAST, ENTER),
        ],
    );
    let expected = json!({
        "a": "Ada", "b": "a@b.c", "c": 36, "d": 0.5, "e": true, "f": "r", "g": "g", "h": "g",
        "i": ["r", "b"], "j": ["r", "g"], "k": 7,
    });
    assert_eq!(result, accepted(expected), "{}", person.text());
    assert!(person.text().contains("In full"), "{}", person.text());
}

/// Saying no, going away, and agreeing are three things, wherever they are done.
#[test]
fn declining_is_not_going_away() {
    let one = form(json!({ "a": { "type": "string" } }), json!(["a"]));
    let none = form(json!({}), json!([]));
    let confirm = json!({ "message": "Really?", "requestedSchema": { "type": "object", "properties": {} } });
    let table: [(&Value, Steps<'_>, Value); 14] = [
        (&one, &[(FIRST, ENTER)], json!({ "action": "decline" })),
        (&one, &[(FIRST, ESC)], json!({ "action": "cancel" })),
        (&one, &[(FIRST, CTRL_C)], json!({ "action": "cancel" })),
        (&one, &[(FIRST, CTRL_D)], json!({ "action": "cancel" })),
        (&one, &[(FIRST, ANSWER), ("[taskcell] a", "x"), ("x", ESC)], json!({ "action": "cancel" })),
        (&one, &[(FIRST, ANSWER), ("[taskcell] a", CTRL_C)], json!({ "action": "cancel" })),
        (
            &one,
            &[(FIRST, ANSWER), ("[taskcell] a", "x\r"), (LAST, "\u{1b}[B\u{1b}[B\r")],
            json!({ "action": "decline" }),
        ),
        (&one, &[(FIRST, ANSWER), ("[taskcell] a", "x\r"), (LAST, ESC)], json!({ "action": "cancel" })),
        // Changed: what was typed before is there again.
        (
            &one,
            &[
                (FIRST, ANSWER),
                ("[taskcell] a", "x\r"),
                (LAST, "\u{1b}[B\r"),
                ("[taskcell] a (required): x", "\ty\r"),
                (LAST, ENTER),
            ],
            accepted(json!({ "a": "xy" })),
        ),
        (&none, &[(FIRST, ANSWER), (LAST, ENTER)], accepted(json!({}))),
        (&confirm, &[("Really?", ""), (CONFIRM, ANSWER)], accepted(json!({}))),
        (&confirm, &[(CONFIRM, ENTER)], json!({ "action": "decline" })),
        (&confirm, &[(CONFIRM, ESC)], json!({ "action": "cancel" })),
        (&confirm, &[(CONFIRM, CTRL_C)], json!({ "action": "cancel" })),
    ];
    for (request, steps, expected) in table {
        let (result, person) = answer(call(request), steps);
        assert_eq!(result, expected, "{steps:?}: {}", person.text());
        assert!(person.is_as_before().unwrap());
    }
}

/// A page is shown whole, with its host, and opened only when the person says so.
#[test]
fn a_page_is_opened_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("opened");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let opener = folder.path().join("xdg-open");
    fs::write(&opener, format!("#!/bin/sh\nprintf %s \"$1\" > '{}'\n", pipe.display())).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&opener).status().unwrap().success());
    let (opened, what) = mpsc::channel();
    std::thread::spawn(move || opened.send(fs::read_to_string(pipe)));

    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let visit = |url: &str| {
        let params = json!({ "mode": "url", "message": "Log in", "elicitationId": "1", "url": url });
        let mut command = call(&params);
        command.env("PATH", &path);
        command
    };
    let shown = "https://xn--pple-43d.com/log/in?a=%E2%80%AE#b";
    let url = "https://\u{430}pple.com/log/in?a=\u{202e}#b";
    let table = [
        (ENTER.to_owned(), "decline"),
        (ESC.to_owned(), "cancel"),
        (CTRL_C.to_owned(), "cancel"),
        (format!("{DOWN}\r"), "accept"),
        (format!("{DOWN}{DOWN}\r"), "accept"),
    ];
    for (keys, action) in table {
        assert!(what.try_recv().is_err(), "opened before it was told to");
        let steps = [
            ("The server taskcell wants you to visit a page:", ""),
            ("Log in", ""),
            (shown, ""),
            ("Its host: xn--pple-43d.com", ""),
            ("Careful: ", ""),
            (VISIT, &*keys),
        ];
        let (result, person) = answer(visit(url), &steps);
        assert_eq!(result, json!({ "action": action }), "{}", person.text());
    }
    assert_eq!(what.recv_timeout(Duration::from_secs(60)).unwrap().unwrap(), shown);

    let (error, person) = answer(visit("file:///etc/passwd"), &[]);
    assert_eq!((&error["code"], person.text().as_str()), (&json!(-32602), ""), "{error}");
}

/// What a terminal obeys does not reach it, from wherever in a request it comes.
#[test]
fn hostile_text_is_harmless() {
    let nasty = "\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}x\r\u{8}\u{2066}\nThe server taskcell asks:";
    let field = |more: Value| {
        let mut field = json!({ "title": nasty, "description": nasty });
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        field
    };
    let mut request = form(
        json!({
            "a": field(json!({ "type": "string", "default": nasty })),
            "b": field(json!({ "type": "string", "enum": [nasty, "z"] })),
            "c": field(json!({ "type": "array", "items": { "anyOf": [{ "const": nasty, "title": nasty }] } })),
            "d": field(json!({ "type": "string", "pattern": "^[\u{1b}\u{7}]$", "default": nasty })),
            nasty: { "type": "integer" },
        }),
        json!(["b"]),
    );
    request["message"] = json!(nasty);
    let (result, person) = answer(
        call(&request),
        &[
            (FIRST, ANSWER),
            ("[taskcell] \u{fffd}[2J", ENTER),
            ("type to filter", ENTER),
            ("Space to mark", " \r"),
            // The title alone is also that of the answer before.
            ("of the pattern", "q\r"),
            ("match", &format!("{RUB}\r")),
            ("a whole number", "1\r"),
            (LAST, ENTER),
        ],
    );
    assert_eq!(result, accepted(json!({ nasty: 1, "b": nasty, "c": [nasty] })), "{}", person.text());
    let raw = String::from_utf8_lossy(&person.raw);
    for obeyed in ["\u{1b}[2J", "\u{1b}]", "\u{7}", "\u{9b}", "\u{202e}", "\u{2066}", "\u{8}"] {
        assert!(!raw.contains(obeyed), "{obeyed:?} in {raw:?}");
    }
    // It cannot begin a line of its own.
    assert_eq!(raw.matches("\nThe server taskcell asks:").count(), 1, "{raw:?}");
}

fn mkfifo(folder: &Path) -> String {
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    pipe.to_str().unwrap().to_owned()
}

fn run<'a>(options: &[&'a str], arguments: &'a str, mode: &'a str) -> Command {
    let call = ["run", "--handler", &GUEST, "--grant", "user", "--tool", "ask", "--args", arguments];
    command(&[&call[..], options, &["--", SERVER, mode]].concat())
}

/// Two requests at once are asked one after the other, and what the server says meanwhile waits.
#[test]
fn one_question_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = mkfifo(folder.path());
    let arguments = json!({ "pipe": pipe }).to_string();
    let mut person = AtTerminal::start(run(&[], &arguments, "ok")).unwrap();
    let prompt = "[fake-server] Do you want to answer?";
    person.expect(prompt).unwrap();
    // The server logs now.
    fs::write(&pipe, "").unwrap();
    let rest = [ANSWER, "x\r", ENTER, ANSWER, "y\r", ENTER];
    deliberate();
    let seen = ["", "[fake-server] a", "[fake-server] Send it?", prompt, "[fake-server] a", "[fake-server] Send it?"];
    follow(&mut person, &seen.iter().copied().zip(rest).collect::<Vec<_>>());
    let (code, stdout) = person.end().unwrap();
    let text = person.text();
    let mut answers: Vec<Value> = serde_json::from_str(stdout.trim()).unwrap();
    answers.sort_by_key(|answer| answer["content"]["a"].to_string());
    assert_eq!(
        (code, answers),
        (Some(0), vec![accepted(json!({ "a": "x" })), accepted(json!({ "a": "y" }))]),
        "{text}"
    );
    let logged = text.find("server logs  in between").unwrap_or_else(|| panic!("{text}"));
    assert!(logged > text.find("[fake-server] Send it? Send").unwrap(), "{text}");
}

/// Ctrl-C cancels what waits, too; and a server's name is shown without what a terminal obeys.
#[test]
fn ctrl_c_cancels_what_waits() {
    let mut person = AtTerminal::start(run(&["-q"], "{}", "nasty")).unwrap();
    follow(&mut person, &[("Do you want to answer?", CTRL_C)]);
    let (code, stdout) = person.end().unwrap();
    let answers: Value = serde_json::from_str(stdout.trim()).unwrap();
    assert_eq!(
        (code, answers),
        (Some(0), json!([{ "action": "cancel" }, { "action": "cancel" }])),
        "{}",
        person.text()
    );
    let raw = String::from_utf8_lossy(&person.raw);
    assert!(
        raw.contains("The server \u{fffd}[2J") && !raw.contains("\u{1b}[2J") && !raw.contains('\u{202e}'),
        "{raw:?}"
    );
}

/// When the program ends while a question is on the screen, the terminal is as it was, and the reason is shown.
#[test]
fn the_terminal_is_left_as_it_was() {
    for (options, signal, words) in
        [(&["--timeout", "1"][..], None, "no answer to tools/call"), (&[], Some("TERM"), "interrupted")]
    {
        let mut person = AtTerminal::start(run(options, "{}", "ok")).unwrap();
        person.expect("[fake-server] Do you want to answer?").unwrap();
        if let Some(signal) = signal {
            assert!(person.signal(signal).unwrap());
        }
        person.expect(words).unwrap();
        assert!(person.is_as_before().unwrap(), "{}", person.text());
        let (code, stdout) = person.end().unwrap();
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{}", person.text());
    }
}

/// Without a terminal the grant is refused before anything is started, and without the grant the handler is.
#[test]
fn without_a_terminal_there_is_nobody() {
    let refused = |ran: &std::process::Output, words: &[&str]| {
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(2) && ran.stdout.is_empty() && stderr.lines().count() == 1, "{ran:?}");
        words.iter().for_each(|word| assert!(stderr.contains(word), "{word} is not in {stderr}"));
    };
    let (_mine, theirs) = pty::terminal().unwrap();
    for arguments in
        [&["call", "--handler", &GUEST, "--grant", "user", "ping"][..], &["run", "--grant", "user", "--", SERVER]]
    {
        refused(&command(arguments).output().unwrap(), &["needs a terminal", "stdin"]);
        let mut command = command(arguments);
        command.stdin(theirs.try_clone().unwrap()).stderr(Stdio::piped());
        refused(&command.output().unwrap(), &["needs a terminal", "stderr"]);
    }
    let ran = command(&["call", "--handler", &GUEST, "ping"]).output().unwrap();
    refused(&ran, &["taskcell:handlers/user@0.1.0", "add --grant user"]);
}

/// Keys that were pressed for something else answer nothing: before a question is shown, and in the half second after.
#[test]
fn keys_typed_ahead_answer_nothing() {
    let form = form(json!({ "a": { "type": "string" } }), json!(["a"]));
    let page = json!({ "mode": "url", "message": "Log in", "elicitationId": "1", "url": "https://example.com/" });
    let confirm = json!({ "message": "Really?", "requestedSchema": { "type": "object", "properties": {} } });
    let flood = format!("{}\r", "x".repeat(3_000));
    let ahead = [
        "\r\r\r\r\r\r\r\r\r",
        "\u{1b}[B\r\u{1b}[B\r",
        "\u{1b}[A\u{1b}[A\r",
        "\u{1b}OB\n",
        "y\rYes\r",
        "\u{1b}[200~Yes\r\u{1b}[201~",
        "\u{1b}\u{1b}",
        "\t\r \r",
        &flood,
    ];
    let table: [(&Value, &str, Value); 3] = [
        (&form, FIRST, json!({ "action": "decline" })),
        (&page, VISIT, json!({ "action": "decline" })),
        (&confirm, CONFIRM, json!({ "action": "decline" })),
    ];
    for (place, keys) in ahead.iter().enumerate() {
        let (request, question, declined) = &table[place % table.len()];
        let mut person = AtTerminal::start(call(request)).unwrap();
        person.keys(keys).unwrap();
        person.expect(question).unwrap();
        // Somebody goes on typing, and then looks.
        person.keys(keys).unwrap();
        deliberate();
        assert!(!person.has_ended().unwrap(), "{keys:?}: {}", person.text());
        person.keys(ENTER).unwrap();
        let (_, stdout) = person.end().unwrap();
        let answer: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout:?} {}", person.text()));
        assert_eq!(&answer["result"], declined, "{keys:?}: {}", person.text());
    }
}

/// A required field says that it is, and what fits is told before it is asked for; a default is what Enter takes and
/// what typing replaces.
#[test]
fn a_field_tells_what_it_wants() {
    let request = form(
        json!({
            "a": { "type": "string", "title": "Name" },
            "b": { "type": "string", "title": "Day", "format": "date" },
            "c": { "type": "integer", "title": "Count", "minimum": 1, "maximum": 100, "default": 42 },
            "d": { "type": "integer", "title": "Kept", "default": 42 },
            "e": { "type": "integer", "title": "Edited", "default": 42 },
            "f": { "type": "integer", "title": "Dropped", "default": 42 },
            "g": { "type": "boolean", "title": "Sure" },
            "h": { "type": "string", "title": "Empty", "minLength": 0 },
            "i": { "anyOf": [{ "const": 1, "title": "Low" }, { "const": 2, "title": "High" }], "title": "Level" },
            "j": { "type": "string", "enum": ["r", "g"], "maxLength": 3, "title": "Color" },
            "k": { "type": "string", "title": "Pasted" },
        }),
        json!(["a", "b", "g", "h", "i", "j", "k"]),
    );
    let (result, person) = answer(
        call(&request),
        &[
            (FIRST, ANSWER),
            ("[taskcell] Name (required):", ENTER),
            ("an answer is needed", "Ada\r"),
            ("[taskcell] Day (required):", ""),
            ("YYYY-MM-DD", "tomorrow\r"),
            ("\"date\"", &format!("{}2025-02-03\r", RUB.repeat(8))),
            ("[taskcell] Count: 42", ""),
            ("at least 1, at most 100", "7\r"),
            ("[taskcell] Kept: 42", ENTER),
            ("[taskcell] Edited: 42", "\t7\r"),
            ("[taskcell] Dropped: 42", &format!("{RUB}\r")),
            ("[taskcell] Sure (required)", "maybe"),
            ("no match for \"maybe\"", ENTER),
            ("Yes", ""),
            ("No", DOWN),
            ("> No", ENTER),
            ("[taskcell] Empty (required):", ""),
            ("an empty text is an answer", ENTER),
            ("[taskcell] Level (required)", ""),
            ("High", DOWN),
            ("> High", ENTER),
            ("[taskcell] Color (required)", "G\r"),
            ("[taskcell] Pasted (required):", "\u{1b}[200~one\r\ntwo\u{7}\u{1b}[201~"),
            ("one two", ENTER),
            ("Level: High", ""),
            (LAST, ENTER),
        ],
    );
    let expected = json!({
        "a": "Ada", "b": "2025-02-03", "c": 7, "d": 42, "e": 427, "g": false, "h": "", "i": 2, "j": "g", "k": "one two",
    });
    assert_eq!(result, accepted(expected), "{}", person.text());
}

/// Nothing of a server begins a row of the terminal, however narrow that is and whatever pads the text.
#[test]
fn a_narrow_terminal_fakes_no_line() {
    const FAKE: &str = "connected to my-bank";
    let padded = |padding: &str, columns: usize| format!("x{}{FAKE}", padding.repeat(columns));
    for (columns, padding) in [
        (20, " "),
        (34, "."),
        (40, "\u{a0}"),
        (60, "\u{2800}"),
        (80, "\u{3000}"),
        (80, " "),
        (33, "\u{5bbd}"),
        (80, "e\u{301}"),
    ] {
        let text = padded(padding, usize::from(columns) * 2 / 3);
        let longer = padded(padding, usize::from(columns) - 1);
        let field = json!({ "type": "string", "title": longer, "description": text });
        let choices = json!({ "type": "string", "title": longer, "enum": [longer, text] });
        let url = format!("https://example.com/{}", format!("x{FAKE}").replace(' ', "/").repeat(8));
        let mut request = form(json!({ "a": field, "b": choices }), json!(["a", "b"]));
        request["message"] = json!(format!("{text}\n{longer}"));
        let page = json!({ "mode": "url", "message": longer, "elicitationId": "1", "url": url });
        // What is wrapped is found by one word.
        for (request, steps) in [
            (request, &[("answer?", ANSWER), ("(required):", "y\r"), ("filter", ENTER), ("it?", ENTER)][..]),
            (page, &[("there?", ENTER)][..]),
        ] {
            let mut person = AtTerminal::start_sized(call(&request), columns, 200).unwrap();
            for (seen, keys) in steps {
                person.expect(seen).unwrap();
                deliberate();
                let rows = person.screen(columns, 200);
                assert!(rows.iter().all(|row| !row.starts_with(FAKE)), "{columns} {padding:?}: {rows:#?}");
                person.keys(keys).unwrap();
            }
            person.end().unwrap();
            let rows = person.screen(columns, 200);
            assert!(rows.iter().all(|row| !row.starts_with(FAKE)), "{columns} {padding:?}: {rows:#?}");
        }
    }
}

/// The same for what a server logs, by either way.
#[test]
fn a_padded_log_line_fakes_no_line() {
    for columns in [20, 33, 40, 61, 80] {
        let mut person =
            AtTerminal::start_sized(command(&["run", "--", SERVER, "logs-padded"]), columns, 10_000).unwrap();
        let (code, _) = person.end().unwrap();
        let rows = person.screen(columns, 10_000);
        let foreign: Vec<_> =
            rows.iter().filter(|row| row.starts_with("connected to my") || row.starts_with("my-bank")).collect();
        assert!(code == Some(0) && foreign.is_empty(), "{columns}: {foreign:#?} {}", person.text());
        let shown = rows.iter().filter(|row| row.contains("x connected to my-bank")).count();
        assert!(columns < 80 || shown > 0, "runs of blanks are one: {}", person.text());
    }
}

/// A terminal that changes its size has the question once, in rows that fit.
#[test]
fn a_question_is_drawn_anew_when_the_terminal_changes() {
    let field = json!({ "type": "string", "title": "Mail", "format": "email", "description": "Where the confirmation of your order is to be sent" });
    let mut person = AtTerminal::start_sized(call(&form(json!({ "a": field }), json!(["a"]))), 100, 40).unwrap();
    follow(&mut person, &[(FIRST, ANSWER), ("[taskcell] Mail (required):", "nobody\r"), ("is not a", "")]);
    for (columns, rows) in [(40, 40), (25, 12), (100, 40)] {
        person.resize(columns, rows).unwrap();
        deliberate();
        person.keys("x").unwrap();
        person.expect("x").unwrap();
        person.keys(RUB).unwrap();
        deliberate();
    }
    person.keys("@example.com\r").unwrap();
    follow(&mut person, &[(LAST, ENTER)]);
    let (_, stdout) = person.end().unwrap();
    assert!(stdout.contains("nobody@example.com"), "{stdout} {}", person.text());
}

/// A message longer than is shown at once can be read whole before it is answered.
#[test]
fn a_long_message_is_shown_on_demand() {
    let mut request = form(json!({}), json!([]));
    request["message"] = json!((0..50).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\n"));
    let more = "\u{1b}[A\r";
    let steps = [
        ("line 19", ""),
        ("(30 more rows)", ""),
        (FIRST, more),
        ("line 39", ""),
        ("(10 more rows)", ""),
        (FIRST, more),
        ("line 49", ""),
        (FIRST, ENTER),
    ];
    let (result, person) = answer(call(&request), &steps);
    assert_eq!(result, json!({ "action": "decline" }), "{}", person.text());
}

/// With `--ask`, or the grant and no handler, the person answers forms, pages and prompts; nothing is made up.
#[test]
fn you_answer_yourself() {
    let text = |text: &str| json!({ "type": "text", "text": text });
    let prompt = json!({
        "messages": [{ "role": "user", "content": text("What is\u{1b}[2J 6 times 7?") }],
        "systemPrompt": "Be brief",
        "maxTokens": 10,
    });
    let form = form(json!({ "a": { "type": "string" } }), json!(["a"]));
    let field = "[taskcell] Your answer, in place of a model's (required):";
    let refused = json!({ "code": -1, "message": "User rejected sampling request" });
    let answered = json!({ "role": "assistant", "content": text("42"), "model": "user", "stopReason": "endTurn" });
    let table: [(&str, &Value, Steps<'_>, Value); 4] = [
        (
            "sampling/createMessage",
            &prompt,
            &[
                ("system: Be brief", ""),
                ("user: What is\u{fffd}[2J 6", ""),
                (FIRST, ANSWER),
                (field, "42\r"),
                (LAST, ENTER),
            ],
            answered,
        ),
        ("sampling/createMessage", &prompt, &[(FIRST, ENTER)], refused),
        (
            "elicitation/create",
            &form,
            &[(FIRST, ANSWER), ("[taskcell] a", "x\r"), (LAST, ENTER)],
            accepted(json!({ "a": "x" })),
        ),
        ("elicitation/create", &form, &[(FIRST, ESC)], json!({ "action": "cancel" })),
    ];
    for flags in [&["--ask"][..], &["--grant", "user"]] {
        for (method, params, steps, expected) in &table {
            let command = command(&[&["call"], flags, &[method, &params.to_string()]].concat());
            let (result, person) = answer(command, steps);
            assert_eq!(&result, expected, "{flags:?} {method}: {}", person.text());
        }
    }
    let mut person = AtTerminal::start(command(&["run", "--ask", "--tool", "ask", "--", SERVER, "ok"])).unwrap();
    let asked = "[fake-server] Do you want to answer?";
    follow(&mut person, &[(asked, ENTER), (asked, CTRL_C)]);
    let (code, stdout) = person.end().unwrap();
    let answers: Vec<Value> = serde_json::from_str(stdout.trim()).unwrap();
    assert_eq!((code, answers.len()), (Some(0), 2), "{}", person.text());
    assert!(answers.contains(&json!({ "action": "decline" })) && answers.contains(&json!({ "action": "cancel" })));

    // A setting has nobody to go to, and without a terminal there is nobody.
    let ran = command(&["call", "--ask", "--set", "a=b", "ping"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    let ran = command(&["run", "--ask", "--", SERVER, "ok"]).output().unwrap();
    assert!(
        ran.status.code() == Some(2) && String::from_utf8_lossy(&ran.stderr).contains("needs a terminal"),
        "{ran:?}"
    );
}
