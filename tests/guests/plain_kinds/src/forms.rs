// Modules of the example `rust-scripted` that fill in a form. They name one another from the root of the crate, so a
// guest includes this file there.

#[cfg(target_arch = "wasm32")]
#[path = "../../../../guest-examples/rust-scripted/src/alloc.rs"]
mod alloc;
#[path = "../../../../guest-examples/rust-scripted/src/candidates.rs"]
mod candidates;
#[path = "../../../../guest-examples/rust-scripted/src/form.rs"]
mod form;
#[path = "../../../../guest-examples/rust-scripted/src/formats.rs"]
mod formats;
#[path = "../../../../guest-examples/rust-scripted/src/pattern.rs"]
mod pattern;
#[path = "../../../../guest-examples/rust-scripted/src/schema.rs"]
mod schema;
