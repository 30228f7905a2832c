//! Components that are too large to be written down.

/// A component of this module, instantiated so often.
#[must_use]
pub fn instances(module: &str, count: usize) -> String {
    format!("(component (core module $m {module}) {})", "(core instance (instantiate $m))".repeat(count))
}

/// A thousand memories in one module.
#[must_use]
pub fn memories_of_a_module() -> String {
    instances(&"(memory 1)".repeat(1_000), 1)
}

/// A thousand memories in ten instances.
#[must_use]
pub fn memories_of_modules() -> String {
    instances(&"(memory 1)".repeat(100), 10)
}

/// A thousand memories in a thousand instances.
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
