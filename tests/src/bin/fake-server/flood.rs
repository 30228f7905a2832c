//! A server that wants the client to hold more and more, or to wait for ever.
//!
//! `fake-server flood KIND [NUMBER..]`. Every loop is bounded by the arguments.

use std::io::{BufRead, StdinLock, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Plays a kind of flood.
pub(crate) fn play(kind: &str, numbers: &[usize]) -> Result<()> {
    let mut stdin = std::io::stdin().lock();
    let number = |place: usize| numbers.get(place).copied().with_context(|| format!("{kind}: no number {place}"));
    if kind == "linger" {
        std::thread::sleep(Duration::from_secs(number(0)? as u64));
        return Ok(());
    }
    let request = handshake(&mut stdin)?;
    let mut stdout = std::io::stdout().lock();
    match kind {
        // COUNT pings, all answers read.
        "pings" => {
            let (count, block) = (number(0)?, 500);
            for start in (0..count).step_by(block) {
                let now = block.min(count - start);
                for id in start..start + now {
                    writeln!(stdout, r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)?;
                }
                stdout.flush()?;
                for _ in 0..now {
                    skip(&mut stdin)?;
                }
            }
            done(&mut stdout, &request)?;
        }
        // COUNT requests of a method with ids of SIZE bytes, the answers of which nobody reads for SECONDS.
        "unread" => {
            let (count, size, seconds) = (number(0)?, number(1)?, number(2)?);
            let pad = "x".repeat(size);
            after(seconds);
            for id in 0..count {
                writeln!(stdout, r#"{{"jsonrpc":"2.0","id":"{id}-{pad}","method":"ping"}}"#)?;
            }
            std::thread::sleep(Duration::from_secs(600));
        }
        // One task with a result of SIZE bytes that is asked for COUNT times, the answers of which nobody reads for
        // SECONDS.
        "results" => {
            let (size, count, seconds) = (number(0)?, number(1)?, number(2)?);
            let task = make_task(&mut stdin, &mut stdout, &"x".repeat(size))?;
            writeln!(stdout, "{}", request_of("first", "tasks/result", &task))?;
            answer_to(&mut stdin, "first")?;
            after(seconds);
            for id in 0..count {
                writeln!(stdout, "{}", request_of(&id.to_string(), "tasks/result", &task))?;
            }
            std::thread::sleep(Duration::from_secs(600));
        }
        // The same, all answers read after MILLISECONDS; says how many were results.
        "late-reader" => {
            let (size, count, pause) = (number(0)?, number(1)?, number(2)?);
            let task = make_task(&mut stdin, &mut stdout, &"x".repeat(size))?;
            for id in 0..count {
                writeln!(stdout, "{}", request_of(&id.to_string(), "tasks/result", &task))?;
            }
            std::thread::sleep(Duration::from_millis(pause as u64));
            let mut results = 0;
            for _ in 0..count {
                let message = read_answer(&mut stdin)?.context("the client has gone")?;
                let text = message.pointer("/result/content/text").and_then(Value::as_str);
                results += u32::from(text.is_some_and(|text| text.len() > size));
            }
            says(&mut stdout, &request, &results.to_string())?;
        }
        // COUNT requests of SIZE bytes, whose answers are as large, the answers of which nobody reads for SECONDS.
        "echoes" => {
            let (size, count, seconds) = (number(0)?, number(1)?, number(2)?);
            let params = sampling(&"x".repeat(size));
            after(seconds);
            for id in 0..count {
                writeln!(stdout, "{}", request_of(&id.to_string(), "sampling/createMessage", &params))?;
            }
            std::thread::sleep(Duration::from_secs(600));
        }
        // COUNT forms that are answered with SIZE bytes, which CONSTRAINTS constraints are held against.
        "forms" => {
            let (size, constraints, count) = (number(0)?, number(1)?, number(2)?);
            let constraints = vec![json!({ "format": "uri-reference" }); constraints];
            let field = json!({ "type": "string", "allOf": constraints, "default": "x".repeat(size) });
            let schema = json!({ "type": "object", "properties": { "a": field }, "required": ["a"] });
            let params = json!({ "message": "fill in", "requestedSchema": schema });
            for id in 0..count {
                writeln!(stdout, "{}", request_of(&id.to_string(), "elicitation/create", &params))?;
            }
            std::thread::sleep(Duration::from_secs(600));
        }
        // A task that takes long, and COUNT requests that wait for its result; says how many were refused by then.
        "waits" => {
            let task = make_task(&mut stdin, &mut stdout, "hi")?;
            for id in 0..number(0)? {
                writeln!(stdout, "{}", request_of(&id.to_string(), "tasks/result", &task))?;
            }
            writeln!(stdout, "{}", request_of("last", "ping", &json!({})))?;
            let mut refused = 0;
            while let Some(message) = read(&mut stdin)? {
                let kind = message.pointer("/error/data/kind").and_then(Value::as_str);
                refused += u32::from(kind == Some("session_overloaded"));
                if message.get("id").is_some_and(|id| id == "last") {
                    break;
                }
            }
            says(&mut stdout, &request, &refused.to_string())?;
        }
        // COUNT pages of tools of SIZE bytes of tiny values each, MILLISECONDS apart if said; 0 pages have no end.
        "pages" => {
            let (count, size) = (number(0)?, number(1)?);
            let pause = Duration::from_millis(number(2).unwrap_or_default() as u64);
            let tool = format!(r#"{{"name":"t","x":[[]{}]}}"#, ",[]".repeat(size / 3));
            let mut request = request;
            for page in 1.. {
                let id = request.get("id").unwrap_or(&Value::Null);
                std::thread::sleep(pause);
                let next = if page == count { String::new() } else { format!(r#","nextCursor":"{page}""#) };
                writeln!(stdout, r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":[{tool}]{next}}}}}"#)?;
                match read(&mut stdin)? {
                    Some(message) => request = message,
                    None => break,
                }
            }
        }
        // COUNT log messages of SIZE bytes.
        "logs" => {
            let (count, data) = (number(0)?, "x".repeat(number(1)?));
            let params = json!({ "level": "info", "data": data });
            let message = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params });
            (0..count).try_for_each(|_| writeln!(stdout, "{message}"))?;
            done(&mut stdout, &request)?;
        }
        // COUNT lines on stderr.
        "stderr" => {
            (0..number(0)?).for_each(|line| eprintln!("at line {line}"));
            // The end of the call ends the display, so the lines must be read before.
            std::thread::sleep(Duration::from_millis(500));
            done(&mut stdout, &request)?;
            // It says something more when it ends.
            while read(&mut stdin)?.is_some() {}
            eprintln!("stdin ended");
        }
        // Ends itself at once; a process that it started keeps the pipes for SECONDS.
        "orphan" => {
            let me = std::env::current_exe()?;
            std::process::Command::new(me).args(["flood", "linger", &number(0)?.to_string()]).spawn()?;
            std::process::exit(3);
        }
        // Writes a log message each 10 ms once stdin has ended, COUNT times, and says so in a file that the environment
        // names; a broken pipe is an error.
        "talks-at-the-end" => {
            done(&mut stdout, &request)?;
            while read(&mut stdin)?.is_some() {}
            let params = json!({ "level": "info", "data": "still here" });
            let message = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params });
            let said = (0..number(0)?).try_for_each(|_| {
                std::thread::sleep(Duration::from_millis(10));
                writeln!(stdout, "{message}")
            });
            std::fs::write(std::env::var("FAKE_SERVER_LOG")?, format!("{said:?}"))?;
        }
        // Writes into a file that the environment names that it saves when stdin has ended, and MILLISECONDS later that
        // it has.
        "saves-at-the-end" => {
            eprintln!("holding {}", std::process::id());
            while read(&mut stdin)?.is_some() {}
            let log = std::env::var("FAKE_SERVER_LOG")?;
            std::fs::write(&log, "saving")?;
            std::thread::sleep(Duration::from_millis(number(0)? as u64));
            std::fs::write(&log, "saved")?;
        }
        // Says whether it can read its own environment, and that of the process that started it.
        #[cfg(unix)]
        "spies" => {
            let reads = |process: u32| std::fs::read(format!("/proc/{process}/environ")).is_ok();
            let (own, parent) = (reads(std::process::id()), reads(std::os::unix::process::parent_id()));
            says(&mut stdout, &request, &format!("own {own}, parent {parent}"))?;
        }
        // Heeds neither the end of stdin nor any signal that can be ignored, for SECONDS.
        "stubborn" => {
            eprintln!("holding {}", std::process::id());
            std::thread::sleep(Duration::from_secs(number(0)? as u64));
        }
        other => bail!("no flood {other}"),
    }
    Ok(())
}

/// Ends this process after a time, whatever it does.
fn after(seconds: usize) {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(seconds as u64));
        std::process::exit(0);
    });
}

/// Has the client make a task of a message, and gives the parameters that name it.
fn make_task(stdin: &mut StdinLock<'_>, stdout: &mut impl Write, text: &str) -> Result<Value> {
    let mut params = sampling(text);
    if let Value::Object(params) = &mut params {
        params.insert("task".to_owned(), json!({ "ttl": 600_000 }));
    }
    writeln!(stdout, "{}", request_of("make", "sampling/createMessage", &params))?;
    let made = answer_to(stdin, "make")?;
    Ok(json!({ "taskId": made.pointer("/result/task/taskId").context(made.to_string())? }))
}

/// The parameters of a sampling request with this text.
fn sampling(text: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": text } }], "maxTokens": 10 })
}

/// Answers until tools are called or listed, and gives that request.
fn handshake(stdin: &mut StdinLock<'_>) -> Result<Value> {
    while let Some(message) = read(stdin)? {
        let id = message.get("id").cloned().unwrap_or_default();
        match message.get("method").and_then(Value::as_str) {
            Some("initialize") => {
                let result = json!({
                    "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
                    "serverInfo": { "name": "fake-server", "version": "1" },
                });
                println!("{}", json!({ "jsonrpc": "2.0", "id": id, "result": result }));
            }
            Some("tools/call" | "tools/list") => return Ok(message),
            _ => {}
        }
    }
    bail!("no tool was called")
}

fn read(stdin: &mut StdinLock<'_>) -> Result<Option<Value>> {
    let mut line = String::new();
    Ok(if stdin.read_line(&mut line)? == 0 { None } else { Some(serde_json::from_str(&line)?) })
}

fn skip(stdin: &mut StdinLock<'_>) -> Result<()> {
    stdin.read_until(b'\n', &mut Vec::new())?;
    Ok(())
}

fn request_of(id: &str, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn answer_to(stdin: &mut StdinLock<'_>, id: &str) -> Result<Value> {
    while let Some(message) = read(stdin)? {
        if message.get("id").is_some_and(|answered| answered == id) {
            return Ok(message);
        }
    }
    bail!("no answer to {id}")
}

/// The next answer of the client; none at the end.
fn read_answer(stdin: &mut StdinLock<'_>) -> Result<Option<Value>> {
    loop {
        match read(stdin)? {
            Some(message) if message.get("id").is_none() => {}
            answer => return Ok(answer),
        }
    }
}

fn done(stdout: &mut impl Write, request: &Value) -> Result<()> {
    says(stdout, request, "done")
}

/// Answers the call of a tool with a text.
fn says(stdout: &mut impl Write, request: &Value, text: &str) -> Result<()> {
    let result = json!({ "content": [{ "type": "text", "text": text }] });
    writeln!(stdout, "{}", json!({ "jsonrpc": "2.0", "id": request.get("id"), "result": result }))?;
    Ok(stdout.flush()?)
}
