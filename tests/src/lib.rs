//! What the integration tests share.

pub mod application;
pub mod attacks;
pub mod cli;
pub mod compose;
pub mod conversation;
pub mod examples;
pub mod fuzz;
pub mod guests;
pub mod handlers;
pub mod http_server;
pub mod languages;
pub mod mcp;
pub mod model_server;
pub mod numbered;
pub mod observed;
pub mod process;
pub mod projects;
pub mod provision;
pub mod pty;
pub mod scripted_server;
pub mod server;
pub mod shape;
pub mod spans;
pub mod stdio_server;
pub mod test_names;
pub mod typescript;
