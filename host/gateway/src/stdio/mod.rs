//! Messages as lines: a server that is a child process, and the client that started this process.
//! [basic/transports, stdio]

mod foreign;
mod last_words;
pub mod lines;
mod own;
mod process;
mod server;
mod writer;

pub use own::client;
pub use process::{GRACE, Notice, ServerCommand, ServerLog, ServerProcess};
pub use server::StdioServer;
