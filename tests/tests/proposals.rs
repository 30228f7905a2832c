//! Proposals of WebAssembly that the engine leaves out: a component that needs one is refused when it is loaded, and never
//! runs. This build of wasmtime has no garbage collector, so what needs one must not come near its code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use taskcell::{Grants, Handler};
use taskcell_tests::compose::component_text;
use taskcell_tests::handlers::{cells, engine};

#[tokio::test]
async fn what_the_engine_leaves_out_is_refused_at_load() {
    #[rustfmt::skip]
    let rows = [
        ("a reference of the host", "(table 1 externref)"),
        ("a structure",             "(type (struct (field i32)))"),
        ("an array",                "(type (array (mut i32)))"),
        ("a small integer",         "(func (result i32) (i31.get_s (ref.i31 (i32.const 1))))"),
        ("an empty type",           "(func (drop (ref.null none)))"),
        ("an empty type of the host's", "(func (drop (ref.null noextern)))"),
        ("a table of empty types",  "(table 4 (ref null nofunc))"),
        ("a test of a type",        "(type $t (func)) (func (param funcref) (result i32) (ref.test (ref $t) (local.get 0)))"),
        ("a tag",                   "(tag (param i32))"),
        ("a thrown exception",      "(tag $e) (func $f (throw $e)) (start $f)"),
        ("a caught exception",      "(tag $e) (func $f (block $b (try_table (catch_all $b) (throw $e)))) (start $f)"),
        ("an exception's reference", "(func $f (drop (ref.null exn))) (start $f)"),
        ("a table of exceptions",   "(table 1 exnref)"),
        ("a global exception",      "(global exnref (ref.null exn))"),
        ("a null thrown",           "(func $f (throw_ref (ref.null exn))) (start $f)"),
        ("64-bit memory",           "(memory i64 1)"),
        ("shared memory",           "(memory 1 1 shared)"),
        ("a tail call",             "(func $f (return_call $f))"),
        ("relaxed vectors",         "(func (param v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))"),
    ];
    let engine = engine(cells(4)).unwrap();
    for (what, module) in rows {
        let text = format!("(component (core module $m {module}) (core instance (instantiate $m)))");
        let bytes = component_text(&text).unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let loaded = Handler::from_bytes(&engine, what, bytes, Grants::default()).await;
        assert_eq!(loaded.err().map(|error| error.kind()), Some("invalid_component"), "{what}");
    }
}

/// Typed references to functions cannot be turned off in a build without the collector. They need none: what a guest does with
/// them ends in a trap at worst.
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
        let kind = error.as_ref().map(taskcell::Error::kind);
        assert_eq!(kind, (!taken).then_some("invalid_component"), "{what}: {error:?}");
    }
}
