//! What the handlers say to the server, past rmcp's types.

use async_trait::async_trait;

use taskcell::mrtr::Server;

/// The way to the server, also for requests of revision 2026-07-28.
#[async_trait]
pub(super) trait Sink: Server {
    /// Sends a message. One that cannot be sent is logged: rmcp sees the end of a connection itself.
    async fn send(&self, message: Vec<u8>);
}
