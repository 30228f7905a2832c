//! Runs the handlers with which an MCP client answers its server, as sandboxed WebAssembly components.
mod error;
pub mod grants;
pub mod kinds;
pub mod protocol;
pub mod sandbox;
pub mod session;
pub mod tasks;
pub use error::Error;
pub use sandbox::{Engine, EngineOptions, Handler, Limits};
