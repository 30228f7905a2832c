//! The adapter for rmcp: an application with a `ClientHandler` of its own, and handlers beside it.
// What MCP 2026-07-28 is going to drop: roots, sampling, logging.
#![expect(deprecated, reason = "rmcp marks what the handlers answer")]

mod application;
mod modern;
mod peers;
mod stdio;
mod wire;
