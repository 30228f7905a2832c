//! Handlers that are replaced while sessions use them, through the API.

use std::collections::BTreeMap;
use std::fs;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;

use async_trait::async_trait;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use taskcell::grants::{Model, ModelContext};
use taskcell::handlers::Features;
use taskcell::kinds::Kind;
use taskcell::mrtr::{self, Caller};
use taskcell::protocol::types::{
    CreateMessageRequest, CreateMessageResult, ListRootsResult, Role, RpcError, SamplingContent, TextContent,
};
use taskcell::session::Event;
use taskcell::{Engine, Grants, Handler, HandlerRegistry, Handlers, LoadFault, NativeHandler, Session, SessionOptions};
use taskcell_test_support::component_digests::numbered_component;
use taskcell_test_support::compose::{component, component_for, component_with, core_module};
use taskcell_test_support::conversation::{Conversation, prompt, request, soon, start};
use taskcell_test_support::fake_application::FakeApplication;
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::handlers::{cells, engine};
use taskcell_test_support::provision::repository;
use taskcell_test_support::scripted_server::ScriptedServer;
use taskcell_test_support::server::options;
use tokio::sync::{Semaphore, oneshot};

const ROOTS: &str = "roots/list";
const SAMPLING: &str = "sampling/createMessage";

fn guest(folder: &str) -> Vec<u8> {
    fs::read(build_guest(&repository().join(folder)).unwrap()).unwrap()
}

/// The least handler: it answers sampling, with what was said.
fn minimal() -> Vec<u8> {
    guest("guest-examples/rust-minimal")
}

async fn load(engine: &Engine, name: &str, bytes: Vec<u8>) -> Handler {
    Handler::from_bytes(engine, name, bytes, Grants::default()).await.unwrap()
}

async fn live(engine: &Engine, number: i32) -> HandlerRegistry {
    Handlers::new([load(engine, "numbered", numbered_component(number).unwrap()).await]).unwrap().into()
}

fn session(handlers: &HandlerRegistry) -> Session {
    Session::new(handlers.clone(), options()).0
}

async fn ask(session: &Session, method: &str, params: &Value) -> Value {
    let message = request(1, method, params).to_string();
    let answer = soon(session.answer(message.as_bytes())).await.unwrap().unwrap();
    serde_json::from_slice(&answer).unwrap()
}

/// The number of the component that answered, which all of the answer says.
async fn number(session: &Session) -> i64 {
    let answer = ask(session, ROOTS, &json!({})).await;
    let number = answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(answer["error"]["message"], number.to_string(), "{answer}");
    number
}

async fn said(session: &Session, text: &str) -> Value {
    ask(session, SAMPLING, &prompt(text)).await.pointer("/result/content/text").cloned().unwrap_or_default()
}

/// What the observer of a session was told of replacements.
type Told = Arc<Mutex<Vec<String>>>;

fn observed(mut options: SessionOptions) -> (SessionOptions, Told) {
    let told = Told::default();
    let telling = Arc::clone(&told);
    options.observer = Some(Arc::new(move |event| match event {
        Event::Replaced(change) => telling.lock().unwrap().push(change.to_string()),
        Event::NotReplaced { handler, error, .. } => {
            telling.lock().unwrap().push(format!("{handler}: {}", error.kind()));
        }
        _ => {}
    }));
    (options, told)
}

fn exports(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.info().export).collect()
}

/// A model that answers when it is let.
struct Gate(Arc<Semaphore>);

#[async_trait]
impl Model for Gate {
    async fn create_message(&self, _: &ModelContext, _: CreateMessageRequest) -> Result<CreateMessageResult, RpcError> {
        self.0.acquire().await.unwrap().forget();
        let content = TextContent { text: "by the first".to_owned(), annotations: None, meta: None };
        Ok(CreateMessageResult {
            role: Role::Assistant,
            content: vec![SamplingContent::Text(content)],
            model: "m".to_owned(),
            stop_reason: None,
            meta: None,
        })
    }
}

/// A handler whose sampling waits for the gate; and the gate.
async fn waiting(engine: &Engine) -> (Handler, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let mut grants = Grants::default();
    grants.progress = true;
    grants.config = Some([("roots".to_owned(), String::new())].into_iter().collect());
    grants.model = Some(Arc::new(Gate(Arc::clone(&gate))));
    grants.user = Some(Arc::new(FakeApplication::default()));
    let bytes = guest("tests/guests/model_and_user");
    (Handler::from_bytes(engine, "model_and_user", bytes, grants).await.unwrap(), gate)
}

fn weak(handlers: &HandlerRegistry, kind: Kind) -> Weak<Handler> {
    Arc::downgrade(handlers.current().get(kind).unwrap())
}

/// What is asked after a reload is answered by the new component, in all sessions; and what it is and was is told.
#[tokio::test]
async fn the_next_request_is_answered_by_the_new_one() {
    let engine = engine(cells(8)).unwrap();
    let handlers = live(&engine, 1).await;
    let (options, told) = observed(options());
    let (one, other) = (Session::new(handlers.clone(), options).0, session(&handlers));
    assert_eq!((number(&one).await, number(&other).await), (1, 1));
    let before = weak(&handlers, Kind::Roots);
    let digest = before.upgrade().unwrap().digest().to_owned();

    let change = handlers.reload("numbered", numbered_component(2).unwrap()).await.unwrap();
    assert_eq!((number(&one).await, number(&other).await, number(&session(&handlers)).await), (2, 2, 2));
    let [component] = &change.components[..] else { panic!("{change:?}") };
    let after = handlers.current().get(Kind::Roots).unwrap().digest().to_owned();
    assert_eq!(
        (component.handler.as_str(), &component.before, &component.after),
        ("numbered", &Some(digest), &Some(after))
    );
    assert_eq!((change.added.len(), change.removed.len(), exports(&change.moved)), (0, 0, vec!["roots"]));
    assert_eq!((&change.capabilities_before, &change.capabilities), (&json!({ "roots": {} }), &json!({ "roots": {} })));
    assert!(before.upgrade().is_none(), "nothing runs on it any more");
    assert_eq!(*told.lock().unwrap(), [change.to_string()]);

    // The same again is no change.
    let change = handlers.reload("numbered", numbered_component(2).unwrap()).await.unwrap();
    assert!(change.is_empty(), "{change:?}");
    assert_eq!(told.lock().unwrap().len(), 1);
}

/// What runs finishes on the component that it began with, which is dropped then; what is asked meanwhile has the new
/// one.
#[tokio::test]
async fn what_runs_finishes_on_the_old_one() {
    let engine = engine(cells(8)).unwrap();
    let (handler, gate) = waiting(&engine).await;
    let handlers = HandlerRegistry::new(Handlers::new([handler]).unwrap());
    let session = session(&handlers);
    let old = weak(&handlers, Kind::Sampling);
    let message = request(1, SAMPLING, &prompt("hi")).to_string();
    let mut running = Box::pin(session.answer(message.as_bytes()));
    assert!(start(running.as_mut()).await.is_pending());

    let change = handlers.reload("model_and_user", minimal()).await.unwrap();
    assert_eq!((exports(&change.removed), exports(&change.moved)), (vec!["elicitation", "roots"], vec!["sampling"]));
    let all = json!({ "sampling": {}, "elicitation": { "form": {}, "url": {} }, "roots": {} });
    assert_eq!((change.capabilities_before, change.capabilities), (all, json!({ "sampling": {} })));
    assert_eq!(said(&session, "hello").await, "You said: hello");
    assert_eq!(ask(&session, ROOTS, &json!({})).await["error"]["message"], "List roots not supported");
    assert!(old.upgrade().is_some(), "it is used");

    gate.add_permits(1);
    let answer: Value = serde_json::from_slice(&soon(running).await.unwrap().unwrap()).unwrap();
    assert_eq!(answer["result"]["content"]["text"], "by the first");
    assert!(old.upgrade().is_none(), "its last request has ended");
    assert_eq!(engine.pool().core_instances, 0);
}

/// Cells that wait for a request end with the reload, and one that is running with its request.
#[tokio::test]
async fn cells_that_wait_end_at_once() {
    let engine = engine(cells(8)).unwrap();
    let (handler, gate) = waiting(&engine).await;
    let reusing = load(&engine, "reuse", guest("tests/guests/reuse")).await;
    let handlers = HandlerRegistry::new(Handlers::new([reusing.with_reuse(100)]).unwrap());
    let one = session(&handlers);
    assert_eq!((said(&one, "").await, said(&one, "").await), (json!("1"), json!("2")));
    assert!(engine.pool().core_instances > 0, "a cell waits");
    handlers.reload("reuse", minimal()).await.unwrap();
    assert_eq!(engine.pool().core_instances, 0);
    assert_eq!(said(&one, "a").await, "You said: a");
    assert!(engine.pool().core_instances > 0, "the new one is reused as the old one was");
    handlers.replace(Handlers::new([handler.with_reuse(100)]).unwrap());
    assert_eq!(engine.pool().core_instances, 0);

    let message = request(1, SAMPLING, &prompt("hi")).to_string();
    let mut running = pin!(one.answer(message.as_bytes()));
    assert!(start(running.as_mut()).await.is_pending());
    handlers.reload("model_and_user", minimal()).await.unwrap();
    gate.add_permits(1);
    assert!(soon(running).await.unwrap().is_some());
    assert_eq!(engine.pool().core_instances, 0, "it was replaced while it ran");
}

/// The work of a task goes on with the component that it began with; a new task is done by the new one.
#[tokio::test]
async fn work_goes_on_with_what_it_began_with() {
    let engine = engine(cells(8)).unwrap();
    let (handler, gate) = waiting(&engine).await;
    let handlers = HandlerRegistry::new(Handlers::new([handler]).unwrap().managed());
    let mut server = Conversation::new(handlers.clone(), options());
    let task = server.create("slow").await.unwrap();
    // Whoever waits for the gate is the work.
    while engine.pool().core_instances == 0 {
        tokio::task::yield_now().await;
    }
    let change = handlers.reload("model_and_user", minimal()).await.unwrap();
    assert_eq!(exports(&change.removed), ["augmented-elicitation", "elicitation", "roots"]);
    let new = server.create("hello").await.unwrap();
    let result = server.ask_task("tasks/result", &new).await.unwrap();
    assert_eq!(result["result"]["content"]["text"], "You said: hello");
    assert_eq!(server.ask_task("tasks/get", &task).await.unwrap()["result"]["status"], "working");
    gate.add_permits(1);
    let result = server.ask_task("tasks/result", &task).await.unwrap();
    assert_eq!(result["result"]["content"]["text"], "by the first");
}

/// Components that are not taken, each with the kind of the error: nothing changes.
#[tokio::test]
async fn a_broken_component_changes_nothing() {
    let whole = numbered_component(2).unwrap();
    let wrong = "package taskcell:handlers@0.1.0;\ninterface roots { handle: func(); }";
    let wrong = component_with(&[wrong], &["taskcell:handlers/roots@0.1.0"], &[]).unwrap();
    #[rustfmt::skip]
    let table = [
        ("an empty file",            vec![],                                               "not_a_component"),
        ("no component",             b"#!/bin/sh\n".to_vec(),                              "not_a_component"),
        ("a core module",            core_module(),                                        "core_module"),
        ("another version",          component_for("0.2.0", &["roots"], &[]).unwrap(),     "interface_version"),
        ("an unknown interface",     component(&["roots"], &["sampling"]).unwrap(),        "unknown_import"),
        ("more than is granted",     component(&["roots"], &["tasks"]).unwrap(),           "not_granted"),
        ("a wrong signature",        wrong,                                                "signature"),
        ("too large",                vec![0; 1 << 20],                                     "component_size"),
        ("half of it",               whole[..whole.len() / 2].to_vec(),                    "invalid_component"),
        ("all but the last byte",    whole[..whole.len() - 1].to_vec(),                    "invalid_component"),
        ("a kind of another's",      component(&["roots", "sampling"], &[]).unwrap(),      "duplicate_kind"),
    ];
    let mut limits = cells(8);
    limits.component_size = (1 << 20) - 1;
    let engine = engine(limits).unwrap();
    let own = load(&engine, "numbered", numbered_component(1).unwrap()).await;
    let other = load(&engine, "minimal", minimal()).await;
    let handlers = HandlerRegistry::new(Handlers::new([own, other]).unwrap());
    let (options, told) = observed(options());
    let session = Session::new(handlers.clone(), options).0;
    let before = weak(&handlers, Kind::Roots);
    for (what, bytes, kind) in table {
        let error = handlers.reload("numbered", bytes).await.expect_err(what);
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(Weak::ptr_eq(&before, &weak(&handlers, Kind::Roots)), "{what}");
        assert_eq!(std::mem::take(&mut *told.lock().unwrap()), [format!("numbered: {kind}")], "{what}");
        assert_eq!(number(&session).await, 1, "{what}");
    }
    let error = handlers.reload("unknown", whole.clone()).await.unwrap_err();
    assert_eq!(error.kind(), "no_handler");
    let error = handlers.reload_file("numbered").await.unwrap_err();
    assert_eq!(error.kind(), "no_handler", "it has no file");
    // A good one is taken after all of them.
    handlers.reload("numbered", whole).await.unwrap();
    assert_eq!(number(&session).await, 2);
}

/// A component that was pinned is replaced by no other.
#[tokio::test]
async fn a_pinned_component_stays() {
    let engine = engine(cells(4)).unwrap();
    let handler = load(&engine, "numbered", numbered_component(1).unwrap()).await.pinned();
    let (pinned, handlers) = (handler.digest().to_owned(), HandlerRegistry::new(Handlers::new([handler]).unwrap()));
    let error = handlers.reload("numbered", numbered_component(2).unwrap()).await.unwrap_err();
    assert!(matches!(&error.fault, LoadFault::Pinned { wanted, .. } if *wanted == pinned), "{error}");
    assert!(error.to_string().contains(&format!("pinned is {pinned}")), "{error}");
    assert!(handlers.reload("numbered", numbered_component(1).unwrap()).await.unwrap().is_empty());
    assert_eq!(number(&session(&handlers)).await, 1);
}

/// A component that exports no kind any more is still there to be replaced.
#[tokio::test]
async fn all_kinds_may_go_and_come_back() {
    let engine = engine(cells(4)).unwrap();
    let handlers = live(&engine, 1).await;
    let session = session(&handlers);
    let change = handlers.reload("numbered", component(&[], &[]).unwrap()).await.unwrap();
    assert_eq!((exports(&change.removed), &change.capabilities), (vec!["roots"], &json!({})));
    assert_eq!(ask(&session, ROOTS, &json!({})).await["error"]["code"], -32600);
    let change = handlers.reload("numbered", numbered_component(2).unwrap()).await.unwrap();
    assert_eq!((exports(&change.added), &change.capabilities), (vec!["roots"], &json!({ "roots": {} })));
    assert_eq!(number(&session).await, 2);
}

/// The application gives a component fewer grants while a reload is loading: the reload does not bring them back.
#[test]
fn a_reload_keeps_to_the_grants_of_now() {
    // Whatever is hashed or compiled waits for the one thread.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    let hold = || {
        let ((running, is_running), (release, released)) = (oneshot::channel(), std::sync::mpsc::channel());
        tokio::task::spawn_blocking(move || {
            let _ = running.send(());
            let _: Result<(), _> = released.recv();
        });
        (is_running, release)
    };
    runtime.block_on(async {
        let engine = engine(cells(4)).unwrap();
        let mut grants = Grants::default();
        grants.tasks = true;
        let name = "numbered";
        let with = Handler::from_bytes(&engine, name, numbered_component(1).unwrap(), grants).await.unwrap();
        let without = load(&engine, name, numbered_component(1).unwrap()).await;
        let handlers = HandlerRegistry::new(Handlers::new([with]).unwrap());
        let asks_for_more = component(&["roots"], &["tasks"]).unwrap();

        let (_, before_hashing) = hold();
        let mut reload = pin!(handlers.reload(name, asks_for_more));
        assert!(start(reload.as_mut()).await.is_pending());
        let (hashed, before_compiling) = hold();
        before_hashing.send(()).unwrap();
        soon(hashed).await.unwrap().unwrap();
        assert!(start(reload.as_mut()).await.is_pending(), "it loads with the grants of before");
        handlers.replace(Handlers::new([without]).unwrap());
        before_compiling.send(()).unwrap();
        assert_eq!(soon(reload).await.unwrap().unwrap_err().kind(), "not_granted");
        assert_eq!(number(&session(&handlers)).await, 1);
    });
}

/// Many requests during many reloads: each is answered, whole, by one of the components, and never by an earlier one
/// than the request before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_is_lost_or_mixed() {
    const RELOADS: i32 = 25;
    const ASKING: usize = 6;

    let engine = engine(cells(64)).unwrap();
    let handlers = live(&engine, 0).await;
    let over = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..ASKING)
        .map(|_| {
            let (session, over) = (session(&handlers), Arc::clone(&over));
            tokio::spawn(async move {
                let (mut seen, mut count) = (Vec::new(), 0);
                loop {
                    let last = over.load(Ordering::Acquire);
                    seen.push(number(&session).await);
                    count += 1;
                    if last {
                        assert!(seen.is_sorted(), "{seen:?}");
                        assert_eq!(seen.last(), Some(&i64::from(RELOADS)));
                        return count;
                    }
                }
            })
        })
        .collect();
    for number in 1..=RELOADS {
        handlers.reload("numbered", numbered_component(number).unwrap()).await.unwrap();
    }
    over.store(true, Ordering::Release);
    let mut total = 0;
    for asking in asking {
        total += soon(asking).await.unwrap().unwrap();
    }
    println!("{total} requests during {RELOADS} reloads");
    assert_eq!(engine.pool().core_instances, 0);
}

/// Reloads that are asked for at once take effect in the order in which they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reloads_take_their_turns() {
    let engine = engine(cells(8)).unwrap();
    let handlers = live(&engine, 0).await;
    let mut waiting = Vec::new();
    for number in 1..=8 {
        let mut reload = Box::pin(handlers.reload("numbered", numbered_component(number).unwrap()));
        // From here on it stands in the queue.
        match start(reload.as_mut()).await {
            Poll::Ready(done) => assert!(!done.unwrap().is_empty()),
            Poll::Pending => waiting.push(reload),
        }
    }
    for reload in waiting {
        soon(reload).await.unwrap().unwrap();
    }
    assert_eq!(number(&session(&handlers)).await, 8);
}

/// The application may put in its place whatever it likes: closures, other engines with other limits, nothing.
#[tokio::test]
async fn a_set_is_replaced_by_any_other() {
    let first = engine(cells(8)).unwrap();
    let handlers = live(&first, 1).await;
    let session = session(&handlers);
    let roots = || NativeHandler::roots(|_| async { Ok(ListRootsResult { roots: Vec::new(), meta: None }) });
    let change = handlers.replace(Handlers::default().native(roots()).unwrap());
    assert_eq!((change.components.len(), exports(&change.moved)), (1, vec!["roots"]));
    assert_eq!(ask(&session, ROOTS, &json!({})).await["result"]["roots"], json!([]));
    let change = handlers.replace(Handlers::default().native(roots()).unwrap());
    assert!(!change.is_empty() && change.components.is_empty(), "another closure: {change:?}");
    let set = handlers.current();
    assert!(handlers.replace(set).is_empty());

    let mut limits = cells(4);
    (limits.message_size, limits.session_cells) = (200, 0);
    let small = engine(limits).unwrap();
    handlers.replace(Handlers::new([load(&small, "numbered", numbered_component(2).unwrap()).await]).unwrap());
    let answer = ask(&session, ROOTS, &json!({})).await;
    assert_eq!(answer["error"]["data"]["kind"], "session_overloaded", "{answer}");
    let answer = ask(&session, ROOTS, &json!({ "_meta": { "x": "x".repeat(200) } })).await;
    assert_eq!(answer["error"]["data"]["kind"], "message_size", "{answer}");
    handlers.replace(Handlers::default());
    let answer = ask(&session, ROOTS, &json!({ "_meta": { "x": "x".repeat(200) } })).await;
    assert_eq!(answer["error"]["message"], "List roots not supported");
}

/// A server that was told that it will hear of other roots hears of them; no other does.
#[tokio::test]
async fn other_roots_are_told() {
    let features = |told| {
        let mut features = Features::default();
        features.roots_list_changed = told;
        features
    };
    let changed = json!({ "jsonrpc": "2.0", "method": "notifications/roots/list_changed", "params": {} });
    let engine = engine(cells(4)).unwrap();
    for (told, version) in [(true, "2025-11-25"), (false, "2025-11-25"), (true, mrtr::PROTOCOL_VERSION)] {
        let handler = load(&engine, "numbered", numbered_component(1).unwrap()).await;
        let handlers = Handlers::new([handler, load(&engine, "other", minimal()).await]).unwrap();
        let handlers = HandlerRegistry::new(handlers.with_features(features(told)));
        let roots = if told { json!({ "listChanged": true }) } else { json!({}) };
        assert_eq!(handlers.current().capabilities()["roots"], roots);
        let mut options = options();
        options.protocol_version = version.to_owned();
        let server = Conversation::new(handlers.clone(), options);
        handlers.reload("numbered", numbered_component(2).unwrap()).await.unwrap();
        // Roots are the same then.
        handlers.reload("other", component(&["sampling"], &[]).unwrap()).await.unwrap();
        handlers.reload("numbered", b"broken".to_vec()).await.unwrap_err();
        let all = server.end().await.unwrap();
        let hears = told && version != mrtr::PROTOCOL_VERSION;
        assert_eq!(all, if hears { vec![changed.clone()] } else { Vec::new() }, "{told} {version}");
    }
}

/// In revision 2026-07-28 the next request declares what is served by then, be it within one call.
#[tokio::test]
async fn the_next_request_declares_what_is_served_now() {
    let engine = engine(cells(4)).unwrap();
    let handler = load(&engine, "numbered", component(&["roots"], &[]).unwrap()).await;
    let mut features = Features::default();
    features.roots_list_changed = true;
    let handlers = HandlerRegistry::new(Handlers::new([handler]).unwrap().with_features(features));
    let mut options = options();
    options.protocol_version = mrtr::PROTOCOL_VERSION.to_owned();
    let (session, _) = Session::new(handlers.clone(), options);
    let done = r#"{"resultType":"complete"}"#;
    let again = r#"{"resultType":"input_required","requestState":"s"}"#;
    let server = Arc::new(ScriptedServer::new([done, again, done]));
    let caller = Caller::new(&session, Arc::<ScriptedServer>::clone(&server), mrtr::Options::default());
    let params = to_raw_value(&json!({ "name": "t" })).unwrap();
    caller.call("tools/call", &params).await.unwrap();
    {
        let mut call = pin!(caller.call("tools/call", &params));
        assert!(start(call.as_mut()).await.is_pending(), "it pauses before the next round");
        handlers.reload("numbered", component(&["sampling"], &[]).unwrap()).await.unwrap();
        soon(call).await.unwrap().unwrap();
    }
    let declared: Vec<Value> = server
        .asked()
        .iter()
        .map(|asked| {
            let params: Value = serde_json::from_str(&asked.params).unwrap();
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"].clone()
        })
        .collect();
    let extensions = json!({ mrtr::TASKS_EXTENSION: {} });
    let (roots, sampling) =
        (json!({ "roots": {}, "extensions": extensions }), json!({ "sampling": {}, "extensions": extensions }));
    assert_eq!(declared, [roots.clone(), roots, sampling.clone()]);
    assert_eq!(caller.capabilities(), sampling);
}

/// An observer may use the handlers that it is told of.
#[tokio::test]
async fn an_observer_may_replace_again() {
    let engine = engine(cells(4)).unwrap();
    let handlers = live(&engine, 1).await;
    let mut options = options();
    let again = handlers.clone();
    let told = Told::default();
    let telling = Arc::clone(&told);
    options.observer = Some(Arc::new(move |event| {
        if let Event::Replaced(change) = event {
            telling.lock().unwrap().push(change.to_string());
            again.replace(Handlers::default());
        }
    }));
    let session = Session::new(handlers.clone(), options).0;
    handlers.reload("numbered", numbered_component(2).unwrap()).await.unwrap();
    assert_eq!(ask(&session, ROOTS, &json!({})).await["error"]["message"], "List roots not supported");
    assert_eq!(told.lock().unwrap().len(), 2, "the third time nothing changed");
}

/// Each outcome is counted.
#[test]
fn reloads_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let engine = engine(cells(4)).unwrap();
            let handlers = live(&engine, 1).await;
            for bytes in [
                numbered_component(2).unwrap(),
                numbered_component(2).unwrap(),
                b"broken".to_vec(),
                numbered_component(1).unwrap(),
            ] {
                let _ = handlers.reload("numbered", bytes).await;
            }
            handlers.replace(Handlers::default());
        });
    });
    let mut outcomes = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        if let ("taskcell_reloads_total", DebugValue::Counter(count)) = (key.key().name(), value) {
            outcomes.insert(key.key().labels().next().unwrap().value().to_owned(), count);
        }
    }
    let expected = [("failed", 1), ("replaced", 3), ("unchanged", 1)];
    assert_eq!(outcomes, expected.map(|(outcome, count)| (outcome.to_owned(), count)).into());
}
