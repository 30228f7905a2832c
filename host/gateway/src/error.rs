//! Errors of the gateway.

use crate::transport::TransportError;

/// Reason why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The server cannot be started or reached when the gateway starts.
    #[error("{0}")]
    Server(#[source] TransportError),
}

impl GatewayError {
    /// Stable word for the error, for logs and metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Server(_) => "server",
        }
    }
}
