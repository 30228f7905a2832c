//! Guests that no tool chain would make, and what bounds them, where a number matters: what may be is taken, and one
//! more is not. What hostile guests can do otherwise is in `attacks/main.rs`.

use std::time::Duration;

use serde_json::json;
use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Limits, LoadError, Session};
use taskcell_test_support::attacks::made::instances;
use taskcell_test_support::attacks::{ask, raw};
use taskcell_test_support::compose::component_text;
use taskcell_test_support::handlers::{STOCK, cells, engine};

const FILE: &str = "some/handler.wasm";

/// Handles to resources of the guest's own are counted as those are that the host makes for it.
#[tokio::test]
async fn handles_of_the_guests_own_are_bounded() {
    let package = "package test:leak;\ninterface things { resource thing { constructor(); } }";
    let mut limits = cells(4);
    limits.handles = 100;
    let engine = engine(limits).unwrap();
    for (count, kind) in [(100, None), (101, Some("handles")), (1_000, Some("handles"))] {
        let leak = "(drop (call $new (i32.const 1)))".repeat(count);
        let program = format!(
            r#"(import "[export]test:leak/things" "[resource-new]thing" (func $new (param i32) (result i32)))
            (func (export "test:leak/things#[constructor]thing") (result i32) unreachable)
            (func $handle (result i32) {leak} (i32.const 1024))"#
        );
        let bytes = raw::component(&program, &[package], &["test:leak/things"]).unwrap();
        let handler = Handler::from_bytes(&engine, FILE, bytes, Grants::default()).await.unwrap();
        let (session, _outbox) = Session::new(Handlers::new([handler]).unwrap(), raw::server());
        // More often than there are places for cells.
        for _ in 0..6 {
            let answer = ask(&session, &raw::roots_list(true)).await.unwrap();
            match kind {
                Some(kind) => assert_eq!(answer["error"]["data"], json!({ "kind": kind }), "{count} handles: {answer}"),
                None => assert_eq!(answer["result"], json!({ "roots": [] }), "{count} handles: {answer}"),
            }
            let answer = ask(&session, &raw::roots_list(false)).await.unwrap();
            assert_eq!(answer["result"], json!({ "roots": [] }), "after {count} handles");
        }
    }
}

// ---- At load ----

/// A component that no request ever reaches.
async fn load(limits: Limits, text: &str) -> Result<Handler, LoadError> {
    let engine = engine(limits).unwrap();
    Handler::from_bytes(&engine, FILE, component_text(text).unwrap(), Grants::default()).await
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

/// Limits of who waits for a compiler.
fn patient() -> Limits {
    let mut limits = cells(1);
    limits.compile_time = Duration::from_secs(600);
    limits
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
    // A cache of its own, where nobody has left the component.
    let folder = tempfile::tempdir().unwrap();
    let engine = |limits: Limits| {
        let mut options = EngineOptions::default();
        (options.limits, options.cache) = (limits, Some(folder.path().to_owned()));
        Engine::new(options).unwrap()
    };
    let (engine, other) = (engine(limits), engine(patient()));
    let good = raw::component("", &[], &[]).unwrap();
    let good = Handler::from_bytes(&engine, FILE, good, Grants::default()).await.unwrap();
    let (neighbor, _outbox) = Session::new(Handlers::new([good]).unwrap(), raw::server());
    let mut grants = Grants::default();
    grants.config = Some([("script".to_owned(), "{}".to_owned())].into_iter().collect());
    (grants.tasks, grants.progress) = (true, true);
    Handler::from_bytes(&other, "stock", STOCK.to_vec(), grants.clone()).await.unwrap();
    // More often than there are places for compilers.
    for _ in 0..3 {
        let error = Handler::from_bytes(&engine, FILE, bomb.clone(), Grants::default()).await.unwrap_err();
        assert_eq!(error.kind(), "compile_time", "{error}");
        assert!(error.to_string().starts_with("some/handler.wasm: was not compiled within 500ms"), "{error}");
        assert_eq!(ask(&neighbor, &raw::roots_list(false)).await.unwrap()["result"], json!({ "roots": [] }));
    }
    // What is in the cache waits for no compiler.
    Handler::from_bytes(&engine, "stock", STOCK.to_vec(), grants).await.unwrap();
}
