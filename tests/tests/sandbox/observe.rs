//! What a listener sees: a span for each session, request, cell and call of an import, with how it ended and what it
//! used; and the metrics. Both are held against the tables of the crate, and those against `docs/observability.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use serde_json::{Value, json};
use taskcell::grants::{Confirmation, Http, MemoryKeyValue, Model, ModelContext, ModelUse, Quota, User};
use taskcell::kinds::KINDS;
use taskcell::mrtr::{Caller, Options, PROTOCOL_VERSION};
use taskcell::protocol::types::{
    CreateMessageRequest, CreateMessageResult, ElicitAction, ElicitRequest, ElicitResult, Implementation,
    ListRootsResult, RpcError,
};
use taskcell::telemetry::{METRICS, MetricType, SPANS, describe_metrics};
use taskcell::{Grants, Handler, Handlers, Limits, NativeHandler, Outbox, Session};
use taskcell_test_support::conversation::{Conversation, prompt, request, soon, start, task_prompt};
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::handlers::{cells, engine, guest, guest_with, stock};
use taskcell_test_support::provision::repository;
use taskcell_test_support::scripted_server::ScriptedServer;
use taskcell_test_support::server::options;
use taskcell_test_support::spans::{Seen, Spans};

const SAMPLING: &str = "sampling/createMessage";

/// What a listener of everything has.
struct Listener {
    spans: Spans,
    metrics: Snapshotter,
}

/// Does something on this thread, with somebody who listens. Guests are built before, for that takes long.
fn heard<F: Future>(work: impl FnOnce(Spans) -> F) -> (F::Output, Listener) {
    for guest in ["hostile", "reuse", "model_and_user", "http_and_keyvalue", "model"] {
        build_guest(&repository().join("tests/guests").join(guest)).unwrap();
    }
    let spans = Spans::default();
    let recorder = DebuggingRecorder::new();
    let listener = Listener { spans: spans.clone(), metrics: recorder.snapshotter() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(spans.subscriber(), || {
            runtime.block_on(async { soon(work(spans)).await.unwrap() })
        })
    });
    (done, listener)
}

/// A value of a metric, by its name and labels, as `name{label=value,..}`.
fn values(metrics: &Snapshotter) -> BTreeMap<String, DebugValue> {
    let named = metrics.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
        let labels: Vec<_> = key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        (format!("{}{{{}}}", key.key().name(), labels.join(",")), value)
    });
    named.collect()
}

async fn answer(session: &Session, id: u32, method: &str, params: &Value) -> Value {
    let message = request(id, method, params).to_string().into_bytes();
    serde_json::from_slice(&session.answer(&message).await.unwrap()).unwrap()
}

async fn hostile(change: impl FnOnce(&mut Limits)) -> (Session, Outbox) {
    let mut limits = cells(4);
    change(&mut limits);
    Session::new(guest(limits, "tests/guests/hostile").await.unwrap(), options())
}

// ---- Spans ----

/// Who answers.
enum By {
    /// The hostile guest, as the prompt says.
    Guest(&'static str),
    /// Nobody: there are no handlers.
    Nobody,
    /// A closure.
    Closure,
}
use By::*;

/// How a request ends, and its cell: outcome and `error.type`.
type Ends = (&'static str, &'static str);

/// A request, the kind that its span has, how it ends, and how its cell does; none where there is no cell.
type Row = (&'static str, By, &'static str, Option<&'static str>, Ends, Option<Ends>);

const OK: Ends = ("ok", "");

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("an answer",                   Guest("good"),     SAMPLING,     Some("sampling"), OK,                           Some(OK)),
    ("an error of the handler",     Guest("refuse"),   SAMPLING,     Some("sampling"), ("error", "-7"),              Some(("error", "-7"))),
    ("an answer that is none",      Guest("bad-meta"), SAMPLING,     Some("sampling"), ("failed", "invalid_answer"), Some(OK)),
    ("a trap",                      Guest("trap"),     SAMPLING,     Some("sampling"), ("failed", "trap"),           Some(("failed", "trap"))),
    ("too much computing",          Guest("loop"),     SAMPLING,     Some("sampling"), ("failed", "cpu_time"),       Some(("failed", "cpu_time"))),
    ("too much waiting",            Guest("sleep"),    SAMPLING,     Some("sampling"), ("failed", "wall_time"),      Some(("failed", "wall_time"))),
    ("too much memory",             Guest("drip"),     SAMPLING,     Some("sampling"), ("failed", "memory"),         Some(("failed", "memory"))),
    ("an answer that is too large", Guest("big"),      SAMPLING,     Some("sampling"), ("failed", "answer_size"),    Some(OK)),
    ("no handler",                  Nobody,            SAMPLING,     Some("sampling"), ("default", "-32600"),        None),
    ("no handler of tasks",         Nobody,            "tasks/list", Some("list-tasks"), ("default", "-32601"),      None),
    ("an unknown method",           Nobody,            "a\nb",       None,             ("refused", "-32601"),        None),
    ("a ping",                      Nobody,            "ping",       None,             OK,                           None),
    ("parameters that do not fit",  Nobody,            "tasks/get",  Some("get-task"), ("refused", "-32602"),        None),
    ("a closure",                   Closure,           "roots/list", Some("roots"),    OK,                           None),
];

fn limits(limits: &mut Limits) {
    limits.cpu_time = Duration::from_millis(100);
    limits.memory = 8 << 20;
    limits.message_size = 1 << 20;
}

#[test]
fn each_request_and_its_cell_say_how_they_ended() {
    for (what, by, method, kind, (outcome, error), cell) in ROWS {
        let (code, Listener { spans, metrics }) = heard(async |_| {
            let (session, _outbox) = match by {
                // On a busy machine who computes may take long, too.
                Guest("sleep") => hostile(|limits| limits.wall_time = Duration::from_millis(300)).await,
                Guest(_) => hostile(limits).await,
                Nobody => Session::new(Handlers::default(), options()),
                Closure => Session::new(closures(), options()),
            };
            let params = if let Guest(behavior) = by { prompt(behavior) } else { json!({ "messages": 7 }) };
            let params = if *method == SAMPLING && matches!(by, Nobody) { prompt("") } else { params };
            answer(&session, 7, method, &params).await["error"]["code"].to_string()
        });
        let [session] = &spans.named("session")[..] else { panic!("{what}: one session") };
        let [request] = &spans.under(session)[..] else { panic!("{what}: one request") };
        assert_eq!((request.name, request.parent), ("request", Some(session.place)), "{what}");
        assert_eq!((request.field("taskcell.outcome"), request.field("error.type")), (*outcome, *error), "{what}");
        assert_eq!(request.field("taskcell.kind"), kind.unwrap_or_default(), "{what}");
        assert_eq!(request.field("jsonrpc.request.id"), "7", "{what}");
        assert_eq!(request.field("mcp.method.name"), method.replace('\n', " "), "{what}");
        assert_eq!(request.field("rpc.response.status_code"), code.replace("null", ""), "{what}");
        assert_eq!(request.field("otel.status_code").is_empty(), *outcome == "ok", "{what}");
        let handler = match by {
            Guest(_) => session_handler(&spans),
            Nobody => String::new(),
            Closure => "native".to_owned(),
        };
        assert_eq!(request.field("taskcell.handler.name"), handler, "{what}");

        let cells = spans.under(request);
        let found = cells.iter().map(|cell| (cell.field("taskcell.outcome"), cell.field("error.type")));
        assert_eq!(found.collect::<Vec<_>>(), cell.iter().copied().collect::<Vec<_>>(), "{what}");
        for cell in &cells {
            assert_eq!((cell.name, cell.field("taskcell.kind")), ("cell", kind.unwrap()), "{what}");
            assert_eq!(cell.field("taskcell.handler.digest").len(), 64, "{what}");
            let number = |name: &str| cell.number(name).unwrap_or_else(|| panic!("{what}: {name}"));
            let (cpu, wall, memory) =
                (number("taskcell.cpu_us"), number("taskcell.wall_us"), number("taskcell.memory_bytes"));
            assert!(cpu > 0 && wall <= request.number("taskcell.wall_us").unwrap(), "{what}: {cpu} {wall}");
            assert!((64 << 10..=64 << 20).contains(&memory), "{what}: {memory}");
            match *error {
                "cpu_time" => assert!((100_000..1_000_000).contains(&cpu), "{what}: {cpu}"),
                "wall_time" => assert!(wall >= 300_000 && cpu < 100_000, "{what}: {cpu} of {wall}"),
                "memory" => assert!(memory > 7 << 20, "{what}: {memory}"),
                _ => {}
            }
        }
        conform(&spans);
        let label = kind.unwrap_or("other");
        let values = values(&metrics);
        let counted = &values[&format!("taskcell_requests_total{{kind={label},outcome={outcome}}}")];
        assert_eq!(*counted, DebugValue::Counter(1), "{what}");
        assert_eq!(
            values.contains_key(&format!("taskcell_cell_cpu_seconds{{kind={label}}}")),
            cell.is_some(),
            "{what}"
        );
    }
}

fn session_handler(spans: &Spans) -> String {
    spans.named("cell")[0].field("taskcell.handler.name").to_owned()
}

fn closures() -> Handlers {
    let roots = NativeHandler::roots(|_| async { Ok(ListRootsResult { roots: Vec::new(), meta: None }) });
    Handlers::default().native(roots).unwrap()
}

/// Every span is of the table, and has ended and been left.
fn conform(spans: &Spans) {
    for Seen { name, level, may_have, entered, closed, .. } in spans.all() {
        let info = SPANS.iter().find(|info| info.name == name).unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(
            (may_have.iter().collect::<BTreeSet<_>>(), level),
            (info.fields.iter().collect(), info.level),
            "{name}"
        );
        assert!(closed && !entered, "{name}: closed {closed}, entered {entered}");
    }
}

/// A request that the server takes back, and one that nobody waits for: the cell goes, and both say so.
#[test]
fn a_request_without_an_answer_says_why() {
    for (by_server, outcome) in [(true, "cancelled"), (false, "dropped")] {
        let ((), Listener { spans, metrics }) = heard(async |_| {
            let (session, _outbox) = hostile(|_| ()).await;
            let message = request("x", SAMPLING, &prompt("sleep")).to_string();
            let mut waits = Box::pin(session.answer(message.as_bytes()));
            assert!(start(waits.as_mut()).await.is_pending());
            if by_server {
                let cancelled =
                    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "x" } });
                session.handle(cancelled.to_string().as_bytes()).await;
                assert_eq!(waits.await, None);
            }
        });
        let [request] = &spans.named("request")[..] else { panic!("one request") };
        assert_eq!((request.field("taskcell.outcome"), request.field("error.type")), (outcome, ""));
        assert_eq!((request.field("jsonrpc.request.id"), request.field("otel.status_code")), ("x", ""));
        let [cell] = &spans.under(request)[..] else { panic!("one cell") };
        assert_eq!(cell.field("taskcell.outcome"), "dropped");
        assert!(cell.number("taskcell.cpu_us") > Some(0) && cell.number("taskcell.memory_bytes") >= Some(64 << 10));
        conform(&spans);
        let values = values(&metrics);
        let kind = if by_server { "sampling" } else { "other" };
        assert_eq!(
            values[&format!("taskcell_requests_total{{kind={kind},outcome={outcome}}}")],
            DebugValue::Counter(1)
        );
        assert_eq!(values["taskcell_cells{}"], DebugValue::Gauge(0.0.into()));
    }
}

/// Each kind has its request, its cell and its metrics; the work of a task has a span of its own; the imports that a
/// cell calls stand under it.
#[test]
fn each_kind_is_seen() {
    let (tasks, Listener { spans, metrics }) = heard(async |_| {
        let mut server = Conversation::new(stock(cells(16), &json!({})).await.unwrap(), options());
        let task = server.create("one").await.unwrap();
        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            server.ask_task(method, &task).await.unwrap();
        }
        let form = json!({ "message": "m", "requestedSchema": { "type": "object", "properties": {} } });
        let mut augmented = form.clone();
        augmented["task"] = json!({});
        server.ask("elicitation/create", &augmented).await.unwrap();
        for (method, params) in [
            (SAMPLING, prompt("plain")),
            ("elicitation/create", form),
            ("roots/list", json!({})),
            ("tasks/list", json!({})),
        ] {
            server.ask(method, &params).await.unwrap();
        }
        server.close().await.unwrap();
        vec![task]
    });
    let kinds: BTreeSet<_> = KINDS.iter().map(|row| row.export.to_owned()).collect();
    let requests = spans.named("request");
    assert_eq!(requests.iter().map(|span| span.field("taskcell.kind").to_owned()).collect::<BTreeSet<_>>(), kinds);
    for request in &requests {
        let [cell] = &spans.under(request)[..] else { panic!("one cell of {request:?}") };
        assert_eq!(cell.field("taskcell.kind"), request.field("taskcell.kind"));
        assert!(spans.under(cell).iter().all(|import| import.name == "import"));
    }
    let imports = |span: &Seen| -> Vec<_> {
        spans.under(span).iter().map(|import| import.field("otel.name").to_owned()).collect()
    };
    let made = requests.iter().find(|request| request.field("taskcell.kind") == "augmented-sampling").unwrap();
    let [cell] = &spans.under(made)[..] else { panic!() };
    assert_eq!(imports(cell), ["taskcell:handlers/tasks.create", "taskcell:handlers/tasks.spawn"]);

    let session = &spans.named("session")[0];
    let work = spans.named("work");
    let work = work.iter().find(|work| work.field("task.id") == tasks[0]).unwrap();
    assert_eq!((work.parent, work.field("taskcell.kind")), (Some(session.place), "augmented-sampling"));
    assert_eq!((work.field("taskcell.outcome"), work.number("taskcell.attempt")), ("ok", Some(1)));
    let [cell] = &spans.under(work)[..] else { panic!("one cell of {work:?}") };
    assert_eq!((cell.field("taskcell.kind"), cell.field("taskcell.outcome")), ("background", "ok"));
    conform(&spans);

    let values = values(&metrics);
    for kind in &kinds {
        assert!(values.contains_key(&format!("taskcell_request_duration_seconds{{kind={kind}}}")), "{kind}");
        assert!(values.contains_key(&format!("taskcell_cell_memory_bytes{{kind={kind}}}")), "{kind}");
    }
    assert_eq!(values["taskcell_tasks_created_total{}"], DebugValue::Counter(2));
    assert!(values.contains_key("taskcell_tasks_ended_total{status=completed}"), "{values:?}");
    assert!(values.keys().any(|key| key.starts_with("taskcell_component_loads_total{source=")), "{values:?}");
    of_the_table(&metrics_of(&values));
}

/// The names of metrics with their labels.
fn metrics_of(values: &BTreeMap<String, DebugValue>) -> BTreeSet<(String, Vec<String>)> {
    let parts = |key: &String| {
        let (name, labels) = key.trim_end_matches('}').split_once('{').unwrap();
        let labels = labels.split(',').filter(|label| !label.is_empty());
        (name.to_owned(), labels.map(|label| label.split('=').next().unwrap().to_owned()).collect())
    };
    values.keys().map(parts).collect()
}

fn of_the_table(found: &BTreeSet<(String, Vec<String>)>) {
    for (name, labels) in found {
        let info =
            METRICS.iter().find(|info| info.name == name).unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(info.labels, labels, "{name}");
    }
}

/// An instance that goes on says so.
#[test]
fn an_instance_that_goes_on_is_told_from_a_fresh_one() {
    let ((), Listener { spans, .. }) = heard(async |_| {
        let file = build_guest(&repository().join("tests/guests/reuse")).unwrap();
        let handler = Handler::from_file(&engine(cells(2)).unwrap(), &file, Grants::default()).await.unwrap();
        let (session, _outbox) = Session::new(Handlers::new([handler.with_reuse(10)]).unwrap(), options());
        for id in 0..2 {
            answer(&session, id, SAMPLING, &prompt("")).await;
        }
    });
    let cells = spans.named("cell");
    let reused: Vec<_> = cells.iter().map(|cell| cell.field("taskcell.cell.reused")).collect();
    assert_eq!(reused, ["false", "true"]);
    // The memory is the instance's; what was computed is the request's.
    assert_eq!(cells[0].field("taskcell.memory_bytes"), cells[1].field("taskcell.memory_bytes"));
    assert!(cells[1].number("taskcell.cpu_us").is_some());
}

/// A request belongs to its session; what its poller is in is a link.
#[test]
fn a_request_belongs_to_its_session_and_follows_from_its_poller() {
    let ((), Listener { spans, .. }) = heard(async |_| {
        use tracing::Instrument;

        let (session, _outbox) = Session::new(closures(), options());
        let poller = tracing::info_span!(target: "taskcell-tests", "poller");
        answer(&session, 1, "roots/list", &json!({})).instrument(poller).await;
    });
    let [session] = &spans.named("session")[..] else { panic!("one session") };
    let [request] = &spans.named("request")[..] else { panic!("one request") };
    let [poller] = &spans.named("poller")[..] else { panic!("one poller") };
    assert_eq!((request.parent, &request.follows[..]), (Some(session.place), &[poller.place][..]));
}

/// The inputs of a call are requests under it, and so is the task that it waits for.
#[test]
fn a_call_has_its_inputs_under_it() {
    const ASKS: &str =
        r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"b":{"method":"roots/list"}}}"#;
    const TASK: &str = r#"{"resultType":"task","taskId":"t","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttlMs":null,"pollIntervalMs":1}"#;
    const ASKING: &str =
        r#"{"taskId":"t","status":"input_required","inputRequests":{"c":{"method":"roots/list"}},"pollIntervalMs":1}"#;
    const ENDED: &str = r#"{"taskId":"t","status":"completed","result":{"content":[]}}"#;
    let (outcome, Listener { spans, .. }) = heard(async |_| {
        let mut options = options();
        options.protocol_version = PROTOCOL_VERSION.to_owned();
        let (session, _) = Session::new(closures(), options);
        let server = Arc::new(ScriptedServer::new([ASKS, TASK, ASKING, "{}", ENDED]));
        let caller = Caller::new(&session, server, Options::default());
        let params = serde_json::value::to_raw_value(&json!({ "name": "tool" })).unwrap();
        caller.call("tools/call", &params).await.map(|result| result.get().to_owned())
    });
    assert_eq!(outcome.unwrap(), r#"{"content":[]}"#);
    let [call] = &spans.named("call")[..] else { panic!("one call") };
    assert_eq!((call.field("mcp.method.name"), call.field("taskcell.outcome")), ("tools/call", "ok"));
    assert_eq!((call.number("taskcell.rounds"), call.field("otel.kind")), (Some(1), "client"));
    let under: Vec<_> = spans.under(call).iter().map(|span| span.name).collect();
    assert_eq!(under, ["request", "request", "remote_task"]);
    let [task] = &spans.named("remote_task")[..] else { panic!("one task") };
    assert_eq!((task.field("task.id"), spans.under(task)[0].name), ("t", "request"));
    conform(&spans);
}

// ---- Imports ----

/// A model that says what it used.
struct Told;

#[async_trait]
impl Model for Told {
    async fn create_message(
        &self,
        context: &ModelContext,
        request: CreateMessageRequest,
    ) -> Result<CreateMessageResult, RpcError> {
        context.report(ModelUse { model: Some("m-1".to_owned()), input_tokens: Some(12), output_tokens: Some(3) });
        let content = request.messages.into_iter().next().unwrap().content;
        let role = taskcell::protocol::types::Role::Assistant;
        Ok(CreateMessageResult { role, content, model: "m-1".to_owned(), stop_reason: None, meta: None })
    }
}

#[async_trait]
impl User for Told {
    async fn elicit(&self, _: &Implementation, _: ElicitRequest) -> Result<ElicitResult, RpcError> {
        Ok(ElicitResult { action: ElicitAction::Decline, meta: None })
    }

    async fn confirm(&self, _: &Implementation, _: String) -> Result<Confirmation, RpcError> {
        Err(RpcError::new(-1, "nobody is here"))
    }
}

/// A guest, what it is told to do, and the imports that are seen with their outcomes.
type Imports = (&'static str, &'static str, Value, &'static [(&'static str, &'static str)]);

#[test]
fn imports_are_seen_under_their_cell() {
    let steps = |text: &str| prompt(text);
    let form = json!({ "message": "m", "requestedSchema": { "type": "object", "properties": {} } });
    #[rustfmt::skip]
    let rows: &[Imports] = &[
        ("model_and_user", SAMPLING, prompt("hi"), &[
            ("taskcell:handlers/progress.report", "ok"), ("taskcell:handlers/model.create-message", "ok"),
            ("taskcell:handlers/progress.report", "ok")]),
        ("model_and_user", "elicitation/create", form, &[
            ("taskcell:handlers/progress.report", "ok"), ("taskcell:handlers/user.elicit", "ok"),
            ("taskcell:handlers/progress.report", "ok")]),
        ("http_and_keyvalue", SAMPLING, steps("open b\nset a 1\nget a\nadd a 1\nget-many a"), &[
            ("wasi:keyvalue/store.open", "ok"), ("wasi:keyvalue/store.set", "ok"), ("wasi:keyvalue/store.get", "ok"),
            ("wasi:keyvalue/atomics.increment", "ok"), ("wasi:keyvalue/batch.get-many", "ok")]),
        ("http_and_keyvalue", SAMPLING, steps("open b\nset a text\nadd a 1"), &[
            ("wasi:keyvalue/store.open", "ok"), ("wasi:keyvalue/store.set", "ok"), ("wasi:keyvalue/atomics.increment", "error")]),
        ("http_and_keyvalue", SAMPLING, steps("send GET http://127.0.0.1:1/"), &[
            ("wasi:http/outgoing-handler.handle", "error"),
        ]),
    ];
    for (folder, method, params, expected) in rows {
        let ((), Listener { spans, metrics }) = heard(async |_| {
            let mut grants = Grants::default();
            grants.progress = true;
            grants.config = Some([("roots".to_owned(), String::new())].into_iter().collect());
            grants.model = Some(Arc::new(Told));
            grants.user = Some(Arc::new(Told));
            grants.keyvalue = Some(Arc::new(MemoryKeyValue::new(Quota::default())));
            grants.http = Some(Http::new([], Default::default()));
            let handlers = guest_with(cells(2), &format!("tests/guests/{folder}"), grants).await.unwrap();
            let (session, _outbox) = Session::new(handlers, options());
            let answer = answer(&session, 1, method, params).await;
            assert!(answer.get("result").is_some(), "{answer}");
        });
        let [cell] = &spans.named("cell")[..] else { panic!("one cell") };
        let imports = spans.under(cell);
        let found: Vec<_> =
            imports.iter().map(|import| (import.field("otel.name"), import.field("taskcell.outcome"))).collect();
        assert_eq!(found, *expected);
        conform(&spans);
        let values = values(&metrics);
        for (name, outcome) in *expected {
            let (interface, function) = name.split_once('.').unwrap();
            let key = format!("taskcell_imports_total{{interface={interface},function={function},outcome={outcome}}}");
            assert!(values.contains_key(&key), "{key}: {values:?}");
        }
        if let Some(model) = imports.iter().find(|import| import.field("otel.name").contains("model")) {
            assert_eq!(model.field("gen_ai.response.model"), "m-1");
            let number = |name: &str| model.number(&format!("gen_ai.usage.{name}_tokens"));
            assert_eq!((number("input"), number("output")), (Some(12), Some(3)));
            assert_eq!(values["taskcell_model_tokens_total{direction=output}"], DebugValue::Counter(3));
        }
        of_the_table(&metrics_of(&values));
    }
}

// ---- What nobody sees ----

/// Neither prompts, answers, settings, progress, results of tasks nor the principal stand in a field.
#[test]
fn nothing_private_is_in_a_span() {
    const MARK: &str = "correct-horse";
    let (seen, Listener { spans, metrics }) = heard(async |_| {
        let script = json!({ "sampling": [{ "match": "", "answer": MARK }] });
        let mut options = options();
        options.principal = MARK.to_owned();
        let mut server = Conversation::new(stock(cells(8), &script).await.unwrap(), options);
        let mut params = task_prompt(MARK);
        params["_meta"] = json!({ "progressToken": MARK, "secret": MARK });
        params["systemPrompt"] = json!(MARK);
        let created = server.ask(SAMPLING, &params).await.unwrap();
        let task = created["result"]["task"]["taskId"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned();
        let result = server.ask_task("tasks/result", &task).await.unwrap();
        let mut hostile = hostile(|_| ()).await.0;
        // An error's own data, too.
        answer(&hostile, 1, SAMPLING, &prompt(&format!("refuse {MARK}"))).await;
        hostile = hostile_with_model(MARK).await;
        answer(&hostile, 1, SAMPLING, &prompt(MARK)).await;
        result.to_string()
    });
    assert!(seen.contains(MARK), "{seen}");
    assert!(spans.all().len() > 8);
    for span in spans.all() {
        assert!(span.fields.values().all(|value| !value.contains(MARK)), "{span:?}");
    }
    let values = values(&metrics);
    assert!(values.keys().all(|key| !key.contains(MARK)), "{values:?}");
}

/// A session whose handler gives back what a model that fails says.
async fn hostile_with_model(mark: &'static str) -> Session {
    struct Fails(&'static str);

    #[async_trait]
    impl Model for Fails {
        async fn create_message(
            &self,
            _: &ModelContext,
            _: CreateMessageRequest,
        ) -> Result<CreateMessageResult, RpcError> {
            let data = Some(json!({ "kind": self.0 }).to_string());
            Err(RpcError { code: -1, message: self.0.to_owned(), data })
        }
    }

    let mut grants = Grants::default();
    grants.model = Some(Arc::new(Fails(mark)));
    Session::new(guest_with(cells(2), "tests/guests/model", grants).await.unwrap(), options()).0
}

/// What a server names is cut and printable.
#[test]
fn what_a_server_names_is_bounded() {
    let ((), Listener { spans, .. }) = heard(async |_| {
        let mut options = options();
        options.server.name = format!("\u{1b}[2J{}", "x".repeat(10_000));
        let (session, _outbox) = Session::new(Handlers::default(), options);
        let id = format!("\u{1b}[2J{}", "y".repeat(100));
        let message = request(id.as_str(), &format!("\u{202e}{}", "z".repeat(10_000)), &json!({})).to_string();
        session.answer(message.as_bytes()).await.unwrap();
    });
    for span in spans.all() {
        for (name, value) in &span.fields {
            assert!(value.chars().count() <= 201 && !value.contains(['\u{1b}', '\u{202e}']), "{name}: {value}");
        }
    }
    assert_eq!(spans.named("request")[0].field("otel.name"), "other");
}

// ---- The tables ----

/// The tables of the documents are those of the code.
#[test]
fn the_documents_have_the_same_tables() {
    let docs = fs::read_to_string(repository().join("docs/observability.md")).unwrap();
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = |columns: usize| -> BTreeMap<String, Vec<String>> {
        let rows = docs.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('|').collect::<Vec<_>>());
        let rows = rows.filter(|cells| cells.len() == columns + 2);
        rows.map(|cells| {
            (words(cells[1]).remove(0), cells[2..=columns].iter().map(|cell| cell.trim().to_owned()).collect())
        })
        .collect()
    };
    let spans: BTreeMap<_, _> = SPANS
        .iter()
        .map(|info| {
            let fields: Vec<_> = info.fields.iter().map(|field| format!("`{field}`")).collect();
            let cells = vec![info.level.to_string().to_lowercase(), info.about.to_owned(), fields.join(", ")];
            (info.name.to_owned(), cells)
        })
        .collect();
    assert_eq!(rows(4), spans);
    let metrics: BTreeMap<_, _> = METRICS
        .iter()
        .map(|info| {
            let labels: Vec<_> = info.labels.iter().map(|label| format!("`{label}`")).collect();
            let metric_type = match info.metric_type {
                MetricType::Counter => "counter",
                MetricType::Gauge => "gauge",
                _ => "histogram",
            };
            let unit = info.unit.as_str().to_owned();
            (info.name.to_owned(), vec![metric_type.to_owned(), unit, labels.join(", "), info.about.to_owned()])
        })
        .collect();
    assert_eq!(rows(5), metrics);
}

/// A recorder that is told what the metrics are knows the unit of each.
#[test]
fn metrics_are_described() {
    let recorder = DebuggingRecorder::new();
    let ((), metrics) = (
        metrics::with_local_recorder(&recorder, || {
            describe_metrics();
            metrics::counter!("taskcell_tasks_created_total").increment(1);
        }),
        recorder.snapshotter(),
    );
    let (_, unit, about, _) = metrics.snapshot().into_vec().remove(0);
    assert_eq!((unit.unwrap(), about.unwrap().as_ref()), (metrics::Unit::Count, "tasks that were made"));
}
