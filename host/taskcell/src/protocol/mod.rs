//! JSON-RPC and MCP as types, and nothing else.
//!
//! Each MCP type is one Rust type with two faces: serde for the JSON wire, and wasmtime's `ComponentType`,
//! `Lower` and `Lift` for the component ABI. There is no layer that converts between the two, because such a
//! layer is where fields get lost. The derives are all that this module knows of wasmtime.

mod bounds;
pub mod code;
pub(crate) mod grant;
pub mod jsonrpc;
pub mod kinds;
pub(crate) mod request;
pub mod types;
mod wire;

pub(crate) use bounds::Bounds;
pub use wire::json::MAX_DEPTH;
pub use wire::located::plain;
pub use wire::params::{ParamsError, RequestBody, RequestParams};
pub(crate) use wire::{json, params};

/// The revision of MCP whose requests and capabilities this crate speaks.
pub const PROTOCOL_VERSION: &str = "2025-11-25";

/// The revision of MCP in which a server asks by the result of a call. [basic/patterns/mrtr]
pub const MRTR_PROTOCOL_VERSION: &str = "2026-07-28";

/// The WIT package of the handler protocol.
pub const PACKAGE: &str = "taskcell:handlers";
/// The version of [`PACKAGE`]. Components built for the same minor version are taken.
pub const PACKAGE_VERSION: &str = "0.1.0";
