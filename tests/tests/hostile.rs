//! Guests that no tool chain would make: what they do stands in WebAssembly text. Each ends with an error that names
//! why, and harms no other request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use serde_json::{Value, json};
use taskcell::protocol::types::{Icon, Implementation};
use taskcell::{Engine, Error, Grants, Handler, Handlers, Limits, Outbox, Session, SessionOptions};
use taskcell_tests::compose::{component_of, component_text};
use taskcell_tests::conversation::soon;
use taskcell_tests::handlers::{STOCK, cells, engine};
use taskcell_tests::server::options;

const FILE: &str = "some/handler.wasm";

/// Limits that are soon reached.
fn small() -> Limits {
    let mut limits = cells(4);
    limits.cpu_time = Duration::from_millis(200);
    limits.memory = 4 << 20;
    limits.handles = 100;
    limits
}

/// A handler of `roots/list` over a core module: its own parts, what its allocator does once the guest is provoked, and
/// what its handler does then. The `_meta` of a request provokes it by its length.
fn provoked(parts: &str, realloc: &str, handle: &str) -> String {
    format!(
        r#"(module
            {parts}
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 4096))
            (global $provoked (mut i32) (i32.const 0))
            (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
                (result i32) (local $at i32)
                (if (i32.eq (local.get $size) (i32.const {PROVOKES})) (then (global.set $provoked (i32.const 1))))
                (if (global.get $provoked) (then {realloc}))
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (local.get $at))
            ;; Zeros are an empty list of roots.
            (func (export "taskcell:handlers/roots@0.1.0#handle") (param i32) (result i32)
                (if (global.get $provoked) (then {handle}))
                (i32.const 1024)))"#
    )
}

/// The length of a `_meta` that provokes the guest.
const PROVOKES: usize = 1_001;

fn request(provokes: bool) -> Vec<u8> {
    let empty = json!({ "x": "" }).to_string().len();
    let meta = json!({ "x": "x".repeat(PROVOKES - empty - usize::from(!provokes)) });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "roots/list", "params": { "_meta": meta } });
    request.to_string().into_bytes()
}

async fn answer(session: &Session, provokes: bool) -> Value {
    let answer = soon(session.answer(&request(provokes))).await.unwrap().expect("no answer");
    serde_json::from_slice(&answer).unwrap()
}

/// A server with icons, so that its description holds a list whose items have an alignment.
fn with_icons() -> SessionOptions {
    let icon = Icon { src: "data:,".to_owned(), mime_type: None, sizes: None, theme: None };
    let options = options();
    SessionOptions::new(Implementation { icons: Some(vec![icon; 3]), ..options.server })
}

async fn session(engine: &Engine, bytes: Vec<u8>) -> (Session, Outbox) {
    let handler = Handler::from_bytes(engine, FILE, bytes, Grants::default()).await.unwrap();
    Session::new(Handlers::new([handler]).unwrap(), with_icons())
}

/// Sees that a guest is ended with this kind of error when it is provoked, or answers when there is none, and that
/// another handler of the engine and this one itself go on.
async fn ends(what: &str, module: &str, packages: &[&str], exports: &[&str], kind: Option<&str>) {
    let engine = engine(small()).unwrap();
    let exports: Vec<_> = exports.iter().chain(&["roots"]).copied().collect();
    let bytes = component_of(module, packages, &exports, &[]).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let (evil, _outbox) = session(&engine, bytes).await;
    let good = component_of(&provoked("", "nop", "nop"), &[], &["roots"], &[]).unwrap();
    let (neighbour, _outbox) = session(&engine, good).await;
    // More often than there are places for cells.
    for _ in 0..6 {
        let ended = answer(&evil, true).await;
        match kind {
            Some(kind) => {
                assert_eq!(
                    (&ended["error"]["code"], &ended["error"]["data"]["kind"]),
                    (&json!(-32603), &json!(kind)),
                    "{what}: {ended}"
                );
                assert!(ended["error"]["message"].as_str().unwrap().len() < 300, "{what}: {ended}");
            }
            None => assert_eq!(ended["result"], json!({ "roots": [] }), "{what}: {ended}"),
        }
        for session in [&evil, &neighbour] {
            assert_eq!(answer(session, false).await["result"], json!({ "roots": [] }), "after {what}");
        }
    }
}

/// What the allocator of a guest can do to the host, which writes where it is told to.
#[tokio::test]
async fn an_allocator_that_lies_harms_only_its_guest() {
    #[rustfmt::skip]
    let rows = [
        ("an address out of memory",   "(return (i32.const 0x7fffffff))",                        Some("trap")),
        ("an address at the very end", "(return (i32.const -1))",                                Some("trap")),
        ("an end out of memory",       "(return (i32.const 0x1fff8))",                           Some("trap")),
        ("a misaligned address",       "(return (i32.const 4097))",                              Some("trap")),
        // Nothing but the guest's own data is written over.
        ("the same address each time", "(return (i32.const 4096))",                              None),
        ("the address of its answer",  "(return (i32.const 2048))",                              None),
        ("no address",                 "unreachable",                                            Some("trap")),
        ("a loop",                     "(loop $l (br $l))",                                      Some("cpu_time")),
        ("all memory",                 "(drop (memory.grow (i32.const 1000))) unreachable",      Some("memory")),
    ];
    for (what, realloc, kind) in rows {
        ends(what, &provoked("", realloc, "nop"), &[], &[], kind).await;
    }
}

/// What a handler can do that the languages of guests have no words for.
#[tokio::test]
async fn a_handler_in_raw_webassembly_is_bounded() {
    let until_refused = "(loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) unreachable";
    let at_once = "(drop (table.grow $t (ref.null func) (i32.const 0x7fffffff))) unreachable";
    #[rustfmt::skip]
    let rows = [
        ("a table that grows drip by drip", "(table $t 1 funcref)", until_refused,                         Some("table")),
        ("a table that grows at once",      "(table $t 1 funcref)", at_once,                               Some("table")),
        ("a refused table",                 "(table $t 1 funcref)", "(drop (table.grow $t (ref.null func) (i32.const 0x7fffffff)))", None),
        ("an answer out of memory",         "",                     "(return (i32.const 0x7ffffff0))",     Some("trap")),
        ("a misaligned answer",             "",                     "(return (i32.const 1025))",           Some("trap")),
        ("a list of four thousand million", "",                     "(i32.store (i32.const 1032) (i32.const -1))", Some("trap")),
        ("a list out of memory",            "",                     "(i32.store (i32.const 1028) (i32.const 0x1fff0)) (i32.store (i32.const 1032) (i32.const 100))", Some("trap")),
        ("a case that there is not",        "",                     "(i32.store8 (i32.const 1024) (i32.const 7))", Some("trap")),
        ("text that is no UTF-8",           "",
            "(i32.store8 (i32.const 1036) (i32.const 1)) (i32.store (i32.const 1040) (i32.const 1100))
             (i32.store (i32.const 1044) (i32.const 1)) (i32.store8 (i32.const 1100) (i32.const 0xff))",       Some("trap")),
    ];
    for (what, parts, handle, kind) in rows {
        ends(what, &provoked(parts, "nop", handle), &[], &[], kind).await;
    }
}

/// Handles to resources of the guest's own are counted as those are that the host makes for it.
#[tokio::test]
async fn handles_of_the_guests_own_are_bounded() {
    let package = "package test:leak;\ninterface things { resource thing { constructor(); } }";
    let parts = r#"
        (import "[export]test:leak/things" "[resource-new]thing" (func $new (param i32) (result i32)))
        (func (export "test:leak/things#[constructor]thing") (result i32) unreachable)"#;
    let leak = |count: usize| format!("{} ", "(drop (call $new (i32.const 1)))".repeat(count));
    for (count, kind) in [(100, None), (101, Some("handles")), (1_000, Some("handles"))] {
        let module = provoked(parts, "nop", &leak(count));
        ends(&format!("{count} handles"), &module, &[package], &["test:leak/things"], kind).await;
    }
}

// ---- At load ----

/// A component that no request ever reaches.
async fn load(limits: Limits, text: &str) -> Result<Handler, Error> {
    Handler::from_bytes(&engine(limits)?, FILE, component_text(text).unwrap(), Grants::default()).await
}

/// A component of this module, instantiated so often.
fn instances(module: &str, count: usize) -> String {
    format!("(component (core module $m {module}) {})", "(core instance (instantiate $m))".repeat(count))
}

/// What a component is made of is bounded, each thing at its own limit, and up to that it is taken.
#[tokio::test]
async fn what_a_component_is_made_of_is_bounded() {
    let repeated = |part: &str, count: usize| instances(&part.repeat(count), 1);
    type Row<'a> = (&'a str, &'a str, Box<dyn Fn(usize) -> String + 'a>, u64);
    #[rustfmt::skip]
    let rows: [Row<'_>; 7] = [
        ("core_instances", "core instances",    Box::new(|count| instances("", count)),               64),
        ("memories",       "memories",          Box::new(|count| repeated("(memory 1)", count)),      4),
        ("memories",       "memories",          Box::new(|count| instances("(memory 1)", count)),     4),
        ("tables",         "tables",            Box::new(|count| repeated("(table 1 funcref)", count)), 16),
        ("tables",         "tables",            Box::new(|count| instances("(table 1 funcref)", count)), 16),
        ("memory",         "bytes of memory",   Box::new(|pages| instances(&format!("(memory {pages})"), 1)), 64),
        ("table",          "elements in a table", Box::new(|size| instances(&format!("(table {size} funcref)"), 1)), 20_000),
    ];
    for (kind, words, component, limit) in rows {
        let mut limits = cells(1);
        limits.memory = 4 << 20;
        let most = usize::try_from(limit).unwrap();
        if let Err(error) = load(limits.clone(), &component(most)).await {
            panic!("{most} {words}: {error}");
        }
        let error = load(limits, &component(most + 1)).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        let usage = error.usage().unwrap();
        let bytes = if kind == "memory" { 1 << 16 } else { 1 };
        assert_eq!((usage.current, usage.limit), (Some((limit + 1) * bytes), limit * bytes), "{text}");
        assert!(text.starts_with(FILE) && text.contains(words), "{text}");
    }
}

/// A thousand memories are refused, however they are put together.
#[tokio::test]
async fn a_thousand_memories_are_refused() {
    for (text, kind) in [
        (instances(&"(memory 1)".repeat(1_000), 1), "invalid_component"),
        (instances(&"(memory 1)".repeat(100), 10), "memories"),
        (instances("(memory 1)", 1_000), "core_instances"),
    ] {
        let error = load(cells(1), &text).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

/// What a component does when it is instantiated is bounded as what it does in a request.
#[tokio::test]
async fn a_start_function_is_bounded() {
    #[rustfmt::skip]
    let rows = [
        ("(loop $l (br $l))",                                    "cpu_time"),
        ("(call $f)",                                            "stack"),
        ("(drop (memory.grow (i32.const 1000))) unreachable",    "memory"),
        ("unreachable",                                          "invalid_component"),
    ];
    for (body, kind) in rows {
        let module = format!("(memory 1) (func $f {body}) (start $f)");
        let error = load(small(), &instances(&module, 1)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{body}: {error}");
        assert!(error.to_string().starts_with("some/handler.wasm: cannot be instantiated: "), "{error}");
    }
}

/// A component that takes too long to compile is given up, and what was loaded goes on meanwhile.
#[tokio::test]
async fn compiling_is_bounded() {
    let function =
        format!("(func (param i32) (result i32) (local.get 0) {})", "(i32.const 7) (i32.mul) (i32.popcnt)".repeat(20));
    let bomb = component_text(&instances(&function.repeat(100_000), 1)).unwrap();
    assert!(bomb.len() < Limits::default().component_size);
    let mut limits = cells(4);
    limits.compile_time = Duration::from_millis(500);
    let engine = engine(limits).unwrap();
    let good = component_of(&provoked("", "nop", "nop"), &[], &["roots"], &[]).unwrap();
    let (neighbour, _outbox) = session(&engine, good).await;
    // More often than there are places for compilers.
    for _ in 0..3 {
        let error = Handler::from_bytes(&engine, FILE, bomb.clone(), Grants::default()).await.unwrap_err();
        assert_eq!(error.kind(), "compile_time", "{error}");
        assert!(error.to_string().starts_with("some/handler.wasm: was not compiled within 500ms"), "{error}");
        assert_eq!(answer(&neighbour, false).await["result"], json!({ "roots": [] }));
    }
    // What is in the cache waits for no compiler.
    let mut grants = Grants::default();
    grants.config = Some([("script".to_owned(), "{}".to_owned())].into_iter().collect());
    (grants.tasks, grants.progress) = (true, true);
    let mut patient = cells(1);
    patient.compile_time = Duration::from_secs(60);
    let other = taskcell_tests::handlers::engine(patient).unwrap();
    Handler::from_bytes(&other, "stock", STOCK.to_vec(), grants.clone()).await.unwrap();
    Handler::from_bytes(&engine, "stock", STOCK.to_vec(), grants).await.unwrap();
}
