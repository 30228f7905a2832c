//! Peers: servers built with the SDKs of Python, TypeScript and Rust, and applications that use rmcp.

mod forms;
mod revisions;
mod rmcp;
mod servers;
