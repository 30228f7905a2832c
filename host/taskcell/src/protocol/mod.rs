//! JSON-RPC and MCP as types, and nothing else.
//!
//! Each MCP type is one Rust type with two faces: serde for the JSON wire, and wasmtime's `ComponentType`,
//! `Lower` and `Lift` for the component ABI. There is no layer that converts between the two, because such a
//! layer is where fields get lost. The derives are all that this module knows of wasmtime.

pub mod jsonrpc;
pub(crate) mod request;
pub mod types;
mod wire;

pub(crate) use wire::located::plain;
pub use wire::params::{ParamsError, RequestBody, RequestParams};
pub(crate) use wire::{json, params};

/// The revision of MCP whose requests and capabilities this crate speaks.
pub const PROTOCOL_VERSION: &str = "2025-11-25";
