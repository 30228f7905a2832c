//! Errors of the gateway.

use crate::transport::TransportError;

/// Reason why a gateway cannot start, or ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The server cannot be reached, or its connection ended.
    #[error("the server: {0}")]
    Server(#[source] TransportError),
    /// The connection of the client ended with an error.
    #[error("the client: {0}")]
    Client(#[source] TransportError),
}

impl GatewayError {
    /// Stable word for the error, for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Server(_) => "server",
            Self::Client(_) => "client",
        }
    }
}
