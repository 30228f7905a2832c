//! The stock handler: answers all nine kinds of request from a script, with no model and no user.
//!
//! A cell lives for one request, so everything here is made for a short life: the script is read only by the
//! kinds that need it, and memory is never freed.

#[cfg(target_arch = "wasm32")]
mod alloc;
mod background;
mod bindings;
mod candidates;
mod elicitation;
mod form;
mod formats;
mod pattern;
mod roots;
mod sampling;
mod schema;
mod script;
mod settings;
mod tasks;

/// What the component exports; each module adds the interfaces that it answers.
struct Handler;
