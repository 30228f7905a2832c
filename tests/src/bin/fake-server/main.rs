//! An MCP server that behaves as its first argument says. With a second one, a file, it starts a process that
//! outlives it unless somebody ends it, and writes that one's id there. `script` and `flood` have modules of their own.

mod flood;
mod script;

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(600);
/// What a terminal obeys, in all its spellings: the escape, its one-character form, a bell, a return over what stands
/// in the line, a deletion, and a reversal of what follows.
const NASTY: &str = "\u{1b}[2J\u{9b}31m\u{7}over\rwritten\u{7f}\u{8}\u{202e}desrever\u{0}";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().context("no mode")?;
    match mode.as_str() {
        "script" => return script::play(&arguments.next().context("no script")?),
        "flood" => {
            let kind = arguments.next().context("no kind")?;
            let numbers = arguments.map(|number| Ok(number.parse()?)).collect::<Result<Vec<_>>>()?;
            return flood::play(&kind, &numbers);
        }
        _ => {}
    }
    if let Some(file) = arguments.next() {
        start_sleeper(Path::new(&file))?;
    }
    match mode.as_str() {
        "sleeps" => sleep(),
        "exits-at-once" => {
            eprintln!("no configuration was found");
            std::process::exit(3);
        }
        "garbage-on-stdout" => println!("Starting the server..."),
        "binary-on-stdout" => std::io::stdout().write_all(b"\xff\xfe\x00\n")?,
        "endless-line" => endless_line()?,
        "logs-nasty" => eprintln!("{NASTY}"),
        "logs-padded" => padded().for_each(|line| eprintln!("{line}")),
        _ => {}
    }
    let mut asking = None;
    let mut form = None;
    let mut roots = None;
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        if let Some(next) = asking.as_mut().and_then(|asking: &mut Asking| asking.next(&message)) {
            println!("{next}");
            continue;
        }
        if let Some(result) = form.as_mut().and_then(|form: &mut Forms| form.result(&message)) {
            println!("{result}");
            continue;
        }
        if let Some(next) = roots.as_mut().and_then(|roots: &mut AskingRoots| roots.next(&message)) {
            println!("{next}");
            continue;
        }
        let (Some(id), Some(method)) = (message.get("id"), message.get("method").and_then(Value::as_str)) else {
            continue;
        };
        if method == "tools/call" {
            form = Forms::of(id, message.get("params").unwrap_or(&Value::Null));
            if let Some(form) = &form {
                form.ask();
                continue;
            }
            roots = AskingRoots::of(id, message.get("params").unwrap_or(&Value::Null));
            if roots.is_some() {
                println!("{}", AskingRoots::ask());
                continue;
            }
            asking = Asking::of(id, message.get("params").unwrap_or(&Value::Null));
            if let Some(asking) = &asking {
                println!("{}", asking.first());
                continue;
            }
        }
        for reply in replies(&mode, method, id, message.get("params").unwrap_or(&Value::Null)) {
            println!("{reply}");
        }
        match (mode.as_str(), method) {
            ("exits-after-initialize", "initialize") => {
                eprintln!("the database is gone");
                std::process::exit(4);
            }
            ("garbage-later", "initialize") => println!("DEBUG connected"),
            _ => {}
        }
    }
    Ok(())
}

/// A call of a tool that asks the client something first: `make-task` for a message as a task, `use-task` the same and
/// then for its result, `fetch-task` for the result of a task that is named. What the client answers is the tool's
/// text.
struct Asking {
    call: Value,
    tool: String,
    text: Value,
    task: Option<Value>,
}

impl Asking {
    fn of(call: &Value, params: &Value) -> Option<Self> {
        let tool = params.get("name")?.as_str()?.to_owned();
        let task = params.pointer("/arguments/taskId").cloned();
        let text = params.pointer("/arguments/text").cloned().unwrap_or_else(|| json!("hi"));
        ["make-task", "use-task", "fetch-task"].contains(&&*tool).then(|| Self { call: call.clone(), tool, text, task })
    }

    fn first(&self) -> Value {
        match &self.task {
            Some(task) => fetch(task),
            None => json!({ "jsonrpc": "2.0", "id": "create", "method": "sampling/createMessage", "params": {
                "messages": [{ "role": "user", "content": { "type": "text", "text": self.text } }],
                "maxTokens": 10,
                "task": { "ttl": 600_000 },
            } }),
        }
    }

    /// What is sent when the client has answered; none when the message is no answer.
    fn next(&mut self, message: &Value) -> Option<Value> {
        let asked = message.get("id")?.as_str()?;
        if let ("create", "use-task", Some(task)) = (asked, &*self.tool, message.pointer("/result/task/taskId")) {
            return Some(fetch(task));
        }
        let text = message.get("result").or_else(|| message.get("error"))?.to_string();
        Some(json!({ "jsonrpc": "2.0", "id": self.call, "result": { "content": said(&text) } }))
    }
}

fn fetch(task: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": "fetch", "method": "tasks/result", "params": { "taskId": task } })
}

/// A call of the tool `ask`, which asks with two forms at once. When somebody opens the pipe that `pipe` names, a
/// message is logged, too. What the client answers is the tool's text.
struct Forms {
    call: Value,
    pipe: Option<String>,
    answers: [Option<Value>; 2],
}

impl Forms {
    fn of(call: &Value, params: &Value) -> Option<Self> {
        let pipe = params.pointer("/arguments/pipe").and_then(Value::as_str).map(str::to_owned);
        (params.get("name")? == "ask").then(|| Self { call: call.clone(), pipe, answers: [None, None] })
    }

    fn ask(&self) {
        for id in 0..2 {
            let form = json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] });
            let params = json!({ "message": format!("Form {id}"), "requestedSchema": form });
            println!("{}", json!({ "jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": params }));
        }
        if let Some(pipe) = self.pipe.clone() {
            std::thread::spawn(move || {
                if std::fs::read(pipe).is_ok() {
                    let params = json!({ "level": "info", "data": "in between" });
                    println!("{}", json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params }));
                }
            });
        }
    }

    /// The tool's result when both are answered; none when the message is no answer or one is missing.
    fn result(&mut self, message: &Value) -> Option<Value> {
        let answer = message.get("result").or_else(|| message.get("error"))?;
        *self.answers.get_mut(usize::try_from(message.get("id")?.as_u64()?).ok()?)? = Some(answer.clone());
        let [Some(first), Some(second)] = &self.answers else { return None };
        let text = json!([first, second]).to_string();
        Some(json!({ "jsonrpc": "2.0", "id": self.call, "result": { "content": said(&text) } }))
    }
}

/// A call of the tool `ask-roots`, which asks for the roots until the answer is the error of the code `until`, and the
/// client has said `changed` times that the roots are others. The codes that came are the tool's text, each once.
struct AskingRoots {
    call: Value,
    until: Value,
    changed: u64,
    codes: Vec<Value>,
}

impl AskingRoots {
    fn of(call: &Value, params: &Value) -> Option<Self> {
        let until = params.pointer("/arguments/until")?.clone();
        let changed = params.pointer("/arguments/changed").and_then(Value::as_u64).unwrap_or_default();
        (params.get("name")? == "ask-roots").then(|| Self { call: call.clone(), until, changed, codes: Vec::new() })
    }

    fn ask() -> Value {
        json!({ "jsonrpc": "2.0", "id": "roots", "method": "roots/list" })
    }

    /// What is sent when the client has answered; none when the message is no answer.
    fn next(&mut self, message: &Value) -> Option<Value> {
        if message.get("method").is_some_and(|method| method == "notifications/roots/list_changed") {
            self.changed = self.changed.saturating_sub(1);
        }
        if message.get("id")? != "roots" {
            return None;
        }
        let code = message.pointer("/error/code")?.clone();
        if !self.codes.contains(&code) {
            self.codes.push(code.clone());
        }
        if code != self.until || self.changed > 0 {
            // Somebody works on it meanwhile.
            std::thread::sleep(Duration::from_millis(20));
            return Some(Self::ask());
        }
        let text = json!(self.codes).to_string();
        Some(json!({ "jsonrpc": "2.0", "id": self.call, "result": { "content": said(&text) } }))
    }
}

/// Lines that look like one of the client's where a terminal wraps them: padded by one thing or another.
fn padded() -> impl Iterator<Item = String> {
    const PADDINGS: [&str; 10] =
        [" ", "\u{a0}", "\u{2800}", "\u{3000}", ".", "宽", "e\u{301}", "\u{200b}", "\u{fffd}", "a "];
    let counts = (20..=80).step_by(3);
    counts.flat_map(move |count| {
        PADDINGS.iter().map(move |padding| format!("x{}connected to my-bank", padding.repeat(count)))
    })
}

/// What the server sends for a request.
fn replies(mode: &str, method: &str, id: &Value, params: &Value) -> Vec<Value> {
    let result = |result: Value| vec![json!({ "jsonrpc": "2.0", "id": id, "result": result })];
    let error =
        |message: &str| vec![json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32000, "message": message } })];
    match (mode, method) {
        ("hangs", _) | ("hangs-later", "tools/list" | "tools/call") => Vec::new(),
        ("refuses", "initialize") => error("not today"),
        ("nameless", "initialize") => result(json!({ "protocolVersion": "2025-11-25", "capabilities": {} })),
        (_, "initialize") => result(initialized(mode)),
        ("endless-list", "tools/list") => {
            let page = params.get("cursor").and_then(Value::as_str).map_or(0, str::len);
            result(json!({ "tools": [], "nextCursor": "x".repeat(page.saturating_add(1)) }))
        }
        ("no-tools", "tools/list") => error("no tools here"),
        ("strange-answers", "tools/list") => strange_answers(id, params),
        ("logs-padded", "tools/list") => {
            let log = |line: String| {
                let params = json!({ "level": "info", "data": line });
                json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params })
            };
            padded().map(log).chain(result(json!({ "tools": [] }))).collect()
        }
        (_, "tools/list") if mode.ends_with("nasty") => {
            let mut all = vec![
                json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": NASTY } }),
                json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": { "k": NASTY } } }),
                json!({ "jsonrpc": "2.0", "id": NASTY, "method": NASTY }),
            ];
            all.extend(result(json!({ "tools": [{ "name": NASTY, "description": NASTY }] })));
            all
        }
        (_, "tools/list") => {
            let page = |tool: &str| json!([{ "name": tool, "description": format!("The tool {tool}") }]);
            match params.get("cursor") {
                None => result(json!({ "tools": page("echo"), "nextCursor": "2" })),
                Some(_) => result(json!({ "tools": page("fail") })),
            }
        }
        (_, "tools/call") => match params.get("name").and_then(Value::as_str) {
            Some("echo") => {
                result(json!({ "content": said(&format!("{}", params.get("arguments").unwrap_or(&Value::Null))) }))
            }
            Some("nasty") => result(json!({ "content": said(NASTY) })),
            Some("fail") => result(json!({ "content": said("it failed"), "isError": true })),
            Some("nasty-error") => error(NASTY),
            _ => error("no such tool"),
        },
        _ => error("no such method"),
    }
}

/// A list of three pages with cursors that are easily lost, each between answers to nothing.
fn strange_answers(id: &Value, params: &Value) -> Vec<Value> {
    let nested = "  \u{0}{\"page\":3}\u{e4}/+=\n";
    let (tool, next) = match params.get("cursor").and_then(Value::as_str) {
        None => ("one", Some("")),
        Some("") => ("two", Some(nested)),
        Some(_) => ("three", None),
    };
    let mut page = json!({ "tools": [{ "name": tool }] });
    if let (Value::Object(page), Some(next)) = (&mut page, next) {
        page.insert("nextCursor".to_owned(), next.into());
    }
    let answer = |id: &Value, result: &Value| json!({ "jsonrpc": "2.0", "id": id, "result": result });
    let other = json!({ "tools": [{ "name": "of another answer" }] });
    vec![
        answer(&json!(1_000_000), &other),
        answer(&json!("never asked"), &other),
        answer(id, &page),
        answer(id, &other),
        answer(&Value::Null, &other),
    ]
}

fn initialized(mode: &str) -> Value {
    let name = if mode.ends_with("nasty") { NASTY } else { "fake-server" };
    let version = match mode {
        "old" => "2025-06-18",
        "too-old" => "2020-01-01",
        "too-old-nasty" => NASTY,
        _ => "2025-11-25",
    };
    json!({ "protocolVersion": version, "capabilities": { "tools": {} }, "serverInfo": { "name": name, "version": name } })
}

fn said(text: &str) -> Value {
    json!([{ "type": "text", "text": text }])
}

fn sleep() {
    std::thread::sleep(FOR_EVER);
}

/// Starts a process that has this one's pipes, as what a launcher starts has.
fn start_sleeper(file: &Path) -> Result<()> {
    let sleeper = Command::new(std::env::current_exe()?).arg("sleeps").spawn()?;
    // In one step, so that whoever sees the file sees all of it.
    let partial = file.with_extension("partial");
    std::fs::write(&partial, sleeper.id().to_string())?;
    Ok(std::fs::rename(partial, file)?)
}

/// More bytes without a line break than anybody reads.
fn endless_line() -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    for _ in 0..32 {
        stdout.write_all(&[b'x'; 1 << 20])?;
    }
    Ok(())
}
