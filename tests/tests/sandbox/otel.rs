//! OpenTelemetry: traces that a server began go on here, calls to a server carry theirs, and the program exports what
//! is seen to a collector, if there is one.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::Arc;

use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::{Value, json};
use taskcell::mrtr::{Caller, Options, PROTOCOL_VERSION};
use taskcell::protocol::types::ListRootsResult;
use taskcell::{Handlers, NativeHandler, Session};
use taskcell_test_support::cli;
use taskcell_test_support::collector::Collector;
use taskcell_test_support::conversation::{Conversation, prompt, request, soon, task_prompt};
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::handlers::{cells, guest, stock};
use taskcell_test_support::provision::repository;
use taskcell_test_support::scripted_server::ScriptedServer;
use taskcell_test_support::server::options;
use tracing_subscriber::layer::SubscriberExt;

const PROGRAM: &str = env!("CARGO_BIN_EXE_taskcell-cli");
const SAMPLING: &str = "sampling/createMessage";
const TRACES: &str = "/v1/traces";
const METRICS: &str = "/v1/metrics";

/// Variables of the environment.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// Does something on this thread, with a layer of OpenTelemetry; gives the spans that were exported.
fn traced<F: Future>(work: impl FnOnce() -> F) -> (F::Output, Vec<SpanData>) {
    taskcell_otel::install_propagator();
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        runtime.block_on(async { soon(work()).await.unwrap() })
    });
    (done, exporter.get_finished_spans().unwrap())
}

/// A span by the field `taskcell.kind`, and whether it is of a request or a cell or of work, by its name.
fn span<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found[..] else { panic!("{name}: {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>()) };
    span
}

fn attribute(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    found.map(|attribute| attribute.value.to_string()).unwrap_or_default()
}

fn closures() -> Handlers {
    let roots = NativeHandler::roots(|_| async { Ok(ListRootsResult { roots: Vec::new(), meta: None }) });
    Handlers::default().native(roots).unwrap()
}

// ---- In ----

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{SPAN}-{flags}")
}

/// The span of a request goes on with the trace of the server, its cell with that, and the work of its task, too; the
/// session is a link. The handler sees `_meta` as it was.
#[test]
fn the_trace_of_the_server_goes_on() {
    let meta = json!({ "traceparent": parent("01"), "tracestate": "a=1", "baggage": "user=me" });
    let (told, spans) = traced(async || {
        let mut server = Conversation::new(stock(cells(8), &json!({})).await.unwrap(), options());
        let mut params = task_prompt("one");
        params["_meta"] = meta.clone();
        let created = server.ask(SAMPLING, &params).await.unwrap();
        let task = created["result"]["task"]["taskId"].as_str().unwrap().to_owned();
        server.ask_task("tasks/result", &task).await.unwrap();
        server.close().await.unwrap();
        created
    });
    assert!(told.get("result").is_some());
    let trace = TraceId::from_hex(TRACE).unwrap();
    let remote = SpanId::from_hex(SPAN).unwrap();
    let session = span(&spans, "session");
    assert_ne!(session.span_context.trace_id(), trace);
    let request = span(&spans, SAMPLING);
    assert_eq!((request.span_context.trace_id(), request.parent_span_id), (trace, remote));
    assert!(request.parent_span_is_remote);
    assert_eq!((request.span_kind.clone(), &request.status), (SpanKind::Server, &Status::Unset));
    assert_eq!(request.span_context.trace_state().header(), "a=1");
    assert!(request.links.iter().any(|link| link.span_context == session.span_context), "{:?}", request.links);
    let work = span(&spans, "work");
    assert_eq!((work.span_context.trace_id(), work.parent_span_id), (trace, remote));
    for (parent, kind) in [(request, "augmented-sampling"), (work, "background")] {
        let of_kind = |span: &&SpanData| span.name == "cell" && attribute(span, "taskcell.kind") == kind;
        let cell = spans.iter().find(of_kind).unwrap();
        assert_eq!((cell.span_context.trace_id(), cell.parent_span_id), (trace, parent.span_context.span_id()));
        assert!(attribute(cell, "taskcell.cpu_us").parse::<u64>().unwrap() > 0);
    }
    // The request without a context is of the session's own trace.
    let other = span(&spans, "tasks/result");
    assert_eq!(other.parent_span_id, session.span_context.span_id());
}

/// What a guest gets is what the server wrote.
#[test]
fn the_handler_sees_what_the_server_wrote() {
    build_guest(&repository().join("tests/guests/hostile")).unwrap();
    let (said, spans) = traced(async || {
        let (session, _outbox) = Session::new(guest(cells(2), "tests/guests/hostile").await.unwrap(), options());
        let mut params = prompt("context");
        params["_meta"] = json!({ "traceparent": parent("01"), "tracestate": 7 });
        let message = request(1, SAMPLING, &params).to_string();
        String::from_utf8(session.answer(message.as_bytes()).await.unwrap()).unwrap()
    });
    assert!(said.contains(&parent("01")) && said.contains("tracestate"), "{said}");
    assert_eq!(span(&spans, SAMPLING).span_context.trace_id(), TraceId::from_hex(TRACE).unwrap());
}

/// A context that is none is as if there were none, and so is one that says not to sample what the server does not.
#[test]
fn what_is_no_context_changes_nothing() {
    #[rustfmt::skip]
    let rows = [
        json!("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        json!("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        json!("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        json!("00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01"),
        json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-"),
        json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"),
        json!("\u{1b}[2J"), json!("-".repeat(100_000)), json!(""), json!(7), json!(["a"]), json!({}), Value::Null,
    ];
    let count = rows.len();
    let ((), spans) = traced(async || {
        let (session, _outbox) = Session::new(closures(), options());
        for (id, traceparent) in rows.into_iter().enumerate() {
            let params = json!({ "_meta": { "traceparent": traceparent, "tracestate": "a=1" } });
            let message = request(id, "roots/list", &params).to_string();
            assert!(session.answer(message.as_bytes()).await.is_some());
        }
    });
    let session = span(&spans, "session");
    let requests: Vec<_> = spans.iter().filter(|span| span.name == "roots/list").collect();
    assert_eq!(requests.len(), count);
    for request in requests {
        assert_eq!(request.parent_span_id, session.span_context.span_id());
        assert_eq!(attribute(request, "taskcell.traceparent"), "");
    }
}

/// The server decides whether its trace is recorded, as the standard has it.
#[test]
fn what_the_server_does_not_sample_is_not_sampled() {
    let ((), spans) = traced(async || {
        let (session, _outbox) = Session::new(closures(), options());
        let params = json!({ "_meta": { "traceparent": parent("00") } });
        session.answer(request(1, "roots/list", &params).to_string().as_bytes()).await.unwrap();
    });
    assert!(spans.iter().all(|span| span.name != "roots/list"), "{spans:?}");
}

// ---- Out ----

/// Each request of a call carries the call's trace, unless whoever calls has one.
#[test]
fn a_call_carries_its_trace() {
    const ASKS: &str = r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}}}"#;
    const TASK: &str = r#"{"resultType":"task","taskId":"t","status":"working","pollIntervalMs":1}"#;
    const ENDED: &str = r#"{"taskId":"t","status":"completed","result":{"content":[]}}"#;
    for given in [None, Some(parent("01"))] {
        let (server, spans) = traced(async || {
            let mut options = options();
            options.protocol_version = PROTOCOL_VERSION.to_owned();
            let (session, _) = Session::new(closures(), options);
            let server = Arc::new(ScriptedServer::new([ASKS, TASK, ENDED]));
            let server_of_calls: Arc<dyn taskcell::mrtr::Server> = Arc::<ScriptedServer>::clone(&server);
            let caller = Caller::new(&session, server_of_calls, Options::default());
            let mut params = json!({ "name": "tool", "_meta": { "own": 1 } });
            if let Some(given) = &given {
                params["_meta"]["traceparent"] = json!(given);
            }
            caller.call("tools/call", &serde_json::value::to_raw_value(&params).unwrap()).await.unwrap();
            server
        });
        let call = span(&spans, "tools/call");
        let trace = call.span_context.trace_id();
        let asked = server.asked();
        assert_eq!(asked.len(), 3);
        for asked in &asked {
            let params: Value = serde_json::from_str(&asked.params).unwrap();
            let carried = params["_meta"]["traceparent"].as_str().unwrap();
            let own = format!("00-{trace}-");
            match (&given, asked.method.as_str()) {
                (Some(given), "tools/call") => assert_eq!(carried, given),
                _ => assert!(carried.starts_with(&own) && carried.ends_with("-01"), "{carried}"),
            }
            assert_eq!(params["_meta"].get("tracestate"), None);
            assert_eq!(params["_meta"].get("baggage"), None);
        }
        // The inputs that the server asked for are in the trace of the call, too.
        let input = span(&spans, "roots/list");
        assert_eq!((input.span_context.trace_id(), input.parent_span_id), (trace, call.span_context.span_id()));
    }
}

// ---- The program ----

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = without_export();
    command.args(arguments).envs(variables.iter().copied());
    command.output().unwrap()
}

/// The program, whatever the environment of the tests exports.
fn without_export() -> Command {
    let mut command = cli::command(PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command
}

const CALL: [&str; 3] = [
    "call",
    SAMPLING,
    r#"{"messages":[{"role":"user","content":{"type":"text","text":"correct-horse"}}],"maxTokens":1}"#,
];

/// A run of the program, and what the collector has of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_exports_what_is_seen() {
    let collector = Collector::start().await.unwrap();
    let endpoint = collector.endpoint();
    let out = tokio::task::spawn_blocking(move || {
        let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_RESOURCE_ATTRIBUTES", "team=blue")];
        [run(&CALL, &variables), run(&["demo", "-q"], &variables)]
    });
    for out in out.await.unwrap() {
        assert!(out.status.success(), "{out:?}");
        assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    }
    assert_eq!(collector.paths(), [METRICS, TRACES]);
    #[rustfmt::skip]
    let rows = [
        (TRACES, "service.name"), (TRACES, "taskcell"), (TRACES, "team"), (TRACES, "blue"),
        // Of the call, and of the demo: its calls, requests, tasks and imports.
        (TRACES, "session"), (TRACES, "cell"), (TRACES, SAMPLING), (TRACES, "tools/call"), (TRACES, "work"),
        (TRACES, "tasks/get"), (TRACES, "taskcell:handlers/tasks.create"),
        (TRACES, "taskcell.cpu_us"), (TRACES, "taskcell.memory_bytes"), (TRACES, "taskcell.handler.digest"),
        (METRICS, "service.name"), (METRICS, "taskcell_requests_total"), (METRICS, "taskcell_cell_cpu_seconds"),
        (METRICS, "taskcell_tasks_created_total"), (METRICS, "outcome"), (METRICS, "what a guest computed in one call"),
    ];
    for (path, text) in rows {
        assert!(collector.has(path, text), "{path}: {text}");
    }
    for path in [TRACES, METRICS] {
        assert!(!collector.has(path, "correct-horse"), "a prompt went to {path}");
    }
}

/// Each signal has an endpoint of its own, and can be left out.
#[tokio::test(flavor = "multi_thread")]
async fn variables_say_what_is_exported() {
    #[rustfmt::skip]
    let rows: &[(Variables<'_>, &[&str])] = &[
        (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "@/own/traces")],                                       &["/own/traces"]),
        (&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "@/own/metrics")],                                     &["/own/metrics"]),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "@"), ("OTEL_TRACES_EXPORTER", "none")],                       &[METRICS]),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "@/base/"), ("OTEL_METRICS_EXPORTER", "none")],                &["/base/v1/traces"]),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "@"), ("OTEL_SDK_DISABLED", "true")],                          &[]),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],                                                          &[]),
    ];
    for (variables, paths) in rows {
        let collector = Collector::start().await.unwrap();
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (*name, value.replace('@', &collector.endpoint()))).collect();
        let out = tokio::task::spawn_blocking(move || {
            run(&CALL, &variables.iter().map(|(name, value)| (*name, &**value)).collect::<Vec<_>>())
        });
        let out = out.await.unwrap();
        assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
        assert_eq!(collector.paths(), *paths);
    }
}

/// A collector that is not there, does not answer, or cannot be: the program does what it was asked, and says so at its
/// end.
#[test]
fn a_collector_that_is_not_there_holds_up_nobody() {
    // Takes connections into its queue and never looks at them.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = [&mute, &gone].map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    drop(gone);
    let [mute_address, gone_address] = &addresses;
    for (endpoint, says) in [
        (mute_address.as_str(), "the last spans and metrics were not exported: "),
        (gone_address, "the last spans and metrics were not exported: "),
        ("no address", "spans and metrics cannot be exported: "),
    ] {
        let out = run(&CALL, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && stderr.lines().count() == 1 && stderr.contains(says), "{endpoint}: {out:?}");
        let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert!(answer.get("result").is_some(), "{answer}");
    }
}
