//! What the handlers say to the server, past rmcp's types.

use async_trait::async_trait;

/// The way to the server.
#[async_trait]
pub(super) trait Way: Send + Sync + 'static {
    /// Sends a message. One that cannot be sent is logged: rmcp sees the end of a connection itself.
    async fn send(&self, message: Vec<u8>);
}
