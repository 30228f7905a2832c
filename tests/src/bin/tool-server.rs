//! An MCP server of revision 2025-11-25 whose tools behave in ways that a client must cope with: they want pages to be
//! visited, run as tasks, tell how far they are, or ask without end. With the argument `no-tasks` it takes no tasks.

use std::io::{BufRead, Lines, StdinLock, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The server, and what it knows of its client.
struct Server {
    lines: Lines<StdinLock<'static>>,
    capabilities: Value,
    takes_tasks: bool,
    /// Calls of the tool `pages`.
    calls: u64,
    /// The call that became a task, and whether it has ended.
    task: Option<(Value, &'static str)>,
    /// Requests about tasks that came, by method.
    about_tasks: Vec<String>,
}

fn main() -> Result<()> {
    let takes_tasks = std::env::args().all(|argument| argument != "no-tasks");
    let mut server = Server {
        lines: std::io::stdin().lock().lines(),
        capabilities: Value::Null,
        takes_tasks,
        calls: 0,
        task: None,
        about_tasks: Vec::new(),
    };
    while let Some(message) = server.read()? {
        server.serve(&message)?;
    }
    Ok(())
}

fn send(message: &Value) {
    println!("{message}");
}

fn tools() -> Value {
    let object = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required });
    json!([
        { "name": "echo", "description": "Gives back what it was given", "inputSchema": object(json!({
            "message": { "type": "string", "description": "What to give back" },
            "count": { "type": "integer", "default": 1 },
            "tags": { "type": "array", "items": { "type": "string" } },
        }), json!(["message"])) },
        { "name": "pages", "description": "Wants pages to be visited first", "inputSchema": object(json!({}), json!([])) },
        { "name": "long", "description": "Tells how far it is", "inputSchema": object(json!({}), json!([])) },
        { "name": "must-be-a-task", "inputSchema": object(json!({}), json!([])), "execution": { "taskSupport": "required" } },
        { "name": "may-be-a-task", "inputSchema": object(json!({}), json!([])), "execution": { "taskSupport": "optional" } },
        { "name": "pings", "inputSchema": object(json!({}), json!([])) },
        { "name": "samples-with-tools", "inputSchema": object(json!({}), json!([])) },
        { "name": "fails", "inputSchema": object(json!({}), json!([])) },
    ])
}

impl Server {
    fn read(&mut self) -> Result<Option<Value>> {
        let Some(line) = self.lines.next() else { return Ok(None) };
        Ok(Some(serde_json::from_str(&line?)?))
    }

    /// Sends a request and gives its answer, whatever comes meanwhile.
    fn ask(&mut self, id: &str, method: &str, params: &Value) -> Result<Value> {
        send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let message = self.read()?.context("the client has gone")?;
            if message.get("method").is_none() && message.get("id").is_some_and(|of| of == id) {
                return Ok(message);
            }
        }
    }

    fn serve(&mut self, message: &Value) -> Result<()> {
        let (Some(id), Some(method)) = (message.get("id"), message.get("method").and_then(Value::as_str)) else {
            return Ok(());
        };
        let params = message.get("params").cloned().unwrap_or_default();
        if method.starts_with("tasks/") {
            self.about_tasks.push(method.to_owned());
        }
        let answer = match method {
            "initialize" => {
                self.capabilities = params.get("capabilities").cloned().unwrap_or_default();
                let tasks = json!({ "requests": { "tools": { "call": {} } }, "cancel": {} });
                let mut capabilities = json!({ "tools": {} });
                if let (true, Some(members)) = (self.takes_tasks, capabilities.as_object_mut()) {
                    members.insert("tasks".to_owned(), tasks);
                }
                let info = json!({ "name": "tool-server", "version": "1" });
                Ok(json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info }))
            }
            "tools/list" => Ok(json!({ "tools": tools() })),
            "tools/call" => self.call(&params)?,
            "tasks/get" => self.task(false),
            "tasks/cancel" => Ok(json!({})),
            "tasks/result" => self.result()?,
            _ => Err(json!({ "code": -32601, "message": "Method not found" })),
        };
        let (key, value) = match answer {
            Ok(result) => ("result", result),
            Err(error) => ("error", error),
        };
        send(&json!({ "jsonrpc": "2.0", "id": id, key: value }));
        Ok(())
    }

    fn call(&mut self, params: &Value) -> Result<Result<Value, Value>> {
        let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
        let argument =
            |key: &str| params.get("arguments").and_then(|arguments| arguments.get(key)).cloned().unwrap_or_default();
        let number = |key: &str| argument(key).as_u64();
        Ok(match name {
            "echo" => Ok(said(&params.get("arguments").unwrap_or(&Value::Null).to_string())),
            "pages" => self.pages(number("times").unwrap_or(1), &argument("complete"), &argument("ids")),
            "long" => {
                let token = params.pointer("/_meta/progressToken").cloned().unwrap_or_default();
                for progress in 1..=3 {
                    std::thread::sleep(Duration::from_millis(number("pause").unwrap_or(0)));
                    let params =
                        json!({ "progressToken": token, "progress": progress, "total": 3, "message": "at work" });
                    send(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }));
                    if let Some(line) = argument("say").as_str() {
                        eprintln!("{line}");
                    }
                }
                Ok(said(&format!("the token is {token}")))
            }
            "must-be-a-task" if params.get("task").is_none() => {
                Err(json!({ "code": -32601, "message": "this tool must be called as a task" }))
            }
            "must-be-a-task" | "may-be-a-task" if params.get("task").is_some() => {
                let first = if argument("ask") == true { "input_required" } else { "working" };
                let last = if argument("fail") == true { "failed" } else { "completed" };
                self.task = Some((params.clone(), first));
                let made = self.task(false);
                if argument("for-ever") != true {
                    self.task = Some((params.clone(), if first == "working" { last } else { first }));
                }
                made.map(|task| json!({ "task": task }))
            }
            "may-be-a-task" => Ok(said("called plainly")),
            "pings" => Ok(said(&self.pings(number("count").unwrap_or(1))?)),
            "samples-with-tools" => {
                if self.capabilities.pointer("/sampling/tools").is_none() && argument("anyway") != true {
                    return Ok(Ok(failed("Client does not support sampling tools capability.")));
                }
                let message = json!({ "role": "user", "content": { "type": "text", "text": "hi" } });
                let tool = json!({ "name": "t", "inputSchema": { "type": "object" } });
                let asked = json!({ "messages": [message], "maxTokens": 10, "tools": [tool] });
                Ok(said(&self.ask("sample", "sampling/createMessage", &asked)?.to_string()))
            }
            "fails" => Err(json!({ "code": -32000, "message": "try later", "data": { "retryAfter": 30 } })),
            _ => Ok(failed(&format!("MCP error -32602: Tool {name} not found"))),
        })
    }

    /// Wants a page for each of the first `times` calls; says that a page was visited where it is to.
    fn pages(&mut self, times: u64, complete: &Value, ids: &Value) -> Result<Value, Value> {
        self.calls = self.calls.saturating_add(1);
        if self.calls > times {
            return Ok(said(&format!("ok at call {}", self.calls)));
        }
        let id = if *ids == "new" { format!("page-{}", self.calls) } else { "page".to_owned() };
        if *complete == true {
            let id = id.clone();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                let params = json!({ "elicitationId": id });
                send(&json!({ "jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": params }));
            });
        }
        let page =
            json!({ "mode": "url", "elicitationId": id, "url": "https://example.com/consent", "message": "Sign in" });
        Err(json!({ "code": -32042, "message": "Pages first", "data": { "elicitations": [page] } }))
    }

    fn task(&self, over: bool) -> Result<Value, Value> {
        let Some((_, status)) = &self.task else { return Err(json!({ "code": -32602, "message": "no such task" })) };
        let status = if over { "completed" } else { status };
        Ok(json!({ "taskId": "task-1", "status": status, "statusMessage": format!("it is {status}"), "ttl": 60_000,
            "createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z", "pollInterval": 20 }))
    }

    /// The result of the task, which may need something of the client first.
    fn result(&mut self) -> Result<Result<Value, Value>> {
        let Some((params, status)) = self.task.clone() else {
            return Ok(Err(json!({ "code": -32602, "message": "no such task" })));
        };
        if status == "failed" {
            return Ok(Err(json!({ "code": -32603, "message": "the task broke" })));
        }
        let mut text = format!("as a task: {}", params.get("task").unwrap_or(&Value::Null));
        if status == "input_required" {
            let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
            let related = json!({ "io.modelcontextprotocol/related-task": { "taskId": "task-1" } });
            let form = json!({ "message": "Who?", "requestedSchema": schema, "_meta": related });
            let answer = self.ask("form", "elicitation/create", &form)?;
            text = format!("{text}, told {}", answer.pointer("/result/action").unwrap_or(&Value::Null));
            self.task = Some((params, "completed"));
        }
        Ok(Ok(said(&format!("{text}; {}", self.about_tasks.join(" ")))))
    }

    /// Pings the client so often, and says by how many KiB the client's memory grew meanwhile.
    fn pings(&mut self, count: u64) -> Result<String> {
        const AT_ONCE: u64 = 500;
        // What is made once, such as queues, is no growth.
        let mut first = None;
        for round in 0..count.div_ceil(AT_ONCE) {
            let mut out = std::io::stdout().lock();
            for id in 0..AT_ONCE {
                writeln!(out, "{}", json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }))?;
            }
            drop(out);
            for _ in 0..AT_ONCE {
                self.read()?.context("the client has gone")?;
            }
            if round == 4 {
                first = Some(memory_of_parent()?);
            }
        }
        let grown = memory_of_parent()?.saturating_sub(first.context("too few pings")?);
        Ok(format!("{grown} KiB"))
    }
}

/// The resident memory of the process that started this one, in KiB.
fn memory_of_parent() -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", std::os::unix::process::parent_id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.split_whitespace().next().context("no number")?.parse()?)
}

fn said(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

fn failed(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }], "isError": true })
}
