//! Fuzz target: any bytes as a component, and real components with changes.
//!
//! An input that begins like WebAssembly is taken as it is. Otherwise it lists changes to one of the components below.
//! The first byte selects the component, and each five bytes after it are a change: three for the place, one for the
//! kind of the change, one for a value. Changes deep inside a component therefore need no luck, and findings are small.

use std::sync::LazyLock;

use super::block_on;
use super::cell::exercise;
use crate::compose::{component, component_of, component_text};

/// Maximum number of changes.
const MAX_CHANGES: usize = 16;

pub(super) fn run(input: &[u8]) {
    let bytes = if input.starts_with(b"\0asm") { input.to_vec() } else { changed(input) };
    // Most components are not loaded; `exercise` reports the reason.
    let _ = block_on(exercise(bytes));
}

fn changed(input: &[u8]) -> Vec<u8> {
    static BASES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| bases().expect("the components"));

    let Some((which, changes)) = input.split_first() else { return Vec::new() };
    let mut bytes = BASES[usize::from(*which) % BASES.len()].clone();
    for change in changes.chunks_exact(5).take(MAX_CHANGES) {
        let [a, b, c, kind, value] = *change else { return bytes };
        let at = u32::from_be_bytes([0, a, b, c]) as usize % bytes.len().max(1);
        match kind % 6 {
            0 => bytes[at] = value,
            1 => bytes[at] = bytes[at].wrapping_add(value),
            2 => bytes[at] ^= 1 << (value % 8),
            3 => bytes.insert(at, value),
            4 => drop(bytes.remove(at)),
            // Duplicate a piece.
            _ => {
                let piece = bytes[at..(at + usize::from(value)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
        if bytes.is_empty() {
            return bytes;
        }
    }
    bytes
}

/// Components that load unchanged: each kind, all grants, memories and tables of their own, a start function.
fn bases() -> anyhow::Result<Vec<Vec<u8>>> {
    let all = ["sampling", "elicitation", "roots", "get-task", "get-task-result", "list-tasks", "cancel-task"];
    Ok(vec![
        component(&["roots"], &[])?,
        component(&["sampling"], &["progress"])?,
        component(&all, &["tasks", "progress"])?,
        component(&["augmented-sampling", "augmented-elicitation", "background"], &["tasks"])?,
        component(&["roots"], &["wasi:config/store@0.2.0-rc.1"])?,
        component_of(
            r#"(module
                (memory (export "memory") 1)
                (table 10 funcref)
                (elem (i32.const 0) $handle)
                (global $free (mut i32) (i32.const 4096))
                (data (i32.const 2048) "file:///a")
                (data (i32.const 1024) "\00\00\00\00\10\04\00\00\01\00\00\00\00\00\00\00\00\08\00\00\09\00\00\00")
                (func $handle (export "taskcell:handlers/roots@0.1.0#handle") (param i32) (result i32) (i32.const 1024))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (global.set $free (i32.add (global.get $free) (i32.const 1024)))
                    (global.get $free))
                (func $start (drop (memory.grow (i32.const 1))))
                (start $start))"#,
            &[],
            &["roots"],
            &[],
        )?,
        component_text(
            "(component (core module $m (memory 1) (func $f (loop br 0)) (start $f)) (core instance (instantiate $m)))",
        )?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that the base components load, except for the last.
    #[test]
    fn the_components_are_loaded() {
        let mut bases = bases().unwrap();
        let looping = bases.pop().unwrap();
        for base in bases {
            block_on(exercise(base)).unwrap();
        }
        assert_eq!(block_on(exercise(looping)).unwrap_err().kind(), "cpu_time");
    }

    #[test]
    fn changes_are_made() {
        let base = changed(&[0]);
        assert_eq!(changed(&[0, 0, 0, 9, 0, 7])[9], 7);
        assert_eq!(changed(&[0, 0, 0, 9, 3, 7]).len(), base.len() + 1);
        assert_eq!(changed(&[0, 0, 0, 9, 4, 7]).len(), base.len() - 1);
        assert_eq!(changed(&[0, 0, 0, 9, 5, 7]).len(), base.len() + 7);
    }
}
