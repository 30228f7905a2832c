//! Handlers of `roots/list` in WebAssembly text, for behavior that guest languages cannot express.
//!
//! A program defines its allocator (`$realloc`) or its handler (`$handle`) for the time after it is provoked; before,
//! it answers well. A `_meta` of a certain length provokes it.

use anyhow::Result;
use serde_json::{Value, json};
use taskcell::SessionOptions;
use taskcell::protocol::types::{Icon, Implementation};

use crate::compose::component_of;
use crate::conversation::request;
use crate::server::options;

/// Length of a `_meta` that provokes the program.
const PROVOKES: usize = 1_001;

/// A core module of these fields, which may include the functions `$realloc` and `$handle`.
#[must_use]
pub fn module(program: &str) -> String {
    let or = |name: &str, default: &str| {
        if program.contains(&format!("(func {name}")) { String::new() } else { default.to_owned() }
    };
    let realloc = or(
        "$realloc",
        "(func $realloc (param i32 i32) (param $align i32) (param $size i32) (result i32)
            (call $bump (local.get $align) (local.get $size)))",
    );
    let handle = or("$handle", "(func $handle (result i32) (i32.const 1024))");
    format!(
        r#"(module
            {program}
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 4096))
            (global $provoked (mut i32) (i32.const 0))
            {realloc}
            {handle}
            (func $bump (param $align i32) (param $size i32) (result i32) (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (local.get $at))
            (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
                (result i32)
                (if (i32.eq (local.get $size) (i32.const {PROVOKES})) (then (global.set $provoked (i32.const 1))))
                (if (global.get $provoked) (then
                    (return (call $realloc
                        (local.get $old) (local.get $old_size) (local.get $align) (local.get $size)))))
                (call $bump (local.get $align) (local.get $size)))
            ;; Zeros are an empty list of roots.
            (func (export "taskcell:handlers/roots@0.1.0#handle") (param i32) (result i32)
                (if (global.get $provoked) (then (return (call $handle))))
                (i32.const 1024)))"#
    )
}

/// Builds the component of such a module. Besides `roots` it may export interfaces of these packages.
///
/// # Errors
/// When the program is invalid or does not implement the interfaces.
pub fn component(program: &str, packages: &[&str], exports: &[&str]) -> Result<Vec<u8>> {
    let exports: Vec<_> = exports.iter().chain(&["roots"]).copied().collect();
    component_of(module(program), packages, &exports, &[])
}

/// A request that provokes the program, or does not.
#[must_use]
pub fn roots_list(provokes: bool) -> Value {
    let empty = json!({ "x": "" }).to_string().len();
    let meta = json!({ "x": "x".repeat(PROVOKES - empty - usize::from(!provokes)) });
    request(1, "roots/list", &json!({ "_meta": meta }))
}

/// Options of a server whose identity holds a list of many texts. Each text takes an allocation, after that of the
/// `_meta`.
#[must_use]
pub fn server() -> SessionOptions {
    let icon = Icon { src: "data:,".to_owned(), mime_type: None, sizes: None, theme: None };
    let options = options();
    SessionOptions::new(Implementation { icons: Some(vec![icon; 100]), ..options.server })
}
