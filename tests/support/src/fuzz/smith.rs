//! Fuzz target: components that wasm-smith generates, and guests that answer with arbitrary bytes.
//!
//! The first byte of an input selects one of these:
//!
//! - a component of wasm-smith's, which has any shape and seldom that of a handler;
//! - a core module of wasm-smith's with the exports of one of our worlds, turned into a component by wit-component, so
//!   that its code is called and calls its imports;
//! - a module whose handlers return the rest of the input as their result. The fuzzer then controls everything that the
//!   host lifts out of the guest's memory: lengths, addresses, discriminants and text.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use wasm_smith::{Component, Config, Module};

use super::block_on;
use super::cell::exercise;
use crate::compose::{component_of, component_text};

/// Address of the result in the memory of the guest that answers with the input.
const RESULT: usize = 1024;
/// Maximum bytes of the input in the answer.
const MAX_RESULT: usize = 4096;

pub(super) fn run(input: &[u8]) {
    let Some((which, rest)) = input.split_first() else { return };
    let made = match which % 4 {
        0 => Component::new(config(), &mut Unstructured::new(rest)).ok().map(|component| component.to_bytes()),
        1 => of_world(rest),
        _ => Some(answers(rest)),
    };
    if let Some(bytes) = made {
        let _ = block_on(exercise(bytes));
    }
}

/// Settings for WebAssembly that the engine accepts, with code that sometimes ends.
fn config() -> Config {
    Config {
        gc_enabled: false,
        // References to anything but functions need a garbage collector.
        reference_types_enabled: false,
        exceptions_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        max_memory32_bytes: 1 << 20,
        max_table_elements: 500,
        max_memories: 1,
        max_tables: 1,
        ..Config::default()
    }
}

/// Exports of the world whose handlers wasm-smith generates.
const EXPORTS: &[&str] = &["roots", "sampling", "elicitation", "get-task-result", "list-tasks"];
const IMPORTS: &[&str] = &["tasks", "progress"];

/// A module with the imports and exports of that world, and a memory large enough to hold data.
const SHAPE: &str = r#"(module
    (import "taskcell:handlers/progress@0.1.0" "report" (func (param f64 i32 f64 i32 i32 i32)))
    (import "taskcell:handlers/tasks@0.1.0" "get" (func (param i32 i32 i32)))
    (import "taskcell:handlers/tasks@0.1.0" "cancel" (func (param i32 i32 i32)))
    (import "taskcell:handlers/tasks@0.1.0" "list" (func (param i32 i32 i32 i32)))
    (import "taskcell:handlers/tasks@0.1.0" "update" (func (param i32 i32 i32 i32 i32 i32 i32)))
    (memory (export "memory") 2)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
    (func (export "taskcell:handlers/roots@0.1.0#handle") (param i32) (result i32) i32.const 0)
    (func (export "taskcell:handlers/sampling@0.1.0#handle") (param i32) (result i32) i32.const 0)
    (func (export "taskcell:handlers/elicitation@0.1.0#handle") (param i32) (result i32) i32.const 0)
    (func (export "taskcell:handlers/get-task-result@0.1.0#handle") (param i32) (result i32) i32.const 0)
    (func (export "taskcell:handlers/list-tasks@0.1.0#handle") (param i32) (result i32) i32.const 0))"#;

/// Builds a component around a module of wasm-smith's that fits the world.
fn of_world(input: &[u8]) -> Option<Vec<u8>> {
    static BINARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
        component_of(SHAPE, &[], EXPORTS, IMPORTS).expect("the shape is that of the world");
        component_text(SHAPE).expect("a module")
    });

    let config = Config {
        available_imports: Some(BINARY.clone()),
        exports: Some(BINARY.clone()),
        allow_start_export: false,
        ..config()
    };
    let module = Module::new(config, &mut Unstructured::new(input)).ok()?.to_bytes();
    // wit-component does not accept every module that fits.
    component_of(module, &[], EXPORTS, IMPORTS).ok()
}

/// Builds a component all of whose handlers return these bytes as their result.
fn answers(input: &[u8]) -> Vec<u8> {
    let (how, result) = input.split_first().map_or((0, input), |(how, rest)| (*how, rest));
    let result = &result[..result.len().min(MAX_RESULT)];
    let data: String = result.iter().map(|byte| format!("\\{byte:02x}")).collect();
    // The last two are an allocator that lies, and one that returns the address of the result.
    let allocates = match how % 8 {
        6 => "(i32.const -16)".to_owned(),
        7 => format!("(i32.const {RESULT})"),
        _ => "(local.get $at)".to_owned(),
    };
    let handlers: String = ALL
        .iter()
        .map(|(export, function)| {
            format!(
                r#"(func (export "taskcell:handlers/{export}@0.1.0#{function}") (param i32) (result i32)
                    (i32.const {RESULT}))"#
            )
        })
        .collect();
    let module = format!(
        r#"(module
            (memory (export "memory") 4)
            (global $free (mut i32) (i32.const 65536))
            (data (i32.const {RESULT}) "{data}")
            (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
                (result i32) (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                {allocates})
            {handlers})"#
    );
    let exports: Vec<_> = ALL.iter().map(|(export, _)| *export).collect();
    component_of(module, &[], &exports, &[]).expect("a component")
}

/// Exports that a handler may have. Each function takes an address and returns one.
const ALL: &[(&str, &str)] = &[
    ("get-task", "handle"),
    ("get-task-result", "handle"),
    ("list-tasks", "handle"),
    ("cancel-task", "handle"),
    ("augmented-sampling", "handle"),
    ("augmented-elicitation", "handle"),
    ("sampling", "handle"),
    ("elicitation", "handle"),
    ("roots", "handle"),
    ("background", "run"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random bytes.
    fn noise(seed: u64) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[0]
        };
        (0..2_000).map(|_| next()).collect()
    }

    /// Checks that some generated components are loaded and called, not only refused.
    #[test]
    fn some_are_called() {
        let called = |made: Option<Vec<u8>>| made.is_some_and(|bytes| block_on(exercise(bytes)).is_ok());
        let of_worlds = (0..40).filter(|seed| called(of_world(&noise(*seed)))).count();
        assert!(of_worlds >= 5, "{of_worlds} of 40 are called");
        let components = |seed| Component::new(config(), &mut Unstructured::new(&noise(seed))).ok();
        let components = (0..40).filter(|seed| called(components(*seed).map(|made| made.to_bytes()))).count();
        println!("{of_worlds} of 40 modules and {components} of 40 components are called");
        for how in 0..8 {
            assert!(called(Some(answers(&[how]))), "{how}");
        }
    }
}
