//! Components made at test time. Each answers with its own number and therefore has its own digest.

use anyhow::Result;

use crate::compose::component_of;

/// A component that answers `roots/list` with an error of this code and message.
///
/// # Errors
/// When the component cannot be made.
pub fn numbered_component(number: i32) -> Result<Vec<u8>> {
    /// Addresses of the answer and of its text.
    const ANSWER: usize = 1024;
    const TEXT: usize = 2048;

    let text = number.to_string();
    // Layout of `result<list-roots-result, rpc-error>`: the case, then code, message and no data.
    let code = number.to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat();
    let message =
        [TEXT as u32, text.len() as u32].map(|word| word.to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat());
    let module = format!(
        r#"(module
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 4096))
            (data (i32.const {ANSWER}) "\01\00\00\00{code}{}\00\00\00\00")
            (data (i32.const {TEXT}) "{text}")
            (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (local.get $at))
            (func (export "taskcell:handlers/roots@0.1.0#handle") (param i32) (result i32)
                (i32.const {ANSWER})))"#,
        message.concat()
    );
    component_of(module, &[], &["roots"], &[])
}
