//! A gateway between an MCP client and a server: it passes messages as they come, and answers for the client what
//! handlers of taskcell can.
//!
//! [`transport`] is the contract of both sides: messages of any transport are one JSON text each.

pub mod error;
pub mod http_client;
pub mod stdio;
pub mod transport;

pub use error::GatewayError;
pub use transport::{Connection, Connector, Frame, Receiver, Sender, TransportError};
