//! Data of MCP, revision 2025-11-25, as shapes: a reading of its schema that is independent of the library's types.
//!
//! Each function is named after its entry in the schema.

mod content;
mod elicitation;
mod sampling;
mod tasks;

use serde_json::json;

pub use content::*;
pub use elicitation::*;
pub use sampling::*;
pub use tasks::*;

use crate::shape::Shape::{self, Any, Integer, Number, Object, OneOf, Text, Word};
use crate::shape::{Member, list, optional, record, required};

/// `ProgressToken`
#[must_use]
pub fn progress_token() -> Shape {
    OneOf(vec![Text, Integer])
}

/// `Implementation`
#[must_use]
pub fn implementation() -> Shape {
    record([
        required("name", Text),
        optional("title", Text),
        required("version", Text),
        optional("description", Text),
        optional("websiteUrl", Text),
        optional("icons", list(icon())),
    ])
}

/// `Icon`
#[must_use]
pub fn icon() -> Shape {
    record([
        required("src", Text),
        optional("mimeType", Text),
        optional("sizes", list(Text)),
        optional("theme", Word(&["light", "dark"])),
    ])
}

/// `Error`
#[must_use]
pub fn error() -> Shape {
    let codes = Shape::Fixed([0, -1, -32602, i32::MIN, i32::MAX].map(|code| json!(code)).into());
    record([required("code", codes), required("message", Text), optional("data", Any)])
}

/// `Role`
#[must_use]
pub fn role() -> Shape {
    Word(&["user", "assistant"])
}

/// `Annotations`
#[must_use]
pub fn annotations() -> Shape {
    record([optional("audience", list(role())), optional("priority", Number), optional("lastModified", Text)])
}

/// `_meta`
fn meta() -> Member {
    optional("_meta", Object)
}

/// `Root`
#[must_use]
pub fn root() -> Shape {
    record([required("uri", Text), optional("name", Text), meta()])
}

/// `ListRootsResult`
#[must_use]
pub fn list_roots_result() -> Shape {
    record([required("roots", list(root())), meta()])
}
