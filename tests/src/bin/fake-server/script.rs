//! A server whose every line is written by a test: what real servers and hostile ones put on their pipes.
//!
//! A script is `{ "version": .., "start": [step..], "on": { METHOD: [step..] }, "then": { METHOD: [step..] } }`, where
//! `then` is for each request of a method but the first. A step is one of
//! - a text: a line on stdout, in which `$ID` is the id of the request that is answered;
//! - `{ "out": HEX }`, `{ "err": HEX, "times": N }`: bytes on stdout or stderr as they are;
//! - `{ "repeat": N, "line": TEXT }`: a line many times, in which `$N` counts;
//! - `{ "await": ID }`: goes on when an answer to this id has come;
//! - `{ "sleep": MILLISECONDS }`, `{ "exit": CODE }`, `{ "deaf": SECONDS }`: reads nothing for so long;
//! - `{ "received": true }`: a result whose text is the JSON of all messages that came.
//!
//! A method without steps is answered as a good server does.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Script {
    version: String,
    start: Vec<Step>,
    on: HashMap<String, Vec<Step>>,
    then: HashMap<String, Vec<Step>>,
}

impl Default for Script {
    fn default() -> Self {
        Self { version: "2025-11-25".to_owned(), start: Vec::new(), on: HashMap::new(), then: HashMap::new() }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Line(String),
    Out {
        out: String,
    },
    Err {
        err: String,
        #[serde(default)]
        times: u32,
    },
    Repeat {
        repeat: u64,
        line: String,
    },
    Await {
        r#await: Value,
    },
    Sleep {
        sleep: u64,
    },
    Exit {
        exit: i32,
    },
    Deaf {
        deaf: u64,
    },
    Received {
        received: bool,
    },
}

struct Server {
    script: Script,
    received: Vec<Value>,
}

/// Plays a script.
pub(crate) fn play(script: &str) -> Result<()> {
    let mut server = Server { script: serde_json::from_str(script).context(script.to_owned())?, received: Vec::new() };
    let start = std::mem::take(&mut server.script.start);
    server.steps(&start, &Value::Null)?;
    while let Some(message) = server.read()? {
        let (Some(method), id) = (message.get("method").and_then(Value::as_str), message.get("id")) else { continue };
        let id = id.cloned().unwrap_or_default();
        match server.script.on.remove(method) {
            Some(steps) => {
                server.steps(&steps, &id)?;
                let then = server.script.then.remove(method).unwrap_or(steps);
                server.script.on.insert(method.to_owned(), then);
            }
            None if id.is_null() => {}
            None => println!("{}", server.answer(method, &id)),
        }
    }
    Ok(())
}

impl Server {
    /// The next message of the client; none at the end.
    fn read(&mut self) -> Result<Option<Value>> {
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let message: Value = serde_json::from_str(&line).context(line)?;
        self.received.push(message.clone());
        Ok(Some(message))
    }

    fn steps(&mut self, steps: &[Step], id: &Value) -> Result<()> {
        let id_text = id.to_string();
        for step in steps {
            match step {
                Step::Line(line) => println!("{}", line.replace("$ID", &id_text)),
                Step::Out { out } => write(&mut std::io::stdout(), out)?,
                Step::Err { err, times } => {
                    (0..(*times).max(1)).try_for_each(|_| write(&mut std::io::stderr(), err))?;
                }
                Step::Repeat { repeat, line } => {
                    let mut stdout = std::io::stdout().lock();
                    for number in 0..*repeat {
                        writeln!(stdout, "{}", line.replace("$N", &number.to_string()))?;
                    }
                }
                Step::Await { r#await: awaited } => while !self.was_answered(awaited) && self.read()?.is_some() {},
                Step::Sleep { sleep } => std::thread::sleep(Duration::from_millis(*sleep)),
                Step::Exit { exit } => std::process::exit(*exit),
                Step::Deaf { deaf } => std::thread::sleep(Duration::from_secs(*deaf)),
                Step::Received { received } => {
                    let text = if *received { json!(self.received).to_string() } else { "[]".to_owned() };
                    let result = json!({ "content": [{ "type": "text", "text": text }] });
                    println!("{}", json!({ "jsonrpc": "2.0", "id": id, "result": result }));
                }
            }
        }
        Ok(())
    }

    /// Whether an answer to an id has come, alone or in a batch.
    fn was_answered(&self, id: &Value) -> bool {
        let answers = |message: &Value| message.get("method").is_none() && message.get("id") == Some(id);
        self.received.iter().any(|message| match message {
            Value::Array(batch) => batch.iter().any(answers),
            message => answers(message),
        })
    }

    /// What a good server says.
    fn answer(&self, method: &str, id: &Value) -> Value {
        let result = match method {
            "initialize" => json!({
                "protocolVersion": self.script.version, "capabilities": { "tools": {} },
                "serverInfo": { "name": "fake-server", "version": "1" },
            }),
            "tools/list" => json!({ "tools": [{ "name": "go", "description": "The tool go" }] }),
            "tools/call" => json!({ "content": [{ "type": "text", "text": "ok" }] }),
            "ping" => json!({}),
            _ => return json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "no such method" } }),
        };
        json!({ "jsonrpc": "2.0", "id": id, "result": result })
    }
}

/// Writes bytes that are given in hexadecimal.
fn write(stream: &mut impl Write, hex: &str) -> Result<()> {
    let digits: Vec<_> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| Ok::<_, anyhow::Error>(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    let bytes = digits.chunks(2).map(byte).collect::<Result<Vec<_>>>()?;
    stream.write_all(&bytes)?;
    Ok(stream.flush()?)
}
