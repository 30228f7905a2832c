//! Fuzz target: a session as a server drives it, with whole messages in sequence, answered from cells, tasks included.
//!
//! An input is text. Its first line may hold settings: `m` for the plain guest with the host's own task runtime around
//! it (otherwise the stock handler, which creates its own tasks), `p` to process a task request that no handler
//! supports, `t` for sampling with tools. Each other line is a message. The target does not wait for a message that
//! begins with `&`. `@0` to `@9` stand for the ids of the tasks created so far, `@c` for the latest cursor.
//!
//! Invariants: each request has exactly one response with its id, notifications have none; all output is JSON-RPC; and
//! the rules about tasks and progress in [`Seen`]. At the end all tasks are cancelled, so that requests waiting for one
//! also get a response.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use taskcell::handlers::Features;
use taskcell::protocol::jsonrpc::Message;
use taskcell::protocol::types::{CreateTaskResult, ListTasksResult, Task, TaskResult, TaskStatus};
use taskcell::session::Undeclared;
use taskcell::tasks::RateLimit;
use taskcell::{Handlers, Outbox, Session};
use tokio::task::JoinSet;

use super::block_on;
use super::messages::{Failure, Sent, Wants, sent, wants};
use crate::handlers::{cells, stock};
use crate::server::options;

/// Maximum number of messages sent from an input.
const MAX_MESSAGES: usize = 24;
/// Tasks on one page of a list, few enough that lists have several pages.
const PAGE: usize = 2;
/// Number of turns that other work gets before the target stops waiting for a message.
const TURNS: usize = 40;
/// Timeout longer than any wait.
const GUARD: Duration = Duration::from_secs(20);
/// Key in `_meta` that marks a result as a task's.
const RELATED: &str = "io.modelcontextprotocol/related-task";

pub(super) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (settings, messages) = match text.split_once('\n') {
        Some((first, rest)) if !first.starts_with(['{', '&']) => (first, rest),
        _ => ("", text),
    };
    // Loading handlers also needs a runtime.
    let handlers = handlers(settings);
    block_on(converse(handlers, settings, messages.lines().take(MAX_MESSAGES)));
}

/// A script under which work takes no time, takes a little time, or fails.
fn script() -> Value {
    json!({
        "delayMs": 0,
        "pollIntervalMs": 1,
        "sampling": [{ "match": "slow", "delayMs": 5 }, { "match": "fail", "error": {} }],
        "elicitation": [
            { "match": "slow", "delayMs": 5 },
            { "match": "fail", "error": {} },
            { "match": "decline", "action": "decline" },
            { "match": "cancel", "action": "cancel" },
        ],
    })
}

fn handlers(settings: &str) -> Handlers {
    static STOCK: LazyLock<Handlers> =
        LazyLock::new(|| block_on(stock(cells(8), &script())).expect("the stock handler"));
    static PLAIN: LazyLock<Handlers> = LazyLock::new(|| block_on(plain()).expect("the plain guest"));

    let managed = settings.contains('m');
    let handlers = if managed { PLAIN.clone().managed() } else { STOCK.clone() };
    let mut features = Features::default();
    features.tools = settings.contains('t');
    handlers.with_features(features)
}

async fn plain() -> anyhow::Result<Handlers> {
    let mut grants = taskcell::Grants::default();
    grants.progress = true;
    grants.config = Some([("script".to_owned(), script().to_string())].into_iter().collect());
    crate::handlers::guest_with(cells(8), "tests/guests/plain_kinds", grants).await
}

async fn converse(handlers: Handlers, settings: &str, messages: impl Iterator<Item = &str>) {
    let mut options = options();
    options.tasks.rate = RateLimit::none();
    options.tasks.page = PAGE;
    if settings.contains('p') {
        options.undeclared = Undeclared::Process;
    }
    let (session, outbox) = Session::new(handlers, options);
    let mut server = Server { session: Arc::new(session), outbox, running: JoinSet::new(), seen: Seen::default() };
    for message in messages {
        let (waits, message) = message.strip_prefix('&').map_or((true, message), |message| (false, message));
        let message = server.seen.fill(message);
        server.send(&message);
        if waits {
            server.wait_for(&message).await;
        }
    }
    server.end().await;
}

/// The server's side of the session.
struct Server {
    session: Arc<Session>,
    outbox: Outbox,
    running: JoinSet<()>,
    seen: Seen,
}

impl Server {
    fn send(&mut self, message: &str) {
        self.seen.sends(message);
        let (session, message) = (Arc::clone(&self.session), message.to_owned());
        self.running.spawn(async move { session.handle(message.as_bytes()).await });
    }

    /// Waits until a message is handled, unless the handling itself waits.
    async fn wait_for(&mut self, message: &str) {
        let before = self.seen.answers;
        let wanted = wants(message.as_bytes()) != Wants::Nothing;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
            while let Ok(bytes) = self.outbox.try_recv() {
                self.seen.receives(&bytes);
            }
            if wanted && self.seen.answers > before {
                return;
            }
        }
    }

    /// Cancels open tasks, waits for all responses, and ends the session.
    async fn end(mut self) {
        while !self.running.is_empty() {
            let ids: Vec<_> = self.seen.open().map(str::to_owned).collect();
            for id in ids {
                self.seen.cancelled_at_the_end.insert(id.clone());
                let number = self.seen.cancelled_at_the_end.len();
                let id = json!({ "taskId": id });
                self.send(
                    &json!({ "jsonrpc": "2.0", "id": format!("end {number}"), "method": "tasks/cancel", "params": id })
                        .to_string(),
                );
            }
            tokio::select! {
                biased;
                Some(bytes) = self.outbox.recv() => self.seen.receives(&bytes),
                Some(done) = self.running.join_next() => done.expect("a message was not worked on to its end"),
                () = tokio::time::sleep(GUARD) => panic!("it hangs: {:?}", self.seen),
            }
        }
        drop(self.session);
        while let Some(bytes) = tokio::time::timeout(GUARD, self.outbox.recv()).await.expect("the session does not end")
        {
            self.seen.receives(&bytes);
        }
        self.seen.check();
    }
}

/// The relevant parts of a request.
#[derive(Debug, Clone)]
struct Asked {
    method: String,
    params: Value,
    /// Final state that the request's task already had when the request was sent.
    ended: Option<TaskStatus>,
}

/// Record of all messages in both directions.
#[derive(Debug, Default)]
struct Seen {
    /// Requests by their ids as written. Servers use an id once, the fuzzer does not.
    asked: BTreeMap<String, Vec<Asked>>,
    /// Ids of cancelled requests, which need no response.
    cancelled: BTreeSet<String>,
    answered: BTreeMap<String, usize>,
    /// Number of responses.
    answers: usize,
    /// Error codes for invalid messages: expected and received.
    refusals: [Vec<i32>; 2],
    /// Tasks in the order of their first mention.
    tasks: Vec<String>,
    ended: BTreeMap<String, TaskStatus>,
    cancelled_at_the_end: BTreeSet<String>,
    cursor: String,
    /// Latest progress value of each token.
    progress: BTreeMap<String, f64>,
}

impl Seen {
    /// Replaces placeholders by the known values.
    fn fill(&self, message: &str) -> String {
        if !message.contains('@') {
            return message.to_owned();
        }
        let mut message = message.replace("@c", &self.cursor);
        for (index, task) in self.tasks.iter().take(10).enumerate() {
            message = message.replace(&format!("@{index}"), task);
        }
        message
    }

    /// Tasks that have not ended, as far as the server knows, and were not cancelled at the end.
    fn open(&self) -> impl Iterator<Item = &str> {
        let open = |id: &&String| !self.ended.contains_key(*id) && !self.cancelled_at_the_end.contains(*id);
        self.tasks.iter().filter(open).map(String::as_str)
    }

    fn sends(&mut self, message: &str) {
        match wants(message.as_bytes()) {
            Wants::Refusal(code) => self.refusals[0].push(code),
            Wants::Nothing => self.cancelled.extend(cancels(message)),
            Wants::Answer(id) => {
                let message = Message::read(message.as_bytes()).expect("a request");
                let params = message.params.and_then(|params| serde_json::from_str(params.get()).ok());
                let params: Value = params.unwrap_or_default();
                let ended = params["taskId"].as_str().and_then(|id| self.ended.get(id)).copied();
                let method = message.method.unwrap_or_default().into_owned();
                self.asked.entry(id).or_default().push(Asked { method, params, ended });
            }
        }
    }

    fn receives(&mut self, bytes: &[u8]) {
        match sent(bytes) {
            Sent::Answer { id, outcome } => {
                self.answers += 1;
                match (self.asked.get(&id).map(Vec::as_slice), outcome) {
                    (None, Err(error)) if id == "null" => self.refusals[1].push(error.code),
                    (None, outcome) => panic!("an answer that nobody asked for: {id}: {outcome:?}"),
                    (Some([asked]), outcome) => {
                        let asked = asked.clone();
                        self.answer(&id, &asked, outcome);
                    }
                    // With several requests of one id, the response may belong to any of them.
                    (Some(several), Ok(result)) => {
                        if several.iter().any(|asked| asked.params["task"].is_object()) {
                            self.name(&result);
                        }
                    }
                    (Some(_), Err(_)) => {}
                }
                *self.answered.entry(id).or_default() += 1;
            }
            Sent::Notification { method, params } => match method.as_str() {
                "notifications/tasks/status" => self.status(params),
                "notifications/progress" => self.progress(&params),
                other => panic!("a notification of no known method: {other}"),
            },
        }
    }

    fn answer(&mut self, id: &str, asked: &Asked, outcome: Result<String, Failure>) {
        let Ok(result) = outcome else { return };
        let Asked { method, params, ended } = asked;
        let about = params["taskId"].as_str();
        match method.as_str() {
            "ping" => assert_eq!(result, "{}"),
            "sampling/createMessage" | "elicitation/create" if params["task"].is_object() => self.name(&result),
            "tasks/get" | "tasks/cancel" => {
                let TaskResult { task, .. } = read(&result);
                assert_eq!(Some(task.task_id.as_str()), about, "another task");
                if let Some(ended) = ended {
                    assert_eq!(task.status, *ended, "a task that had ended has changed: {id}");
                }
                if method == "tasks/cancel" {
                    assert_eq!((task.status, *ended), (TaskStatus::Cancelled, None));
                }
                self.end_of(&task);
            }
            "tasks/list" => {
                let ListTasksResult { tasks, next_cursor, .. } = read(&result);
                let ids: BTreeSet<_> = tasks.iter().map(|task| &task.task_id).collect();
                assert_eq!(ids.len(), tasks.len(), "a task comes twice");
                assert!(tasks.len() <= PAGE, "a page of {}", tasks.len());
                self.cursor = next_cursor.unwrap_or_default();
            }
            "tasks/result" => {
                #[derive(Deserialize)]
                struct Result<'a> {
                    #[serde(borrow)]
                    _meta: BTreeMap<String, &'a RawValue>,
                }
                let Result { _meta: meta } = read(&result);
                let mark = meta.get(RELATED).map(|mark| read::<Value>(mark.get()));
                assert_eq!(mark, Some(json!({ "taskId": about })), "the result is not marked with its task");
            }
            _ => {}
        }
    }

    /// Takes the response to a request for a task, and records the task unless the request was processed without one.
    fn name(&mut self, result: &str) {
        let Ok(CreateTaskResult { task, .. }) = serde_json::from_str(result) else { return };
        assert_eq!(task.status, TaskStatus::Working, "a task begins `working`");
        assert!(!self.tasks.contains(&task.task_id), "a task is named twice");
        self.tasks.push(task.task_id);
    }

    fn status(&mut self, params: Value) {
        let task: Task = serde_json::from_value(params).expect("the status of a task");
        assert!(self.tasks.contains(&task.task_id), "a status before the answer that names the task");
        if let Some(ended) = self.ended.get(&task.task_id) {
            panic!("a task that had ended as {ended:?} becomes {:?}", task.status);
        }
        self.end_of(&task);
    }

    fn end_of(&mut self, task: &Task) {
        if matches!(task.status, TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled) {
            self.ended.insert(task.task_id.clone(), task.status);
        }
    }

    /// Checks a progress notification: its token is a request's, each value is greater than the last, and none comes
    /// after the end. [basic/utilities/progress]
    fn progress(&mut self, params: &Value) {
        let (token, value) = (&params["progressToken"], params["progress"].as_f64().expect("a number"));
        let asked: Vec<_> =
            self.asked.iter().flat_map(|(id, asked)| asked.iter().map(move |asked| (id, asked))).collect();
        let of_token = |(_, asked): &&(&String, &Asked)| asked.params["_meta"]["progressToken"] == *token;
        let of_token: Vec<_> = asked.iter().filter(of_token).collect();
        // Some numbers change when they are read.
        let readable = asked.iter().all(|(_, asked)| !asked.params.is_null());
        assert!(!of_token.is_empty() || !readable, "progress that nobody asked for: {params}");
        let [(id, asked)] = of_token[..] else { return };
        let last = self.progress.insert(token.to_string(), value);
        assert!(last.is_none_or(|last| value > last), "progress from {last:?} to {value}");
        if asked.params["task"].is_null() {
            assert!(!self.answered.contains_key(*id), "progress after the answer");
        }
    }

    /// Checks the invariants after all work is done.
    fn check(mut self) {
        for (id, asked) in &self.asked {
            let answered = self.answered.remove(id).unwrap_or_default();
            let wanted = asked.len();
            let enough = answered == wanted || (answered < wanted && self.cancelled.contains(id));
            assert!(enough, "{answered} answers to {wanted} requests with the id {id}");
        }
        for codes in &mut self.refusals {
            codes.sort_unstable();
        }
        let [wanted, had] = &self.refusals;
        assert_eq!(wanted, had, "the codes for what is no message");
    }
}

/// Returns the id of the request that a notification cancels.
fn cancels(message: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cancelled<'a> {
        #[serde(borrow)]
        request_id: &'a RawValue,
    }
    let message = Message::read(message.as_bytes()).ok()?;
    let cancelled: Cancelled<'_> = serde_json::from_str(message.params?.get()).ok()?;
    (message.method? == "notifications/cancelled").then(|| cancelled.request_id.get().to_owned())
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
