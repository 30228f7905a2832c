//! MCP's data: the WIT interface `taskcell:handlers/types` in Rust.
//!
//! The documentation of each field is that of the WIT item of the same name in `wit/types.wit`; what
//! stands behind "MCP:" are the entries of the MCP schema, revision 2025-11-25. On the wire absent fields are left out
//! and unknown ones ignored.

mod common;
mod content;
mod elicitation;
mod elicitation_schema;
mod roots;
mod sampling;
mod tasks;

pub use common::*;
pub use content::*;
pub use elicitation::*;
pub use elicitation_schema::*;
pub use roots::*;
pub use sampling::*;
pub use tasks::*;
