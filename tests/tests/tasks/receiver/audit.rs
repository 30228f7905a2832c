//! Who did what to which task.

use std::io::Write;
use std::sync::Mutex;

use serde_json::Value;
use taskcell::tasks::AuditLog;
use taskcell_test_support::server::{Server, options};

use super::*;

/// Takes a few bytes at a time and lets others run between, as a slow file would.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(7);
        self.0.lock().unwrap().extend(&bytes[..taken]);
        std::thread::yield_now();
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn log(&self, payloads: bool) -> Arc<AuditLog> {
        Arc::new(AuditLog::new(self.clone(), payloads))
    }

    /// Waits until so many lines are written.
    async fn has(&self, lines: usize) {
        until(|| async { self.0.lock().unwrap().iter().filter(|byte| **byte == b'\n').count() >= lines }).await;
    }

    /// The lines, each an object with the time that it was written at.
    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        let read = |line: &str| -> Value {
            let mut line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let at: Timestamp = line.as_object_mut().unwrap().remove("at").unwrap().as_str().unwrap().parse().unwrap();
            assert!(at.duration_since(Timestamp::now()).unsigned_abs() < MINUTE);
            line
        };
        text.split_terminator('\n').map(read).collect()
    }
}

fn audited(store: &Store, log: &Arc<AuditLog>, principal: &str, limits: TaskLimits) -> Arc<Tasks> {
    let tasks = Tasks::new(Arc::clone(store), principal, limits, Box::new(|_| {}));
    Arc::new(tasks.with_audit(Some(Arc::clone(log))))
}

/// A line about one of my tasks.
fn line(event: &str, task: &str, status: &str) -> Value {
    let TaskOrigin { kind, handler, .. } = &*origin();
    json!({ "event": event, "principal": "me", "task": task, "kind": kind, "handler": handler, "status": status })
}

pub(super) async fn each_change_is_a_line(store: Store) {
    let written = Written::default();
    let tasks = audited(&store, &written.log(true), "me", TaskLimits::default());
    let mut expected = Vec::new();
    for (ask, status) in [(Ask::Complete, "completed"), (Ask::Fail, "failed"), (Ask::Cancel, "cancelled")] {
        let id = create(&tasks).await;
        expected.push(line("created", &id, "working"));
        tasks.update(&id, InputRequired, Some("asking"), Actor::default()).await.unwrap();
        expected.push(line("changed", &id, "input_required"));
        ask.of(&tasks, &id).await.unwrap();
        expected.push(line("changed", &id, status));
        // What is refused changes nothing.
        for ask in ASKS {
            ask.of(&tasks, &id).await.unwrap_err();
        }
        tasks.get(&id).await.unwrap();
    }
    let work = work_on(&tasks, None).await;
    let id = work.id().to_owned();
    expected.push(line("created", &id, "working"));
    work.end.send(Ok(output("x"))).unwrap();
    tasks.wait(&id).await.unwrap().unwrap();
    expected.push(line("changed", &id, "completed"));
    written.has(expected.len()).await;
    assert_eq!(written.lines(), expected);
}

pub(super) async fn expiry_is_a_line(store: Store) {
    let written = Written::default();
    let log = written.log(false);
    let id = put(&store, record(MINUTE * 2, MINUTE)).await;
    // Whoever sweeps writes it, for whomever the task was.
    let tasks = audited(&store, &log, "you", limits(|limits| limits.tasks = 1));
    let (runner, _begins) = told();
    tasks.keep(&runner);
    written.has(1).await;
    assert_eq!(written.lines(), [line("expired", &id, "working")]);
    tasks.close().await;
}

/// Whatever a principal, a server or a peer calls itself, or a task: a line stays one line, and says what it said.
#[tokio::test]
async fn no_line_can_be_forged() {
    let forged = "x\n{\"event\":\"created\"}\r\n\u{0}\u{1b}[2J\u{2028}\"},\n";
    let written = Written::default();
    let (store, log): (Store, _) = (Arc::new(MemoryStore::new()), written.log(false));
    create(&audited(&store, &log, forged, TaskLimits::default())).await;
    let mut options = options();
    options.principal = forged.to_owned();
    options.server.name = forged.to_owned();
    options.audit = Some(log);
    let server = Server::with(taskcell::Handlers::default(), options);
    server.request("tasks/get", &json!({ "taskId": forged })).await.unwrap();
    // A method of the peer's own is no request about tasks.
    server.request(forged, &json!({})).await.unwrap();
    let lines = written.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!((&lines[0]["event"], &lines[0]["principal"]), (&json!("created"), &json!(forged)));
    let request = &lines[1];
    assert_eq!(
        *request,
        json!({
            "event": "request",
            "principal": forged,
            "server": forged,
            "method": "tasks/get",
            "task": forged,
            "kind": "get-task",
            "error": -32601,
        })
    );
}

/// A request and its answer stand in the log only when they are asked for, and then on one line, however they came.
#[tokio::test]
async fn payloads_stand_in_the_log_when_asked_for() {
    let params = json!({ "messages": [], "maxTokens": 1, "task": {}, "systemPrompt": "a secret\n{}" });
    let request = json!({ "jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": params });
    let spread = serde_json::to_string_pretty(&request).unwrap();
    let forging = format!("{{\"x\":\n{{\"event\":\"created\"}}\r\n,{}", &request.to_string()[1..]);
    for text in [request.to_string(), spread, forging] {
        for payloads in [false, true] {
            let written = Written::default();
            let mut options = options();
            options.principal = "me".to_owned();
            options.audit = Some(written.log(payloads));
            let server = Server::with(taskcell::Handlers::default(), options);
            let answer: Value = serde_json::from_str(&server.send_text(&text).await.unwrap()).unwrap();
            // No request about a task.
            server.request("sampling/createMessage", &json!({ "messages": [], "maxTokens": 1 })).await.unwrap();
            let mut expected = json!({
                "event": "request",
                "principal": "me",
                "server": "test",
                "method": "sampling/createMessage",
                "kind": "augmented-sampling",
                "error": -32600,
            });
            if payloads {
                expected["request"] = serde_json::from_str(&text).unwrap();
                expected["response"] = answer;
            }
            assert_eq!(written.lines(), [expected]);
        }
    }
    // What is no JSON is no request about a task.
    let written = Written::default();
    let mut options = options();
    options.audit = Some(written.log(true));
    Server::with(taskcell::Handlers::default(), options).send_text("{\"method\":\"tasks/get\"").await;
    assert_eq!(written.lines(), [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lines_of_many_stand_side_by_side() {
    const MANY: usize = 16;
    const EACH: usize = 50;
    let written = Written::default();
    let (store, log): (Store, _) = (Arc::new(MemoryStore::new()), written.log(false));
    let many: Vec<_> = (0..MANY)
        .map(|number| {
            let tasks = audited(&store, &log, &format!("principal {number}"), TaskLimits::default());
            tokio::spawn(async move {
                for _ in 0..EACH {
                    create(&tasks).await;
                }
            })
        })
        .collect();
    for one in many {
        one.await.unwrap();
    }
    assert_eq!(written.lines().len(), MANY * EACH);
}
