//! Guests that do what they should not: each ends with an error that names why, and harms no other request.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use taskcell::grants::Secret;
use taskcell::session::{Answered, Event, WorkFailed};
use taskcell::tasks::{MemoryStore, TaskStore};
use taskcell::{Grants, Handler, Handlers, Limits, Outbox, Session};
use taskcell_test_support::cli::run;
use taskcell_test_support::compose::component_of;
use taskcell_test_support::conversation::{prompt, request, soon, start, task_prompt};
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::handlers::{cells, engine, guest, guest_with, stock};
use taskcell_test_support::provision::repository;
use taskcell_test_support::server::options;

const SAMPLING: &str = "sampling/createMessage";
const MESSAGE_SIZE: usize = 64 << 10;

/// Limits that are soon reached.
fn small() -> Limits {
    let mut limits = cells(4);
    limits.cpu_time = Duration::from_millis(200);
    limits.memory = 4 << 20;
    limits.handles = 100;
    limits.message_size = MESSAGE_SIZE;
    limits
}

/// A session that the hostile guest serves.
async fn hostile(limits: Limits) -> (Session, Outbox) {
    Session::new(guest(limits, "tests/guests/hostile").await.unwrap(), options())
}

fn bytes(method: &str, params: &Value) -> Vec<u8> {
    request(1, method, params).to_string().into_bytes()
}

/// What a session answers to a request.
async fn ask(session: &Session, method: &str, params: &Value) -> Value {
    let message = bytes(method, params);
    let answer = soon(session.answer(&message)).await.unwrap().expect("no answer");
    assert!(!answer.contains(&b'\n') && !answer.contains(&b'\r'), "an answer of several lines");
    serde_json::from_slice(&answer).unwrap()
}

/// Has a behavior done as the work of a task, and gives the answers to `tasks/result` and `tasks/get`.
async fn ask_as_task(session: &Session, behavior: &str) -> (Value, Value) {
    let created = ask(session, SAMPLING, &task_prompt(behavior)).await;
    let id = json!({ "taskId": created["result"]["task"]["taskId"] });
    (ask(session, "tasks/result", &id).await, ask(session, "tasks/get", &id).await)
}

/// Has a behavior done as the work of a task, and gives the answer to `tasks/result` once the task has ended: to wait
/// for it there takes a cell, which is bounded as the work is.
async fn ask_ended_task(session: &Session, behavior: &str) -> Value {
    let created = ask(session, SAMPLING, &task_prompt(behavior)).await;
    let id = json!({ "taskId": created["result"]["task"]["taskId"] });
    soon(async {
        while ask(session, "tasks/get", &id).await["result"]["status"] == "working" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    ask(session, "tasks/result", &id).await
}

/// The kind of an error that the host gives in the handler's place: code, one short line, and nothing else.
fn kind(answer: &Value) -> &str {
    let (error, shown) = (&answer["error"], answer.to_string().chars().take(500).collect::<String>());
    assert_eq!(error["code"], -32603, "{shown}");
    let message = error["message"].as_str().unwrap();
    assert!(message.len() < 300 && !message.contains(char::is_control), "{shown}");
    assert_eq!(error["data"].as_object().unwrap().len(), 1, "{shown}");
    error["data"]["kind"].as_str().unwrap()
}

/// Sees that the guest still answers.
async fn still_good(session: &Session, after: &str) {
    let answer = ask(session, SAMPLING, &prompt("good")).await;
    assert_eq!(answer["result"]["content"]["text"], "good", "after {after}: {answer}");
}

/// What the guest does, and the kind of the error that it ends with.
const FAULTS: &[(&str, &str)] = &[
    ("loop", "cpu_time"),
    ("loop-host", "cpu_time"),
    ("recurse", "stack"),
    ("grow", "memory"),
    ("drip", "memory"),
    ("trap", "trap"),
    ("panic", "trap"),
    ("exit", "trap"),
    ("alternate", "cpu_time"),
    ("leak", "handles"),
    ("many", "answer_size"),
    ("deepest-json", "json_depth"),
    ("surrogate", "invalid_answer"),
    ("big", "answer_size"),
    ("bad-meta", "invalid_answer"),
    ("bad-json", "invalid_answer"),
    ("two-json", "invalid_answer"),
    ("deep-json", "json_depth"),
    ("nan", "invalid_answer"),
    ("infinite", "invalid_answer"),
    ("bad-error", "invalid_answer"),
];

/// A request whose cell fails gets an error that says how, and the next one gets its answer.
#[tokio::test]
async fn a_fault_is_named_and_forgotten() {
    let (session, _outbox) = hostile(small()).await;
    for (behavior, expected) in FAULTS {
        let answer = ask(&session, SAMPLING, &prompt(behavior)).await;
        assert_eq!(kind(&answer), *expected, "{behavior}: {answer}");
        assert_eq!(answer["id"], 1);
        still_good(&session, behavior).await;
    }
}

/// Work that fails ends its task, and the task's result is the error.
#[tokio::test]
async fn a_fault_of_the_work_is_the_result_of_the_task() {
    let (session, _outbox) = hostile(small()).await;
    for (behavior, expected) in FAULTS.iter().chain(&[("custom-list", "invalid_answer")]) {
        let (result, task) = ask_as_task(&session, behavior).await;
        assert_eq!(kind(&result), *expected, "{behavior}: {result}");
        assert_ne!(task["result"]["status"], "working", "{behavior}: {task}");
        if !["answer_size", "invalid_answer", "json_depth"].contains(expected) {
            assert_eq!(task["result"]["status"], "failed", "{behavior}: {task}");
            assert_eq!(task["result"]["statusMessage"], result["error"]["message"], "{behavior}: {task}");
        }
        still_good(&session, behavior).await;
    }
}

/// JSON of a guest that is written over several lines goes out as one, unchanged otherwise.
#[tokio::test]
async fn what_goes_out_is_one_line() {
    let (session, _outbox) = hostile(small()).await;
    let answer = ask(&session, SAMPLING, &prompt("newline-json")).await;
    assert_eq!(answer["result"]["_meta"], json!({ "a": "b\n" }));
    let answer = ask(&session, SAMPLING, &prompt("newline-error")).await;
    assert_eq!(answer["error"], json!({ "code": -7, "message": "two\nlines", "data": [1] }));
    let (result, _) = ask_as_task(&session, "newline-error").await;
    assert_eq!(result["error"], answer["error"]);
}

/// A guest that can do without the memory it is refused answers as if nothing were.
#[tokio::test]
async fn refused_memory_is_no_fault() {
    let (session, _outbox) = hostile(small()).await;
    let answer = ask(&session, SAMPLING, &prompt("grow-refused")).await;
    assert_eq!(answer["result"]["content"]["text"], "refused", "{answer}");
}

/// An error of the guest is bounded like any other answer, and so is what is told of the task that it ends.
#[tokio::test]
async fn errors_are_bounded_too() {
    let (session, mut outbox) = hostile(small()).await;
    assert_eq!(kind(&ask(&session, SAMPLING, &prompt("big-error")).await), "answer_size");
    let (result, task) = ask_as_task(&session, "big-error").await;
    assert_eq!(kind(&result), "answer_size");
    assert_eq!(task["result"]["status"], "failed", "{task}");
    still_good(&session, "big-error").await;
    drop(session);
    while let Some(message) = soon(outbox.recv()).await.unwrap() {
        assert!(message.len() <= MESSAGE_SIZE, "a notification of {} bytes", message.len());
    }
}

/// What one host call may move out of a guest is bounded.
#[tokio::test]
async fn host_calls_are_bounded() {
    let mut limits = small();
    limits.host_call = 64 << 10;
    let (session, mut outbox) = hostile(limits).await;
    for behavior in ["big-host-call", "big"] {
        assert_eq!(kind(&ask(&session, SAMPLING, &prompt(behavior)).await), "host_call", "{behavior}");
        still_good(&session, behavior).await;
    }
    assert!(outbox.try_recv().is_err(), "the call had an effect");
}

/// What WASI makes at a guest's word is bounded as well: random numbers are made at once, and a socket would be a file
/// of the host's for as long as the cell lives.
#[tokio::test]
async fn what_wasi_makes_is_bounded() {
    const RANDOM: &str = "package wasi:random@0.2.6;
        interface random { get-random-bytes: func(len: u64) -> list<u8>; }";
    const SOCKETS: &str = "package wasi:sockets@0.2.6;
        interface network {
            enum error-code {
                unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout, concurrency-conflict,
                not-in-progress, would-block, invalid-state, new-socket-limit, address-not-bindable, address-in-use,
                remote-unreachable, connection-refused, connection-reset, connection-aborted, datagram-too-large,
                name-unresolvable, temporary-resolver-failure, permanent-resolver-failure,
            }
            enum ip-address-family { ipv4, ipv6 }
        }
        interface tcp { resource tcp-socket; }
        interface tcp-create-socket {
            use network.{error-code, ip-address-family};
            use tcp.{tcp-socket};
            create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
        }";
    let random = |bytes: usize| {
        (
            RANDOM,
            "wasi:random/random@0.2.6",
            r#"(import "wasi:random/random@0.2.6" "get-random-bytes" (func $wasi (param i64 i32)))"#.to_owned(),
            format!("(call $wasi (i64.const {bytes}) (i32.const 2048))"),
        )
    };
    let socket = (SOCKETS, "wasi:sockets/tcp-create-socket@0.2.6",
        r#"(import "wasi:sockets/tcp-create-socket@0.2.6" "create-tcp-socket" (func $wasi (param i32 i32)))"#.to_owned(),
        "(call $wasi (i32.const 0) (i32.const 2048)) (if (i32.ne (i32.load8_u (i32.const 2048)) (i32.const 1)) (then unreachable))".to_owned());
    let rows = [(random(1 << 10), None), (random((64 << 10) + 1), Some("host_call")), (socket, None)];
    for ((package, interface, import, call), refused) in rows {
        // Zeros are an empty list of roots.
        let module = format!(
            r#"(module {import} (memory (export "memory") 4) (global $free (mut i32) (i32.const 4096))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (global.get $free)
                    (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 15)) (i32.const -16))))
                (func (export "taskcell:handlers/roots@0.1.0#handle") (param i32) (result i32) {call} (i32.const 1024)))"#
        );
        let bytes = component_of(&module, &[package], &["roots"], &[interface]).unwrap();
        let mut limits = small();
        limits.host_call = 64 << 10;
        let handler =
            Handler::from_bytes(&engine(limits).unwrap(), "wasi.wasm", bytes, Grants::default()).await.unwrap();
        let (session, _outbox) = Session::new(Handlers::new([handler]).unwrap(), options());
        let answer = ask(&session, "roots/list", &json!({})).await;
        match refused {
            Some(expected) => assert_eq!(kind(&answer), expected, "{answer}"),
            None => assert_eq!(answer["result"], json!({ "roots": [] }), "{call}: {answer}"),
        }
    }
}

/// A message that is too large is refused, up to the limit it is read.
#[tokio::test]
async fn messages_are_bounded() {
    let (session, _outbox) = hostile(small()).await;
    let message = |length: usize| {
        let rest = request(1, SAMPLING, &prompt("")).to_string().len();
        request(1, SAMPLING, &prompt(&"x".repeat(length - rest))).to_string()
    };
    for (length, answered) in [(MESSAGE_SIZE, true), (MESSAGE_SIZE + 1, false), (1 << 20, false)] {
        let message = message(length);
        assert_eq!(message.len(), length);
        let answer: Value = serde_json::from_slice(&session.answer(message.as_bytes()).await.unwrap()).unwrap();
        assert_eq!(answer.get("result").is_some(), answered, "{length}: {answer}");
        if !answered {
            assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32600)));
            assert_eq!(answer["error"]["data"]["kind"], "message_size", "{answer}");
            assert!(answer["error"]["message"].as_str().unwrap().contains(&length.to_string()), "{answer}");
        }
        still_good(&session, "a large message").await;
    }
}

/// What is absurd and still has a JSON goes out as it is, escaped where a terminal would take it for a command.
#[tokio::test]
async fn absurd_fields_are_only_data() {
    let (session, _outbox) = hostile(small()).await;
    let message = bytes(SAMPLING, &prompt("control"));
    let raw = String::from_utf8(session.answer(&message).await.unwrap()).unwrap();
    assert!(!raw.contains(|character: char| character < ' '), "{raw:?}");
    let answer: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(answer["result"]["content"]["text"], "\0\u{1b}[31m\r\n\u{7f}\u{2028}");
    for (behavior, priority) in [("negative", -1.0), ("beyond-integers", 9_007_199_254_740_993.0)] {
        let answer = ask(&session, SAMPLING, &prompt(behavior)).await;
        assert_eq!(answer["result"]["content"]["annotations"]["priority"].as_f64(), Some(priority), "{answer}");
    }
    assert_eq!(ask(&session, SAMPLING, &prompt("lowest-code")).await["error"]["code"], i32::MIN);
    // Lists and texts of the request take room in the guest, an allocation for each.
    let texts = vec![json!({ "role": "user", "content": { "type": "text", "text": "x" } }); 900];
    let answer = ask(&session, SAMPLING, &json!({ "messages": texts, "maxTokens": 1 })).await;
    assert_eq!(answer["result"]["content"]["text"], "good", "{answer}");
}

/// Imports that are called with garbage say so, and nothing happens.
#[tokio::test]
async fn garbage_changes_nothing() {
    let (session, mut outbox) = hostile(small()).await;
    let answer = ask(&session, SAMPLING, &prompt("garbage")).await;
    assert_eq!(answer["result"]["content"]["text"], "good", "{answer}");
    assert!(outbox.try_recv().is_err(), "the calls had an effect");
    let (result, _) = ask_as_task(&session, "garbage").await;
    assert_eq!(result["result"]["content"]["text"], "good", "{result}");
}

/// A task of somebody else is not there for a guest, and an answer about another task than was asked for is none.
#[tokio::test]
async fn others_tasks_are_out_of_reach() {
    let store: Arc<dyn TaskStore> = Arc::new(MemoryStore::new());
    let handlers = guest(small(), "tests/guests/hostile").await.unwrap();
    let session = || {
        let mut options = options();
        options.store = Arc::clone(&store);
        Session::new(handlers.clone(), options)
    };
    let ((mine, _outbox), (others, _others_outbox)) = (session(), session());
    let created = ask(&mine, SAMPLING, &task_prompt("waits-for-input")).await;
    let id = created["result"]["task"]["taskId"].as_str().unwrap();
    let answer = ask(&others, SAMPLING, &prompt(&format!("finish {id}"))).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let task = ask(&mine, "tasks/get", &json!({ "taskId": id })).await;
    assert_ne!(task["result"]["status"], "completed", "{task}");

    let created = ask(&mine, SAMPLING, &task_prompt("named-another")).await;
    let id = json!({ "taskId": created["result"]["task"]["taskId"] });
    let named = soon(async {
        loop {
            let answer = ask(&mine, "tasks/get", &id).await;
            if answer.get("error").is_some() {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(kind(&named.await.unwrap()), "invalid_answer");
    still_good(&mine, "an answer about another task").await;
}

/// Who makes tasks by the thousand is refused at the limit, and none of them is begun.
#[tokio::test]
async fn spawning_by_the_thousand_is_bounded() {
    let (session, mut outbox) = hostile(small()).await;
    let answer = ask(&session, SAMPLING, &task_prompt("spawn-thousands")).await;
    assert_eq!(answer["error"]["data"]["kind"], "tasks", "{answer}");
    still_good(&session, "thousands of tasks").await;
    assert!(outbox.try_recv().is_err(), "the work was begun");
    // Another principal of the same store has its own thousand.
    let (other, _outbox) = hostile(small()).await;
    let (result, _) = ask_as_task(&other, "good").await;
    assert_eq!(result["result"]["content"]["text"], "good", "{result}");
}

// ---- Time ----

/// A cell that waits too long is ended, though it does not compute; so is the work of a task.
#[tokio::test]
async fn waiting_is_bounded() {
    let mut limits = small();
    limits.wall_time = Duration::from_millis(400);
    let (session, _outbox) = hostile(limits).await;
    assert_eq!(kind(&ask(&session, SAMPLING, &prompt("wait")).await), "wall_time");
    still_good(&session, "wait").await;
    assert_eq!(kind(&ask_ended_task(&session, "wait").await), "wall_time");
}

/// Work that waits for itself is ended as work that waits.
#[tokio::test]
async fn waiting_for_oneself_is_bounded() {
    let mut limits = small();
    limits.wall_time = Duration::from_millis(400);
    let (session, _outbox) = hostile(limits).await;
    assert_eq!(kind(&ask_ended_task(&session, "wait-own").await), "wall_time");
    still_good(&session, "waiting for oneself").await;
}

/// Who computes and waits in turn is ended when it has computed for as long as it may, within ten milliseconds, by the
/// clock of the thread. A busy machine may be late to look, so one of some attempts counts; none may be early.
#[tokio::test(flavor = "current_thread")]
async fn cpu_time_is_what_was_computed() {
    let mut limits = small();
    limits.cpu_time = Duration::from_millis(100);
    let near = Duration::from_millis(10);
    let (session, _outbox) = hostile(limits.clone()).await;
    for behavior in ["alternate", "loop", "loop-host"] {
        let mut late = Vec::new();
        for _ in 0..10 {
            let start = thread_time();
            assert_eq!(kind(&ask(&session, SAMPLING, &prompt(behavior)).await), "cpu_time");
            let used = thread_time() - start;
            assert!(used + near >= limits.cpu_time, "{behavior} had computed for {used:?} only");
            late.push(used.saturating_sub(limits.cpu_time));
            if used <= limits.cpu_time + near {
                break;
            }
        }
        assert!(late.iter().any(|late| *late <= near), "{behavior} was ended late each time: {late:?}");
    }
}

fn thread_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Wall time bounds also a cell that has CPU time left.
#[tokio::test]
async fn wall_time_holds_for_who_computes() {
    let mut limits = small();
    limits.cpu_time = Duration::from_secs(10);
    limits.wall_time = Duration::from_millis(200);
    let (session, _outbox) = hostile(limits).await;
    for behavior in ["loop", "loop-host"] {
        assert_eq!(kind(&ask(&session, SAMPLING, &prompt(behavior)).await), "wall_time", "{behavior}");
    }
}

/// What a cell waits does not count as what it computes, neither on a clock nor in a host call.
#[tokio::test]
async fn waiting_takes_no_cpu_time() {
    let mut limits = cells(4);
    limits.cpu_time = Duration::from_millis(200);
    let (session, _outbox) = Session::new(stock(limits, &json!({ "delayMs": 600 })).await.unwrap(), options());
    let (result, task) = ask_as_task(&session, "hi").await;
    assert_eq!(result["result"]["content"]["text"], "Scripted answer to: hi", "{result}");
    assert_eq!(task["result"]["status"], "completed");
}

/// A guest that computes lets others have their turn, also where there is one thread for all.
#[tokio::test(flavor = "current_thread")]
async fn a_guest_that_computes_yields() {
    let mut limits = cells(4);
    limits.cpu_time = Duration::from_secs(10);
    let (session, _outbox) = hostile(limits).await;
    let message = bytes(SAMPLING, &prompt("loop"));
    let mut computes = pin!(session.answer(&message));
    for _ in 0..10 {
        tokio::select! {
            biased;
            _ = &mut computes => panic!("it ended"),
            () = still_good(&session, "a turn of a loop") => {}
        }
    }
}

// ---- How many ----

/// One request too many is told to try again, and later it is served.
#[tokio::test]
async fn one_cell_too_many_is_refused() {
    let (session, _outbox) = hostile(cells(2)).await;
    let wait = bytes(SAMPLING, &prompt("wait"));
    for _ in 0..3 {
        let (mut one, mut two) = (pin!(session.answer(&wait)), pin!(session.answer(&wait)));
        assert!(start(one.as_mut()).await.is_pending());
        still_good(&session, "one of two").await;
        assert!(start(two.as_mut()).await.is_pending());
        let refused = ask(&session, SAMPLING, &prompt("good")).await;
        assert_eq!(kind(&refused), "overloaded");
        assert_eq!(refused["error"]["message"], "too many requests are being handled; try again");
        // What needs no cell is answered all the same.
        assert_eq!(ask(&session, "ping", &json!({})).await["result"], json!({}));
        assert_eq!(ask(&session, "tasks/list", &json!({})).await["error"]["code"], -32601);
    }
    still_good(&session, "the crowd has gone").await;
}

/// One server cannot take all cells: its session has so many, and another session its own.
#[tokio::test]
async fn a_session_has_its_share_of_cells() {
    let mut limits = cells(3);
    limits.session_cells = 2;
    let handlers = guest(limits, "tests/guests/hostile").await.unwrap();
    let (session, _outbox) = Session::new(handlers.clone(), options());
    let (other, _other_outbox) = Session::new(handlers, options());
    let wait = bytes(SAMPLING, &prompt("wait"));
    for _ in 0..3 {
        let (mut one, mut two) = (pin!(session.answer(&wait)), pin!(session.answer(&wait)));
        assert!(start(one.as_mut()).await.is_pending() && start(two.as_mut()).await.is_pending());
        assert_eq!(kind(&ask(&session, SAMPLING, &prompt("good")).await), "session_overloaded");
        still_good(&other, "another session's crowd").await;
    }
    still_good(&session, "its crowd has gone").await;
}

/// Work that finds no place waits for one, but not for ever: then its task ends with the reason.
#[tokio::test(flavor = "current_thread")]
async fn work_waits_for_a_place() {
    let store = Arc::new(MemoryStore::new());
    let mut options = options();
    options.store = Arc::<MemoryStore>::clone(&store);
    let (session, _outbox) = Session::new(guest(cells(2), "tests/guests/hostile").await.unwrap(), options);
    for finds_one in [true, false] {
        let created = ask(&session, SAMPLING, &task_prompt("good")).await;
        let id = json!({ "taskId": created["result"]["task"]["taskId"] });
        {
            // On the one thread there is, these are here before the work is.
            let wait = bytes(SAMPLING, &prompt("wait"));
            let (mut one, mut two) = (pin!(session.answer(&wait)), pin!(session.answer(&wait)));
            assert!(start(one.as_mut()).await.is_pending() && start(two.as_mut()).await.is_pending());
            if finds_one {
                tokio::task::yield_now().await;
            } else {
                let id = id["taskId"].as_str().unwrap();
                soon(store.changed(id, 0)).await.unwrap().unwrap();
            }
        }
        let result = ask(&session, "tasks/result", &id).await;
        let status = &ask(&session, "tasks/get", &id).await["result"]["status"];
        if finds_one {
            assert_eq!(status, "completed", "{result}");
        } else {
            assert_eq!((kind(&result), status), ("overloaded", &json!("failed")), "{result}");
        }
    }
}

/// In a crowd each request is answered or told to try again, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_answered_or_refused() {
    let (session, _outbox) = hostile(cells(3)).await;
    let session = std::sync::Arc::new(session);
    let mut crowd = tokio::task::JoinSet::new();
    for number in 0..200 {
        let session = std::sync::Arc::clone(&session);
        let behavior = ["good", "trap", "drip", "recurse"][number % 4];
        crowd.spawn(async move { (behavior, ask(&session, SAMPLING, &prompt(behavior)).await) });
    }
    let mut good = 0;
    while let Some(member) = soon(crowd.join_next()).await.unwrap() {
        let (behavior, answer) = member.unwrap();
        if answer.get("result").is_some() {
            assert_eq!((behavior, &answer["result"]["content"]["text"]), ("good", &json!("good")));
            good += 1;
            continue;
        }
        let expected = match behavior {
            "drip" => "memory",
            "recurse" => "stack",
            other => other,
        };
        assert!([expected, "overloaded"].contains(&kind(&answer)), "{behavior}: {answer}");
    }
    assert!(good > 0);
    still_good(&session, "the crowd").await;
}

/// More cells than the kernel has memory maps for are refused in words, and as many as it has are not.
#[test]
fn more_cells_than_the_kernel_carries_are_refused() {
    let maps = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let error = engine(cells(u32::MAX)).unwrap_err();
    assert_eq!(error.kind(), "engine");
    let text = error.to_string();
    for part in [&u32::MAX.to_string(), "vm.max_map_count", maps.trim(), "use at most"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let most: u32 = text.split("use at most ").nth(1).and_then(|rest| rest.split(',').next()).unwrap().parse().unwrap();
    assert!(engine(cells(most + 1)).is_err());
    if most <= 20_000 {
        engine(cells(most)).unwrap();
    }
}

// ---- The log ----

/// A limit that is hit has a line in the log, with the kind of the error, how much there was and how much may be.
#[test]
fn a_limit_has_its_line_in_the_log() {
    let guest = build_guest(&repository().join("tests/guests/hostile")).unwrap().display().to_string();
    let call = |behavior: &str| {
        let params = prompt(behavior).to_string();
        let call = ["call", "--handler", &guest, "--grant", "tasks", "--grant", "progress", SAMPLING, &params];
        run(env!("CARGO_BIN_EXE_taskcell-cli"), &call).unwrap()
    };
    for (behavior, fields) in [
        ("grow", ["error.type=\"memory\"", "current=", "limit=67108864"]),
        ("recurse", ["error.type=\"stack\"", "hostile.wasm", "limit=524288"]),
        ("leak", ["error.type=\"handles\"", "current=10001", "limit=10000"]),
    ] {
        let ran = call(behavior);
        let line = ran.stderr.lines().find(|line| line.contains("WARN")).unwrap_or_else(|| panic!("{ran:?}"));
        for field in fields {
            assert!(line.contains(field), "no {field} in {line}");
        }
    }
}

/// What a cell printed last goes to the observer when the cell ends without an answer, and nowhere else: bounded, on
/// one line each, and without the handler's secrets.
#[tokio::test]
async fn the_last_words_of_a_cell_are_told() {
    let said: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
    let mut grants = Grants::default();
    (grants.tasks, grants.progress) = (true, true);
    grants.config = Some([("key".to_owned(), Secret::new("hunter22".to_owned()))].into_iter().collect());
    let handlers = guest_with(cells(4), "tests/guests/hostile", grants).await.unwrap();
    let mut options = options();
    let heard = Arc::clone(&said);
    options.observer = Some(Arc::new(move |event| match event {
        Event::Answered(Answered { method: SAMPLING, printed, .. }) | Event::WorkFailed(WorkFailed { printed, .. }) => {
            heard.lock().unwrap().push(printed.to_vec());
        }
        _ => {}
    }));
    let (session, _outbox) = Session::new(handlers, options);
    let last = ["cause: \u{fffd}[31mboom", "\u{fffd}", "last words of [secret]"];
    let flood = "one of very many lines that say nothing";
    let rows = [
        ("print-then-trap 0", [&["first words"][..], &last].concat()),
        ("print-then-trap 3", [&["first words", flood, flood, flood][..], &last].concat()),
        ("print-then-trap 100", [&[flood; 17][..], &last].concat()),
        // More than the log takes.
        ("print-then-trap 5000", [&[flood; 17][..], &last].concat()),
        ("trap", vec![]),
        ("good", vec![]),
    ];
    for (behavior, expected) in &rows {
        let answer = ask(&session, SAMPLING, &prompt(behavior)).await;
        assert!(!answer.to_string().contains("words"), "{answer}");
        assert_eq!(said.lock().unwrap().pop().unwrap(), *expected, "{behavior}");
    }
    // The work of a task has no answer of its own to stand in.
    for (behavior, expected) in &rows[..3] {
        let (result, _) = ask_as_task(&session, behavior).await;
        assert_eq!(kind(&result), "trap");
        let said = std::mem::take(&mut *said.lock().unwrap());
        assert_eq!(said.last().unwrap(), expected, "{behavior}: {said:?}");
    }
}
