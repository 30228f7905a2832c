//! Components that are too large to write by hand.

/// A component that instantiates the module `count` times.
#[must_use]
pub fn instances(module: &str, count: usize) -> String {
    format!("(component (core module $m {module}) {})", "(core instance (instantiate $m))".repeat(count))
}

/// A module with a thousand memories.
#[must_use]
pub fn memories_of_a_module() -> String {
    instances(&"(memory 1)".repeat(1_000), 1)
}

/// Ten instances with a thousand memories together.
#[must_use]
pub fn memories_of_modules() -> String {
    instances(&"(memory 1)".repeat(100), 10)
}

/// A thousand instances with one memory each.
#[must_use]
pub fn memories_of_instances() -> String {
    instances("(memory 1)", 1_000)
}

/// A hundred thousand functions, which take long to compile.
#[must_use]
pub fn functions() -> String {
    let function = "(func (param i32) (result i32) (local.get 0) (i32.const 7) (i32.mul) (i32.popcnt))";
    instances(&function.repeat(100_000), 1)
}
