//! What the integration tests share.

pub mod cli;
pub mod compose;
pub mod guests;
pub mod provision;
pub mod server;
