//! Path of the handlers' messages to the server, past rmcp's types.

use async_trait::async_trait;

use taskcell::mrtr::Server;

/// Sender of messages, and of requests of revision 2026-07-28, to the server.
#[async_trait]
pub(super) trait Sink: Server {
    /// Sends a message. A failure is only logged, because rmcp notices the end of the connection itself.
    async fn send(&self, message: Vec<u8>);
}
