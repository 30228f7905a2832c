//! Proposals of WebAssembly that the engine leaves out: a component that needs one is refused when it is loaded, and
//! never runs. This build of wasmtime has no garbage collector, so what needs one must not come near its code.

use taskcell::{Grants, Handler};
use taskcell_test_support::compose::component_text;
use taskcell_test_support::handlers::{cells, engine};

#[tokio::test]
async fn what_the_engine_leaves_out_is_refused_at_load() {
    // What the component is told that it needs. A reference of the host is nothing that a tool chain writes by itself.
    const GC: &str = "needs WebAssembly garbage collection (GC), which this host leaves out";
    const EXCEPTIONS: &str = "needs WebAssembly exceptions, which this host leaves out";
    #[rustfmt::skip]
    let rows = [
        ("a reference of the host", "(table 1 externref)", GC),
        ("a structure",             "(type (struct (field i32)))", GC),
        ("an array",                "(type (array (mut i32)))", GC),
        ("a small integer",         "(func (result i32) (i31.get_s (ref.i31 (i32.const 1))))", GC),
        ("an empty type",           "(func (drop (ref.null none)))", GC),
        ("an empty type of the host's", "(func (drop (ref.null noextern)))", GC),
        ("a table of empty types",  "(table 4 (ref null nofunc))", GC),
        ("a test of a type",        "(type $t (func)) (func (param funcref) (result i32) (ref.test (ref $t) (local.get 0)))", GC),
        ("a tag",                   "(tag (param i32))", EXCEPTIONS),
        ("a thrown exception",      "(tag $e) (func $f (throw $e)) (start $f)", EXCEPTIONS),
        ("a caught exception",      "(tag $e) (func $f (block $b (try_table (catch_all $b) (throw $e)))) (start $f)", EXCEPTIONS),
        ("an exception's reference", "(func $f (drop (ref.null exn))) (start $f)", EXCEPTIONS),
        ("a table of exceptions",   "(table 1 exnref)", EXCEPTIONS),
        ("a global exception",      "(global exnref (ref.null exn))", EXCEPTIONS),
        ("a null thrown",           "(func $f (throw_ref (ref.null exn))) (start $f)", EXCEPTIONS),
        ("64-bit memory",           "(memory i64 1)", "needs 64-bit WebAssembly memory, which this host leaves out; build it for wasm32"),
        ("a 64-bit table",          "(table i64 1 funcref)", "needs 64-bit WebAssembly memory"),
        ("shared memory",           "(memory 1 1 shared)", "needs WebAssembly threads, which this host leaves out; build it for one thread"),
        ("a wait for a thread",     "(memory 1) (func (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))", "needs WebAssembly threads"),
        ("a shared function",       "(type (shared (func)))", "needs WebAssembly shared-everything threads"),
        ("a tail call",             "(func $f (return_call $f))", "needs WebAssembly tail calls"),
        ("relaxed vectors",         "(func (param v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))", "needs relaxed SIMD"),
        ("wide arithmetic",         "(func (param i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 0) (local.get 0) (local.get 0)))", "needs WebAssembly wide arithmetic"),
        ("small pages",             "(memory 1 (pagesize 1))", "needs WebAssembly custom page sizes"),
        ("a continuation",          "(type $f (func)) (type (cont $f))", "needs WebAssembly stack switching"),
    ];
    let engine = engine(cells(4)).unwrap();
    let load = async |what: &str, text: &str| {
        let bytes = component_text(text).unwrap_or_else(|error| panic!("{what}: {error:#}"));
        Handler::from_bytes(&engine, what, bytes, Grants::default()).await.unwrap_err()
    };
    let mut wrong = Vec::new();
    for (what, module, expected) in rows {
        let error =
            load(what, &format!("(component (core module $m {module}) (core instance (instantiate $m)))")).await;
        let said = error.to_string();
        if error.kind() != "invalid_component" || !said.contains(expected) || said.contains("build it again") {
            wrong.push(format!("{}: {said}", error.kind()));
        }
    }
    let rows = [
        (
            r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
             (func (export "f") async (canon lift (core func $i "f") async)))"#,
            "needs the component model's async, which came with WASI 0.3",
        ),
        (
            "(component (core func (canon error-context.drop)))",
            "needs a part of the component model that is not finished",
        ),
    ];
    for (text, expected) in rows {
        let error = load("a component", text).await;
        if error.kind() != "invalid_component" || !error.to_string().contains(expected) {
            wrong.push(format!("{}: {error}", error.kind()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A component for another version of WASI is told so; what is no WASI at all, or not ours, is not.
#[tokio::test]
async fn another_version_of_wasi_is_named() {
    let engine = engine(cells(4)).unwrap();
    let rows = [
        (
            "wasi:cli/stdout@0.3.0",
            "imports WASI 0.3 (`wasi:cli/stdout@0.3.0`), this host speaks WASI 0.2; build it for WASI 0.2",
        ),
        ("wasi:http/types@0.3.1", "imports WASI 0.3 (`wasi:http/types@0.3.1`), this host speaks WASI 0.2"),
        ("wasi:clocks/monotonic-clock@0.3.0-rc-2025-09-16", "imports WASI 0.3 ("),
        ("wasi:clocks/monotonic-clock@1.0.0", "imports WASI 1.0 ("),
        ("wasi:nn/tensor@0.2.0", "imports `wasi:nn/tensor@0.2.0`, which this host does not have"),
        ("wasi:nn/tensor", "imports `wasi:nn/tensor`, which this host does not have"),
        ("other:cli/stdout@0.3.0", "imports `other:cli/stdout@0.3.0`, which this host does not have"),
    ];
    for (import, expected) in rows {
        let bytes = component_text(&format!(r#"(component (import "{import}" (instance)))"#)).unwrap();
        let error = Handler::from_bytes(&engine, "a", bytes, Grants::default()).await.unwrap_err();
        assert_eq!(error.kind(), "unknown_import", "{import}");
        assert!(error.to_string().contains(expected), "{import}: {error}");
    }
}

/// Typed references to functions cannot be turned off in a build without the collector. They need none: what a guest
/// does with them ends in a trap at worst.
#[tokio::test]
async fn typed_references_to_functions_harm_nothing() {
    let t = "(type $t (func)) (elem declare func $g) (func $g)";
    #[rustfmt::skip]
    let rows = [
        ("a call",                  "(func $f (call_ref $t (ref.func $g))) (start $f)",                             true),
        ("a call of null",          "(func $f (call_ref $t (ref.null $t))) (start $f)",                             false),
        ("a call of an empty type", "(func $f (call_ref $t (ref.null nofunc))) (start $f)",                         false),
        ("null as something",       "(func $f (drop (ref.as_non_null (ref.null $t)))) (start $f)",                  false),
        ("a branch on null",        "(func $f (block (drop (br_on_null 0 (ref.null $t))))) (start $f)",             true),
        ("a table of nulls",        "(table $x 4 (ref null $t)) (func $f (call_ref $t (table.get $x (i32.const 1)))) (start $f)", false),
        ("a table without nulls",   "(table $x 4 (ref $t) (ref.func $g)) (func $f (call_ref $t (table.get $x (i32.const 1)))) (start $f)", true),
        ("a table that grows",      "(table $x 4 (ref $t) (ref.func $g)) (func $f (drop (table.grow $x (ref.func $g) (i32.const 100))) (table.fill $x (i32.const 0) (ref.func $g) (i32.const 104)) (call_ref $t (table.get $x (i32.const 103)))) (start $f)", true),
        ("out of the table",        "(table $x 4 (ref $t) (ref.func $g)) (func $f (call_ref $t (table.get $x (i32.const 4)))) (start $f)", false),
        ("a global",                "(global $x (mut (ref null $t)) (ref.null $t)) (func $f (call_ref $t (global.get $x))) (start $f)", false),
        ("a call through a table",  "(table $x 4 (ref null $t)) (func $f (call_indirect $x (type $t) (i32.const 1))) (start $f)", false),
    ];
    let engine = engine(cells(4)).unwrap();
    for (what, module, taken) in rows {
        let text = format!("(component (core module $m {t} {module}) (core instance (instantiate $m)))");
        let bytes = component_text(&text).unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let loaded = Handler::from_bytes(&engine, what, bytes, Grants::default()).await;
        let error = loaded.err();
        let kind = error.as_ref().map(taskcell::LoadError::kind);
        assert_eq!(kind, (!taken).then_some("invalid_component"), "{what}: {error:?}");
    }
}
