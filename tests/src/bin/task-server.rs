//! An MCP server that makes tasks without end and remembers every one, over any number of lives of its client.
//!
//! `task-server JOURNAL`: the journal is a file of JSON lines, one for each task that was acknowledged, one for what a
//! task ended with, one for each thing that must not be. The tool `drive` checks what the journal says against the
//! client, then makes tasks until the client is gone. The tool `settle` waits until every task has ended, checks them
//! all, and says how many there are.
#![allow(clippy::indexing_slicing, reason = "in a JSON value, what is not there is null")]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, StdinLock, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// Tasks that are made before the answers are read.
const AT_ONCE: usize = 8;
/// Ended tasks that `drive` checks again: `settle` checks all.
const SAMPLE: usize = 40;
/// Longer than any lease of the test, and than one task takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("no journal")?;
    let mut server = Server { input: std::io::stdin().lock(), journal: Journal::open(path.as_ref())?, sent: 0 };
    server.serve()
}

/// What is known of the tasks.
struct Journal {
    file: File,
    /// What each task ended with; none for one that had not ended.
    tasks: BTreeMap<String, Option<Value>>,
}

impl Journal {
    fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        // Held until this process ends, however it ends.
        file.lock()?;
        let text = std::fs::read_to_string(path)?;
        let mut tasks = BTreeMap::new();
        for line in text.lines() {
            let mut line: Value = serde_json::from_str(line)?;
            if let Some(id) = line["task"].as_str() {
                tasks.insert(id.to_owned(), Some(line["ended"].take()).filter(|ended| !ended.is_null()));
            }
        }
        Ok(Self { file, tasks })
    }

    fn write(&mut self, line: &Value) -> Result<()> {
        Ok(self.file.write_all(format!("{line}\n").as_bytes())?)
    }

    fn acknowledged(&mut self, id: &str) -> Result<()> {
        if self.tasks.insert(id.to_owned(), None).is_some() {
            self.wrong(&format!("the id {id} was given twice"))?;
        }
        self.write(&json!({ "task": id }))
    }

    fn ended(&mut self, id: &str, ended: Value) -> Result<()> {
        self.write(&json!({ "task": id, "ended": ended }))?;
        self.tasks.insert(id.to_owned(), Some(ended));
        Ok(())
    }

    fn wrong(&mut self, what: &str) -> Result<()> {
        self.write(&json!({ "wrong": what }))
    }
}

struct Server<'a> {
    input: StdinLock<'a>,
    journal: Journal,
    sent: u64,
}

impl Server<'_> {
    fn serve(&mut self) -> Result<()> {
        while let Some(message) = self.read()? {
            let id = &message["id"];
            let result = match message["method"].as_str() {
                Some("initialize") => json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": { "tools": {} },
                    "serverInfo": { "name": "task-server", "version": "1" },
                }),
                Some("tools/call") if message["params"]["name"] == "settle" => {
                    let text = self.settle()?;
                    json!({ "content": [{ "type": "text", "text": text }] })
                }
                Some("tools/call") => return self.drive(),
                // What a client asks first that speaks a later revision, too.
                Some(_) if !id.is_null() => {
                    let error = json!({ "code": -32601, "message": "Method not found" });
                    println!("{}", json!({ "jsonrpc": "2.0", "id": id, "error": error }));
                    continue;
                }
                _ => continue,
            };
            println!("{}", json!({ "jsonrpc": "2.0", "id": id, "result": result }));
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Value>> {
        let mut line = String::new();
        // A client that was killed may have left half a line.
        if self.input.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&line)?))
    }

    /// Sends a request; gives its id.
    fn send(&mut self, method: &str, params: &Value) -> Result<u64> {
        self.sent += 1;
        let request = json!({ "jsonrpc": "2.0", "id": self.sent, "method": method, "params": params });
        let mut out = std::io::stdout().lock();
        writeln!(out, "{request}").and_then(|()| out.flush()).context("the client is gone")?;
        Ok(self.sent)
    }

    /// Reads the answer to any request.
    fn answer(&mut self) -> Result<Value> {
        loop {
            let message = self.read()?.context("the client is gone")?;
            if message.get("id").is_some() && message.get("method").is_none() {
                return Ok(message);
            }
        }
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value> {
        let id = self.send(method, params)?;
        let answer = self.answer()?;
        ensure!(answer["id"] == id, "the answer to another request: {answer}");
        Ok(answer)
    }

    /// Compares what the client says of a task with what it said before. Says whether the task has ended.
    fn check(&mut self, id: &str) -> Result<bool> {
        let known = self.journal.tasks.get(id).cloned().flatten();
        let params = json!({ "taskId": id });
        let mut answer = self.ask("tasks/get", &params)?;
        let Some(status) = answer["result"]["status"].as_str().map(str::to_owned) else {
            self.journal.wrong(&format!("task {id} was acknowledged and is lost: {answer}"))?;
            return Ok(true);
        };
        let task = answer["result"].take();
        if !matches!(status.as_str(), "completed" | "failed" | "cancelled") {
            if known.is_some() {
                self.journal.wrong(&format!("task {id} had ended and is {status} now"))?;
            }
            return Ok(false);
        }
        let mut answer = self.ask("tasks/result", &params)?;
        let ended = json!({ "task": task, "result": answer["result"].take(), "error": answer["error"].take() });
        match known {
            Some(known) if known != ended => {
                self.journal.wrong(&format!("task {id} ended with {known}, and now {ended}"))?;
            }
            Some(_) => {}
            None => {
                if status != "completed" || !ended["result"]["content"]["text"].is_string() {
                    self.journal.wrong(&format!("task {id} did not complete: {ended}"))?;
                }
                self.journal.ended(id, ended)?;
            }
        }
        Ok(true)
    }

    /// Makes tasks until the client is gone.
    fn drive(&mut self) -> Result<()> {
        let ended = |ended: bool| move |(_, known): &(&String, &Option<Value>)| known.is_some() == ended;
        let open = self.journal.tasks.iter().filter(ended(false)).map(|(id, _)| id.clone());
        let mut all: Vec<String> = open.collect();
        // Others in each life, for there are more each time.
        let start = self.journal.tasks.len() % 16;
        let sample = self.journal.tasks.iter().filter(ended(true)).map(|(id, _)| id.clone()).skip(start).step_by(7);
        all.extend(sample.take(SAMPLE));
        for id in all {
            self.check(&id)?;
        }
        loop {
            let mut open = Vec::new();
            for _ in 0..AT_ONCE {
                let content = json!({ "type": "text", "text": "count" });
                let message = json!({ "role": "user", "content": content });
                self.send(
                    "sampling/createMessage",
                    &json!({ "messages": [message], "maxTokens": 10, "task": { "ttl": 3_600_000 } }),
                )?;
            }
            for _ in 0..AT_ONCE {
                let answer = self.answer()?;
                let Some(id) = answer["result"]["task"]["taskId"].as_str() else {
                    self.journal.wrong(&format!("no task was made: {answer}"))?;
                    bail!("no task was made");
                };
                self.journal.acknowledged(id)?;
                open.push(id.to_owned());
            }
            for id in open {
                self.check(&id)?;
            }
        }
    }

    /// Waits until all have ended, and checks them. Gives up when none ends for a while.
    fn settle(&mut self) -> Result<String> {
        let mut last_end = Instant::now();
        let mut open: Vec<String> = self.journal.tasks.keys().cloned().collect();
        while !open.is_empty() {
            let mut left = Vec::new();
            for id in &open {
                if !self.check(id)? {
                    left.push(id.clone());
                }
            }
            if left.len() < open.len() {
                last_end = Instant::now();
            }
            open = left;
            if last_end.elapsed() > PATIENCE {
                self.journal.wrong(&format!("{} tasks never end, such as {:?}", open.len(), open.first()))?;
                break;
            }
        }
        let texts =
            self.journal.tasks.values().flatten().filter_map(|ended| ended["result"]["content"]["text"].as_str());
        let again = texts.filter(|text| *text != "attempt 1").count();
        Ok(json!({ "tasks": self.journal.tasks.len(), "again": again }).to_string())
    }
}
